"""Losses and metrics against Keras's."""

import jax
import numpy as np
import pytest

from seqjax.training import metrics

keras = pytest.importorskip("keras")


@pytest.fixture
def numbers():
    rng = np.random.default_rng(0)
    return rng.normal(scale=3, size=64).astype(np.float32), rng.normal(scale=3, size=64).astype(np.float32)


def test_squared_and_absolute_error(numbers):
    outputs, targets = numbers
    np.testing.assert_allclose(
        metrics.squared_error(outputs, targets).mean(), keras.losses.MeanSquaredError()(targets, outputs), rtol=1e-6
    )
    np.testing.assert_allclose(
        metrics.absolute_error(outputs, targets).mean(), keras.losses.MeanAbsoluteError()(targets, outputs), rtol=1e-6
    )


def test_binary_cross_entropy_of_logits(numbers):
    logits, other = numbers
    targets = (other > 0).astype(np.float32)
    ours = metrics.binary_cross_entropy(logits, targets)
    assert ours.shape == (64,)
    for theirs in (
        keras.losses.BinaryCrossentropy(from_logits=True)(targets, logits),
        keras.losses.BinaryCrossentropy()(targets, jax.nn.sigmoid(logits)),
    ):
        np.testing.assert_allclose(ours.mean(), theirs, rtol=1e-5)


def test_binary_cross_entropy_does_not_overflow():
    loss = metrics.binary_cross_entropy(np.float32([200, -200, 200]), np.float32([1, 0, 0]))
    np.testing.assert_allclose(loss, [0, 0, 200])


def test_binary_accuracy_of_logits(numbers):
    logits, other = numbers
    targets = (other > 0).astype(np.float32)
    theirs = keras.metrics.BinaryAccuracy()
    theirs.update_state(targets, jax.nn.sigmoid(logits))
    np.testing.assert_allclose(metrics.binary_accuracy(logits, targets).mean(), theirs.result())
