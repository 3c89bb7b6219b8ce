"""A run's result in one line."""

from collections.abc import Mapping
from typing import Any

from seqjax.errors import UserError


def result_line(results: Mapping[str, Any]) -> str:
    """`jena_lstm: test mae 2.53 (lecture 2.53), validation mae 2.37, best epoch 7, 2,001 parameters`.

    Raises:
      UserError: something is missing, from a damaged results.json.
    """
    try:
        return _line(results)
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        said = f"{type(error).__name__} {error}".strip()
        raise UserError(f"these are no results ({said}): results.json is damaged; restore it from a copy") from error


def _line(results: Mapping[str, Any]) -> str:
    metric = next(name for name in results["test"] if name != "loss")
    lecture = results["lecture"].get("test", {}).get(metric)
    said = f" (lecture {lecture:g})" if lecture is not None else ""
    if results["data"] == "sample":
        said = f" (generated sample, not the lecture's data: {_known(metric, results['optimum'])})"
    lost = results.get("instead_of_epoch")
    instead = "" if lost is None else f" (that of {lost}, the best, is damaged)"
    return (
        f"{results['experiment']}: test {metric} {results['test'][metric]:.4f}{said}, "
        f"validation {metric} {results['validation'][metric]:.4f}, best epoch {results['best_epoch']}{instead}, "
        f"{results['parameters']:,} parameters"
    )


def _known(metric: str, optimum: Mapping[str, float]) -> str:
    """`best possible 0.96, bag of words at most 0.73` from {"accuracy": .96, "bag_of_words_accuracy": .73}."""
    if metric not in optimum:
        return "best possible score unknown for these knobs"
    limits = [
        f"{name.removesuffix(f'_{metric}').replace('_', ' ')} at most {value:.4g}"
        for name, value in optimum.items()
        if name != metric
    ]
    return ", ".join([f"best possible {optimum[metric]:.4g}", *limits])
