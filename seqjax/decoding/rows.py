"""One token after the other, every row for itself: the loop of greedy decoding and of sampling.

Legend: B rows, V vocabulary, L most tokens, t tokens so far (of all rows alike).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from seqjax.decoding.largest import largest, log_total
from seqjax.decoding.limits import Limits
from seqjax.errors import UserError

Step = Callable[[Any, jax.Array], tuple]
"""(state, tokens [N] int32) -> (state, logits [N, V]) or (state, logits, extra)."""


@struct.dataclass
class Decoded:
    """Sequences of B rows; of `beam_search` the n best of each, best first: [B, n, ...]."""

    tokens: jax.Array
    """[B, L] int32; the end token is one of them; 0 behind it."""
    lengths: jax.Array
    """[B] int32: how many are real, the end token included."""
    scores: jax.Array
    """[B]: the sum of the model's log-probabilities of the tokens; -inf: there is no such sequence."""
    extra: Any = None
    """What `step` gives beside the logits, [B, L, ...], zeros behind the end; None if nothing, and of beams."""
    normalised: jax.Array | None = None
    """[B, n]: the scores over `length_penalty`, by which beams are ranked; None elsewhere."""


@struct.dataclass
class Progress:
    """Rows half-way: what the next token depends on, and the tokens so far."""

    state: Any
    """The model's."""
    last: jax.Array
    """[B]: what `step` is fed next."""
    position: jax.Array
    """t, [] int32."""
    done: jax.Array
    """[B] bool."""
    decoded: Decoded
    """tokens [:, :t] are there."""
    keys: Any = None
    """[B] of sampling."""
    seen: Any = None
    """[B, V] bool, of the repetition penalty."""


def greedy(step: Step, state: Any, first: jax.Array, limits: Limits) -> Decoded:
    """Take the most probable token every time (of equals the first).

    Args:
      step: the model; see `seqjax.decoding`.
      state: its state at the beginning, [B, ...].
      first: [B] integers, what it is fed first; not part of the result.
      limits: when to stop.

    Raises:
      UserError: shapes that make no sense; a token outside the vocabulary.

    >>> table = jnp.log(jnp.array([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4], [0.2, 0.6, 0.2]]))
    >>> step = lambda state, tokens: (state, table[tokens])  # what follows depends on the last token alone
    >>> found = greedy(step, (), jnp.array([0]), Limits(max_length=4))
    >>> (found.tokens.tolist(), found.lengths.tolist())
    ([[2, 1, 2, 1]], [4])
    """
    choose = lambda progress, logits: largest(logits, 1)[1][:, 0]
    return advance(step, begin(step, state, first, limits), choose, limits, limits.max_length).decoded


def outputs(step: Step, state: Any, tokens: jax.Array) -> tuple[Any, jax.Array, Any]:
    """One step: (state, logits, extra or None)."""
    state, logits, *extra = step(state, tokens)
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))  # sums of bfloat16 would not be sums
    return state, logits, extra[0] if extra else None


def check_first(step: Step, state: Any, first: jax.Array, limits: Limits) -> tuple[jax.Array, Any, Any]:
    """The first tokens as int32, and what shapes a step's logits and extra have. Raises UserError."""
    first = jnp.asarray(first)
    if first.ndim != 1 or not jnp.issubdtype(first.dtype, jnp.integer):
        raise UserError(f"first: the tokens must be integers [B], not {first.dtype} of shape {first.shape}")
    for leaf in jax.tree.leaves(state):
        if jnp.shape(leaf)[:1] != first.shape:
            raise UserError(f"state: every leaf must have {len(first)} rows, not the shape {jnp.shape(leaf)}")
    first = first.astype(jnp.int32)
    _, logits, extra = jax.eval_shape(lambda *given: outputs(step, *given), state, first)
    if logits.ndim != 2 or len(logits) != len(first) or not logits.shape[1]:
        raise UserError(f"step: logits must be [{len(first)}, V], not of shape {logits.shape}")
    limits.check_vocabulary(logits.shape[1])
    return first, logits, extra


def begin(step: Step, state: Any, first: jax.Array, limits: Limits) -> Progress:
    """Nothing decoded yet. Raises UserError."""
    first, logits, extra = check_first(step, state, first, limits)
    rows = len(first)
    decoded = Decoded(
        tokens=jnp.zeros((rows, limits.max_length), jnp.int32),
        lengths=jnp.zeros(rows, jnp.int32),
        scores=jnp.zeros(rows, logits.dtype),
        extra=jax.tree.map(lambda leaf: jnp.zeros((rows, limits.max_length, *leaf.shape[1:]), leaf.dtype), extra),
    )
    return Progress(state, first, jnp.int32(0), jnp.zeros(rows, bool), decoded)


def advance(step: Step, progress: Progress, choose: Callable, limits: Limits, count: Any) -> Progress:
    """`count` tokens more, or as many as there may be; it ends as soon as every row has ended.

    Args:
      step: the model.
      progress: of `begin`, or of a call before.
      choose: (progress, logits [B, V] of what is allowed) -> [B] tokens.
      limits: as they were given to `begin`.
      count: a number, traced or not.
    """
    stop = jnp.minimum(progress.position + count, limits.max_length)
    going = lambda progress: (progress.position < stop) & ~progress.done.all()
    return jax.lax.while_loop(going, lambda progress: _one_more(step, progress, choose, limits), progress)


def _one_more(step: Step, progress: Progress, choose: Callable, limits: Limits) -> Progress:
    old, t, rows = progress.decoded, progress.position, jnp.arange(len(progress.last))
    state, logits, extra = outputs(step, progress.state, progress.last)
    allowed = limits.allow(logits, old.tokens, t)
    stuck = ~progress.done & (allowed.max(axis=1) == -jnp.inf)
    live = ~progress.done & ~stuck
    chosen = jnp.where(live, choose(progress, allowed), 0).astype(jnp.int32)
    score = old.scores + (logits[rows, chosen] - log_total(logits))
    decoded = Decoded(
        tokens=old.tokens.at[:, t].set(chosen),
        lengths=old.lengths + live,
        scores=jnp.where(live, score, jnp.where(stuck, -jnp.inf, old.scores)),
        extra=jax.tree.map(lambda kept, new: kept.at[:, t].set(_where(live, new)), old.extra, extra),
    )
    seen = None if progress.seen is None else progress.seen.at[rows, chosen].max(live)
    done = ~live if limits.end is None else ~live | (chosen == limits.end)
    return progress.replace(  # pyright: ignore[reportAttributeAccessIssue]
        state=state, last=chosen, position=t + 1, done=done, decoded=decoded, seen=seen
    )


def _where(live: jax.Array, new: jax.Array) -> jax.Array:
    return jnp.where(live.reshape(-1, *[1] * (new.ndim - 1)), new, jnp.zeros((), new.dtype))
