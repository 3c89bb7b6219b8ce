"""A recurrence on two devices equals that on one: outputs, states, gradients, and a whole training."""

import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from places import ROOT
from seqjax.layers.backends import native_library
from seqjax.layers.sharding import over_devices

LAYERS = """
import functools, sys, jax, jax.numpy as jnp, numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN
from seqjax.layers import tokens
from seqjax.layers.sharding import DATA, make_mesh
from seqjax.layers.tokens import Tokens

tokens.CHUNK = 4  # several of them
key = jax.random.key(0)
LSTM, GRU, SimpleRNN = (functools.partial(layer, backend=sys.argv[1]) for layer in (LSTM, GRU, SimpleRNN))
x = jax.random.normal(key, (6, 5, 3))
wide = jax.random.normal(key, (6, 5, 70))
ids = jax.random.randint(key, (6, 5), 0, 9)
mask = jnp.arange(5)[None, :] < jnp.array([5, 3, 1, 0, 5, 2])[:, None]
table = jax.random.normal(key, (9, 4))
cases = [
    (LSTM(4, recurrent_dropout=0.3), x, mask),
    (GRU(4, return_sequences=True, reverse=True), wide, None),
    (Bidirectional(SimpleRNN(4)), Tokens(ids, table), mask),
    (Bidirectional(LSTM(4, return_sequences=True), LSTM(4, initializer="torch")), x, mask),
]
floats = lambda tree: [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]
for layer, inputs, valid in cases:
    def run(params, inputs, valid, state):
        options = {"train": True, "sequences": layer.wants()[0], "rngs": {"dropout": key}}
        return layer.apply(params, inputs, valid, state, method=layer.run, **options)
    def loss(*arguments):
        results = run(*arguments)
        return sum((k + 1) * (leaf ** 2).sum() for k, leaf in enumerate(jax.tree.leaves(results))), results
    params = layer.init(key, inputs, valid)
    state = run(params, inputs, valid, None)[2]
    step = jax.jit(jax.value_and_grad(loss, has_aux=True, allow_int=True, argnums=(0, 1, 3)))
    alone = step(params, inputs, valid, state)
    mesh = make_mesh(jax.devices())
    whole = NamedSharding(mesh, PartitionSpec())
    split = NamedSharding(mesh, PartitionSpec(DATA))
    place = lambda tree: jax.tree.map(lambda leaf: jax.device_put(leaf, split if leaf.shape[0] == 6 else whole), tree)
    with jax.set_mesh(mesh):
        arguments = jax.device_put(params, whole), place(inputs), place(valid), place(state)
        together = step(*arguments)
        program = str(jax.make_jaxpr(step)(*arguments))
    assert "shard_map" in program
    for a, b in zip(floats(alone), floats(together), strict=True):
        np.testing.assert_allclose(np.asarray(b), np.asarray(a), rtol=0, atol=1e-5 * max(1, np.abs(a).max()))
print(jax.device_count())
"""


def on_two_devices(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


PRODUCTS = """
import jax, jax.numpy as jnp, numpy as np
from seqjax.layers import bags, convolution
from seqjax.layers.sharding import DATA, make_mesh

tokens, key = jax.random.randint(jax.random.key(0), (6, 4), 0, 7), jax.random.key(1)
steps = jax.random.normal(key, (9, 2, 6))
for product, shape in (
    (lambda kernel: bags.product(tokens, tokens / 7, kernel), (6, 3)),
    (lambda kernel: convolution.convolve(steps, kernel), (3, 2, 5)),
):
    step = jax.jit(jax.value_and_grad(lambda kernel: (product(kernel) ** 2).sum()))
    alone = step(kernel := jax.random.normal(key, shape))
    with jax.set_mesh(make_mesh(jax.devices())):
        together = step(kernel)
        assert "shard_map" in str(jax.make_jaxpr(step)(kernel))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5), together, alone)
print(jax.device_count())
"""


def test_products_on_two_devices_equal_those_on_one_with_gradients():
    assert on_two_devices(PRODUCTS)[-1] == "2"


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["fused", "native"])
def test_layers_on_two_devices_equal_those_on_one_with_gradients(backend):
    if backend == "native" and native_library.refusal() is not None:
        pytest.skip(native_library.refusal())
    assert on_two_devices(LAYERS, backend)[-1] == "2"


def test_without_a_mesh_the_function_just_runs():
    assert over_devices(lambda tree: tree["x"] + 1, {"x": 1}, PartitionSpec(), PartitionSpec()) == 2


TOYS = """
import sys
sys.path.insert(0, sys.argv[1])
import dataclasses, json, pathlib, jax, jax.numpy as jnp, numpy as np
import conftest
from seqjax.training.program import Program, Settings
from seqjax.training.state import create_state
dataset = conftest.toy_dataset._get_wrapped_function()()
line = conftest.toy_experiment._get_wrapped_function()()
"""

TRAINING = """
from seqjax.training.checkpoint import Checkpoints
from seqjax.models.classifiers import RecurrentClassifier
from seqjax.layers.composite import Bidirectional
from seqjax.models.forecasters import RecurrentForecaster
from seqjax.layers.recurrent import GRU, LSTM
found = []
gather = lambda arrays, ids: (arrays["inputs"][ids][:, :, None], arrays["targets"][ids])
series = dataclasses.replace(dataset, gather=gather)
gru = dataclasses.replace(line, model=RecurrentForecaster(GRU(4, recurrent_dropout=0.3), dropout=0.3))
words = lambda arrays, ids: (abs(10 * arrays["inputs"][ids]).astype("int32") % 20, arrays["targets"][ids])
texts = dataclasses.replace(dataset, gather=words)
reader = dataclasses.replace(line, model=RecurrentClassifier(20, 4, Bidirectional(LSTM(4)), 0.3, mask_padding=True))
cases = {"series": (gru, series), "text": (reader, texts), "line": (line, dataset)}
for experiment, dataset, count in [(*cases[name], count) for name in sys.argv[3:] for count in (2, None)]:
    program = Program(experiment, dataset, Settings(4, devices=count))
    alone = create_state(experiment, dataset.example())
    state = program.place(jax.tree.map(jnp.copy, alone))
    for batch in program.batches("train", 0, 4, experiment.seed):
        state, report = program.train(state, batch)
    checkpoints = Checkpoints(pathlib.Path(sys.argv[2]) / str(len(found)))
    checkpoints.save(4, state)
    checkpoints.wait()
    params = [tree.params for tree in (state, *(checkpoints.restore(t)[1] for t in (program.place(alone), alone)))]
    validation = {program.evaluate(tree, "validation")["mae"] for tree in params}
    assert len(validation) == 1  # read on the same devices or on one
    found.append([program.mesh.size, float(report["loss"]), *validation])
print(json.dumps(found))
"""


@pytest.mark.slow
def test_two_devices_train_like_one_if_they_are_asked_for(tmp_path):
    names = ["series", "text", "line"]
    rows = np.array(json.loads(on_two_devices(TOYS + TRAINING, str(ROOT / "tests"), str(tmp_path), *names)[-1]))
    np.testing.assert_allclose(rows[::2, 1:], rows[1::2, 1:], rtol=1e-5)
    assert rows[:, 0].tolist() == [2, 1] * 3  # by itself a CPU's program has one device
    assert jax.device_count() == 1  # as the tests themselves


MANY = """
def gather(arrays, ids):  # takes longer than its dispatch
    inputs = arrays["inputs"][ids]
    return jax.lax.fori_loop(0, 100000, lambda _, x: x + 0 * jnp.sin(x), inputs), arrays["targets"][ids]
dataset = dataclasses.replace(dataset, gather=gather, parts={"train": np.arange(8), "validation": np.arange(800) % 100})
program = Program(line, dataset, Settings(1, devices=2))
state = program.place(create_state(line, dataset.example()))
print(program.evaluate(state.params, "validation"), len(list(program.batches("validation", 0, 100))))
"""


@pytest.mark.slow
def test_two_devices_evaluate_more_batches_than_may_be_on_their_way_at_once():
    assert on_two_devices(TOYS + MANY, str(ROOT / "tests"))[-1].endswith(" 100")
