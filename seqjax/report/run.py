"""One run, as the report sees it: from its folder, or from a row that was kept (`seqjax.report.kept`)."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class Run:
    """As far as it has come."""

    path: Path
    """Its folder, or the file that keeps its row."""
    config: Mapping[str, Any]
    results: Mapping[str, Any] | None
    """None: unfinished."""
    rows: Sequence[Mapping[str, Any]]
    """Of metrics.jsonl, one per epoch."""
    kept: bool = False
    """Its scores are kept, not its folder."""
    weights: Path | None = None
    """The file with its best epoch's, where a kept row has it."""

    @property
    def seed(self) -> int:
        """Of everything random in it."""
        return self.config["options"].get("seed", 0)

    def seconds(self, *, until_best: bool = False) -> float | None:
        """Of a finished run, for all epochs or for those up to the best one. None where nothing was trained.

        Each counts as the median one, which a pause or compiling does not change.
        """
        if not self.results or not self.rows:
            return None
        epochs = self.results["best_epoch"] if until_best else len(self.rows)
        return epochs * statistics.median(row["seconds"] for row in self.rows)
