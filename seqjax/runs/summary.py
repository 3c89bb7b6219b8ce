"""What many runs come to: means, deviations and intervals of their scores, as results.json and as lines."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqjax.errors import UserError
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
    return {key: results[key] for key in wanted}


def _summarise(runs: Sequence[Mapping[str, Any]]) -> Results:
    from seqjax.runs import statistics

    def describe(part: str, metric: str) -> Results:
        found = [run[part][metric] for run in runs]
        mean = statistics.mean(found)
        deviation = statistics.deviation(found)
        return {"mean": mean.mean, "std": deviation, "half_interval_95": mean.half, "count": mean.count}

    parts = {part: {metric: describe(part, metric) for metric in runs[0][part]} for part in ("validation", "test")}
    kept = ("seed", "validation", "test", "best_epoch", "seconds")
    known = {key: runs[0][key] for key in ("parameters", "lecture")}
    return {**known, **parts, "seeds": [{key: run[key] for key in kept} for run in runs]}


def result_lines(results: Mapping[str, Any]) -> list[str]:
    """`jena_lstm: test mae 2.615 +- 0.129 (95 %, 5 seeds; lecture 2.53), validation mae 2.409 +- 0.061`, by value."""
    if "values" not in results:
        return [f"{results['experiment']}: {_line(results, results['data'])}"]
    knob = results["knob"]
    name, data = results["experiment"], results["data"]
    return [f"{name} {knob}={group['value']}: {_line(group, data)}" for group in results["values"]]


def _line(group: Mapping[str, Any], data: str) -> str:
    metric = next(name for name in group["test"] if name != "loss")
    lecture = group["lecture"].get("test", {}).get(metric)
    said = "; generated sample" if data == "sample" else "" if lecture is None else f"; lecture {lecture:g}"
    score = lambda part: _plus_minus(group[part][metric])
    seeds = group["test"][metric]["count"]
    return f"test {metric} {score('test')} (95 %, {seeds} seeds{said}), validation {metric} {score('validation')}"


def _plus_minus(found: Mapping[str, Any]) -> str:
    half = found["half_interval_95"]
    return f"{found['mean']:.4f}" + ("" if half is None else f" +- {half:.4f}")
