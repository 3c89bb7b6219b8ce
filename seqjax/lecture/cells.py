"""Cells with a meaning: which of a character model's memories follow the line, the word or the name of the speaker?

As Karpathy, Johnson and Li (2015, arXiv 1506.02078) found them by eye; here by correlation, on one part of the text,
and judged on another, where nothing was chosen:

1. `character_features.features` says of every character what might be followed, from the text alone;
2. `search` finds for each feature the cell whose c correlates best with it, on the fitting part;
3. `verify` correlates that cell on held-out text, and asks how often the best of *all* cells does as well by chance:
   the feature's blocks of some hundred characters are dealt out anew (neighbours correlate, blocks hardly), and the
   largest |r| over all cells and all features counts each time (Westfall and Young's max-T).

Legend: N characters, U cells, K features, P permutations, M blocks.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.errors import UserError, check_least
from seqjax.lecture.character_features import features

if TYPE_CHECKING:
    from pathlib import Path

    from seqjax.training.workdir import Workdir

BLOCK = 500
"""Characters of a block: a dozen lines."""
PERMUTATIONS = 999
SHOWN = ("line position", "speaker name")
"""Features whose cells are kept with a piece of the text."""


class Found(NamedTuple):
    """A feature, and the cell that follows it best."""

    feature: str
    cell: int
    fitted: float
    """Correlation on the fitting part, which chose the cell."""
    held_out: float
    """And on the other."""
    p: float
    """How often chance does as well with the best of all cells and features: (1 + times) / (1 + permutations)."""
    threshold: float
    """The |r| that chance passes in 5 % of permutations."""


def states(model: Any, params: Any, ids: np.ndarray, piece: int = 4096) -> np.ndarray:
    """c of every unit after every character of one stream [N, U], the state handed on; float32.

    Args:
      model: a `LanguageModel` of one LSTM layer.
      params: of it.
      ids: [N].
      piece: characters in a call.

    Raises:
      UserError: another layer.
    """
    from seqjax.probes.listening import listening

    def run(ids: jax.Array, state: Any) -> Any:
        with listening(dtype=jnp.float32) as listener:
            _, state = model.apply({"params": params}, ids[None], state, method="run")
        heard = list(listener.heard.values())
        if len(heard) != 1 or not isinstance(heard[0].states, tuple):
            raise UserError("cells are looked for in a model of one LSTM layer")
        return heard[0].states[1][0], state

    check_least("characters", len(ids), 1)
    compiled, state, found = jax.jit(run), None, []
    for start in range(0, len(ids), piece):
        own = np.pad(ids[start : start + piece], (0, max(0, start + piece - len(ids))), constant_values=1)
        c, state = compiled(jnp.asarray(own), state)  # what is padded comes last, and is cut
        found.append(np.asarray(c))
    return np.concatenate(found)[: len(ids)]


def standard(values: np.ndarray) -> np.ndarray:
    """[N, ...] with mean 0 and deviation 1 along N; what never changes becomes 0."""
    centred = values - values.mean(axis=0)
    deviation = centred.std(axis=0)
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 0)


def correlations(cells: np.ndarray, known: Mapping[str, np.ndarray]) -> np.ndarray:
    """Pearson's r of every feature with every cell [K, U]; cells are [N, U]."""
    table = standard(np.stack(list(known.values()), axis=1).astype(float))
    return table.T @ standard(cells.astype(float)) / len(cells)


def search(cells: np.ndarray, known: Mapping[str, np.ndarray]) -> dict[str, tuple[int, float]]:
    """For each feature the cell with the largest |r|, and its r."""
    found = correlations(cells, known)
    best = np.abs(found).argmax(axis=1)
    return {name: (int(cell), float(row[cell])) for name, row, cell in zip(known, found, best, strict=True)}


def null(
    cells: np.ndarray,
    known: Mapping[str, np.ndarray],
    block: int = BLOCK,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> np.ndarray:
    """[P] the largest |r| of any cell with any feature whose blocks are dealt out anew.

    Whole blocks alone are used, so that a permutation changes neither mean nor deviation. r is a sum over the pairs of
    blocks that meet, and all pairs are multiplied once.

    Raises:
      UserError: fewer than 20 blocks: so few permutations tell nothing.
    """
    count = len(cells) // block
    if count < 20:
        raise UserError(f"{len(cells):,} characters are {count} blocks of {block}: at least 20 are needed")
    size = count * block
    rng = np.random.default_rng(seed)
    orders = np.array([rng.permutation(count) for _ in range(permutations)])  # [P, M]
    table = standard(cells[:size].astype(float)).T.reshape(-1, count, block)  # [U, M, block]
    highest = np.zeros(permutations)
    for values in known.values():
        own = standard(values[:size].astype(float)).reshape(count, block)
        for cell in table:
            pairs = cell @ own.T / size  # [M, M]
            highest = np.maximum(highest, np.abs(pairs[np.arange(count)[None], orders].sum(axis=1)))
    return highest


def verify(
    chosen: Mapping[str, tuple[int, float]], cells: np.ndarray, known: Mapping[str, np.ndarray], **options: Any
) -> list[Found]:
    """What `search` has chosen, on text that it has not seen; options are those of `null`."""
    chance = null(cells, known, **options)
    limit = float(np.quantile(chance, 0.95))
    found = correlations(cells, known)
    verdicts = []
    for k, name in enumerate(known):
        cell, fitted = chosen[name]
        r = float(found[k, cell])
        p = (1 + int((chance >= abs(r)).sum())) / (1 + len(chance))
        verdicts.append(Found(name, cell, fitted, r, p, limit))
    return verdicts


def of_run(workdir: "Workdir", data_dir: "Path", characters: int | None = None, excerpt: int = 320) -> dict[str, Any]:
    """All of it, of a run of `shakespeare_lstm` with one layer: fitted on validation text, judged on test text.

    Args:
      workdir: of the run.
      data_dir: where the text is.
      characters: of each part, at most; None: all.
      excerpt: characters of the test text to show, with the cells' values.

    Returns:
      as JSON takes it: `experiments/results/lecture/meaningful_cells.json`.

    Raises:
      UserError: another kind of run.
    """
    from seqjax.data.text.characters import Characters, read_alphabet
    from seqjax.runs import commands

    _, params, program = commands.opened(workdir, [], data_dir)
    source, dataset = program.experiment.source, program.dataset
    if not isinstance(source, Characters):
        raise UserError(f"{workdir.path} is no run of a language model of characters")
    alphabet = read_alphabet(workdir.path)
    parts = {}
    for part in ("validation", "test"):
        ids = dataset.parts[part]
        first, stop = int(dataset.arrays["first"][ids].min()), int(dataset.arrays["stop"][ids].max())
        own = dataset.arrays["text"][first : stop if characters is None else min(stop, first + characters)]
        text = "".join(alphabet[token - 1] for token in own)
        parts[part] = text, states(program.experiment.model, params, own)
    chosen = search(parts["validation"][1], features(parts["validation"][0]))
    text, cells = parts["test"]
    found = verify(chosen, cells, features(text))
    begin = text.find("\n\n") + 2 if "\n\n" in text else 0  # the first speech that begins there
    shown = slice(begin, begin + excerpt)
    values = {one.feature: np.round(cells[shown, one.cell], 2).tolist() for one in found if one.feature in SHOWN}
    facts = {"fitted_on": len(parts["validation"][0]), "held_out": len(text), "cells": cells.shape[1], "block": BLOCK}
    excerpted = {"text": text[shown], "values": values}
    return {**facts, "permutations": PERMUTATIONS, "found": [one._asdict() for one in found], "excerpt": excerpted}
