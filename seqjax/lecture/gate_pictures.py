"""Pictures of gates at work, and of cells with a meaning.

Legend: T time, U units.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.report.plots import Figure, drawn

SIGNED, SHARE = "RdBu_r", "cividis"
"""Colours of what has a sign, and of what lies between 0 and 1; both are told apart by the colour-blind."""


def belt(found: Mapping[float, np.ndarray]) -> Figure:
    """Of `conveyor_belt.belt`: the conveyor belt, tight and leaking."""

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        styles = ("-", "--", "-.", ":")
        for k, (keep, memory) in enumerate(found.items()):
            axes.plot(memory, styles[k % 4], color=f"C{k}", linewidth=1.8, label=f"f = {keep:g}")
        axes.set(xlabel="steps", ylabel="c, from 1", ylim=(-0.05, 1.08))
        axes.legend()

    steps = len(next(iter(found.values()))) - 1
    caption = (
        f"An LSTM whose i is 0 reads {steps:,} random inputs. With f = 1 its memory passes unchanged, every bit of it; "
        "with f = 0.999 half is left after 693 steps, with f = 0.99 after 69."
    )
    return Figure("The conveyor belt", caption, drawn(3.0, draw))


def lives(half_lives: Mapping[str, Sequence[float | None]], hours: float | None = None) -> Figure:
    """Half-lives of the memory by unit, longest first; hours: that a step takes (None: in steps)."""
    scale, unit = (hours, "hours") if hours else (1.0, "steps")

    def draw(canvas: Any) -> None:
        grid = np.atleast_1d(canvas.subplots(1, len(half_lives), sharey=True))
        for axes, (path, steps) in zip(grid, half_lives.items(), strict=True):
            found = np.sort(np.array(steps, float) * scale)[::-1]
            axes.bar(np.arange(len(found)), np.where(np.isfinite(found), found, np.nan), color="C0")
            axes.set_yscale("log")
            axes.set(xlabel="unit, by half-life", title=path)
            axes.title.set_fontsize(10)
            for place, words in ((24, "a day"), (168, "a week")) if hours else ():
                axes.axhline(place, color="0.35", linewidth=0.8, linestyle=":")
                axes.text(len(found) - 0.5, place, words, ha="right", va="bottom", fontsize=8, color="0.35")
        grid[0].set_ylabel(f"half-life of c ({unit})")

    caption = (
        f"After how many {unit} half of a unit's memory is left: ln 1/2 over the mean of ln f, at real examples. Some "
        "units forget at once and others hardly: one layer has memories of many lengths."
    )
    return Figure("Half-life of the memory", caption, drawn(3.2, draw))


def sentence(found: Mapping[str, Any]) -> Figure:
    """Of `mechanisms.sentence`: f, i and c of the units that move most, at every word."""
    words, readings, names = found["words"], found["readings"], ("f", "i", "c")

    def draw(canvas: Any) -> None:
        grid = np.atleast_2d(canvas.subplots(len(readings) * len(names), 1, sharex=True))
        panels = [(path, name) for path in readings for name in names]
        for axes, (path, name) in zip(grid.ravel(), panels, strict=True):
            values = np.array(readings[path][name], float).T  # [U, T]
            _heat(canvas, axes, values, name)
            axes.set_ylabel(f"{path.rpartition('/')[2]}\n{name}", fontsize=8)
        grid.ravel()[-1].set_xticks(
            range(len(words)), [word or "?" for word in words], rotation=60, ha="right", fontsize=8
        )

    caption = (
        "A column is a word, a row a unit (those that move most). f near 1 keeps c, i near 1 lets the word in; c is "
        "what is remembered; each panel has its own colours. The backward half reads from the right. The verdict: "
        f"{1 / (1 + math.exp(-found['logit'])):.0%} positive."
    )
    return Figure("A sentence in the gates", caption, drawn(0.9 + 1.05 * len(names) * len(readings), draw))


def week(found: Mapping[str, Any]) -> Figure:
    """Of `mechanisms.week`: the temperature, all memories, and the gates of the longest one."""
    temperature = np.array(found["temperature"], float)
    c, order = np.array(found["c"], float), np.argsort(np.array(found["half_lives"], float))[::-1]

    def draw(canvas: Any) -> None:
        above, middle, below = canvas.subplots(3, 1, sharex=True, height_ratios=(1, 1.6, 1.2))
        days = np.arange(len(temperature)) * found["hours"] / 24
        above.plot(days, temperature, color="k", linewidth=1.2)
        above.set_ylabel("temperature (°C)")
        scaled = c / np.maximum(np.abs(c).max(axis=0), 1e-12)
        _heat(canvas, middle, scaled[:, order].T, "c", (0, days[-1]))
        middle.set_ylabel("c of each unit / its largest,\nlongest memory on top", fontsize=8)
        for k, (name, style) in enumerate((("f", "-"), ("i", "--"), ("o", ":"))):
            below.plot(days, np.array(found["longest"][name], float), style, color=f"C{k}", label=name)
        below.set(ylabel=f"gates of unit {found['unit']}", xlabel=f"days from {found['times'][0]}", ylim=(-0.05, 1.05))
        below.legend(loc="lower right", ncols=3)

    longest = found["half_lives"][found["unit"]] * found["hours"]
    caption = (
        f"A real week, read hour by hour. Unit {found['unit']} forgets slowest: half of its memory lasts "
        f"{longest:,.0f} hours. Units further down forget within hours, and swing with day and night."
    )
    return Figure("A week of weather in the gates", caption, drawn(5.4, draw))


def _heat(canvas: Any, axes: Any, values: np.ndarray, name: str, span: tuple[float, float] | None = None) -> None:
    """values [U, T]: blue to red around 0 for c, dark to bright for gates, over what they did."""
    most = float(np.abs(values).max()) or 1.0
    scale = {"cmap": SIGNED, "vmin": -most, "vmax": most} if name in "cgh" else {"cmap": SHARE}
    extent = None if span is None else (*span, len(values) - 0.5, -0.5)
    image = axes.imshow(values, aspect="auto", interpolation="nearest", extent=extent, **scale)
    axes.grid(visible=False)
    axes.set_yticks([])
    canvas.colorbar(image, ax=axes, pad=0.01, aspect=8).ax.tick_params(labelsize=7)


def correlated(found: Mapping[str, Any]) -> Figure:
    """Of `cells.of_run`: what each feature's cell keeps of its correlation on text that did not choose it."""
    rows = found["found"]

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        places = np.arange(len(rows))[::-1]
        axes.barh(places + 0.19, [abs(row["fitted"]) for row in rows], 0.36, color="0.7", label="fitting part")
        axes.barh(places - 0.19, [abs(row["held_out"]) for row in rows], 0.36, color="C0", label="held-out text")
        axes.axvline(rows[0]["threshold"], color="C1", linestyle="--", label="chance, best of all cells (95 %)")
        axes.set_yticks(places, [f"{row['feature']}: cell {row['cell']}" for row in rows])
        axes.set(xlabel="|r| of c with the feature", xlim=(0, 1))
        axes.legend(loc="lower right", fontsize=8)

    best = max(row["p"] for row in rows)
    caption = (
        f"Chosen among {found['cells']} cells on {found['fitted_on']:,} characters, judged on {found['held_out']:,} "
        f"others. Chance: {found['permutations']} permutations of blocks of {found['block']} characters, the best of "
        f"all cells and features each time; p at most {best:.3g}."
    )
    return Figure("Cells with a meaning", caption, drawn(3.4, draw))


def coloured(found: Mapping[str, Any], names: Sequence[str] = ("line position", "speaker name")) -> Figure:
    """Of `cells.of_run`: a piece of held-out text, each character on the colour of the cell's c."""
    text, lines = found["excerpt"]["text"], found["excerpt"]["text"].split("\n")
    width = max(map(len, lines)) + 1
    cells = {row["feature"]: row["cell"] for row in found["found"]}

    def draw(canvas: Any) -> None:
        from matplotlib import colormaps

        grid = canvas.subplots(len(names), 1)
        for axes, name in zip(np.atleast_1d(grid), names, strict=True):
            values = np.array(found["excerpt"]["values"][name], float)
            most = float(np.abs(values).max()) or 1.0
            picture = np.ones((len(lines), width, 4))
            row = column = 0
            for character, value in zip(text, values, strict=True):
                red, green, blue, _ = picture[row, column] = colormaps[SIGNED](0.5 + 0.5 * value / most)
                ink = "w" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "k"
                axes.text(column, row, character.strip(), color=ink, fontsize=6.5, ha="center", va="center")
                row, column = (row + 1, 0) if character == "\n" else (row, column + 1)
            axes.imshow(picture, aspect="auto", interpolation="nearest")
            axes.set_axis_off()
            axes.set_title(f"cell {cells[name]}: {name}", fontsize=9, loc="left")

    caption = (
        "Held-out text; red is c above 0, blue below, white 0. One cell winds up along the line and is reset at its "
        "end, the other is on within the speaker's name. What follows the last letter of a line is the line's end."
    )
    return Figure("Two cells reading Shakespeare", caption, drawn(0.4 + len(names) * (0.3 + 0.19 * len(lines)), draw))
