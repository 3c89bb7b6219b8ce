"""word2vec (Mikolov et al., 2013, arXiv:1301.3781 and arXiv:1310.4546) on blocks of running text.

A word's vector v and, of a word near it, the context vector u are to have a large product, and v and the context
vectors of words drawn at random ("negatives") small ones:

    skip-gram   sum over pairs (i, j) of  -log s(v_i.u_j) - sum over K negatives n of log s(-v_i.u_n)
    CBOW        the same with the mean of the v_j near i in place of v_i, and u_i in place of u_j

where s is the sigmoid. With hierarchical softmax there are no negatives: the u belong to the inner nodes of a Huffman
tree, and every node on the way to the word says left or right.

A word is dropped with a probability that grows with its frequency, and what is left closes up before windows are
laid. A window reaches 1 to `window` words to each side, a number drawn for each word, so that near words count more.
All pairs of a row (`seqjax.models.windows`) are computed at once, as a product of matrices with a mask; negatives are
drawn for a row, and count K / S each: the expectation is the same, and a negative that happens to be the true word is
left out, as in the original program.

Legend: B blocks, L tokens of a block, V ids, E numbers of a vector, W window, K negatives, R rows, C words of a row,
T words that are to be predicted in a row, S negatives drawn for it, D inner nodes on the longest way through the tree.
"""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import UserError, check_least
from seqjax.models.windows import rows


def draw(key: jax.Array, cumulative: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Ids [shape], id k with probability (cumulative[k] - cumulative[k - 1]) / cumulative[-1]; [V] int32."""
    number = jax.random.randint(key, shape, 0, cumulative[-1])
    return jnp.searchsorted(cumulative, number, side="right", method="scan_unrolled")


@jax.custom_vjp
def products(inputs: jax.Array, words: jax.Array) -> jax.Array:
    """Of v [R, C, E] and u [R, U, E]: [R, U, C]. XLA:CPU takes 0.7 of the time if the larger factor comes first."""
    return jnp.einsum("rue,rce->ruc", words, inputs)


def _products_forward(inputs: jax.Array, words: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return products(inputs, words), (inputs, words)


def _products_backward(kept: tuple[jax.Array, jax.Array], d: jax.Array) -> tuple[jax.Array, jax.Array]:
    inputs, words = kept
    # Turned round in memory first, for XLA:CPU multiplies by a matrix that is not in 0.6 of the speed.
    turned = jax.lax.optimization_barrier(d.swapaxes(1, 2))
    return jnp.einsum("rcu,rue->rce", turned, words), jnp.einsum("ruc,rce->rue", d, inputs)


products.defvjp(_products_forward, _products_backward)


def negative_sampling(
    inputs: jax.Array, words: jax.Array, pairs: jax.Array, same: jax.Array, count: int
) -> tuple[jax.Array, jax.Array]:
    """The two sums above, of each input.

    Args:
      inputs: [R, C, E] v, or means of v.
      words: [R, T + S, E] u of the words to predict, then of the words drawn.
      pairs: [R, C, T] which input is to predict which word.
      same: [R, T, S] whether a word drawn is the word to predict.
      count: K.

    Returns:
      [R, C] -log s(v.u) over the pairs; [R, C] the same of their negatives.
    """
    scores, targets = products(inputs, words), pairs.shape[2]
    true = jnp.sum(jnp.where(pairs.swapaxes(1, 2), jax.nn.softplus(-scores[:, :targets]), 0), axis=1)
    others = jax.nn.softplus(scores[:, targets:])
    times = jnp.einsum("rts,rct->rsc", 1 - same.astype(inputs.dtype), pairs.astype(inputs.dtype))
    return true, jnp.sum(times * others, axis=1) * (count / same.shape[2])


def hierarchical_softmax(
    inputs: jax.Array, nodes: jax.Array, codes: jax.Array, pairs: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """-log of the probability of every turn on the way to the words of the pairs, summed for each input; and zeros.

    Args:
      inputs: [R, C, E].
      nodes: [R, T, D, E] u of the inner nodes on the way to each word.
      codes: [R, T, D] 1 for a turn to the right, 0 to the left, -1 behind the end of a way.
      pairs: [R, C, T].
    """
    scores = jnp.einsum("rce,rtde->rctd", inputs, nodes)
    turns = jax.nn.softplus(jnp.where(codes == 1, scores.dtype.type(1), -1)[:, None] * scores)
    of_word = jnp.sum(jnp.where(codes[:, None] >= 0, turns, 0), axis=3)  # [R, C, T]
    return jnp.sum(jnp.where(pairs, of_word, 0), axis=2), jnp.zeros(inputs.shape[:2])


class Word2Vec(nn.Module):
    """Vectors of words, and the loss of each block in nats per token of a full block.

    Parameters: `vectors` [V, E], which are what is wanted, and `contexts` [V, E].
    """

    vocabulary_size: int
    embedding_size: int
    method: str = "skip_gram"
    """`skip_gram` or `cbow`."""
    window: int = 5
    negatives: int = 5
    """K; 0: hierarchical softmax."""
    shared: int = 16
    """S."""
    width: int = 32
    """C."""
    room: float = 1.0
    """Of the tokens of a batch, how many there are rows for in training; should more be left, the last are not
    learned from. Less than 1 saves time where `keep` drops many."""

    def example(self) -> dict[str, jax.Array]:
        """The least inputs, for the shapes of the parameters."""
        tokens, way = jnp.zeros((1, 2), jnp.int32), jnp.zeros((self.vocabulary_size, 1), jnp.int32)
        ones = jnp.ones(self.vocabulary_size)
        return {"tokens": tokens, "keep": ones, "noise": ones.astype("int32"), "nodes": way, "codes": way}

    def table(self, params: Any) -> jax.Array:
        """The vectors that are wanted, [V, E]."""
        return params["vectors"]

    @nn.compact
    def __call__(self, inputs: dict[str, jax.Array], *, train: bool = False) -> jax.Array:
        """What `seqjax.data.text.blocks` gathers -> [B, 2]: the loss, and the part of it due to true pairs.

        Outside of training the draws are the same for every batch.
        """
        for name, least in (("embedding_size", 1), ("window", 1), ("negatives", 0), ("shared", 1)):
            check_least(name, getattr(self, name), least)
        if self.method not in ("skip_gram", "cbow"):
            raise UserError(f"method={self.method!r}: choose 'skip_gram' or 'cbow'")
        shape, half = (self.vocabulary_size, self.embedding_size), 0.5 / self.embedding_size
        start = lambda key, shape: jax.random.uniform(key, shape, minval=-half, maxval=half)
        vectors = self.param("vectors", start, shape)
        contexts = self.param("contexts", nn.initializers.zeros, shape)
        tokens = inputs["tokens"]
        keys = jax.random.split(self.make_rng("dropout") if train else jax.random.key(0), 3)
        kept = jax.random.uniform(keys[0], tokens.shape) < inputs["keep"][tokens]
        reach = jax.random.randint(keys[1], tokens.shape, 1, self.window + 1)
        count = math.ceil(tokens.size * (self.room if train else 1) / self.width)
        middle, around, pairs = rows(kept, reach, self.window, self.width, count)
        line = jnp.append(tokens.reshape(-1), 0)  # id 0 for nothing
        if self.method == "cbow":
            share = pairs / jnp.maximum(jnp.sum(pairs, axis=2, keepdims=True), 1)
            means = jnp.einsum("rct,rte->rce", share, vectors[line[around]])
            pairs = jnp.any(pairs, axis=2)[:, :, None] & jnp.eye(self.width, dtype=bool)[None]  # a mean and its middle
            losses = self._losses(means, contexts, line[middle], pairs, inputs, keys[2])
        else:
            losses = self._losses(vectors[line[middle]], contexts, line[around], pairs, inputs, keys[2])
        each = jnp.stack([sum(losses), losses[0]], axis=2).reshape(-1, 2)
        of_block = jax.ops.segment_sum(each, middle.reshape(-1) // tokens.shape[1], len(tokens) + 1)
        return of_block[:-1] / tokens.shape[1]

    def _losses(
        self,
        rows: jax.Array,
        contexts: jax.Array,
        targets: jax.Array,
        pairs: jax.Array,
        inputs: dict[str, Any],
        key: jax.Array,
    ) -> tuple[jax.Array, jax.Array]:
        """Of each of `rows` [R, C, E], which are to predict the words `targets` [R, T]."""
        if self.negatives == 0:
            ways = inputs["nodes"][targets]  # [R, T, D]
            return hierarchical_softmax(rows, contexts[ways], inputs["codes"][targets], pairs)
        drawn = jax.lax.optimization_barrier(draw(key, inputs["noise"], (len(targets), self.shared)))  # drawn once
        words = contexts[jnp.concatenate([targets, drawn], axis=1)]
        same = targets[:, :, None] == drawn[:, None, :]
        return negative_sampling(rows, words, pairs, same, self.negatives)
