"""What is known when the book is written: kept results of the rows, the lecture's own measurements, data to draw.

Whatever is missing is said to be missing, with the command that would measure it; no number is made up.
"""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqjax.errors import UserError
from seqjax.lecture.section import Judged
from seqjax.report import comparisons, runs, table, verdicts
from seqjax.report.claims import Claim
from seqjax.report.runs import Group
from seqjax.report.verdicts import NOT_RUN, Verdict

MISSING = "(not measured here)"


class Known:
    """Asked by the chapters."""

    def __init__(self, results: Path | None, data_dir: Path, data: str = "real"):
        """Args: results: a folder of kept rows or runs, None: no results. data: real, or sample for fresh runs."""
        found = runs.find(results) if results else runs.Found()
        self.results, self.data_dir, self.data = results, data_dir, data
        self.speeds = found.speeds
        self.groups = [row for row in runs.group(found.runs) if row.data == data]
        self.rows = table.rows(self.groups, found.keras)

    @functools.cached_property
    def verdicts(self) -> list[Verdict]:
        """On all claims of the report."""
        return verdicts.judge(self.groups, speeds=self.speeds, data=self.data)

    def group(self, name: str, **options: Any) -> Group | None:
        """The row of an experiment with just these knobs changed (epochs are free), of several that with most seeds."""
        return max(verdicts.candidates(self.groups, name, options), key=lambda row: len(row.runs), default=None)

    def row(self, name: str, **options: Any) -> table.Row | None:
        """As the report's table has it."""
        found = self.group(name, **options)
        return next((row for row in self.rows if found and row["label"] == found.label), None)

    def mean(self, name: str, part: str = "test", **options: Any) -> float | None:
        """A row's mean score over its seeds."""
        row = self.row(name, **options)
        return row["ours"][part]["mean"] if row else None

    def score(self, name: str, part: str = "test", **options: Any) -> str:
        """`2.615 ± 0.129 (5)`, or that it is missing."""
        row = self.row(name, **options)
        return table.score(row["ours"][part], row["metric"]) if row else MISSING

    def lecture(self, name: str, part: str = "test") -> str:
        """The lecture's own figure for a row."""
        row = self.row(name)
        value = row["lecture"].get(part, {}).get(row["metric"]) if row else None
        return table.number(value, row["metric"]) if row and value is not None else MISSING

    def table(self, names: Sequence[str]) -> list[list[str]]:
        """The lecture's figure, ours and Keras's of these rows, lines of texts with the heading first."""
        lines = [["experiment", "parameters", "lecture", "ours, test", "ours, validation", "Keras, test"]]
        for name in names:
            row = self.row(name)
            if row is None:
                lines.append([name, "", "", MISSING, MISSING, ""])
                continue
            keras = table.score(row["keras"]["test"], row["metric"]) if row["keras"] else "-"
            said = self.lecture(name).replace(MISSING, "-")
            lines.append(
                [name, f"{row['parameters']:,}", said, self.score(name), self.score(name, "validation"), keras]
            )
        return lines

    def claims(self, *wanted: tuple[str | None, str] | tuple[str | None, str, str]) -> list[Verdict]:
        """The verdicts on claims, each named by (better, worse) or (better, worse, metric or part)."""
        found = []
        for better, worse, *rest in wanted:
            found += [v for v in self.verdicts if _is(v.claim, better, worse, rest[0] if rest else None)]
        return found

    def judged(self, *wanted: tuple[str | None, str] | tuple[str | None, str, str]) -> Judged:
        """The verdict on the first of these claims, and the evidence on all."""
        found = self.claims(*wanted)
        if not found:
            raise UserError(f"no claim of the report is {wanted}")
        return Judged(found[0].verdict, " ".join(f"{v.claim.meaning}: {v.verdict} ({v.evidence})." for v in found))

    def own(self, name: str) -> dict[str, Any] | None:
        """What a program of the lecture has kept under `lecture/NAME.json`; None where it has not run."""
        path = self.results and self.results / "lecture" / f"{name}.json"
        if not path or not path.exists():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(f"{path} is damaged ({error}); take it from git again") from error
        return found if isinstance(found, dict) else {"rows": found}

    def compared(self, title: str) -> list[list[str]]:
        """One of the report's comparisons of text representations; [] where nothing of it was measured."""
        found = dict(comparisons.tables(self.groups, self.rows, self.speeds))
        return found.get(title, [])


def _is(claim: Claim, better: str | None, worse: str, what: str | None) -> bool:
    return (claim.better, claim.worse) == (better, worse) and what in (None, claim.metric, claim.part)


def not_measured(command: str) -> Judged:
    """Where nothing is known yet."""
    return Judged(NOT_RUN, f"Not measured yet: `{command}`.")
