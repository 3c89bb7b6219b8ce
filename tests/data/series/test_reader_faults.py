"""What was once read wrongly in silence, or ended in a traceback: keys, indexes, forms of dates, no header, places."""

import datetime
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from seqjax.data.series.csv_table import Form, parse
from seqjax.errors import UserError

DAYS = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "datetime64[us]")
PARTS = [("a b", "c"), ("a", "b c"), ("a/b", "c"), ("a", "b/c"), ("a\\", "b"), ("a", "\\b"), ("a", ""), ("", "a")]
NAMES = ("a b/c", "a/b c", "a\\/b/c", "a/b\\/c", "a\\\\/b", "a/\\\\b", "a/", "/a")


def text(lines):
    return ("\n".join(lines) + "\n").encode()


def packed(columns, metadata=None):
    table, sink = pa.table(columns), io.BytesIO()
    parquet.write_table(table.replace_schema_metadata(metadata), sink)
    return sink.getvalue()


def refused(data, columns=(), **options):
    with pytest.raises(UserError) as caught:
        parse(data, "f", Form(**options), columns)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def keyed(road, parts):
    """A table with two key columns; the slow road is taken for an odd date."""
    if road == "parquet":
        shops, items = zip(*parts, strict=True)
        times = [DAYS[0].item()] * len(parts)
        return packed({"t": times, "shop": list(shops), "item": list(items), "y": [1.0] * len(parts)})
    odd = {"quick": "2020-01-01", "slow": "2020-W01-3"}[road]
    return text(["t,shop,item,y", *(f"{odd},{shop}, {item} ,1" for shop, item in parts)])


@pytest.mark.parametrize("road", ["quick", "slow", "parquet"])
def test_keys_of_two_columns_are_unambiguous(road):
    table = parse(keyed(road, PARTS), "f", Form(series="shop+item"))
    assert table.names == NAMES
    assert table.series is not None
    assert table.series.tolist() == list(range(8))
    single = parse(text(["t,k,y", "2020-01-01,a/b\\c,1"]), "f", Form(series="k"))
    assert single.names == ("a/b\\c",)


@pytest.mark.parametrize("road", ["quick", "slow", "parquet"])
def test_a_row_whose_keys_are_all_empty_is_refused(road):
    said = refused(keyed(road, [("a", "b"), ("", "")]), series="shop+item")
    assert "row 3" in said or road == "parquet"
    assert "'shop+item'" in said
    assert "names no series" in said


@pytest.mark.parametrize(
    ("index", "name", "why"),
    [
        ([0, 1, 2], "__index_level_0__", "the number of the row"),
        ([7, 3, 9], "__index_level_0__", "the index of pandas"),
        ([0.5, 1.0, 7.0], "__index_level_1__", "the index of pandas"),
        ([5, 6, 7], "id", "the number of the row"),
    ],
)
@pytest.mark.parametrize("front", [True, False])
def test_the_index_of_pandas_is_no_feature(index, name, why, front):
    metadata = {"pandas": json.dumps({"index_columns": ["id", {"kind": "range"}]})}
    columns = {"t": DAYS.tolist(), "y": [1.0, 2.0, 4.0]}
    data = packed({name: index, **columns} if front else {**columns, name: index}, metadata)
    table = parse(data, "f", Form())
    assert table.columns == ("y",)
    assert table.notes == (f"columns left out: {name} ({why})",)
    asked = parse(data, "f", Form(), [name])
    assert (asked.columns, asked.notes, asked.values[:, 0].tolist()) == ((name,), (), index)


def test_an_index_that_counts_nothing_or_holds_the_dates_is_read():
    metadata = {"pandas": json.dumps({"index_columns": ["load"]})}
    assert parse(packed({"t": DAYS.tolist(), "load": [1, 5, 2]}, metadata), "f", Form()).columns == ("load",)
    for odd in ({"pandas": "{"}, {"pandas": "[]"}, {"pandas": '{"index_columns": 3}'}, {"pandas": "7"}):
        assert parse(packed({"t": DAYS.tolist(), "id": [1, 2, 3]}, odd), "f", Form()).columns == ("id",)
    dated = parse(packed({"y": [1.0, 2.0, 4.0], "__index_level_0__": DAYS.tolist()}), "f", Form())
    assert (dated.time, dated.columns, dated.notes) == ("__index_level_0__", ("y",), ())
    seconds = parse(packed({"y": [1.0, 2.0], "__index_level_0__": [60, 120]}), "f", Form("__index_level_0__", "unix"))
    assert seconds.columns == ("y",)
    leading = packed({"__index_level_0__": [0, 1, 2], "t": [str(day) for day in DAYS], "y": [1, 2, 4]})
    assert parse(leading, "f", Form()).columns == ("y",)


@pytest.mark.parametrize(
    "form", ["%Y %Y", "%c %Y", "%Q", "%Y-%m-%d%", "%", "%-d.%m.%Y", "unix_m", "iso", "(", "%Y\n%Y"]
)
def test_a_form_that_reads_no_dates_is_named(form):
    for data in (text(["t,y", "2020-01-01,1"]), packed({"t": DAYS.tolist(), "y": [1, 2, 3]}), b""):
        assert refused(data, format=form).startswith(f"format={form!r} is no form of dates")


@pytest.mark.parametrize(
    "form", [None, "", "unix_ms", "%d.%m.%y", "%j %Y", "%Y-%m-%dT%H:%M:%S.%f%z", "%G-W%V-%u", "%c"]
)
def test_right_forms_of_dates_are_taken(form):
    assert Form(format=form).format == form


@pytest.mark.parametrize(
    ("row", "options"),
    [
        ("2021-01-01 00:00:00,0.0126", {}),
        ("2021-01-01 00:00:00,0.5,0.5", {}),
        ("2021-01-01 00:00:00,a,5,", {}),
        ("2021-01-01;10,25;3;", {}),
        ("2021-01-01;0,5", {"decimal": ","}),
        ("2021-01-01,5", {"time": "t"}),
        ("1/2/2021,5", {"format": "%m/%d/%Y"}),
        ("1609459200,5", {"format": "unix"}),
        ("# told\n2021-01-01,5", {"comment": "#"}),
    ],
)
def test_a_first_row_that_is_data_is_refused(row, options):
    number, shown = row.count("\n") + 1, row.split("\n")[-1]
    said = f"f: row {number}: {shown!r} looks like data, not like a header: put a row with the columns' names above it"
    assert refused(text([row, row, row]), **options) == said


@pytest.mark.parametrize(
    ("header", "columns", "options"),
    [
        ("t,2020,2021", ("2020", "2021"), {}),
        (",2020,2021", ("2020", "2021"), {}),
        ("t,2020-01-01,2021-01-01", ("2020-01-01", "2021-01-01"), {}),
        ("0,1,2", ("1", "2"), {}),
        ("0,1,2", ("1", "2"), {"format": "%Y-%m-%d"}),
        ("2020-01-01,a,b", ("a", "b"), {}),
    ],
)
def test_names_that_look_like_numbers_are_names(header, columns, options):
    assert parse(text([header, "2020-01-01,1,2"]), "f", Form(**options)).columns == columns
    assert parse(text(["0,1", "60,1"]), "f", Form(format="unix")).columns == ("1",)


def test_the_column_of_the_dates_is_told_and_found_again():
    assert parse(text(["t,y", "2020-01-01,1"]), "f", Form()).time == "t"
    assert parse(text(["date,clock,y", "2020-01-01,10:00,1"]), "f", Form("date+clock")).time == "date+clock"
    assert parse(text([",y", "2020-W01-3,1"]), "f", Form()).time == "unnamed"
    assert parse(packed({"y": [1], "t": DAYS.tolist()[:1]}), "f", Form()).time == "t"


@pytest.mark.parametrize("date", ["2020-01-02", "2020-W01-4"])
@pytest.mark.parametrize("header", ["y,x,t", ",x,t,y", "y,x,other+,t"])
def test_columns_in_another_order_are_found_by_name(date, header):
    cells = {"y": "1", "x": "2", "t": date, "": "0", "other+": "2019-01-01"}
    data = text([header, ",".join(cells[name] for name in header.split(","))])
    table = parse(data, "f", Form(), ["x", "y"], "t")
    assert (table.time, table.times[0], table.values.tolist()) == ("t", DAYS[1], [[2, 1]])


def test_a_name_that_is_absent_gives_way_to_the_first_and_to_what_was_asked_for():
    data = text(["d,t,y", "2020-01-01,2020-01-02,1"])
    assert [parse(data, "f", form, ["y"], time).time for form, time in ((Form(), "T"), (Form("d"), "t"))] == ["d", "d"]
    stamps = [datetime.datetime(2020, 1, 1)]
    columns = packed({"d": stamps, "y": [1], "t": ["2020-01-02"]})
    assert [parse(columns, "f", Form(), ["y"], time).time for time in ("t", "", "T")] == ["t", "d", "d"]
