"""Texts from a language model, a piece at a time, by one compiled program for all sliders.

What the sliders say are numbers that the program is given, top-k among them: so nothing is compiled anew. The draws
are those of --mode=generate with the same seed.

Legend: V vocabulary, P characters of a prompt.
"""

import functools
import threading
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.data.text.characters import encoded, read_alphabet
from seqjax.decoding import Limits, Sampling, begin_sampling, sample_more
from seqjax.errors import UserError
from seqjax.runs.generation import PIECE
from seqjax.serve import bodies
from seqjax.serve.limits import Limits as Most
from seqjax.serve.model import Model

LONGEST = 1 << 14
"""Characters that the program has room for, of a prompt and of what follows."""

_writers: "weakref.WeakKeyDictionary[Model, Writer]" = weakref.WeakKeyDictionary()
_making = threading.Lock()


class Writer:
    """A language model that draws."""

    def __init__(self, model: Model):
        """Args: model: a run of a language model of characters."""
        self.params, self.alphabet = model.params, read_alphabet(model.path)
        run = functools.partial(model.experiment.model.apply, method="run")
        limits = Limits(LONGEST, never=(0,))

        def step(params: Any, most: Any, state: Any, tokens: Any) -> Any:
            logits, state = run({"params": params}, tokens[:, None], state)
            return state, highest(logits[:, 0].at[:, 0].set(-jnp.inf), most)

        def begin(params: Any, prompt: Any, count: Any, seed: Any) -> Any:
            state = jax.tree.map(jnp.zeros_like, run({"params": params}, prompt[:, :1])[1])
            read = lambda k, state: run({"params": params}, jax.lax.dynamic_slice_in_dim(prompt, k, 1, 1), state)[1]
            state = jax.lax.fori_loop(0, count - 1, read, state)
            keys = jax.random.fold_in(jax.random.key(seed), 0)[None]
            last = jax.lax.dynamic_slice_in_dim(prompt, count - 1, 1, 1)[:, 0]
            return begin_sampling(
                functools.partial(step, params, len(self.alphabet)), state, last, keys, limits, Sampling()
            )

        def more(params: Any, progress: Any, most: Any, temperature: Any, top_p: Any, min_p: Any) -> Any:
            at, sampling = progress.position, Sampling(temperature, None, top_p, min_p)
            progress = sample_more(functools.partial(step, params, most), progress, limits, sampling, PIECE)
            return progress, jax.lax.dynamic_slice_in_dim(progress.decoded.tokens, at, PIECE, axis=1)

        self._begin, self._more = jax.jit(begin), jax.jit(more, donate_argnums=1)

    def write(self, prompt: np.ndarray, length: int, seed: int, most: int, *numbers: float) -> Iterator[str]:
        """The next pieces of a text."""
        filled = np.zeros((1, LONGEST), np.int32)
        filled[0, : len(prompt)] = prompt
        progress = self._begin(self.params, filled, len(prompt), seed)
        for at in range(0, length, PIECE):
            progress, piece = self._more(self.params, progress, most, *map(np.float32, numbers))
            yield "".join(self.alphabet[token - 1] for token in np.asarray(piece)[0, : length - at])


def highest(logits: jax.Array, most: Any) -> jax.Array:
    """[1, V], all but the `most` highest, of equals the first ones, at -inf."""
    order = jnp.argsort(-logits, axis=1, stable=True)
    ranks = jnp.argsort(order, axis=1)
    return jnp.where(ranks < most, logits, -jnp.inf)


def written(model: Model, body: Mapping[str, Any], most: Most) -> tuple[str, Iterator[str]]:
    """-> (the prompt, the pieces that follow it) for a body of /generate.

    Raises:
      UserError: no language model, a prompt with characters that it does not know, a number out of range.
    """
    if model.kind != "language":
        raise UserError(f"{model.name} is no language model of characters, so it writes nothing")
    bodies.known(body, "prompt", "length", "temperature", "top_k", "top_p", "min_p", "seed")
    with _making:
        if model not in _writers:
            _writers[model] = Writer(model)
        writer = _writers[model]
    longest = min(most.max_characters // 10, LONGEST)
    prompt = bodies.text(body.get("prompt", "\n"), "prompt", longest)
    if not prompt:
        raise UserError("prompt is empty: give at least one character for the text to go on from")
    ids = encoded(prompt, writer.alphabet, "prompt")
    length = bodies.number(body, "length", 500, 1, longest, whole=True)
    temperature = float(bodies.number(body, "temperature", 1.0, 0, 100))
    size = len(writer.alphabet)
    top_k = bodies.number(body, "top_k", size, 1, 1 << 31, whole=True)
    top_p = float(bodies.number(body, "top_p", 1.0, 1e-6, 1))
    min_p = float(bodies.number(body, "min_p", 0.0, 0, 1))
    seed = bodies.number(body, "seed", 0, 0, (1 << 31) - 1, whole=True)
    if temperature == 0:
        top_k, temperature = 1, 1.0
    return prompt, writer.write(np.asarray(ids), length, seed, min(top_k, size), temperature, top_p, min_p)
