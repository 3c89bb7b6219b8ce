"""The quick road and the slow one read the same, or the quick one gives up; a column of dates is that of its cells."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from seqjax.data.series import arrays, csv_cells, csv_columns, date_columns, dates
from seqjax.data.series.cells import Numbers
from seqjax.data.series.csv_table import Form
from seqjax.data.series.csv_text import text_of
from seqjax.data.series.rows import Rows
from seqjax.errors import UserError


def both(data: bytes, form: Form, asked=()) -> tuple[Rows | None, Rows | str]:
    """-> (the quick road's, the slow one's or its message)."""
    text = text_of(data, "x", form)
    series = [0] if form.series else []
    quick = csv_columns.read(text, text.times, series, asked)
    try:
        return quick, csv_cells.read(text, text.times, series, asked)
    except UserError as error:
        return quick, str(error)


def assert_same(quick: Rows, slow: Rows | str):
    assert isinstance(slow, Rows), slow
    assert quick.columns == slow.columns
    assert (quick.zoned, quick.cut, quick.names) == (slow.zoned, slow.cut, slow.names)
    assert list(quick.left_out) == list(slow.left_out)
    np.testing.assert_array_equal(quick.times, slow.times)
    np.testing.assert_array_equal(quick.values, slow.values)
    if slow.series is not None:
        np.testing.assert_array_equal(quick.series, slow.series)


NUMBERS = some.one_of(
    some.floats(allow_nan=False, allow_infinity=False).map(repr),
    some.integers(-(10**25), 10**25).map(str),
    some.sampled_from(
        ["", "NA", "nan", "NULL", "#N/A", "-", "?", " 7 ", "+3", "1.", ".5", "1e5", "-2E+2", "-0", "007"]
    ),
    some.sampled_from(
        ["inf", "1e999", "0x10", "1_000", "１２", "1,5", "1.234,5", "1 000", "x", '"2"', "--1", "1e", "nUlL"]
    ),
    some.text("0123456789.,eE+-_ xnaif'", max_size=7),
)


@settings(max_examples=100, deadline=None)
@given(
    some.lists(NUMBERS, min_size=1, max_size=4),
    some.sampled_from([("", ""), (",", "."), (".", ","), (",", " "), (".", "'")]),
)
def test_cells_are_numbers_for_both_or_for_neither(cells, written):
    decimal, thousands = written
    form = Form(delimiter=";", decimal=decimal or ".", thousands=thousands)
    lines = "".join(f"2020-01-{day:02};{cell}\n" for day, cell in enumerate(cells, 1))
    for asked in ([1], []):
        quick, slow = both(("t;y\n" + lines).encode(), form, asked)
        if quick is not None:
            assert_same(quick, slow)
        if asked and isinstance(slow, Rows) and all(Numbers().is_number(cell) for cell in cells) and '"' not in lines:
            assert quick is not None or thousands, cells  # plain numbers are always quick


def test_what_is_common_is_quick():
    for text in (
        "t,y,z\n2020-01-01 00:00:00,1,x\n2020-01-02 00:00:00,,y\n",
        '"t","y","z"\n"2020-01-01","1","a ""b"", c"\n"2020-01-02","2",""\n',
        "t;y\r\n01.02.2020 10:00;1\r\n2.2.2020 9:00;2\r\n",
        "t,y\r2020-01-01,1\r2020-01-02,2\r",
        "t,z,y\n2020-01-01,,1\n2020-01-02,,2\n",
        "t,y\n2020-01-01T00:00:00.5+02:00,1\n2020-01-02T00:00:00-01:00,2\n",
    ):
        quick, slow = both(text.encode(), Form())
        assert quick is not None, text
        assert_same(quick, slow)


QUOTED = some.text('ab",\n\r ', max_size=8)


@settings(max_examples=100, deadline=None)
@given(some.lists(QUOTED, min_size=1, max_size=5), some.lists(some.booleans(), min_size=5, max_size=5))
def test_quotes_are_read_by_both_or_left_to_the_slow_road(notes, proper):
    written = ['"' + note.replace('"', '""') + '"' if good else note for note, good in zip(notes, proper, strict=False)]
    lines = "".join(f"2020-01-{day:02},{note},{day}\n" for day, note in enumerate(written, 1))
    quick, slow = both(("t,n,y\n" + lines).encode(), Form(), [2])
    if quick is not None:
        assert_same(quick, slow)
    if all(proper[: len(notes)]):  # nothing is wrong here: the row numbers are those of the lines
        assert isinstance(slow, Rows), slow
        np.testing.assert_array_equal(slow.values[:, 0], np.arange(1, len(notes) + 1))


FORMS = (
    None,
    "%d/%m/%Y %H:%M:%S.%f",
    "%m/%d/%Y %H:%M",
    "%Y%m%d",
    "%d%m%Y%H",
    "%d %B %Y",
    "%m/%d/%Y %I:%M %p",
    "%y-%m-%d",
    "%Y-%m-%dT%H:%M:%S%z",
    "unix",
    "unix_ms",
    "unix_us",
    "unix_ns",
)


@settings(max_examples=150, deadline=None)
@given(
    some.lists(
        some.tuples(
            some.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30)),
            some.sampled_from(["", "Z", "+02:00", "-11:30", "+0200", "x", " "]),
            some.sampled_from(["seconds", "auto", "minutes", "milliseconds", "microseconds"]),
        ),
        min_size=1,
        max_size=4,
    ),
    some.sampled_from([*FORMS, "%d.%m.%Y", "%Y/%m/%d %H:%M"]),
    some.booleans(),
)
def test_a_column_of_dates_is_its_cells(moments, form, unpadded):
    texts = []
    for moment, zone, digits in moments:
        if form is None:
            text = moment.isoformat("T" if unpadded else " ", digits) + zone
        elif form.startswith("unix"):
            text = str(
                int((moment - dates.EPOCH) / datetime.timedelta(microseconds=1)) * 10 ** -min(dates.UNIX[form], 0)
            )
        else:
            text = moment.strftime(form.replace("%Y", f"{moment.year:04}")).replace("0", "", int(unpadded))
        texts.append(text)
    known = None if form in ("%d.%m.%Y", "%Y/%m/%d %H:%M") else form
    found = date_columns.read(pa.array(texts), known)
    if found is not None:
        read = [dates.read(text, known) for text in texts]
        np.testing.assert_array_equal(found.times, np.array([moment.time for moment in read], "datetime64[us]"))
        assert {moment.zoned for moment in read} == {found.zoned}
        assert found.cut == any(moment.cut for moment in read)


@pytest.mark.parametrize(
    ("cells", "form", "first"),
    [
        (["2020-02-29 23:59:59.999999", "1969-12-31 00:00:00.000001"], None, "2020-02-29T23:59:59.999999"),
        (["0001-01-01", "9999-12-31"], None, "0001-01-01"),
        (["1.2.2020 5:06", "11.12.2020 15:16"], None, "2020-02-01T05:06"),
        (["2020-01-01T00:00:00+05:30", "2020-01-01T00:00:00-05:30"], None, "2019-12-31T18:30"),
        (["02/01/2020 05:06"] * 3, "%d/%m/%Y %H:%M", "2020-01-02T05:06"),
        (["1404217800.25", "-1"], "unix", "2014-07-01T12:30:00.250"),
        (["1404217800001", "-1"], "unix_ms", "2014-07-01T12:30:00.001"),
        (["1404217800000001"], "unix_us", "2014-07-01T12:30:00.000001"),
        (["1404217800000001000"], "unix_ns", "2014-07-01T12:30:00.000001"),
    ],
)
def test_these_dates_are_read_a_column_at_once(cells, form, first):
    found = date_columns.read(pa.array(cells), form)
    assert found is not None
    assert found.times[0] == np.datetime64(first)
    assert found.times.tolist() == [dates.read(cell, form).time for cell in cells]


@pytest.mark.parametrize(
    ("cell", "form"),
    [
        ("2021-02-29", None),
        ("2021-04-31 00:00:00", None),
        ("0000-01-01", None),
        ("2021-13-01", None),
        ("2021-01-01 25:00", None),
        ("2021-01-01 10:60", None),
        ("2021-01-01 10:00:60", None),
        ("0001-01-01T00:00:00+02:00", None),
        ("31/02/2021", "%d/%m/%Y"),
        ("99999999999999", "unix"),
        ("0x10", "unix_us"),
        ("２０２１-01-01", None),
        ("31/01/２０２１", "%d/%m/%Y"),
    ],
)
def test_what_is_no_date_is_none_for_both(cell, form):
    assert date_columns.read(pa.array(["2020-01-01", cell] if form is None else [cell]), form) is None
    with pytest.raises(UserError, match="not a date"):
        dates.read(cell, form)


def test_a_zone_that_comes_late_is_found(monkeypatch):
    batches = [pa.record_batch({"0": [f"2020-01-0{day}T00:00{zone}"], "1": [1.0]}) for day, zone in ((1, ""), (2, "Z"))]
    monkeypatch.setattr(csv_columns, "_batches", lambda *_: batches)
    quick, slow = both(b"t,y\n2020-01-01T00:00,1\n2020-01-02T00:00Z,1\n", Form())
    assert quick is None
    assert slow == "x: row 3, column 't': '2020-01-02T00:00Z' has a zone, unlike the rows before"


def test_arrays_of_pyarrow_are_those_of_numpy():
    for cells in ([1.5, None, 3.0, None, 5.0] * 5, [1.5, 2.0], [None, None]):
        for start in (0, 1, len(cells) - 1):
            column = pa.array(cells, pa.float64()).slice(start)
            np.testing.assert_array_equal(arrays.numbers(column), column.to_numpy(zero_copy_only=False))
            np.testing.assert_array_equal(arrays.nulls(column), [cell is None for cell in cells[start:]])
    assert arrays.nulls(pa.nulls(3)).all()
    np.testing.assert_array_equal(arrays.numbers(pa.array([7, 8, 9]).slice(1)), [8, 9])
