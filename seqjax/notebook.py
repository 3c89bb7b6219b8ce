"""What a notebook shows: a bar and curves while a run trains, a small table of a run. HTML and SVG without scripts.

Colours are those of the report, which the colour-blind can tell apart, and stand on light and on dark ground.
"""

import html
import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from seqjax.errors import RunStoppedError

SECONDS = 0.5
"""Between two updates of a bar."""
COLOURS = {"train": "#d55e00", "validation": "#0072b2"}
WIDTH, HEIGHT, LEFT, BOTTOM = 420, 180, 62, 34
"""Of the curve, in pixels."""
LINES = 10
"""Of predictions that are shown."""


def is_there() -> bool:
    """Whether this is a notebook's kernel. Imports nothing."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


class StoppedError(RunStoppedError):
    """A run that was stopped: in a notebook one line, not fifty of a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class Cell:
    """A run's part of a cell's output: it is drawn anew in its place."""

    def __init__(self, name: str):
        """Args: name: of the experiment."""
        self._name, self._rows = name, []
        self._done = self._total = 0
        self._title, self._values, self._drawn = "", {}, -math.inf
        self._handle: Any = None

    def begin(self, examples: int, done: int) -> "Cell":
        """As `seqjax.training.progress.Progress` is made: itself."""
        from IPython.display import display  # pyright: ignore[reportMissingImports]

        self._total, self._done = examples, done
        self._handle = display(self, display_id=True)
        return self

    def row(self, row: Mapping[str, Any]) -> None:
        """An epoch has ended."""
        self._rows.append(row)
        self._draw()

    def update(self, examples: int, title: str, values: Mapping[str, float]) -> None:
        """As `Progress.update`."""
        self._done, self._title, self._values = examples, title, values
        if time.monotonic() - self._drawn > SECONDS:
            self._draw()

    def line(self, text: str) -> None:
        """As `Progress.line`: of an epoch the curve says more."""
        if not text.startswith("epoch "):
            print(text, flush=True)

    def close(self) -> None:
        """As `Progress.close`: the bar is as it was at the end."""
        self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        if self._handle is not None:
            self._handle.update(self)

    def __repr__(self) -> str:
        """A line, for what shows no HTML."""
        return f"{self._name}: {self._done:,} of {self._total:,} examples  {self._said()}"

    def _said(self) -> str:
        return "  ".join([self._title, *(f"{name} {value:.4g}" for name, value in self._values.items())])

    def _repr_html_(self) -> str:
        bar = f'<progress value="{self._done}" max="{max(self._total, 1)}" style="width:{WIDTH}px"></progress>'
        said = html.escape(f"{self._name}: {self._said()}")
        return f"<div>{bar}<br><small>{said}</small><br>{curve(self._rows)}</div>"


def of_run(run: Any) -> str:
    """`Run._repr_html_`: the experiment, what was given, the scores, and the curve; it raises nothing."""
    cells: dict[str, Any] = {"experiment": run.config.get("experiment"), "folder": run.path}
    defaults = run.config.get("defaults", {})
    changed = {k: v for k, v in run.config.get("options", {}).items() if k in defaults and defaults[k] != v}
    if changed:
        cells["knobs"] = ", ".join(f"{knob}={value}" for knob, value in changed.items())
    rows: Sequence[Any] = ()
    try:
        rows, results = run.epochs, run.results
    except ValueError as error:
        results, cells["damaged"] = None, error
    cells["epochs"] = f"{len(rows)}" + ("" if results else ", not finished")
    if results:
        cells["best epoch"], cells["parameters"] = results.get("best_epoch"), results.get("parameters")
        for part in ("validation", "test"):
            found = results.get(part) or {}
            cells[part] = ", ".join(f"{name} {value:.4g}" for name, value in found.items() if _is_number(value))
    return f"<div>{_table(cells)}{curve(rows, (results or {}).get('best_epoch') or 0)}</div>"


def of_predictions(found: Any) -> str:
    """`Predictions._repr_html_`: the first lines."""
    if found.header is None:
        return f"<pre>{html.escape(chr(10).join(found.lines[:LINES]))}</pre>"
    columns = found.table()
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    count = min(LINES, max(map(len, columns.values()), default=0))
    row = lambda k: "".join(f"<td>{html.escape(f'{own[k]}')}</td>" for own in columns.values())
    body = "".join(f"<tr>{row(k)}</tr>" for k in range(count))
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><small>{len(found.lines):,} in all</small>"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _table(cells: Mapping[str, Any]) -> str:
    value = lambda own: f"{own:,}" if isinstance(own, int) else str(own)
    row = lambda name, own: f"<tr><th style='text-align:left'>{name}</th><td>{html.escape(value(own))}</td></tr>"
    return f"<table>{''.join(row(name, own) for name, own in cells.items() if own not in (None, ''))}</table>"


def curve(rows: Sequence[Mapping[str, Any]], best: int = 0) -> str:
    """The loss of both parts by epoch as an SVG, the best epoch marked; of no epoch nothing."""
    losses = {part: [row[part].get("loss", math.nan) for row in rows] for part in COLOURS}
    finite = [loss for own in losses.values() for loss in own if math.isfinite(loss)]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    high = high if high > low else low + (abs(low) or 1) / 10
    across = lambda k: LEFT + (WIDTH - LEFT - 12) * (k / max(len(rows) - 1, 1))
    up = lambda loss: 12 + (HEIGHT - BOTTOM - 12) * (high - loss) / (high - low)
    text = lambda x, y, said, anchor="middle": (
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="currentColor" font-size="11">{said}</text>'
    )
    parts = [f'<path d="M{LEFT} 12V{HEIGHT - BOTTOM}H{WIDTH - 12}" fill="none" stroke="currentColor" opacity=".5"/>']
    for (part, colour), dash in zip(COLOURS.items(), ("5 3", "none"), strict=True):
        places = [(across(k), up(loss)) for k, loss in enumerate(losses[part]) if math.isfinite(loss)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in places]
    if best and math.isfinite(losses["validation"][best - 1]):
        x, y = across(best - 1), up(losses["validation"][best - 1])
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="none" stroke="{COLOURS["validation"]}" stroke-width="2"/>'
        )
    parts += [text(LEFT - 6, up(high) + 4, f"{high:.4g}", "end"), text(LEFT - 6, up(low) + 4, f"{low:.4g}", "end")]
    parts += [text(across(0), HEIGHT - 18, "1"), text(across(len(rows) - 1), HEIGHT - 18, f"{len(rows)}")]
    parts.append(text((LEFT + WIDTH) / 2, HEIGHT - 4, "epoch"))
    parts.append(
        '<text x="14" y="80" transform="rotate(-90 14 80)" text-anchor="middle" fill="currentColor" font-size="11">'
        "loss</text>"
    )
    parts.append(text(WIDTH - 14, 22, f"— validation{f', best {best}' if best else ''}&#160; - - train", "end"))
    return f'<svg role="img" aria-label="loss by epoch" width="{WIDTH}" height="{HEIGHT}">{"".join(parts)}</svg>'
