"""Judges the lecture's claims by the runs that there are."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.report.claims import CLAIMS, FREE_KNOBS, HIGHER_IS_BETTER, Claim
from seqjax.report.run import Run
from seqjax.report.runs import Group
from seqjax.runs import statistics

HELD, NOT_HELD, UNDECIDED, NOT_RUN = "held", "did not hold", "undecided", "not run"
LEAST_EPOCHS = 8
"""Below, `rise` says nothing: a quarter of the epochs is one."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """On one claim."""

    claim: Claim
    verdict: str
    evidence: str
    """For people: the rows that were compared, the difference, the test."""
    difference: statistics.Difference | None = None
    """How much better `better` did than `worse`."""


def judge(
    groups: Sequence[Group],
    claims: Sequence[Claim] = CLAIMS,
    speeds: Sequence[Mapping[str, Any]] = (),
    data: str = "real",
) -> list[Verdict]:
    """One verdict for each claim. Only runs on one kind of data count, the lecture's; speeds: of `runs.find`."""
    real = [row for row in groups if row.data == data]
    return [
        _speed(claim, speeds) if claim.metric == "examples_per_second" else _verdict(claim, real) for claim in claims
    ]


def _speed(claim: Claim, speeds: Sequence[Mapping[str, Any]]) -> Verdict:
    """By the blocks of one benchmark, which were run in turn: the k-th of one against the k-th of the other."""
    measured = lambda name, options: [
        row for row in speeds if row.get("experiment") == name and row.get("changed") == dict(options)
    ]
    rows = measured(claim.better, claim.better_options), measured(claim.worse, claim.worse_options)
    for better, worse in itertools.product(*rows):
        if better["file"] == worse["file"]:
            rates = [dict(enumerate(row["blocks"]["together"])) for row in (better, worse)]
            advantage = statistics.difference(rates[0], rates[1])
            said = f"{better['together']:,.0f} and {worse['together']:,.0f} in training: {_words(claim, advantage)}"
            return Verdict(claim, _decision(claim, advantage), said, advantage)
    return Verdict(claim, NOT_RUN, "not measured: seqjax.benchmark --pipeline")


def rise(run: Run) -> float | None:
    """Validation loss in the last quarter of the epochs, above that in the second quarter: positive if it overfits.

    No epoch is picked by its score, so the expected rise of a flat noisy curve is zero.
    """
    losses = [row["validation"]["loss"] for row in run.rows]
    if len(losses) < LEAST_EPOCHS:
        return None
    quarter = len(losses) // 4
    return float(np.mean(losses[-quarter:]) - np.mean(losses[quarter : 2 * quarter]))


def _value(run: Run, claim: Claim) -> float | None:
    results: Any = run.results
    if claim.metric == "rise":
        return rise(run)
    if claim.metric in ("seconds", "seconds_until_best"):
        return run.seconds(until_best=claim.metric == "seconds_until_best")
    if claim.part == "last":
        return (run.rows[-1] if run.rows else results)["validation"].get(claim.metric)
    return results[claim.part].get(claim.metric)


def _values(row: Group, claim: Claim) -> dict[int, float] | float | None:
    """By seed; one number for what does not depend on it; None if the runs do not say."""
    found = {run.seed: _value(run, claim) for run in row.runs}
    known = {seed: value for seed, value in found.items() if value is not None}
    if not known:
        return None
    return next(iter(known.values())) if row.deterministic else known


def candidates(groups: Sequence[Group], name: str, options: Mapping[str, Any]) -> list[Group]:
    """The rows of an experiment with just these knobs changed, apart from `FREE_KNOBS`."""
    fits = lambda row: {knob: value for knob, value in row.changed.items() if knob not in FREE_KNOBS} == dict(options)
    return [row for row in groups if row.experiment == name and fits(row)]


def _stretch(row: Group) -> float | None:
    """Epochs as a multiple of the experiment's default; None where there are none."""
    default, actual = row.defaults.get("epochs"), row.options.get("epochs")
    return actual / default if default and actual else None


def _rank(better: Group | None, worse: Group) -> tuple[bool, int, float]:
    """Of the pairs to compare those trained alike come first, then those with most common seeds, then the longest."""
    if better is None:
        return True, len(worse.runs), _stretch(worse) or 0
    stretches = [_stretch(row) for row in (better, worse)]
    alike = None in stretches or stretches[0] == stretches[1]
    seeds = [{run.seed for run in row.runs} for row in (better, worse) if not row.deterministic]
    common = len(set.intersection(*seeds)) if seeds else 1
    return alike, common, max(stretch or 0 for stretch in stretches)


def _verdict(claim: Claim, groups: Sequence[Group]) -> Verdict:
    betters = [None] if claim.better is None else candidates(groups, claim.better, claim.better_options)
    worses = candidates(groups, claim.worse, claim.worse_options)
    pairs = list(itertools.product(betters, worses))
    if not pairs:
        absent = [name for name, rows in ((claim.better, betters), (claim.worse, worses)) if not rows]
        return Verdict(claim, NOT_RUN, f"no finished run of {' and '.join(map(str, absent))}, with these knobs")
    better, worse = max(pairs, key=lambda pair: _rank(*pair))
    advantage = _advantage(claim, 0.0 if better is None else _values(better, claim), _values(worse, claim))
    if advantage is None:
        return Verdict(claim, NOT_RUN, f"the runs do not tell their {claim.metric} (rise takes {LEAST_EPOCHS} epochs)")
    names = f"{better.label} and {worse.label}" if better else worse.label
    evidence = f"{names}: {_words(claim, advantage)}"
    return Verdict(claim, _decision(claim, advantage), evidence, advantage)


def _advantage(claim: Claim, better: Any, worse: Any) -> statistics.Difference | None:
    """How much better `better` is; each is {seed: value}, one number, or None."""
    if better is None or worse is None:
        return None
    sign = -1 if claim.metric in HIGHER_IS_BETTER else 1
    if isinstance(better, float) and isinstance(worse, float):
        exact = sign * (worse - better)
        return statistics.Difference("exact", exact, exact, exact, float(exact == 0), 1)
    if isinstance(worse, float):
        sign, better, worse = -sign, worse, better
    found = statistics.difference(worse, better)
    if sign == 1:
        return found
    low, high = (None if bound is None else -bound for bound in (found.high, found.low))
    return dataclasses.replace(found, mean=-found.mean, low=low, high=high)


def _decision(claim: Claim, advantage: statistics.Difference) -> str:
    if claim.improvement is None:
        return UNDECIDED if not advantage.decided else HELD if advantage.mean > 0 else NOT_HELD
    if advantage.decided:
        return HELD if advantage.mean > 0 else NOT_HELD
    # Not told apart: held only if an improvement worth the name is excluded.
    return HELD if advantage.low is not None and -advantage.low < claim.improvement else UNDECIDED


def _words(claim: Claim, advantage: statistics.Difference) -> str:
    """`advantage 0.031 (95 %: -0.098 to 0.160), paired t-test, N 5, p 0.54`."""
    start = f"{'rise' if claim.better is None else 'advantage'} {advantage.mean:.4f}"
    if advantage.test == "exact":
        return f"{start}, neither depends on a seed"
    if advantage.p is None:
        return f"{start}, {advantage.test}, N {advantage.count}: fewer than {statistics.LEAST} seeds to compare"
    interval = f"(95 %: {advantage.low:.4f} to {advantage.high:.4f})"
    return f"{start} {interval}, {advantage.test}, N {advantage.count}, p {advantage.p:.2g}"
