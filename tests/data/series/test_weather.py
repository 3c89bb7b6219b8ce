"""Weather tables: every way to be malformed has its own message, with file, row and column."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest

from seqjax.data.series import weather
from seqjax.errors import UserError

HEADER = "Date Time," + ",".join(weather.COLUMNS)


def table_text(rows=5, header=HEADER, seed=0):
    """A well-formed hourly CSV and its values [rows, 14]."""
    values = np.random.default_rng(seed).normal(size=(rows, 14)).round(2)
    dates = [f"{1 + i // 24:02}.01.2009 {i % 24:02}:10:00" for i in range(rows)]
    lines = [",".join([date, *map(str, row)]) for date, row in zip(dates, values.tolist(), strict=True)]
    return "\n".join([header, *lines]) + "\n", values


def with_cell(text, row, column, cell):
    """The text with another cell; rows count from 1, columns from 0."""
    lines = text.split("\n")
    cells = lines[row - 1].split(",")
    cells[column] = cell
    lines[row - 1] = ",".join(cells)
    return "\n".join(lines)


def message(text, name="file.csv"):
    with pytest.raises(UserError) as caught:
        weather.parse(text, name)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(name)
    return str(caught.value)


def test_values_and_times():
    text, values = table_text(30)
    table = weather.parse(text, "file.csv")
    assert table.columns == weather.COLUMNS
    np.testing.assert_array_equal(table.values, values)
    assert table.times[0] == np.datetime64("2009-01-01T00:10:00")
    assert table.times[29] == np.datetime64("2009-01-02T05:10:00")
    assert weather.time_step(table, "file.csv") == 3600


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text + "\n\n",
        lambda text: text.rstrip(),
        lambda text: text.replace(HEADER, ",".join(f'"{column}"' for column in HEADER.split(","))),
        lambda text: text.replace("01.01.2009 ", "2009-01-01 "),
        lambda text: text.replace("01.01.2009 ", "2009-01-01T"),
    ],
    ids=[
        "CRLF",
        "byte order mark",
        "blank end",
        "no last newline",
        "quoted as the public file",
        "ISO",
        "ISO T",
    ],
)
def test_harmless_varieties_read_the_same(change):
    text, values = table_text()
    table = weather.parse(change(text), "file.csv")
    np.testing.assert_array_equal(table.values, values)
    assert table.times[4] == np.datetime64("2009-01-01T04:10:00")


def test_columns_are_found_by_name():
    text, values = table_text(header="Date Time," + ",".join(reversed(weather.COLUMNS)))
    np.testing.assert_array_equal(weather.parse(text, "file.csv").values, values[:, ::-1])


@pytest.mark.parametrize(
    "cell", ["abc", "", " ", "1_0", "1,5", "nan", "NaN", "inf", "-Infinity", "1e999", "0x10", "--1", "#", "١"]
)
def test_a_cell_that_is_no_finite_number(cell):
    found = message(with_cell(table_text()[0], 4, 2, cell))
    if cell == "1,5":  # a decimal comma makes one cell more
        assert "row 4 has 16 columns instead of 15" in found
    else:
        assert f"row 4, column 'T (degC)': {cell!r} is not a finite number" in found


def test_numbers_of_every_form_are_read():
    text, values = table_text()
    for column, cell in enumerate(["+1.5", "1.", ".5", "1e-3", "-2E+2", " 7 "], start=1):
        text = with_cell(text, 3, column, cell)
        values[1, column - 1] = float(cell)
    np.testing.assert_array_equal(weather.parse(text, "file.csv").values, values)


@pytest.mark.parametrize(
    "date",
    [
        "",
        "NaT",
        "yesterday",
        "32.01.2009 00:10:00",
        "30.02.2009 00:10:00",
        "01.13.2009 00:10:00",
        "1.1.2009 00:10:00",
        "01.01.2009",
        "01.01.2009 24:10:00",
        "01.01.09 00:10:00",
        "01/01/2009 00:10:00",
        "2009-02-30 00:00:00",
    ],
)
def test_a_bad_date(date):
    assert f"row 3, column 'Date Time': {date!r} is not a date" in message(with_cell(table_text()[0], 3, 0, date))


def test_the_first_of_several_faults_is_named():
    text = with_cell(with_cell(with_cell(table_text()[0], 5, 1, "nan"), 4, 9, "x"), 6, 0, "never")
    assert "row 4, column 'sh (g/kg)': 'x'" in message(text)


def test_a_row_cut_short_names_its_first_missing_column():
    lines = table_text()[0].split("\n")
    lines[3] = ",".join(lines[3].split(",")[:3])
    assert "row 4 ends before column 'Tpot (K)'" in message("\n".join(lines))


def test_a_blank_row_in_the_middle():
    lines = table_text()[0].split("\n")
    assert "row 3 ends before column 'p (mbar)'" in message("\n".join([*lines[:2], "", *lines[2:]]))


def test_a_carriage_return_alone_ends_no_row():
    lines = table_text()[0].split("\n")
    assert "row 3 has 29 columns instead of 15" in message("\n".join([*lines[:2], "\r".join(lines[2:4]), *lines[4:]]))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (HEADER.replace(",T (degC)", ""), "row 1: missing columns: 'T (degC)'"),
        (HEADER.replace("Date Time,", "When,"), "row 1: missing columns: 'Date Time'"),
        (HEADER + ",rain (mm)", "row 1: unknown or repeated columns: 'rain (mm)'"),
        (HEADER + ",T (degC)", "row 1: unknown or repeated columns: 'T (degC)'"),
        (",".join([*weather.COLUMNS, "Date Time"]), "'Date Time' must be the first column, not 'p (mbar)'"),
        ("<!DOCTYPE html>", "row 1: '<!DOCTYPE html>' is not the header 'Date Time', 'p (mbar)'"),
    ],
)
def test_a_bad_header(header, expected):
    assert expected in message(table_text(header=header)[0])


@pytest.mark.parametrize(("text", "expected"), [("", "is empty"), ("\n \n", "is empty"), (HEADER, "too few rows")])
def test_nothing_to_read(text, expected):
    assert expected in message(text)


# Files and archives


def write(path: Path, content: bytes) -> Path:
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(content))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("__MACOSX/._table.csv", "junk")
            archive.writestr("table.csv", content)
    else:
        path.write_bytes(content)
    return path


@pytest.mark.parametrize("suffix", weather.SUFFIXES)
def test_every_packing_reads_the_same(tmp_path, suffix):
    text, values = table_text()
    table = weather.read(write(tmp_path / f"table{suffix}", text.encode()))
    np.testing.assert_array_equal(table.values, values)


@pytest.mark.parametrize(
    ("suffix", "damage", "expected"),
    [
        (".csv", lambda whole: b"", "the file is empty"),
        (".csv.gz", lambda whole: b"", "the file is empty"),
        (".csv.zip", lambda whole: b"", "the file is empty"),
        (".csv", lambda whole: whole[:-20], "row 201 ends before column"),
        (".csv.gz", lambda whole: whole[:-20], "damaged or truncated"),
        (".csv.zip", lambda whole: whole[:-20], "damaged or truncated"),
        (".csv", lambda whole: b"\xff\x00" * 99, "row 1 is not UTF-8 text"),
        (".csv.gz", lambda whole: b"\xff\x00" * 99, "damaged or truncated"),
        (".csv.zip", lambda whole: b"\xff\x00" * 99, "damaged or truncated"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, suffix, damage, expected):
    path = write(tmp_path / f"table{suffix}", table_text(200)[0].encode())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=expected) as caught:
        weather.read(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("suffix", weather.SUFFIXES)
def test_an_empty_table_in_an_archive(tmp_path, suffix):
    with pytest.raises(UserError, match="the file is empty"):
        weather.read(write(tmp_path / f"table{suffix}", b""))


def test_an_archive_with_a_flipped_bit(tmp_path):
    for suffix in (".csv.gz", ".csv.zip"):
        path = write(tmp_path / f"table{suffix}", table_text(200)[0].encode())
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0x10
        path.write_bytes(content)
        with pytest.raises(UserError, match="damaged or truncated"):
            weather.read(path)


def test_an_archive_without_a_table(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.csv.zip", "w") as archive:
        archive.writestr("readme.txt", "")
    with pytest.raises(UserError, match=r"one \.csv is expected"):
        weather.read(tmp_path / "a.csv.zip")


def test_unreadable_files(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        weather.read(tmp_path / "none.csv")
    with pytest.raises(UserError, match=r"row 3 is not UTF-8 text \(byte 0xb0\)"):
        weather.read(write(tmp_path / "latin.csv", b"a\nb\n23\xb0\n"))


# Repair and time step


def small(values, times=None):
    values = np.array(values, float)
    times = np.arange(len(values)) * np.timedelta64(600, "s") + np.datetime64("2009-01-01") if times is None else times
    return weather.Weather(("a", "b")[: values.shape[1]], np.array(times, "datetime64[s]"), values)


def test_the_last_valid_value_is_carried_forward():
    table = small([[-9999, 1], [-9999, -9999], [3, -9999], [-9999, 4], [5, -9999]])
    repaired, count = weather.repair(table, "x")
    np.testing.assert_array_equal(repaired.values, [[3, 1], [3, 1], [3, 1], [3, 4], [5, 4]])
    assert count == 6
    assert table.values[0, 0] == -9999  # the table itself is not touched


def test_a_column_without_a_valid_value():
    with pytest.raises(UserError, match="x: column 'b' holds nothing but -9999"):
        weather.repair(small([[1, -9999], [2, -9999]]), "x")


def test_gaps_and_repeated_stretches_do_not_move_the_time_step():
    minutes = np.array([0, 10, 20, 30, 20, 30, 40, 300, 310, 320])
    times = np.datetime64("2009-01-01T00:00:00") + minutes * np.timedelta64(60, "s")
    assert weather.time_step(small(np.zeros((10, 1)), times), "x") == 600


def test_no_time_step():
    with pytest.raises(UserError, match="x: too few rows"):
        weather.time_step(small([[1.0]]), "x")
    for times in (["2009-01-02", "2009-01-01"], ["2009-01-01", "2009-01-01"]):
        with pytest.raises(UserError, match="the dates do not ascend"):
            weather.time_step(small([[1.0], [2.0]], times), "x")
