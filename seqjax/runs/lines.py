"""What is printed of a result, of one run and of many: beside the lecture's score, and beside what needs no model."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from seqjax.errors import UserError
from seqjax.experiment import FOLDS

if TYPE_CHECKING:
    from seqjax.data.dataset import Dataset

Results = Mapping[str, Any]
ERRORS = ("mae", "mse", "nats", "perplexity", "wql", "pinball", "nd", "smape", "mase", "rmse", "rmsse")
"""Metrics of which a smaller one is better."""


def number(value: float | None) -> str:
    """A score with four decimals, or as many digits as it takes to show four that are not zero."""
    if value is None:
        return "not finite"
    size = abs(value)
    return f"{value:.4f}" if size == 0 or 0.1 <= size < 1e6 else f"{value:#.4g}" if size < 0.1 else f"{value:.7g}"


def context(lecture: Results, dataset: "Dataset", data: str, scores: Results) -> dict[str, Any]:
    """What a result is to be seen beside: the lecture's, the best possible, and what needs no model."""
    found: dict[str, Any] = {"lecture": lecture, "data": data, "optimum": dataset.optimum}
    if dataset.baselines:
        found |= {"baselines": dataset.baselines, "skill": skill(scores, dataset.baselines)}
    return found


def skill(scores: Results, baselines: Results) -> dict[str, float]:
    """Of each part, the first metric's score as a share of the best baseline's: below 1 is better than all of them.

    Empty where a larger score is the better one: its baselines are to be seen beside it, not divided by.

    Args:
      scores: part -> metric -> score.
      baselines: name -> part -> metric -> score. Parts without a baseline, or with a perfect one, are left out.
    """
    found = {}
    metric = quoted(scores)
    for part in ("validation", "test") if metric in ERRORS else ():
        least = min((own[part][metric] for own in baselines.values() if metric in own.get(part, {})), default=0.0)
        if least > 0 and scores[part][metric] is not None:
            found[part] = scores[part][metric] / least
    return found


def quoted(results: Results) -> str:
    """The metric that people quote."""
    return next(name for name in results["test"] if name != "loss")


def result_line(results: Results) -> str:
    """`jena_lstm: test mae 2.53 (lecture 2.53; naive 2.62; 0.97 of it), validation mae 2.37, best epoch 7, ...`.

    Raises:
      UserError: something is missing, from a damaged results.json.
    """
    try:
        return f"{results['experiment']}: {_of_one(results)}"
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        said = f"{type(error).__name__} {error}".strip()
        raise UserError(f"these are no results ({said}): results.json is damaged; restore it from a copy") from error


def _of_one(results: Results) -> str:
    metric = quoted(results)
    lecture = results["lecture"].get("test", {}).get(metric)
    said = [f"lecture {lecture:g}"] if lecture is not None else []
    if results["data"] == "sample":
        said = [f"generated sample, not the lecture's data: {_known(metric, results['optimum'])}"]
    said += [*beside(metric, results), *_otherwise(metric, results["test"][metric])]
    lost = results.get("instead_of_epoch")
    instead = "" if lost is None else f" (that of {lost}, the best, is damaged)"
    return (
        f"test {metric} {number(results['test'][metric])}{_bracketed(said)}, "
        f"validation {metric} {number(results['validation'][metric])}, best epoch {results['best_epoch']}{instead}, "
        f"{results['parameters']:,} parameters{_covered(results)}"
    )


def _covered(results: Results) -> str:
    """`; the 90 % interval covers 90.1 % (89.7 to 90.5)` of the test part: of forecasts with intervals, the widest."""
    found = results.get("details", {}).get("test", {}).get("coverage") or {}
    for name, own in found.items():
        if own["share"] is not None:
            share, low, high = (100 * own[key] for key in ("share", "low", "high"))
            return f"; the {name} % interval covers {share:.1f} % ({low:.1f} to {high:.1f})"
    return ""


def result_lines(results: Results) -> list[str]:
    """`jena_lstm: test mae 2.615 +- 0.129 (95 %, 5 seeds; lecture 2.53), validation mae 2.409 +- 0.061`, by value."""
    if "values" not in results:
        return [f"{results['experiment']}: {_of_many(results, results['data'])}"]
    knob = results["knob"]
    name, data = results["experiment"], results["data"]
    lines = [f"{name} {knob}={group['value']}: {_of_many(group, data)}" for group in results["values"]]
    folds = [group for group in results["values"] if group["value"] is not None] if knob in FOLDS else []
    return [*lines, f"{name}: {_of_folds(folds, knob)}"] if len(folds) > 1 else lines


def _of_folds(folds: Sequence[Results], knob: str) -> str:
    """`mean over 6 values of speaker: test accuracy 0.8321 +- 0.1002 (95 %; lowest 0.7180, george)`."""
    from seqjax.runs import statistics

    metric = quoted(folds[0])
    scores = {group["value"]: group["test"][metric]["mean"] for group in folds}
    mean = statistics.mean(list(scores.values()))
    worst = (max if metric in ERRORS else min)(scores, key=scores.__getitem__)
    found = _plus_minus({"mean": mean.mean, "half_interval_95": mean.half})
    said = f"95 %; {'highest' if metric in ERRORS else 'lowest'} {number(scores[worst])}, {worst}"
    return f"mean over {mean.count} values of {knob}: test {metric} {found} ({said})"


def beside(metric: str, results: Results) -> list[str]:
    """[`naive 2.62`, `seasonal naive 2.65, 24 rows back`, `0.97 of the better`] of the test part, as far as known.

    First the same metric of others than those that count, as the scores `METRIC_of_...` have it.
    """
    others = {name: score for name, score in results["test"].items() if name.startswith(f"{metric}_of_")}
    found = [f"{name.removeprefix(f'{metric}_').replace('_', ' ')} {_score(others[name])}" for name in others]
    seen = len(found)
    for name, own in results.get("baselines", {}).items():
        back = f" ({own['season']} rows a season)" if "season" in own else ""
        if metric in own.get("test", {}):
            found.append(f"{name.replace('_', ' ')}{back} {number(own['test'][metric])}")
    share = results.get("skill", {}).get("test")
    if share is not None:
        found.append(f"{share:.3f} of {'the better' if len(found) - seen > 1 else 'it'}")
    return found


def _of_many(group: Results, data: str) -> str:
    metric = quoted(group)
    lecture = group["lecture"].get("test", {}).get(metric)
    said = ["generated sample"] if data == "sample" else [] if lecture is None else [f"lecture {lecture:g}"]
    score = lambda part: _plus_minus(group[part][metric])
    said = ["95 %", f"{group['test'][metric]['count']} seeds", *said, *beside(metric, group)]
    said = [", ".join(said[:2]), *said[2:]]
    scores = f"test {metric} {score('test')}{_bracketed(said)}, validation {metric} {score('validation')}"
    return scores + _covered_by_many(group)


def _covered_by_many(group: Results) -> str:
    """`; the 90 % interval covers 90.0 +- 0.4 %`, likewise."""
    found = {name: own for name, own in group["test"].items() if name.startswith("coverage_")}
    for name, own in found.items():
        if own["mean"] is not None:
            half = own["half_interval_95"]
            width = "" if half is None else f" +- {100 * half:.1f}"
            return f"; the {name.removeprefix('coverage_')} % interval covers {100 * own['mean']:.1f}{width} %"
    return ""


def _otherwise(metric: str, value: float | None) -> list[str]:
    """Nats of a token as people also have them: [`2.245 bits`, `perplexity 4.74`]."""
    if metric != "nats" or value is None or value > 700:  # e^710 is none
        return []
    return [f"{number(value / math.log(2))} bits", f"perplexity {math.exp(value):.4g}"]


def _bracketed(said: list[str]) -> str:
    return f" ({'; '.join(said)})" if said else ""


def _score(found: Any) -> str:
    """Of one run, or of several."""
    return _plus_minus(found) if isinstance(found, Mapping) else number(found)


def _plus_minus(found: Results) -> str:
    half = found["half_interval_95"]
    return number(found["mean"]) + ("" if half is None else f" +- {number(half)}")


def _known(metric: str, optimum: Results) -> str:
    """`best possible 0.96, bag of words at most 0.73` from {"accuracy": .96, "bag_of_words_accuracy": .73}."""
    if metric not in optimum:
        return "best possible score unknown for these knobs"
    limits = [
        f"{name.removesuffix(f'_{metric}').replace('_', ' ')} at most {value:.4g}"
        for name, value in optimum.items()
        if name != metric
    ]
    return ", ".join([f"best possible {optimum[metric]:.4g}", *limits])
