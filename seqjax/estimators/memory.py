"""A run's folder that is no folder: what `fit` writes stays in memory, and goes with it."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from seqjax.training.workdir import Row, Workdir


class InMemory(Workdir):
    """A `Workdir` of one process."""

    def __init__(self):
        """Free."""
        super().__init__(Path("memory"))
        self.kept: list[Row] = []
        self.best = Newest()

    def rows(self) -> list[Row]:
        """Of the epochs so far."""
        return list(self.kept)

    def keep_rows(self, epochs: int) -> list[Row]:
        """As `Workdir.keep_rows`."""
        del self.kept[epochs:]
        return self.rows()

    def append_row(self, row: Row) -> None:
        """As `Workdir.append_row`."""
        self.kept.append(row)

    def checkpoints(self, name: str) -> Any:
        """The best parameters are kept; there is no later process to go on from the latest."""
        return self.best if name == "best" else Newest(kept=False)


class Newest:
    """What `fit` uses of `seqjax.training.checkpoint.Checkpoints`."""

    folder = Path("memory")

    def __init__(self, kept: bool = True):
        """Args: kept: or else only counted."""
        self._kept, self._step, self._tree = kept, -1, None

    def steps(self) -> list[int]:
        """Of the last one saved."""
        return [self._step]

    def save(self, step: int, tree: Any) -> None:
        """A copy: the buffers may be donated next."""
        self._step = step
        if self._kept:
            self._tree = jax.tree.map(jnp.copy, tree)

    def restore(self, template: Any, step: int | None = None) -> tuple[int, Any] | None:
        """What was saved last."""
        del template, step
        return None if self._tree is None else (self._step, self._tree)

    def wait(self) -> None:
        """Nothing is on its way."""

    def close(self) -> None:
        """Nothing is open."""
