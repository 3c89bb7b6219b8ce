"""StableHLO: one file for three platforms, sizes left open, a gradient, and nothing of ours within."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from export_rows import small
from seqjax import experiment as experiments
from seqjax.errors import UserError
from seqjax.export import stablehlo
from seqjax.export.logits import Built
from seqjax.export.ports import names
from seqjax.export.preprocessing import SCRIPTS
from seqjax.models.translation import Translator

QUICK = ("imdb_bilstm_masked",)
FIXED = {"moving_digits", "word2vec", "glove"}
ROWS = [
    pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow)
    for name in experiments.names()
    if name not in FIXED
]


def exported(name, gradient=False):
    experiment, params, inputs = small(name)
    model = experiment.model
    own = names(model, inputs)
    if isinstance(model, Translator):
        model, params = Built(model), {"model": params}
    return model, params, inputs, own, stablehlo.write(model, params, own, inputs, gradient)


@pytest.mark.parametrize("name", ROWS)
def test_a_row(name):
    model, params, inputs, own, made = exported(name)
    back = jax.export.deserialize(bytearray(made.data))
    assert back.platforms == ("cpu", "cuda", "tpu")
    assert "seqjax_" not in back.mlir_module()
    assert all("batch" in shape for shape in made.shapes.values())
    leaves = jax.tree.leaves(inputs)
    for rows in (slice(None), slice(0, 2)):
        fed = {name: leaf[rows] for name, leaf in zip(own, leaves, strict=True)}
        ours = jax.jit(model.apply)({"params": params}, jax.tree.map(lambda leaf, rows=rows: leaf[rows], inputs))
        for one, other in zip(back.call(params, fed), jax.tree.leaves(ours), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.slow
def test_time_is_left_open_and_gradients_go_through():
    model, params, inputs, _, made = exported("jena_stacked_gru", gradient=True)
    back = jax.export.deserialize(bytearray(made.data))
    assert made.shapes == {"window": "(batch, time, 14)"}
    inputs = np.random.default_rng(0).normal(size=(3, 17, 14)).astype(np.float32)
    theirs = jax.grad(lambda p: jnp.sum(back.call(p, {"window": inputs})[0]))(params)
    ours = jax.grad(lambda p: jnp.sum(model.apply({"params": p}, inputs)))(jax.tree.map(jnp.asarray, params))
    for one, other in zip(jax.tree.leaves(theirs), jax.tree.leaves(ours), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.slow
def test_without_seqjax(tmp_path):
    model, params, inputs, _, made = exported("imdb_bilstm_masked")
    inputs = np.random.default_rng(0).integers(0, 50, inputs.shape).astype(np.int32)
    inputs[:, 7:] = 0
    (tmp_path / "model.stablehlo").write_bytes(made.data)
    np.savez(tmp_path / "parameters.npz", **flatten_dict(params, sep="/"))
    np.savez(tmp_path / "in.npz", tokens=inputs)
    (tmp_path / "example.py").write_text((SCRIPTS / "stablehlo.py").read_text())
    code = f"""
import runpy, sys
sys.modules.update(dict.fromkeys(["seqjax", "flax", "optax", "tensorflow"]))
sys.argv = ["example.py", {str(tmp_path / "in.npz")!r}, {str(tmp_path / "out.npz")!r}]
runpy.run_path({str(tmp_path / "example.py")!r}, run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ours = model.apply({"params": jax.tree.map(jnp.asarray, params)}, inputs)
    np.testing.assert_allclose(np.load(tmp_path / "out.npz")["arr_0"], ours, atol=1e-5)


def test_what_jax_cannot_export_is_refused():
    class Odd:
        def apply(self, variables, inputs):
            return np.asarray(inputs)  # a number is wanted where there is none

    with pytest.raises(UserError, match=r"stablehlo: Odd cannot be exported by jax .*choices: --to=safetensors"):
        stablehlo.write(Odd(), {}, ["x"], np.zeros((2, 3), np.float32))
