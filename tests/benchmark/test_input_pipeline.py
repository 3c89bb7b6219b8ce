"""The benchmark of the input pipeline: which batches it takes, in which order."""

import dataclasses
import json

import numpy as np
import pytest

from benchmark_calls import call
from seqjax.benchmark.workloads import find

__all__ = ["call"]


@pytest.mark.slow
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
    evaluated = program.tally_of
    program.tally_of = lambda *given: seen.append(evaluated(*given))  # type: ignore
    timed.infer(2)
    assert seen[0].sums["weight"] == 2 * timed.examples == 2 * 3 * 8
    outputs = toy_dataset.gather(toy_dataset.arrays, timed.ready[0].ids.reshape(-1))
    predicted = toy_experiment.model.apply({"params": timed.state.params}, outputs[0])
    loss = toy_experiment.loss(predicted, outputs[1]).sum()
    assert seen[0].sums["loss"] == pytest.approx(2 * float(loss), rel=1e-5)


@pytest.mark.slow
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
