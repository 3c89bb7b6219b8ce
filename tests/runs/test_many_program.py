"""Seeds trained by one program have the states of single runs."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from many_runs import SETTINGS, assert_close, series, trained, value
from seqjax.data.dataset import Dataset
from seqjax.data.lengths import group_lengths
from seqjax.data.pipeline import Batches
from seqjax.experiment import Experiment
from seqjax.layers import composite
from seqjax.layers.backends.choice import Choice
from seqjax.layers.recurrent import GRU, LSTM
from seqjax.models.classifiers import RecurrentClassifier
from seqjax.models.forecasters import RecurrentForecaster
from seqjax.runs.many_program import ManyProgram, side_by_side
from seqjax.training import metrics
from seqjax.training.program import Program
from seqjax.training.state import create_state

SEEDS = (3, 4, 5)


def reviews() -> Dataset:
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 21, 60)
    tokens = rng.integers(1, 30, (60, 20)) * (np.arange(20)[None, :] < lengths[:, None])
    arrays = {"x": tokens.astype(np.int32), "y": rng.integers(0, 2, 60).astype(np.float32)}
    return dataclasses.replace(series(), arrays=arrays, lengths=group_lengths(lengths, 20, 2))


CASES = {
    "fused LSTM": (series, RecurrentForecaster(LSTM(4, recurrent_dropout=0.3, backend="fused"), dropout=0.5)),
    "scanned GRU": (series, RecurrentForecaster(GRU(4, recurrent_dropout=0.3, backend="scan"), dropout=0.5)),
    "masked, like lengths": (reviews, RecurrentClassifier(30, 8, LSTM(4), 0.5, mask_padding=True)),
}


def trained_together(program: ManyProgram, experiment: Experiment, seeds, steps: int):
    own = [dataclasses.replace(experiment, seed=seed) for seed in seeds]
    pairs = [(program.place(create_state(one, program.dataset.example())), jnp.zeros(())) for one in own]
    for batches in zip(*(program.batches("train", 0, steps, seed) for seed in seeds), strict=True):
        pairs, _ = program.train(pairs, side_by_side(batches))
    return [state for state, _ in pairs]


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", ["fused LSTM", *(pytest.param(name, marks=pytest.mark.slow) for name in list(CASES)[1:])]
)
def test_states_after_two_epochs_are_those_of_single_runs(case):
    """Dropout, both backends, masks, padding with weight 0 in the last batch, lengths that differ between the seeds."""
    make, model = CASES[case]
    loss = metrics.binary_cross_entropy if make is reviews else metrics.squared_error
    experiment, dataset = value(model, loss), make()
    states = trained_together(ManyProgram(experiment, dataset, SETTINGS), experiment, SEEDS, 8)
    program = Program(experiment, dataset, SETTINGS)
    for seed, state in zip(SEEDS, states, strict=True):
        assert_close(state, trained(program, dataclasses.replace(experiment, seed=seed), 8))
    first, second = (jax.tree.leaves(state.params)[0] for state in states[:2])
    assert not np.allclose(first, second, rtol=0.01)


def test_batches_side_by_side_keep_their_order_and_are_cut_to_the_longest():
    one, other = (
        Batches(4, np.full((2, 3), seed, np.int32), np.full((2, 3), weight, np.float32), length)
        for seed, weight, length in ((3, 1, 8), (4, 0, 16))
    )
    both = side_by_side([one, other])
    assert (both.step, both.length, both.ids.shape) == (4, 16, (2, 3, 2))
    assert (both.ids == [3, 4]).all()
    assert (both.weights == [1, 0]).all()
    assert side_by_side([one._replace(length=None)] * 2).length is None


@pytest.mark.slow
def test_a_kernel_that_cannot_be_vmapped_takes_the_seeds_in_turn(toy_experiment, toy_dataset, monkeypatch):
    vmapped = trained_together(ManyProgram(toy_experiment, toy_dataset, SETTINGS), toy_experiment, SEEDS[:2], 7)
    monkeypatch.setattr(composite, "choices", lambda model: [("LSTM(128)", Choice("cudnn", "it was asked for"))])
    monkeypatch.setattr(jax, "vmap", None)
    in_turn = trained_together(ManyProgram(toy_experiment, toy_dataset, SETTINGS), toy_experiment, SEEDS[:2], 7)
    for a, b in zip(vmapped, in_turn, strict=True):
        assert_close(a, b)
