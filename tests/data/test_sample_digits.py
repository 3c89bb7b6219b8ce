"""The generated digits: the optimum that the result line prints must be the true one."""

import itertools

import numpy as np
import pytest

from seqjax.data import sample_digits


@pytest.fixture(scope="module")
def made():
    return sample_digits.digits()


def test_glyphs_are_ten_different_ones():
    glyphs = sample_digits.glyphs()
    assert glyphs.shape == (10, 64)
    assert glyphs.dtype == bool
    distances = [(a != b).sum() for a, b in itertools.combinations(glyphs, 2)]
    assert min(distances) >= 4
    assert not glyphs.reshape(10, 8, 8)[:, :, 7].any()


def test_certainty_is_that_of_bayes(made):
    """By the probability of every pixel, multiplied out."""
    black = made.images[:200] > 8
    flipped = sample_digits.FLIPPED
    chance = np.where(black[:, None] == sample_digits.glyphs()[None], 1 - flipped, flipped).astype(np.float64)
    likelihood = chance.prod(axis=2)
    posterior = likelihood / likelihood.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(made.certainty[:200], posterior.max(axis=1), rtol=1e-9)


def test_whoever_knows_the_glyphs_is_right_as_often_as_said(made):
    black = made.images > 8
    nearest = (black[:, None] != sample_digits.glyphs()[None]).sum(axis=2).argmin(axis=1)
    hits = nearest == made.digits
    deviation = np.sqrt((made.certainty * (1 - made.certainty)).sum()) / len(hits)
    assert abs(hits.mean() - made.certainty.mean()) < 3 * deviation
    assert 0.97 < made.certainty.mean() < 0.995


def test_as_many_of_each_and_the_same_again(made):
    assert np.bincount(made.digits).tolist() == [sample_digits.COUNT // 10] * 10
    assert set(np.unique(made.images)) == {0, 16}
    again, other = sample_digits.digits(), sample_digits.digits(1)
    np.testing.assert_array_equal(made.images, again.images)
    assert (made.images != other.images).any()
