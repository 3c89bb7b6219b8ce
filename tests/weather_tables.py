"""Generated weather, as a table and as a CSV."""

from typing import Any

import numpy as np

from seqjax.data.series import weather

HEADER = "Date Time," + ",".join(weather.COLUMNS)
SMALL: dict[str, Any] = {"sampling_rate": 2, "sequence_length": 5, "delay": 11}


def climate(rows, minutes=60, seed=0):
    """A random table of `rows` rows, all values with two decimals."""
    values = np.random.default_rng(seed).normal(5, 3, size=(rows, 14)).round(2)
    times = np.datetime64("2009-01-01T00:10:00") + np.arange(rows) * np.timedelta64(60 * minutes, "s")
    return weather.Weather(weather.COLUMNS, times, values)


def csv_text(table):
    dates = [time.item().strftime("%d.%m.%Y %H:%M:%S") for time in table.times]
    lines = [",".join([date, *map(str, row)]) for date, row in zip(dates, table.values.tolist(), strict=True)]
    return "\n".join([HEADER, *lines]) + "\n"


def all_examples(dataset, part):
    return dataset.gather(dataset.arrays, dataset.parts[part])
