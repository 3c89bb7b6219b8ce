"""--backtest: every fold equals the loop by hand, on data that end there; and what it says and refuses."""

import dataclasses
import json

import numpy as np
import pytest

from command_calls import call
from seqjax.data.series import panel_truth
from seqjax.report import runs as report_runs
from seqjax.runs import backtest, commands
from seqjax.scoring import forecasts as scoring
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir

__all__ = ["call"]

HORIZON, ROWS, FOLDS = 4, 90, 2
SCORES = ("wql", "mase", "coverage_80", "winkler_80")
ROLLED = '''"""A line through noisy seasons, in a second."""

import dataclasses

import flax.linen as nn
import numpy as np
import optax

from seqjax.data.series import panel, panel_parts
from seqjax.data.series.panel_windows import Windows
from seqjax.experiment import Experiment
from seqjax.models import distributions, panel_inputs
from seqjax.training.calibrated import calibrated
from seqjax.training.forecasting import forecasting

LEVELS = (0.1, 0.5, 0.9)
HEAD = distributions.Quantiles(LEVELS)


@dataclasses.dataclass(frozen=True)
class Made:
    windows: Windows
    rows: int
    test: int
    late: float

    def load(self, data, data_dir):
        rng = np.random.default_rng(0)
        whole = [np.sin(np.arange(90) + k) * 3 + rng.normal(size=90) + 0.05 * np.arange(90) for k in range(3)]
        whole[2][40] = np.nan
        ends = [self.rows, self.rows, max(self.rows - 70, 0)]  # the third is short
        whole = [own[:end] + self.late * (np.arange(end) >= end - 4) for own, end in zip(whole, ends)]
        found = panel.of_rows(whole, ["a", "b", "c"])
        return self.windows.dataset(found, panel_parts.by_rows(found.bounds, 16, self.test), "made", {})


class Line(nn.Module):
    @nn.compact
    def __call__(self, history, *, train=False):
        raw = nn.Dense(4 * 3)(nn.Dropout(0.1)(history.changes[:, :, 0], deterministic=not train)).reshape(-1, 4, 3)
        return HEAD.distribution(raw, panel_inputs.frame(history, *panel_inputs.scales(history, "last")))


def experiment(*, rows: int = 90, test: int = 4, late: float = 0.0, epochs: int = 2, seed: int = 0) -> Experiment:
    return Experiment(
        source=Made(Windows(8, 4, LEVELS, season=6), rows, test, late), model=Line(),
        **calibrated(forecasting(HEAD, LEVELS), LEVELS), optimizer=optax.adam(0.01), epochs=epochs, batch_size=16,
        seed=seed,
    )
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "made.py").write_text(ROLLED)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rolled(path, refit, *options, count=FOLDS):
    return backtest.backtest(
        "made",
        Workdir(path),
        backtest.Backtest(count, refit),
        options=options,
        data="real",
        data_dir=path,
        settings=Settings(devices=1),
        tuned={},
    )


def by_hand(path, *options):
    return commands.train(
        "made", Workdir(path), options=options, data="real", data_dir=path, settings=Settings(devices=1)
    )


@pytest.mark.slow
def test_with_refitting_it_is_the_loop_by_hand_on_data_that_end_there(folder):
    found = rolled(folder / "run", refit=True)
    tests = []
    for k, fold in enumerate(found["folds"]):
        hand = by_hand(folder / f"hand_{k}", f"rows={ROWS - (FOLDS - 1 - k) * HORIZON}")
        assert fold["test"] == {name: hand["test"][name] for name in fold["test"]}
        assert set(fold["test"]) > set(SCORES)
        assert fold["baselines"] == {name: own["test"] for name, own in hand["baselines"].items()}
        assert fold["forecasts"] == 3
        tests.append(hand["test"]["wql"])
    assert found["test"]["wql"]["mean"] == np.mean(tests)
    assert found["test"]["wql"]["std"] == np.std(tests, ddof=1)
    assert len(set(tests)) == FOLDS
    again = rolled(folder / "run", refit=True)
    assert again == found
    assert report_runs.find(folder).runs
    assert {run.path.parent.name for run in report_runs.find(folder).runs} == {folder.name}, "folds are no rows"


@pytest.mark.slow
def test_without_it_is_one_model_at_every_origin(folder):
    found = rolled(folder / "run", refit=False)
    hand = folder / "hand"
    trained = by_hand(hand, f"test={FOLDS * HORIZON}")  # every origin, not one a fold
    _, params, program = commands.opened(Workdir(hand), (), folder)
    answers = program.answers(params, "test")
    decided = trained["details"]["validation"]["decided"]
    assert decided == json.loads((folder / "run/model/results.json").read_text())["details"]["validation"]["decided"]
    bounds = [ROWS, 2 * ROWS, 2 * ROWS + 20]
    for k, fold in enumerate(found["folds"]):
        origins = np.array(bounds) - (FOLDS - k) * HORIZON - 1
        some = np.isin(answers.ids, origins)
        assert some.sum() == fold["forecasts"] == 3
        own = dataclasses.replace(answers, outputs=answers.outputs[some], ids=answers.ids[some], targets=None)
        truth = panel_truth.truth(answers.dataset, own.ids)
        values = answers.dataset.kept["values"][:, 0]
        np.testing.assert_array_equal(truth.actual, values[origins[:, None] + np.arange(1, 5)])
        assert fold["baselines"]["naive"]["mae"] == scoring.mae(values[origins][:, None].repeat(4, 1), truth.actual)
        score = program.experiment.scores["wql"](own, decided)
        assert fold["test"]["wql"] == score
        assert fold["test"].keys() == trained["test"].keys() - {"loss"}


@pytest.mark.slow
def test_no_fold_knows_what_comes_after_its_origin(folder):
    before, after = (rolled(folder / f"run_{late}", False, f"late={late}") for late in (0, 1000))
    assert before["folds"][0] == after["folds"][0]
    was, now = before["folds"][1]["test"], after["folds"][1]["test"]
    assert now["mae"] == pytest.approx(1000, rel=0.02)
    assert now["mae"] > 100 * was["mae"]


def test_what_it_prints_and_refuses(call, folder):
    flags = ["--experiment=made", "--backtest=2", "--workdir=run"]
    code, out, error = call(*flags)
    assert code == 0, error
    first, second, last = out.splitlines()[-3:]
    assert first.startswith("fold 1, 3 forecasts: wql 0.")
    assert "; seasonal naive 0." in second
    assert "80 % interval covers" in second
    assert last.startswith("made: wql ")
    assert "(95 %, 2 folds of 4 rows, one model; naive " in last
    for more, said in (
        (["--refit"], "workdir run holds a run with refit=False, not True"),
        (["--backtest=3"], "workdir run holds a run with folds=2, not 3"),
        (["--backtest=0"], "backtest must be at least 1, not 0"),
        (["--backtest=40", "--workdir=other"], "too few rows"),
        (["--mode=evaluate"], "--backtest is for --mode=train, not --mode=evaluate"),
        (["--seeds=2"], "--backtest is for a single run"),
        (["--experiment=jena_lstm", "--workdir=other"], "--backtest is for experiments that forecast all steps of a h"),
    ):
        code, out, error = call(*flags, *more)
        assert (code, error.count("\n")) == (2, 1), error
        assert said in error
    code, _, error = call("--experiment=made", "--refit")
    assert (code, "--refit is for --backtest=K" in error) == (2, True)
    code, _, error = call("--experiment=made", "--workdir=run/model")
    assert (code, "workdir run/model holds a run with " in error) == (2, True)
    code, out, error = call("--mode=evaluate", "--workdir=run/model")
    assert code == 0, error
