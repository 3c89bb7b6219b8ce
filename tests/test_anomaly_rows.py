"""The rows of anomalies: from a table to alarms, as a whole and as a stream; NAB's from the sample."""

import json

import numpy as np
import pytest

from command_calls import call
from places import DATA
from seqjax import experiment as experiments
from seqjax.data.series.nab import WINDOWS
from seqjax.runs.commands import as_told
from seqjax.training.state import create_state

__all__ = ["call"]

SMALL = [f"--set={knob}" for knob in ("units=8", "sequence_length=8", "epochs=6", "batch_size=16", "quiet=10")]


def write(path, rows=400, labels=True):
    """Two columns of a day's wave in noise, with a jump at row 320."""
    rng, times = np.random.default_rng(0), np.datetime64("2020-01-01T00:00") + np.arange(rows) * np.timedelta64(1, "h")
    values = np.sin(np.arange(rows) * 2 * np.pi / 24)[:, None] + 0.1 * rng.normal(size=(rows, 2))
    values[320:330] += 2
    bad = (np.arange(rows) >= 318) & (np.arange(rows) < 332)
    head = "date,cpu,disk" + ",bad" * labels
    lines = [
        f"{str(time).replace('T', ' ')},{own[0]:.4f},{own[1]:.4f}" + f",{int(mark)}" * labels
        for time, own, mark in zip(times, values, bad, strict=True)
    ]
    path.write_text("\n".join([head, *lines]) + "\n")


def test_from_a_table_to_its_alarms_and_the_same_as_a_stream(call, tmp_path):
    write(tmp_path / "t.csv")
    write(tmp_path / "new.csv", labels=False)
    flags = ["--experiment=csv_anomalies", "--set=file=t.csv", "--set=labels=bad", "--workdir=run", *SMALL]
    code, out, err = call(*flags)
    assert code == 0, err
    assert "watched: cpu, disk" in out + err
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["test"]["nab"] > 80
    assert results["test"]["vus_pr"] > 0.5 > results["baselines"]["random"]["test"]["vus_pr"]
    assert results["details"]["test"]["by_series"]["t.csv"][:2] == [1, 1]
    (first, *_) = results["details"]["test"]["alarms"].values()
    assert first["date"].startswith("2020-01-14 0")
    code, whole, err = call("--mode=predict", "--workdir=run", "--input=new.csv")
    assert code == 0, err
    header, *lines = whole.splitlines()
    assert header == "date,score,alarm,cpu,expected cpu,disk,expected disk"
    assert len(lines) == 400
    assert "1" in [line.split(",")[2] for line in lines[320:330]]
    code, out, err = call("--mode=stream", "--workdir=run", "--input=new.csv", "--state=state.npz")
    assert code == 0, err
    assert_alike(out.splitlines(), whole.splitlines())
    code, out, err = call("--mode=stream", "--workdir=run", "--input=new.csv", "--state=state.npz")
    assert (code, out) == (0, ""), "all rows were seen already"
    (tmp_path / "wrong.csv").write_text("date,cpu\n")
    code, _, err = call("--mode=stream", "--workdir=run", "--input=wrong.csv")
    assert code == 2
    assert "there is no column 'disk'; columns: date, cpu" in err


def assert_alike(lines, others):
    """Dates and alarms are the same, numbers to what a product of another shape may differ by."""
    assert lines[0] == others[0]
    rows, theirs = ([line.split(",") for line in some[1:]] for some in (lines, others))
    assert [row[:1] + row[2:3] for row in rows] == [row[:1] + row[2:3] for row in theirs]
    numbers = lambda some: np.array([[float(cell) for cell in row[1:]] for row in some])
    np.testing.assert_allclose(numbers(rows), numbers(theirs), atol=0.021)


@pytest.mark.slow
def test_nab_rows_learn_what_the_last_value_does_not_tell(call, tmp_path):
    code, _, err = call("--experiment=nab_gru", "--data=sample", "--workdir=run", "--set=batch_size=32")
    assert code == 0, err
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["test"]["nab"] > results["baselines"]["naive"]["test"]["nab"] + 5
    assert results["test"]["nab"] > results["baselines"]["random"]["test"]["nab"] + 30
    assert results["skill"] == {}, "larger is better"
    assert set(results["details"]["test"]) == {"by_series", "alarms", "nab_known_cause", "vus_pr_known_cause"}
    (tmp_path / "x.csv").write_text("timestamp,value\n")
    for mode in ("predict", "stream"):
        code, _, err = call(f"--mode={mode}", "--workdir=run", "--input=x.csv")
        assert (code, "train --experiment=csv_anomalies" in err) == (2, True)


@pytest.mark.parametrize("name", ["nab_gru", "nab_autoencoder"])
def test_what_is_answered_of_a_row_is_the_same_when_the_series_ends_there(name):
    """The whole way, from arrays to the answer, with all that comes later changed."""
    function = experiments.load(experiments.find(name))
    options = {"sequence_length": 16, "units": 4, "batch_size": 4}
    dataset = function(**options).source.load("sample", DATA)
    experiment = as_told(function, options, dataset)
    params = create_state(experiment, dataset.example(), targets=dataset.target()).params
    answer = experiment.answer or (lambda model, params, inputs: model.apply({"params": params}, inputs))
    ids = np.array([0, 5, 300, 700, 1199], np.int32)
    expected = np.asarray(answer(experiment.model, params, dataset.gather(dataset.arrays, ids)[0]))
    for place, row in enumerate(ids):
        later = np.arange(len(dataset.arrays["series"])) > row
        arrays = {**dataset.arrays, "series": np.where(later[:, None], 7.0, dataset.arrays["series"])}
        changed = np.asarray(answer(experiment.model, params, dataset.gather(arrays, ids)[0]))
        np.testing.assert_array_equal(changed[: place + 1], expected[: place + 1])
        if place + 1 < len(ids):
            assert not np.array_equal(changed[place + 1 :], expected[place + 1 :])


@pytest.mark.slow
def test_nab_rows_are_as_good_as_numentas_own_detector(call, tmp_path):
    """Three minutes. HTM: 70.1 (numenta/NAB, README)."""
    if not (DATA / "nab" / WINDOWS).is_file():
        pytest.skip(f"no NAB in {DATA}")
    code, _, err = call("--experiment=nab_gru", f"--data_dir={DATA}", "--workdir=run")
    assert code == 0, err
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["test"]["nab"] > 69
    assert results["test"]["nab"] > results["baselines"]["naive"]["test"]["nab"] + 3
    assert results["test"]["nab_known_cause"] > 57.8
