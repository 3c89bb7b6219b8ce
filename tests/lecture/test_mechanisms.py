"""What the chapters on gates show, made from runs on generated data."""

import json

import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.lecture import gate_pictures, gates, mechanisms
from seqjax.runs import commands
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir
from tool_calls import called


def trained(folder, name, *options):
    knobs = {"options": options, "data": "sample", "data_dir": folder, "settings": Settings(devices=1)}
    commands.train(name, Workdir(folder), **knobs)
    return folder


@pytest.mark.slow
def test_a_week_a_sentence_and_cells_are_made_from_runs(tmp_path):
    jena = trained(tmp_path / "jena", "jena_lstm", "units=3", "sequence_length=8", "epochs=1")
    words = ("vocabulary_size=200", "embedding_size=4", "units=3", "epochs=1")
    reviews = trained(tmp_path / "reviews", "imdb_bilstm_masked", *words)
    small = ("units=8", "dropout=0", "epochs=1", "batch_size=8", "sequence_length=32")
    text = trained(tmp_path / "text", "shakespeare_lstm", *small)
    for kind, run, *flags in (
        ("week", jena, "--start=2010-07-05"),
        ("sentence", reviews),
        ("sentence", reviews, "--review=3"),
        ("meaningful_cells", text),
    ):
        made = f"--make={kind}", f"--workdir={run}", f"--output={tmp_path}", f"--data_dir={tmp_path}"
        done = called(mechanisms, *made, *flags)
        assert done.returncode == 0, done.stderr
        found = json.loads((tmp_path / f"{kind}.json").read_text())
        assert (tmp_path / f"{kind}_1.svg").read_text().count("<path") > 5
        if kind == "week":
            assert len(found["temperature"]) == len(found["c"]) == len(found["longest"]["f"]) == 168
            assert found["times"] == ["2010-07-05T00:00", "2010-07-11T23:00"]
            assert found["half_lives"][found["unit"]] == max(found["half_lives"])
        elif kind == "sentence":
            assert {len(one["c"]) for one in found["readings"].values()} == {len(found["words"])}
            assert len(found["readings"]) == 2
            assert 1 < len(found["words"]) <= 30
        else:
            assert [len(values) for values in found["excerpt"]["values"].values()] == [320, 320]
            assert all(0 < one["p"] <= 1 for one in found["found"])
    with pytest.raises(UserError, match="no run on the words of reviews"):
        gates.sentence(Workdir(jena), tmp_path, "good")
    with pytest.raises(UserError, match="no run on windows of the Jena climate"):
        gates.week(Workdir(reviews), tmp_path)
    with pytest.raises(UserError, match="has no 168 hours from 2016-12-30 on"):
        gates.week(Workdir(jena), tmp_path, "2016-12-30")
    with pytest.raises(UserError, match="there is no review 1000000"):
        gates.sentence(Workdir(reviews), tmp_path, 1_000_000)


def test_pictures_of_what_is_known():
    belt = gate_pictures.belt({1.0: np.ones(5), 0.5: 0.5 ** np.arange(5)})
    assert "reads 4 random inputs" in belt.caption
    assert "<svg" in belt.svg
    lives = gate_pictures.lives({"layer": [3.0, None, 40.0]}, hours=1.0)
    assert "many hours" in lives.caption
    assert "<svg" in lives.svg


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "give --make=KIND: vanishing, week, sentence, meaningful_cells"),
        (["--make=week"], "--make=week looks into a run: give --workdir=RUN"),
        (["--make=nothing"], "value should be one of <vanishing|week|sentence|meaningful_cells>"),
        (["--make=meaningful_cells", "--workdir=nowhere"], "workdir nowhere holds no run"),
    ],
)
def test_a_wrong_call_is_one_line(flags, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = called(mechanisms, *flags)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr
