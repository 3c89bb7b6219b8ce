"""`benchmark --growth`: its points, their order, the table and the picture."""

import json
import xml.etree.ElementTree

import pytest

from benchmark_calls import call
from seqjax.benchmark import growth, growth_picture, table
from seqjax.benchmark.process import WorkerDiedError

__all__ = ["call"]


class FakeWorker:
    """A step takes as many milliseconds as the field that was changed says; torch is killed by 512 units."""

    def __init__(self, implementation, workload, scale, tuned, count):
        assert (workload, tuned) == ("L64", False)
        if implementation == "flax":
            raise WorkerDiedError("out of memory")
        self.implementation, self.count = implementation, count
        self.diary.append((implementation, "start", count))
        self.changed, self.steps, self.blocks = {}, {}, {}

    def change(self, **fields):
        self.changed = fields
        if self.implementation == "torch" and fields.get("units") == 512:
            raise WorkerDiedError("killed")

    def warm_up(self, mode, block_seconds):
        self.steps[mode], self.blocks[mode] = 1, []

    def run(self, mode, steps):
        self.diary.append((self.implementation, "run", *self.changed.values()))
        return {"steps": steps}

    def row(self, mode):
        (value,) = self.changed.values() or [64 // self.count]
        own = {"implementation": self.implementation, "milliseconds": value * (1 + (self.implementation == "torch"))}
        return own | {"peak_memory_mb": 1.0, "repeats": 2, "steps": 1, "device": "cpu", "version": "1", "mode": mode}

    def close(self):
        self.diary.append((self.implementation, "close"))


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(FakeWorker, "diary", [], raising=False)
    monkeypatch.setattr(growth, "Worker", FakeWorker)
    monkeypatch.setattr(growth, "threads", lambda: 2)
    return FakeWorker.diary


def test_points_are_run_in_turn_and_the_dead_are_left_out(fake):
    said, kept = [], []
    measured = growth.Growth(["torch", "flax"], blocks=2, say=said.append)
    rows = measured.rows(["threads", "units"], lambda rows: kept.append(len(rows)))
    assert said == [
        "flax is left out: out of memory",
        "units 512: torch is left out: killed",
        "flax is left out: out of memory",
        "flax is left out: out of memory",
    ]
    assert fake[:6] == [
        ("seqjax", "start", 2), ("torch", "start", 2),
        ("seqjax", "run", 8), ("torch", "run", 8), ("seqjax", "run", 8), ("torch", "run", 8),
    ]  # fmt: skip
    assert [entry[2] for entry in fake if entry[1] == "start"] == [2, 2, 1, 1, 2, 2]
    assert len([entry for entry in fake if entry[1] == "close"]) == 6
    assert kept == [2, 4, 6, 8, 10, 12, 13, 14, 16, 18]
    assert [(row["axis"], row["value"], row["threads"]) for row in rows[-4::2]] == [
        ("threads", 1, 1),
        ("threads", 2, 2),
    ]
    assert all(set(row) == set(growth.Row.__annotations__) for row in rows)
    assert (rows[0]["units"], rows[0]["length"], rows[0]["batch"], rows[0]["seeds"]) == (8, 100, 64, 1)


def test_the_table_has_slopes_and_the_picture_a_panel_for_each_axis(call, fake, tmp_path):
    output = tmp_path / "growth.json"
    code, out, err = call("--growth", "--peers=keras-jax,torch", f"--output={output}")
    assert code == 0, err
    rows = json.loads(output.read_text())
    assert list(dict.fromkeys(row["axis"] for row in rows)) == list(growth.AXES)
    lines = {tuple(line.split()[:2]): line.split()[2:] for line in out.splitlines()}
    assert lines["length", "50"] == ["50", "-", "1.00", "-"]  # torch has died
    assert lines["units", "8"] == ["8", "16", "-", "2.00"]
    assert lines["units", "16"] == ["16", "32", "1.00", "2.00"]
    assert lines["threads", "2"] == ["32", "64", "-1.00", "2.00"]
    svg = (tmp_path / "growth.svg").read_text()
    assert f"the picture is {tmp_path / 'growth.svg'}" in err
    root = xml.etree.ElementTree.fromstring(svg)
    panels = [group for group in root.iter() if group.get("id", "").startswith("axes_")]
    assert len(panels) == 6  # the legend has the last one
    for words in (*growth.AXES, "PyTorch (seeds: one after the other)", "in proportion to the work"):
        assert words in svg
    assert growth_picture.draw(rows) == svg


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--growth=units,width"], "there is no axis 'width'; choices: units, length, batch, seeds, threads"),
        (["--growth="], "--growth= is empty"),
        (["--growth", "--cold"], "--cold and --growth are measured one at a time"),
        (["--growth", "--output=a.svg"], "--output=a.svg is for the rows as JSON"),
    ],
)
def test_a_wrong_flag_is_said(call, arguments, message):
    code, _, err = call(*arguments)
    assert code == 2
    assert message in err


def test_the_guides_follow_the_products():
    assert growth_picture.work("units", 128) / growth_picture.work("units", 64) == 3  # 128 * 192, 64 * 128
    assert growth_picture.work("length", 200) / growth_picture.work("length", 100) == 2
    assert growth_picture.work("threads", 4) / growth_picture.work("threads", 1) == 1 / 4


def test_a_point_that_was_not_measured_is_a_dash():
    row = lambda axis, value, name, ms: {"axis": axis, "value": value, "implementation": name, "milliseconds": ms}
    rows = [row("units", 8, "torch", 1.0), row("units", 16, "torch", 2.0), row("units", 16, "seqjax", 1.0)]
    assert [line.split() for line in table.growth(rows).splitlines()[1:]] == [
        ["units", "8", "1", "-", "-", "-"],
        ["units", "16", "2", "1", "-", "2.00"],
    ]


@pytest.mark.slow
def test_one_process_builds_one_size_after_the_other(call, monkeypatch, tmp_path):
    monkeypatch.setattr(
        growth, "AXES", {"units": (8, 16), "length": (8,), "batch": (4,), "seeds": (2,), "threads": (1,)}
    )
    output = tmp_path / "growth.json"
    code, _, err = call("--growth", "--scale=0.1", "--blocks=1", "--block_seconds=0", f"--output={output}")
    assert code == 0, err
    rows = json.loads(output.read_text())
    assert len(rows) == 6 * len({row["implementation"] for row in rows})
    assert all(0 < row["milliseconds"] < 1000 for row in rows)
