"""The source of runs that 02ee2b9 began."""

import io

import numpy as np
import pytest

from seqjax.data.series.csv_table import Form
from seqjax.data.series.csv_windows import ASSET, CsvWindows
from seqjax.errors import UserError

ROWS = 97
SMALL = {"sampling": 2, "sequence_length": 5, "horizon": 3}


def values(seed=0):
    return np.random.default_rng(seed).normal(5000, 300, (ROWS, 3)).round(2)


def text(table, header="when,a,b,c", first="2014-07-01"):
    times = np.datetime64(first) + np.arange(len(table)) * np.timedelta64(7, "m")
    lines = [",".join([str(time), *map(str, row)]) for time, row in zip(times, table.tolist(), strict=True)]
    return "\n".join([header, *lines]) + "\n"


@pytest.fixture
def file(tmp_path):
    (tmp_path / "mine.csv").write_text(text(values()))
    return tmp_path / "mine.csv"


def test_windows_by_hand(file):
    dataset = CsvWindows(str(file), "b", **SMALL).load("real", file.parent)
    (windows, scale), targets = dataset.gather(dataset.arrays, dataset.parts["validation"])
    table = values()[:, [1, 0, 2]]  # the target first
    mean, std = table[:48].mean(0), table[:48].std(0)
    rows = 48 + 4 + np.array([0, 2, 4, 6, 8])
    np.testing.assert_allclose(windows[4], (table[rows] - mean) / std, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(scale[4], [mean[0], std[0]], rtol=1e-6)
    assert scale.shape == (len(targets), 2)
    assert targets[4] == np.float32(table[48 + 4 + 8 + 3, 0])
    assert "97 rows 7 min apart" in dataset.description
    assert "target 'b'; 0 missing values repaired" in dataset.description


def test_features_and_the_only_column(file):
    some = CsvWindows(str(file), "c", "a", **SMALL).load("real", file.parent)
    assert some.arrays["series"].shape == (ROWS, 2)
    np.testing.assert_array_equal(some.arrays["target"], values()[:, 2].astype(np.float32))
    file.write_text(text(values()[:, :1], "when,a"))
    only = CsvWindows(file.name, "", **SMALL).load("real", file.parent)  # found below the data folder
    assert only.arrays["series"].shape == (ROWS, 1)


def test_purge(file):
    plain, purged = (CsvWindows(str(file), "a", **SMALL, purge=p).load("real", file.parent) for p in (False, True))
    assert plain.parts["train"][-1] + 8 == 47
    assert purged.parts["train"][-1] + 11 == 47
    assert plain.fingerprint != purged.fingerprint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"file": ""}, "file is missing: --set=file=PATH.csv"),
        ({"file": "none.csv"}, "file=none.csv is neither here nor in"),
        ({"target": ""}, "target is missing; choices: a, b, c"),
        ({"target": "d"}, "target=d is no column that holds numbers; choices: a, b, c"),
        ({"target": "", "features": "a"}, "target is missing beside features=a"),
        ({"features": "d"}, "there is no column 'd'; columns: when, a, b, c"),
        ({"form": Form("date")}, "there is no column 'date'"),
        ({"sequence_length": 30}, "too few rows"),
        ({"horizon": 0}, "horizon=0: must be at least 1"),
        ({"sampling": 0}, "sampling=0: must be at least 1"),
    ],
)
def test_wrong_options(file, options, message):
    with pytest.raises(UserError, match=message):
        CsvWindows(**{"file": str(file), "target": "a", **SMALL, **options}).load("real", file.parent)


def test_requests_give_the_windows_of_training(file, tmp_path):
    source = CsvWindows(str(file), "b", **SMALL)
    dataset = source.load("real", tmp_path)
    (tmp_path / ASSET).write_text(dataset.assets[ASSET])
    other = text(values()[:, [2, 1, 0]], "when,c,b,a").replace("\n", ",x\n").replace("a,x", "a,extra")
    requests = source.requests(tmp_path, io.StringIO(other), "new.csv")
    assert len(requests.ids) == ROWS - 8
    found, expected = requests.gather(requests.arrays, requests.ids), dataset.gather(dataset.arrays, requests.ids[:50])
    np.testing.assert_array_equal(found[0][:50], expected[0][0])
    np.testing.assert_array_equal(found[1][:50], expected[0][1])
    assert requests.header == "window_end,forecast_for,b"
    assert requests.line(0, np.float32(5.126)) == "2014-07-01 00:56:00,2014-07-01 01:17:00,5.13"
    with pytest.raises(UserError, match="too few rows: 3; a window takes 9"):
        source.requests(tmp_path, io.StringIO(text(values()[:3])), "new.csv")
    with pytest.raises(UserError, match="there is no column 'b'"):
        source.requests(tmp_path, io.StringIO(text(values(), "when,a,x,c")), "new.csv")
    lines = text(values()).splitlines()
    halved = io.StringIO("\n".join([lines[0], *lines[1::2]]))
    with pytest.raises(UserError, match="rows are 14 min apart, but the model's are 7 min"):
        source.requests(tmp_path, halved, "new.csv")
