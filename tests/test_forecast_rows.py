"""The rows that forecast all steps of a horizon: from a file to its forecasts; near the best possible."""

import json

import numpy as np
import pytest

from command_calls import call
from seqjax import experiment as experiments

__all__ = ["call"]
SMALL = ["--set=context=14", "--set=horizon=4", "--set=units=8", "--set=stride=3", "--set=levels=0.1,0.5,0.9"]


def write(path, shops, days, ahead=0):
    """Sales with a week in them, halved when the price is high; the last `ahead` days have none."""
    rng = np.random.default_rng(0)
    lines = ["date,shop,sales,price"]
    for shop in shops:
        for day in range(days + ahead):
            price = 1 + (day % 5 == 0)
            sold = round(100 * (1 + 0.4 * np.sin(2 * np.pi * day / 7)) / price + rng.normal(0, 3))
            date = np.datetime64("2024-01-01") + day
            lines.append(f"{date},{shop},{'' if day >= days else sold},{price}")
    path.write_text("\n".join(lines) + "\n")


def test_from_a_file_to_its_forecasts(call, tmp_path, caplog):
    write(tmp_path / "shops.csv", "abc", 120)
    write(tmp_path / "new.csv", "bz", 30, ahead=4)
    columns = ["--set=file=shops.csv", "--set=series=shop", "--set=target=sales", "--set=known=price"]
    train = ["--experiment=csv_forecast", *columns, *SMALL, "--set=embedding_size=2", "--workdir=run"]
    train += ["--set=calibrate=true"]
    code, out, err = call(*train, "--set=epochs=12", "--set=learning_rate=0.02", "--set=batch_size=32")
    assert code == 0, err
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert set(results["test"]) > {"wql", "mae", "rmse", "nd", "smape", "mase", "coverage_80", "scaled_pinball"}
    assert results["skill"]["test"] < 0.6, "below both naive forecasts"
    assert results["validation"]["coverage_80"] >= 0.8 - 1e-9, "calibrated there"
    assert results["validation"]["raw_coverage_80"] != results["validation"]["coverage_80"]
    assert "seasonal naive (7 rows a season)" in out
    told = json.loads((tmp_path / "run" / "config.json").read_text())["told"]
    assert told.items() >= {"series_count": 3, "season": 7}.items()
    code, out, err = call("--mode=evaluate", "--workdir=run")
    assert code == 0, err
    code, out, err = call("--mode=predict", "--workdir=run", "--input=new.csv")
    assert code == 0, err
    assert "training has not seen z" in caplog.text
    header, *lines = [line.split(",") for line in out.splitlines()]
    assert header == ["series", "origin", "step", "date", "q0.1", "q0.5", "q0.9"]
    assert [line[0] for line in lines] == ["b"] * 4 + ["z"] * 4
    assert [line[3] for line in lines[:4]] == [
        "2024-01-31 00:00:00",
        *(f"2024-02-0{day} 00:00:00" for day in (1, 2, 3)),
    ]
    assert float(lines[0][5]) < 0.7 * float(lines[1][5]), "the 30th day is one of the high price"
    numbers = np.array([line[4:] for line in lines], float)
    assert (np.diff(numbers, axis=1) >= 0).all()
    write(tmp_path / "new.csv", "b", 30, ahead=3)
    code, _, err = call("--mode=predict", "--workdir=run", "--input=new.csv")
    assert (code, "has 3 of the 4 values of 'price'" in err) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "share"),
    [
        ("csv_forecast", [], 1.3),
        ("csv_forecast", ["likelihood=student_t", "decoder=paths", "context=48", "epochs=15"], 1.35),
        ("m4_hourly_gru", ["stride=1", "epochs=15"], 1.2),
        ("jena_quantiles", [], 1.4),
    ],
)
def test_samples_are_forecast_nearly_as_well_as_they_can_be(call, tmp_path, name, options, share):
    metric = {"etth1_gru": "mse", "jena_quantiles": "pinball"}.get(name, "wql")
    code, _, err = call(f"--experiment={name}", "--data=sample", "--workdir=run", *(f"--set={own}" for own in options))
    assert code == 0, err
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert 0.8 < results["test"][metric] / results["optimum"][metric] < share


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["direct", pytest.param("median", marks=pytest.mark.slow)])
def test_counts_are_trained_and_forecast(call, tmp_path, decoder):
    write(tmp_path / "shops.csv", "ab", 60)
    columns = ["--set=file=shops.csv", "--set=series=shop", "--set=target=sales"]
    options = [*columns, *SMALL, "--set=likelihood=negative_binomial", f"--set=decoder={decoder}", "--set=epochs=1"]
    code, _, err = call("--experiment=csv_forecast", *options, "--workdir=run")
    assert code == 0, err
    code, out, err = call("--mode=predict", "--workdir=run", "--input=shops.csv")
    assert code == 0, err
    counts = np.array([line.split(",")[4:] for line in out.splitlines()[1:]], float)
    np.testing.assert_array_equal(counts, np.round(counts))


def test_knobs_that_make_no_sense_are_refused(call):
    for option, said in (
        ("levels=0.1,0.9", "with 0.5 among them"),
        ("decoder=median", ""),
        ("likelihood=gamma", "takes one of quantiles"),
        ("horizon=0", "horizon must be at least 1"),
    ):
        code, _, err = call("--experiment=csv_forecast", f"--set={option}", "--set=file=nowhere.csv", "--workdir=run")
        assert code == 2
        assert (said or "file=nowhere.csv is neither here nor in") in err
    function = experiments.load(experiments.find("csv_forecast"))
    form = function(encoding="latin-1", decimal=",", thousands=".", comment="#", delimiter=";", sort=True).source.form
    assert (form.encoding, form.decimal, form.thousands, form.comment, form.delimiter, form.sort) == (
        "latin-1",
        ",",
        ".",
        "#",
        ";",
        True,
    )
