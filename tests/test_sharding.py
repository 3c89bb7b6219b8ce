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
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from seqjax.models import tokens
from seqjax.models.composite import Bidirectional
from seqjax.models.recurrent import GRU, LSTM, SimpleRNN
from seqjax.models.tokens import Tokens

tokens.CHUNK = 4  # several of them
key = jax.random.key(0)
x = jax.random.normal(key, (6, 5, 3))
wide = jax.random.normal(key, (6, 5, 70))
ids = jax.random.randint(key, (6, 5), 0, 9)
mask = jnp.arange(5)[None, :] < jnp.array([5, 3, 1, 0, 5, 2])[:, None]
table = jax.random.normal(key, (9, 4))
cases = [
    (LSTM(4, recurrent_dropout=0.3), x, mask),
    (GRU(4, return_sequences=True, reverse=True), wide, None),
    (Bidirectional(SimpleRNN(4)), Tokens(ids, table), mask),
]
mesh = Mesh(np.asarray(jax.devices()), ("data",))
whole, split = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("data"))
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
    assert over_devices(lambda tree: tree["x"] + 1, {"x": 1}, PartitionSpec(), PartitionSpec()) == 2


TRAINING = """
import sys
sys.path.insert(0, sys.argv[1])
import dataclasses, json, pathlib, jax, jax.numpy as jnp
import conftest
from seqjax.checkpoint import Checkpoints
from seqjax.models.forecasters import RecurrentForecaster
from seqjax.models.recurrent import GRU
from seqjax.train import Program, Settings, create_state
found = []
dataset = conftest.toy_dataset._get_wrapped_function()()
gather = lambda arrays, ids: (arrays["inputs"][ids][:, :, None], arrays["targets"][ids])
series = dataclasses.replace(dataset, gather=gather)
line = conftest.toy_experiment._get_wrapped_function()()
gru = dataclasses.replace(line, model=RecurrentForecaster(GRU(4, recurrent_dropout=0.3), dropout=0.3))
cases = {"series": (gru, series, None), "asked": (line, dataset, 2)}
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
    found.append([program.mesh.size, float(report["loss"]), *validation])
print(json.dumps(found))
"""


def trained(folder, *cases):
    """Devices that trained; each case by itself, then on one device, with the same loss and validation error."""
    rows = np.array(json.loads(on_two_devices(TRAINING, str(Path(__file__).parent), str(folder), *cases)[-1]))
    np.testing.assert_allclose(rows[::2, 1:], rows[1::2, 1:], rtol=1e-5)
    return rows[:, 0].tolist()


def test_a_recurrence_over_measurements_takes_both_devices_and_trains_like_one(tmp_path):
    assert trained(tmp_path, "series") == [2, 1]
    assert jax.device_count() == 1  # the tests themselves run on one


@pytest.mark.slow
def test_two_devices_are_used_for_any_model_if_asked(tmp_path):
    assert trained(tmp_path, "asked") == [2, 1]


MANY = """
import sys
sys.path.insert(0, sys.argv[1])
import dataclasses, jax, jax.numpy as jnp, numpy as np
import conftest
from seqjax.train import Program, Settings, create_state
dataset = conftest.toy_dataset._get_wrapped_function()()
def gather(arrays, ids):  # takes longer than its dispatch
    inputs = arrays["inputs"][ids]
    return jax.lax.fori_loop(0, 100000, lambda _, x: x + 0 * jnp.sin(x), inputs), arrays["targets"][ids]
dataset = dataclasses.replace(dataset, gather=gather, parts={"train": np.arange(8), "validation": np.arange(800) % 100})
experiment = conftest.toy_experiment._get_wrapped_function()()
program = Program(experiment, dataset, Settings(1, devices=2))
state = program.place(create_state(experiment, dataset.example()))
print(program.evaluate(state.params, "validation"), len(list(program.batches("validation", 0, 100))))
"""


def test_two_devices_evaluate_more_batches_than_may_be_on_their_way_at_once():
    assert on_two_devices(MANY, str(Path(__file__).parent))[-1].endswith(" 100")
