"""What is to be known of a run before it is believed: its scores on the test part, with an interval where one can be
told, beside what needs no model.
"""

import math
import re
from typing import Any

from seqjax.serve.kinds import EXAMPLES, EXPECTS
from seqjax.serve.model import Model

Z = 1.959964
"""Of 95 %."""
SHARES = ("accuracy",)
"""Scores that are a share of the test's examples, each right or wrong by itself."""
HIDDEN = ("loss",)


def card(model: Model) -> dict[str, Any]:
    """As JSON takes it."""
    config, results = model.run.config, model.run.results or {}
    wanted, said = EXPECTS[model.kind]
    if not hasattr(model.experiment.source, "requests"):
        said = "nothing: this run cannot be asked"
    return {
        "name": model.name,
        "experiment": model.title,
        "kind": model.kind,
        "expects": {"field": wanted, "what": said, "example": EXAMPLES[model.kind], "columns": _columns(model)},
        "data": config.get("data"),
        "description": config.get("description", ""),
        "finished": bool(results),
        "parameters": results.get("parameters"),
        "options": {name: value for name, value in config["options"].items() if value is not None},
        "stream": hasattr(model.experiment.source, "stream"),
        "scores": _scores(results, config.get("description", ""), type(model.experiment.source).__name__),
        "optimum": results.get("optimum"),
        "attention": bool(model.kind == "translation" and "attention" in dict(model.options({}))),
    }


def _columns(model: Model) -> list[str] | None:
    if model.kind != "forecast":
        return None
    from seqjax.serve import series

    return series.columns(model)


def _scores(results: dict[str, Any], description: str, source: str) -> list[dict[str, Any]]:
    found = []
    count = re.search(r"([\d,]+) test\b", description)
    baselines = results.get("baselines") or {}
    for name, value in (results.get("test") or {}).items():
        if (name in HIDDEN and len(results["test"]) > 1) or not isinstance(value, int | float):
            continue
        naive = {
            who: parts["test"][name]
            for who, parts in baselines.items()
            if isinstance(parts, dict) and isinstance(parts.get("test"), dict) and name in parts["test"]
        }
        if name == "accuracy" and not naive and source in ("Reviews", "PretrainedReviews"):
            naive = {"largest_class": 0.5}  # there are as many positive reviews as negative ones
        interval, why = None, "of one run of this kind no interval can be told: train more seeds and compare them"
        if name in SHARES and count:
            examples = int(count.group(1).replace(",", ""))
            interval, why = wilson(value, examples), f"95 % interval (Wilson) of {examples:,} test examples"
        found.append({"name": name, "test": value, "interval": interval, "how": why, "naive": naive})
    return found


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of so many examples (Wilson 1927)."""
    centre = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z / (1 + Z**2 / count) * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    return max(0.0, centre - half), min(1.0, centre + half)
