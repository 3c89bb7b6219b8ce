"""`benchmark --cold`: processes from their start to their first step."""

import json

import pytest

from benchmark_calls import call
from seqjax.benchmark import cold
from seqjax.benchmark.process import WorkerDiedError
from seqjax.errors import UserError

__all__ = ["call"]


@pytest.fixture
def clock(monkeypatch):
    """No process is started: how long each takes is told here."""
    left = {"kept": [2, 1, 3], "unkept": [4, 4, 4], "predict": [0.5, 0.7, 0.6], "torch": [2, 2, 2], "flax": [5, 5, 5]}
    monkeypatch.setattr(cold, "ours", lambda *flags: None)
    monkeypatch.setattr(cold, "write_table", lambda path: path)
    monkeypatch.setattr(
        cold,
        "first_step",
        lambda workdir, kept=True: 9 if workdir.name == "compiled" else left["kept" if kept else "unkept"].pop(0),
    )
    warm = [9]
    monkeypatch.setattr(cold, "predict", lambda *_: warm.pop() if warm else left["predict"].pop(0))

    def peer_step(peer, scale):
        if not left[peer]:
            raise WorkerDiedError("its process ended with code 1: MemoryError")
        return left[peer].pop(0)

    monkeypatch.setattr(cold, "peer_step", peer_step)
    return left


def test_medians_of_all_blocks_beside_each_other(call, clock, tmp_path):
    output = tmp_path / "rows.json"
    code, out, err = call("--cold", "--peers=torch,flax", "--blocks=3", f"--output={output}")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()[1:]]
    assert lines == [
        ["first", "step", "seqjax", "2.00", "1.00", "3.00", "1.00"],
        ["first", "step", "seqjax,", "nothing", "kept", "4.00", "4.00", "4.00", "2.00"],
        ["predict", "seqjax", "0.60", "0.50", "0.70", "1.00"],
        ["first", "step", "torch", "2.00", "2.00", "2.00", "1.00"],
        ["first", "step", "flax", "5.00", "5.00", "5.00", "2.50"],
    ]
    rows = json.loads(output.read_text())
    assert all(set(row) == set(cold.Row.__annotations__) for row in rows)
    assert rows[0]["blocks"] == [2, 1, 3]


def test_a_peer_that_dies_is_left_out(call, clock):
    clock["torch"] = [2]
    code, out, err = call("--cold", "--peers=torch,flax", "--blocks=3")
    assert code == 0
    assert err == "seqjax: torch is left out: its process ended with code 1: MemoryError\n"
    assert "torch" not in out
    assert "flax" in out


def test_it_is_measured_alone(call):
    code, _, err = call("--cold", "--tables=million")
    assert (code, err) == (2, "seqjax: --tables and --cold are measured one at a time\n")


def test_our_own_failure_is_said(tmp_path):
    (tmp_path / "other").write_text("")
    with pytest.raises(UserError, match=r"seqjax: no step was finished: seqjax: workdir .* holds other files"):
        cold.first_step(tmp_path)
    with pytest.raises(UserError, match="holds no run"):
        cold.predict(tmp_path / "none", tmp_path / "other")


@pytest.mark.slow
def test_processes_are_started_and_timed(call):
    code, out, err = call("--cold", "--peers=flax", "--blocks=1", "--scale=0.05")
    assert (code, err) == (0, "")
    seconds = [float(line.split()[-4]) for line in out.splitlines()[1:]]
    assert len(seconds) == 4
    assert all(0.3 < number < 60 for number in seconds)
