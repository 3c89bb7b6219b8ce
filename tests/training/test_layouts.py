"""The same trajectory on 1, 2, 4 and 8 devices and in 1, 2 and 4 processes: six rows on generated data, 200 steps."""

import subprocess
import sys

import numpy as np
import pytest

from layouts import TASKS
from places import ROOT
from several_processes import environment, free_port

LAYOUTS = [(8, 1, "1,2,4,8"), (1, 2, "2"), (2, 2, "4"), (1, 4, "4")]
"""Devices of a process, processes, numbers of devices that share a batch (`1` is the first)."""
pytestmark = pytest.mark.slow


def train(folder, way, steps, tasks, dtype="float32"):
    """Parameters and scores by layout and task, all in one folder's files."""
    more = {"JAX_ENABLE_X64": "1"} if dtype == "float64" else {}
    for devices, count, shared in LAYOUTS:
        command = [sys.executable, str(ROOT / "tests" / "layouts.py"), str(folder), str(steps), ",".join(tasks), shared]
        port = free_port()
        joined = [[f"127.0.0.1:{port}", str(count), str(k)] if count > 1 else [] for k in range(count)]
        line = [*command, way, dtype]
        processes = [
            subprocess.Popen([*line, *each], env=environment(devices, **more), stderr=subprocess.PIPE, text=True)
            for each in joined
        ]
        said = [process.communicate(timeout=1800)[1] for process in processes]
        assert [process.returncode for process in processes] == [0] * count, "\n".join(said)
    return {task: {path.stem: dict(np.load(path)) for path in folder.glob(f"{task}-*.npz")} for task in tasks}


@pytest.fixture(scope="module")
def deterministic(tmp_path_factory):
    return train(tmp_path_factory.mktemp("deterministic"), "deterministic", 60, list(TASKS))


@pytest.mark.parametrize("task", TASKS)
def test_with_deterministic_every_bit_is_the_same(deterministic, task):
    first, *others = deterministic[task].values()
    assert len(others) == 6
    for other in others:
        for name, value in first.items():
            np.testing.assert_array_equal(other[name], value, err_msg=name)


def furthest(found):
    """The largest difference of an array's entries between layouts, as a share of its largest entry."""
    first, *others = found.values()
    shares = [
        np.abs(other[name] - value).max() / np.abs(value).max()
        for other in others
        for name, value in first.items()
        if np.abs(value).max() > 0
    ]
    return max(shares)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return train(tmp_path_factory.mktemp("plain"), "plain", 200, list(TASKS))


@pytest.mark.parametrize("task", TASKS)
def test_without_it_parameters_are_the_same_but_for_rounding(plain, task):
    assert furthest(plain[task]) < TOLERANCES[task]


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    return train(tmp_path_factory.mktemp("wide"), "plain", 200, WIDE, "float64")


WIDE = ["jena_lstm", "imdb_bilstm_masked", "word2vec", "shakespeare_lstm"]


@pytest.mark.parametrize("task", WIDE)
def test_in_float64_to_the_last_digits(wide, task):
    assert furthest(wide[task]) < 1e-12


TOLERANCES = dict.fromkeys(TASKS, 1e-6)
"""Of float32, after 200 steps."""
