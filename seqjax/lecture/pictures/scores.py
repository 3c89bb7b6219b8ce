"""Scores of rows side by side: each seed, the mean and its interval, the lecture's figure."""

from collections.abc import Sequence
from typing import Any

from seqjax.lecture.drawing import drawn
from seqjax.lecture.known import Known
from seqjax.lecture.section import Picture


def rows(known: Known, names: Sequence[str], unit: str, title: str) -> Picture | None:
    """A picture of the test scores of these experiments; None where none of them is known."""
    found = [row for name in names if (row := known.row(name))]
    if not found:
        return None
    metric = found[0]["metric"]

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for k, row in enumerate(found):
            for place, own, colour, label in ((k, row["ours"], "C0", "ours"), (k + 0.25, row["keras"], "C1", "Keras")):
                if own:
                    test = own["test"]
                    axes.plot(test["values"], [place] * len(test["values"]), "|", color=colour, alpha=0.7, markersize=9)
                    style = {"fmt": "D", "color": colour, "markersize": 4, "capsize": 3, "label": label}
                    axes.errorbar([test["mean"]], [place], xerr=test["half"] or 0, **style)
            said = row["lecture"].get("test", {}).get(metric)
            if said is not None:
                axes.plot([said], [k], "x", color="C3", markersize=8, markeredgewidth=2, label="lecture")
        axes.set(yticks=range(len(found)), yticklabels=[row["experiment"] for row in found])
        axes.set(xlabel=f"test {metric}{unit}", ylim=(len(found) - 0.4, -0.6))
        handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        canvas.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)

    caption = (
        "Ticks are seeds, diamonds their means with the interval of the mean; a cross is the lecture's own figure."
    )
    return Picture(title, caption, drawn(1.3 + 0.42 * len(found), draw))
