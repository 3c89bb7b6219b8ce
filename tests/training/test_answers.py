"""The answers that scores judge: every example once, under its own id, whatever the batches; and where scores stand."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.data.dataset import Dataset
from seqjax.training.program import Program, Settings
from seqjax.training.scores import add_scores
from seqjax.training.state import create_state

N, T = 21, 7
LENGTHS = np.array([2, 4, 7], np.int32)[np.arange(N) * 5 % 3]


@pytest.fixture
def sequences():
    """Row k holds k + 1 up to its length, 0 behind it."""
    rows = np.where(np.arange(T)[None, :] < LENGTHS[:, None], np.arange(1, N + 1)[:, None], 0).astype(np.float32)
    shuffled = np.random.default_rng(0).permutation(N).astype(np.int32)
    return Dataset(
        arrays={"rows": rows},
        gather=lambda arrays, ids: (arrays["rows"][ids], arrays["rows"][ids, 0]),
        parts={"train": shuffled[:5], "validation": shuffled[5:10], "test": shuffled[10:]},
        description="rows",
        fingerprint="rows",
    )


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("dispatched", [1, 3])
def test_every_example_is_answered_once_under_its_id(toy_experiment, sequences, grouped, dispatched):
    dataset = dataclasses.replace(sequences, lengths=LENGTHS if grouped else None)
    experiment = dataclasses.replace(
        toy_experiment, batch_size=4, answer=lambda model, params, rows: {"row": rows, "first": rows[:, 0] * 2}
    )
    params = create_state(experiment, dataset.example()).params
    for part, ids in dataset.parts.items():
        found = Program(experiment, dataset, Settings(dispatched)).answers(params, part)
        np.testing.assert_array_equal(found.ids, np.sort(ids))
        np.testing.assert_array_equal(found.targets, found.ids + 1)
        np.testing.assert_array_equal(found.outputs["first"], 2 * (found.ids + 1))
        width = LENGTHS[ids].max() if grouped else T
        np.testing.assert_array_equal(found.outputs["row"], dataset.arrays["rows"][found.ids][:, :width])


def test_without_an_answer_it_is_the_models_output(toy_experiment, toy_dataset):
    params = create_state(toy_experiment, toy_dataset.example()).params
    found = Program(toy_experiment, toy_dataset, Settings(2)).answers(params, "test")
    inputs, targets = toy_dataset.gather(toy_dataset.arrays, found.ids)
    np.testing.assert_allclose(found.outputs, toy_experiment.model.apply({"params": params}, inputs), rtol=1e-5)
    np.testing.assert_array_equal(found.targets, targets)
    assert jax.tree.structure(found.outputs) == jax.tree.structure(0)


class Adds(nn.Module):
    """How much the rows [B] of a stream are together, so far."""

    @nn.compact
    def __call__(self, rows, *, train=False):
        bias = self.param("bias", nn.initializers.zeros, ())
        zeros = jnp.zeros(rows.shape[:1])
        sums = rows[:, 0] + (self.get_variable("carry", "sum") if self.has_variable("carry", "sum") else zeros)
        if self.is_mutable_collection("carry"):
            self.put_variable("carry", "sum", zeros if self.is_initializing() else sums)
        return sums + bias


@pytest.mark.parametrize("dispatched", [1, 3])
def test_a_model_with_a_carry_answers_as_its_streams_go_on(toy_experiment, sequences, dispatched):
    dataset = dataclasses.replace(
        sequences, ordered=True, parts={part: np.arange(20, dtype=np.int32) for part in sequences.parts}
    )
    experiment = dataclasses.replace(toy_experiment, batch_size=4, model=Adds())
    params = create_state(experiment, dataset.example()).params
    found = Program(experiment, dataset, Settings(dispatched)).answers(params, "test")
    expected = np.cumsum(np.arange(1, 21).reshape(5, 4), axis=0).reshape(-1)  # row b of each batch of 4
    np.testing.assert_array_equal(found.outputs, expected)
    anew = dataclasses.replace(experiment, answer=lambda model, params, rows: model.apply({"params": params}, rows))
    found = Program(anew, dataset, Settings(dispatched)).answers(params, "test")
    np.testing.assert_array_equal(found.outputs, np.arange(1, 21))


def test_what_the_validation_part_decides_is_what_both_are_judged_by(toy_experiment):
    scores = {"f1": lambda answers, decided: decided["threshold"] * len(answers)}
    decide = lambda answers: {"threshold": len(answers)}
    experiment = dataclasses.replace(toy_experiment, scores=scores, decide=decide)
    results = {}
    for part, answers in (("validation", "abc"), ("test", "ab")):
        add_scores(results, part, {"loss": 1.0, "mae": 2.0}, experiment, answers)  # pyright: ignore[reportArgumentType]
    assert (results["validation"]["f1"], results["test"]["f1"]) == (9, 6)
    assert results["details"] == {"validation": {"decided": {"threshold": 3}}}


def test_numbers_stand_before_the_metrics_and_tables_apart(toy_experiment):
    scores = {"f1": lambda answers: np.float32(0.5), "confusion": lambda answers: {"counts": [[1]]}}
    experiment = dataclasses.replace(toy_experiment, scores=scores)
    results = {}
    add_scores(results, "test", {"loss": 1.0, "mae": 2.0}, experiment, "answers")  # pyright: ignore[reportArgumentType]
    assert list(results["test"].items()) == [("loss", 1.0), ("f1", 0.5), ("mae", 2.0)]
    assert results["details"] == {"test": {"confusion": {"counts": [[1]]}}}
    plain = {}
    add_scores(plain, "test", {"loss": 1.0, "mae": 2.0}, toy_experiment, None)
    assert plain == {"test": {"loss": 1.0, "mae": 2.0}}
