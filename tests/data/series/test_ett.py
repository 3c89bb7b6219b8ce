"""ETTh1 as the papers split and scale it."""

import io

import numpy as np
import pytest

from places import DATA
from seqjax.data.series import ett
from seqjax.data.series.panel_windows import Windows
from seqjax.errors import UserError

REAL = pytest.mark.skipif(not (DATA / "ett").is_dir(), reason=f"no ETTh1 in {DATA}")


def of(horizon, context=48, **options):
    return ett.ETTh1(Windows(context, horizon, (0.5,), season=24, **options))


@REAL
def test_parts_scale_and_naive_scores_are_those_of_the_papers():
    dataset = of(24).load("real", DATA)
    train = dataset.kept["values"][: 12 * 720]
    np.testing.assert_allclose(dataset.kept["unit"][0], train.std(axis=0))  # ddof 0, as StandardScaler
    assert len(dataset.parts["test"]) == 7 * (2880 - 24 + 1), "a forecast at every hour, none dropped"
    assert dataset.parts["validation"].min() // 7 == 12 * 720 - 1
    assert dataset.parts["test"].max() // 7 == 20 * 720 - 24 - 1
    scores = {name: own["test"] for name, own in dataset.baselines.items()}
    rounded = {name: [round(own["mse"], 3), round(own["mae"], 3)] for name, own in scores.items()}
    assert rounded == {"naive": [1.222, 0.671], "same_hour_yesterday": [0.424, 0.389]}


@REAL
def test_all_columns_may_be_read_for_each():
    alone, mixed = (of(24, stride=500, mixed=mixed).load("real", DATA) for mixed in (False, True))
    ids = alone.parts["train"][[1, 20, 40]]
    own, all_of_them = (made.gather(made.arrays, ids)[0] for made in (alone, mixed))
    np.testing.assert_array_equal(all_of_them.changes[:, :, 0], own.changes[:, :, 0])
    for n, number in enumerate(ids):
        np.testing.assert_array_equal(all_of_them.changes[n, :, 1 + number % 7], own.changes[n, :, 0])


def test_the_sample_has_a_known_optimum_and_predict_wants_the_columns(tmp_path):
    source = of(24, stride=100, test_stride=200)
    dataset = source.load("sample", tmp_path)
    assert 0 < dataset.optimum["mse"] < dataset.baselines["same_hour_yesterday"]["test"]["mse"]
    for name, content in dataset.assets.items():
        (tmp_path / name).write_text(content)
    lines = [f"2020-01-01 {hour:02d}:00:00,{','.join(str(hour + k) for k in range(7))}" for hour in range(24)]
    text = "\n".join(["date," + ",".join(ett.COLUMNS), *lines])
    found = source.requests(tmp_path, io.StringIO(text), "new")
    assert len(found.ids) == 7
    assert found.line(6, np.zeros((24, 1))).startswith("OT,2020-01-01 23:00:00,1,2020-01-02 00:00:00,29.00")
    with pytest.raises(UserError, match="there is no column 'OT'"):
        source.requests(tmp_path, io.StringIO(text.replace("OT", "TO")), "new")
