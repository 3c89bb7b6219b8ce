"""What a sequence must keep to, whatever chooses its tokens.

Legend: N rows, V vocabulary, L most tokens, n the length of an n-gram, t the number of tokens so far.
"""

import dataclasses

import jax
import jax.numpy as jnp

from seqjax.errors import UserError, check_least


@dataclasses.dataclass(frozen=True)
class Limits:
    """How long a sequence may be, what ends it, and what it may not hold.

    A row for which nothing is left that may follow stops there, and its score is -inf: there is no such sequence.

    Raises:
      UserError: a number out of range.
    """

    max_length: int
    """L, at least 1; the end token counts."""
    end: int | None = None
    """The token that ends a sequence; None: all have max_length tokens."""
    min_length: int = 0
    """So many tokens stand before the end token, at least."""
    no_repeat_ngram: int = 0
    """n: no n tokens in a row stand twice in a sequence; 0: they may. Tokens before the sequence do not count."""
    never: tuple[int, ...] = ()
    """Tokens that are never chosen: padding, start, unknown."""

    def __post_init__(self) -> None:
        """Raises UserError: a number out of range."""
        for name, least in (("max_length", 1), ("min_length", 0), ("no_repeat_ngram", 0)):
            value = getattr(self, name)
            if not isinstance(value, int):
                raise UserError(f"{name} must be an integer of at least {least}, not {value!r}")
            check_least(name, value, least)
        if self.min_length > self.max_length:
            raise UserError(f"min_length={self.min_length} is above max_length={self.max_length}")
        if self.end in self.never:
            raise UserError(f"end={self.end} is among the tokens that are never chosen: {self.never}")

    def check_vocabulary(self, size: int) -> None:
        """Raises UserError: a token outside 0..V-1, which an array would take for another one."""
        for name, tokens in (("end", () if self.end is None else (self.end,)), ("never", self.never)):
            for token in tokens:
                if not 0 <= token < size:
                    raise UserError(f"{name}: token {token} is not in the vocabulary 0..{size - 1}")

    @property
    def steady(self) -> bool:
        """Whether `never` says all, whatever the tokens before."""
        return not self.no_repeat_ngram and (self.end is None or not self.min_length)

    def allow(self, logits: jax.Array, tokens: jax.Array, t: jax.Array) -> jax.Array:
        """Logits [N, V], -inf for every token that may not follow the first t of `tokens` [N, L]."""
        ids = jnp.arange(logits.shape[1])
        banned = jnp.zeros(logits.shape, bool)
        if self.never:
            banned |= jnp.isin(ids, jnp.array(self.never))[None]
        if self.end is not None and self.min_length:
            banned |= (ids == self.end)[None] & (t < self.min_length)
        if self.no_repeat_ngram:
            banned |= repeats(tokens, t, self.no_repeat_ngram, logits.shape[1])
        return jnp.where(banned, -jnp.inf, logits)


def repeats(tokens: jax.Array, t: jax.Array, n: int, size: int) -> jax.Array:
    """[N, V] bool: would this token complete an n-gram that stands in the first t of `tokens` [N, L]?"""
    starts = tokens.shape[1] - n + 1
    rows = len(tokens)
    if starts < 1:  # no n-gram fits, let alone two
        return jnp.zeros((rows, size), bool)
    same = (jnp.arange(starts) + n <= t)[None]  # [1, starts]: n-grams that are complete
    last = jax.lax.dynamic_slice_in_dim(tokens, jnp.maximum(t - n + 1, 0), n - 1, axis=1) if n > 1 else None
    for place in range(n - 1):
        assert last is not None
        same &= tokens[:, place : place + starts] == last[:, place, None]
    same = jnp.broadcast_to(same, (rows, starts))
    return jnp.zeros((rows, size), bool).at[jnp.arange(rows)[:, None], tokens[:, n - 1 :]].max(same)
