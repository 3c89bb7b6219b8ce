"""The same model in Keras or PyTorch and here."""

import jax
import numpy as np
import pytest

keras = pytest.importorskip("keras")
from keras_lecture import allowed  # noqa: E402

L = keras.layers
VECTORS = np.zeros((2, 6, 3), np.float32)
IDS = np.zeros((2, 6), np.int32)
START = {"recurrent_initializer": "zeros"}  # overwritten in any case; Keras takes its time for an orthogonal matrix


def keras_model(make, example):
    """With random weights everywhere, biases too."""
    with allowed():
        model = keras.Sequential([keras.Input(example.shape[1:], dtype=str(example.dtype)), *make()])
        rng = np.random.default_rng(0)
        model.set_weights([rng.normal(size=w.shape, scale=0.5).astype(w.dtype) for w in model.get_weights()])
    return model


def same_trees(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)
