"""A recurrence on two devices equals that on one: outputs, states, gradients, and a whole training."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from seqjax.models.sharding import over_devices

LAYERS = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from seqjax.models.composite import Bidirectional
from seqjax.models.recurrent import GRU, LSTM, SimpleRNN
from seqjax.models.sharding import DATA, DIRECTIONS, make_mesh
from seqjax.models.tokens import Tokens

key = jax.random.key(0)
x = jax.random.normal(key, (6, 5, 3))
wide = jax.random.normal(key, (6, 5, 70))
ids = jax.random.randint(key, (6, 5), 0, 9)
mask = jnp.arange(5)[None, :] < jnp.array([5, 3, 1, 0, 5, 2])[:, None]
table = jax.random.normal(key, (9, 4))
cases = [
    (DATA, LSTM(4, return_state=True, recurrent_dropout=0.3), x, mask),
    (DATA, GRU(4, return_sequences=True, return_state=True, reverse=True), wide, None),
    (DATA, Bidirectional(SimpleRNN(4)), Tokens(ids, table), mask),
    (DIRECTIONS, Bidirectional(LSTM(4)), Tokens(ids, table), mask),
    (DIRECTIONS, Bidirectional(SimpleRNN(4)), Tokens(ids, table[:, :3]), None),
    (DIRECTIONS, Bidirectional(LSTM(4, return_sequences=True)), Tokens(ids, vocabulary_size=9), mask),
    (DIRECTIONS, Bidirectional(GRU(4, return_state=True, recurrent_dropout=0.3, reverse=True)), x, mask),
    (DIRECTIONS, Bidirectional(LSTM(4, return_sequences=True, return_state=True)), wide, mask),
    (DIRECTIONS, LSTM(4), x, mask),
]
for axis, layer, inputs, valid in cases:
    mesh = make_mesh(jax.devices(), axis)
    params = layer.init(key, inputs, valid)
    def loss(params, inputs, valid):
        outputs = layer.apply(params, inputs, valid, train=True, rngs={"dropout": key})
        return sum((k + 1) * (leaf ** 2).sum() for k, leaf in enumerate(jax.tree.leaves(outputs))), outputs
    floats = lambda tree: [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    step = jax.jit(jax.value_and_grad(loss, has_aux=True, allow_int=True, argnums=(0, 1)))
    alone = step(params, inputs, valid)
    split = NamedSharding(mesh, PartitionSpec(DATA) if axis == DATA else PartitionSpec())
    place = lambda tree: jax.tree.map(lambda leaf: jax.device_put(leaf, split if leaf.shape[0] == 6 else whole), tree)
    whole = NamedSharding(mesh, PartitionSpec())
    with jax.set_mesh(mesh):
        both = step(jax.device_put(params, whole), place(inputs), place(valid))
    for a, b in zip(floats(alone), floats(both), strict=True):
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


@pytest.mark.slow
def test_layers_on_two_devices_equal_those_on_one_with_gradients():
    assert on_two_devices(LAYERS)[-1] == "2"


def test_without_a_mesh_the_function_just_runs():
    assert over_devices("data", lambda tree: tree["x"] + 1, {"x": 1}, PartitionSpec(), PartitionSpec()) == 2


TRAINING = """
import sys
sys.path.insert(0, sys.argv[1])
import dataclasses, json, pathlib, jax, jax.numpy as jnp
import conftest
from seqjax import train
from seqjax.checkpoint import Checkpoints
from seqjax.models.classifiers import RecurrentClassifier
from seqjax.models.composite import Bidirectional
from seqjax.models.forecasters import RecurrentForecaster
from seqjax.models.recurrent import GRU, LSTM
from seqjax.train import Program, Settings, create_state
train.LARGE_TABLE = 80
found = []
dataset = conftest.toy_dataset._get_wrapped_function()()
gather = lambda arrays, ids: (arrays["inputs"][ids][:, :, None], arrays["targets"][ids])
series = dataclasses.replace(dataset, gather=gather)
line = conftest.toy_experiment._get_wrapped_function()()
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
    rows = np.array(json.loads(on_two_devices(TRAINING, str(Path(__file__).parent), str(folder), *cases)[-1]))
    np.testing.assert_allclose(rows[::2, 2:], rows[1::2, 2:], rtol=1e-5)
    return rows[:, :2].tolist()


def test_two_devices_train_like_one(tmp_path):
    """A recurrence over measurements takes half a batch on each core by itself; a bidirectional one over tokens one
    direction, with half of the table and of Adam's two moments of it."""
    assert trained(tmp_path, "series", "text") == [[2, 0], [1, 0], [2, 3], [1, 0]]
    assert jax.device_count() == 1  # the tests themselves run on one


@pytest.mark.slow
def test_two_devices_are_used_for_any_model_if_asked(tmp_path):
    assert trained(tmp_path, "asked") == [[2, 0], [1, 0]]
