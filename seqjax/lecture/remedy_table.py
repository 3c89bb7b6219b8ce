"""The table of remedies, from its facts (`seqjax.lecture.remedies.found`): shares, steps, losses, and a picture.

Legend: N seeds of a cell, K of them solved.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from seqjax.report.plots import Figure, drawn
from seqjax.runs import statistics

Runs = Sequence[Mapping[str, Any]]


def share(solved: int, count: int) -> tuple[float, float]:
    """The 95 % interval around K / N (Clopper and Pearson 1934), for N of at least 1."""
    from scipy.special import betaincinv

    tail = statistics.LEVEL / 2
    low = 0.0 if solved == 0 else float(betaincinv(solved, count - solved + 1, tail))
    high = 1.0 if solved == count else float(betaincinv(solved + 1, count - solved, 1 - tail))
    return low, high


def cell(runs: Runs, wanted: int) -> tuple[str, str, str]:
    """Texts: share solved with its interval, steps until then, loss as a share of that without a memory.

    wanted: seeds of a whole cell; of a partial one the share says how many there are by its denominator, with a *.
    """
    solved = [run for run in runs if run["solved"]]
    low, high = share(len(solved), len(runs))
    partial = "*" if len(runs) < wanted else ""
    losses = [run["loss"] for run in runs if run["loss"] is not None]
    diverged = len(runs) - len(losses)
    loss = _mean(losses, "{:.3f}") + (f", {diverged} diverged" if diverged else "")
    return f"{len(solved)}/{len(runs)}{partial} ({low:.2f} to {high:.2f})", _mean([r["steps"] for r in solved]), loss


def _mean(values: Sequence[float], form: str = "{:,.0f}") -> str:
    if not values:
        return "-"
    found = statistics.mean(values)
    return form.format(found.mean) + ("" if found.half is None else " +- " + form.format(found.half))


def markdown(facts: Mapping[str, Any], wanted: int = 5) -> str:
    """A table a task, its rows in the order of `ROWS`."""
    lines = [
        "# Remedies against vanishing gradients",
        "",
        f"Solved: less than {facts['solved_below']:g} of what is lost without a memory, on the validation part; a run "
        "ends then. Share solved with its 95 % interval (Clopper, Pearson); steps until solved, of those that did, and "
        "loss of the test part over that without a memory: means with Student's interval over seeds. *: fewer seeds "
        f"than {wanted}, the cell is partial.",
    ]
    for task, cells in sorted(facts["cells"].items(), key=lambda pair: _order(pair[0])):
        lines += ["", f"## {task.replace('_', ', T = ')}", "", "| row | solved | steps | loss |", "|-|-|-|-|"]
        lines += [f"| {' | '.join((row, *cell(cells[row], wanted)))} |" for row in facts["rows"] if row in cells]
    return "\n".join([*lines, ""])


def _order(task: str) -> tuple[str, int]:
    name, _, length = task.partition("_")
    return name, int(length)


def figure(facts: Mapping[str, Any]) -> Figure:
    """Every run's loss over that without a memory, a picture a task."""
    tasks = sorted(facts["cells"], key=_order)
    rows = [row for row in facts["rows"] if any(row in facts["cells"][task] for task in tasks)]

    def draw(canvas: Any) -> None:
        panels = canvas.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
        for axes, task in zip(panels, tasks, strict=True):
            for height, row in enumerate(rows):
                for run in facts["cells"][task].get(row, ()):
                    style: Any = {"marker": "o", "color": "C0"} if run["solved"] else {"marker": "x", "color": "C1"}
                    loss = 3.0 if run["loss"] is None else min(max(run["loss"], 1e-3), 3.0)
                    axes.plot([loss], [height], linestyle="", markersize=5, **style)
            axes.axvline(1, color="0.35", linestyle=":")
            axes.axvline(facts["solved_below"], color="0.35", linewidth=0.8)
            axes.set(xscale="log", xlim=(8e-4, 4), xlabel="loss / no memory", title=task.replace("_", "\nT = "))
        panels[0].set(yticks=range(len(rows)), yticklabels=rows, ylim=(len(rows) - 0.5, -0.5))

    counts = [len(runs) for cells in facts["cells"].values() for runs in cells.values()]
    caption = (
        "A mark a run: a dot has solved its task (left of the line), a cross has not; the dotted line is what is lost "
        f"without a memory. Seeds of a cell: {min(counts)} to {max(counts)}; a run ends once it has solved: how far "
        "left a dot lies says little."
    )
    return Figure("Remedies, one by one", caption, drawn(1.6 + 0.26 * len(rows), draw))
