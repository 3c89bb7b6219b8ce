"""M4's hourly series: its form, its parts, and the published scores of the seasonal naive forecast."""

import io

import numpy as np
import pytest

from places import DATA
from seqjax.data.series import m4, panel_truth
from seqjax.data.series.panel_windows import Windows
from seqjax.errors import UserError

FORM = b'"V1","V2","V3","V4","V5"\n"H1","605","586","","511"\n"H2","3.5","1e3","NA",""\n'


def test_the_form_is_a_series_a_row():
    with pytest.raises(UserError, match="x: row 3, column 4: 'many' is no number"):
        m4.parse(FORM.replace(b"NA", b"many"), "x")
    with pytest.raises(UserError, match="x: row 3, column 4: 'inf' is no number"):
        m4.parse(FORM.replace(b"NA", b"inf"), "x")
    values, names = m4.parse(FORM, "x")
    assert names == ["H1", "H2"]
    np.testing.assert_array_equal(values[0], [605, 586, np.nan, 511])
    np.testing.assert_array_equal(values[1], [3.5, 1000])
    with pytest.raises(UserError, match="the series 'H1' is there twice"):
        m4.parse(FORM.replace(b"H2", b"H1"), "x")
    with pytest.raises(UserError, match="no series"):
        m4.parse(FORM[:20], "x")
    with pytest.raises(UserError, match="x: row 1 looks like a series, not like a header"):
        m4.parse(FORM[25:], "x")
    with pytest.raises(UserError, match="'H2' is in one of both files only"):
        m4.joined((values, names), (values, ["H1", "H3"]))


def test_predict_goes_on_from_the_last_hour(tmp_path):
    source = m4.M4Hourly(Windows(48, 6, (0.5,), stride=50, season=24))
    dataset = source.load("sample", tmp_path)
    for name, content in dataset.assets.items():
        (tmp_path / name).write_text(content)
    rows = [f"series 2,{','.join(map(str, range(30)))}", f"other,{','.join(map(str, range(200)))}"]
    found = source.requests(tmp_path, io.StringIO("\n".join(["name", *rows])), "new")
    history = found.gather(found.arrays, found.ids)
    assert history.valid.sum(axis=1).tolist() == [30, 48]
    assert history.series.tolist() == [2, 0]
    printed = found.line(0, np.zeros((6, 1))).split("\n")
    assert printed[0] == "series 2,30,1,,29.00"
    assert len(printed) == 6


@pytest.mark.skipif(not (DATA / "m4").is_dir(), reason=f"no M4 in {DATA}")
def test_the_seasonal_naive_forecast_has_the_published_scores():
    """Of GluonTS (ND 0.0483092) and of M4 itself (sMAPE 13.912, MASE 1.193): to every digit that is printed."""
    dataset = m4.M4Hourly().load("real", DATA)
    assert {part: len(ids) for part, ids in dataset.parts.items() if part != "train"} == {
        "validation": 414,
        "test": 414,
    }
    scores = dataset.baselines["seasonal_naive"]["test"]
    assert [round(scores["nd"], 7), round(scores["smape"], 3), round(scores["mase"], 3)] == [0.0483092, 13.912, 1.193]
    assert round(scores["wql"], 7) == 0.0483092
    assert round(scores["rmse"], 4) == 1901.1459
    truth = panel_truth.truth(dataset, dataset.parts["test"])
    assert (truth.actual[0, :3] == [619, 565, 532]).all()
