"""What is behind a forecast: the values that it goes on from, and those that came true, as far as the table has them.

Legend: N rows.
"""

import csv
import io
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from seqjax.data.series import csv_table, jena, panel, panel_requests, sources, steps, table_windows, weather
from seqjax.errors import UserError
from seqjax.serve.model import Model

MOST_POINTS = 2_000
"""Of a series in an answer: the last ones."""


class Truth(NamedTuple):
    """The target's columns of a table."""

    values: dict[tuple[str, str], float]
    """(name of the series, date as a forecast's line has it) -> value; what is missing is not there."""
    series: dict[str, list[tuple[str, float]]]
    """Name -> (date, value) of its rows."""
    target: str
    """What the values are of."""


def truth(model: Model, data: bytes) -> Truth | None:
    """Of a table that the run could forecast from; None: it has no dates to be told by, or is read in another way."""
    text, source = data.decode("utf-8-sig"), model.experiment.source
    try:
        if isinstance(source, jena.Windows):
            table = weather.parse(text, "the text")
            return _truth(
                [""],
                [list(map(sources.date, table.times))],
                [table.values[:, jena.TEMPERATURE]],
                table.columns[jena.TEMPERATURE],
            )
        source = getattr(source, "windows", source)
        if isinstance(source, table_windows.TableWindows):
            return _of_windows(model, data)
        if (model.path / panel_requests.ASSET).is_file():
            return _of_panel(model, data)
    except Exception:  # whatever is odd about the table: the forecast's own reader says it
        return None
    return None


def _truth(names: list[str], dates: list[list[str]], values: list[np.ndarray], target: str) -> Truth:
    series = {
        name: [(date, float(value)) for date, value in zip(own, numbers, strict=True) if np.isfinite(value)]
        for name, own, numbers in zip(names, dates, values, strict=True)
    }
    return Truth({(name, date): value for name, rows in series.items() for date, value in rows}, series, target)


def _of_windows(model: Model, data: bytes) -> Truth:
    facts = sources.read_facts(model.path / table_windows.ASSET, table_windows.FACTS)
    table = csv_table.parse(data, "the text", csv_table.Form(**facts["form"]), facts["columns"], facts["time"])
    return _of_table(table, [0])


def panel_facts(model: Model) -> dict[str, Any] | None:
    """What a run that forecasts a horizon knows of its tables; None: it is another run, or its tables have no dates."""
    if not (model.path / panel_requests.ASSET).is_file():
        return None
    facts = panel_requests.facts_of(model.path)
    return None if facts["own"].get("wide") or "form" not in facts["own"] else facts


def columns(model: Model) -> list[str] | None:
    """What a table for the run must have; None: its source does not say."""
    for asset in (jena.ASSET, table_windows.ASSET):
        if (model.path / asset).is_file():
            facts = sources.read_facts(model.path / asset, ("columns",))
            return ["Date Time", *facts["columns"]] if asset == jena.ASSET else list(facts["columns"])
    facts = panel_facts(model)
    if facts is None:
        return None
    form, own = facts["own"]["form"], facts["own"]["time"]
    return list(filter(None, [form.get("series"), own, *panel.roles_of(facts["roles"]).columns]))


def _of_panel(model: Model, data: bytes) -> Truth | None:
    facts = panel_facts(model)
    if facts is None:
        return None
    roles = panel.roles_of(facts["roles"])
    form = csv_table.Form(**facts["own"]["form"])
    table = csv_table.parse(data, "the text", form, roles.columns, facts["own"]["time"])
    return _of_table(table, [roles.columns.index(name) for name in roles.targets], roles.targets)


def _of_table(table: Any, columns: list[int], targets: tuple[str, ...] = ()) -> Truth:
    """Of the columns of a table, which is of one series or of many."""
    which = np.zeros(len(table.values), int) if table.series is None else table.series
    names, dates, values = [], [], []
    for k, name in enumerate(table.names or ("",)):
        rows = which == k
        own = steps.texts(table.times[rows], table.zone) if rows.any() else []
        for place, column in enumerate(columns):
            several = len(columns) > 1
            names.append(" ".join(filter(None, [name, targets[place]])) if several else name)
            dates.append(own)
            values.append(table.values[rows, column])
    return _truth(names, dates, values, " and ".join(targets) or table.columns[0])


def beside(said: Mapping[str, Any], after: Truth) -> dict[str, Any]:
    """What came true beside each line of a forecast, null where nobody knows it yet; the naive forecast, which is the
    last value before; and the series themselves."""
    table = said.get("table", {})
    date = table.get("date") or table.get("forecast_for") or []
    names = table.get("series") or [""] * len(date)
    if len(after.series) == 1 and not {*names} & {*after.series}:
        names = list(after.series) * len(date)
    ends = table.get("window_end") or table.get("origin") or []
    came = [after.values.get(pair) for pair in zip(names, date, strict=False)]
    wanted = {*names}
    shown = {name: rows[-MOST_POINTS:] for name, rows in after.series.items() if name in wanted}
    naive = [after.values.get(pair) for pair in zip(names, ends, strict=False)] if ends else None
    return {"target": after.target, "truth": came, "naive": naive, "series": shown}


def without_last(model: Model, data: bytes) -> bytes:
    """A table without the targets of the last horizon of each series, so that a forecast of them can be judged.

    Of a run that forecasts from every row it is the table as it is: what can be judged is. So it is of a run that reads
    no table with a row for each date.

    Raises:
      UserError: the table is too short.
    """
    facts = panel_facts(model)
    if facts is None:
        return data
    form, horizon = csv_table.Form(**facts["own"]["form"]), facts["horizon"]
    text = data.decode("utf-8-sig")
    first = text.partition("\n")[0]
    delimiter = form.delimiter or max(",;\t", key=first.count)
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if row]
    header = [name.strip() for name in rows[0]]
    targets = [header.index(name) for name in facts["roles"]["targets"] if name in header]
    name = header.index(form.series) if form.series in header else None
    places: dict[str, list[list[str]]] = {}
    for row in rows[1:]:
        if len(row) == len(header) and any(row[k].strip() for k in targets):
            places.setdefault("" if name is None else row[name], []).append(row)
    for which, own in places.items():
        if len(own) <= horizon:
            raise UserError(f"hold_out: the series {which!r:.40} has {len(own)} values; the horizon is {horizon}")
        for row in own[-horizon:]:
            for k in targets:
                row[k] = ""
    made = io.StringIO()
    csv.writer(made, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return made.getvalue().encode()
