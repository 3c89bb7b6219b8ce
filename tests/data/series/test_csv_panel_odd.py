"""Tables that are read although something about them is odd, or refused with its name."""

import dataclasses
import io

import numpy as np
import pytest

from seqjax.data.dataset import Answers
from seqjax.data.series import panel_truth
from seqjax.data.series.csv_panel import Columns, CsvPanel
from seqjax.data.series.csv_table import Form
from seqjax.data.series.panel_windows import Windows
from seqjax.errors import UserError
from shop_tables import DAY, LEVELS, lines, requests, rows, shops, source, text

__all__ = ["shops"]


def kinds(*words, first="region,size"):
    """Lines of shops s0, s1, ... of 40 days, each with a word and a number of its own."""
    lines_of = [f"{DAY + k},s{j},{word},{j},{k % 7}" for j, word in enumerate(words) for k in range(40)]
    return "\n".join([f"date,shop,{first},sales", *lines_of]) + "\n"


def test_words_of_whole_series_are_marks_that_training_has_seen(tmp_path, caplog):
    path = tmp_path / "shops.csv"
    path.write_text(kinds("north", '"south, old"', "north", ""))
    made = source(path, Columns("sales", static="region,size"))
    dataset = made.load("real", tmp_path)
    marks = np.array([[0, 1, 0], [1, 0, 1], [2, 1, 0], [3, np.nan, np.nan]])
    scaled = (marks - np.nanmean(marks, axis=0)) / np.nanstd(marks, axis=0)
    np.testing.assert_allclose(dataset.arrays["static"], np.nan_to_num(scaled), atol=1e-6)
    for name, content in dataset.assets.items():
        (tmp_path / name).write_text(content)
    new = made.requests(tmp_path, io.StringIO(kinds('"south, old"', "east")), "new.csv")
    history = new.gather(new.arrays, new.ids)
    np.testing.assert_allclose(history.static[0, 1:], scaled[1, 1:], atol=1e-6)
    np.testing.assert_array_equal(history.static[1, 1:], 0)
    assert "training has not seen region=east" in caplog.text
    numbers = made.requests(tmp_path, io.StringIO(kinds("7", "7")), "new.csv")
    assert not numbers.gather(numbers.arrays, numbers.ids).static[:, 1:].any(), "words all the same"
    path.write_text(kinds("north", "south") + f"{DAY + 40},s0,south,0,1\n")
    with pytest.raises(UserError, match="static=region: the series 's0' has 'north' and 'south': it is not static"):
        made.load("real", tmp_path)
    path.write_text("# rows\n" + kinds("x", "y", first="item,kind").replace(",", ";"))
    keyed = CsvPanel(
        str(path), Columns("sales", static="kind"), Windows(7, 3, LEVELS), Form(series="shop+item", comment="#")
    ).load("real", tmp_path)
    assert keyed.kept["names"] == ["s0/x", "s1/y"]
    np.testing.assert_allclose(keyed.arrays["static"], [[-1], [1]])


def test_what_never_changes_in_training_says_nothing_later(tmp_path):
    path = tmp_path / "shops.csv"
    line = "\n".join(f"{DAY + k},s0,7,{int(k > 55)},{k % 7}" for k in range(60))
    path.write_text(f"date,shop,size,sale,sales\n{line}\n")
    made = source(path, Columns("sales", known="sale", static="size"))
    dataset = made.load("real", tmp_path)
    assert "sale is the same in all training rows: nothing is learned of it" in dataset.description
    assert not dataset.arrays["known"][:, -1].any()
    for name, content in dataset.assets.items():
        (tmp_path / name).write_text(content)
    later = f"date,shop,size,sale,sales\n{line.replace(',7,', ',900,')}\n" + "".join(
        f"{DAY + k},s0,900,5,\n" for k in (60, 61, 62)
    )
    new = made.requests(tmp_path, io.StringIO(later), "new.csv")
    history = new.gather(new.arrays, new.ids)
    assert (history.static.any(), history.known[:, :, -1].any()) == (False, False)
    for column, role in (("sale", "known"), ("size", "static")):
        path.write_text(f"date,shop,{column},sales\n" + "\n".join(f"{DAY + k},s0,1e200,{k % 7}" for k in range(60)))
        with pytest.raises(UserError, match=rf"shops.csv: column '{column}': 1e\+200 is too large"):
            source(path, Columns("sales", **{role: column})).load("real", tmp_path)


def test_a_file_may_have_a_series_a_row(tmp_path):
    path = tmp_path / "wide.csv"
    text_of = "id;" + ";".join(f"V{k}" for k in range(50)) + "\n"
    text_of += "".join(f"s{j};" + ";".join(f"{k % 24},5" for k in range(50 + j)) + "\n" for j in range(3))
    path.write_text(text_of, encoding="utf-16")
    made = CsvPanel(str(path), Columns(), Windows(7, 3, LEVELS, season=24), Form(decimal=","), wide=True)
    dataset = made.load("real", tmp_path)
    assert dataset.kept["names"] == ["s0", "s1", "s2"]
    assert dataset.kept["values"][:3, 0].tolist() == [0.5, 1.5, 2.5]
    for name, content in dataset.assets.items():
        (tmp_path / name).write_text(content)
    found = made.requests(tmp_path, io.StringIO(text_of), "new.csv")
    assert lines(found)[3] == "s1,51,1,,2.50,2.50,2.50"
    with pytest.raises(UserError, match="wide=true: a row is a series, and there are no columns to name"):
        dataclasses.replace(made, columns=Columns("s0"))


def test_series_may_leave_out_most_steps(shops, tmp_path):
    """One is sold on some days only: the others are missing steps, and are not those of another table."""
    days = [k for k in range(100) if k % 3 == 0 or k % 5 == 0]
    some = [rows("s", 100)[k] for k in days]
    path = tmp_path / "sparse.csv"
    for pieces in ([rows("b", 100), some], [some]):
        path.write_text(text(*pieces))
        made = source(path).load("real", tmp_path)
        assert "1440 min apart" in made.description
        values = made.kept["values"][-100:, 0]
        np.testing.assert_array_equal(np.flatnonzero(~np.isnan(values)), days)
    two = rows("new", 3, known=3)
    new = requests(shops, rows("b", 20, known=3), [two[0], *two[2:]])
    assert [line.split(",")[3][:10] for line in lines(new)[3:]] == ["2024-01-04", "2024-01-05", "2024-01-06"]


def test_a_series_that_begins_late_has_the_scale_of_the_others(tmp_path):
    path = tmp_path / "late.csv"
    late = rows("late", 60)
    path.write_text(
        text(
            rows("b", 60), [",".join([*line.split(",")[:2], "", *line.split(",")[3:]]) for line in late[:50]], late[50:]
        )
    )
    dataset = source(path).load("real", tmp_path)
    unit = dataset.kept["unit"]
    assert unit[1, 0] == unit[0, 0] > 50
    truth = panel_truth.truth(dataset, dataset.parts["test"][-1:])
    assert truth.seasonal[0, 0] == truth.actual[0, 0] - 70, "a week before"
    early = panel_truth.truth(dataset, np.array([60 + 52], np.int32))
    np.testing.assert_array_equal(early.seasonal, early.naive, "no season yet: not the mean of others")


def test_a_date_that_is_far_off_is_named(tmp_path):
    path = tmp_path / "far.csv"
    own = rows("b", 60)
    path.write_text(text([*own[:-1], own[-1].replace("2024-02-29", "2204-02-29")]))
    with pytest.raises(UserError, match=r"65,\d+ missing steps filled in as missing values: are its dates right\?"):
        source(path).load("real", tmp_path)


def test_counts_stay_counts_in_float32(tmp_path):
    """A quantile of 3 that has become 2.9999998 is to cover a 3; and is told as 3."""
    path = tmp_path / "counts.csv"
    path.write_text("date,y\n" + "\n".join(f"{DAY + k},{1234567 * (k % 7)}" for k in range(60)) + "\n")
    made = CsvPanel(str(path), Columns(), Windows(7, 3, LEVELS), counts=True)
    dataset = made.load("real", tmp_path)
    ids = dataset.parts["test"]
    _, ahead = dataset.gather(dataset.arrays, ids)
    exact = np.repeat(np.asarray(ahead.change)[:, :, None], 3, axis=2)
    answers = Answers(exact, None, ids, dataset)
    np.testing.assert_array_equal(panel_truth.quantiles(answers)[..., 1], panel_truth.truth(dataset, ids).actual)
    for name, content in dataset.assets.items():
        (tmp_path / name).write_text(content)
    found = made.requests(tmp_path, io.StringIO(path.read_text()), "new.csv")
    unit = dataset.kept["unit"][0, 0]
    asked = np.float32((np.arange(9).reshape(3, 3) - 3 * 1234567) / unit)
    assert lines(found, [asked])[2].split(",")[4:] == ["6", "7", "8"]


def test_two_rows_of_a_day_are_not_two_days(shops):
    own = rows("b", 20, known=3)
    with pytest.raises(UserError, match="the series 'b': 2024-01-06 00:00:00 is there twice with other values"):
        requests(shops, [*own[:6], own[5].replace(",1", ",2", 1), *own[6:]])


@pytest.mark.parametrize("content", ['{"date": "2024-01-01", "y": 1}\n', ' [ {"date": "2024-01-01", "y": 1}]'])
def test_json_is_said_to_be_json(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=r"a\.json: this is JSON, not a table of text: save it as CSV or Parquet"):
        CsvPanel(str(tmp_path / "a.json"), Columns(), Windows(7, 3, LEVELS)).load("real", tmp_path)
