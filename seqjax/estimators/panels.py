"""Series over time as people hold them, as a panel; and forecasts in the form that they came in.

Legend: T time, S series, C targets, K covariates known ahead, H horizon, Q levels.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqjax.data.series import csv_table, panel, steps, windows
from seqjax.data.series.panel import Panel, Roles
from seqjax.data.series.table import Table
from seqjax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Form:
    """How y came."""

    kind: str
    """`column` [T], `columns` [T, S], `list` of [T_n], or `table`: a row for each series and date."""
    pandas: bool
    names: tuple[str, ...]
    """[S] what pandas calls the columns, or the targets of a table."""
    times: bool
    """Rows have dates."""
    index: str = ""
    """The index's name, or a table's column of dates."""
    series: str = ""
    """A table's column of series."""
    start: int = 0
    """The first number of an index without dates."""
    zone: str = ""
    """Of the dates."""
    period: str = ""
    """Whose begin the dates are, as pandas calls it."""


@dataclasses.dataclass(frozen=True)
class Columns:
    """What the columns of a table are for."""

    target: str | None
    time: str | None
    series: str | None
    features: tuple[str, ...]
    known: tuple[str, ...]


def of_given(y: Any, X: Any, columns: Columns) -> tuple[Panel, Form]:
    """The panel of what was given, without further rows.

    Args:
      y: numbers [T], [T, S], a list of [T_n], or a pandas Series or DataFrame; NaN where missing.
      X: covariates known ahead [T, K], beside a column or columns; None.
      columns: of a table; without a target y is a column a series.

    Raises:
      ValueError: something else; the message says what.
    """
    if columns.target is not None:
        if X is not None:
            raise UserError("X: a table has its covariates as columns: name them by known=")
        return _of_table(y, columns)
    if isinstance(y, list | tuple) and len(y) and all(np.ndim(own) == 1 for own in y):
        if X is not None:
            raise UserError("X: covariates of a list of series are not supported: give a table")
        found = [_numbers(own, f"y[{place}]")[:, 0] for place, own in enumerate(y)]
        return panel.of_rows(found, [str(place) for place in range(len(found))]), Form("list", False, (), False)
    own: Any = y
    values = _numbers(own, "y")
    pandas = hasattr(own, "index") and hasattr(own, "iloc")
    times = _dates(own.index, "y's index") if pandas else None
    single = np.ndim(own) == 1
    names = tuple(map(str, [own.name or "y"] if single else own.columns)) if pandas else _named("y", values.shape[1])
    known = np.zeros((len(values), 0)) if X is None else _numbers(X, "X")
    if len(known) != len(values):
        raise UserError(f"X and y are of unequal length: {len(known)} and {len(values)} rows")
    covariates = tuple(f"X {name}" for name in getattr(X, "columns", range(known.shape[1])))
    start = int(own.index[0]) if pandas and times is None and str(own.index.dtype).startswith("int") else 0
    index = str(own.index.name or "") if pandas else ""
    zone = _zone(own.index) if times is not None else ""
    period = str(own.index.freqstr) if times is not None and hasattr(own.index, "to_timestamp") else ""
    form = Form("column" if single else "columns", pandas, names, times is not None, index, "", start, zone, period)
    whole = np.concatenate([values, known], axis=1)
    return _panel(Roles(names, known=covariates), whole, times, None, ()), form


def as_file(form: Form) -> dict[str, Any]:
    """What --mode=predict has to know of a file with such a table."""
    if form.kind == "list":
        return {"form": csv_table.as_options(csv_table.Form()), "wide": True}
    written = csv_table.Form(time=form.index if form.times else "", series=form.series)
    return {"form": csv_table.as_options(written), "time": form.index}


def with_future(found: Panel, X: Any, horizon: int) -> Panel:
    """The panel of a column or columns with H rows behind, that hold what is known ahead.

    Raises:
      UserError: X is missing, or is not [H, K].
    """
    K = len(found.roles.known)
    if not K:
        if X is not None:
            raise UserError("X: nothing was known ahead in fit")
        return found
    if X is None:
        raise UserError(f"X is missing: fit had {K} covariates known ahead; give {horizon} rows of them")
    known = _numbers(X, "X")[:horizon]
    if known.shape != (horizon, K):
        raise UserError(f"X has the shape {known.shape}; [{horizon}, {K}] is expected")
    blank = np.full((horizon, found.values.shape[1]), np.nan)
    times = found.times
    if times is not None and found.step is not None:
        times = np.append(times, found.step.ahead(np.repeat(times[-1:], horizon), np.arange(1, horizon + 1)))
    values, ahead = np.concatenate([found.values, blank]), np.concatenate([found.known, known])
    return dataclasses.replace(found, values=values, known=ahead, times=times, bounds=[(0, len(values))])


def _of_table(y: Any, columns: Columns) -> tuple[Panel, Form]:
    if not hasattr(y, "columns"):
        raise UserError(f"target={columns.target!r} names a column: y must be a DataFrame, not {type(y).__name__}")
    wanted = [columns.target, *columns.features, *columns.known]
    for name in [*wanted, *filter(None, [columns.time, columns.series])]:
        if name not in y.columns:
            raise UserError(f"y has no column {name!r}; choices: {', '.join(map(str, y.columns))}")
    if columns.series and y[columns.series].isna().any():
        raise UserError(f"y: column {columns.series!r} has a missing name")
    order = [name for name in (columns.series, columns.time) if name]
    table = y.sort_values(order, kind="stable") if order else y
    values = _numbers(table[wanted], "y")
    times = _dates(table[columns.time], f"y's column {columns.time!r}", ascending=False) if columns.time else None
    if columns.time and times is None:
        raise UserError(
            f"y's column {columns.time!r} holds no dates ({table[columns.time].dtype}): use pandas.to_datetime"
        )
    names, which = (), None
    if columns.series:
        found, which = np.unique(table[columns.series].astype(str).to_numpy(str), return_inverse=True)
        by_name = np.argsort(which, kind="stable")  # as text, numbers are in another order
        values, which, names = values[by_name], which[by_name], tuple(found.tolist())
        times = None if times is None else times[by_name]
    if times is not None:
        _check_ascending(times, which, f"y's column {columns.time!r}")
    roles = Roles((str(columns.target),), tuple(columns.features), tuple(columns.known))
    zone = _zone(table[columns.time].dt) if columns.time else ""
    form = Form("table", True, roles.targets, times is not None, columns.time or "step", columns.series or "", 0, zone)
    return _panel(roles, values, times, which, names), form


def _panel(
    roles: Roles, values: np.ndarray, times: np.ndarray | None, which: np.ndarray | None, names: Sequence[str]
) -> Panel:
    """Values [N, C + P + K] in the order of the roles."""
    ahead = len(roles.targets) + len(roles.past)
    if times is not None:
        table = Table(
            tuple(roles.columns), times, values, which if which is None else which.astype(np.int32), tuple(names)
        )
        own = [times[start:stop] for start, stop in windows.pieces(table)]
        step = steps.find(own)
        if step is None:
            raise UserError(f"y: too few rows: {len(values)}, from which no time step can be told")
        step = steps.finest(step, own)
        step.check([t if len(t) > steps.FEW else t[:1] for t in own], "y", table.names, "those of most", gaps=True)
        return panel.of_table(table, roles, step, "y")
    edges = [0, len(values)] if which is None else [0, *np.cumsum(np.bincount(which)).tolist()]
    bounds = list(itertools.pairwise(edges))
    static = np.zeros((len(bounds), 0))
    return Panel(roles, tuple(names) or ("",), bounds, values[:, :ahead], values[:, ahead:], static)


def _named(name: str, count: int) -> tuple[str, ...]:
    return (name,) if count == 1 else tuple(f"{name}{place}" for place in range(count))


def _numbers(given: Any, name: str) -> np.ndarray:
    """[T, C] float64. Raises UserError: no numbers, infinite ones, none at all, or of more axes."""
    if hasattr(given, "toarray"):
        raise UserError(f"{name} is sparse: give a dense array")
    if hasattr(given, "to_numpy") and hasattr(given, "iloc"):
        try:
            values = given.to_numpy(np.float64, na_value=np.nan)
        except (ValueError, TypeError) as error:
            wrong = [str(own) for own in getattr(given, "columns", [name]) if not _is_number(given, own)]
            raise UserError(f"{name}: no numbers in {', '.join(wrong) or 'it'}; of a table, name its target") from error
    else:
        try:
            values = np.asarray(given, np.float64)
        except (ValueError, TypeError) as error:
            raise UserError(f"{name} holds no numbers: {str(error).partition(chr(10))[0]}") from error
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2:
        raise UserError(f"{name} has the shape {values.shape}: [rows] or [rows, series] are expected")
    if not values.size:
        raise UserError(f"{name} of shape {values.shape} is empty")
    if np.isinf(values).any():
        raise UserError(f"{name} contains infinity, in row {int(np.isinf(values).any(axis=1).argmax())}")
    for column in np.flatnonzero(np.isnan(values).all(axis=0)):
        raise UserError(f"{name}: column {int(column)} holds nothing but missing values")
    return values


def _is_number(given: Any, column: Any) -> bool:
    return not hasattr(given, "columns") or given[column].dtype.kind in "iufb"


def _dates(index: Any, name: str, ascending: bool = True) -> np.ndarray | None:
    """[T] datetime64[us] of an index or a column, in UTC; None: it holds none."""
    if hasattr(index, "to_timestamp") and "period" in str(index.dtype):
        index = index.to_timestamp()
    if not str(index.dtype).startswith("datetime64"):
        return None
    import pandas  # whoever comes here has it

    found = pandas.DatetimeIndex(index)
    times = (found if found.tz is None else found.tz_convert("UTC").tz_localize(None)).to_numpy("datetime64[us]")
    if np.isnat(times).any():
        raise UserError(f"{name} has a missing date, in row {int(np.isnat(times).argmax())}")
    if ascending:
        _check_ascending(times, None, name)
    return times


def _zone(dates: Any) -> str:
    return str(dates.tz) if getattr(dates, "tz", None) is not None else ""


def _check_ascending(times: np.ndarray, which: np.ndarray | None, name: str) -> None:
    same = np.ones(len(times) - 1, bool) if which is None else which[1:] == which[:-1]
    wrong = np.flatnonzero(same & (times[1:] <= times[:-1]))
    if len(wrong):
        row = int(wrong[0]) + 1
        said = "is there twice" if times[row] == times[row - 1] else "comes behind a later one: sort the rows"
        raise UserError(f"{name}: {times[row]!s} {said}")


def as_pandas(values: np.ndarray, asked: Any, form: Form, levels: Sequence[float]) -> Any:
    """Forecasts as a Series or DataFrame.

    Args:
      values: [H] or [H, Q] of a column, [H, S] or [H, S, Q] of columns, [S, H] or [S, H, Q] of a table.
      asked: what was forecast, a `panel_requests.Asked`.
      form: of y.
      levels: Q.
    """
    import pandas

    if form.kind == "table":
        return _as_table(values, asked, form, levels)
    H = len(values)
    times = asked.times(H)
    first = form.start + int(asked.rows[0] - asked.starts[0]) + 1
    index = pandas.RangeIndex(first, first + H) if times is None else _index(times[0], form)
    index.name = form.index or None
    if form.kind == "column":
        if values.ndim == 1:
            return pandas.Series(values, index, name=form.names[0])
        return pandas.DataFrame(values, index, list(levels))
    if values.ndim == 2:
        return pandas.DataFrame(values, index, list(form.names))
    columns = pandas.MultiIndex.from_product([form.names, levels], names=["series", "level"])
    return pandas.DataFrame(values.reshape(H, -1), index, columns)


def _as_table(values: np.ndarray, asked: Any, form: Form, levels: Sequence[float]) -> Any:
    import pandas

    S, H = values.shape[:2]
    times = asked.times(H)
    found: dict[str, Any] = {form.series: np.repeat(asked.names, H)} if form.series else {}
    found[form.index] = np.tile(np.arange(1, H + 1), S) if times is None else _index(times.reshape(-1), form)
    if values.ndim == 2:
        found[form.names[0]] = values.reshape(-1)
    else:
        found |= {f"q{level:g}": values[:, :, place].reshape(-1) for place, level in enumerate(levels)}
    return pandas.DataFrame(found)


def _index(times: np.ndarray, form: Form) -> Any:
    import pandas

    index = pandas.DatetimeIndex(times)
    if form.period:
        return index.to_period(form.period)
    return index.tz_localize("UTC").tz_convert(form.zone) if form.zone else index
