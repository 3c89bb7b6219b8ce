"""A seed gives the same weights, bit by bit, whatever the number of cores; and an orthogonal matrix is one."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.layers.orthogonal import LAPACK, PANEL, multiplied_out, orthogonal
from seqjax.layers.recurrent import LSTM

CODE = """
import hashlib, os, sys
os.sched_setaffinity(0, {int(core) for core in sys.argv[1].split(",")})
import jax, numpy as np
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN
for layer in eval(sys.argv[2]):
    params = layer.init(jax.random.key(0), np.ones((1, 1, 3), np.float32))
    together = lambda key: layer.init(key, np.ones((1, 1, 3), np.float32))
    params = params, jax.jit(jax.vmap(together))(jax.random.split(jax.random.key(1))) if sys.argv[3:] else ()
    for leaf in jax.tree.leaves(params):
        print(hashlib.sha256(np.asarray(leaf).tobytes()).hexdigest())
"""
QUICK = "[LSTM(130)]"
WIDE = "[kind(units, initializer=preset) for kind, units, preset in (" + (
    "(LSTM, 300, 'keras'), (GRU, 200, 'flax'), (SimpleRNN, 513, 'keras'), (LSTM, 128, 'keras'), (GRU, 300, 'torch'), "
    "(LSTM, 256, 'flax'), (GRU, 200, 'keras'), (SimpleRNN, 64, 'flax'), (LSTM, 512, 'keras'))]"
)
able = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2, reason="two cores are needed"
)


def bits(cores, layers, flags=""):
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_DISABLE_MOST_OPTIMIZATIONS": "0"}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        environment.pop(name, None)  # which would hide the fault
    command = [sys.executable, "-c", CODE, ",".join(map(str, cores)), layers, *["vmap"] * (layers == WIDE)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout


@pytest.mark.slow
@able
@pytest.mark.parametrize("layers", [QUICK, WIDE], ids=["quick", "wide"])
def test_weights_do_not_depend_on_the_number_of_cores(layers):
    cores = sorted(os.sched_getaffinity(0))
    one = bits(cores[:1], layers)
    assert one == bits(cores, layers)
    assert len(set(one.split())) > 2
    if layers == WIDE:
        assert one == bits(cores, layers, "--xla_force_host_platform_device_count=4")
        assert one == bits(cores, layers, "--xla_cpu_multi_thread_eigen=false")


def reflected(normal):
    """The definition, in double precision and loops."""
    normal = np.asarray(normal, np.float64)
    rows, columns = normal.shape
    matrix = np.eye(rows)[:, :columns]
    for k in reversed(range(columns)):
        x = np.where(np.arange(rows) >= k, normal[:, k], 0)
        sign = -1.0 if x[k] < 0 else 1.0
        matrix[:, k] *= -sign
        v = x + sign * np.linalg.norm(x) * np.eye(rows)[k]
        matrix -= np.outer(v, 2 * (v @ matrix) / (v @ v))
    return matrix


@pytest.mark.parametrize("shape", [(150, 150), (301, 70), (64, PANEL), (5, 1)])
def test_the_reflections_are_those_of_the_definition(shape):
    normal = jax.random.normal(jax.random.key(0), shape)
    found = multiplied_out(normal)
    np.testing.assert_allclose(found, reflected(normal), atol=5e-6)
    np.testing.assert_allclose(found.T @ found, np.eye(shape[1]), atol=5e-6)
    np.testing.assert_allclose(found[:, 0], normal[:, 0] / jnp.linalg.norm(normal[:, 0]), atol=1e-6)


def test_a_wide_start_is_orthogonal_of_any_type_and_small_ones_are_jaxs_own():
    matrix = orthogonal(jax.random.key(0), (140, 560))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(140), atol=5e-6)
    assert abs(float(matrix.mean())) < 4 / 560  # nothing leans anywhere: an entry's deviation is 1 / sqrt(560)
    assert float((matrix**2).mean() * 560) == pytest.approx(1, abs=1e-4)
    narrow = orthogonal(jax.random.key(0), (140, 560), jnp.bfloat16)
    assert narrow.dtype == jnp.bfloat16
    np.testing.assert_allclose(narrow.astype(jnp.float32), matrix, atol=2e-3)
    for shape in ((LAPACK, 4 * LAPACK), (40, 7)):
        own = jax.nn.initializers.orthogonal()(jax.random.key(3), shape)
        np.testing.assert_array_equal(orthogonal(jax.random.key(3), shape), own)


def test_shapes_alone_compute_nothing():
    shapes = jax.eval_shape(LSTM(1024).init, jax.random.key(0), jnp.ones((1, 1, 3)))
    assert shapes["params"]["cell"]["recurrent_kernel"].shape == (1024, 4096)
