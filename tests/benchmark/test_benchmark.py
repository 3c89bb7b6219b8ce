"""The benchmark on workloads of a fiftieth of their size: data, models, processes, the order of blocks, the output."""

import dataclasses
import importlib.util
import json
import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest

from seqjax.benchmark import __main__ as command
from seqjax.benchmark import measure, table, texts
from seqjax.benchmark.process import Worker, WorkerDiedError
from seqjax.benchmark.worker import PEERS, build, peak_memory_mb, run_block
from seqjax.benchmark.workloads import WORKLOADS, find, lengths

TINY = ["--scale=0.02", "--blocks=2", "--block_seconds=0"]
PARAMETERS = {
    "W1": 2_001, "W2": 10_977, "W3": 5_194_049, "W3m": 5_194_049, "W3b": 5_128_513, "W4": 320_033, "W4-512": 320_033,
    "W5": 3_873, "W6": 2_099_713,
}  # fmt: skip


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the command line within this process: (exit code, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["seqjax.benchmark", *arguments])
        with pytest.raises(SystemExit) as stop:
            command.run()
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return run


# Data


def test_reviews_have_the_stated_lengths_and_as_many_different_tokens_as_the_real_ones():
    counts = lengths(512, 600, np.random.default_rng(0))
    assert abs(counts.mean() - 235) < 1
    assert 10 <= counts.min() < 60
    assert counts.max() == 600
    distinct = {}
    for name in ("W3", "W3m"):
        batches = find(name).host_batches(find(name).dataset())
        distinct[name] = np.mean([len(np.unique(tokens)) for tokens, _ in batches])
        assert len(batches) == 16
        assert batches[0][0].shape == (32, 600)
    assert 3_700 < distinct["W3"] < 4_100  # IMDB: 3,862
    assert 1_850 < distinct["W3m"] < 2_150  # IMDB: 1,965


def test_masked_reviews_are_padded_at_the_end_only():
    dataset = find("W3m").dataset()
    for row in dataset.arrays["tokens"][:50]:
        length = (row != 0).sum()
        assert (row[:length] > 0).all()
        assert not row[length:].any()
    assert find("W3").dataset().arrays["tokens"].min() > 0


def test_bags_are_the_same_for_ours_and_for_the_peers():
    workload = find("W4").scaled(0.02)
    dataset = workload.dataset()
    tokens, labels = dataset.gather(dataset.arrays, dataset.parts["train"][: workload.batch])
    vectors, targets = workload.host_batches(dataset)[0]
    assert vectors.shape == (workload.batch, workload.features)
    for row, vector in zip(tokens, vectors, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(vector), row[row < workload.features])
        assert 0 < vector.sum() < len(row)
    np.testing.assert_array_equal(targets, labels)


def test_windows_are_those_of_the_series():
    dataset = find("W6").scaled(0.02).dataset()
    x, y = find("W6").scaled(0.02).host_batches(dataset)[1]
    start = dataset.parts["train"][8 + 3]
    np.testing.assert_array_equal(x[3], dataset.arrays["series"][start : start + 10])
    assert x.shape == (8, 10, 10)
    assert y[3] == dataset.arrays["target"][start + 9 + 24]


# Models: the same everywhere, up to the biases that a library has more or less of


@pytest.mark.parametrize("name", WORKLOADS)
def test_ours_has_the_lectures_parameters(name):
    from seqjax.benchmark.ours import experiment
    from seqjax.training.program import count_parameters, create_state

    workload = find(name)
    example = dataclasses.replace(workload, batches=1, batch=1).dataset().example()
    state = jax.eval_shape(lambda x: create_state(experiment(workload), x), example)
    assert count_parameters(state.params) == PARAMETERS[name]


@pytest.mark.parametrize("name", WORKLOADS)
def test_flax_has_the_same_parameters(name):
    from seqjax.benchmark.peer_flax import Model

    workload = find(name)
    small = dataclasses.replace(workload, batches=1, batch=1)
    x, _ = small.host_batches(small.dataset())[0]
    params = jax.eval_shape(lambda x: Model(workload).init(jax.random.key(0), x, False), x)
    fewer = 2 * 2 * 32 if name == "W2" else 0  # Linen's GRU has 4 biases a unit, Keras's 6
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == PARAMETERS[name] - fewer


@pytest.mark.parametrize("name", WORKLOADS)
def test_torch_has_the_same_parameters(name):
    pytest.importorskip("torch")
    from seqjax.benchmark.peer_torch import make_model

    more = {"W1": 64, "W6": 2048, "W3": 256, "W3m": 256, "W3b": 256}.get(name, 0)  # a second bias in every LSTM
    assert sum(p.numel() for p in make_model(find(name)).parameters()) == PARAMETERS[name] + more


@pytest.mark.parametrize("name", ["W2", *(pytest.param(n, marks=pytest.mark.slow) for n in ("W3", "W3b", "W4", "W5"))])
def test_keras_has_the_same_parameters(name):
    keras = pytest.importorskip("keras")
    from seqjax.benchmark.peer_keras import make_layers

    workload = find(name)
    shape = (workload.features,) if workload.kind == "bag" else (workload.steps, workload.features)
    tokens = workload.kind == "bilstm"
    inputs = keras.Input(shape[:1] if tokens else shape, dtype="int32" if tokens else "float32")
    with jax.numpy_rank_promotion("allow"):  # Keras relies on it
        assert keras.Sequential([inputs, *make_layers(workload)]).count_params() == PARAMETERS[name]


@pytest.mark.parametrize("name", ["W1", "W3"])
def test_cudnns_model_is_torchs(monkeypatch, name):
    """The same numbers from the same weights, which torch keeps apart and cuDNN in one vector: biases come last."""
    torch = pytest.importorskip("torch")
    from seqjax.benchmark import peer_cudnn, peer_torch

    def reference(x, h, c, weights, lengths, features, units, layers, dropout, both):
        parts = peer_cudnn.rnn.unpack_lstm_weights(weights, features, units, layers, both)
        return peer_cudnn.rnn.lstm_ref(x, h, c, *parts, lengths, features, units, layers, dropout, both)

    monkeypatch.setattr(peer_cudnn.rnn, "lstm", reference)
    workload = find(name).scaled(0.02)
    model: Any = peer_torch.make_model(workload).eval()
    directions = ["_l0", "_l0_reverse"] if workload.text else ["_l0"]
    kinds = [("weight_ih", "weight_hh"), ("bias_ih", "bias_hh")]
    names = [part + direction for pair in kinds for direction in directions for part in pair]
    numbers = lambda tensor: tensor.detach().numpy()
    params: Any = {
        "weights": np.concatenate([numbers(getattr(model.lstm, part)).reshape(-1) for part in names]),
        "Dense_0": {"kernel": numbers(model.head.weight).T, "bias": numbers(model.head.bias)},
    }
    if workload.text:
        params["Embed_0"] = {"embedding": numbers(model.embedding.weight)}
    x, _ = workload.host_batches(workload.dataset())[0]
    ours = peer_cudnn.Model(workload)
    initial = jax.eval_shape(lambda x: ours.init(jax.random.key(0), x, False), x)["params"]
    assert jax.tree.map(np.shape, params) == jax.tree.map(lambda leaf: leaf.shape, initial)
    inputs = torch.from_numpy(x).long() if workload.text else torch.from_numpy(x)
    with jax.numpy_rank_promotion("allow"):  # Linen's Dense
        outputs: Any = ours.apply({"params": params}, x, False)
    np.testing.assert_allclose(outputs, numbers(model(inputs)), rtol=1e-4, atol=1e-5)


def test_torchs_loop_without_dropout_is_its_own_gru(monkeypatch):
    torch = pytest.importorskip("torch")
    from seqjax.benchmark import peer_torch

    model = peer_torch.make_model(find("W2").scaled(0.02))
    x = torch.randn(8, 10, 14)
    monkeypatch.setattr(peer_torch.functional, "dropout", lambda x, *_: x)
    torch.testing.assert_close(model.train()(x), model.eval()(x))


def test_ours_takes_the_steps_it_is_asked_for():
    ours: Any = build("seqjax", find("W4").scaled(0.02), 1)
    assert ours.steps_at_once == 32
    ours.train(64)
    before = jax.device_get(ours.state.params)
    assert int(ours.state.step) == 64
    assert float(ours.state.sums["weight"]) == 64 * 8
    block = run_block(ours.infer, 96)
    assert block["steps"] == 96
    assert block["seconds"] > 0
    assert 50 < block["peak_memory_mb"] <= round(peak_memory_mb(), 1)
    jax.tree.map(np.testing.assert_array_equal, before, jax.device_get(ours.state.params))
    ids = np.concatenate([stack.ids for stack in ours.program.stacks])
    assert (np.bincount(ids.reshape(-1)) == 32).all()  # every example equally often


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("implementation", ["seqjax", "flax", "torch"])
def test_every_implementation_runs_every_workload(implementation, name):
    pytest.importorskip(implementation)
    made = build(implementation, find(name).scaled(0.02), 1)
    made.infer(made.steps_at_once)
    made.train(made.steps_at_once)


# Processes


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


def test_a_worker_that_dies_says_why():
    with pytest.raises(WorkerDiedError, match=r"ended with code 1: .*UserError: there is no workload 'W9'"):
        Worker("torch", "W9", 1.0, False)


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


# Command line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workloads=W1,W9"], "there is no workload 'W9'; choices: W1, W2, W3, W3m, W3b, W4, W4-512, W5, W6"),
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
        command.importlib.util, "find_spec", lambda name: None if name in ("keras", "torch") else real(name)
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


def test_the_pipeline_is_measured_beside_the_step(call, monkeypatch, tmp_path, toy_experiment, toy_dataset):
    from seqjax.benchmark import pipeline

    class Source:
        def load(self, data, data_dir):
            assert (data, data_dir) == ("sample", tmp_path)
            return toy_dataset

    def function(*, seed: int = 0):
        return dataclasses.replace(toy_experiment, source=Source(), seed=seed)

    monkeypatch.setattr("seqjax.runtime.tune", dict)  # not in this process
    monkeypatch.setattr(pipeline.experiments, "load", lambda _: function)
    output = tmp_path / "rows.json"
    flags = ["--pipeline=jena_lstm,jena_dense:seed=3", "--data=sample", f"--data_dir={tmp_path}", f"--output={output}"]
    code, out, err = call(*flags, "--blocks=2", "--block_seconds=0.01")
    assert code == 0, err
    rows = json.loads(output.read_text())
    parts = {"ids", "gather", "step", "infer", "together"}
    for row in rows:
        assert set(row) == {"experiment", "changed", "data", "batch", "share", "blocks", *parts}
        assert all(row[name] > 0 for name in parts)
        assert {len(row["blocks"][name]) for name in parts} == {2}
        assert row["share"] is None
    lines = [line.split() for line in out.splitlines()[-3:]]
    assert lines[0][-4:] == ["step", "infer", "not", "zero"]
    assert [line[:2] for line in lines[1:]] == [["jena_lstm", "8"], ["jena_dense:seed=3", "8"]]
    assert [row["changed"] for row in rows] == [{}, {"seed": 3}]
    code, _, err = call("--pipeline=jena_lstm:sed=3", f"--data_dir={tmp_path}")
    assert code == 2
    assert "no knob 'sed'; did you mean 'seed'" in err
    assert lines[1][-3:] == [f"{rows[0]['together'] / rows[0]['step']:.2f}", f"{rows[0]['infer']:,.0f}", "-"]


def test_the_pipelines_stacks_are_those_of_training_without_the_short_ones(toy_experiment, toy_dataset):
    from seqjax.benchmark.pipeline import full_stacks
    from seqjax.training.program import Program, Settings

    program = Program(toy_experiment, toy_dataset, Settings(3))  # 53 examples in batches of 8: 7 steps an epoch
    stream = full_stacks(program)
    steps = [next(stream).step for _ in range(4)]
    assert steps == [0, 3, 7, 10]
    program = Program(toy_experiment, toy_dataset, Settings(9))
    assert next(full_stacks(program)).ids.shape == (7, 8)


def test_the_pipelines_blocks_are_run_in_turn_over_experiments_and_parts(monkeypatch, toy_experiment, toy_dataset):
    from seqjax.benchmark import pipeline

    class Source:
        def load(self, data, data_dir):
            return toy_dataset

    class FakeTimed:
        examples, parts = 8, ("step", "infer")

        def __init__(self, program):
            self.name = made.pop(0)

        def seconds(self, part, passes):
            diary.append((self.name, part, passes))
            return 0.25 * passes

    made, diary = ["a", "b"], []
    monkeypatch.setattr(pipeline, "Timed", FakeTimed)
    monkeypatch.setattr(
        pipeline.experiments, "load", lambda _: lambda: dataclasses.replace(toy_experiment, source=Source())
    )
    rows = pipeline.measure(["jena_lstm", "jena_dense"], "sample", None, blocks=2, block_seconds=1)  # type: ignore
    turn = [("a", "step"), ("a", "infer"), ("b", "step"), ("b", "infer")]
    assert diary[:8] == [(*who, passes) for who in turn for passes in (1, 2)]
    assert diary[8:] == [(*who, 4) for who in turn] * 2
    assert [row["infer"] for row in rows] == [32, 32]


def test_infer_evaluates_the_ready_batches(toy_experiment, toy_dataset):
    from seqjax.benchmark.pipeline import Timed
    from seqjax.training.program import Program, Settings

    program = Program(toy_experiment, toy_dataset, Settings(3))
    timed, seen = Timed(program), []
    evaluated = program.sums_of
    program.sums_of = lambda params, batches, sums: seen.append(evaluated(params, batches, sums))  # type: ignore
    timed.infer(2)
    assert seen[0]["weight"] == 2 * timed.examples == 2 * 3 * 8
    outputs = toy_dataset.gather(toy_dataset.arrays, timed.ready[0].ids.reshape(-1))
    predicted = toy_experiment.model.apply({"params": timed.state.params}, outputs[0])
    loss = toy_experiment.loss(predicted, outputs[1]).sum()
    assert seen[0]["loss"] == pytest.approx(2 * float(loss), rel=1e-5)


def test_batches_of_like_length_are_passed_over_in_their_mixture():
    from seqjax.benchmark.ours import experiment
    from seqjax.benchmark.pipeline import PASS, Timed, representative
    from seqjax.data.lengths import GROUPS
    from seqjax.training.program import Program, Settings

    workload = dataclasses.replace(find("W3m").scaled(0.02), steps=80, batches=10 * PASS)
    whole = workload.dataset()
    dataset = representative(whole, workload.batch)
    assert len(dataset.parts["train"]) == PASS * workload.batch
    assert whole.lengths is not None
    means = [whole.lengths[each.parts["train"]].mean() for each in (dataset, whole)]
    assert means[0] == pytest.approx(means[1], rel=0.02)
    timed = Timed(Program(experiment(workload), dataset, Settings()))
    longest = lambda batches: sorted(batch.length for batch in batches)
    first = longest(timed.ready)
    assert len(set(first)) == GROUPS
    assert timed.examples == PASS * workload.batch
    assert longest(next(timed.stream) for _ in range(PASS)) == first
    for part in ("gather", "infer", "together"):
        timed.parts[part](1)
    assert int(timed.state.step) == PASS
    few = dataclasses.replace(whole, parts={"train": whole.parts["train"][:3]})
    assert representative(few, workload.batch) is few


@pytest.mark.parametrize(("encoding", "expected"), [("int", 1.0), ("one_hot", 1 / 50), ("tf_idf", 0.05)])
def test_the_share_of_numbers_that_are_not_zero(toy_dataset, encoding, expected):
    from seqjax.benchmark.pipeline import share
    from seqjax.data.text.imdb import Reviews

    columns = np.array([[1, 4, 9, 49], [0, 50, 50, 50], [1, 2, 3, 4]])  # on average 2.5, the last is not trained on
    dataset = dataclasses.replace(toy_dataset, arrays={"tokens": columns}, parts={"train": np.array([0, 1])})
    assert share(Reviews(50, encoding=encoding), dataset) == expected
    assert share(object(), dataset) is None


# Texts


@pytest.mark.parametrize("installed", [True, False])
@pytest.mark.parametrize("kind", texts.KINDS)
def test_texts_are_measured_beside_the_peers_that_are_installed(call, monkeypatch, tmp_path, kind, installed):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: real(name) if installed else None)
    monkeypatch.setattr("seqjax.runtime.tune", dict)  # not in this process
    monkeypatch.setattr(texts.sample_reviews.reviews, "__kwdefaults__", {"train": 300, "test": 20, "seed": 1})
    output = tmp_path / "rows.json"
    code, out, err = call(f"--text={kind}", "--data=sample", "--blocks=2", f"--output={output}")
    assert code == 0, err
    rows = {row["implementation"]: row for row in json.loads(output.read_text())}
    peers = [peer for peer in texts.KINDS[kind].peers if f"{peer} is left out: " not in err]
    assert installed or not peers
    assert list(rows) == ["seqjax", *(["seqjax-apart"] if kind != "word2vec" else []), *peers]
    for row in rows.values():
        assert set(row) == set(texts.Row.__annotations__)
        assert row["items"] > 3000 if kind == "word2vec" else row["items"] == 300
        assert len(row["blocks"]) == 2
        assert row["seconds"] == pytest.approx(np.mean([clock for clock, _ in row["blocks"]]))
        assert row["per_second"] == pytest.approx(row["items"] / row["seconds"], rel=1e-3)
    assert [line.split()[:2] for line in out.splitlines()[-len(rows) :]] == [[kind, name] for name in rows]


@pytest.mark.parametrize("kind", [kind for kind, made in texts.KINDS.items() if made.encoding])
def test_keras_learns_the_vocabulary_that_ours_learns(monkeypatch, kind):
    keras = pytest.importorskip("keras")
    reviews = texts.sample_reviews.reviews(train=200, test=20).train_texts
    layers = []
    made = keras.layers.TextVectorization
    monkeypatch.setattr(
        keras.layers, "TextVectorization", lambda **options: layers.append(made(**options)) or layers[-1]
    )
    task = texts.vectorizers(texts.KINDS[kind], reviews, ["keras"])
    task.runs["keras"]()
    fitted, _ = task.runs["seqjax"]()
    words = [word for word in layers[-1].get_vocabulary() if word not in ("", "[UNK]")]
    assert words == list(fitted.vocabulary.tokens)


def test_an_epoch_of_word2vec_takes_every_block_once():
    from seqjax import experiment as experiments

    experiment = experiments.load(experiments.find("word2vec"))(embedding_size=4, batch_size=32)
    dataset = experiment.source.load("sample", None)
    skip_gram = texts.SkipGram(experiment, dataset)
    before, stack = int(skip_gram.state.step), skip_gram.program.steps_per_dispatch
    assert before == stack + (skip_gram.steps - 1) % stack + 1
    seen = []
    train = skip_gram.program.train
    skip_gram.program.train = lambda state, batch: seen.append(batch.ids[batch.weights > 0]) or train(state, batch)
    skip_gram.epoch()
    assert int(skip_gram.state.step) - before == skip_gram.steps > stack
    np.testing.assert_array_equal(np.sort(np.concatenate(seen)), dataset.parts["train"])


def test_a_small_share_is_not_rounded_away():
    row = {
        "experiment": "a",
        "changed": {},
        "batch": 8,
        "ids": 1,
        "gather": 1,
        "step": 1,
        "infer": 1,
        "together": 1,
        "share": 5e-5,
    }
    assert table.pipelines([row]).endswith(" 0.005 %")
