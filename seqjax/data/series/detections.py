"""What a detector makes of series under watch: scores and alarms, from what was expected; and what these are worth.

Legend: N rows of a series, F columns.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.data.series.watch import Watched
from seqjax.scoring import nab, ranges
from seqjax.scoring.surprise import Recipe, judged

KNOWN = "realKnownCause/"
"""NAB's folder of series whose anomalies' causes are known: figures of these alone are given beside."""
RANDOM_SEEDS = 5


@dataclasses.dataclass(frozen=True)
class Detection:
    """A series as a detector has seen it."""

    series: Watched
    expected: np.ndarray
    """[N, F] standardised."""
    scores: np.ndarray
    """[N]."""
    alarms: np.ndarray
    """[N] bool: at the recipe's level, and silent for a while after each."""
    level: float

    def scored(self) -> nab.Scored:
        """For NAB's score: a row that is silent after an alarm, or below the level, has none."""
        quieted = np.where(self.alarms, self.scores, 0.0)
        return nab.Scored(quieted, windows_of(self.series), self.series.name, self.series.trained)

    @property
    def labels(self) -> np.ndarray:
        """[N - trained] bool, of the rows that are judged."""
        labels = self.series.labels
        return np.zeros(0, bool) if labels is None else labels[self.series.trained :] > 0


def windows_of(series: Watched) -> nab.Windows:
    """The runs of rows with one label, but for 0."""
    if series.labels is None:
        return []
    found = []
    for label in np.unique(series.labels[series.labels > 0]):
        found += [(int(start), int(stop) - 1) for start, stop in ranges.ranges_of(series.labels == label)]
    return sorted(found)


def detect(series: Watched, expected: np.ndarray, recipe: Recipe, quiet: float | None = None) -> Detection:
    """Judge a series from its beginning.

    Args:
      series: under watch.
      expected: [N, F] standardised, of each row from those before it.
      recipe: of the score.
      quiet: instead of the recipe's rows a share of the training rows.
    """
    if quiet is not None:
        recipe = dataclasses.replace(recipe, quiet=int(quiet * series.trained))
    actual = (series.values - series.mean) / series.std
    missing = np.zeros(actual.shape, bool) if series.missing is None else series.missing
    return Detection(series, expected, *judged(recipe, residuals(actual, expected, missing), actual), recipe.level)


def residuals(actual: np.ndarray, expected: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """[N] the mean over columns of |actual - expected| [N, F], without what is missing; NaN where all of them are."""
    apart, there = np.where(missing, 0.0, np.abs(actual - expected)), (~missing).sum(axis=1)
    return np.where(there > 0, apart.sum(axis=1) / np.maximum(there, 1), np.nan)


def figures(found: Sequence[Detection]) -> dict[str, float]:
    """What detections are worth together; empty where nothing is labelled.

    NAB's scores are at the threshold that is best on these very series, but for `nab_left_out`, where it is that of the
    other series, and `nab_at_level`: the recipe's alarms. VUS-PR of the scores and range-based precision and recall of
    the rows at the recipe's level are means over series.
    """
    files = [one.scored() for one in found]
    if not nab.count(files):
        return {}
    by_profile = nab.by_profile(files)
    scores = {"nab": by_profile["standard"].score, "nab_left_out": nab.left_out(files, nab.PROFILES["standard"])}
    scores |= {f"nab_{name}": by_profile[name].score for name in nab.PROFILES if name != "standard"}
    scores["nab_at_level"] = nab.judge(files, nab.PROFILES["standard"], threshold=1e-9).score
    scores |= {"vus_pr": vus_pr(found), **_of_ranges(found)}
    known = [one for one in found if one.series.name.startswith(KNOWN)]
    if known and len(known) < len(found):
        own = [one.scored() for one in known]
        scores["nab_known_cause"] = nab.judge(own, nab.PROFILES["standard"]).score
        scores["vus_pr_known_cause"] = vus_pr(known)
    held_out = [one for one in found if not one.series.tuned]
    if held_out and len(held_out) < len(found):
        scores["nab_held_out"] = nab.judge([one.scored() for one in held_out], nab.PROFILES["standard"]).score
    return scores


def vus_pr(found: Sequence[Detection]) -> float:
    """The mean over those series that have an anomaly behind their training rows."""
    labelled = [one for one in found if one.labels.any()]
    volumes = [ranges.vus_pr(one.labels, one.scores[one.series.trained :]) for one in labelled]
    return float(np.mean(volumes)) if volumes else 0.0


def _of_ranges(found: Sequence[Detection]) -> dict[str, float]:
    labelled = [one for one in found if one.labels.any()]
    pairs = [(one.labels, one.scores[one.series.trained :] >= one.level) for one in labelled]
    score = {"precision": ranges.precision, "recall": ranges.recall, "f1": ranges.f1}
    return {name: float(np.mean([function(*pair) for pair in pairs] or [0.0])) for name, function in score.items()}


def baselines(
    series: Sequence[Watched], horizon: int, recipe: Recipe, quiet: float | None = None
) -> dict[str, dict[str, Any]]:
    """Of what needs no model: no alarms, random scores, and the last value that was known as what is expected, judged
    by the same recipe. Empty where nothing is labelled.
    """
    naive = [detect(one, last_known(one, horizon), recipe, quiet) for one in series]
    parts = {"validation": [one for one in naive if one.series.tuned] or naive, "test": naive}
    found: dict[str, dict[str, Any]] = {"null": {}, "random": {}, "naive": {}}
    for part, own in parts.items():
        scores = figures(own)
        if not scores:
            return {}
        found["null"][part] = {"nab": 0.0}
        found["random"][part] = _random(own)
        found["naive"][part] = scores
    return found


def last_known(series: Watched, horizon: int) -> np.ndarray:
    """[N, F] standardised: the value some rows before each, at least one; before the first row, that one."""
    actual = (series.values - series.mean) / series.std
    back = max(horizon, 1)
    return np.concatenate([np.repeat(actual[:1], back, axis=0), actual])[: len(actual)]


def _random(found: Sequence[Detection]) -> Mapping[str, float]:
    """The mean over seeds of scores that are drawn evenly, as NAB's random detector has them."""
    nabs, volumes = [], []
    for seed in range(RANDOM_SEEDS):
        rng = np.random.default_rng(seed)
        drawn = [dataclasses.replace(one, scores=rng.random(len(one.scores))) for one in found]
        files = [nab.Scored(one.scores, windows_of(one.series), one.series.name, one.series.trained) for one in drawn]
        nabs.append(nab.judge(files, nab.PROFILES["standard"]).score)
        volumes += [vus_pr(drawn)] if seed == 0 else []
    return {"nab": float(np.mean(nabs)), "vus_pr": volumes[0]}
