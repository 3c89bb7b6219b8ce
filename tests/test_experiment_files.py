"""Experiment files of users: whatever is in one, --list has a line for it, and a run says what is wrong."""

import math
import re
import subprocess
import sys

import pytest

from places import ROOT
from seqjax import experiment as experiments
from seqjax.errors import UserError
from seqjax.experiment import Experiment

BROKEN = {
    "latin": (b'"""Caf\xe9."""\n', "byte 0xe9 in line 1 is not UTF-8"),
    "nul": (b"x = 1\0\n", "null byte"),
    "deep": (b"(" * 5000 + b")" * 5000, r"."),
    "syntax": (b"def experiment(:\n", "invalid syntax"),
    "indent": (b"def experiment():\n\tif x:\n        y\n", "."),
}
RAISING = {
    "zero": b"1 / 0\n",
    "key": b"{}['a\\nb']\n",
    "leaves": b"raise SystemExit(3)\n",
    "asserts": b"assert False, 'not here'\n",
    "user": b"from seqjax.errors import UserError\nraise UserError('mine')\n",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "experiments"


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_a_file_that_cannot_be_read_is_one_line(folder, name):
    content, message = BROKEN[name]
    (folder / f"{name}.py").write_bytes(content)
    listed = experiments.listing(name)
    assert re.search(rf"^\(cannot be read: .*{message}.*\)$", listed.description)
    assert "\n" not in listed.description
    with pytest.raises(UserError, match=rf"{name}\.py does not run: ") as caught:
        experiments.load(folder / f"{name}.py")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", RAISING)
def test_a_file_that_raises_is_one_line(folder, name):
    (folder / f"{name}.py").write_bytes(RAISING[name])
    assert experiments.listing(name).description == ""
    with pytest.raises(UserError, match=rf"{name}\.py does not run: \w+: ") as caught:
        experiments.load(folder / f"{name}.py")
    assert "\n" not in str(caught.value)


def test_a_folder_called_like_a_file_is_one_line(folder):
    (folder / "folder.py").mkdir()
    assert experiments.listing("folder").description.startswith("(cannot be read: ")
    with pytest.raises(UserError, match=r"folder\.py cannot be read: Is a directory"):
        experiments.load(folder / "folder.py")


def test_the_list_of_all_that_is_broken(folder):
    for name, (content, _) in BROKEN.items():
        (folder / f"{name}.py").write_bytes(content)
    (folder / "folder.py").mkdir()
    command = [sys.executable, "-m", "seqjax.main", "--list"]
    environment = {**__import__("os").environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder.parent, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert {*BROKEN, "folder", "jena_lstm"} <= set(lines)
    assert len(lines) == len(done.stdout.splitlines())


def test_a_byte_order_mark_is_no_fault(folder):
    (folder / "marked.py").write_bytes(b'\xef\xbb\xbf"""Marked."""\r\ndef experiment(*, seed: int = 0): ...\r\n')
    assert experiments.listing("marked").description == "Marked."
    assert experiments.options(experiments.load(folder / "marked.py"), []) == {"seed": 0}


def test_what_a_function_makes_of_its_knobs_is_one_line():
    made = Experiment(None, None, lambda o, t: o, {}, None, 1, 1, 0)
    assert experiments.build(lambda *, a: made, {"a": 1}) is made
    for function, knobs, message in (
        (lambda *, a: made, {"b": 1}, "TypeError: .*'b'"),
        (lambda *, a: 1 / a, {"a": 0}, "ZeroDivisionError"),
        (lambda *, a: a, {"a": 3}, r"returns a int, not an Experiment"),
    ):
        with pytest.raises(UserError, match=message):
            experiments.build(function, knobs)


def numbers(*, rate: float = math.inf, learning_rate: float = 1.0): ...


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
def test_a_knob_is_a_finite_number(value):
    with pytest.raises(UserError, match=f"knob 'rate' takes a finite number, not '{value}'"):
        experiments.options(numbers, [f"rate={value}"])
    with pytest.raises(UserError, match=f"learning_rate={value} is not in"):
        experiments.options(numbers, [f"learning_rate={value}"])
    assert experiments.options(numbers, [])["rate"] == math.inf
