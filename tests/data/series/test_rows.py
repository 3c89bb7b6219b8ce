"""Nothing is lost, reordered or merged without a word: unsorted and doubled rows, several series, open quotes."""

import numpy as np
import pytest

from seqjax.data.series.csv_table import Form, parse
from seqjax.errors import UserError

DAYS = 40
SORTED = [f"2020-01-01 {k // 2:02}:{k % 2 * 30:02},{k / 7:.3f}" for k in range(DAYS)]


def read(lines, header="t,y", columns=(), **options):
    return parse("\n".join([header, *lines, ""]).encode(), "f", Form(**options), columns)


def refused(lines, header="t,y", columns=(), **options):
    with pytest.raises(UserError) as caught:
        read(lines, header, columns, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def ys(table):
    return table.values[:, 0].tolist()


# The order of rows


def test_unsorted_rows_are_refused_or_sorted():
    lines = [*SORTED[:20], SORTED[21], SORTED[20], *SORTED[22:]]
    assert refused(lines) == (
        "f: row 23, column 't': 2020-01-01 10:00:00 comes after 2020-01-01 10:30:00: unsorted? --set=sort=true sorts "
        "the rows; of several series? --set=series=COLUMN tells them apart"
    )
    table, expected = read(lines, sort=True), read(SORTED)
    np.testing.assert_array_equal(table.times, expected.times)
    assert ys(table) == ys(expected)
    assert (table.notes, expected.notes) == (("rows sorted by time",), ())
    assert read(SORTED, sort=True).notes == ()
    assert ys(read(SORTED[::-1], sort=True)) == ys(expected)
    shuffled = np.random.default_rng(0).permutation(SORTED).tolist()
    assert ys(read(shuffled, sort=True)) == ys(expected)


def test_row_numbers_are_lines_of_the_file_whatever_lies_between():
    lines = [SORTED[0], "", "# x", SORTED[2], SORTED[1]]
    assert refused(lines, comment="#").startswith("f: row 6, column 't': 2020-01-01 00:30:00 comes after")
    noted = ['2020-01-02,"a\nb",1', "2020-01-01,x,2"]
    assert refused(noted, "t,n,y").startswith("f: row 4, column 't': 2020-01-01 00:00:00 comes after")


# Doubled rows


def test_equal_rows_of_one_time_are_left_out_and_counted():
    assert read([*SORTED[:3], SORTED[2], *SORTED[3:]]).notes == ("1 doubled row left out",)
    again = [*SORTED[:9], SORTED[8], SORTED[8], *SORTED[9:]]
    table = read(again)
    assert (ys(table), table.notes) == (ys(read(SORTED)), ("2 doubled rows left out",))
    holes = ["2020-01-01,1,", "2020-01-01,1,NA", "2020-01-02,,2"]
    assert len(read(holes, "t,y,z").times) == 2
    overlap = read([*SORTED[:20], *SORTED[10:]], sort=True)
    assert (ys(overlap), overlap.notes) == (ys(read(SORTED)), ("rows sorted by time", "10 doubled rows left out"))


def test_a_few_different_rows_of_one_time_are_kept_and_counted():
    table = read([*SORTED[:9], SORTED[8] + "1", *SORTED[9:]])
    assert len(table.times) == DAYS + 1
    assert table.notes == ("1 doubled row with other values kept (row 11; --set=doubled=first, last or mean)",)


def test_many_different_rows_of_one_time_are_refused():
    lines = [line for k, first in enumerate(SORTED) for line in (first, first + "1")[: 1 + (k > 20)]]
    assert refused(lines) == (
        "f: row 24, column 't': 2020-01-01 10:30:00 is in row 23, too, with other values, and there are many such "
        "rows. Several series? --set=series=COLUMN tells them apart. Which one to keep: --set=doubled=first, last or "
        "mean"
    )


@pytest.mark.parametrize(
    ("doubled", "kept", "note"),
    [
        ("first", [[1, np.nan], [2, 2]], "2 doubled rows left out, the first of a time kept"),
        ("last", [[5, 7], [2, 2]], "2 doubled rows left out, the last of a time kept"),
        ("mean", [[3, 7], [2, 2]], "2 doubled rows merged into the mean"),
    ],
)
def test_which_of_doubled_rows_is_kept(doubled, kept, note):
    lines = ["2020-01-01,1,", "2020-01-01,3,", "2020-01-01,5,7", "2020-01-02,2,2"]
    table = read(lines, "t,y,z", doubled=doubled)
    np.testing.assert_array_equal(table.values, kept)
    assert table.notes == (note,)
    assert np.isnan(read(["2020-01-01,1,", "2020-01-01,3,", "2020-01-02,2,2"], "t,y,z", doubled="mean").values[0, 1])


def test_summer_time():
    lines = [
        f"2020-10-25T{hour}:00:00{zone},{k}"
        for k, (hour, zone) in enumerate([("01", "+02:00"), ("02", "+02:00"), ("02", "+01:00"), ("03", "+01:00")])
    ]
    table = read(lines)
    assert (np.diff(table.times) == np.timedelta64(1, "h")).all()
    assert table.notes == ("times in UTC",)
    local = [line.replace("+02:00", "").replace("+01:00", "") for line in lines]
    assert "2020-10-25 02:00:00 is in row 3, too, with other values" in refused(local)  # 1 in 4 rows is many
    assert len(read([*local, *(f"2021-{line[5:]}" for line in SORTED)]).times) == DAYS + 4
    assert refused([lines[0], local[1]]).startswith("f: row 3, column 't': '2020-10-25T02:00:00' has no zone, unlike")
    assert refused([local[0], lines[1]]).startswith("f: row 3, column 't': '2020-10-25T02:00:00+02:00' has a zone")


# Series


def panel(shops, days=3):
    return [f"{shop},2020-01-{day:02},{k * 10 + day}" for k, shop in enumerate(shops) for day in range(1, days + 1)]


def test_series_one_after_the_other_or_interleaved():
    lines = panel("BAC")
    assert refused(lines, "shop,t,y", time="t").endswith("of several series? --set=series=shop")
    assert refused(lines, "shop,t,y", ["y"], time="t").endswith("of several series? --set=series=shop")
    assert "Several series? --set=series=shop." in refused(lines, "shop,t,y", time="t", sort=True)
    mixed = [lines[k] for k in (0, 3, 6, 1, 4, 7, 2, 5, 8)]
    assert "row 3, column 't': 2020-01-01 00:00:00 is in row 2, too" in refused(mixed, "shop,t,y", time="t")
    for order in (lines, mixed):
        table = read(order, "shop,t,y", series="shop")
        assert table.names == ("B", "A", "C")
        assert table.series is not None
        assert (table.series.dtype, table.series.tolist()) == (np.int32, [0, 0, 0, 1, 1, 1, 2, 2, 2])
        assert (table.columns, ys(table), table.notes) == (("y",), [1, 2, 3, 11, 12, 13, 21, 22, 23], ())
    swapped = [lines[k] for k in (0, 3, 5, 6, 1, 4, 7, 2, 8)]
    message = refused(swapped, "shop,t,y", series="shop")
    assert message.startswith("f: row 7, column 't': 2020-01-02 00:00:00 comes after 2020-01-03 00:00:00: unsorted?")
    assert message.endswith("sorts the rows")
    table = read(swapped, "shop,t,y", series="shop", sort=True)
    assert (ys(table), table.notes) == ([1, 2, 3, 11, 12, 13, 21, 22, 23], ("rows sorted by time",))


def test_one_time_in_two_series_is_not_doubled_but_in_one_it_is():
    table = read([*panel("AB"), "B,2020-01-03,13"], "shop,t,y", series="shop")
    assert (len(table.times), table.notes) == (6, ("1 doubled row left out",))
    message = refused([*panel("AB"), "B,2020-01-03,14"], "shop,t,y", series="shop")
    assert "row 8, column 't': 2020-01-03 00:00:00 is in row 7, too" in message
    assert "everal series" not in message


def test_names_of_series():
    lines = ["7,NA,2020-01-01,1", "7, b ,2020-01-01,2", "8,NA,2020-01-01,3", "7,b,2020-01-02,4"]
    table = read(lines, "shop,land,t,y", time="t", series="shop+land")
    assert (table.names, ys(table)) == (("7/NA", "7/b", "8/NA"), [1, 2, 4, 3])
    assert read(lines, "shop,land,t,y", time="t", series="shop", doubled="last").names == ("7", "8")
    assert refused(["A,2020-01-01,1", ",2020-01-01,2"], "shop,t,y", series="shop") == (
        "f: row 3, column 'shop': '' names no series"
    )
    assert refused(lines, "shop,land,t,y", series="store").startswith("f: row 1: there is no column 'store'; columns: ")


# Quotes


@pytest.mark.parametrize(
    ("notes", "row"),
    [
        ({5: '"5 inch pipe'}, 7),
        ({39: '"5 inch pipe'}, 41),
        ({5: '"5 inch', 9: '"6 inch'}, 7),
        ({5: '"5 inch', 9: '6"'}, 7),
        ({5: '"5 inch', 6: '6"'}, 7),
        ({5: '"a ""b"" c', 20: 'x"'}, 7),
        ({5: '"fine"', 6: '"a\nb"', 7: '"open'}, 10),
    ],
)
def test_an_open_quote_is_refused_by_its_row(notes, row):
    lines = [f"{line},{notes.get(k, 'ok')}" for k, line in enumerate(SORTED)]
    for columns in ((), ("y",)):
        assert refused(lines, "t,y,note", columns).startswith(f"f: row {row}: a quote is left open")
    lines = [f"{notes.get(k, 'ok')},{line}" for k, line in enumerate(SORTED)]
    assert refused(lines, "note,t,y", time="t").startswith(f"f: row {row}: a quote is left open")


@pytest.mark.parametrize(
    "note", ['5" pipe', '"5"" pipe"', '"a, b"', '"a\nb"', '"a\n2020-01-01, b"', '"\n\n"', "it's", '"5" pipe']
)
def test_quotes_that_are_right_or_harmless(note):
    lines = [f"{line},{note if k == 5 else 'ok'}" for k, line in enumerate(SORTED)]
    assert ys(read(lines, "t,y,note")) == ys(read(SORTED))
    assert refused([*lines, "2020-01-02,x,ok"], "t,y,note").startswith(f"f: row {DAYS + 2 + note.count(chr(10))}, ")
    lines = [f"{note if k == 5 else 'ok'},{line}" for k, line in enumerate(SORTED)]
    assert ys(read(lines, "note,t,y", time="t")) == ys(read(SORTED))


def test_ragged_rows():
    assert refused([*SORTED, "2020-01-02,1,2"]) == "f: row 42 has 3 cells instead of 2: ['2020-01-02', '1', '2']"
    assert refused([*SORTED[:5], "2020-01-02", *SORTED[5:]]) == "f: row 7 has 1 cells instead of 2: ['2020-01-02']"
    assert refused(["2020-01-01,1,", "2020-01-02,2"]).startswith("f: row 2 has 3 cells instead of 2")


# Dates


@pytest.mark.parametrize(
    ("cells", "form", "times"),
    [
        (["2020-01-01 23:00", "2020-01-01 24:00"], None, ["2020-01-01T23", "2020-01-02"]),
        (["2020-W01-1", "2020-W02-1"], None, ["2019-12-30", "2020-01-06"]),
        (["01/31/2020 11:00 PM", "02/01/2020 12:00 AM"], "%m/%d/%Y %I:%M %p", ["2020-01-31T23", "2020-02-01"]),
        (["31.01.69", "31.01.68"], "%d.%m.%y", ["1969-01-31", "2068-01-31"]),
        (["1900-01-01", "9999-12-31"], None, ["1900-01-01", "9999-12-31"]),
        (["2020-01", "2020-02"], None, ["2020-01-01", "2020-02-01"]),
        (["2020", "2021"], "%Y", ["2020-01-01", "2021-01-01"]),
        (["1.1.2020 9:05", "1.1.2020 10:00"], None, ["2020-01-01T09:05", "2020-01-01T10:00"]),
        (
            ["2020-01-01T00:00:00.001", "2020-01-01T00:00:00.0015"],
            None,
            ["2020-01-01T00:00:00.001", "2020-01-01T00:00:00.0015"],
        ),
        (["-1.5", "1577836800.000001"], "unix", ["1969-12-31T23:59:58.5", "2020-01-01T00:00:00.000001"]),
        (["1.577836800e9"], "unix", ["2020-01-01"]),
        (["1577836800000"], "unix_ms", ["2020-01-01"]),
        (["2020-01-01 00:00:00,5"], None, ["2020-01-01T00:00:00.5"]),
    ],
)
def test_dates_are_kept_exactly(cells, form, times):
    table = read([f"{cell};1" for cell in cells], "t;y", format=form)
    np.testing.assert_array_equal(table.times, np.array(times, "datetime64[us]"))
    assert table.notes == ()


def test_parts_below_a_microsecond_are_told():
    for cell, form in (
        ("2020-01-01 00:00:00.123456789", None),
        ("1577836800123456789", "unix_ns"),
        ("1.1234567", "unix"),
    ):
        assert read([f"{cell},1"], format=form).notes == ("times cut to microseconds",)


@pytest.mark.parametrize(
    "cell", ["2020-01-01 24:30", "2020-02-30", "2020", "01/02/2020", "２０２０-01-01", "'2020-01-01'", "now"]
)
def test_what_is_no_date(cell):
    assert refused([SORTED[0], f"{cell},1"]).startswith(f"f: row 3, column 't': {cell!r} is not a date that is known: ")
