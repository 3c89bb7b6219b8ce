"""What a detector of hotwords misses, against its false alarms: the curves that a row's results hold.

Legend: C thresholds.
"""

from typing import Any

import numpy as np

from seqjax.report.plots import Figure, drawn
from seqjax.report.runs import Group

SCORE = "by_ratio"
LEAST, MOST = 0.2, 200.0
"""False alarms an hour that are shown."""


def curves(row: Group, part: str = "test") -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Ratio -> of each seed (false alarms an hour [C], misses [C]); nothing where a run has none."""
    found = [(run.results or {}).get("details", {}).get(part, {}).get(SCORE) for run in row.runs]
    if not found or not all(found):
        return {}
    pair = lambda own: (np.array(own["false_alarms"]), np.array(own["misses"]))
    return {ratio: [pair(each[ratio]) for each in found if ratio in each] for ratio in found[0]}


def picture(row: Group, part: str = "test") -> Figure | None:
    """A curve for each ratio and seed; None where there are none."""
    found = curves(row, part)
    if not found:
        return None

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for k, (ratio, seeds) in enumerate(found.items()):
            for number, (alarms, misses) in enumerate(seeds):
                least = np.minimum.accumulate(misses)
                label = None if number else f"noise {ratio} below the words"
                axes.step(np.maximum(alarms, LEAST), least, where="post", color=f"C{k}", label=label)
        axes.axvline(1, color="grey", linewidth=0.8, linestyle=":")
        axes.set(xscale="log", xlim=(LEAST, MOST), ylim=(0, 1), xlabel="false alarms an hour", ylabel="missed")
        axes.legend()

    results = [run.results or {} for run in row.runs]
    own = next(iter(found))
    at = [each["details"][part][SCORE][own]["misses_at_1"] for each in results]
    hours, events = (results[0]["details"][part][SCORE][own][name] for name in ("hours", "events"))
    seeds = f", {len(at)} seeds" if len(at) > 1 else ""
    caption = (
        f"{part.capitalize()} part{seeds}: {hours:.3g} hours of each ratio, {events:,} hotwords at {own}, of which "
        f"{np.mean(at):.1%} are missed at one false alarm an hour (dotted)."
    )
    return Figure(f"Misses and false alarms: {row.label}", caption, drawn(4.0, draw))
