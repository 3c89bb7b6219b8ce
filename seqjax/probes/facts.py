"""What `view.look` saw, as numbers for JSON, CSV and people: means over examples, with the lowest and the highest.

Legend: B examples, L lags.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.probes.view import Layer

Facts = dict[str, Any]


def of(layer: Layer) -> Facts:
    """Of one direction of one layer. Logarithms are to base 10; what no example reaches, or is 0, is no number."""
    lags = layer.fading[0].lags
    values = {
        name: np.array([getattr(one, name) for one in layer.fading]) for name in ("largest", "typical", "smallest")
    }
    with np.errstate(divide="ignore"):
        loss = {part: np.log10(found) for part, found in {**layer.by_state, "x": layer.by_input}.items()}
    return {
        "path": layer.recurrence.path,
        "title": layer.recurrence.title,
        "reverse": layer.recurrence.reverse,
        "steps": layer.steps.tolist(),
        "lags": lags.tolist(),
        "jacobian": {name: spread(found) for name, found in values.items()},
        "loss": {name: spread(found) for name, found in loss.items()},
        "radius": layer.radii,
        "gates": {name: found._asdict() for name, found in layer.gates.items()},
    }


def spread(values: np.ndarray) -> dict[str, list[float]]:
    """[B, L] -> the mean, lowest and highest at each lag; NaN is left out, and stays where there is nothing else."""
    columns = [column[~np.isnan(column)] for column in values.T]
    kinds = {"mean": np.mean, "low": np.min, "high": np.max}
    return {
        name: [float(kind(column)) if column.size else float("nan") for column in columns]
        for name, kind in kinds.items()
    }


def per_step(facts: Mapping[str, Any], name: str = "largest") -> float | None:
    """The factor of one step, 10^(log / lag), at the farthest lag that has one; None: there is none."""
    for lag, log in zip(reversed(facts["lags"]), reversed(facts["jacobian"][name]["mean"]), strict=True):
        if lag and np.isfinite(log):
            return float(10 ** (log / lag))
    return None


def rows(stages: Sequence[Mapping[str, Any]]) -> Iterator[list[Any]]:
    """A table of everything, its head first."""
    yield ["stage", "layer", "reverse", "quantity", "lag", "mean", "low", "high"]
    for stage in stages:
        for layer in stage["layers"]:
            begin = [stage["name"], layer["path"], layer["reverse"]]
            for kind, words in (("jacobian", "log10 singular value, {}"), ("loss", "log10 |dL/d{}|")):
                for name, found in layer[kind].items():
                    for values in zip(layer["lags"], found["mean"], found["low"], found["high"], strict=True):
                        yield [*begin, words.format(name), *values]
            for name, value in layer["radius"].items():
                yield [*begin, f"spectral radius {name}", "", value, "", ""]
            for name, found in layer["gates"].items():
                for kind, value in found.items():
                    yield [*begin, f"gate {name} {kind}", "", "" if value is None else value, "", ""]


def markdown(stages: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table for people, a line for each stage and layer."""
    head = ["stage", "layer", "steps", "ds_T/ds_k a step", "over all, log10", "dL/ds first step, log10", "radius"]
    lines = [[*head, "gates: mean (share low / high)"]]
    for stage in stages:
        for layer in stage["layers"]:
            farthest = max((k for k, v in enumerate(layer["jacobian"]["largest"]["mean"]) if v == v), default=0)
            factor = per_step(layer)
            first = max(_last(found["mean"]) for name, found in layer["loss"].items() if name != "x")
            radius = ", ".join(f"{name} {value:.2f}" for name, value in layer["radius"].items())
            gates = "; ".join(f"{name} {_gate(found)}" for name, found in layer["gates"].items())
            path = layer["path"] + (" (backwards)" if layer["reverse"] else "")
            over = f"{_log(layer['jacobian']['largest']['mean'][farthest])} in {layer['lags'][farthest]}"
            said = "0" if factor is None else f"x {factor:.3f}"
            name = f"{path}, {layer['title']}"
            lines.append([stage["name"], name, _steps(layer["steps"]), said, over, _log(first), radius, gates])
    lines.insert(1, ["---"] * len(lines[0]))
    return ["| " + " | ".join(line) + " |" for line in lines]


def _last(values: Sequence[float]) -> float:
    """At the farthest lag that has a number."""
    return next((value for value in reversed(values) if value == value), float("nan"))


def _steps(steps: Sequence[int]) -> str:
    least, most = min(steps), max(steps)
    return f"{most}" if least == most else f"{least}-{most}"


def _log(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else "0" if value == -np.inf else "none"


def _gate(found: Mapping[str, Any]) -> str:
    ends = "" if found["low"] is None else f" ({found['low']:.0%} / {found['high']:.0%})"
    return f"{found['mean']:.2f}{ends}"
