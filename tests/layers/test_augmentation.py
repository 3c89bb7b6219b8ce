"""seqjax.layers.augmentation: what is done to a series in training, and only then."""

import jax
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.layers.augmentation import Augment

X = np.random.default_rng(0).normal(size=(64, 20, 2)).astype(np.float32)
REAL = np.arange(20)[None] < np.array([20, 10])[np.arange(64) % 2][:, None]
X[~REAL] = 0


def augmented(seed=0, train=True, **options):
    return np.asarray(Augment(**options).apply({}, X, REAL, train=train, rngs={"dropout": jax.random.key(seed)}))


ALL = {"shift": 0.3, "scaling": 0.2, "jitter": 0.1, "time_mask": 0.4}


def test_nothing_is_done_outside_of_training_or_where_nothing_is_asked():
    np.testing.assert_array_equal(augmented(train=False, **ALL), X)
    np.testing.assert_array_equal(augmented(), X)


@pytest.mark.parametrize("name", ALL)
def test_it_is_a_function_of_the_key_and_leaves_padding_alone(name):
    found = augmented(**{name: ALL[name]})
    np.testing.assert_array_equal(found, augmented(**{name: ALL[name]}))
    assert (found != augmented(1, **{name: ALL[name]})).any()
    assert not found[~REAL].any()


def test_a_shift_moves_a_series_and_brings_zeros():
    found = augmented(shift=0.3)
    moves = set()
    for row, x, real in zip(found, X, REAL, strict=True):
        length = int(real.sum())
        shifted = {by: _shifted(x, by, length) for by in range(-length, length + 1)}
        (by,) = [by for by, expected in shifted.items() if (row == expected).all()]
        moves.add(by / length)
    assert -0.3 <= min(moves) < -0.2
    assert 0.2 < max(moves) <= 0.3


def _shifted(x, by, length):
    found = np.zeros_like(x)
    for t in range(length):
        if 0 <= t - by < length:
            found[t] = x[t - by]
    return found


def test_scaling_and_jitter_have_the_deviations_that_they_are_told():
    sizes = augmented(scaling=0.2)[REAL] / X[REAL]
    assert sizes.std() == pytest.approx(0.2, rel=0.25)
    rows = augmented(scaling=0.2) / np.where(X == 0, 1, X)
    np.testing.assert_allclose(rows[0].std(axis=0), 0, atol=1e-5)  # one number for a dimension of a series
    noise = (augmented(jitter=0.1) - X)[REAL]
    assert noise.std() == pytest.approx(0.1, rel=0.05)
    assert abs(noise.mean()) < 0.01


def test_a_time_mask_is_one_stretch():
    found = augmented(time_mask=0.4)
    shares = []
    for row, x, real in zip(found, X, REAL, strict=True):
        gone = np.flatnonzero((row == 0).all(axis=1) & real)
        assert len(gone) == 0 or (np.diff(gone) == 1).all()
        kept = np.setdiff1d(np.flatnonzero(real), gone)
        np.testing.assert_array_equal(row[kept], x[kept])
        shares.append(len(gone) / real.sum())
    assert max(shares) <= 0.45
    assert np.mean(shares) == pytest.approx(0.2, abs=0.06)


@pytest.mark.parametrize(("name", "value"), [("shift", 1.5), ("jitter", -1), ("time_mask", 2.0)])
def test_what_makes_no_sense_is_refused(name, value):
    with pytest.raises(UserError, match=f"{name}={value} is not in"):
        augmented(**{name: value})
