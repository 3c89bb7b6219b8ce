"""A recurrence on two devices equals that on one: outputs, states, gradients, and a whole training."""

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
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from seqjax.models.composite import Bidirectional
from seqjax.models.recurrent import GRU, LSTM, SimpleRNN
from seqjax.models.tokens import Tokens

mesh = Mesh(np.asarray(jax.devices()), ("data",))
key = jax.random.key(0)
x = jax.random.normal(key, (6, 5, 3))
wide = jax.random.normal(key, (6, 5, 70))
ids = jax.random.randint(key, (6, 5), 0, 9)
mask = jnp.arange(5)[None, :] < jnp.array([5, 3, 1, 0, 5, 2])[:, None]
table = jax.random.normal(key, (9, 4))
cases = [
    (LSTM(4, return_state=True, recurrent_dropout=0.3), x, mask),
    (GRU(4, return_sequences=True, return_state=True, reverse=True), wide, None),
    (Bidirectional(SimpleRNN(4)), Tokens(ids, table), mask),
]
for layer, inputs, valid in cases:
    params = layer.init(key, inputs, valid)
    def loss(params, inputs, valid):
        outputs = layer.apply(params, inputs, valid, train=True, rngs={"dropout": key})
        return sum((k + 1) * (leaf ** 2).sum() for k, leaf in enumerate(jax.tree.leaves(outputs))), outputs
    floats = lambda tree: [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    step = jax.jit(jax.value_and_grad(loss, has_aux=True, allow_int=True, argnums=(0, 1)))
    alone = step(params, inputs, valid)
    split = NamedSharding(mesh, PartitionSpec("data"))
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
    return done.stdout.split()


@pytest.mark.slow
def test_layers_on_two_devices_equal_those_on_one_with_gradients():
    assert on_two_devices(LAYERS)[-1] == "2"


def test_without_a_mesh_the_function_just_runs():
    assert over_devices(lambda tree: tree["x"] + 1, {"x": 1}, PartitionSpec(), PartitionSpec()) == 2


TRAINING = """
import sys
sys.path.insert(0, sys.argv[1])
import dataclasses, json, jax, numpy
import conftest
from seqjax.models.forecasters import RecurrentForecaster
from seqjax.models.recurrent import GRU
from seqjax.train import Program, Settings, create_state
dataset = conftest.toy_dataset._get_wrapped_function()()
gather = lambda arrays, ids: (arrays["inputs"][ids][:, :, None], arrays["targets"][ids])
series = dataclasses.replace(dataset, gather=gather)
line = conftest.toy_experiment._get_wrapped_function()()
gru = dataclasses.replace(line, model=RecurrentForecaster(GRU(4, recurrent_dropout=0.3), dropout=0.3))
for experiment, dataset, count in ((gru, series, None), (gru, series, 1), (line, dataset, 2), (line, dataset, None)):
    program = Program(experiment, dataset, Settings(4, devices=count))
    state = program.place(create_state(experiment, dataset.example()))
    for batch in program.batches("train", 0, 4, experiment.seed):
        state, report = program.train(state, batch)
    print(program.mesh.size, float(report["loss"]), program.evaluate(state.params, "validation")["mae"])
"""


def test_batches_split_over_devices_train_alike():
    """A recurrence over measurements takes both cores by itself, in `shard_map`; XLA splits the rest, if asked."""
    found = np.reshape(on_two_devices(TRAINING, str(Path(__file__).parent)), (4, 3)).astype(float)
    assert found[:, 0].tolist() == [2, 1, 2, 1]
    np.testing.assert_allclose(found[[0, 2], 1:], found[[1, 3], 1:], rtol=1e-5)
    assert jax.device_count() == 1  # the tests themselves run on one
