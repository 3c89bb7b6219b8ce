"""What a translator answers: the translations that a search finds, as `Experiment.answer`.

Legend: B sources, S tokens of a source, L most tokens of a translation, n how many are wanted.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from seqjax.data.text.words import END, PADDING, START, UNKNOWN
from seqjax.decoding import Limits, beam_search, greedy
from seqjax.errors import UserError, check_least


@dataclasses.dataclass(frozen=True)
class Translate:
    """Greedy, or by beam search: (model, params, (source [B, S], ...)) -> tokens [B, n, L] and their scores [B, n].

    Its fields are what `--mode=predict` can set anew. Neither padding, start nor unknown words are ever written.
    """

    beam: int = 1
    """How many beginnings the search follows; 1: greedy."""
    n_best: int = 1
    """n, at most `beam`."""
    alpha: float = 1.0
    """Of `seqjax.decoding.length_penalty`, by which a beam search ranks; scores are the plain log-probabilities."""
    max_length: int = 80
    """L, the end included."""
    attention: bool = False
    """Whether the attention's weights [B, L, S] of the best are answered as well."""

    def __post_init__(self):
        """Raises UserError: a number out of range."""
        for name in ("beam", "n_best", "max_length"):
            check_least(name, getattr(self, name), 1)
        if self.n_best > self.beam:
            raise UserError(f"n_best={self.n_best} is above beam={self.beam}: give --beam={self.n_best} or more")

    def __call__(self, model: Any, params: Any, inputs: tuple[jax.Array, jax.Array]) -> dict[str, jax.Array]:
        """Translate. Raises UserError: the model has no attention to be shown."""
        source, variables = inputs[0], {"params": params}
        encoded = model.apply(variables, source, method="encode")
        step = lambda state, tokens: model.apply(variables, encoded, state, tokens, method="step")[:2]
        first = jnp.full(len(source), START, jnp.int32)
        limits = Limits(self.max_length, end=END, never=(PADDING, UNKNOWN, START))
        if self.beam == 1:
            found = greedy(step, encoded.state, first, limits)
            answer = {"tokens": found.tokens[:, None], "scores": found.scores[:, None]}
        else:
            options = {"beams": self.beam, "n_best": self.n_best, "alpha": self.alpha}
            found = beam_search(step, encoded.state, first, limits, **options)
            answer = {"tokens": found.tokens, "scores": found.scores}
        if self.attention:
            before = jnp.concatenate([first[:, None], answer["tokens"][:, 0, :-1]], axis=1)
            answer["attention"] = model.apply(variables, (source, before), method="alignment")
        return answer
