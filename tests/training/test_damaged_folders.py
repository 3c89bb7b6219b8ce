"""Whatever stands where a run's folder is to be, or in it: one line that names it, and nothing touched."""

import json
import os
import re

import pytest

from seqjax.errors import UserError
from seqjax.training.workdir import Workdir

CONFIG = {"experiment": "tiny", "options": {"units": 16, "epochs": 2}, "data": "real", "fingerprint": "abc"}
DEEP = "[" * 100_000


@pytest.fixture
def workdir(tmp_path):
    made = Workdir(tmp_path / "run")
    made.claim(CONFIG, {"experiment.py": "x = 1\n"})
    return made


def one_line(call, message):
    with pytest.raises(UserError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


STRANGE = {
    "long": ("x" * 300, r"^workdir .*\(\d+ characters\) cannot be used: File name too long; choose another"),
    "nul": ("a\0b", r"cannot be used: .*null.*; choose another --workdir"),
    "below a file": ("file/run", "cannot be used: Not a directory"),
    "file": ("file", "file is not a folder"),
    "link": ("link", r"link is a link to .*gone, which is not there"),
}


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("call", ["config", "run", "check", "claim", "lock"])
def test_a_path_that_can_be_no_folder(tmp_path, name, call):
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    path, message = STRANGE[name]
    workdir = Workdir(tmp_path / path)
    calls = {
        "config": workdir.config,
        "run": workdir.run,
        "check": lambda: workdir.check(CONFIG),
        "claim": lambda: workdir.claim(CONFIG, {}),
        "lock": lambda: workdir.lock().__enter__(),
    }
    one_line(calls[call], message)
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (DEEP, "nested too deep"),
        ('{"a":' * 600 + "1" + "}" * 600, "nested too deep|settings|has no experiment"),
        ("[]", "it holds a list, not an object"),
        ("null", "it holds null, not an object"),
        ('"x"', "it holds a string"),
        ("3", "it holds a number"),
        ("", "Expecting value"),
        ('{"experiment": "tiny"', "Expecting ',' delimiter"),
        ("\xff", "utf-8"),
        ('{"experiment": 3}', "experiment=3"),
        ('{"experiment": "tiny", "options": []}', r"options=\[\]"),
        ('{"experiment": "tiny", "kind": "many"}', "kind='many'"),
        ('{"experiment": "tiny", "options": {}}', "it has no data"),
        ("{}", "it has no experiment"),
    ],
)
def test_a_damaged_config(workdir, content, message):
    (workdir.path / "config.json").write_bytes(content.encode("latin-1"))
    one_line(workdir.run, rf"config\.json is damaged \(.*({message}).*choose another --workdir")


def test_a_config_that_is_a_folder(workdir):
    (workdir.path / "config.json").unlink()
    (workdir.path / "config.json").mkdir()
    one_line(workdir.config, r"config\.json cannot be read: Is a directory; choose another --workdir")


@pytest.mark.parametrize("content", ["[]", "", '{"test": {', DEEP, "\xff", "null"])
def test_damaged_results(workdir, content):
    (workdir.path / "results.json").write_bytes(content.encode("latin-1"))
    one_line(workdir.results, r"results\.json is damaged .*move it away: --mode=train makes it anew")


@pytest.mark.parametrize("garbage", ["\xff\xfe\n", "3\n", DEEP + "\n", '{"epoch": 7}\n', "[]\n", "NUL\0\n"])
def test_rows_end_where_the_first_damaged_one_is(workdir, garbage):
    workdir.append_row({"epoch": 1})
    with (workdir.path / "metrics.jsonl").open("ab") as file:
        file.write(garbage.encode("latin-1") + b'{"epoch": 2}\n')
    assert workdir.rows() == [{"epoch": 1}]
    one_line(lambda: workdir.keep_rows(2), "has 1 whole rows but the checkpoint is of epoch 2; restore it")


def test_rows_that_are_a_folder(workdir):
    (workdir.path / "metrics.jsonl").mkdir()
    one_line(workdir.rows, r"metrics\.jsonl cannot be read: Is a directory")


def test_a_lock_that_is_a_folder(workdir):
    (workdir.path / ".lock").mkdir()
    one_line(lambda: workdir.lock().__enter__(), r"cannot be written: .*\.lock; choose another --workdir")


def test_a_number_that_is_not_finite_is_null_in_every_file_and_a_number_again(workdir):
    bad = {"loss": 1.0, "mape": float("inf")}
    workdir.append_row({"epoch": 1, "train": bad, "validation": {"loss": float("nan")}})
    workdir.write_results({"options": {"epochs": 2}, "test": bad, "validation": bad, "seconds": float("-inf")})
    for name in ("metrics.jsonl", "results.json"):
        text = (workdir.path / name).read_text()
        json.loads(text.splitlines()[0] if name == "metrics.jsonl" else text, parse_constant=pytest.fail)
    assert str(workdir.rows()[0]["train"]["mape"]) == "nan"
    results = workdir.results()
    assert results is not None
    assert str(results["test"]) == "{'loss': 1.0, 'mape': nan}"
    assert results["seconds"] is None


def test_knobs_that_are_not_finite_come_back(tmp_path):
    knobs = {"clip": float("inf"), "low": float("-inf"), "units": 3, "none": None}
    workdir = Workdir(tmp_path / "run")
    workdir.claim({**CONFIG, "options": knobs}, {})
    json.loads((workdir.path / "config.json").read_text(), parse_constant=pytest.fail)
    assert workdir.run()["options"] == knobs
    workdir.check({**CONFIG, "options": knobs})


def test_a_disk_that_is_full(workdir, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    before = (workdir.path / "config.json").read_bytes()
    said = r"out of space at .* \(No space left on device\): make room; .*whole, and the same command resumes$"
    with pytest.raises(UserError, match=said), workdir.lock():
        workdir.write_results({"a": 1})
    one_line(lambda: workdir.claim(CONFIG, {"vocabulary.txt": "a\n"}), said)
    assert sorted(os.listdir(workdir.path)) == [".lock", "config.json", "experiment.py"]
    assert (workdir.path / "config.json").read_bytes() == before


def test_a_closed_pipe_is_not_the_folders_fault(workdir):
    with pytest.raises(BrokenPipeError), workdir.lock():
        raise BrokenPipeError(32, "Broken pipe")


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system", str(tmp_path / "run"))

    monkeypatch.setattr(type(tmp_path), "mkdir", refuse)
    workdir = Workdir(tmp_path / "run")
    said = f"^workdir {re.escape(str(tmp_path))}/run cannot be written: Read-only file system"
    one_line(lambda: workdir.lock().__enter__(), said)


def test_a_process_that_is_killed_between_the_first_files_leaves_a_folder_that_can_be_claimed(tmp_path, monkeypatch):
    from seqjax.training import workdir as module

    written = []

    def killed(path, text):
        if written:
            raise KeyboardInterrupt
        written.append(path.name)
        path.write_text(text)

    workdir = Workdir(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_atomically", killed)
        with pytest.raises(KeyboardInterrupt):
            workdir.claim(CONFIG, {"experiment.py": "x = 1\n", "vocabulary.txt": "a\n"})
    workdir.claim(CONFIG, {"experiment.py": "x = 1\n", "vocabulary.txt": "a\n"})
    assert sorted(os.listdir(workdir.path)) == ["config.json", "experiment.py", "vocabulary.txt"]
    assert workdir.run()["options"] == CONFIG["options"]
