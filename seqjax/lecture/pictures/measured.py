"""What the lecture's own programs have kept under `experiments/results/lecture`, drawn and tabled."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.lecture.drawing import drawn
from seqjax.lecture.section import Picture


def fading(found: Mapping[str, Any]) -> Picture:
    """Of vanishing.json: powers of ten of the largest singular values, median over seeds, by lag."""
    lags = np.array(found["lags"])
    lines = {name.replace("_", " "): values["largest"] for name, values in found["remedies"].items()}
    styles = ("-", "--", "-.", ":") * 2

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for k, (name, values) in enumerate(lines.items()):
            kept = [(lag, own[0]) for lag, own in zip(lags, values, strict=True) if lag and own[0] is not None]
            axes.plot(*np.transpose(kept), styles[k], color=f"C{k}", label="tanh" if name == "none" else name)
        axes.set(xscale="log", ylim=(-25, 2), xlabel="steps back, n", ylabel="what is left, powers of ten")
        canvas.legend(loc="outside lower center", ncols=4)

    caption = (
        f"Largest singular value, median of {found['seeds']} draws, {found['units']} units, over the inputs of the "
        f"adding problem, up to {int(lags[-1]):,} steps."
    )
    return Picture("Fading, over a thousand steps", caption, drawn(3.8, draw))


def meaningful(found: Mapping[str, Any]) -> list[list[str]]:
    """Of cells.json: units of a character model that follow something of the text, on held-out text."""
    lines = [["follows", "unit", "correlation, held out", "beyond chance above", "p"]]
    for one in found["found"]:
        numbers = (f"{one['held_out']:+.2f}", f"{one['threshold']:.2f}", f"{one['p']:.3f}")
        lines.append([one["feature"], str(one["cell"]), *numbers])
    return lines


def memory(rows: Sequence[Mapping[str, Any]]) -> Picture:
    """Of memory.json: how the score changes where the past is cut, or mixed, beyond so many steps."""
    names = [" ".join([row["experiment"], *map(str, list(row["set"].values())[:1])]) for row in rows]

    def draw(canvas: Any) -> None:
        panels = np.ravel(canvas.subplots((len(rows) + 1) // 2, 2, squeeze=False))
        for axes, row, name in zip(panels, rows, names, strict=False):
            for colour, (kind, looks) in zip(("C0", "C1"), row["looks"].items(), strict=False):
                kept = [max(one["kept"], 0.5) for one in looks]
                change = [one["change"] for one in looks]
                half = [one["half"] or 0 for one in looks]
                axes.errorbar(kept, change, yerr=half, fmt="o-", color=colour, capsize=2, markersize=3, label=kind)
            axes.set(xscale="log", title=name, xlabel=f"{row['steps']} kept", ylabel=f"change of {row['metric']}")
        for axes in panels[len(rows) :]:
            axes.remove()
        handles, labels = panels[0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside lower center", ncols=2)

    caption = (
        "Where the curve leaves zero the model begins to miss what was taken from it: cut away, or mixed. A bag does "
        "not mind mixing."
    )
    return Picture("How far back it looks", caption, drawn(2.4 * ((len(rows) + 1) // 2) + 0.4, draw))


def effects(found: Mapping[str, Any]) -> list[list[str]]:
    """Of what `seqjax.knobs` writes: what one move changes, on validation, beside what the seed changes."""
    base = list(found["base"]["validation"].values())
    lines = [["moved", f"validation {found['metric']}", "change", "seeds", "is"]]
    lines.append(["nothing", f"{np.mean(base):.3f}", "", str(len(base)), ""])
    for one in found["effects"]:
        scores = list(one["scores"]["validation"].values())
        change = f"{np.mean(scores) - np.mean(base):+.3f}"
        lines.append(
            [f"`{one['knob']}={one['value']}`", f"{np.mean(scores):.3f}", change, str(len(scores)), one["verdict"]]
        )
    return [*lines, ["(the seed alone)", "", f"{found['spread']:.3f}", "", ""]]
