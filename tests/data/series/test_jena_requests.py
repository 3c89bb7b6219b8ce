"""Forecasts for a user's weather: the inputs of training, errors with names."""

import dataclasses
import io

import numpy as np
import pytest

from seqjax.data.series import jena
from seqjax.errors import UserError
from weather_tables import SMALL, all_examples, climate, csv_text


@pytest.fixture
def assets(tmp_path):
    dataset = jena.Windows(**SMALL).dataset(climate(97), "x")
    for name, text in dataset.assets.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def ask(assets, table):
    return jena.Windows().requests(assets, io.StringIO(csv_text(table)), "input.csv")


@pytest.mark.parametrize("normalise", [True, False])
def test_requests_see_the_inputs_of_training(tmp_path, normalise):
    table = climate(97)
    dataset = jena.Windows(**SMALL, normalise=normalise).dataset(table, "x")
    (tmp_path / "jena.json").write_text(dataset.assets["jena.json"])
    requests = ask(tmp_path, table)
    assert len(requests.ids) == 97 - 8
    assert requests.ids.dtype == np.int32
    inputs = requests.gather(requests.arrays, requests.ids)
    for part, ids in dataset.parts.items():
        np.testing.assert_array_equal(inputs[ids], all_examples(dataset, part)[0])


def test_lines_of_the_forecast(assets):
    requests = ask(assets, climate(12))
    assert requests.header == "window_end,forecast_for,T (degC)"
    # the first window ends in row 8, at 08:10, and its target is row 11, three hours later
    assert requests.line(0, np.float32(3.416)) == "2009-01-01 08:10:00,2009-01-01 11:10:00,3.42"
    assert requests.line(3, np.array([-0.5])) == "2009-01-01 11:10:00,2009-01-01 14:10:00,-0.50"
    assert len(requests.ids) == 4


def test_requests_repair_missing_values(assets):
    table = climate(12)
    holes = dataclasses.replace(table, values=table.values.copy())
    holes.values[5, 2] = -9999
    table.values[5, 2] = table.values[4, 2]
    np.testing.assert_array_equal(ask(assets, holes).arrays["series"], ask(assets, table).arrays["series"])


def test_requests_of_too_few_rows(assets):
    assert len(ask(assets, climate(9)).ids) == 1
    with pytest.raises(UserError, match=r"input\.csv: too few rows: 8; a window takes 9"):
        ask(assets, climate(8))


def test_requests_of_another_time_step(assets):
    with pytest.raises(UserError, match=r"input\.csv: rows are 10 min apart, but the model's are 60 min apart"):
        ask(assets, climate(20, 10))


def test_requests_that_are_malformed(assets):
    source = jena.Windows()
    text = csv_text(climate(12))
    with pytest.raises(UserError, match=r"input\.csv: row 1: missing columns: 'rh \(%\)'"):
        source.requests(assets, io.StringIO(text.replace("rh (%)", "humidity")), "input.csv")
    with pytest.raises(UserError, match=r"input\.csv: the file is empty"):
        source.requests(assets, io.StringIO(""), "input.csv")
    with pytest.raises(UserError, match=r"input\.csv: not UTF-8"):
        source.requests(assets, io.TextIOWrapper(io.BytesIO(b"\xff"), "utf-8"), "input.csv")


@pytest.mark.parametrize(
    ("content", "expected"), [(None, "No such file"), ("{", "damaged"), ("{}", "damaged"), ("[]", "damaged")]
)
def test_assets_missing_or_damaged(assets, content, expected):
    (assets / "jena.json").unlink()
    if content is not None:
        (assets / "jena.json").write_text(content)
    with pytest.raises(UserError, match=rf"jena\.json: {expected}"):
        ask(assets, climate(20))
