"""Rows to text."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seqjax.benchmark.worker import IMPLEMENTATIONS, OURS


def comparison(rows: Sequence[Mapping[str, Any]], of: str = "milliseconds") -> str:
    """One line per workload and mode: ours, each peer as `plain (tuned*)`, and the best peer's number over ours.

    Args:
      rows: of `measure.Row`.
      of: `milliseconds` or `peak_memory_mb`.
    """
    peers = list(dict.fromkeys(row["implementation"] for row in rows if row["implementation"] != OURS))
    lines = [["workload", "mode", OURS, *peers, "best peer / ours"]]
    for workload, mode in dict.fromkeys((row["workload"], row["mode"]) for row in rows):
        chosen = [row for row in rows if (row["workload"], row["mode"]) == (workload, mode)]
        cells = [_cell([row for row in chosen if row["implementation"] == name], of) for name in (OURS, *peers)]
        lines.append([workload, mode, *cells, _ratio(chosen, of)])
    return columns(lines)


def _cell(rows: Sequence[Mapping[str, Any]], of: str) -> str:
    plain = [f"{row[of]:.4g}" for row in rows if not row["tuned"]]
    tuned = [f"{row[of]:.4g}" for row in rows if row["tuned"]]
    if not plain and rows and IMPLEMENTATIONS[rows[0]["implementation"]].ours:
        return "".join(tuned)
    return " ".join(plain + [f"({number}*)" for number in tuned]) or "-"


def _ratio(rows: Sequence[Mapping[str, Any]], of: str) -> str:
    """Of ours as it comes, where it was measured so."""
    ours = [row for row in rows if row["implementation"] == OURS]
    peers = [row for row in rows if not IMPLEMENTATIONS[row["implementation"]].ours]
    if not ours or not peers:
        return "-"
    best = min(peers, key=lambda row: row[of])
    name = best["implementation"] + "*" * best["tuned"]
    return f"{best[of] / min(ours, key=lambda row: row['tuned'])[of]:.2f} ({name})"


def pipelines(rows: Iterable[Mapping[str, Any]]) -> str:
    """One line per experiment, in examples per second."""
    parts = {"ids": "ids (tf.data)", "gather": "gather", "step": "train step", "together": "together"}
    lines = [["experiment", "batch", *parts.values(), "together / step", "infer", "not zero"]]
    for row in rows:
        numbers = [f"{row[name]:,.0f}" for name in (*parts, "infer")]
        ratio, share = f"{row['together'] / row['step']:.2f}", row["share"]
        numbers.insert(len(parts), ratio)
        name = ":".join([row["experiment"], *(f"{knob}={value}" for knob, value in row["changed"].items())])
        lines.append([name, str(row["batch"]), *numbers, "-" if share is None else f"{100 * share:.3g} %"])
    return columns(lines)


def texts(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line per kind and implementation."""
    ours = {row["kind"]: row["seconds"] for row in rows if row["implementation"] == OURS}
    lines = [["kind", "implementation", "texts or words", "seconds", "CPU seconds", "a second", "seconds / ours"]]
    for row in rows:
        numbers = [f"{row['items']:,}", f"{row['seconds']:.4g}", f"{row['cpu_seconds']:.4g}"]
        numbers += [f"{row['per_second']:,.0f}", f"{row['seconds'] / ours[row['kind']]:.2f}"]
        lines.append([row["kind"], row["implementation"], *numbers])
    return columns(lines)


def tables(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line per kind and implementation."""
    ours = {row["kind"]: row for row in rows if row["implementation"] == OURS}
    heading = ["seconds", "CPU seconds", "peak MB", "to import", "seconds / ours", "CPU / ours", "MB / ours"]
    lines = [["table", "implementation", "rows", *heading]]
    for row in rows:
        ratios = (f"{row[key] / ours[row['kind']][key]:.2f}" for key in ("seconds", "cpu_seconds", "peak_memory_mb"))
        numbers = [f"{row[key]:.3f}" for key in ("seconds", "cpu_seconds")]
        numbers += [f"{row['peak_memory_mb']:.0f}", f"{row['import_seconds']:.2f}", *ratios]
        lines.append([row["kind"], row["implementation"], f"{row['rows']:,}", *numbers])
    return columns(lines)


def series(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line per kind, implementation and seed."""
    heading = ["test accuracy", "seconds to fit", "to predict", "CPU seconds", "series learned from"]
    lines = [["series", "implementation", "seed", *heading]]
    for row in rows:
        predict = "-" if row["predict_seconds"] is None else f"{row['predict_seconds']:.3g}"
        numbers = [f"{row['accuracy']:.4f}", f"{row['fit_seconds']:.4g}", predict, f"{row['cpu_seconds']:.4g}"]
        lines.append([row["kind"], row["implementation"], str(row["seed"]), *numbers, f"{row['learned_from']:,}"])
    return columns(lines)


def cold(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line per implementation, and the shortest and longest of its blocks."""
    ours = {row["what"]: row["seconds"] for row in rows if row["implementation"] == OURS}
    lines = [["from start to", "implementation", "seconds", "from", "to", "seconds / ours"]]
    for row in rows:
        numbers = [f"{number:.2f}" for number in (row["seconds"], min(row["blocks"]), max(row["blocks"]))]
        lines.append([row["what"], row["implementation"], *numbers, f"{row['seconds'] / ours[row['what']]:.2f}"])
    return columns(lines)


def growth(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line per point: each implementation, the slope of ours from the point before, and the best peer over ours.

    The slope is of the logarithms: 1 where the time grows in proportion.
    """
    names = list(dict.fromkeys(row["implementation"] for row in rows))
    lines, before = [["axis", "value", *names, "slope of ours", "best peer / ours"]], None
    for axis, value in dict.fromkeys((row["axis"], row["value"]) for row in rows):
        found = {
            row["implementation"]: row["milliseconds"] for row in rows if (row["axis"], row["value"]) == (axis, value)
        }
        ours, peers = found.get(OURS), [number for name, number in found.items() if name != OURS]
        slope = ratio = "-"
        if ours and before and before[0] == axis:
            slope = f"{math.log(ours / before[2]) / math.log(value / before[1]):.2f}"
        if ours and peers:
            ratio = f"{min(peers) / ours:.2f}"
        before = (axis, value, ours) if ours else None
        numbers = [f"{found[name]:.4g}" if name in found else "-" for name in names]
        lines.append([axis, str(value), *numbers, slope, ratio])
    return columns(lines)


def columns(lines: Sequence[Sequence[str]]) -> str:
    """Left-aligned text columns; the first line is the heading."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
