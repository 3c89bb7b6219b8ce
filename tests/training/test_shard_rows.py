"""Tables split over 8 devices by rows: equal to whole ones, and no device ever holds a whole one."""

import json
import subprocess
import sys

import pytest

from places import ROOT
from seqjax.errors import UserError
from seqjax.training.program import Program, Settings
from several_processes import environment

SCRIPT = str(ROOT / "tests" / "large_vocabulary.py")


def on_8_devices(*arguments):
    line = [sys.executable, SCRIPT, *map(str, arguments)]
    done = subprocess.run(line, env=environment(8), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize(("task", "difference"), [("word2vec", 1e-6), ("language", 1e-4)])
def test_split_tables_equal_whole_ones(task, difference):
    """Adam's first steps are as large for a gradient of 1e-9 as for one of 1: rounding shows."""
    found = on_8_devices(task, 8, 4000, 32, 3, 1000, "equal")
    assert found["difference"] < difference
    assert len(found["held"]) == 8
    assert max(found["held"].values()) < found["table"]  # of two tables and the optimizer's


@pytest.mark.slow
@pytest.mark.parametrize(("task", "words", "numbers"), [("word2vec", 1_000_000, 512), ("language", 200_000, 512)])
def test_no_device_holds_a_whole_table_of_a_large_vocabulary(task, words, numbers):
    found = on_8_devices(task, 8, words, numbers, 0, 100_000)
    for device, held in found["held"].items():
        print(f"{task}: device {device} holds {held / 1e6:,.0f} MB; a table has {found['table'] / 1e6:,.0f} MB")
        assert held < found["table"] / 2
    print(f"{task}: a step has {found['step']['temp'] / 1e6:,.0f} MB besides")
    assert found["step"]["temp"] < found["table"] / 2


def test_what_cannot_be_split_is_refused(toy_experiment, toy_dataset):
    with pytest.raises(UserError, match="--deterministic needs all parameters"):
        Settings(deterministic=True, shard_rows=5)
    with pytest.raises(UserError, match="shard_rows must be at least 1"):
        Settings(shard_rows=0)
    program = Program(toy_experiment, toy_dataset, Settings(shard_rows=1000))
    assert program.initial(toy_experiment).params["Dense_0"]["kernel"].shape == (3, 1)
