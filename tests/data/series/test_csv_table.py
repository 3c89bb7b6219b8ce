"""A user's CSV: the usual dates, separators and holes, and an error that names the cell."""

import gzip

import numpy as np
import pytest

from seqjax.data.series import csv_table
from seqjax.data.series.csv_table import Form, as_options
from seqjax.errors import UserError

TEXT = "when,power,place,wind\n2014-07-01 00:00:00,1.5,north,3\n2014-07-01 00:30:00,2.5,south,4\n"


def parse(text, name, form, columns=()):
    return csv_table.parse(text.encode(), name, form, columns)


def message(text, form=Form(), columns=()):  # noqa: B008
    with pytest.raises(UserError) as caught:
        parse(text, "mine.csv", form, columns)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("mine.csv: ")
    return str(caught.value).removeprefix("mine.csv: ")


def test_columns_that_hold_numbers_are_taken_in_order_or_those_asked_for():
    table = parse(TEXT, "x", Form())
    assert table.columns == ("power", "wind")
    np.testing.assert_array_equal(table.values, [[1.5, 3], [2.5, 4]])
    assert table.times[1] - table.times[0] == np.timedelta64(30, "m")
    table = parse(TEXT, "x", Form(time="when"), ["wind"])
    np.testing.assert_array_equal(table.values, [[3], [4]])


@pytest.mark.parametrize(
    ("date", "form"),
    [
        ("2014-07-01 12:30:00", None),
        ("2014-07-01T12:30:00", None),
        ("2014-07-01T12:30", None),
        ("2014-07-01T12:30:00.000", None),
        ("2014-07-01T12:30:00Z", None),
        ("2014-07-01T14:30:00+02:00", None),
        ("20140701T123000", None),
        ("01.07.2014 12:30:00", None),
        ("01.07.2014 12:30", None),
        ("2014/07/01 12:30", None),
        ("07/01/2014 12:30 PM", "%m/%d/%Y %I:%M %p"),
        ("1 July 2014 12:30", "%d %B %Y %H:%M"),
        ("1404217800", "unix"),
        ("1404217800.0", "unix"),
    ],
)
def test_the_usual_dates(date, form):
    table = parse(f"t,y\n{date},1\n", "x", Form(format=form))
    assert table.times[0] == np.datetime64("2014-07-01T12:30:00")


def test_days_without_hours():
    table = parse("t,y\n2014-07-01,1\n2014-07-02,2\n", "x", Form())
    assert table.times[1] == np.datetime64("2014-07-02")


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace(",", ";"),
        TEXT.replace(",", "\t"),
        TEXT.replace("\n", "\r\n"),
        "\ufeff" + TEXT,
        TEXT + "\n\n",
        TEXT.replace(",", ", "),
        TEXT.replace("north", '"north, east"'),
        TEXT.replace("when", '"when"'),
    ],
)
def test_variants_of_the_same_table(text):
    expected, found = parse(TEXT, "x", Form()), parse(text, "x", Form())
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.times, expected.times)


def test_holes_stay_holes():
    rows = "".join(f"2014-07-{day:02},{value},9\n" for day, value in enumerate(["", "1", "NaN", "-9", "n/a", "6"], 1))
    table = parse("t,y,z\n" + rows, "x", Form(missing=-9))
    np.testing.assert_array_equal(table.values[:, 0], [np.nan, 1, np.nan, np.nan, np.nan, 6])


def test_packed_files(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(TEXT.replace("2.5", "").encode()))
    table = csv_table.read(tmp_path / "a.csv.gz", Form())
    assert (len(table.times), np.isnan(table.values).sum()) == (2, 1)
    with pytest.raises(UserError, match="No such file"):
        csv_table.read(tmp_path / "b.csv", Form())


@pytest.mark.parametrize(
    ("text", "form", "columns", "expected"),
    [
        ("", Form(), (), "the file is empty"),
        ("\nx", Form(), (), "row 1: no header"),
        ("a,b\n", Form(), (), "too few rows"),
        ("a,b,a\n1,2,3\n", Form(), (), "row 1: column 'a' is there twice"),
        (TEXT, Form(time="date"), (), "row 1: there is no column 'date'; columns: when, power, place, wind"),
        (TEXT, Form(), ["sun"], "row 1: there is no column 'sun'"),
        (TEXT, Form(), ["place"], "row 2, column 'place': 'north' is not a finite number"),
        (TEXT.replace("2.5", "inf"), Form(), (), "row 3, column 'power': 'inf' is not a finite number"),
        (TEXT.replace(",4", ""), Form(), (), "row 3 has 3 cells instead of 4"),
        (TEXT.replace("2014-07-01 00:30:00", "07/01/2014"), Form(), (), "row 3, column 'when': '07/01/2014' is not a"),
        (TEXT, Form(format="%d.%m.%Y"), (), "row 2, column 'when': '2014-07-01 00:00:00' is not a date of the form"),
        ("t,y\nnoon,1\n", Form(format="unix"), (), "row 2, column 't': 'noon' is not a date of the form unix"),
        ("t,y\n2014-01-01,a\n", Form(), (), "no column besides 't' holds numbers"),
    ],
)
def test_what_is_malformed_is_named(text, form, columns, expected):
    assert message(text, form, columns).startswith(expected)


def test_options_that_came_later_are_written_only_where_they_are_set():
    assert as_options(Form("t", None, -9.0)) == {"time": "t", "format": None, "missing": -9.0}
    form = Form(decimal=",", sort=True)
    assert as_options(form) == {"time": "", "format": None, "missing": None, "decimal": ",", "sort": True}
    assert Form(**as_options(form)) == form
