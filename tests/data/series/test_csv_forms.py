"""However a table is written, in whatever characters, marks and packing, it is read, or refused by row and column."""

import bz2
import codecs
import gzip
import lzma

import numpy as np
import pytest

from seqjax.data.series.csv_table import Form, parse, split_names
from seqjax.errors import UserError

PLAIN = "t,y\n2020-01-01,1\n2020-01-02,2.5\n2020-01-03,-3\n"


def read(text, columns=(), **options):
    return parse(text if isinstance(text, bytes) else text.encode(), "f", Form(**options), columns)


def refused(text, columns=(), **options):
    with pytest.raises(UserError) as caught:
        read(text, columns, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_plain(table):
    assert table.columns == ("y",)
    assert table.times.dtype == "datetime64[us]"
    np.testing.assert_array_equal(table.times, np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "datetime64[us]"))
    np.testing.assert_array_equal(table.values, [[1], [2.5], [-3]])


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("\n", "\r\n"),
        "t,y\r\n2020-01-01,1\n2020-01-02,2.5\r2020-01-03,-3",
        PLAIN.rstrip(),
        PLAIN.replace("\n", "\n\n"),
        PLAIN.replace("2020-01-02", "   \n2020-01-02"),
        PLAIN.replace("\n", ",\n"),
        PLAIN.replace("1\n", "1,\n").replace("5\n", "5,\n").replace("3\n", "3,\n"),
        "sep=;\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n"),
        PLAIN.replace(",", "|"),
        PLAIN.replace(",", " , ").replace("t", " t "),
        '"t","y"\n' + "".join(f'"{cells}"\n' for cells in PLAIN.replace(",", '","').split()[1:]),
        codecs.BOM_UTF8 + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-32"),
        gzip.compress(PLAIN.encode(), mtime=0),
        bz2.compress(PLAIN.encode()),
        lzma.compress(PLAIN.encode()),
        PLAIN + ",\n,\n",
    ],
)
def test_the_same_table_in_other_clothes(data):
    assert_plain(read(data))


def test_rows_without_anything_are_counted():
    assert read(PLAIN + ",\n,\n").notes == ("2 empty rows left out",)
    assert refused(PLAIN + ",7\n").startswith("f: row 5, column 't': '' is not a date")
    assert refused("t,y\n,\n", ["y"]) == "f: too few rows: all 1 are empty"


# Characters


def test_encodings():
    text = "t,Tür,ort\n2020-01-01,1,Köln €\n"
    table = read(text.encode("cp1252"), encoding="cp1252")
    assert table.columns == ("Tür",)
    assert read(text.encode("utf-16-le"), encoding="utf-16-le").columns == ("Tür",)
    assert read(codecs.BOM_UTF8 + text.encode(), encoding="latin-1").columns == ("Tür",)  # the mark is believed
    assert refused(b"t,y,n\n2020-01-01,1,\xe9\n").startswith(
        "f: row 2 is not UTF-8 text (byte 0xe9): --set=encoding=cp1252 reads '020-01-01,1,é', cp1251 reads "
    )
    assert refused(b"t,y\r2020-01-01,1\r2020-01-02,\xe9\r").startswith("f: row 3 is not UTF-8 text")
    for encoding in ("no-such", "hex", "rot13"):
        assert refused(PLAIN, encoding=encoding).startswith(f"encoding={encoding} is not known; choices: utf-8,")
    assert refused(PLAIN.encode("utf-16-le")).startswith("f: row 1 holds a NUL byte")
    assert refused(PLAIN.replace("2.5", "\0")).startswith("f: row 3 holds a NUL byte")
    assert "is not utf-16 text" in refused(PLAIN.encode("utf-16")[:-1])


# Numbers


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1e5", 1e5), ("+3", 3), (" 7 ", 7), ("-0.5E-3", -0.0005), (".5", 0.5), ("5.", 5), ("007", 7), ('"8"', 8)]
    + [(cell, np.nan) for cell in ("", "NA", "-", "#N/A", "NULL", "nan", "NaN", "None", "?", "n/a", "--", ".", "nUlL")],
)
def test_a_cell_and_its_value(cell, value):
    np.testing.assert_array_equal(read(PLAIN.replace("2.5", cell)).values[:, 0], [1, value, -3])


@pytest.mark.parametrize(
    "cell", ["inf", "-Infinity", "1e999", "0x10", "1_000", "１２", "true", "12%", "1.2.3", "nan(2)", "x"]
)
def test_a_cell_that_is_no_number(cell):
    assert refused(PLAIN.replace("2.5", cell)) == f"f: row 3, column 'y': {cell!r} is not a finite number"


def test_a_cell_far_below_is_named():
    lines = [f"{1000 + day}-01-01,{day}" for day in range(5000)]
    lines[4321] += "x"
    assert refused("t,y\n" + "\n".join(lines)) == "f: row 4323, column 'y': '4321x' is not a finite number"


@pytest.mark.parametrize(
    ("cell", "value", "options"),
    [
        ("0,5", 0.5, {"decimal": ","}),
        ("1.234.567,5", 1234567.5, {"decimal": ",", "thousands": "."}),
        ("1234,5", 1234.5, {"decimal": ","}),
        ("-1,234.5", -1234.5, {"thousands": ","}),
        ("12,34,567", 1234567, {"thousands": ","}),
        ("1'234.5", 1234.5, {"thousands": "'"}),
        ("1’234", 1234, {"thousands": "'"}),
        ("1 234,5", 1234.5, {"decimal": ",", "thousands": "space"}),
        ("1\u202f234", 1234, {"thousands": " "}),
    ],
)
def test_numbers_of_other_countries(cell, value, options):
    for text in (f"t;y;z\n2020-01-01;{cell};1\n2020-01-02;;\n", f't,y,z\n2020-01-01,"{cell}",1\n2020-01-02,,\n'):
        np.testing.assert_array_equal(read(text, **options).values, [[value, 1], [np.nan, np.nan]])
        knobs = " ".join(f"--set={option}={mark.replace(' ', 'space')}" for option, mark in options.items())
        found = refused(text)
        assert found.startswith(f"f: row 2, column 'y': {cell!r} is not a number; ")
        assert knobs in found


def test_marks_in_wrong_places():
    form = {"decimal": ",", "thousands": "."}
    assert refused("t;y\n2020-01-01;1.5\n", ["y"], **form).startswith(
        "f: row 2, column 'y': '1.5' is not a finite number"
    )
    assert "row 3, column 'y': '1,5' is not a finite number; --set=decimal=, reads it" in refused(
        "t;y\n2020-01-01;1\n2020-01-02;1,5\n"
    )
    assert "--set=decimal=, or --set=thousands=, reads it" in refused("t;y\n2020-01-01;1,234\n")


def test_a_number_for_missing():
    np.testing.assert_array_equal(read(PLAIN, missing=2.5).values[:, 0], [1, np.nan, -3])


def test_a_form_that_cannot_be():
    for options, expected in (
        ({"decimal": "x"}, "decimal=x: choose . or ,"),
        ({"thousands": "_"}, "thousands=_: choose none, ,, ., ' or space"),
        ({"decimal": ",", "thousands": ","}, "decimal=, and thousands=, are the same"),
        ({"delimiter": "ab"}, "delimiter=ab: a single character is expected, or tab or space"),
        ({"doubled": "max"}, "doubled=max: choose none, first, last or mean"),
    ):
        with pytest.raises(UserError) as caught:
            Form(**options)
        assert str(caught.value) == expected


# Lines and delimiters


def test_comments_keep_the_numbers_of_rows():
    text = '# 5" of "rain"\n# x\n' + PLAIN.replace("2020-01-02", "  # gap\n2020-01-02")
    assert_plain(read(text, comment="#"))
    assert "row 6, column 'y': 'x'" in refused(text.replace("2.5", "x"), comment="#")
    assert "row 6 has 1 cells" in refused(text.replace(",2.5", ""), comment="#")


def test_blanks_between_cells():
    text = '  t   y  note\n2020-01-01  1 "a  b"\n2020-01-02\t2.5 x  \n 2020-01-03 -3 x\n'
    assert_plain(read(text, delimiter="space"))
    assert_plain(read(text.replace("\n", "\r"), delimiter="space"))
    assert "--set=delimiter=space" in refused("t   y\n2020-01-01  1\n")
    hourly = "date time y\n2020-01-01 00:00 1\n2020-01-01 01:00 2\n"
    assert read(hourly, delimiter="space", time="date+time").times[1] == np.datetime64("2020-01-01T01:00")


def test_quoted_line_ends_and_the_rows_behind():
    text = 't,n,y\n2020-01-01,"a, b\nc ""d""\r\n",1\n2020-01-02,x,2.5\n2020-01-03,x,-3\n'
    assert_plain(read(text))
    assert refused(text.replace("2.5", "x")) == "f: row 5, column 'y': 'x' is not a finite number"
    assert read('t,"y\n(m)"\n2020-01-01,5\n').columns == ("y (m)",)


def test_long_lines():
    wide = [f"c{k}" for k in range(5_000)]
    table = read("t," + ",".join(wide) + "\n2020-01-01," + ",".join(map(str, range(5_000))) + "\n")
    assert table.columns == tuple(wide)
    np.testing.assert_array_equal(table.values[0], range(5_000))
    cell = "x" * 300_000
    assert_plain(read(f"t,y,n\n2020-01-01,1,{cell}\n2020-01-02,2.5,\n2020-01-03,-3,\n"))
    assert refused(f"t,y,n\n2020-01-01,1,{cell * 9}\n", ["n"]).startswith("f: row 2, column 'n': 'xxx")


# Columns


def test_names_of_columns():
    text = 't,"a,b",c+d,"say ""x"""\n2020-01-01,1,2,3\n'
    assert read(text).columns == ("a,b", "c+d", 'say "x"')
    assert read(text, ["a,b"]).columns == ("a,b",)
    assert read(text, ["c+d", '"a,b"']).columns == ("c+d", "a,b")
    table = read(text, ["c+d", 'c+d,"a,b"'])
    assert (table.columns, table.values.tolist()) == (("c+d", "a,b"), [[2, 1]])
    assert refused(text, ["c+d,e"]) == "f: row 1: there is no column 'e'; columns: t, a,b, c+d, say \"x\""
    assert split_names('a, "b, c",d') == ["a", "b, c", "d"]
    assert refused("t,y,y\n2020-01-01,1,2\n") == "f: row 1: column 'y' is there twice"
    assert refused('t,"y\n2020-01-01,1\n').startswith("f: row 1: a quote is left open")


def test_dates_in_two_columns():
    text = "y,day,hour\n1,01.02.2020,10:00\n2,01.02.2020,11:00\n"
    for time in ("day,hour", "day+hour", '"day"+hour', "day, hour"):
        assert read(text, time=time).times[1] == np.datetime64("2020-02-01T11:00")
    assert read("d+h,y\n2020-01-01,1\n", time="d+h").columns == ("y",)
    assert read('"d,h",y\n2020-01-01,1\n', time="d,h").columns == ("y",)
    assert refused(text, time="day,minute") == "f: row 1: there is no column 'minute'; columns: y, day, hour"
    assert refused(text.replace("11:00", "x"), time="day+hour").startswith(
        "f: row 3, column 'day+hour': '01.02.2020 x' is not a date"
    )


def test_columns_that_are_left_out_are_named():
    text = "t,y,note,ok,nothing,\n2020-01-01,1,x,true,,\n2020-01-02,2,5,false,,\n"
    assert read(text).notes == ("columns left out: note (text), ok (text), nothing (empty)",)
    assert read(text, ["y"]).notes == ()
    many = ",".join(f"c{k}" for k in range(12))
    assert read(f"t,y,{many}\n2020-01-01,1{',x' * 12}\n").notes[0].endswith("c7 (text), and 4 more")


def test_the_index_that_pandas_writes():
    text = ",t,y\n0,2020-01-01,5\n1,2020-01-02,2\n"
    assert read(text, time="t").columns == ("y",)
    assert read(text, time="t").notes == ("columns left out: unnamed (the number of the row)",)
    assert read(text.replace("\n1,", "\n7,"), time="t").columns == ("unnamed", "y")
    assert refused(text).endswith("are the dates in another column? --set=time=COLUMN")
    assert read(",y\n2020-01-01,1\n").columns == ("y",)
    assert read(text, ["", "y"], time="t").columns[0] == "unnamed"


def test_a_column_whose_first_rows_are_empty():
    rows = "".join(f"{1000 + k}-01-01,{k}," + ("" if k < 6000 else "5") + "\n" for k in range(7000))
    table = read("t,y,z\n" + rows)
    assert table.columns == ("y", "z")
    np.testing.assert_array_equal(table.values[:, 1], np.where(np.arange(7000) < 6000, np.nan, 5))
    assert "columns left out: z (text)" in read("t,y,z\n" + rows.replace(",5\n", ",x\n")).notes
