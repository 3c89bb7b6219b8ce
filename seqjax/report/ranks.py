"""Methods ranked over many data sets, and which of them differ: as aeon's critical-difference diagram has it.

Demsar 2006 (JMLR 7, "Statistical comparisons of classifiers over multiple data sets"): Friedman's test asks whether the
mean ranks differ at all; then either Nemenyi's critical difference, or Wilcoxon's signed-rank test of each pair, the
better of the two by rank against the other, one-sided, at the level / (K - 1) as aeon has it.

Legend: N data sets, K methods.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.errors import UserError

TESTS = ("wilcoxon", "nemenyi")
Table = Mapping[str, Mapping[str, float]]
"""Method -> data set -> accuracy."""


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Methods by mean rank, the best first."""

    methods: Sequence[str]
    data_sets: Sequence[str]
    """[N]: those that all methods have."""
    accuracies: np.ndarray
    """[N, K]."""
    ranks: np.ndarray
    """[K]: means over the data sets; 1 is the best, equals share theirs."""
    friedman: float
    """p of there being no difference; not a number of fewer than three methods."""
    p: np.ndarray
    """[K, K]: of row against column, one-sided, above the diagonal; not a number elsewhere, and of Nemenyi's test."""
    cliques: Sequence[tuple[int, int]]
    """First and last of each group in which the first is not found to differ from any other."""
    test: str
    level: float
    difference: float | None = None
    """Nemenyi's critical difference."""


def complete(table: Table) -> tuple[list[str], dict[str, list[str]]]:
    """-> (the data sets that every method has, method -> those that it lacks of what any other has)."""
    names = sorted({name for own in table.values() for name in own})
    lacking = {method: [name for name in names if name not in own] for method, own in table.items()}
    return [name for name in names if all(name in own for own in table.values())], lacking


def rank(table: Table, test: str = "wilcoxon", level: float = 0.05) -> Ranking:
    """Rank methods by accuracy over the data sets that all of them have.

    Raises:
      UserError: an unknown test, a level that is none, fewer than two methods, or fewer than two data sets in common.
    """
    from scipy.stats import friedmanchisquare, rankdata

    if test not in TESTS:
        raise UserError(f"test {test!r} is unknown; choose one of {', '.join(TESTS)}")
    if not 0 < level < 1:
        raise UserError(f"a level of significance is between 0 and 1, not {level}")
    names, _ = complete(table)
    if len(table) < 2 or len(names) < 2:
        raise UserError(
            f"{len(table)} methods with {len(names)} data sets in common cannot be ranked: two of both at least"
        )
    methods = np.array(list(table), object)
    accuracies = np.array([[table[method][name] for method in methods] for name in names], np.float64)
    means = rankdata(-accuracies, axis=1).mean(axis=0)
    order = np.argsort(means, kind="stable")
    methods, accuracies, means = methods[order], accuracies[:, order], means[order]
    alike = bool((accuracies == accuracies[:, :1]).all())
    friedman = math.nan if len(methods) < 3 else 1.0 if alike else float(friedmanchisquare(*accuracies.T)[1])
    p, difference = np.full((len(methods), len(methods)), np.nan), None
    if test == "nemenyi":
        difference = critical_difference(len(methods), len(names), level)
        same = np.abs(means[:, None] - means[None, :]) < difference
    else:
        p = _pairs(accuracies)
        same = ~(p <= level / (len(methods) - 1))
    if friedman >= level:
        same = np.ones_like(same)
    found = _cliques(same)
    return Ranking(list(methods), names, accuracies, means, friedman, p, found, test, level, difference)


def critical_difference(methods: int, data_sets: int, level: float) -> float:
    """Nemenyi's: mean ranks further apart than this differ."""
    from scipy.stats import studentized_range

    quantile = float(studentized_range.ppf(1 - level, methods, np.inf)) / math.sqrt(2)
    return quantile * math.sqrt(methods * (methods + 1) / (6 * data_sets))


def _pairs(accuracies: np.ndarray) -> np.ndarray:
    """[K, K]: p of method k being no better than m, for k < m by rank."""
    count = accuracies.shape[1]
    p = np.full((count, count), np.nan)
    for k in range(count):
        for m in range(k + 1, count):
            one, other = accuracies[:, k], accuracies[:, m]
            p[k, m] = _wilcoxon(one, other, "greater")
    return p


def _wilcoxon(one: np.ndarray, other: np.ndarray, alternative: str) -> float:
    """p of the signed-rank test; 1 where they are equal everywhere."""
    from scipy.stats import wilcoxon

    if (one == other).all():
        return 1.0
    found: Any = wilcoxon(one, other, zero_method="wilcox", alternative=alternative)
    return float(found.pvalue)


def _cliques(same: np.ndarray) -> list[tuple[int, int]]:
    """From each method on to the last before one that differs from it; those within another are left out."""
    found: list[tuple[int, int]] = []
    for k in range(len(same)):
        end = k
        while end + 1 < len(same) and same[k, end + 1]:
            end += 1
        if end > k and not any(end <= last for _, last in found):
            found.append((k, end))
    return found


def against(ranking: Ranking, method: str) -> list[dict[str, Any]]:
    """A row for each method: mean rank and accuracy, and of `method` against it wins, ties, losses and p, two-sided."""
    own = ranking.accuracies[:, list(ranking.methods).index(method)]
    rows = []
    for k, name in enumerate(ranking.methods):
        other = ranking.accuracies[:, k]
        row = {"method": name, "mean_rank": float(ranking.ranks[k]), "mean_accuracy": float(other.mean())}
        if name != method:
            row |= {"wins": int((own > other).sum()), "ties": int((own == other).sum())}
            row |= {"losses": int((own < other).sum())}
            row["p"] = _wilcoxon(own, other, "two-sided")
        rows.append(row)
    return rows
