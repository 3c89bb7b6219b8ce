"""A small panel for tests: ragged, with holes, dated, with all kinds of columns."""

import numpy as np

from seqjax.data.series import panel, steps
from seqjax.data.series.panel import Roles
from seqjax.data.series.table import Table

HOUR = steps.Step(steps.UNITS["h"])
ROLES = Roles(("load", "wind"), past=("price",), known=("holiday",), static=("size",))


def table(lengths=(40, 25, 33), holes=True, shift=0.0):
    """Series called a, b, c, ... of the columns of `ROLES`, hourly, each from another date."""
    rng = np.random.default_rng(0)
    times, values, series = [], [], []
    for k, length in enumerate(lengths):
        begin = np.datetime64("2024-02-28T05", "us") + np.timedelta64(7 * k, "h")
        times.append(begin + np.arange(length) * np.timedelta64(1, "h"))
        own = shift + 10.0 * (k + 1) + rng.normal(size=(length, 5)) * [1.0, 3.0, 2.0, 1.0, 0.0]
        own[:, 4] = k
        if holes:
            own[:2, 1] = np.nan  # one target begins later
            own[rng.random(length) < 0.2, 0] = np.nan
            own[3, 2:4] = np.nan
        values.append(own)
        series.append(np.full(length, k, np.int32))
    columns = (*ROLES.targets, *ROLES.past, *ROLES.known, *ROLES.static)
    whole = Table(columns, np.concatenate(times), np.concatenate(values), np.concatenate(series), names_of(lengths))
    return whole


def names_of(lengths):
    return tuple("abcdefgh"[: len(lengths)])


def small(**options):
    """The panel of `table`."""
    return panel.of_table(table(**options), ROLES, HOUR, "test")
