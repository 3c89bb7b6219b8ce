"""Parquet: typed dates with and without zones, null, whole and decimal numbers, dictionaries, and what is no number."""

import datetime
import decimal
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from seqjax.data.series import csv_table
from seqjax.data.series.csv_table import Form, parse
from seqjax.errors import UserError

DAYS = [datetime.date(2020, 1, day) for day in (1, 2, 3)]
TIMES = [datetime.datetime(2020, 1, day) for day in (1, 2, 3)]
EXPECTED = np.array(DAYS, "datetime64[us]")


def packed(columns):
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink)
    return sink.getvalue()


def read(columns, asked=(), **options):
    return parse(packed(columns), "f", Form(**options), asked)


def refused(columns, asked=(), **options):
    with pytest.raises(UserError) as caught:
        read(columns, asked, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("times", "form"),
    [
        (pa.array(DAYS), None),
        (pa.array(DAYS, pa.date64()), None),
        (pa.array(TIMES, pa.timestamp("s")), None),
        (pa.array(TIMES, pa.timestamp("ms")), None),
        (pa.array(TIMES, pa.timestamp("us")), None),
        (pa.array(TIMES, pa.timestamp("ns")), None),
        (pa.array([str(day) for day in DAYS]), None),
        (pa.array([str(day) for day in DAYS], pa.large_string()), None),
        (pa.array([str(day) for day in DAYS]).dictionary_encode(), None),
        (pa.array([f"{day:%d.%m.%y}" for day in DAYS]), "%d.%m.%y"),
        (pa.array([20200101, 20200102, 20200103]), "%Y%m%d"),
        (pa.array([1577836800 + 86400 * k for k in range(3)]), "unix"),
        (pa.array([1577836800.0 + 86400 * k for k in range(3)]), "unix"),
        (pa.array([1577836800000 + 86400000 * k for k in range(3)]), "unix_ms"),
    ],
)
def test_dates_of_every_type(times, form):
    table = read({"t": times, "y": [1.0, 2.0, 3.0]}, time="t", format=form)
    assert table.times.dtype == "datetime64[us]"
    np.testing.assert_array_equal(table.times, EXPECTED)
    assert table.notes == ()


def test_zones_and_fine_times():
    berlin = pa.array(TIMES, pa.timestamp("ms", "Europe/Berlin"))  # these numbers are UTC
    table = read({"y": [1.0, 2.0, 3.0], "t": berlin})  # the only column of dates, though not the first
    np.testing.assert_array_equal(table.times, EXPECTED)
    assert table.notes == ("times in UTC",)
    fine = pa.array([1_000, 2_001, 3_000], pa.timestamp("ns"))
    table = read({"t": fine, "y": [1, 2, 3]})
    assert table.times.astype(int).tolist() == [1, 2, 3]
    assert table.notes == ("times cut to microseconds",)


def test_dates_and_hours_in_two_columns():
    hours = pa.array([datetime.time(10), datetime.time(11, 30), datetime.time(12)])
    for days in (pa.array(DAYS), pa.array([str(day) for day in DAYS]), pa.array(TIMES, pa.timestamp("us"))):
        table = read({"d": days, "h": hours, "y": [1, 2, 3]}, time="d+h")
        assert table.times[1] == np.datetime64("2020-01-02T11:30")


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, None, -3]),
        pa.array([1, None, -3], pa.int8()),
        pa.array([1, np.nan, -3], pa.float32()),
        pa.array(np.array([1, np.nan, -3], np.float16)),
        pa.array([decimal.Decimal("1.00"), None, decimal.Decimal("-3.00")]),
        pa.array([1, None, -3]).dictionary_encode(),
        pa.array(["1", "NA", "-3.0"]),
        pa.array(["1", None, "-3.0"]).dictionary_encode(),
    ],
)
def test_numbers_of_every_type(values):
    for asked in ((), ("y",)):
        table = read({"t": TIMES, "y": values}, asked)
        np.testing.assert_array_equal(table.values, [[1], [np.nan], [-3]])
    np.testing.assert_array_equal(read({"t": TIMES, "y": values}, missing=-3).values, [[1], [np.nan], [np.nan]])


def test_what_holds_no_numbers_is_named():
    columns = {"t": TIMES, "y": [1, 2, 3], "b": [True, False, None], "s": ["a", "b", "c"], "n": pa.nulls(3)}
    columns |= {"l": [[1], [2], [3]], "u": pa.array([b"a", b"b", b"c"])}
    table = read(columns)
    assert table.columns == ("y",)
    assert table.notes == ("columns left out: b (bool), s (text), n (empty), l (list<element: int64>), u (text)",)
    assert refused(columns, ["b"]) == "f: column 'b' holds no numbers but bool"
    assert refused({"t": TIMES, "s": ["a", "b", "c"]}).startswith("f: no column besides 't' holds numbers")
    assert refused(columns, ["x"]).startswith("f: there is no column 'x'; columns: t, y, b, s, n, l, u")
    assert "row 1, column 'd': '1,5' is not a number; --set=decimal=, reads it" in refused(
        {"t": TIMES, "d": ["1,5", "2", "3"]}
    )
    assert read({"t": TIMES, "d": ["1,5", "2", "3"]}, decimal=",").values[0, 0] == 1.5


def test_malformed_values_are_named():
    assert refused({"t": TIMES, "y": [1, np.inf, 3]}) == "f: row 2, column 'y': 'inf' is not a finite number"
    assert refused({"t": TIMES, "y": ["1", "2", "x"]}) == "f: row 3, column 'y': 'x' is not a finite number"
    assert refused({"t": [*TIMES[:2], None], "y": [1, 2, 3]}) == "f: row 3, column 't': 'null' is not a date"
    assert refused({"t": ["2020-01-01", "x"], "y": [1, 2]}).startswith("f: row 2, column 't': 'x' is not a date")
    assert refused({"t": ["2020-01-01", "2020-01-02Z"], "y": [1, 2]}, time="t").startswith("f: row 2, column 't'")
    assert refused({"t": TIMES[::-1], "y": [1, 2, 3]}).startswith(
        "f: row 2, column 't': 2020-01-02 00:00:00 comes after"
    )
    assert refused({"t": pa.array([], pa.timestamp("us")), "y": []}) == "f: too few rows: the table has none"
    assert refused({"t": pa.array([None], pa.timestamp("us")), "y": pa.array([None], pa.int8())}, ["y"]) == (
        "f: too few rows: all 1 are empty"
    )
    text = packed({"t": ["2020-01-01", "2020-01-02"], "y": [1, 2]})
    assert "damaged" in parse_error(text.replace(b"2020-01-02", b"2020-01-\xff2"))
    assert "damaged" in parse_error(packed({"t": TIMES, "y": [1, 2, 3]})[:-9])


def parse_error(data):
    with pytest.raises(UserError) as caught:
        parse(data, "f", Form())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_empty_rows_are_left_out():
    table = read({"t": [TIMES[0], None, TIMES[1]], "y": [1, None, 2]})
    assert (table.values.tolist(), table.notes) == ([[1], [2]], ("1 empty row left out",))
    swapped = {"t": [TIMES[0], None, TIMES[2], TIMES[1]], "y": [1, None, 2, 3]}
    assert refused(swapped).startswith("f: row 4, ")


def test_series():
    shops = pa.array(["b", "a", "b"]).dictionary_encode()
    table = read({"shop": shops, "t": [DAYS[0], DAYS[0], DAYS[1]], "y": [1, 2, 3]}, series="shop")
    assert table.names == ("b", "a")
    assert (table.series.tolist(), table.values[:, 0].tolist()) == ([0, 0, 1], [1, 3, 2])
    numbered = read({"shop": [7, 7, 8], "t": [*DAYS[:2], DAYS[0]], "y": [1, 2, 3]}, series="shop")
    assert numbered.names == ("7", "8")
    assert refused({"shop": ["b", None], "t": DAYS[:2], "y": [1, 2]}, series="shop") == (
        "f: row 2, column 'shop': 'null' names no series"
    )


def test_the_same_as_csv(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(500, 3))
    times = np.datetime64("2020-01-01T00:00:00") + np.arange(500) * np.timedelta64(1, "h")
    lines = [f"{time},{a!r},{b!r},{c!r}" for time, (a, b, c) in zip(times, values.tolist(), strict=True)]
    path = tmp_path / "x.parquet"
    path.write_bytes(packed({"t": times, "a,b": values[:, 0]}))
    assert csv_table.read(path, Form(), ["a,b"]).columns == ("a,b",)
    path.write_bytes(packed({"t": times, **{name: values[:, k] for k, name in enumerate("abc")}}))
    found = csv_table.read(path, Form())
    expected = parse(("t,a,b,c\n" + "\n".join(lines)).encode(), "f", Form())
    assert found.columns == expected.columns
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.times, expected.times)
