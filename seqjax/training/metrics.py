"""Losses and metrics: (outputs [B, ...], targets [B, ...]) -> [B], or sums [B] and counts [B] (over tokens, say).

The training loop weighs, sums and divides, so that a metric is never a mean of batch means and does not change with
the batch size or the number of devices.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from seqjax.layers.vocabulary import Logits


def squared_error(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """(output - target)^2; its mean is the MSE.

    >>> squared_error(jnp.array([1.0, 2.0]), jnp.array([3.0, 2.0])).tolist()
    [4.0, 0.0]
    """
    return jnp.square(outputs - targets)


def absolute_error(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """|output - target|, in the units of the target; its mean is the MAE.

    >>> absolute_error(jnp.array([1.0, 2.0]), jnp.array([3.0, 2.0])).tolist()
    [2.0, 0.0]
    """
    return jnp.abs(outputs - targets)


def standardised_absolute_error(outputs: jax.Array, targets: Any) -> jax.Array:
    """|output - target| in standard deviations: `targets` is (standardised target [B], its deviation [B]).

    >>> standardised_absolute_error(jnp.array([1.0]), (jnp.array([3.0]), jnp.array([10.0]))).tolist()
    [2.0]
    """
    return jnp.abs(outputs - targets[0])


def unit_absolute_error(outputs: jax.Array, targets: Any) -> jax.Array:
    """`standardised_absolute_error` brought back to the target's own unit.

    >>> unit_absolute_error(jnp.array([1.0]), (jnp.array([3.0]), jnp.array([10.0]))).tolist()
    [20.0]
    """
    return jnp.abs(outputs - targets[0]) * targets[1]


def binary_cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """-log probability of the target (0 or 1) under sigmoid(logit), in nats.

    Equal to Keras's binary_crossentropy on the sigmoid's output, except that Keras clips that output to
    [1e-7, 1 - 1e-7].

    >>> print(binary_cross_entropy(jnp.array([0.0]), jnp.array([1.0])).round(4))  # ln 2
    [0.6931]
    """
    return jax.nn.softplus(logits) - logits * targets


def binary_accuracy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """1 where sigmoid(logit) > 1/2 says the target (0 or 1), else 0; its mean is the accuracy.

    >>> binary_accuracy(jnp.array([2.0, -1.0]), jnp.array([1, 1])).tolist()
    [1.0, 0.0]
    """
    return ((logits > 0) == (targets > 0.5)).astype(jnp.float32)


def cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """-log probability of the target class (int [B]) under softmax(logits [B, K]), in nats.

    >>> print(cross_entropy(jnp.zeros((1, 4)), jnp.array([2])).round(4))  # ln 4
    [1.3863]
    """
    return optax.softmax_cross_entropy_with_integer_labels(logits, targets)


def accuracy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """1 where the likeliest class of logits [B, K], the first of equals, is the target (int [B]), else 0.

    >>> accuracy(jnp.array([[0.1, 0.9], [0.8, 0.2]]), jnp.array([1, 1])).tolist()
    [1.0, 0.0]
    """
    return (jnp.argmax(logits, axis=-1) == targets).astype(jnp.float32)


def token_cross_entropy(logits: jax.Array | Logits, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`cross_entropy` of logits [B, T, V] and tokens [B, T], 0 being padding -> sums [B] and real tokens [B].

    >>> sums, counts = token_cross_entropy(jnp.zeros((1, 3, 4)), jnp.array([[2, 1, 0]]))
    >>> print(sums.round(4), counts)
    [2.7726] [2]
    """
    return _summed(logits.nats(targets) if isinstance(logits, Logits) else cross_entropy(logits, targets), targets)


def smoothed_token_cross_entropy(
    logits: jax.Array | Logits, targets: jax.Array, smoothing: float
) -> tuple[jax.Array, jax.Array]:
    """As `token_cross_entropy`, of a target that is all tokens alike with probability `smoothing`, else itself.

    Szegedy et al. 2016 (arXiv 1512.00567), as PyTorch's `label_smoothing`.

    >>> sums, counts = smoothed_token_cross_entropy(jnp.zeros((1, 3, 4)), jnp.array([[2, 1, 0]]), smoothing=0.1)
    >>> print(sums.round(4), counts)
    [2.7726] [2]
    """
    if isinstance(logits, Logits):
        return _summed(logits.judge(targets, smoothing).losses, targets)
    all_alike = jax.nn.logsumexp(logits, axis=-1) - jnp.mean(logits, axis=-1)
    return _summed((1 - smoothing) * cross_entropy(logits, targets) + smoothing * all_alike, targets)


def token_accuracy(logits: jax.Array | Logits, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`accuracy` of logits [B, T, V] and tokens [B, T], 0 being padding -> tokens hit [B] and real tokens [B].

    >>> hits, counts = token_accuracy(jnp.eye(4)[None, :3], jnp.array([[1, 1, 0]]))
    >>> (hits.tolist(), counts.tolist())
    ([1.0], [2])
    """
    return _summed(logits.judge(targets).hits if isinstance(logits, Logits) else accuracy(logits, targets), targets)


def _summed(values: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Values [B, T] -> their sums over real tokens [B], and how many there are [B]."""
    real = targets != 0
    return jnp.sum(jnp.where(real, values, 0), axis=1), jnp.sum(real, axis=1)
