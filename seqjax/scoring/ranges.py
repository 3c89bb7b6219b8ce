"""Scores of a detector whose anomalies last: range-based precision and recall, and the volume under their surface.

`precision`, `recall`: Tatbul et al. 2018 (NeurIPS), "Precision and Recall for Time Series". `vus_pr`: Paparrizos et al.
2022 (PVLDB 15), "Volume Under the Surface"; both as `aeon.benchmarking.metrics.anomaly_detection` has them.

No score here is "point-adjusted" (an anomaly counted as found as a whole, once any of its rows is): that makes random
scores look good (Kim et al. 2022, AAAI, "Towards a Rigorous Evaluation of Time-Series Anomaly Detection").

Legend: N rows, R ranges, K thresholds.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqjax.errors import UserError

THRESHOLDS = 250
"""K: taken evenly from the sorted scores."""
BUFFER = 100
"""Rows, the largest: TSB-AD's window."""
BIASES = ("flat", "front", "middle", "back")


def ranges_of(marked: np.ndarray) -> np.ndarray:
    """[N] bool -> [R, 2] the first row of each run of True, and the row behind its last.

    >>> ranges_of(np.array([0, 1, 1, 0, 1], bool))
    array([[1, 3],
           [4, 5]])
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(marked, bool).astype(np.int8), [0]])))
    return edges.reshape(-1, 2)


def precision(labels: np.ndarray, alarms: np.ndarray, bias: str = "flat", reciprocal: bool = True) -> float:
    """The mean over runs of alarms of the share of them that lies in anomalies; without an alarm 0.

    Args:
      labels: [N] bool, the rows of anomalies.
      alarms: [N] bool.
      bias: which rows of a run count more: `flat`, `front`, `middle` or `back`.
      reciprocal: a run that touches several anomalies counts the less: its share is divided by their number.

    Raises:
      UserError: an unknown bias, or arrays of different lengths.

    >>> precision(np.array([0, 1, 1, 1], bool), np.array([1, 1, 0, 0], bool))
    0.5
    """
    return _overlap(alarms, labels, bias, reciprocal, 0.0)


def recall(
    labels: np.ndarray, alarms: np.ndarray, bias: str = "flat", reciprocal: bool = True, existence: float = 0.0
) -> float:
    """The mean over anomalies of the share of their rows that have alarms; without an anomaly 0.

    Args: as `precision`; existence: how much of the score an anomaly has for one alarm in it, wherever that is.

    >>> recall(np.array([0, 1, 1, 0], bool), np.array([1, 1, 0, 0], bool), existence=0.5)
    0.75
    """
    return _overlap(labels, alarms, bias, reciprocal, existence)


def f1(labels: np.ndarray, alarms: np.ndarray) -> float:
    """The harmonic mean of both, as they are by default.

    >>> round(f1(np.array([0, 1, 1, 1], bool), np.array([1, 1, 0, 0], bool)), 3)
    0.4
    """
    found, hit = precision(labels, alarms), recall(labels, alarms)
    return 2 * found * hit / (found + hit) if found + hit else 0.0


def _overlap(of: np.ndarray, others: np.ndarray, bias: str, reciprocal: bool, existence: float) -> float:
    """The mean over the ranges `of` of the share of each that the other ranges cover."""
    if bias not in BIASES:
        raise UserError(f"bias={bias} is unknown; choices: {', '.join(BIASES)}")
    of, others = np.asarray(of, bool), np.asarray(others, bool)
    if of.shape != others.shape or of.ndim != 1:
        raise UserError(f"labels and alarms have shapes {of.shape} and {others.shape}: one of each row is needed")
    theirs, scores = ranges_of(others), []
    for start, stop in ranges_of(of):
        covered = others[start:stop]
        touched = int(((theirs[:, 0] < stop) & (theirs[:, 1] > start)).sum())
        weight = _weights(stop - start, bias)
        share = float(weight[covered].sum() / weight.sum()) / (max(touched, 1) if reciprocal else 1)
        scores.append(existence * (touched > 0) + (1 - existence) * share)
    return float(np.mean(scores)) if scores else 0.0


def _weights(length: int, bias: str) -> np.ndarray:
    """[length] of the rows of a range."""
    place = np.arange(1, length + 1)
    if bias == "front":
        return 1 - (place - 1) / length
    if bias == "back":
        return place / length
    if bias == "middle":
        return np.where(place <= length / 2, place, length - place + 1) / (length / 2)
    return np.ones(length)


def softened(labels: np.ndarray, buffer: int) -> np.ndarray:
    """[N] float64: 1 in anomalies, falling off on both sides within half a buffer: sqrt(1 - distance / buffer).

    As published, the slope behind an anomaly is one row shorter than the one before it.

    >>> softened(np.array([0, 0, 0, 1, 0, 0, 0], bool), buffer=4).round(2)
    array([0.  , 0.71, 0.87, 1.  , 0.87, 0.  , 0.  ])
    """
    soft = np.asarray(labels, bool).astype(np.float64)
    if buffer <= 1:
        return soft
    reach, rows = buffer // 2, len(soft)
    for start, stop in ranges_of(labels):
        behind = np.arange(stop - 1, min(stop - 1 + reach, rows))
        before = np.arange(max(start - reach, 0), start)
        soft[behind] += np.sqrt(1 - (behind - (stop - 1)) / buffer)
        soft[before] += np.sqrt(1 - (start - before) / buffer)
    return np.minimum(soft, 1)


def pr_auc(labels: np.ndarray, scores: np.ndarray, buffer: int) -> float:
    """The area under precision and recall of softened labels (`softened`); see `vus_pr`.

    >>> pr_auc(np.array([0, 0, 1, 0], bool), np.array([0.1, 0.2, 0.9, 0.3]), buffer=0)
    1.0
    """
    return _Ordered(labels, scores).area(buffer)


def vus_pr(labels: np.ndarray, scores: np.ndarray, buffer: int = BUFFER) -> float:
    """The mean of `pr_auc` over all buffers from 0 to the largest; of scores that are all equal 0.

    Recall is that of softened labels times the share of ranges in which there is an alarm at all.

    Args:
      labels: [N] bool, the rows of anomalies.
      scores: [N] the larger, the more of an anomaly.
      buffer: the largest, in rows.

    Raises:
      UserError: no row is labelled, so that there is nothing to be found; or scores that are not finite.

    >>> labels = np.zeros(500, bool)
    >>> labels[200:220] = True
    >>> round(vus_pr(labels, labels.astype(float) + np.linspace(0, 0.1, 500)), 2)
    0.6
    """
    ordered = _Ordered(labels, scores)
    return float(np.mean([ordered.area(size) for size in range(buffer + 1)]))


class _Ordered:
    """Rows by descending score, and the thresholds."""

    def __init__(self, labels: Any, scores: Any):
        self.labels, self.scores = np.asarray(labels, bool), np.asarray(scores, np.float64)
        if self.labels.shape != self.scores.shape or self.labels.ndim != 1:
            raise UserError(f"labels and scores have shapes {self.labels.shape} and {self.scores.shape}")
        if not np.isfinite(self.scores).all():
            raise UserError("scores are not finite")
        if not self.labels.any():
            raise UserError("no row is labelled as an anomaly: there is no precision and recall of nothing")
        self.order = np.argsort(-self.scores, kind="stable")
        falling = self.scores[self.order]
        self.thresholds = falling[np.linspace(0, len(falling) - 1, THRESHOLDS).astype(int)]  # [K]
        self.alarms = np.searchsorted(-falling, -self.thresholds, side="right")  # [K] rows at or above each
        self.constant = falling[0] == falling[-1]

    def area(self, buffer: int) -> float:
        if self.constant:
            return 0.0
        soft = softened(self.labels, buffer)
        found = np.cumsum(soft[self.order])[self.alarms - 1]  # [K]
        most = (self.labels.sum() + soft.sum()) / 2
        highest = self._highest(ranges_of(soft > 0))
        touched = (highest[None, :] >= self.thresholds[:, None]).mean(axis=1)  # [K]
        sensitivity = np.minimum(found / most, 1) * touched
        steps = np.diff(sensitivity, prepend=0.0)
        sure = found / self.alarms
        return float(np.sum(steps * (sure + np.concatenate([[1.0], sure[:-1]])) / 2))

    def _highest(self, ranges: Sequence[Any] | np.ndarray) -> np.ndarray:
        """[R] of each range's scores."""
        return np.array([self.scores[start:stop].max() for start, stop in ranges])
