"""A run that is asked again and again: its parameters are read once, and its answers come in calls of one size.

Legend: B rows of a call, T steps.
"""

import io
import re
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from seqjax import interface
from seqjax.data.dataset import Requests
from seqjax.errors import UserError
from seqjax.runs.prediction import answering, as_decided
from seqjax.serve.kinds import fit_of, kind_of
from seqjax.training.program import answer

PACKED = (b"PK", b"BZh", b"PAR1", b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"Obj")
"""How files begin that hold more than they seem to: they are for --mode=predict, not for strangers."""
SHORTEST = 8
"""Steps of the shortest shape; the others are of twice as many, and again."""
OPTIONS = {"beam": 10, "n_best": 10}
"""Options of an answer, and the most that each may be."""


class Model:
    """A run, ready to be asked."""

    def __init__(self, path: Path, name: str, batch: int, trust: bool = False):
        """Args: path: of the run's folder. name: in addresses. batch: B. trust: as `seqjax.load`.

        Raises:
          UserError: no run, no checkpoint, or a stranger's experiment.
        """
        self.run = interface.load(path, trust=trust)
        self.name, self.batch, self.path = name, batch, self.run.path
        config = self.run.config
        self.experiment = as_decided(self.run.experiment, self.run.workdir)
        self.kind = kind_of(self.experiment.source, self.path)
        self.params = jax.device_put(self.run.params, jax.local_devices()[0])
        self.fit = fit_of(self.kind, self.path, self.experiment.source)
        self.title, self.shapes = str(config["experiment"]), set[Hashable]()
        """The shapes that have been asked for: so many programs have been compiled."""
        self._programs: dict[tuple, Any] = {}

    def options(self, wanted: Mapping[str, int]) -> tuple[tuple[str, Any], ...]:
        """Options of an answer as part of a key. Raises UserError: the run has no such option, or refuses them."""
        found = dict(wanted)
        if self.kind == "translation" and getattr(self.experiment.model, "attention", "none") != "none":
            found["attention"] = True
        answering(self.experiment, found, self.title)
        return tuple(sorted(found.items()))

    def requests(self, data: bytes) -> Requests:
        """Of a file's content. Raises UserError: malformed, whatever that makes of the reading."""
        if data.startswith(PACKED):
            raise UserError("give plain text: packed and binary files are for --mode=predict")
        return self.read(data)

    def read(self, data: bytes) -> Requests:
        """As `requests`, of any content."""
        text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="\n")
        try:
            found = self.experiment.source.requests(self.path, text, "the text")
        except UserError:
            raise
        except Exception as error:  # whatever an odd text makes of a reader that nobody has told of it
            raise UserError(f"the text cannot be read ({type(error).__name__}: {_short(error)})") from error
        if not len(found.ids):
            raise UserError("there is no example in it")
        return found

    def rows(self, requests: Requests, start: int, stop: int) -> list[tuple[Hashable, Any]]:
        """Of some examples: (what shape it is of, its inputs, a tree of arrays without an axis for the batch)."""
        ids = requests.ids[start:stop]
        gathered = jax.tree.map(np.asarray, requests.gather(requests.arrays, ids))
        found = []
        for k, number in enumerate(ids):
            row = jax.tree.map(lambda leaf, k=k: leaf[k], gathered)
            if self.fit is not None:
                row = self._fitted(row, requests, int(number))
            found.append((tuple((leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(row)), row))
        return found

    def _fitted(self, row: Any, requests: Requests, number: int) -> Any:
        """Cut to its own length, and padded to the next of few: so that what it was asked with does not tell."""
        if self.kind == "series" and isinstance(row, np.ndarray):
            row = row, np.ones(len(row), bool)  # of series that are all of one length, what is real is not said
        leaves = [leaf for leaf in jax.tree.leaves(row) if leaf.ndim]
        longest = max((leaf.shape[0] for leaf in leaves), default=0)
        assert self.fit is not None
        if self.fit.counts:
            length = int(requests.arrays[self.fit.counts][number])
        elif self.fit.trimmed:
            length = max((_length(leaf, self._padding(leaf)) for leaf in leaves), default=0)
        else:
            length = longest if requests.lengths is None else int(requests.lengths[number])
        size = SHORTEST
        while size < length:
            size *= 2

        def cut(leaf: np.ndarray) -> np.ndarray:
            if not leaf.ndim or leaf.shape[0] != longest:
                return leaf
            made = np.full((size, *leaf.shape[1:]), self._padding(leaf), leaf.dtype)
            made[: min(size, longest)] = leaf[:size]
            return made

        return jax.tree.map(cut, row)

    def _padding(self, leaf: np.ndarray) -> int:
        assert self.fit is not None
        return self.fit.padding if np.issubdtype(leaf.dtype, np.integer) else 0

    def answers(self, key: tuple[Any, ...], rows: Sequence[Any]) -> list[Any]:
        """The answers to up to B rows of one shape, trees of NumPy arrays; key: (options, shape)."""
        options, shape = key
        filled = [*rows, *[rows[0]] * (self.batch - len(rows))]
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *filled)
        self.shapes.add((options, shape))
        found = jax.device_get(self._program(options)(self.params, stacked))
        return [jax.tree.map(lambda leaf, k=k: leaf[k], found) for k in range(len(rows))]

    def _program(self, options: tuple) -> Any:
        if options not in self._programs:
            experiment = answering(self.experiment, dict(options), self.title)
            self._programs[options] = jax.jit(lambda params, inputs: answer(experiment, params, inputs))
        return self._programs[options]


def _length(leaf: np.ndarray, padding: int) -> int:
    """Steps up to the last that is no padding."""
    kept = leaf != padding
    some = np.flatnonzero(kept.reshape(len(leaf), -1).any(axis=1)) if leaf.size else []
    return int(some[-1]) + 1 if len(some) else 0


def _short(error: Exception) -> str:
    return " ".join(re.sub(r"/\S+", "...", str(error)).split())[:120]
