"""Texts from a run of a language model: what --mode=generate does, piece by piece as they come.

Legend: S samples, P characters of the prompt, V vocabulary.
"""

import dataclasses
import functools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqjax import experiment as experiments
from seqjax.errors import UserError, check_least
from seqjax.training.workdir import Workdir

PIECE = 16
"""Characters in one call: enough to hide the call, few enough to be read as they come."""
FILE = "FILE:"


@dataclasses.dataclass(frozen=True)
class Wish:
    """What is to be written.

    Raises:
      UserError: a number out of range.
    """

    prompt: str = "\n"
    """How the text begins; `FILE:PATH` is what a file holds."""
    length: int = 500
    """Characters after the prompt, at most."""
    temperature: float = 1.0
    """0: always the most probable character."""
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    stop: str | None = None
    """A text ends after its first such string."""
    samples: int = 1
    seed: int = 0

    def __post_init__(self):
        for name, least in (("length", 1), ("samples", 1), ("generate_seed", 0)):
            check_least(name, getattr(self, name.removeprefix("generate_")), least)
        if not self.temperature >= 0:
            raise UserError(f"temperature must be 0 (the most probable character) or above, not {self.temperature}")
        if not self.prompt:
            raise UserError("prompt is empty: give at least one character for the text to go on from")
        if self.stop == "":
            raise UserError("stop is empty: every text would end at once")

    def text(self) -> str:
        """The prompt itself. Raises UserError: its file cannot be read."""
        if not self.prompt.startswith(FILE):
            return self.prompt
        from seqjax.data.text.shakespeare import read

        return read(Path(self.prompt.removeprefix(FILE)))


@dataclasses.dataclass
class Speed:
    """How fast a text came."""

    characters: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        """For people."""
        if not self.characters:
            return f"no speed: the first {PIECE} characters wait for the compiler"
        return f"{self.characters:,} characters, {self.characters / max(self.seconds, 1e-9):,.0f} a second"


def generate(workdir: Workdir, wish: Wish, speed: Speed) -> Iterator[tuple[int, str]]:
    """(number of the sample, the next characters of it), the prompts first, each sample in order.

    One sample comes as it is written; of several, which are written side by side, each comes whole.

    Args:
      workdir: of a run of a language model of characters.
      wish: what to write.
      speed: is filled in at the end: without the first piece, which waits for the compiler.

    Raises:
      UserError: no such run, no checkpoint, or a prompt with characters that the run has never seen.
    """
    config = workdir.run()
    experiment = experiments.of_run(workdir.path, config)
    from seqjax.data.text.characters import Characters, encoded, read_alphabet

    if not isinstance(experiment.source, Characters):
        raise UserError(f"{workdir.path} is a run of {config['experiment']}, which is no language model of characters")
    alphabet = read_alphabet(workdir.path)
    text = wish.text()
    prompt = encoded(text, alphabet, "--prompt")
    pieces = _pieces(experiment, workdir, prompt, wish, speed)
    if wish.samples == 1:
        yield 0, text
        yield from ((0, piece) for piece in _until((_written(p[0], alphabet) for p in pieces), wish.stop))
        return
    found = list(pieces)
    for sample in range(wish.samples):
        whole = (_written(piece[sample], alphabet) for piece in found)
        yield sample, text + "".join(_until(whole, wish.stop))


def _written(ids: Any, alphabet: str) -> str:
    return "".join(alphabet[token - 1] for token in ids)


def _until(pieces: Iterator[str], stop: str | None) -> Iterator[str]:
    """The pieces of a text up to the end of its first `stop`. What may be the beginning of one comes at once too."""
    written = ""
    for piece in pieces:
        if stop is not None and (end := (written + piece).find(stop, max(0, len(written) - len(stop) + 1))) >= 0:
            yield (written + piece)[len(written) : end + len(stop)]
            return
        written += piece
        yield piece


class Writer:
    """Writes by a language model, a piece at a time: `begin`, then `more` as often as wanted."""

    def __init__(self, model: Any, limits: Any, sampling: Any, piece: int):
        """Args: limits, sampling: of `seqjax.decoding`. piece: how many tokens come in one call."""
        import jax
        import jax.numpy as jnp

        from seqjax.decoding import begin_sampling, sample_more

        run = functools.partial(model.apply, method="run")

        def step(params: Any, state: Any, tokens: Any) -> Any:
            logits, state = run({"params": params}, tokens[:, None], state)
            return state, logits[:, 0]

        def begin(params: Any, rows: Any, keys: Any) -> Any:
            state = run({"params": params}, rows[:, :1])[1]
            state = jax.tree.map(jnp.zeros_like, state)
            if rows.shape[1] > 1:
                state = run({"params": params}, rows[:, :-1], state)[1]
            return begin_sampling(functools.partial(step, params), state, rows[:, -1], keys, limits, sampling, rows)

        def more(params: Any, progress: Any) -> Any:
            at = progress.position
            progress = sample_more(functools.partial(step, params), progress, limits, sampling, piece)
            return progress, jax.lax.dynamic_slice_in_dim(progress.decoded.tokens, at, piece, axis=1)

        self.begin = jax.jit(begin)
        """(params, prompts [S, P], keys [S]) -> what `more` goes on from."""
        self.more = jax.jit(more, donate_argnums=1)
        """(params, what was before) -> what is after, the next tokens [S, piece]."""


def _pieces(experiment: Any, workdir: Workdir, prompt: Any, wish: Wish, speed: Speed) -> Iterator[Any]:
    """The ids of all samples, [S, up to PIECE] at a time."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from seqjax.decoding import Limits, Sampling
    from seqjax.training.best import restore_best, shapes

    greedy = wish.temperature == 0
    sampling = Sampling(
        1.0 if greedy else wish.temperature, 1 if greedy else wish.top_k, wish.top_p, wish.min_p,
        wish.repetition_penalty,
    )  # fmt: skip
    limits = Limits(-(-wish.length // PIECE) * PIECE, never=(0,))
    example = np.zeros((1, 2), np.int32), np.ones(1, bool)
    _, params = restore_best(workdir, shapes(experiment, example))
    rows = jnp.repeat(jnp.asarray(prompt)[None], wish.samples, axis=0)  # [S, P]
    keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(wish.seed), jnp.arange(wish.samples))
    writer = Writer(experiment.model, limits, sampling, PIECE)
    progress, at = writer.begin(params, rows, keys), 0
    while at < wish.length:
        began = time.perf_counter()
        progress, piece = writer.more(params, progress)
        ids = np.asarray(piece)[:, : wish.length - at]
        if at:
            speed.characters += ids.size
            speed.seconds += time.perf_counter() - began
        at += ids.shape[1]
        yield ids
