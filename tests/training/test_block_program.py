"""A batch in blocks: equal to it as one but for rounding, and in bits on 1 and 2 devices; more: test_layouts.py."""

import dataclasses
import json
import os
import subprocess
import sys

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest

from places import ROOT
from seqjax.errors import UserError
from seqjax.training.block_program import BlockProgram
from seqjax.training.program import Program, Settings
from seqjax.training.state import create_state


class Plain(nn.Module):
    """Without random numbers, which blocks draw for themselves."""

    @nn.compact
    def __call__(self, inputs, *, train=False):
        return nn.Dense(1)(inputs)[:, 0]


def trained(program, experiment, dataset, steps=14):
    state = program.place(create_state(experiment, dataset.example()))
    for batch in program.batches("train", 0, steps, experiment.seed):
        state, report = program.train(state, batch)
    return state, report


@pytest.fixture(scope="module")
def both(toy_experiment, toy_dataset):
    """(program, state, report) of the batch as one and of blocks, of two epochs whose last batches are padded."""
    experiment = dataclasses.replace(toy_experiment, model=Plain(), optimizer=optax.adam(0.05))
    programs = (
        Program(experiment, toy_dataset, Settings(4)),
        BlockProgram(experiment, toy_dataset, Settings(4, deterministic=True)),
    )
    return [(program, *trained(program, experiment, toy_dataset)) for program in programs]


def test_blocks_equal_the_batch_as_one(both):
    (_, one, report), (_, blocks, report_of_blocks) = both
    assert int(blocks.step) == 14
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6), blocks.params, one.params)
    np.testing.assert_allclose(report_of_blocks["mae"], report["mae"], rtol=1e-5)
    np.testing.assert_allclose(blocks.sums["weight"], one.sums["weight"])


def test_scores_and_answers_of_blocks_equal_numpy(both, toy_dataset):
    _, (program, state, _) = both
    inputs, targets = toy_dataset.gather(toy_dataset.arrays, toy_dataset.parts["validation"])
    params = jax.device_get(state.params)["Dense_0"]
    outputs = inputs @ params["kernel"][:, 0] + params["bias"]
    found = program.evaluate(state.params, "validation")
    np.testing.assert_allclose(found["loss"], np.mean((outputs - targets) ** 2), rtol=1e-5)
    answers = program.answers(state.params, "validation")
    np.testing.assert_allclose(answers.outputs, outputs, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(answers.ids, toy_dataset.parts["validation"])


def test_what_cannot_be_cut_into_blocks_is_refused(toy_experiment, toy_dataset, monkeypatch):
    settings = Settings(deterministic=True)
    with pytest.raises(UserError, match="--deterministic: batch_size 12 does not divide into 8 blocks"):
        BlockProgram(dataclasses.replace(toy_experiment, batch_size=12), toy_dataset, settings)
    monkeypatch.setattr(jax, "devices", lambda: [jax.local_devices()[0]] * 16)
    with pytest.raises(UserError, match="--deterministic: 8 blocks of a batch do not divide over 16 devices"):
        BlockProgram(
            dataclasses.replace(toy_experiment, batch_size=16), toy_dataset, dataclasses.replace(settings, devices=16)
        )


BITS = """
import sys
sys.path.insert(0, sys.argv[1])
import hashlib, json, jax, numpy as np
import conftest
from seqjax.training.block_program import BlockProgram
from seqjax.training.program import Settings
from seqjax.training.state import create_state
dataset = conftest.toy_dataset._get_wrapped_function()()
line = conftest.toy_experiment._get_wrapped_function()()
found = []
for count in (1, 2):
    program = BlockProgram(line, dataset, Settings(4, devices=count, deterministic=True))
    state = program.place(create_state(line, dataset.example()))
    for batch in program.batches("train", 0, 8, line.seed):
        state, report = program.train(state, batch)
    leaves = jax.tree.leaves((state.params, state.opt_state, program.evaluate(state.params, "validation")))
    found.append(hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in leaves)).hexdigest())
print(json.dumps([jax.device_count(), *found]))
"""


@pytest.mark.slow
def test_bits_are_equal_on_1_and_2_devices():
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    done = subprocess.run(
        [sys.executable, "-c", BITS, str(ROOT / "tests")],
        capture_output=True,
        text=True,
        env={**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    count, *found = json.loads(done.stdout.splitlines()[-1])
    assert count == 2
    assert len(set(found)) == 1
