"""seqjax.data.pipeline does not wait for TensorFlow: the batches are the same wherever tf.data takes over."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from places import ROOT
from seqjax.data import pipeline
from seqjax.data.pipeline import LateTensorflow, batches, import_tensorflow

IDS = np.arange(100, 123)  # 23 examples: 5 batches of 5, the last with 2 of padding
LENGTHS = np.array([3, 9, 5] * 7 + [9, 3])
CASES = {
    "seed": {"seed": 3, "start": 0, "stop": 15, "stack": 2},
    "no seed": {"start": 3, "stop": 9, "stack": 3},
    "lengths": {"seed": 1, "start": 2, "stop": 10, "stack": 1, "lengths": LENGTHS},
}


class ReadyAfter:
    """Stands for this process's LateTensorflow: there from the stack with a given number on."""

    def __init__(self, stacks):
        self.stacks, self.asked = stacks, 0

    def by_now(self, *, wanted):
        self.asked += 1
        return import_tensorflow() if self.asked > self.stacks else None


def made(monkeypatch, ready, **options):
    monkeypatch.setattr(pipeline, "_TENSORFLOW", ready)
    return list(batches(IDS, **{"batch_size": 5, **options}))


@pytest.mark.parametrize("case", CASES)
def test_batches_are_the_same_bits_wherever_tf_data_takes_over(monkeypatch, case):
    whole = made(monkeypatch, ReadyAfter(10**6), **CASES[case])
    assert len(whole) >= 3
    for position in range(len(whole) + 1):
        ready = ReadyAfter(position)
        found = made(monkeypatch, ready, **CASES[case])
        assert ready.asked == min(position + 1, len(whole))
        assert [(b.step, b.length) for b in found] == [(b.step, b.length) for b in whole]
        for one, other in zip(found, whole, strict=True):
            assert (one.ids.dtype, one.weights.dtype) == (np.int32, np.float32)
            np.testing.assert_array_equal(one.ids, other.ids, strict=True)
            np.testing.assert_array_equal(one.weights, other.weights, strict=True)


@pytest.fixture
def nothing_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setattr(pipeline, "PATIENCE", 0.0)


def test_it_is_imported_in_a_thread_and_used_when_it_is_there(monkeypatch, nothing_imported):
    go_on, threads = threading.Event(), []

    def slow_import():
        threads.append(threading.current_thread())
        go_on.wait(10)
        return "the module"

    monkeypatch.setattr(pipeline, "import_tensorflow", slow_import)
    late = LateTensorflow()
    assert [late.by_now(wanted=False), late.by_now(wanted=True), late.by_now(wanted=True)] == [None, None, None]
    go_on.set()
    until = time.monotonic() + 10
    while late.by_now(wanted=False) is None and time.monotonic() < until:
        time.sleep(0.01)
    assert late.by_now(wanted=False) == "the module"
    assert threads != [threading.main_thread()]
    assert len(threads) == 1


def test_it_is_not_imported_before_it_is_worth_it(monkeypatch, nothing_imported):
    monkeypatch.setattr(pipeline, "import_tensorflow", lambda: pytest.fail("imported"))
    late = LateTensorflow()
    monkeypatch.setattr(pipeline, "PATIENCE", 60.0)
    assert late.by_now(wanted=True) is None
    assert late.by_now(wanted=True) is None
    monkeypatch.setattr(pipeline, "PATIENCE", 0.0)
    assert late.by_now(wanted=False) is None


def test_what_goes_wrong_in_the_thread_is_said(monkeypatch, nothing_imported):
    def broken():
        raise ImportError("libtensorflow_cc.so.2: file too short")

    monkeypatch.setattr(pipeline, "import_tensorflow", broken)
    monkeypatch.setattr(pipeline, "_TENSORFLOW", LateTensorflow())
    stacks = batches(IDS, batch_size=5, start=0, stop=10**6, seed=0)
    with pytest.raises(ImportError, match="file too short"):
        list(stacks)


@pytest.mark.parametrize("seed", [0, None])
def test_without_tensorflow_the_batches_are_the_same(monkeypatch, seed):
    options = {"batch_size": 5, "start": 2, "stop": 9, "seed": seed, "stack": 2}
    wanted = made(monkeypatch, ReadyAfter(0), **options)
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # as where it is not installed
    monkeypatch.setattr(pipeline, "PATIENCE", 0.0)
    monkeypatch.setattr(pipeline, "import_tensorflow", lambda: pytest.fail("imported"))
    found = made(monkeypatch, LateTensorflow(), **options)
    assert [batch.step for batch in found] == [batch.step for batch in wanted]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids, strict=True)


ENDS = """
import sys, threading, time
from seqjax.data import pipeline
pipeline.PATIENCE = 0.0
stacks = pipeline.batches(pipeline.np.arange(50), batch_size=5, start=0, stop=10**6, seed=0)
next(stacks)
until = time.monotonic() + 20
while "tensorflow" not in sys.modules and time.monotonic() < until:
    time.sleep(0.01)
print(len([thread for thread in threading.enumerate() if thread.name.startswith("import_tensorflow")]))
{end}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "code", "said"),
    [("", 0, ""), pytest.param("raise SystemExit('stopped')", 1, "stopped\n", marks=pytest.mark.slow)],
)
def test_a_process_that_ends_during_the_import_ends_as_it_would(end, code, said):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", ENDS.format(end=end)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (code, "1\n", said)


SHORT = """
import sys
from pathlib import Path
from seqjax.runs import commands
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir
options = ["units=4", "sequence_length=24", "epochs=1", "batch_size=4096"]
run, folder = Workdir(Path(sys.argv[1])), Path(sys.argv[1])
commands.train("jena_lstm", run, options=options, data="sample", data_dir=folder, settings=Settings())
commands.evaluate(run, data_dir=folder)
sys.path.insert(0, sys.argv[2])
from command_calls import write_weather
write_weather(Path(sys.argv[1]) / "weather.csv", 60)
with open(Path(sys.argv[1]) / "weather.csv", encoding="utf-8") as text:
    print(len(list(commands.predict(run, text, "weather.csv"))))
print("tensorflow" in sys.modules)
"""


@pytest.mark.slow
def test_a_short_run_its_evaluation_and_its_predictions_never_import_it(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SHORT, str(tmp_path / "run"), str(ROOT / "tests")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["38", "False"]
