"""Windows over a user's own table, through knobs alone: train, evaluate, predict."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from places import DATA
from seqjax.data.series.csv_table import Form
from seqjax.data.series.table_windows import ASSET, TableWindows
from seqjax.errors import UserError
from seqjax.runs import commands
from seqjax.runs.lines import result_line
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir

ROWS = 97
SMALL = {"sampling": 2, "sequence_length": 5, "horizon": 3}
KNOBS = ["sequence_length=6", "horizon=2", "units=2", "epochs=1"]


def values(seed=0, rows=ROWS):
    return np.random.default_rng(seed).normal(5000, 300, (rows, 3)).round(2)


def write(path, table, start="2014-07-01", freq="7min", **more):
    frame = pd.DataFrame(table, columns=["a", "b", "c"][: table.shape[1]])
    frame.insert(0, "when", pd.date_range(start, periods=len(frame), freq=freq))
    frame.to_csv(path, index=False, **more)
    return path


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "mine.csv", values())


def train(name, tmp_path, *knobs, folder="run"):
    workdir = Workdir(tmp_path / folder)
    return workdir, commands.train(name, workdir, options=knobs, data_dir=tmp_path, settings=Settings())


def test_windows_by_hand(file):
    dataset = TableWindows(str(file), "b", **SMALL).load("real", file.parent)
    (changes, level), (targets, unit) = dataset.gather(dataset.arrays, dataset.parts["validation"])
    table = values()[:, [1, 0, 2]]  # the target first
    mean, std = table[:48].mean(0), table[:48].std(0)
    rows = 48 - 11 + np.array([0, 2, 4, 6, 8])  # the target is row 48, the first of its part
    np.testing.assert_allclose(changes[0], (table[rows] - table[rows[-1]]) / std, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(level[0], (table[rows[-1]] - mean) / std, rtol=1e-5)
    np.testing.assert_allclose(targets * std[0], table[48:72, 0] - table[45:69, 0], rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(unit, np.full(24, std[0]), rtol=1e-6)
    assert {part: len(ids) for part, ids in dataset.parts.items()} == {"train": 37, "validation": 24, "test": 25}
    assert "97 rows 7 min apart" in dataset.description
    assert "target 'b'; 0 missing values filled" in dataset.description


WAVE = np.sin(np.arange(300) / 4)[:, None] + np.random.default_rng(0).normal(0, 0.1, (300, 1))


def learned(folder, table):
    """(test MAE of csv_naive, of csv_lstm, the latter's last forecast)."""
    file = write(folder / "wave.csv", table, float_format="%.17g")
    knobs = [f"file={file}", "sequence_length=6", "horizon=2"]
    _, naive = train("csv_naive", folder, *knobs, folder="naive")
    workdir, lstm = train("csv_lstm", folder, *knobs, "units=4", "epochs=3", "batch_size=16", folder="lstm")
    last = list(commands.predict(workdir, io.StringIO(file.read_text()), "new.csv"))[-1]
    return naive["test"]["mae"], lstm["test"]["mae"], float(last.split(",")[2])


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return learned(tmp_path_factory.mktemp("plain"), WAVE)


@pytest.mark.parametrize(
    ("scale", "offset"),
    [(1e-6, 1e3), *(pytest.param(*unit, marks=pytest.mark.slow) for unit in ((1, 1e8), (1e9, 0), (0.01, 1.08)))],
)
def test_a_score_does_not_depend_on_unit_or_offset(tmp_path, plain, scale, offset):
    naive, lstm, last = learned(tmp_path, WAVE * scale + offset)
    expected = np.abs(WAVE[225:] - WAVE[223:-2]).mean()
    assert naive / scale == pytest.approx(expected, rel=1e-5)
    assert lstm / scale == pytest.approx(plain[1], rel=0.01)
    assert (last - offset) / scale == pytest.approx(plain[2], abs=0.02)


def test_no_digit_is_lost_however_far_a_series_wanders(tmp_path):
    noise = np.random.default_rng(0).normal(0, 1e-3, 200)
    jump = np.where(np.arange(200) < 100, 0.0, 1e6) + noise
    file = write(tmp_path / "jump.csv", jump[:, None], float_format="%.17g")
    workdir, results = train("csv_naive", tmp_path, f"file={file}", "sequence_length=4", "horizon=1")
    expected = np.abs(np.diff(jump)[149:]).mean()
    assert results["test"]["mae"] == pytest.approx(expected, rel=1e-3)
    assert results["skill"]["test"] == pytest.approx(1, rel=1e-3)
    last = list(commands.predict(workdir, io.StringIO(file.read_text()), "new.csv"))[-1]
    assert float(last.split(",")[2]) == pytest.approx(jump[-1], abs=1e-5)


@pytest.mark.parametrize("scale", [1e-6, 1, 1e12])
def test_a_flat_training_part_has_no_unit_either(tmp_path, scale):
    flat = scale * np.where(np.arange(160) < 90, 1, 1 + 0.1 * np.sin(np.arange(160)))
    file = write(tmp_path / "flat.csv", flat[:, None], float_format="%.17g")
    dataset = TableWindows(str(file), "", sequence_length=4, horizon=1).load("real", tmp_path)
    _, (target, unit) = dataset.gather(dataset.arrays, dataset.parts["test"])
    np.testing.assert_allclose(target, np.diff(flat)[119:] / flat.std(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(unit / scale, np.full(40, flat.std() / scale), rtol=1e-5)


@pytest.mark.parametrize("scale", [1e40, 1e-40, 1e200])
def test_what_float32_cannot_hold_is_refused(tmp_path, scale):
    file = write(tmp_path / "vast.csv", WAVE * scale, float_format="%.17g")
    with pytest.raises(UserError, match=r"column 'a' has the deviation .*: give it in another unit"):
        TableWindows(str(file), "", sequence_length=4, horizon=1).load("real", tmp_path)
    file = write(tmp_path / "plain.csv", WAVE)
    source = TableWindows(str(file), "", sequence_length=4, horizon=1)
    (tmp_path / ASSET).write_text(source.load("real", tmp_path).assets[ASSET])
    far = "when,a\n2014-07-01 00:00,1\n2014-07-01 00:07,1e300\n2014-07-01 00:14,1\n2014-07-01 00:21,1\n"
    with pytest.raises(UserError, match=r"new\.csv: column 'a': 1e\+300 at 2014-07-01 00:07:00 is too far"):
        source.requests(tmp_path, io.StringIO(far), "new.csv")


def test_what_was_not_yet_known_is_not_forecast_from(tmp_path):
    table = values()[:, :1]
    table[:30] = np.nan
    file = write(tmp_path / "late.csv", table)
    source = TableWindows(str(file), "", sequence_length=4, horizon=5)
    dataset = source.load("real", tmp_path)
    assert dataset.parts["train"][0] + 3 == 30  # the first window ends on the first value
    (tmp_path / ASSET).write_text(dataset.assets[ASSET])
    assert source.requests(tmp_path, io.StringIO(file.read_text()), "new.csv").ids[0] + 3 == 30
    late = panel("AB")
    late.loc[late["shop"] == "B", "y"] = np.nan
    late.to_csv(tmp_path / "dead.csv", index=False)
    alive = TableWindows("dead.csv", "y", form=Form("day", series="shop"), sequence_length=4).load("real", tmp_path)
    assert "1 series without a window" in alive.description
    assert max(map(max, alive.parts.values())) < 60


def test_missing_targets_are_neither_trained_on_nor_scored(tmp_path, caplog):
    table = values()
    table[[20, 60, 80], 0] = np.nan
    table[90:, 0] = np.nan
    table[30, 1] = np.nan
    file = write(tmp_path / "holes.csv", table)
    dataset = TableWindows(str(file), "a", sequence_length=4, horizon=1).load("real", tmp_path)
    targets = {part: ids + 4 for part, ids in dataset.parts.items()}
    assert {20, 60, 80, *range(90, 97)}.isdisjoint(np.concatenate(list(targets.values())).tolist())
    assert [len(rows) for rows in targets.values()] == [48 - 4 - 1, 24 - 1, 25 - 1 - 7]
    assert "11 missing values filled" in dataset.description
    filled = pd.Series(table[:, 0]).ffill().to_numpy()
    expected = np.abs(filled[targets["test"]] - filled[targets["test"] - 1]).mean()
    workdir, results = train("csv_naive", tmp_path, f"file={file}", "target=a", "sequence_length=4", "horizon=1")
    assert results["test"]["mae"] == pytest.approx(expected, rel=1e-5)
    assert results["baselines"]["naive"]["test"]["mae"] == pytest.approx(expected, rel=1e-12)
    assert len(list(commands.predict(workdir, io.StringIO(file.read_text()), "new.csv"))) == 1 + ROWS - 3
    assert "new.csv: 11 missing values filled with the last valid one" in caplog.text


def test_a_short_series_has_as_many_test_windows_as_test_targets(tmp_path):
    rows = pd.DataFrame({"Month": pd.date_range("1949-01", periods=144, freq="MS").strftime("%Y-%m-%d")})
    rows["Passengers"] = 100 + np.arange(144) + 10 * np.sin(np.arange(144) * np.pi / 6)
    rows.to_csv(tmp_path / "air.csv", index=False)
    dataset = TableWindows("air.csv", "", sequence_length=24, horizon=12).load("real", tmp_path)
    assert {part: len(ids) for part, ids in dataset.parts.items()} == {"train": 37, "validation": 36, "test": 36}
    assert dataset.baselines["naive"]["test"]["mae"] == pytest.approx(12)
    with pytest.raises(UserError, match="of 144 rows none in the train part is a target that has a whole window"):
        TableWindows("air.csv", "", sequence_length=61, horizon=12).load("real", tmp_path)


def test_calendar_steps_are_forecast_for_calendar_dates(tmp_path):
    monthly = write(tmp_path / "monthly.csv", values(rows=120)[:, :1], "1990-01-01", "MS")
    knobs = [f"file={monthly}", "sequence_length=3", "horizon=12"]
    workdir, _ = train("csv_naive", tmp_path, *knobs)
    february = "when,a\n1999-11-01,4\n1999-12-01,5\n2000-01-01,6\n2000-02-01,7.128\n"
    lines = list(commands.predict(workdir, io.StringIO(february), "new.csv"))
    assert lines[-1] == "2000-02-01 00:00:00,2001-02-01 00:00:00,7.13"
    with pytest.raises(UserError, match="rows are 1440 min apart, but the model's are 1 month apart"):
        list(commands.predict(workdir, io.StringIO("when,a\n1999-11-01,4\n1999-11-02,5\n1999-11-03,5\n"), "new.csv"))


def test_forecasts_have_the_digits_of_dates_and_columns(tmp_path):
    fast = write(tmp_path / "fast.csv", 1.08 + values()[:, :1] / 1e6, "2021-01-01", "5ms", float_format="%.9f")
    workdir, results = train("csv_naive", tmp_path, f"file={fast}", "sequence_length=3", "horizon=1")
    line = list(commands.predict(workdir, io.StringIO(fast.read_text()), "new.csv"))[1].split(",")
    assert line[:2] == ["2021-01-01 00:00:00.010", "2021-01-01 00:00:00.015"]
    assert float(line[2]) == pytest.approx(1.08 + values()[2, 0] / 1e6, abs=5e-6)
    assert "e-" not in line[2]
    mae = f"test mae {results['test']['mae']:#.4g} ("
    assert mae in result_line(results)


def panel(names="ABC", rows=60):
    frames = []
    for k, name in enumerate(names):
        frame = pd.DataFrame({"shop": name, "day": pd.date_range("2021-01-01", periods=rows + k, freq="D")})
        frames.append(frame.assign(y=10.0**k * (5 + np.sin(np.arange(rows + k)))))
    return pd.concat(frames)


def test_windows_do_not_cross_from_one_series_into_another(tmp_path):
    table = panel()
    table.to_csv(tmp_path / "panel.csv", index=False)
    source = TableWindows("panel.csv", "y", form=Form("day", series="shop"), sequence_length=4, horizon=2)
    dataset = source.load("real", tmp_path)
    starts = np.concatenate(list(dataset.parts.values()))
    shops = table["shop"].to_numpy()
    assert (shops[starts] == shops[starts + 5]).all()
    assert len(starts) == sum(60 + k - 5 for k in range(3))
    assert "183 rows of 3 series 1440 min apart" in dataset.description
    unit = dataset.gather(dataset.arrays, dataset.parts["test"])[1].unit
    np.testing.assert_allclose(unit[[0, -1]] / unit[0], [1, 100], rtol=0.05)  # each series by its own deviation
    (tmp_path / ASSET).write_text(dataset.assets[ASSET])
    new = table[table["shop"] != "B"].groupby("shop").tail(4).to_csv(index=False)
    requests = source.requests(tmp_path, io.StringIO(new), "new.csv")
    assert requests.header == "series,window_end,forecast_for,y"
    assert [requests.line(k, np.float32(0)).split(",")[:3] for k in (0, 1)] == [
        ["A", "2021-03-01 00:00:00", "2021-03-03 00:00:00"],
        ["C", "2021-03-03 00:00:00", "2021-03-05 00:00:00"],
    ]
    last = [table[table["shop"] == shop]["y"].iloc[-1] for shop in "AC"]
    assert [float(requests.line(k, np.float32(0)).split(",")[3]) for k in (0, 1)] == pytest.approx(last, abs=0.01)
    assert [float(requests.line(k, np.float32(1)).split(",")[3]) for k in (0, 1)] == pytest.approx(
        [last[0] + unit[0], last[1] + unit[-1]], rel=1e-3
    )
    with pytest.raises(UserError, match="the series 'D' was not trained on; choices: A, B, C"):
        source.requests(tmp_path, io.StringIO(new.replace("C,", "D,")), "new.csv")


def test_baselines_are_those_of_their_rows(tmp_path):
    hours = pd.DataFrame({"when": pd.date_range("2021-01-01", periods=700, freq="h")})
    hours["y"] = np.sin(np.arange(700) * np.pi / 12) + np.arange(700) / 200
    hours["y"] += np.random.default_rng(0).normal(0, 0.05, 700)
    hours.to_csv(tmp_path / "hours.csv", index=False)
    knobs = [f"file={tmp_path / 'hours.csv'}", "sequence_length=30", "horizon=6"]
    _, naive = train("csv_naive", tmp_path, *knobs, folder="naive")
    _, seasonal = train("csv_naive", tmp_path, *knobs, "season=24", folder="seasonal")
    found = naive["baselines"]
    assert found["seasonal_naive"]["season"] == 24  # a week is not as good
    for part in ("validation", "test"):
        assert found["naive"][part]["mae"] == pytest.approx(naive[part]["mae"], rel=1e-5)
        assert found["seasonal_naive"][part]["mae"] == pytest.approx(seasonal[part]["mae"], rel=1e-5)
    assert seasonal["skill"]["test"] == pytest.approx(1, rel=1e-5)
    assert naive["skill"]["test"] == pytest.approx(naive["test"]["mae"] / seasonal["test"]["mae"], rel=1e-5)
    assert "seasonal naive (24 rows a season) 0.1" in result_line(naive)
    assert json.loads((tmp_path / "naive" / "results.json").read_text())["baselines"] == found


def test_train_evaluate_and_predict_through_knobs_alone(file, tmp_path):
    knobs = [f"file={file}", "time=when", "target=b", "sampling=2", "sequence_length=5", "horizon=4"]
    scores = {}
    for name, more in (("csv_naive", ["season=8"]), ("csv_lstm", ["units=2", "epochs=1"])):
        workdir, trained = train(name, tmp_path, *knobs, *more, folder=name)
        again = commands.evaluate(workdir, data_dir=tmp_path)
        assert again["test"] == trained["test"]
        assert again["skill"] == trained["skill"]
        lines = list(commands.predict(workdir, io.StringIO(file.read_text()), "new.csv"))
        assert len(lines) == 1 + ROWS - 8
        scores[name] = [float(line.split(",")[2]) for line in lines[1:]]
    expected = values()[:, 1]  # eight rows before the target, which is four rows ahead
    np.testing.assert_allclose(scores["csv_naive"], expected[8 - 4 : ROWS - 4], atol=0.006)
    with pytest.raises(UserError, match="season=7: must be a multiple of sampling=2, or no sample lies there"):
        train("csv_naive", tmp_path, *knobs, "season=7", folder="odd")
    assert 3000 < np.mean(scores["csv_lstm"]) < 7000  # in the target's units, whatever was learned


@pytest.mark.parametrize("how", ["series", *(pytest.param(how, marks=pytest.mark.slow) for how in ("window", "last"))])
def test_normalize_is_a_knob(file, tmp_path, how):
    knobs = [f"file={file}", "target=a", f"normalize={how}", "sequence_length=4", "horizon=1", "units=2", "epochs=1"]
    _, results = train("csv_lstm", tmp_path, *knobs)
    assert 100 < results["test"]["mae"] < 1000


@pytest.mark.skipif(not DATA.exists(), reason=f"the public series are not at {DATA}")
def test_the_public_series_can_be_read():
    for path in sorted((DATA / "nab").glob("realKnownCause/*.csv.gz")):
        source = TableWindows(
            str(path), "value", form=Form("timestamp", sort=True, doubled="first"), sequence_length=48
        )
        dataset = source.load("real", DATA)
        assert min(len(ids) for ids in dataset.parts.values()) > 300, path
