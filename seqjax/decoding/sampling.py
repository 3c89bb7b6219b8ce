"""Tokens by chance: temperature, top-k, top-p, min-p and repetition penalty.

The logits pass, in the order of Hugging Face's `generate`: repetition penalty, temperature, top-k, top-p, min-p; each
works on what the one before has left. Token i of a row is a function of (fold_in(the row's key, i), its logits) alone:
so a text in pieces is the text in one, and a batch gives what each row alone gives.

Legend: B rows, V vocabulary, k how many tokens are looked at (top_k, or V).
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from seqjax.decoding.largest import largest
from seqjax.decoding.limits import Limits
from seqjax.decoding.rows import Decoded, Progress, Step, advance, begin
from seqjax.errors import UserError


@struct.dataclass
class Sampling:
    """How to choose. All but top_k may be traced numbers, which are not checked.

    Raises:
      UserError: a number out of range.
    """

    temperature: Any = 1.0
    """Above 0; logits are divided by it."""
    top_k: int | None = struct.field(pytree_node=False, default=None)
    """Keep the k most probable tokens (of equals the first); None: all."""
    top_p: Any = None
    """In (0, 1]: keep the smallest number of most probable tokens whose probabilities add up to it at least (Holtzman
    et al. 2020); None: all."""
    min_p: Any = None
    """In [0, 1]: keep the tokens that are at least min_p times as probable as the most probable one (Nguyen et al.
    2024); None: all."""
    repetition_penalty: Any = None
    """Above 0: a token that was there already has its logit divided by this if it is positive, multiplied if it is
    negative (Keskar et al. 2019, with Hugging Face's mending of the negative); 1 and None: no change."""

    def __post_init__(self) -> None:
        """Raises UserError: a number out of range."""
        for name, fits, words in (
            ("temperature", lambda x: 0 < x < float("inf"), "above 0 (greedy decoding is its limit at 0)"),
            ("top_p", lambda x: 0 < x <= 1, "in (0, 1]"),
            ("min_p", lambda x: 0 <= x <= 1, "in [0, 1]"),
            ("repetition_penalty", lambda x: 0 < x < float("inf"), "above 0 (1 changes nothing)"),
        ):
            value = getattr(self, name)
            if isinstance(value, int | float) and not fits(value):
                raise UserError(f"{name} must be {words}, not {value}")
        if self.top_k is not None and (not isinstance(self.top_k, int) or self.top_k < 1):
            raise UserError(f"top_k must be an integer of at least 1, not {self.top_k}")


def sample(
    step: Step,
    state: Any,
    first: jax.Array,
    keys: jax.Array,
    limits: Limits,
    sampling: Sampling,
    prompt: jax.Array | None = None,
) -> Decoded:
    """Draw a sequence for each row.

    Args:
      step: the model; see `seqjax.decoding`.
      state: its state at the beginning, [B, ...].
      first: [B] integers, what it is fed first; not part of the result.
      keys: [B] typed keys, one a row; `jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(B))` makes them of one.
      limits: when to stop.
      sampling: how to choose. Scores are the model's own, whatever this makes of them.
      prompt: [B, P] tokens that the repetition penalty counts as seen, 0 = padding; None: `first` alone is.

    Raises:
      UserError: shapes that make no sense; a token outside the vocabulary.

    >>> table = jnp.log(jnp.array([[0.0, 0.5, 0.5], [0.0, 0.1, 0.9], [0.0, 0.9, 0.1]]))
    >>> step = lambda state, tokens: (state, table[tokens])
    >>> keys = jax.random.split(jax.random.key(0), 2)
    >>> found = sample(step, (), jnp.array([1, 2]), keys, Limits(max_length=6), Sampling(top_k=1))
    >>> found.tokens.tolist()
    [[2, 1, 2, 1, 2, 1], [1, 2, 1, 2, 1, 2]]
    """
    progress = begin_sampling(step, state, first, keys, limits, sampling, prompt)
    return sample_more(step, progress, limits, sampling, limits.max_length).decoded


def begin_sampling(
    step: Step,
    state: Any,
    first: jax.Array,
    keys: jax.Array,
    limits: Limits,
    sampling: Sampling,
    prompt: jax.Array | None = None,
) -> Progress:
    """What `sample` begins with, for `sample_more`: the same arguments."""
    progress = begin(step, state, first, limits)
    rows = len(progress.last)
    if not jnp.issubdtype(keys.dtype, jax.dtypes.prng_key) or keys.shape != (rows,):
        raise UserError(f"keys: one typed key a row is wanted, [{rows}], not {keys.dtype} of shape {keys.shape}")
    seen = None
    if sampling.repetition_penalty is not None:
        prompt = progress.last[:, None] if prompt is None else jnp.asarray(prompt)
        size = jax.eval_shape(step, state, progress.last)[1].shape[1]
        seen = jnp.zeros((rows, size), bool).at[jnp.arange(rows)[:, None], prompt].max(prompt > 0)
    return progress.replace(keys=keys, seen=seen)  # pyright: ignore[reportAttributeAccessIssue]


def sample_more(step: Step, progress: Progress, limits: Limits, sampling: Sampling, count: Any) -> Progress:
    """`count` tokens more: `progress.decoded.tokens[:, before : progress.position]`.

    Pieces of any sizes give the tokens that the whole would give, bit for bit. Jitted once, with a traced count, it
    serves a text of any length; limits and sampling stay those of `begin_sampling`.
    """
    choose = lambda progress, logits: draw(progress.keys, progress.position, logits, progress.seen, sampling)
    return advance(step, progress, choose, limits, count)


def draw(keys: jax.Array, position: Any, logits: jax.Array, seen: jax.Array | None, sampling: Sampling) -> jax.Array:
    """Tokens [B] of logits [B, V], at least one of them above -inf: the largest of logit + Gumbel noise."""
    noise = jax.vmap(lambda key: jax.random.gumbel(jax.random.fold_in(key, position), logits.shape[1:], logits.dtype))
    weighed, tokens = filtered(logits, seen, sampling)
    drawn = noise(keys)
    if tokens is None:
        return largest(weighed + drawn, 1)[1][:, 0]
    best = largest(weighed + jnp.take_along_axis(drawn, tokens, axis=1), 1)[1]
    return jnp.take_along_axis(tokens, best, axis=1)[:, 0]


def filtered(logits: jax.Array, seen: jax.Array | None, sampling: Sampling) -> tuple[jax.Array, jax.Array | None]:
    """What there is to draw from.

    Args:
      logits: [B, V].
      seen: [B, V] bool, for the repetition penalty; None: nothing is.
      sampling: how to choose.

    Returns:
      logits [B, k] whose softmax is drawn from, -inf for what is left out, and their tokens [B, k], the most probable
      first; without top-k and top-p [B, V] and None: every token stands in its own place.
    """
    if sampling.repetition_penalty is not None and seen is not None:
        penalty = sampling.repetition_penalty
        logits = jnp.where(seen, jnp.where(logits < 0, logits * penalty, logits / penalty), logits)
    top = logits.max(axis=1, keepdims=True)
    # 0 is the largest now, so that no temperature makes it overflow; below `tiny` it might be rounded to 0
    logits = (logits - top) / jnp.maximum(sampling.temperature, jnp.finfo(logits.dtype).tiny)
    tokens = None
    if sampling.top_k is not None or sampling.top_p is not None:
        size = logits.shape[1]
        logits, tokens = largest(logits, min(sampling.top_k or size, size))
    if sampling.top_p is not None:
        p = jax.nn.softmax(logits, axis=1)
        before = jnp.pad(jnp.cumsum(p, axis=1)[:, :-1], ((0, 0), (1, 0)))  # the token that crosses top_p is kept
        all_of_them = sampling.top_p >= 1  # rounded sums may reach 1 too early
        logits = jnp.where((before < sampling.top_p) | all_of_them, logits, -jnp.inf)
    if sampling.min_p is not None:
        logits = jnp.where(logits >= jnp.log(sampling.min_p), logits, -jnp.inf)
    return logits, tokens
