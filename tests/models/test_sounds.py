"""The classifier of sounds, and the convolutions that it shares with the detector of hotwords."""

import jax
import numpy as np
import pytest

from recurrent_reference import apply
from seqjax.layers.recurrent import GRU
from seqjax.layers.spectral_augmentation import Augmentation
from seqjax.models.sounds import SoundClassifier, halved, patches, standardised

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 9, 8)).astype(np.float32)


@pytest.mark.parametrize(("frames", "pad"), [(3, 1), (3, 0), (1, 0)])
def test_a_dense_on_patches_is_a_convolution(frames, pad):
    x = RNG.normal(size=(2, 7, 6, 4)).astype(np.float32)
    kernel = RNG.normal(size=(frames, 3, 4, 5)).astype(np.float32)
    expected = jax.lax.conv_general_dilated(
        x, kernel, (1, 1), ((pad, pad), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    found = patches(x, frames, pad) @ kernel.reshape(-1, 5)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_array_equal(halved(x), x.reshape(2, 7, 3, 2, 4).max(axis=3))


def test_a_recording_is_standardised_by_its_own_frames():
    real = np.arange(9)[None, :] < np.array([[9], [4]])
    found = standardised(X * 1.5 + 7, real)
    expected = (X[1, :4] - X[1, :4].mean()) / X[1, :4].std()
    np.testing.assert_allclose(found[1, :4], expected, atol=2e-2)
    assert not np.any(found[1, 4:])
    quiet = standardised(np.where(X > 1, 0.0, -1e3 - X).astype(np.float32), real)
    assert len(np.unique(quiet[0])) == 2  # what is far below the loudest is alike
    assert not np.any(standardised(np.zeros_like(X), real))


def test_padding_and_what_stands_in_it_change_nothing():
    model = SoundClassifier(GRU(4, return_sequences=True), (4, 5), 0.0, 3)
    lengths = np.array([9, 5], np.int32)
    variables = jax.jit(model.init)(jax.random.key(0), (X, lengths))
    longer = np.concatenate([X, np.full((2, 7, 8), np.nan, np.float32)], axis=1)
    longer[1, 5:] = np.nan
    whole = apply(model, variables, (X, lengths))
    assert whole.shape == (2, 3)
    np.testing.assert_array_equal(apply(model, variables, (longer, lengths)), whole)
    alone = apply(model, variables, (X[1:, :5], lengths[1:]))
    np.testing.assert_allclose(alone[0], whole[1], atol=1e-6)


@pytest.mark.slow
def test_training_hears_other_voices_and_testing_does_not():
    model = SoundClassifier(GRU(4, return_sequences=True), (4,), 0.0, 2, Augmentation())
    lengths = np.array([9, 5], np.int32)
    variables = jax.jit(model.init)(jax.random.key(0), (X, lengths))
    said = lambda seed: apply(model, variables, (X, lengths), train=True, rngs={"dropout": jax.random.key(seed)})
    assert said(0).shape == (2,)
    np.testing.assert_array_equal(said(0), said(0))
    assert np.abs(np.asarray(said(0)) - said(1)).min() > 0
    np.testing.assert_array_equal(apply(model, variables, (X, lengths)), apply(model, variables, (X, lengths)))
