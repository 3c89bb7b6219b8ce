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
from seqjax.layers.composite import Bidirectional, Stacked, runs_apart
from seqjax.layers.recurrent import LSTM
from seqjax.layers.sharding import over_devices
from seqjax.models.classifiers import RecurrentClassifier

LAYERS = """
import functools, sys, jax, jax.numpy as jnp, numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN
from seqjax.layers import tokens
from seqjax.layers.sharding import DATA, DIRECTIONS, make_mesh
from seqjax.layers.tokens import Tokens

tokens.CHUNK = 4  # several of them
key = jax.random.key(0)
LSTM, GRU, SimpleRNN = (functools.partial(layer, backend=sys.argv[1]) for layer in (LSTM, GRU, SimpleRNN))
x = jax.random.normal(key, (6, 5, 3))
wide = jax.random.normal(key, (6, 5, 70))
ids = jax.random.randint(key, (6, 5), 0, 9)
mask = jnp.arange(5)[None, :] < jnp.array([5, 3, 1, 0, 5, 2])[:, None]
table = jax.random.normal(key, (9, 4))
both = Bidirectional(LSTM(4, return_sequences=True), LSTM(4, initializer="torch"))
cases = [  # layer, inputs, mask, whether it is shared by the devices of the axis
    (DATA, LSTM(4, recurrent_dropout=0.3), x, mask, True),
    (DATA, GRU(4, return_sequences=True, reverse=True), wide, None, True),
    (DATA, Bidirectional(SimpleRNN(4)), Tokens(ids, table), mask, True),
    (DIRECTIONS, both, Tokens(ids, table), mask, True),
    (DIRECTIONS, Bidirectional(SimpleRNN(4)), Tokens(ids, table[:, :3]), None, True),
    (DIRECTIONS, Bidirectional(LSTM(4)), Tokens(ids, vocabulary_size=9), mask, True),
    (DIRECTIONS, Bidirectional(GRU(4, recurrent_dropout=0.3, reverse=True)), x, mask, True),
    (DIRECTIONS, both, wide, mask, True),
    (DIRECTIONS, Bidirectional(LSTM(4, dropout=0.3)), Tokens(ids, table), mask, False),
    (DIRECTIONS, LSTM(4), x, mask, False),
]
floats = lambda tree: [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]
for axis, layer, inputs, valid, shared in cases:
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
    mesh = make_mesh(jax.devices(), axis)
    whole = NamedSharding(mesh, PartitionSpec())
    split = NamedSharding(mesh, PartitionSpec(DATA)) if axis == DATA else whole
    place = lambda tree: jax.tree.map(lambda leaf: jax.device_put(leaf, split if leaf.shape[0] == 6 else whole), tree)
    with jax.set_mesh(mesh):
        arguments = jax.device_put(params, whole), place(inputs), place(valid), place(state)
        together = step(*arguments)
        program = str(jax.make_jaxpr(step)(*arguments))
    assert ("shard_map" in program) == shared
    table_split = axis == DIRECTIONS and isinstance(inputs, Tokens) and inputs.shape[2] == 4 and shared
    assert ("all_to_all" in program) == table_split
    for a, b in zip(floats(alone), floats(together), strict=True):
        np.testing.assert_allclose(np.asarray(b), np.asarray(a), rtol=0, atol=1e-5 * max(1, np.abs(a).max()))
    if table_split:  # and many seeds at once
        two = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), params)
        gradients = jax.jit(jax.vmap(jax.grad(lambda params: loss(params, inputs, valid, state)[0])))
        expected = gradients(two)
        with jax.set_mesh(mesh):
            found = gradients(jax.device_put(two, whole))
        for a, b in zip(floats(expected), floats(found), strict=True):
            np.testing.assert_allclose(np.asarray(b), np.asarray(a), rtol=0, atol=1e-5 * max(1, np.abs(a).max()))
print(jax.device_count())
"""


def on_two_devices(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
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
    with jax.set_mesh(make_mesh(jax.devices(), DATA)):
        together = step(kernel)
        assert "shard_map" in str(jax.make_jaxpr(step)(kernel))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5), together, alone)
print(jax.device_count())
"""


def test_products_on_two_devices_equal_those_on_one_with_gradients():
    assert on_two_devices(PRODUCTS)[-1] == "2"


AUTO = """
import jax, jax.numpy as jnp, numpy as np
from seqjax import runtime
from seqjax.layers.composite import explain
from seqjax.layers.recurrent import LSTM
from seqjax.layers.sharding import DATA, make_mesh

layer, x = LSTM(129), jnp.ones((4, 5, 3))
params, found = layer.init(jax.random.key(0), x), []
gradient = jax.grad(lambda params: layer.apply(params, x).sum())  # outside a program
with jax.set_mesh(make_mesh(jax.devices(), DATA)):
    for cores in (2, 3):
        runtime.cores = lambda: cores
        print(explain(layer)[0])
        found.append(gradient(params))
for gradients in found:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), gradients, gradient(params))
"""


def test_auto_takes_native_for_a_wide_layer_where_every_core_has_a_device():
    two_cores, three_cores = on_two_devices(AUTO)
    able = native_library.refusal() is None
    assert two_cores.startswith(f"LSTM(129): {'native' if able else 'fused'}, because")
    assert three_cores.startswith("LSTM(129): fused, because")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["fused", "native"])
def test_layers_on_two_devices_equal_those_on_one_with_gradients(backend):
    if backend == "native" and native_library.refusal() is not None:
        pytest.skip(native_library.refusal())
    assert on_two_devices(LAYERS, backend)[-1] == "2"


def test_without_a_mesh_the_function_just_runs():
    assert over_devices("data", lambda tree: tree["x"] + 1, {"x": 1}, PartitionSpec(), PartitionSpec()) == 2


@pytest.mark.parametrize(
    ("layer", "embedding_size", "apart"),
    [
        (Bidirectional(LSTM(4, recurrent_dropout=0.3)), 4, True),
        (Bidirectional(LSTM(4)), None, False),
        (Bidirectional(LSTM(4, dropout=0.3)), 4, False),
        (Bidirectional(LSTM(4, activation="relu")), 4, False),
        (Bidirectional(LSTM(4), LSTM(5)), 4, False),
        (Stacked([Bidirectional(LSTM(4, return_sequences=True)), LSTM(4)]), 4, False),
        (LSTM(4), 4, False),
    ],
)
def test_directions_are_run_apart_where_that_gains(layer, embedding_size, apart):
    assert runs_apart(RecurrentClassifier(20, embedding_size, layer, 0.3)) == apart


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
from seqjax.training import program as train
from seqjax.training.checkpoint import Checkpoints
from seqjax.models.classifiers import RecurrentClassifier
from seqjax.layers.composite import Bidirectional
from seqjax.models.forecasters import RecurrentForecaster
from seqjax.layers.recurrent import GRU, LSTM
train.LARGE_TABLE = 80
found = []
gather = lambda arrays, ids: (arrays["inputs"][ids][:, :, None], arrays["targets"][ids])
series = dataclasses.replace(dataset, gather=gather)
gru = dataclasses.replace(line, model=RecurrentForecaster(GRU(4, recurrent_dropout=0.3), dropout=0.3))
words = lambda arrays, ids: (abs(10 * arrays["inputs"][ids]).astype("int32") % 20, arrays["targets"][ids])
texts = dataclasses.replace(dataset, gather=words)
reader = dataclasses.replace(line, model=RecurrentClassifier(20, 4, Bidirectional(LSTM(4)), 0.3, mask_padding=True))
cases = {"series": (gru, series, None), "text": (reader, texts, None), "asked": (line, dataset, 2)}
for experiment, dataset, count in [case for name in sys.argv[3:] for case in (cases[name], (*cases[name][:2], 1))]:
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
    axes = sum(["directions" in str(leaf.sharding.spec) for leaf in jax.tree.leaves((params[1], state.opt_state))])
    found.append([program.mesh.size, axes, float(report["loss"]), *validation])
print(json.dumps(found))
"""


def trained(folder, *cases):
    """Rows of devices, arrays split over directions, training loss, validation error; each case, then on one device."""
    rows = np.array(json.loads(on_two_devices(TOYS + TRAINING, str(ROOT / "tests"), str(folder), *cases)[-1]))
    np.testing.assert_allclose(rows[::2, 2:], rows[1::2, 2:], rtol=1e-5)
    return rows[:, :2].tolist()


@pytest.mark.slow
def test_two_devices_train_like_one(tmp_path):
    """A recurrence over measurements takes half a batch on each core by itself; a bidirectional one over tokens one
    direction, with half of the table and of Adam's two moments of it."""
    assert trained(tmp_path, "series", "text") == [[2, 0], [1, 0], [2, 3], [1, 0]]
    assert jax.device_count() == 1  # the tests themselves run on one


@pytest.mark.slow
def test_two_devices_are_used_for_any_model_if_asked(tmp_path):
    assert trained(tmp_path, "asked") == [[2, 0], [1, 0]]


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
