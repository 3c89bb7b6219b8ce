"""Effects of knobs beside the spread between seeds: a table and a picture."""

from typing import Any

import numpy as np

from seqjax.report.plots import drawn
from seqjax.runs import statistics
from seqjax.runs.lines import number
from seqjax.runs.moved_knobs import MORE, Effect, Effects

HEAD = ("knob", "validation", "effect", "95 % interval", "test", "beside the seed")


def rows(found: Effects) -> list[tuple[str, ...]]:
    """Texts of the table, its head first: the base, then every value in the order of its effect's size."""
    base = [_mean(found.base[part].values()) for part in ("validation", "test")]
    spread = "" if found.spread is None else f"one deviation between seeds: {number(found.spread)}"
    lines = [HEAD, ("as it stands", base[0], "", "", base[1], spread)]
    return [*lines, *map(_row, ranked(found))]


def ranked(found: Effects) -> list[Effect]:
    """The largest effect first; what failed last."""
    size = lambda effect: -1.0 if effect.difference is None else abs(effect.difference.mean)
    return sorted(found.each, key=size, reverse=True)


def _row(effect: Effect) -> tuple[str, ...]:
    d = effect.difference
    validation, test = (_mean(effect.scores[part].values()) for part in ("validation", "test"))
    mean = "" if d is None else f"{d.mean:+.4f}"
    interval = "" if d is None or d.low is None or d.high is None else f"{d.low:+.4f} to {d.high:+.4f}"
    return (f"{effect.knob}={effect.value}", validation, mean, interval, test, effect.verdict)


def _mean(values: Any) -> str:
    values = list(values)
    if not values:
        return "-"
    found = statistics.mean(values)
    return number(found.mean) + ("" if found.half is None else f" +- {number(found.half)}")


def markdown(found: Effects, title: str) -> str:
    """The table as a file."""
    head, *lines = rows(found)
    text = [
        f"# {title}",
        "",
        f"Metric: {found.metric}. Effects are of the validation part, to the base, seed by seed.",
        "",
    ]
    text += ["| " + " | ".join(head) + " |", "|-" * len(head) + "|"]
    return "\n".join([*text, *("| " + " | ".join(line) + " |" for line in lines), ""])


def table(found: Effects) -> str:
    """The same for a terminal."""
    lines = rows(found)
    widths = [max(len(line[k]) for line in lines) for k in range(len(HEAD))]
    padded = ("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines)
    return "\n".join(padded)


def svg(found: Effects) -> str:
    """The effects with their intervals, over a band of one deviation between seeds on either side of 0."""
    shown = [effect for effect in ranked(found) if effect.difference is not None][::-1]

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        if found.spread is not None:
            axes.axvspan(-found.spread, found.spread, color="0.85", label="one deviation between seeds")
        axes.axvline(0, color="k", linewidth=0.8)
        for place, effect in enumerate(shown):
            d = effect.difference
            assert d is not None
            half = 0.0 if d.high is None else d.high - d.mean
            colour = "C3" if effect.verdict == MORE else "C0"
            axes.errorbar([d.mean], [place], xerr=[half], fmt="D", color=colour, markersize=4, capsize=3)
        names = [f"{effect.knob}={effect.value}" for effect in shown]
        axes.set(yticks=np.arange(len(shown)), yticklabels=names)
        axes.set(xlabel=f"change of the validation {found.metric}; red: {MORE}")
        if found.spread is not None:
            canvas.legend(loc="outside lower center")

    return drawn(1.5 + 0.3 * len(shown), draw)
