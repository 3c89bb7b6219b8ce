"""Spectra as others might have spoken them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.layers.spectral_augmentation import Augmentation, sampled, spans

X = np.log(np.random.default_rng(0).random((64, 40, 12)).astype(np.float32) + 0.5)
LENGTHS = np.full(64, 30, np.int32)
NONE = {"speed": 0.0, "tract": 0.0, "shift": 0.0, "colour": 0.0, "noise": 0.0, "band_masks": 0, "time_masks": 0}
KEY = jax.random.key(0)


def spoken(**options):
    return jax.jit(Augmentation(**{**NONE, **options}).spoken)(KEY, X, LENGTHS)


def test_places_between_frames_are_read_linearly():
    places = np.array([[0.0, 0.25, 1.5, 9.0, -3.0]])
    found = sampled(jnp.arange(4.0)[None, :, None] * jnp.ones((1, 1, 2)), places, 1)
    np.testing.assert_allclose(found[0, :, 1], [0, 0.25, 1.5, 3, 0])
    np.testing.assert_allclose(sampled(jnp.ones((1, 2, 1)), places, 2), 1)


def test_nothing_is_changed_where_nothing_is_asked_for():
    found, lengths = spoken()
    np.testing.assert_allclose(found, X, atol=1e-6)
    np.testing.assert_array_equal(lengths, LENGTHS)
    np.testing.assert_array_equal(Augmentation(**NONE).masked(KEY, X, LENGTHS), X)


def test_speed_changes_lengths_by_as_much_as_it_says():
    found, lengths = spoken(speed=0.2)
    assert len({*np.asarray(lengths).tolist()}) > 5
    assert 30 * np.exp(-0.2) - 1 <= lengths.min() < 27
    assert 33 < lengths.max() <= 30 * np.exp(0.2) + 1
    k = int(np.argmin(lengths))
    np.testing.assert_allclose(found[k, 0], X[k, 0], atol=1e-6)
    assert lengths.dtype == LENGTHS.dtype


def test_a_voice_moves_bands_and_leaves_frames_where_they_are():
    found, lengths = spoken(tract=0.1, shift=1.0)
    np.testing.assert_array_equal(lengths, LENGTHS)
    tone = jnp.zeros((64, 40, 12)).at[:, 20, 6].set(1.0)
    moved, _ = Augmentation(**{**NONE, "shift": 2.0}).spoken(KEY, tone, LENGTHS)
    assert not np.any(moved[:, :20]) and not np.any(moved[:, 21:])  # noqa: PT018
    assert {*np.argmax(moved[:, 20], axis=1).tolist()} >= {5, 6, 7}
    assert np.abs(np.asarray(found) - X).max() > 0.1


def test_a_microphone_colours_all_frames_alike():
    found, _ = spoken(colour=1.0)
    apart = np.asarray(found) - X
    np.testing.assert_allclose(apart, apart[:, :1].repeat(40, axis=1), atol=1e-5)
    curves = apart[:, 0]
    assert 1 < np.abs(curves).max() <= 2
    fitted = [np.polyval(np.polyfit(np.arange(12), curve, 2), np.arange(12)) for curve in curves]
    np.testing.assert_allclose(curves, fitted, atol=1e-4)


def test_noise_is_as_far_below_as_the_ratio_says():
    found, _ = spoken(noise=1.0, snr=(10.0, 10.0))
    added = np.exp(np.asarray(found)) - np.exp(X)
    speech = np.exp(X[:, :30]).mean(axis=(1, 2))
    ratio = 10 * np.log10(speech / added[:, :30].mean(axis=(1, 2)))
    np.testing.assert_allclose(ratio.mean(), 10, atol=0.5)
    some, _ = spoken(noise=0.5)
    untouched = np.abs(np.asarray(some) - X).max(axis=(1, 2)) < 1e-4
    assert 0.3 < untouched.mean() < 0.7


def test_masks_hide_no_more_than_they_may():
    hidden = np.asarray(spans(KEY, 1, jnp.full(64, 5.0), jnp.full(64, 30.0), 40))
    assert hidden.sum(axis=1).max() == 5
    assert hidden.sum(axis=1).min() == 0
    assert not hidden[:, 30:].any()
    edges = np.abs(np.diff(np.pad(hidden, ((0, 0), (1, 1))).astype(int), axis=1)).sum(axis=1)
    assert {*edges.tolist()} == {0, 2}  # in one piece
    own = {**NONE, "band_masks": 2, "widest_band": 3, "time_masks": 1, "longest_time": 0.2}
    found = np.asarray(Augmentation(**own).masked(KEY, np.ones_like(X), LENGTHS))
    assert {*np.unique(found)} == {0, 1}
    assert (found[:, 35] == 0).sum(axis=1).max() <= 6


@pytest.mark.parametrize("options", [{"noise": 1.5}, {"speed": -0.1}, {"longest_time": 2.0}])
def test_what_is_out_of_range_is_refused(options):
    with pytest.raises(UserError, match="augmentation"):
        Augmentation(**options)
