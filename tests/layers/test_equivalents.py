"""What the docstrings name as the same in Keras, PyTorch and Flax is the same, from the same weights.

The recurrent layers, cells and attentions have tests of their own: test_equals_keras, test_equals_torch,
test_recurrent, test_attention, test_conv_lstm.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from seqjax.layers import LSTM, Conv1D, Conv2D, Dense, Dropout, Embedding, max_pool

RNG = np.random.default_rng(0)


def draw(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def close(found, wanted):
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=2e-5, atol=2e-5)


def ours(layer, inputs, params):
    return layer.apply({"params": params}, jnp.asarray(inputs))


@pytest.mark.slow
def test_dense_and_embedding():
    keras, torch = pytest.importorskip("keras"), pytest.importorskip("torch")
    x, kernel, bias = draw(2, 5, 3), draw(3, 4), draw(4)
    found = ours(Dense(4), x, {"kernel": kernel, "bias": bias})
    theirs = keras.layers.Dense(4)
    theirs.build(x.shape)
    theirs.set_weights([kernel, bias])
    with jax.numpy_rank_promotion("allow"):
        close(found, theirs(x))
    close(found, torch.nn.functional.linear(*map(torch.tensor, (x, kernel.T.copy(), bias))))
    with jax.numpy_rank_promotion("allow"):
        close(found, nn.Dense(4).apply({"params": {"kernel": kernel, "bias": bias}}, x))
    ids, table = np.array([[3, 1, 0], [2, 0, 0]]), draw(10, 4)
    found = ours(Embedding(10, 4), ids, {"embedding": table})
    theirs = keras.layers.Embedding(10, 4)
    theirs.build(ids.shape)
    theirs.set_weights([table])
    with jax.numpy_rank_promotion("allow"):
        close(found, theirs(ids))
    close(found, torch.nn.functional.embedding(torch.tensor(ids), torch.tensor(table)))
    close(found, nn.Embed(10, 4).apply({"params": {"embedding": table}}, ids))


@pytest.mark.slow
def test_convolutions_and_pooling():
    keras, torch = pytest.importorskip("keras"), pytest.importorskip("torch")
    x, kernel, bias = draw(2, 9, 3), draw(4, 3, 5), draw(5)  # batch, time, features
    found = ours(Conv1D(5, 4), x.transpose(1, 2, 0), {"kernel": kernel, "bias": bias}).transpose(2, 0, 1)
    theirs = keras.layers.Conv1D(5, 4)
    theirs.build(x.shape)
    theirs.set_weights([kernel, bias])
    with jax.numpy_rank_promotion("allow"):
        close(found, theirs(x))
    parts = (x.transpose(0, 2, 1).copy(), kernel.transpose(2, 1, 0).copy(), bias)
    close(found.transpose(0, 2, 1), torch.nn.functional.conv1d(*map(torch.tensor, parts)))
    pooled = max_pool(jnp.asarray(x.transpose(1, 2, 0))).transpose(2, 0, 1)
    close(pooled, keras.layers.MaxPooling1D(2)(x))
    close(pooled.transpose(0, 2, 1), torch.nn.functional.max_pool1d(torch.tensor(parts[0]), 2))
    pictures, kernel = draw(2, 7, 8, 3), draw(3, 2, 3, 5)
    found = ours(Conv2D(5, (3, 2), strides=2, padding="same"), pictures, {"kernel": kernel, "bias": bias})
    theirs = keras.layers.Conv2D(5, (3, 2), strides=2, padding="same")
    theirs.build(pictures.shape)
    theirs.set_weights([kernel, bias])
    close(found, theirs(pictures))
    found = ours(Conv2D(5, (3, 2)), pictures, {"kernel": kernel, "bias": bias})
    parts = (pictures.transpose(0, 3, 1, 2).copy(), kernel.transpose(3, 2, 0, 1).copy(), bias)
    close(found.transpose(0, 3, 1, 2), torch.nn.functional.conv2d(*map(torch.tensor, parts)))


@pytest.mark.slow
def test_the_same_by_linen_and_by_nnx():
    """The same weights, outputs, masks, states and gradients through the bridge."""
    from flax import nnx

    x, mask = jnp.asarray(draw(2, 5, 3)), jnp.array([[1] * 5, [1, 1, 0, 0, 0]], bool)
    layer = LSTM(4, return_sequences=True, return_state=True)
    module = nnx.bridge.lazy_init(nnx.bridge.ToNNX(layer, rngs=nnx.Rngs(0)), x)
    params = jax.tree.map(jnp.asarray, nnx.to_pure_dict(nnx.state(module, nnx.Param)))
    outputs, state = module(x, mask=mask)
    wanted, last = layer.apply({"params": params}, x, mask=mask)
    close(outputs, wanted)
    jax.tree.map(close, state, last)
    gradient = nnx.grad(lambda module: module(x, mask=mask)[0].sum())(module)
    by_linen = jax.grad(lambda params: layer.apply({"params": params}, x, mask=mask)[0].sum())(params)
    jax.tree.map(close, nnx.to_pure_dict(gradient), by_linen)
    dropout = nnx.bridge.ToNNX(Dropout(0.5), rngs=nnx.Rngs(dropout=1))
    dropped = nnx.bridge.lazy_init(dropout, x, deterministic=False)(x, deterministic=False)
    kept = dropped != 0
    assert 0 < kept.mean() < 1
    close(dropped[kept], 2 * x[kept])
