"""A table of one's own as a panel: what its columns are for, its parts, and what predict makes of new rows."""

import dataclasses
import io

import numpy as np
import pytest

from seqjax.data.series.csv_panel import Columns, CsvPanel
from seqjax.data.series.panel_parts import Folds
from seqjax.data.series.panel_windows import Windows
from seqjax.errors import UserError
from shop_tables import DAY, LEVELS, lines, requests, rows, shops, source, text

__all__ = ["shops"]


def test_roles_and_parts(shops):
    _, dataset, _ = shops
    assert dataset.knobs == {"series_count": 3, "season": 7, "examples": len(dataset.parts["train"])}
    assert dataset.kept["names"] == ["b", "aaa", "cc"], "in the order of the file"
    history, steps = dataset.gather(dataset.arrays, dataset.parts["test"])
    assert history.known.shape[2] == 2 + 1  # the week, and the price; a year is not seen twice
    assert history.changes.shape[2] == 1
    assert steps.change.shape == (len(dataset.parts["test"]), 3)
    last = [dataset.kept["which"][row] for row in dataset.parts["test"]]
    assert [last.count(k) for k in range(3)] == [13, 8, 10]  # 15, 10 and 12 rows less 3, and one
    assert dataset.baselines["naive"]["test"]["mae"] == pytest.approx(20.0)  # 10, 20 and 30 behind


def test_forecasts_are_tidy_rows_behind_the_last_value_of_each_series(shops):
    found = requests(shops, rows("cc", 20, known=3), rows("b", 30, known=5))
    assert found.header == "series,origin,step,date,q0.1,q0.5,q0.9"
    first, *_ = printed = lines(found)
    assert first == "cc,2024-01-20 00:00:00,1,2024-01-21 00:00:00,292.00,292.00,292.00"
    assert [line.split(",")[0] for line in printed] == ["cc"] * 3 + ["b"] * 3
    assert [line.split(",")[2] for line in printed] == ["1", "2", "3"] * 2
    assert printed[-1].startswith("b,2024-01-30 00:00:00,3,2024-02-02 00:00:00,")
    moved = lines(found, np.ones((2, 3, 3)))
    unit = shops[1].kept["unit"]
    assert float(moved[0].split(",")[4]) == pytest.approx(292 + unit[2, 0], abs=0.01)  # by training's own scale
    assert float(moved[3].split(",")[4]) == pytest.approx(391 + unit[0, 0], abs=0.01)


def test_what_predict_sees_is_what_training_would(shops):
    """The window of a request is that of the same rows among the training data."""
    _, dataset, _ = shops
    found = requests(shops, rows("aaa", 20, DAY + 5, known=3))
    mine = found.gather(found.arrays, found.ids)
    start = dataset.kept["start"][1]
    theirs, _ = dataset.gather(dataset.arrays, np.array([start + 19], np.int32))
    for name, one, other in zip(mine._fields, mine, theirs, strict=True):
        if name != "future":
            np.testing.assert_allclose(one, other, atol=1e-6, err_msg=name)


def test_a_series_that_training_has_not_seen_is_forecast_by_its_own_scale(shops, caplog):
    found = requests(shops, rows("new", 20, known=3), rows("b", 20, known=3))
    assert "training has not seen new: scaled by what is here" in caplog.text
    history = found.gather(found.arrays, found.ids)
    assert history.series.tolist() == [0, 1]
    values = 103 + 10 * np.arange(20)
    assert history.unit[0] == pytest.approx(values.std())


def test_covariates_have_to_be_known_ahead(shops):
    with pytest.raises(
        UserError, match=r"new.csv: the series 'b' has 2 of the 3 values of 'price' after its last targ"
    ):
        requests(shops, rows("cc", 20, known=3), rows("b", 20, known=2))
    broken = rows("b", 20, known=3)
    broken[21] = broken[21].replace(",2,", ",,").replace(",1,", ",,").replace(",3,", ",,")
    with pytest.raises(UserError, match="has 2 of the 3 values of 'price'"):
        requests(shops, broken)


def test_other_tables_are_refused(shops):
    with pytest.raises(UserError, match="rows are 2880 min apart, but the model's are 1440 min apart"):
        requests(shops, rows("b", 20, every=2, known=3))
    with pytest.raises(UserError, match="no series has a value to go on from"):
        requests(shops, rows("b", 0, known=5))
    made, _, assets = shops
    with pytest.raises(UserError, match="there is no column 'price'"):
        made.requests(assets, io.StringIO("date,shop,sales,size\n2024-01-01,b,1,1\n2024-01-02,b,1,1\n"), "new.csv")
    short = requests(shops, rows("b", 1, known=3))  # one value is enough
    assert len(lines(short)) == 3


def test_dates_that_are_left_out_are_missing_steps(shops, caplog):
    whole, cut = rows("b", 20, known=3), rows("b", 20, known=3)
    del cut[10:12]
    histories = [found.gather(found.arrays, found.ids) for found in (requests(shops, whole), requests(shops, cut))]
    assert lines(requests(shops, cut))[0].startswith("b,2024-01-20 00:00:00,1,2024-01-21")
    assert "new.csv: 2 missing steps filled in as missing values" in caplog.text
    assert "new.csv: 2 missing values of known covariates taken as their mean" in caplog.text
    np.testing.assert_array_equal(histories[0].seen[0], True)
    assert histories[1].seen[0].tolist() == [True] * 7  # rows 14 to 20
    np.testing.assert_array_equal(histories[0].changes, histories[1].changes)


def test_ids_are_texts(tmp_path):
    """007 is not 7; of a table without series there is one, without a name."""
    path = tmp_path / "ids.csv"
    path.write_text(text(rows("007", 30), rows("7", 30)))
    assert source(path).load("real", tmp_path).kept["names"] == ["007", "7"]
    path.write_text("date,sales\n" + "\n".join(f"{DAY + k},{k % 7}" for k in range(60)) + "\n")
    alone = CsvPanel(str(path), Columns(), Windows(7, 3, LEVELS))
    dataset = alone.load("real", tmp_path)
    assert dataset.kept["names"] == [""]
    assert "60 rows 1440 min apart" in dataset.description
    for name, content in dataset.assets.items():
        (tmp_path / name).write_text(content)
    found = alone.requests(tmp_path, io.StringIO(path.read_text()), "new.csv")
    assert lines(found)[0] == ",2024-02-29 00:00:00,1,2024-03-01 00:00:00,3.00,3.00,3.00"


def test_all_columns_may_be_series(tmp_path):
    path = tmp_path / "wide.csv"
    lines_of = [f"{DAY + k},{k},{k * k},{k % 5}" for k in range(40)]
    path.write_text("date,north,south,wind\n" + "\n".join(lines_of) + "\n")
    of = lambda **columns: CsvPanel(str(path), Columns(**columns), Windows(7, 3, LEVELS)).load("real", tmp_path)
    assert of(target="*").kept["names"] == ["north", "south", "wind"]
    assert of(target="*", features="wind").kept["names"] == ["north", "south"]
    assert of(target="south,north").kept["names"] == ["south", "north"]
    with pytest.raises(UserError, match="target is missing; choices: north, south, wind, or"):
        of()
    with pytest.raises(UserError, match="'wind' is named by features and by known"):
        of(target="north", features="wind", known="wind")
    with pytest.raises(UserError, match="there is no column 'east'"):
        of(target="east")
    with pytest.raises(UserError, match="static=south: the table has 0 and 1"):
        of(target="north", static="south")


def test_rows_that_are_known_ahead_belong_to_no_part(tmp_path):
    path = tmp_path / "shops.csv"
    path.write_text(text(rows("b", 60, known=20)))
    made = source(path, validation=5, test=6).load("real", tmp_path)
    assert made.parts["test"].tolist() == [53, 54, 55, 56]
    assert made.parts["validation"].tolist() == [48, 49, 50]
    with pytest.raises(UserError, match="test must be at least 3, not 2"):
        source(path, test=2)


def test_a_backtest_ends_with_the_last_target(tmp_path):
    """And not with the rows behind it, of which something is known ahead."""
    path = tmp_path / "shops.csv"
    path.write_text(text(rows("b", 60, known=20)))
    made = source(path)
    for folds, origins in ((Folds(2), [53, 56]), (Folds(1, after=3), [53])):
        rolled = dataclasses.replace(made, windows=dataclasses.replace(made.windows, folds=folds))
        assert rolled.load("real", tmp_path).parts["test"].tolist() == origins


def test_a_column_without_values_is_refused(tmp_path):
    path = tmp_path / "shops.csv"
    lines_of = [line.split(",") for line in rows("b", 60)]
    path.write_text(text([",".join([*cells[:3], "", cells[4]]) for cells in lines_of]))
    with pytest.raises(UserError, match="column 'price' holds nothing but missing values"):
        source(path).load("real", tmp_path)


def test_counts_are_counts(tmp_path):
    path = tmp_path / "shops.csv"
    path.write_text(text([line.replace(",121,", ",120.5,") for line in rows("b", 60)]))
    with pytest.raises(UserError, match=r"column 'sales': 120\.5 at 2024-01-03 00:00:00 is no count"):
        source(path, counts=True).load("real", tmp_path)


@pytest.mark.parametrize(("zoned", "hours"), [(True, 24), (False, 24)])
def test_summer_time_does_not_shift_what_follows(tmp_path, zoned, hours):
    """In local time an hour comes twice in autumn: both are kept. With a zone, dates are told apart in UTC."""
    start = np.datetime64("2024-10-20T00:00")
    utc = [start + np.timedelta64(k, "h") for k in range(24 * 14)]
    local = [time + np.timedelta64(2 if time < np.datetime64("2024-10-27T01:00") else 1, "h") for time in utc]
    shown = [f"{time}+00:00" for time in utc] if zoned else [str(time) for time in local]
    path = tmp_path / "hours.csv"
    path.write_text("date,load\n" + "\n".join(f"{date},{k % hours}" for k, date in enumerate(shown)) + "\n")
    made = CsvPanel(str(path), Columns(), Windows(24, 3, LEVELS)).load("real", tmp_path)
    values = made.kept["values"][:, 0]
    assert values[~np.isnan(values)].tolist() == [k % hours for k in range(24 * 14)], "every row is there"
    assert len(values) == 24 * 14
    assert ("times in UTC" in made.description) == zoned
    for name, content in made.assets.items():
        (tmp_path / name).write_text(content)
    found = CsvPanel(str(path), Columns(), Windows(24, 3, LEVELS)).requests(
        tmp_path, io.StringIO(path.read_text()), "hours.csv"
    )
    expected = [str(utc[-1] if zoned else local[-1]).replace("T", " ") + ":00" + "+00:00" * zoned]
    assert lines(found)[0].split(",")[1:2] == expected, "with a zone if the file has one"
