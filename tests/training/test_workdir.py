"""A run's folder: whose it is, and its rows through crashes."""

import json
import multiprocessing

import pytest

from seqjax.errors import UserError
from seqjax.training.workdir import Workdir

CONFIG = {
    "experiment": "jena_lstm",
    "options": {"units": 16, "seed": 0},
    "data": "real",
    "fingerprint": "abc",
    "description": "Jena, 70,092 rows",
}


@pytest.fixture
def workdir(tmp_path):
    return Workdir(tmp_path / "run")


def test_checking_creates_nothing(workdir):
    assert workdir.config() is None
    workdir.check(CONFIG)
    assert not workdir.path.exists()


def test_claiming_writes_config_and_assets_once(workdir):
    workdir.claim(CONFIG, {"vocabulary.txt": "a\nb\n"})
    workdir.claim({**CONFIG, "versions": {"jax": "9"}}, {"vocabulary.txt": "other"})
    assert workdir.config() == CONFIG
    assert (workdir.path / "vocabulary.txt").read_text() == "a\nb\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"experiment": "jena_gru"}, "experiment=jena_lstm, not jena_gru"),
        ({"options": {"units": 32, "seed": 0}}, "units=16, not 32"),
        ({"options": {"units": 16, "seed": 0, "new": 1}}, "new=unknown, not 1"),
        ({"options": {"units": 16, "seed": 0, "new": 1}, "defaults": {"units": 16, "new": None}}, "new=None, not 1"),
        ({"options": {"units": 16}}, "seed=0, not unknown"),
        ({"data": "sample"}, "data=real, not sample"),
        ({"fingerprint": "x", "description": "Jena, 9 rows"}, "data=Jena, 70,092 rows, not Jena, 9 rows"),
    ],
)
def test_a_folder_of_another_run_is_refused_untouched(workdir, change, message):
    workdir.claim(CONFIG, {})
    before = {file: file.read_bytes() for file in workdir.path.iterdir()}
    with pytest.raises(UserError, match=message):
        workdir.claim(CONFIG | change, {"asset": "text"})
    assert {file: file.read_bytes() for file in workdir.path.iterdir()} == before


def test_how_a_run_is_dispatched_does_not_tell_runs_apart(workdir):
    workdir.claim(CONFIG | {"settings": {"steps_per_dispatch": 8}}, {})
    workdir.check(CONFIG | {"settings": {"steps_per_dispatch": None}})


def test_where_a_file_lies_does_not_tell_runs_apart(workdir):
    before, after = ({**CONFIG, "options": {**CONFIG["options"], "vectors": path}} for path in ("here", "/there"))
    workdir.claim(before, {})
    workdir.check(after)
    with pytest.raises(UserError, match=r"a run with data=.*, not"):
        workdir.check({**after, "fingerprint": "of what is in another file"})


@pytest.mark.parametrize("default", [None, 0.5])
def test_a_knob_that_came_later_is_at_its_default(workdir, default):
    workdir.claim(CONFIG, {})
    later = {"options": {**CONFIG["options"], "new": default}, "defaults": {"units": 8, "seed": 0, "new": default}}
    workdir.claim(CONFIG | later, {})
    assert workdir.config() == CONFIG


def test_what_is_not_given_is_not_checked(workdir):
    workdir.claim(CONFIG, {})
    workdir.check({"data": "real"})


def test_a_folder_with_other_files_is_refused(workdir):
    workdir.path.mkdir()
    (workdir.path / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match=r"holds other files \(thesis.tex"):
        workdir.check(CONFIG)


def test_a_file_is_not_a_folder(workdir):
    workdir.path.write_text("x")
    with pytest.raises(UserError, match="is not a folder"):
        workdir.check(CONFIG)


def test_a_damaged_config_is_refused(workdir):
    workdir.claim(CONFIG, {})
    (workdir.path / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json is damaged"):
        workdir.check(CONFIG)


def test_rows_after_the_checkpoint_and_a_half_written_row_are_dropped(workdir):
    workdir.claim(CONFIG, {})
    for epoch in (1, 2, 3):
        workdir.append_row({"epoch": epoch})
    with (workdir.path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 4, "los')
    assert workdir.rows() == [{"epoch": 1}, {"epoch": 2}, {"epoch": 3}]
    assert workdir.keep_rows(2) == [{"epoch": 1}, {"epoch": 2}]
    workdir.append_row({"epoch": 3})
    lines = (workdir.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]


def test_missing_rows_are_an_error(workdir):
    workdir.claim(CONFIG, {})
    workdir.append_row({"epoch": 1})
    with pytest.raises(UserError, match="1 whole rows but the checkpoint is of epoch 2"):
        workdir.keep_rows(2)


def _hold(path, held, release):
    with Workdir(path).lock():
        held.set()
        release.wait(60)


def test_two_processes_cannot_train_in_one_folder(workdir):
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(workdir.path, held, release))
    other.start()
    assert held.wait(60)
    with pytest.raises(UserError, match="another process is training"), workdir.lock():
        pass
    release.set()
    other.join()
    with workdir.lock():
        workdir.claim(CONFIG, {})


def test_a_checkpoint_that_took_too_long_says_so(workdir):
    """As after a suspension of the machine in the middle of one."""
    with pytest.raises(UserError, match=r"cannot be written: .*timed out after 1333 seconds"), workdir.lock():
        raise TimeoutError("2/3 futures, but timed out after 1333 seconds")


def test_results_come_back(workdir):
    workdir.claim(CONFIG, {})
    assert workdir.results() is None
    workdir.write_results({"test": {"mae": 2.5}})
    assert workdir.results() == {"test": {"mae": 2.5}}
