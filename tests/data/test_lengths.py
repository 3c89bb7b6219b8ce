"""Few lengths, and a masked model that trains and scores the same whether batches are cut or not."""

import dataclasses

import jax
import numpy as np
import optax
import pytest

from seqjax.data.dataset import Dataset
from seqjax.data.lengths import group_lengths
from seqjax.data.text.imdb import Reviews
from seqjax.experiment import Experiment
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import LSTM
from seqjax.models.classifiers import RecurrentClassifier
from seqjax.training import metrics
from seqjax.training.program import Program, Settings
from seqjax.training.state import create_state

LONGEST = 40


@pytest.mark.parametrize("groups", [1, 4])
def test_every_sequence_fits_in_one_of_few_lengths(groups):
    lengths = np.random.default_rng(0).integers(0, LONGEST + 1, 500)
    found = group_lengths(lengths, LONGEST, groups)
    assert (found >= lengths).all()
    assert len(np.unique(found)) == groups
    assert found.max() == LONGEST
    assert found.min() >= 1
    assert np.bincount(found, minlength=1).max() < 500 / groups * 1.6


def test_alike_sequences_have_one_length():
    assert group_lengths(np.full(5, LONGEST), LONGEST).tolist() == [LONGEST] * 5


@pytest.fixture(scope="module")
def reviews() -> Dataset:
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, LONGEST + 1, 60)
    tokens = rng.integers(1, 30, (60, LONGEST)) * (np.arange(LONGEST)[None, :] < lengths[:, None])
    arrays = {"tokens": tokens.astype(np.int32), "labels": rng.integers(0, 2, 60).astype(np.float32)}
    parts = {"train": np.arange(30), "validation": np.arange(30, 60)}
    gather = lambda arrays, ids: (arrays["tokens"][ids], arrays["labels"][ids])
    return Dataset(arrays, gather, parts, "toy", "f00d", lengths=group_lengths(lengths, LONGEST, 3))


@pytest.mark.slow
def test_cutting_changes_neither_a_step_nor_a_score(reviews):
    experiment = Experiment(
        source=None,
        model=RecurrentClassifier(30, 8, Bidirectional(LSTM(4)), 0.5, mask_padding=True),
        loss=metrics.binary_cross_entropy,
        metrics={"accuracy": metrics.binary_accuracy},
        optimizer=optax.adam(0.01),
        epochs=1,
        batch_size=8,
        seed=0,
    )
    program = Program(experiment, reviews, Settings())
    uncut = Program(experiment, dataclasses.replace(reviews, lengths=None), Settings())
    states = [program.place(create_state(experiment, reviews.example())) for _ in range(2)]
    lengths = set()
    for batch in program.batches("train", 0, 8, seed=1):
        lengths.add(batch.length)
        states[0], _ = program.train(states[0], batch)
        states[1], _ = uncut.train(states[1], batch._replace(length=None))
    assert 1 < len(lengths) <= 3
    assert program._train._cache_size() == len(lengths)
    for a, b in zip(jax.tree.leaves(states[0].params), jax.tree.leaves(states[1].params), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
    scores = program.evaluate(states[0].params, "validation"), uncut.evaluate(states[0].params, "validation")
    assert scores[0] == pytest.approx(scores[1], rel=1e-5)


def test_reviews_of_the_sample_in_groups_are_the_same_examples():
    plain, grouped = (Reviews(grouped=g).load("sample", None) for g in (False, True))  # type: ignore[arg-type]
    assert plain.fingerprint == grouped.fingerprint
    assert plain.lengths is None
    tokens = grouped.arrays["tokens"]
    assert grouped.lengths is not None
    assert (np.count_nonzero(tokens, axis=1) <= grouped.lengths).all()
    assert grouped.lengths.max() == tokens.shape[1]
