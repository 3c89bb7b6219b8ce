"""Beam search: the k most probable beginnings of a sequence, a token longer at every step.

A row has k slots. A slot holds a sequence that goes on, one that has ended, or nothing. At every step the slots that go
on are extended by every token; those that have ended keep their slot, the most probable extensions share the others (as
in Bahdanau et al. 2015, where the beam narrows with every ended sequence). The search is over when no slot goes on, or
when none of them can still come among the n best.

Two promises that a plain beam search does not make:

* Its best is never below `greedy`'s by the score that it ranks by: the greedy sequence always keeps a slot, even where
  others are more probable for the moment. So beams=1 is greedy, and with beams >= V^L the search is exhaustive.
* A row's result does not depend on the other rows, on how long they take or on padding.

Legend: B rows, k beams, c = min(k, V) tokens looked at for a slot, V vocabulary, L most tokens, n how many are wanted.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from seqjax.decoding.largest import largest, log_total, most_probable
from seqjax.decoding.limits import Limits
from seqjax.decoding.rows import Decoded, Step, check_first, outputs
from seqjax.errors import UserError, check_least


@struct.dataclass
class Beams:
    """The slots, [B, k] each."""

    state: Any
    """The model's, [B*k, ...]."""
    last: jax.Array
    """What `step` is fed next, [B, k]."""
    tokens: jax.Array
    """[B, k, L]."""
    lengths: jax.Array
    scores: jax.Array
    """Sums of log-probabilities; -inf: nothing, or a sequence after which nothing may follow."""
    done: jax.Array
    """Has it ended?"""
    greedy: jax.Array
    """Is it the greedy sequence?"""
    position: jax.Array
    """[]."""


def length_penalty(length: Any, alpha: Any) -> Any:
    """((5 + length) / 6) ** alpha of Wu et al. 2016 (arXiv 1609.08144, eq. 14); the end token counts as one.

    >>> round(length_penalty(7, alpha=1.0), 3)
    2.0
    """
    return ((5 + length) / 6) ** alpha


def beam_search(
    step: Step, state: Any, first: jax.Array, limits: Limits, *, beams: int, n_best: int = 1, alpha: Any = 0.0
) -> Decoded:
    """Search for the n most probable sequences of each row.

    Args:
      step: the model; see `seqjax.decoding`. What it gives beside the logits is not kept.
      state: its state at the beginning, [B, ...].
      first: [B] integers, what it is fed first; not part of the result.
      limits: when to stop.
      beams: k, at least 1.
      n_best: n, at most k.
      alpha: sequences are ranked by score / length_penalty(length, alpha): 0 by the score alone, above it long ones are
        less at a disadvantage. May be traced.

    Returns:
      the n best [B, n, ...], the best first, all different. Where there are fewer, the others have length 0 and the
      score -inf. What has no end token after max_length tokens counts as it is.

    Raises:
      UserError: a number out of range; shapes that make no sense; a token outside the vocabulary.

    >>> table = jnp.log(jnp.array([[0.0, 0.6, 0.4], [0.4, 0.3, 0.3], [0.0, 0.05, 0.95]]))
    >>> step = lambda state, tokens: (state, table[tokens])
    >>> found = beam_search(step, (), jnp.array([0]), Limits(max_length=2), beams=2, n_best=2)
    >>> print(found.tokens.tolist(), jnp.exp(found.scores).round(2))
    [[[2, 2], [1, 0]]] [[0.38 0.24]]
    """
    check_least("beams", beams, 1)
    check_least("n_best", n_best, 1)
    if n_best > beams:
        raise UserError(f"n_best={n_best} is above beams={beams}")
    first, logits, _ = check_first(step, state, first, limits)
    start = _start(state, first, limits, beams, logits.dtype)
    going = lambda slots: (slots.position < limits.max_length) & _alive(slots).any()
    body = lambda slots: _close(_extend(step, slots, limits), limits, n_best, alpha)
    return _best(jax.lax.while_loop(going, body, start), n_best, alpha)


def _start(state: Any, first: jax.Array, limits: Limits, beams: int, dtype: Any) -> Beams:
    rows = len(first)
    only = jnp.broadcast_to(jnp.arange(beams) == 0, (rows, beams))  # slot 0 holds the empty sequence
    return Beams(
        state=jax.tree.map(lambda leaf: jnp.repeat(leaf, beams, axis=0), state),
        last=jnp.repeat(first[:, None], beams, axis=1),
        tokens=jnp.zeros((rows, beams, limits.max_length), jnp.int32),
        lengths=jnp.zeros((rows, beams), jnp.int32),
        scores=jnp.where(only, 0, -jnp.inf).astype(dtype),
        done=jnp.zeros((rows, beams), bool),
        greedy=only,
        position=jnp.int32(0),
    )


def _alive(slots: Beams) -> jax.Array:
    return ~slots.done & (slots.scores != -jnp.inf)  # NaN goes on, to be seen in the result


def _extend(step: Step, slots: Beams, limits: Limits) -> Beams:
    """Every slot that goes on, a token longer; the k best of them and of those that have ended."""
    rows, beams, most = slots.tokens.shape
    t = slots.position
    state, logits, _ = outputs(step, slots.state, slots.last.reshape(-1))
    c = min(beams, logits.shape[1])  # of a slot no more than k can be among the k
    if limits.steady:
        values, tokens = most_probable(logits, c, limits.never)
    else:
        values, tokens = largest(limits.allow(logits, slots.tokens.reshape(-1, most), t), c)
        values = values - log_total(logits)[:, None]
    scores, order, done = _candidates(slots, values.reshape(rows, beams, c))
    chosen, place = jax.lax.top_k(order.reshape(rows, -1), beams)  # [B, k]
    parent, column = place // c, place % c

    take = lambda array: jnp.take_along_axis(array, parent, axis=1)
    pick = lambda array: jnp.take_along_axis(array.reshape(rows, -1), place, axis=1)
    was_done = take(done)
    token = jnp.where(was_done, 0, pick(tokens))
    ends = was_done if limits.end is None else was_done | (token == limits.end)
    flat = (jnp.arange(rows)[:, None] * beams + parent).reshape(-1)
    return Beams(
        state=jax.tree.map(lambda leaf: jnp.take(leaf, flat, axis=0, mode="clip"), state),
        last=token,
        tokens=jnp.take_along_axis(slots.tokens, parent[:, :, None], axis=1).at[:, :, t].set(token),
        lengths=take(slots.lengths) + ~was_done,
        scores=pick(scores),
        done=ends & (chosen != -jnp.inf),  # else the slot holds nothing
        greedy=take(slots.greedy) & (column == 0),
        position=t + 1,
    )


def _candidates(slots: Beams, values: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """What may stand in the slots after this step.

    Args:
      slots: as they are.
      values: [B, k, c] log-probabilities of the best next tokens of each slot, the largest first.

    Returns:
      scores [B, k, c] (of a slot that has ended, its own in the first column), what they are chosen by [B, k, c], and
      which slots have ended by now [B, k]: those too that nothing may follow, whose score is -inf.
    """
    alive, lowest = _alive(slots), jnp.finfo(values.dtype).min
    stuck = alive & (values[:, :, 0] == -jnp.inf)
    done = slots.done | stuck
    scores = jnp.where(alive[:, :, None], slots.scores[:, :, None] + values, -jnp.inf)
    own = jnp.where(done & ~stuck, slots.scores, scores[:, :, 0])
    scores = scores.at[:, :, 0].set(own)
    there = own != -jnp.inf
    chosen = jnp.select([done & there, done, slots.greedy & there], [jnp.inf, lowest, jnp.inf], own)
    return scores, scores.at[:, :, 0].set(chosen.astype(scores.dtype)), done


def _close(slots: Beams, limits: Limits, n_best: int, alpha: Any) -> Beams:
    """Give up what goes on in rows whose n best have ended and cannot be passed any more.

    A score only falls from here on. Over the penalty of the length at which it would end it is at most what it is now
    over the largest such penalty: that of max_length, or with alpha < 0 that of the next token.
    """
    ended = jnp.where(slots.done, slots.scores / length_penalty(slots.lengths, alpha), -jnp.inf)
    worst = jax.lax.top_k(ended, n_best)[0][:, -1]
    lengths = jnp.array([slots.position + 1, limits.max_length])
    bound = jnp.where(_alive(slots), slots.scores, -jnp.inf).max(axis=1) / length_penalty(lengths, alpha).max()
    over = worst >= bound
    scores = jnp.where(_alive(slots) & over[:, None], -jnp.inf, slots.scores)
    return slots.replace(scores=scores)  # pyright: ignore[reportAttributeAccessIssue]


def _best(slots: Beams, n_best: int, alpha: Any) -> Decoded:
    there = slots.done | _alive(slots)
    normalised = slots.scores / length_penalty(slots.lengths, alpha)
    order = jnp.where(there, jnp.maximum(normalised, jnp.finfo(normalised.dtype).min), -jnp.inf)
    _, best = jax.lax.top_k(order, n_best)
    take = lambda array: jnp.take_along_axis(array, best, axis=1)
    tokens = jnp.where(there[:, :, None], slots.tokens, 0)
    return Decoded(
        tokens=jnp.take_along_axis(tokens, best[:, :, None], axis=1),
        lengths=take(jnp.where(there, slots.lengths, 0)),
        scores=take(slots.scores),
        normalised=take(normalised),
    )
