"""seqjax.runs.archives: which files are data sets, what is trained, what is left to do."""

import json
import os

import pytest

from seqjax import experiment as experiments
from seqjax.errors import UserError
from seqjax.runs.archives import Archive, find


def write(place, *names, size=1):
    place.mkdir(parents=True, exist_ok=True)
    for name in names:
        (place / name).write_text("1,2\n" * size)


def test_data_sets_lie_flat_or_in_folders_and_come_smallest_first(tmp_path):
    write(tmp_path, "Big_TRAIN.tsv", "Big_TEST.tsv", size=50)
    write(tmp_path, "Flat_TRAIN.txt", "Flat_TEST.txt", size=9)
    own = ("Own_TRAIN.arff", "Own_TEST.arff", "Own_TRAIN.ts", "Own_TEST.ts", "OwnDimension1_TRAIN.arff", "readme.md")
    write(tmp_path / "Own", *own)
    write(tmp_path / "Packed", "Packed_TRAIN.tsv.gz", "Packed_TEST.tsv.gz", size=3)
    write(tmp_path / "Empty", "notes.txt")
    found = find(tmp_path)
    assert [one.name for one in found] == ["Own", "Packed", "Flat", "Big"]
    assert [one.train.name for one in found] == [
        "Own_TRAIN.ts",
        "Packed_TRAIN.tsv.gz",
        "Flat_TRAIN.txt",
        "Big_TRAIN.tsv",
    ]
    assert found[0].test == tmp_path / "Own" / "Own_TEST.ts"


def test_what_is_no_archive_is_refused(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        find(tmp_path / "none")
    with pytest.raises(UserError, match=r"holds no data set; looked for \*_TRAIN.ts"):
        find(tmp_path)
    write(tmp_path, "A_TRAIN.ts")
    with pytest.raises(UserError, match=r"A_TRAIN\.ts has no A_TEST\.ts beside it"):
        find(tmp_path)
    write(tmp_path, "A_TEST.ts")
    write(tmp_path / "A", "A_TRAIN.tsv", "A_TEST.tsv")
    with pytest.raises(UserError, match="has A twice"):
        find(tmp_path)
    with pytest.raises(UserError, match="is no folder"):
        find(tmp_path / "A_TEST.ts")


@pytest.fixture
def archive(tmp_path):
    write(tmp_path / "data", "A_TRAIN.tsv", "A_TEST.tsv", "B_TRAIN.tsv", "B_TEST.tsv")
    return Archive("ts_gru", ["epochs=3"], tmp_path / "out"), find(tmp_path / "data")


def finish(archive, run, accuracy=0.5, epochs=3):
    """What a finished run leaves, as far as it is looked at."""
    function = experiments.load(experiments.find("ts_gru"))
    options = {**archive._asked(function, run)["options"], "epochs": epochs}
    run.path.mkdir(parents=True)
    config = {"experiment": "ts_gru", "data": "real", "options": options}
    (run.path / "config.json").write_text(json.dumps(config))
    scores = {"loss": 1.0, "accuracy": accuracy}
    results = {"options": options, "validation": scores, "test": scores, "best_epoch": 1, "seconds": 2.0}
    results["baselines"] = {"largest_class": {"test": {"accuracy": 0.25}}}
    (run.path / "results.json").write_text(json.dumps(results))


def test_only_what_is_not_finished_is_trained_and_failures_stop_nobody(archive):
    own, data = archive
    runs = own.plan(data, 2)
    assert [run.title for run in runs] == ["A/seed_0", "B/seed_0", "A/seed_1", "B/seed_1"]
    finish(own, runs[0])
    asked = {}

    def run_all(commands, processes, last):
        asked.update(commands)
        assert processes == 2
        last["B/seed_0"] = "seqjax: B_TRAIN.tsv: row 1: no number"
        return {name: 2 if name == "B/seed_0" else 1 if name == "B/seed_1" else 0 for name, _ in commands}

    failed = own.train(runs, 2, run_all=run_all)
    assert list(asked) == ["B/seed_0", "A/seed_1", "B/seed_1"]
    assert failed == {"B/seed_0": "seqjax: B_TRAIN.tsv: row 1: no number", "B/seed_1": "exit code 1"}
    command = asked["B/seed_1"]
    for said in (f"--set=file={data[1].train}", f"--set=test_file={data[1].test}", "--set=epochs=3", "--set=seed=1"):
        assert said in command
    assert f"--workdir={own.output / 'B' / 'seed_1'}" in command


def test_more_epochs_and_newer_files_are_trained_again_and_other_knobs_refused(archive):
    own, data = archive
    runs = own.plan(data, 1)
    finish(own, runs[0])
    assert own.results(runs[0]) is not None
    assert Archive("ts_gru", ["epochs=5"], own.output).results(runs[0]) is None
    with pytest.raises(UserError, match="holds a run with units=64, not 8"):
        Archive("ts_gru", ["epochs=3", "units=8"], own.output).plan(data, 1)
    later = (runs[0].path / "results.json").stat().st_mtime + 10
    os.utime(data[0].train, (later, later))
    assert own.results(runs[0]) is None


def test_an_experiment_without_files_or_with_files_of_its_own_is_refused(archive):
    own, data = archive
    with pytest.raises(UserError, match="jena_lstm has no knob file"):
        Archive("jena_lstm", [], own.output).plan(data, 1)
    with pytest.raises(UserError, match="--set=file: the files are those of --folder"):
        Archive("ts_gru", ["file=x.ts"], own.output).plan(data, 1)
    with pytest.raises(UserError, match="there is no knob 'unit'"):
        Archive("ts_gru", ["unit=8"], own.output).plan(data, 1)
