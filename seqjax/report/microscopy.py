"""Pictures of the gradient microscope: how a layer's gradients fade, and how its gates saturate, along training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.report.plots import Figure, drawn

STYLES = {"c": "--", "x": ":"}
"""Of gradients; those towards h have plain lines."""
MARKS = "osD^vP*X"
BAND = "0.6"
"""A grey."""


def figures(stages: Sequence[Mapping[str, Any]], experiment: str) -> list[Figure]:
    """Two for each layer, from what `seqjax.microscope` writes."""
    found = []
    for place in range(len(stages[0]["layers"])):
        layers = [(stage["name"], stage["layers"][place]) for stage in stages]
        found.append(fading(layers, experiment))
        if any(layer["gates"] or layer["radius"] for _, layer in layers):
            found.append(gates(layers, experiment))
    return found


def _title(layer: Mapping[str, Any]) -> str:
    return f"{layer['title']} ({layer['path']}{', backwards' if layer['reverse'] else ''})"


def fading(layers: Sequence[tuple[str, Mapping[str, Any]]], experiment: str) -> Figure:
    """Left the state's own Jacobians, right the loss's gradients; a colour for each stage."""

    def draw(canvas: Any) -> None:
        left, middle, right = canvas.subplots(1, 3)
        for k, (stage, layer) in enumerate(layers):
            lags, colour = np.array(layer["lags"]), f"C{k}"
            for axes, name, style in ((left, "largest", "-"), (left, "typical", "--"), (middle, "smallest", "-")):
                found = _numbers(layer["jacobian"][name])
                axes.plot(lags, found["mean"], style, color=colour, label=None if name == "typical" else stage)
                if name != "typical":
                    axes.fill_between(lags, found["low"], found["high"], color=colour, alpha=0.2, linewidth=0)
            for name, found in layer["loss"].items():
                right.plot(lags, _numbers(found)["mean"], STYLES.get(name, "-"), color=colour)
        for name in layers[0][1]["loss"]:
            right.plot([], [], STYLES.get(name, "-"), color="k", label=f"dL/d{name}")
        left.plot([], [], "--", color="k", label="typical (root mean square)")
        left.axhline(0, color=BAND, linewidth=0.8)
        left.set(title="largest singular value of ds_T/ds_k", ylabel="log10")
        middle.set(title="smallest", ylabel="log10")
        right.set(title="gradient of the loss, norm", ylabel="log10")
        for axes in (left, middle, right):
            axes.set_xlabel("steps back from the last, T - k")
            axes.title.set_fontsize(9)
            axes.legend(fontsize=7)

    caption = (
        "Left: by how much a change of the state that lies so far back is larger or smaller at the end; 0 is "
        "unchanged, -3 a thousandth. Middle: the change that is forgotten most. Right: the loss's gradient towards "
        "states and inputs. Means over examples (of logs), bands from lowest to highest; a line ends where it is 0."
    )
    return Figure(f"Gradients back in time: {experiment}, {_title(layers[0][1])}", caption, drawn(4.2, draw))


def gates(layers: Sequence[tuple[str, Mapping[str, Any]]], experiment: str) -> Figure:
    """Left how often gates are at an end of their range, right the spectral radii; stages from left to right."""
    places = np.arange(len(layers))
    names = [name for name, found in layers[0][1]["gates"].items() if found["low"] is not None]
    blocks = list(layers[0][1]["radius"])

    def draw(canvas: Any) -> None:
        left, right = canvas.subplots(1, 2)
        for k, name in enumerate(names):
            for kind, style in (("high", "-"), ("low", "--")):
                shares = [100 * layer["gates"][name][kind] for _, layer in layers]
                left.plot(places, shares, style, marker=MARKS[k], color=f"C{k}", label=f"{name} {kind}")
        for k, name in enumerate(blocks):
            radii = [layer["radius"][name] for _, layer in layers]
            right.plot(
                places, radii, "-", marker=MARKS[k], color=f"C{k}", label=f"U_{name}" if len(blocks) > 1 else "U"
            )
        right.axhline(1, color=BAND, linewidth=0.8)
        for axes, label in ((left, "saturated (% of units and steps)"), (right, "spectral radius")):
            axes.set(ylabel=label, xlabel="along training", xlim=(-0.3, len(layers) - 0.7))
            axes.set_xticks(places, [stage.replace(" (", "\n(") for stage, _ in layers], fontsize=8)
            axes.set_ylim(bottom=0)
        for axes, shown in ((left, names), (right, blocks)):
            if shown:
                axes.legend(fontsize=8)
            else:
                axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", color=BAND)

    caption = (
        "Left: share of units and steps in which a gate is within the outer 5 % of its range, open (high) or shut "
        "(low): there its own gradient is small. Right: the largest modulus of the recurrent kernel's eigenvalues; a "
        "linear recurrence fades below 1 and grows above."
    )
    return Figure(f"Gates and kernels: {experiment}, {_title(layers[0][1])}", caption, drawn(3.6, draw))


def _numbers(found: Mapping[str, Sequence[float | None]]) -> dict[str, np.ndarray]:
    """As read from JSON, where what is not finite is null."""
    arrays = {name: np.array(values, float) for name, values in found.items()}
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in arrays.items()}
