"""A user's own table as a stream: how its rows are read one by one, and what windows and lines are made of them."""

import codecs
import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from seqjax.data.series import changes, csv_table, row_stream, sources, steps, table_windows, windows
from seqjax.data.series.table import Table
from seqjax.errors import UserError

WIDE = ("utf-16", "utf-32")
"""Encodings in which the end of a line is no single byte."""


def kind(facts: Mapping[str, Any], name: str) -> row_stream.Kind:
    """How the rows of a stream called `name` are read.

    Args:
      facts: `table_windows.FACTS` of a run.

    Raises:
      UserError: a run whose tables cannot be read row by row.
    """
    form = readable(facts["form"])
    span = windows.Span(facts["sampling_rate"], facts["sequence_length"], facts["delay"])
    step, names, columns = steps.of_facts(facts["step"]), facts["names"], facts["columns"]
    scales = np.array(facts["mean"]), np.array(facts["std"])
    of = lambda series: table_windows.place(names, series, name) if names else 0

    zone = {"": ""}

    def parse(data: bytes) -> row_stream.Read:
        table = csv_table.parse(data, name, form, columns, facts["time"])
        found = [] if table.series is None else [table.names[k] for k in table.series]
        zone[""] = table.zone
        for series in table.names:
            of(series)
        return row_stream.Read(table.times, table.values, found)

    def inputs(times: np.ndarray, values: np.ndarray, series: str) -> changes.Window:
        step.check([times], name, [series] if series else ())
        mean, std = (scale[[of(series)]] for scale in scales)
        table = Table(tuple(columns), times, values)
        arrays = changes.arrays_of(table, values, mean, std, [(0, len(values))], name)
        window = changes.inputs(span, arrays, np.zeros(1, np.int32))
        return changes.Window(window.changes[0], window.level[0])

    def line(end: np.datetime64, series: str, value: float, output: Any) -> str:
        std = scales[1][of(series), 0]
        times = np.array([end])
        dates = steps.texts(np.concatenate([times, step.ahead(times, span.delay - span.reach)]), zone[""])
        cells = [table_windows.quoted(series)] if series else []
        return ",".join([*cells, *dates, sources.number(float(value + std * output.item()), float(std))])

    shape = (span.sequence_length, len(columns))
    return row_stream.Kind(
        parse,
        span.reach + 1,
        inputs,
        line,
        step.missing,
        changes.Window(np.zeros(shape, np.float32), np.zeros(shape[1:], np.float32)),
        ("series," if names else "") + f"window_end,forecast_for,{table_windows.quoted(columns[0])}",
        comment=form.comment.encode(),
        doubled=facts["form"].get("doubled", ""),
        several=bool(names),
    )


def readable(options: Mapping[str, Any]) -> csv_table.Form:
    """The form of a single row. Raises UserError: tables of this form cannot be read row by row."""
    form = csv_table.Form(**options)
    if form.doubled == "mean":
        raise UserError("a stream answers a row at once, and doubled=mean waits for the next one: use --mode=predict")
    if form.encoding and codecs.lookup(form.encoding).name.startswith(WIDE):
        raise UserError(f"encoding={form.encoding} cannot be read line by line: give the stream as UTF-8")
    return dataclasses.replace(form, sort=False, doubled="")
