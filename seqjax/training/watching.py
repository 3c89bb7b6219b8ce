"""Losses of models that say what a row should be, and the scores of detectors made of them.

Legend: B batch, N rows judged, L rows in a window, F columns.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.data.dataset import Answers
from seqjax.data.series import detections
from seqjax.data.series.detections import Detection
from seqjax.data.series.watch import Actual
from seqjax.scoring import nab
from seqjax.scoring.surprise import Recipe

MOST = 5.0
"""Deviations: an error counts no more than this in the loss, or a few spikes would be all that is learned."""
NAB_SCORES = (
    "nab",
    "nab_left_out",
    "nab_held_out",
    "nab_reward_low_FP_rate",
    "nab_reward_low_FN_rate",
    "nab_at_level",
    "nab_known_cause",
    "vus_pr",
    "vus_pr_known_cause",
)
TABLE_SCORES = ("vus_pr", "nab", "nab_at_level", "precision", "recall", "f1")
AROUND = 40
"""Rows before and after an alarm that are kept for its picture."""


def expected_error(outputs: jax.Array, targets: Actual) -> tuple[jax.Array, jax.Array]:
    """|expected - actual| in deviations, MOST at most, the mean over columns: sums [B] and counts [B]."""
    error = jnp.minimum(jnp.abs(outputs - targets.values), MOST).mean(axis=-1)
    return targets.weight * error, targets.weight


def rebuilt_error(outputs: tuple[jax.Array, jax.Array], targets: Actual) -> tuple[jax.Array, jax.Array]:
    """`expected_error` of all rows of windows [B, L, F] that are rebuilt."""
    error = jnp.minimum(jnp.abs(outputs[0] - outputs[1]), MOST).mean(axis=(1, 2))
    return targets.weight * error, targets.weight


def last_rebuilt(model: Any, params: Any, inputs: Any) -> jax.Array:
    """`Experiment.answer` of an autoencoder: the window's last row as it is rebuilt [B, F]."""
    return model.apply({"params": params}, inputs)[0][:, -1]


class AnomalyScores:
    """`Experiment`'s scores of a detector: all answers to the rows of series, put together and judged."""

    def __init__(self, recipe: Recipe, quiet: float | None = None, pictures: int = 9):
        """Args: recipe: of the score. quiet: see `detections.detect`. pictures: of so many alarms, at most."""
        self.recipe, self.quiet, self.pictures = recipe, quiet, pictures
        self.last: tuple[Any, list[Detection], dict[str, float]] | None = None
        """What was judged last: all scores are of it, one after the other."""

    def scores(self, names: tuple[str, ...]) -> dict[str, Any]:
        """By name: those of `detections.figures`, `alarm_rate`, and the tables for the report."""
        found = {name: lambda answers, name=name: self.figures(answers).get(name, {}) for name in names}
        return {**found, "alarm_rate": self.alarm_rate, "by_series": self.by_series, "alarms": self.alarms}

    def found(self, answers: Answers) -> list[Detection]:
        """Of each series that the answers are of."""
        return self._judged(answers)[0]

    def figures(self, answers: Answers) -> dict[str, float]:
        """What the detector is worth; empty where nothing is labelled."""
        return self._judged(answers)[1]

    def alarm_rate(self, answers: Answers) -> float:
        """Alarms in a thousand rows behind those trained on."""
        found = self.found(answers)
        rows = sum(len(one.scores) - one.series.trained for one in found)
        return 1000 * sum(int(one.alarms[one.series.trained :].sum()) for one in found) / max(rows, 1)

    def by_series(self, answers: Answers) -> dict[str, Any]:
        """Of each series with labels: windows, how many have an alarm, alarms outside, NAB's raw score.

        Empty where only some series are answered, to be short.
        """
        table, found = {}, self.found(answers)
        for one in found if self._are_all(answers) else ():
            if one.series.labels is None:
                continue
            windows, rows = detections.windows_of(one.series), np.flatnonzero(one.alarms)
            hit = sum(bool(((rows >= first) & (rows <= last)).any()) for first, last in windows)
            behind = rows[rows >= one.series.trained]
            false = int((one.series.labels[behind] == 0).sum())
            raw = nab.judge([one.scored()], nab.PROFILES["standard"], threshold=1e-9).raw
            table[one.series.name] = [len(windows), hit, false, round(raw, 4)]
        return table

    def alarms(self, answers: Answers) -> dict[str, Any]:
        """The alarms of the highest scores, each with what is around it: for pictures, in the columns' own units.

        Empty as `by_series`.
        """
        places, found = [], self.found(answers)
        for one in found if self._are_all(answers) else ():
            rows = np.flatnonzero(one.alarms)
            places += [(float(one.scores[row]), one, int(row)) for row in rows[rows >= one.series.trained]]
        first = sorted(places, key=lambda place: -place[0])[: self.pictures]
        return {f"{one.series.name} {one.series.times[row]}": _around(one, row) for _, one, row in first}

    def _are_all(self, answers: Answers) -> bool:
        return len(self.found(answers)) == len(answers.dataset.gather.series)  # type: ignore[attr-defined]

    def _judged(self, answers: Answers) -> tuple[list[Detection], dict[str, float]]:
        if self.last is None or self.last[0] is not answers:
            found = [self._detection(answers, *place) for place in _places(answers)]
            self.last = (answers, found, detections.figures(found))
        return self.last[1:]

    def _detection(self, answers: Answers, series: Any, expected: np.ndarray) -> Detection:
        return detections.detect(series, expected.astype(np.float64), self.recipe, self.quiet)


def _places(answers: Answers) -> list[tuple[Any, np.ndarray]]:
    """Each series that is answered as a whole, with its answers [N, F]."""
    start, found = 0, []
    for one in answers.dataset.gather.series:  # type: ignore[attr-defined]
        place = np.searchsorted(answers.ids, start)
        if place < len(answers.ids) and answers.ids[place] == start:
            found.append((one, np.asarray(answers.outputs[place : place + len(one.times)])))
        start += len(one.times)
    return found


def _around(one: Detection, row: int) -> Mapping[str, Any]:
    """The column that differs most from what was expected, and the score, in the rows around an alarm."""
    series = one.series
    actual = (series.values[row] - series.mean) / series.std
    column = int(np.argmax(np.abs(actual - one.expected[row])))
    start, stop = max(row - AROUND, 0), min(row + AROUND + 1, len(series.times))
    own = slice(start, stop)
    digits = lambda values: " ".join(f"{value:.6g}" for value in values)  # in a list each would have a line of its own
    return {
        "series": series.name,
        "date": str(series.times[row]).replace("T", " ").removesuffix(".000000"),
        "score": round(float(one.scores[row]), 3),
        "column": column,
        "row": row - start,
        "values": digits(series.values[own, column]),
        "expected": digits(series.unit(one.expected)[own, column]),
        "labelled": "" if series.labels is None else digits(np.flatnonzero(series.labels[own])),
    }
