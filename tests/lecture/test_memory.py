"""The command that asks a run how far back it looks: of a model that looks three steps back, and of reviews."""

import json

import pytest

from seqjax.lecture import memory
from seqjax.runs import commands
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir
from tool_calls import called

THIRD_LAST = '''"""What was three steps ago, said again. No parameters."""

import dataclasses

import flax.linen as nn
import numpy as np
import optax

from seqjax.data.dataset import Dataset
from seqjax.experiment import Experiment
from seqjax.training import metrics


@dataclasses.dataclass(frozen=True)
class Noise:
    flat: bool

    def load(self, data, data_dir):
        x = np.random.default_rng(0).normal(size=(90, 9, 2)).astype(np.float32)
        arrays = {"x": x.reshape(90, 18) if self.flat else x}
        gather = lambda arrays, ids: (arrays["x"][ids], arrays["x"][ids].reshape(len(ids), -1)[:, -6])
        parts = {"train": np.arange(10), "validation": np.arange(10, 20), "test": np.arange(20, 90)}
        return Dataset(arrays, gather, parts, "noise", "f00d")


class ThirdLast(nn.Module):
    def __call__(self, inputs, *, train=False):
        return inputs.reshape(len(inputs), -1)[:, -6]


def experiment(*, flat: bool = False, seed: int = 0) -> Experiment:
    mae = {"mae": metrics.absolute_error}
    return Experiment(Noise(flat), ThirdLast(), metrics.squared_error, mae, optax.sgd(0.1), 0, 8, seed)
'''


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A run's folder for the experiment's name and options."""
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "third_last.py").write_text(THIRD_LAST)
    monkeypatch.chdir(tmp_path)

    def train(name, *options):
        settings = Settings(devices=1)
        workdir = Workdir(tmp_path / name)
        commands.train(name, workdir, options=options, data="sample", data_dir=tmp_path, settings=settings)
        return workdir.path

    return train


def test_three_steps_back(asked, tmp_path):
    run = asked("third_last")
    done = called(memory, f"--workdir={run}", "--output=said", "--kept=3,2,0,9,50", "--examples=50")
    assert done.returncode == 0
    assert "third_last, cut, last 2 steps left: mae 0." in done.stdout
    (facts,) = json.loads((tmp_path / "said" / "memory.json").read_text())
    assert (facts["experiment"], facts["metric"], facts["examples"]) == ("third_last", "mae", 50)
    for rows in facts["looks"].values():
        assert [row["kept"] for row in rows] == [0, 2, 3, 9]
        assert [row["same"] for row in rows] == [False, False, True, True]
        assert rows[1]["change"] - rows[1]["half"] > 0.3
        assert rows[2]["change"] == rows[2]["half"] == 0
    assert "last steps left as they were" in (tmp_path / "said" / "memory.svg").read_text()


def test_what_makes_no_sense_is_refused(asked):
    flat = asked("third_last", "flat=true")
    for arguments, said in (
        ((f"--workdir={flat}",), "inputs are neither series [examples, steps, features] nor reviews"),
        ((), "give --workdir=RUN"),
        (("--workdir=none", "--kept=1,x"), "--kept=1,x: give whole numbers"),
        (("--workdir=none", "--examples=0"), "--examples must be at least 1"),
        (("--workdir=none",), "holds no run"),
    ):
        done = called(memory, *arguments)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr


@pytest.mark.slow
def test_a_bag_of_words_knows_no_order_and_an_lstm_does(asked, tmp_path):
    small = ["units=2", "epochs=1"]
    bag = memory.ask(asked("imdb_unigram", *small), tmp_path, [0, 100], 80)
    assert all(row["same"] for row in bag["looks"]["shuffled"])
    assert not bag["looks"]["cut"][0]["same"]
    assert bag["looks"]["cut"][1]["same"], "no review of the sample has a hundred words"
    of_lstm = memory.ask(asked("imdb_bilstm_masked", "embedding_size=4", *small), tmp_path, [0, 100], 80)
    assert [row["same"] for row in of_lstm["looks"]["shuffled"]] == [False, True]
    assert of_lstm["looks"]["cut"][1]["change"] == 0
