"""seqjax.models.series_classifier: ragged batches, patches, convolutions, and the knobs."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recurrent_reference import apply
from seqjax.errors import UserError
from seqjax.layers.augmentation import Augment
from seqjax.models.series_classifier import Convolution, SeriesClassifier, patches

LENGTHS = (13, 3, 8, 1)
X = np.random.default_rng(0).normal(size=(4, 16, 2)).astype(np.float32)
REAL = np.arange(16)[None] < np.array(LENGTHS)[:, None]
X[~REAL] = 0
KINDS = {
    "last": {"pooling": "last", "convolution": "branch"},
    "max": {"bidirectional": True, "layers": 2},
    "mean": {"pooling": "mean", "cell": "lstm", "patch": 3},
    "attention": {"pooling": "attention", "patch": 4},
    "both": {"convolution": "both", "patch": 2, "pooling": "mean"},
}


def made(**options):
    return SeriesClassifier(**{"cell": "gru", "units": 5, "classes": 3, "filters": 4, "width": 6, **options})


@pytest.mark.parametrize("kind", KINDS)
def test_a_ragged_batch_equals_each_series_alone_bit_for_bit(kind):
    model = made(**KINDS[kind])
    params = jax.jit(model.init)(jax.random.key(0), (X, REAL))
    apply = jax.jit(model.apply)
    together = np.asarray(apply(params, (X, REAL)))
    assert np.isfinite(together).all()
    for row in (1, 2):
        whole = np.repeat(X[row : row + 1, : LENGTHS[row]], 4, axis=0)  # one row alone is summed in another order
        alone = np.asarray(apply(params, (whole, np.ones(whole.shape[:2], bool))))
        np.testing.assert_array_equal(alone[0], together[row])
    np.testing.assert_allclose(apply(params, X[1:2, :3])[0], together[1], atol=1e-6)  # and without a mask


def test_what_is_beyond_the_end_reaches_no_gradient():
    model = made(convolution="both", pooling="attention")
    params = jax.jit(model.init)(jax.random.key(0), (X, REAL))
    gradients = jax.jit(jax.grad(lambda x: jnp.sum(apply(model, params, (x, REAL)) ** 2)))(X)
    assert not np.asarray(gradients)[~REAL].any()
    assert np.asarray(gradients)[REAL].any(axis=1).mean() > 0.8


def test_patches_lie_side_by_side():
    x, real = patches(jnp.asarray(X), jnp.asarray(REAL), 5)
    assert x.shape == (4, 4, 10)
    np.testing.assert_array_equal(x[0, 1], X[0, 5:10].reshape(-1))
    assert np.asarray(real).sum(axis=1).tolist() == [3, 1, 2, 1]
    assert patches(jnp.asarray(X), None, 1)[0].shape == X.shape


def test_the_convolution_is_linens():
    module = Convolution(4, 6)
    params = jax.jit(module.init)(jax.random.key(0), X)
    found, real = apply(module, params, X)
    conv = nn.Conv(4, (6,), padding=[(2, 3)])
    x = nn.relu(apply(conv, {"params": params["params"]["Conv1D_0"]}, X))
    np.testing.assert_allclose(found, nn.max_pool(x, (4,), (4,)), atol=1e-5)
    assert real is None
    short, real = apply(module, params, X[:, :6])  # no whole number of fours
    x = nn.relu(apply(conv, {"params": params["params"]["Conv1D_0"]}, X[:, :6]))
    np.testing.assert_allclose(short, np.stack([x[:, :4].max(axis=1), x[:, 4:].max(axis=1)], axis=1), atol=1e-5)
    assert real.tolist() == [[True, True]] * 4


def test_augmentation_acts_in_training_alone():
    plain, model = made(), made(augment=Augment(jitter=1.0))
    params = jax.jit(plain.init)(jax.random.key(0), (X, REAL))
    np.testing.assert_array_equal(apply(model, params, (X, REAL)), apply(plain, params, (X, REAL)))
    trained = [apply(model, params, (X, REAL), train=True, rngs={"dropout": jax.random.key(k)}) for k in (0, 0, 1)]
    np.testing.assert_array_equal(trained[0], trained[1])
    assert (trained[0] != trained[2]).any()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cell": "elman"}, "cell=elman: choose gru, lstm, simple_rnn"),
        ({"convolution": "deep"}, "convolution=deep: choose none, front, branch, both"),
        ({"pooling": "sum"}, "pooling=sum: choose"),
        ({"patch": 0}, "patch must be at least 1"),
        ({"layers": 0}, "layers must be at least 1"),
        ({"convolution": "front", "width": 0}, "width must be at least 1"),
        ({"convolution": "front", "filters": 0}, "filters must be at least 1"),
        ({"classes": 1}, "classes must be at least 2"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, said):
    with pytest.raises(UserError, match=said):
        jax.eval_shape(lambda: made(**options).init(jax.random.key(0), (X, REAL)))
