"""What many runs come to: means, deviations and intervals of their scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqjax.errors import UserError
from seqjax.runs.lines import quoted, skill
from seqjax.training.workdir import Workdir

if TYPE_CHECKING:
    from seqjax.runs.members import Member

Results = dict[str, Any]


def summary(path: Path, members: "Sequence[Member]") -> Results:
    """Every member's scores, and for each value of the swept knob their mean, deviation and 95 % interval."""
    runs = [{"seed": m.seed, "value": m.value, **_scores(path / m.folder)} for m in members]
    values = list(dict.fromkeys(member.value for member in members))
    groups = [_summarise([run for run in runs if run["value"] == value]) for value in values]
    if values == [None]:
        return groups[0]
    return {"knob": members[0].knob, "values": [{"value": v, **g} for v, g in zip(values, groups, strict=True)]}


def _scores(path: Path) -> Results:
    results = Workdir(path).results()
    if results is None:
        raise UserError(f"{path} has no results.json")
    wanted = ("validation", "test", "best_epoch", "parameters", "seconds", "lecture")
    missing = [key for key in wanted if key not in results]
    if missing:
        raise UserError(f"{path / 'results.json'} is damaged (it has no {missing[0]}); restore it from a copy")
    return {key: results[key] for key in (*wanted, "baselines") if key in results}


def _summarise(runs: Sequence[Mapping[str, Any]]) -> Results:
    from seqjax.runs import statistics

    def describe(part: str, metric: str) -> Results:
        found = [run[part][metric] for run in runs]
        mean = statistics.mean(found)
        deviation = statistics.deviation(found)
        return {"mean": mean.mean, "std": deviation, "half_interval_95": mean.half, "count": mean.count}

    parts = {part: {metric: describe(part, metric) for metric in runs[0][part]} for part in ("validation", "test")}
    kept = ("seed", "validation", "test", "best_epoch", "seconds")
    known = {key: runs[0][key] for key in ("parameters", "lecture", "baselines") if key in runs[0]}
    if "baselines" in known:
        metric = quoted(runs[0])
        means = {part: {metric: found[metric]["mean"]} for part, found in parts.items()}
        known["skill"] = skill(means, known["baselines"])
    return {**known, **parts, "seeds": [{key: run[key] for key in kept} for run in runs]}
