"""The order of the blocks, workers that die, and a row's medians."""

from typing import Any

import pytest

from seqjax.benchmark import measure, table
from seqjax.benchmark.process import Worker, WorkerDiedError
from seqjax.benchmark.workloads import find


def test_a_worker_that_dies_says_why():
    with pytest.raises(WorkerDiedError, match=r"ended with code 1: .*UserError: there is no workload 'W10'"):
        Worker("torch", "W10", 1.0, False)


class FakeWorker:
    """Keeps a diary; torch dies in its second training block."""

    diary: list[tuple]

    def __init__(self, implementation, workload, scale, tuned):
        if implementation == "flax":
            raise WorkerDiedError("out of memory")
        self.name = implementation + "*" * tuned
        self.implementation = implementation
        self.ready = {"tuned": tuned}
        self.steps, self.blocks = {}, {}
        self.note("start")
        self.process = self
        self.code = None

    def note(self, what, *more):
        self.diary.append((self.name, what, *more))

    def poll(self):
        return self.code

    def warm_up(self, mode, block_seconds):
        self.note("warm", mode)
        self.steps[mode], self.blocks[mode] = 1, []

    def run(self, mode, steps):
        self.note("run", mode)
        if self.name == "torch" and mode == "train" and len(self.blocks[mode]) == 1:
            self.code = 9
            raise WorkerDiedError("killed")
        return {"steps": steps}

    def row(self, mode):
        return {"implementation": self.implementation, "tuned": self.ready["tuned"], "mode": mode}

    def close(self):
        self.note("close")


@pytest.fixture
def fake(monkeypatch):
    def run(workload, peers):
        monkeypatch.setattr(FakeWorker, "diary", [], raising=False)
        monkeypatch.setattr(measure, "Worker", FakeWorker)
        said = []
        rows = measure.Measurement(find(workload), blocks=2, say=said.append).rows(peers, measure.MODES)
        return rows, FakeWorker.diary, said

    return run


def test_blocks_are_run_in_turn_and_the_dead_are_left_out(fake):
    rows, diary, said = fake("W1", ["torch", "flax"])
    turn = lambda mode: [(name, "run", mode) for name in ("seqjax*", "torch", "torch*")]
    assert [entry for entry in diary if entry[1:] == ("run", "infer")] == turn("infer") * 2
    trains = [entry for entry in diary if entry[1:] == ("run", "train")]
    assert trains == turn("train") * 2
    assert diary.index(trains[0]) > diary.index(("torch*", "run", "infer"))
    assert {entry[0] for entry in diary if entry[1] == "close"} == {"seqjax*", "torch", "torch*"}
    assert said == ["W1: flax is left out: out of memory"] * 2 + ["W1: torch is left out: killed"]
    assert rows[0]["implementation"] == "seqjax"
    assert all(row["workload"] == "W1" and row["batch"] == 256 for row in rows)


def test_large_peers_run_one_at_a_time_beside_ours(fake):
    rows, diary, _ = fake("W3b", ["keras-jax", "keras-tf"])
    alive = set()
    for name, what, *_ in diary:
        if what == "start":
            alive.add(name)
        elif what == "close":
            alive.remove(name)
        assert len(alive) <= 2
        assert alive <= {"seqjax*"} or "seqjax*" in alive
    assert len(rows) == 2 * (1 + 4)
    assert sum(entry == ("seqjax*", "run", "train") for entry in diary) == 2 * 4


def test_ours_on_another_backend_is_always_tuned_and_no_peer(fake):
    rows, diary, _ = fake("W2", ["seqjax-pallas", "torch"])
    assert [name for name, what, *_ in diary if what == "start"] == ["seqjax*", "seqjax-pallas*", "torch", "torch*"]
    milliseconds = {"seqjax": 4, "seqjax-pallas": 1, "torch": 6}
    heading, train, _ = table.comparison(
        [{**row, "milliseconds": milliseconds[row["implementation"]]} for row in rows]
    ).splitlines()
    assert heading.split()[:5] == ["workload", "mode", "seqjax", "seqjax-pallas", "torch"]
    assert train.split() == ["W2", "train", "4", "1", "6", "(6*)", "1.50", "(torch)"]


def test_ours_in_a_library_comes_as_it_comes_too(fake):
    rows, diary, _ = fake("L32", ["torch"])
    assert [name for name, what, *_ in diary if what == "start"] == ["seqjax", "seqjax*", "torch", "torch*"]
    milliseconds = {"seqjax": 4, "seqjax*": 3, "torch": 6, "torch*": 5}
    named = lambda row: row["implementation"] + "*" * row["tuned"]
    _, train, _ = table.comparison([{**row, "milliseconds": milliseconds[named(row)]} for row in rows]).splitlines()
    assert train.split() == ["L32", "train", "4", "(3*)", "6", "(5*)", "1.25", "(torch*)"]


def test_peak_memory_is_compared_as_times_are():
    row = lambda name, tuned, mb: {
        "workload": "W1", "mode": "train", "implementation": name, "tuned": tuned, "peak_memory_mb": mb,
    }  # fmt: skip
    rows = [row("seqjax", True, 400.0), row("torch", False, 300.0), row("torch", True, 1310.4)]
    assert table.comparison(rows, "peak_memory_mb").splitlines()[1].split() == [
        "W1", "train", "400", "300", "(1310*)", "0.75", "(torch)",
    ]  # fmt: skip


def test_a_row_keeps_the_digits_of_small_numbers():
    worker: Any = Worker.__new__(Worker)
    worker.implementation, worker.seconds_to_ready = "torch", 3.0
    worker.ready = {"tuned": False, "steps_at_once": 1000, "device": "cpu", "version": "2"}
    block = {"steps": 1000, "seconds": 0.0110382, "page_faults": 0, "peak_memory_mb": 1.0}
    worker.first, worker.blocks, worker.steps = {"infer": block}, {"infer": [block]}, {"infer": 1000}
    assert worker.row("infer")["milliseconds"] == pytest.approx(0.011038, rel=1e-9)


def test_a_row_is_made_of_medians():
    worker: Any = Worker.__new__(Worker)
    worker.implementation, worker.seconds_to_ready = "torch", 3.0
    worker.ready = {"tuned": False, "steps_at_once": 1, "device": "cpu", "version": "2"}
    block = lambda seconds, faults, peak: {
        "steps": 10, "seconds": seconds, "page_faults": faults, "peak_memory_mb": peak,
    }  # fmt: skip
    worker.first = {"train": {**block(2.0, 0, 0.0), "steps": 3}}
    worker.blocks = {"train": [block(1.0, 10, 1.0), block(5.0, 40, 2.0), block(2.0, 20, 3.0)]}
    worker.steps = {"train": 10}
    row = worker.row("train")
    assert row["milliseconds"] == 200
    assert row["page_faults"] == 2
    assert row["peak_memory_mb"] == 3
    assert row["seconds_to_first_step"] == pytest.approx(3 + 2 - 2 * 0.2)
    assert row["repeats"] == 3


@pytest.mark.parametrize(
    ("workload", "ours"), [("W9", ["seqjax*"]), ("D1", ["seqjax*"]), ("S1", ["seqjax", "seqjax*"])]
)
def test_ours_is_always_tuned_in_models_and_both_in_layers(fake, workload, ours):
    _, diary, _ = fake(workload, [])
    assert [name for name, what, *_ in diary if what == "start"] == ours
