"""A user's own table as a stream under watch: what `table_watch` says of a row, as it comes."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from seqjax.data.dataset import Step
from seqjax.data.series import csv_table, row_stream, steps, table_stream, table_watch, watch

SURE = 10
"""Rows from which on a step of time is told: the first few may have a gap among them."""


class AlarmStream(row_stream.RowStream):
    """See `dataset.Stream`. What was seen of each series is handed on, and kept in the state."""

    def __init__(self, facts: Mapping[str, Any], name: str):
        """Args: facts: `table_watch.FACTS` of a run. name: of the stream, for messages.

        Raises:
          UserError: a run whose tables cannot be read row by row.
        """
        self.lines = table_watch.Lines(facts, name)
        super().__init__(_kind(facts, name, self.lines), name)

    def line(self, step: Step, output: Any) -> str:
        """See `dataset.Stream`."""
        note: row_stream.Note = step.note
        (date,) = steps.texts(np.array([note.time]), self.lines.zone)
        return self.lines.line(date, note.series, note.values, note.missing, output)

    def state(self) -> dict[str, Any]:
        """See `dataset.Stream`."""
        seen = {called: surprise.state() for called, surprise in self.lines.seen.items()}
        return {**super().state(), "seen": seen}

    def restore(self, state: dict[str, Any]) -> None:
        """See `dataset.Stream`."""
        super().restore(state)
        for called, own in state["seen"].items():
            surprise = self.lines.seen[called] = table_watch.Surprise(self.lines.recipe)
            surprise.restore(own)


def _kind(facts: Mapping[str, Any], name: str, lines: table_watch.Lines) -> row_stream.Kind:
    """How the rows of a stream called `name` are read."""
    form, columns = table_stream.readable(facts["form"]), facts["columns"]
    gather, step = watch.Watch(facts["rows"], facts["horizon"]), steps.of_facts(facts["step"])
    back = max([*facts["day"], *facts["week"]])

    def parse(data: bytes) -> row_stream.Read:
        table = csv_table.parse(data, name, form, columns, facts["time"])
        lines.zone = table.zone
        for series in table.names:
            lines.series(series)
        found = [] if table.series is None else [table.names[k] for k in table.series]
        return row_stream.Read(table.times, table.values, found)

    def inputs(times: np.ndarray, values: np.ndarray, series: str) -> watch.Seen:
        if len(times) >= min(SURE, gather.reach + 1 + back):
            step.check([times], name, [series] if series else (), slack=watch.SLACK)
        return watch.last_row(gather, dataclasses.replace(lines.series(series), times=times, values=values))

    one = watch.Watched("", np.zeros(1, "datetime64[us]"), np.zeros((1, len(columns))), *_unit(len(columns)), 0, 0, 0)
    return row_stream.Kind(
        parse,
        gather.reach + 1 + back,
        inputs,
        lambda *_: "",
        step.missing,
        watch.last_row(gather, one),
        table_watch.header(facts),
        comment=form.comment.encode(),
        doubled=facts["form"].get("doubled", ""),
        several=bool(facts["names"]),
        least=1,
        before=lambda series: lines.series(series).mean,
    )


def _unit(columns: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(columns), np.ones(columns)
