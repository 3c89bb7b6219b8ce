"""The benchmark's command on workloads of a fiftieth of their size: rows, table, flags, exit codes."""

import json
import subprocess
import sys

import pytest

from benchmark_calls import call
from seqjax.benchmark import __main__ as command
from seqjax.benchmark import measure, table
from seqjax.benchmark.process import Worker, WorkerDiedError
from seqjax.benchmark.worker import PEERS

__all__ = ["call"]

TINY = ["--scale=0.02", "--blocks=2", "--block_seconds=0"]


@pytest.mark.parametrize("peers", [[], pytest.param(["torch"], marks=pytest.mark.slow)])
def test_a_run_writes_the_rows_and_prints_the_table(call, tmp_path, peers):
    if peers:
        pytest.importorskip("torch")
    output = tmp_path / "rows.json"
    code, out, err = call("--workloads=W4", f"--peers={','.join(peers)}", f"--output={output}", *TINY)
    assert code == 0, err
    rows = json.loads(output.read_text())
    tuned = measure_tunes()
    variants = {("seqjax", tuned), *((peer, t) for peer in peers for t in (False, tuned))}
    modes = ("train", "infer")
    assert len(rows) == 2 * len(variants)
    assert {(r["implementation"], r["tuned"], r["mode"]) for r in rows} == {(*v, m) for v in variants for m in modes}
    for row in rows:
        assert set(row) == set(measure.Row.__annotations__)
        assert row["workload"] == "W4"
        assert row["batch"] == 8
        assert row["repeats"] == 2
        assert row["page_faults"] >= 0
        assert row["peak_memory_mb"] > 50
        assert row["seconds_to_first_step"] > row["milliseconds"] / 1000 > 0
        assert row["steps"] % (32 if row["implementation"] == "seqjax" else 1) == 0
    assert "not the real workloads" in out
    heading, train, infer = out.splitlines()[-3:]
    assert heading.split()[:4] == ["workload", "mode", "seqjax", *(peers or ["best"])]
    assert train.split()[:2] == ["W4", "train"]
    assert infer.split()[:2] == ["W4", "infer"]


def measure_tunes() -> bool:
    """Whether `tune` finds anything to set on this machine, asked in a process of its own."""
    code = "from seqjax.runtime import tune; print(bool(tune()))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


def test_the_table_compares_with_the_best_peer():
    row = lambda name, tuned, ms, mode="train": {
        "workload": "W1", "mode": mode, "implementation": name, "tuned": tuned, "milliseconds": ms,
    }  # fmt: skip
    rows = [row("seqjax", True, 2.0), row("flax", False, 9.0), row("flax", True, 8.0), row("torch", False, 6.0)]
    rows += [row("torch", True, 5.0), row("seqjax", True, 3.0, "infer"), row("flax", False, 1.5, "infer")]
    lines = table.comparison(rows).splitlines()
    assert [cell.strip() for cell in lines[1].split("  ") if cell] == [
        "W1", "train", "2", "9 (8*)", "6 (5*)", "2.50 (torch*)",
    ]  # fmt: skip
    assert lines[2].split() == ["W1", "infer", "3", "1.5", "-", "0.50", "(flax)"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workloads=W1,W10"], "there is no workload 'W10'; choices: W1, W2, W3, W3m, W3b, W4, W4-512, W5, W6"),
        (["--peers=tensorflow"], "there is no peer 'tensorflow'; choices: keras-jax, keras-tf, torch, flax, jax-rnn"),
        (["--modes=test"], "there is no mode 'test'; choices: train, infer"),
        (["--workloads="], "--workloads= is empty"),
        (["--modes="], "--modes= is empty"),
        (["--blocks=0"], "--blocks=0 must be at least 1"),
        (["--blocks=many"], "--blocks: invalid int value: 'many'"),
        (["--block_seconds=-1"], "--block_seconds=-1.0 must not be negative"),
        (["--scale=0"], "--scale=0.0 is not in (0, 1]"),
        (["--scale=nan"], "--scale=nan is not in (0, 1]"),
        (["--output=/no/such/folder/rows.json"], "--output=/no/such/folder/rows.json cannot be written: No such file"),
        (["--pipeline=jena_lstn"], "did you mean 'jena_lstm'"),
        (["--pipeline=jena_lstm", "--data=toy"], "invalid choice: 'toy'"),
        (["--text=int,bag"], "there is no kind 'bag'; choices: int, multi_hot, tf_idf, bigrams, word2vec"),
        (["--text=int", "--pipeline=jena_lstm"], "--pipeline and --text are measured one at a time"),
        (["--work=W1"], "unrecognized arguments: --work=W1"),
    ],
)
def test_a_wrong_flag_is_one_line_and_exit_code_2(call, arguments, message):
    code, out, err = call(*arguments)
    assert code == 2
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


def test_a_peer_that_is_not_installed_is_named_and_left_out(monkeypatch, capsys):
    real = command.importlib.util.find_spec
    monkeypatch.setattr(
        command.importlib.util,
        "find_spec",
        lambda name: None if name in ("keras", "torch", "onnxruntime") else real(name),
    )
    left = [peer for peer in PEERS if command.installed(peer, PEERS[peer].packages)]
    assert left == ["flax", "jax-rnn", "seqjax-pallas"]
    err = capsys.readouterr().err
    assert "torch is left out: torch not installed; pip install 'seqjax[benchmark]'" in err
    assert "keras-jax is left out: keras" in err


def test_cudnn_is_left_out_where_it_cannot_run(call, monkeypatch):
    asked = {}

    def rows(self, peers, modes):
        asked[self.workload.name] = list(peers)
        return []

    monkeypatch.setattr(measure.Measurement, "rows", rows)
    monkeypatch.setattr(command.shutil, "which", lambda name: None)
    _, _, err = call("--workloads=W1", "--peers=flax,jax-rnn")
    assert "jax-rnn is left out: no NVIDIA GPU here" in err
    assert asked == {"W1": ["flax"]}
    monkeypatch.setattr(command.shutil, "which", lambda name: f"/usr/bin/{name}")
    call("--workloads=W1,W2,W3", "--peers=flax,jax-rnn")
    assert asked == {"W1": ["flax", "jax-rnn"], "W2": ["flax"], "W3": ["flax", "jax-rnn"]}
    with pytest.raises(WorkerDiedError, match="JAX finds no NVIDIA GPU here"):
        Worker("jax-rnn", "W1", 0.02, False)


def test_exit_code_1_if_ours_could_not_be_measured(call, monkeypatch):
    monkeypatch.setattr(measure.Measurement, "rows", lambda self, peers, modes: [])
    assert call("--workloads=W1", "--peers=")[0] == 1


def test_help_is_quick_and_tells_how_to_read_the_table(call):
    code, out, _ = call("--help")
    assert code == 0
    assert "How to read the table" in out
    assert "W3m (W3 masked" in out
    script = "import sys, seqjax.benchmark.__main__; print(*{'jax', 'torch', 'keras', 'tensorflow'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "\n"
