"""word2vec (Mikolov et al., 2013, arXiv:1301.3781 and arXiv:1310.4546) on blocks of running text.

A word's vector v and, of a word near it, the context vector u are to have a large product, and v and the context
vectors of words drawn at random ("negatives") small ones:

    skip-gram   sum over pairs (i, j) of  -log s(v_i.u_j) - sum over K negatives n of log s(-v_i.u_n)
    CBOW        the same with the mean of the v_j near i in place of v_i, and u_i in place of u_j

where s is the sigmoid. With hierarchical softmax there are no negatives: the u belong to the inner nodes of a Huffman
tree, and every node on the way to the word says left or right.

A word is dropped with a probability that grows with its frequency, and what is left closes up before windows are
laid. A window reaches 1 to `window` words to each side, a number drawn for each word, so that near words count more.
All pairs of a block are computed at once, as a product of matrices with a mask; negatives are drawn for a block, more
of them than K, and count K / S each: the expectation is the same, and a negative that happens to be the true word is
left out, as in the original program.

Legend: B blocks, L tokens of a block, V ids, E numbers of a vector, W window, K negatives, S of them drawn for a block,
D inner nodes on the longest way through the tree.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import UserError, check_least


def window_pairs(kept: jax.Array, reach: jax.Array) -> jax.Array:
    """Which words are in the window of which.

    Args:
      kept: [B, L] bool: words that are there at all.
      reach: [B, L] int: of the window, in kept words.

    Returns:
      [B, L, L] bool: (b, i, j) is true if word j lies in the window of word i.
    """
    places = jnp.cumsum(kept, axis=1)
    apart = jnp.abs(places[:, :, None] - places[:, None, :])
    both = kept[:, :, None] & kept[:, None, :]
    return both & (apart > 0) & (apart <= reach[:, :, None])


def draw(key: jax.Array, cumulative: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Ids [shape], id k with probability (cumulative[k] - cumulative[k - 1]) / cumulative[-1]; [V] int32."""
    number = jax.random.randint(key, shape, 0, cumulative[-1])
    return jnp.searchsorted(cumulative, number, side="right", method="scan_unrolled")


def negative_sampling(
    inputs: jax.Array, targets: jax.Array, pairs: jax.Array, negatives: jax.Array, same: jax.Array, count: int
) -> tuple[jax.Array, jax.Array]:
    """The two sums above, of each block.

    Args:
      inputs: [B, I, E] v, or means of v.
      targets: [B, L, E] u of the words in the block.
      pairs: [B, I, L] which input is to predict which word.
      negatives: [B, S, E] u of the words drawn.
      same: [B, L, S] whether a word drawn is the word in the block.
      count: K.

    Returns:
      [B] -log s(v.u) over the pairs; [B] the same of their negatives.
    """
    wanted = jnp.einsum("bie,bje->bij", inputs, targets)
    true = jnp.sum(jnp.where(pairs, jax.nn.softplus(-wanted), 0), axis=(1, 2))
    others = jax.nn.softplus(jnp.einsum("bie,bse->bis", inputs, negatives))
    times = jnp.einsum("bij,bjs->bis", pairs.astype(inputs.dtype), 1 - same.astype(inputs.dtype))
    return true, jnp.sum(times * others, axis=(1, 2)) * (count / negatives.shape[1])


def hierarchical_softmax(
    inputs: jax.Array, nodes: jax.Array, codes: jax.Array, pairs: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """-log of the probability of every turn on the way to the words of the pairs, summed; and zeros.

    Args:
      inputs: [B, I, E].
      nodes: [B, L, D, E] u of the inner nodes on the way to each word.
      codes: [B, L, D] 1 for a turn to the right, 0 to the left, -1 behind the end of a way.
      pairs: [B, I, L].
    """
    scores = jnp.einsum("bie,bjde->bijd", inputs, nodes)
    turns = jax.nn.softplus(jnp.where(codes == 1, scores.dtype.type(1), -1)[:, None] * scores)
    of_word = jnp.sum(jnp.where(codes[:, None] >= 0, turns, 0), axis=3)  # [B, I, L]
    return jnp.sum(jnp.where(pairs, of_word, 0), axis=(1, 2)), jnp.zeros(len(inputs))


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
        """What `seqjax.data.blocks` gathers -> [B, 2]: the loss, and the part of it due to true pairs.

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
        pairs = window_pairs(kept, reach)
        rows = vectors[tokens]  # [B, L, E]
        if self.method == "cbow":
            around = pairs.astype(rows.dtype)
            size = jnp.sum(around, axis=2, keepdims=True)
            rows = jnp.einsum("bij,bje->bie", around, rows) / jnp.maximum(size, 1)
            pairs = (size > 0) & jnp.eye(tokens.shape[1], dtype=bool)[None]  # the mean of a window predicts its middle
        losses = self._losses(rows, contexts, pairs, inputs, keys[2])
        return jnp.stack([sum(losses), losses[0]], axis=1) / tokens.shape[1]

    def _losses(
        self, rows: jax.Array, contexts: jax.Array, pairs: jax.Array, inputs: dict[str, Any], key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        tokens = inputs["tokens"]
        if self.negatives == 0:
            ways = inputs["nodes"][tokens]  # [B, L, D]
            return hierarchical_softmax(rows, contexts[ways], inputs["codes"][tokens], pairs)
        drawn = draw(key, inputs["noise"], (len(tokens), self.shared))
        same = tokens[:, :, None] == drawn[:, None, :]
        return negative_sampling(rows, contexts[tokens], pairs, contexts[drawn], same, self.negatives)
