"""Intervals calibrated on the validation part, in scores and in predict."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from seqjax.data.dataset import Answers
from seqjax.data.series import panel, panel_parts, panel_truth
from seqjax.data.series.panel_windows import Windows
from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.runs import prediction
from seqjax.scoring import conformal
from seqjax.training import forecast_scores
from seqjax.training.calibrated import Calibrated, calibrated
from seqjax.training.workdir import Workdir

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@pytest.fixture(scope="module")
def dataset():
    """Noise around 0, of two sizes."""
    rng = np.random.default_rng(0)
    made = panel.of_rows([rng.normal(size=1500), 1000 * rng.normal(size=1500)], ["a", "b"])
    return Windows(4, 3, LEVELS, season=5).dataset(made, panel_parts.by_rows(made.bounds, 500, 500), "made", {})


def answers(dataset, part, width=0.1):
    ids = np.sort(dataset.parts[part])
    unit = panel_truth.truth(dataset, ids).unit
    level = dataset.kept["filled"][ids, 0] / unit
    changes = -level[:, None, None] + width * np.array([-2, -1, 0.0, 1, 2]) * np.ones((len(ids), 3, 1))
    return Answers(changes, None, ids, dataset)


def test_the_test_part_is_covered_as_the_validation_part_decides(dataset):
    scores = forecast_scores.scores(LEVELS)
    made = calibrated({"scores": scores, "answer": None, "loss": "as before"}, LEVELS)
    decided = made["decide"](answers(dataset, "validation"))
    json.dumps(decided)
    assert next(iter(calibrated({"scores": scores, "answer": None}, LEVELS, "mase")["scores"])) == "mase"
    found = {name: score(answers(dataset, "test"), decided) for name, score in made["scores"].items()}
    assert made["loss"] == "as before"
    assert list(found)[: len(scores)] == list(scores)
    assert found["raw_coverage_90"] < 0.2
    assert found["coverage_90"] == pytest.approx(0.9, abs=0.03)
    assert found["coverage_50"] == pytest.approx(0.5, abs=0.05)
    assert found["mae"] == scores["mae"](answers(dataset, "test")), "the median stays"
    assert found["wql"] < scores["wql"](answers(dataset, "test"))


def test_too_few_forecasts_leave_the_intervals_as_they_are(dataset, caplog):
    made = calibrated({"scores": {}, "answer": None}, LEVELS)
    few = answers(dataset, "validation")
    few = dataclasses.replace(few, outputs=few.outputs[:8], ids=few.ids[:8])
    decided = made["decide"](few)
    assert decided["margins"] == np.zeros((2, 3)).tolist()
    assert "not calibrated, the validation part is too short: an interval of 0.9 takes 9 forecasts" in caplog.text
    np.testing.assert_array_equal(conformal.calibrated(few.outputs, decided["margins"]), few.outputs)
    with pytest.raises(UserError, match=r"levels=0\.1,0\.5,0\.8: to be calibrated they must be symmetric about 0\.5"):
        calibrated({"scores": {}, "answer": None}, (0.1, 0.5, 0.8))


def test_predict_takes_what_the_run_has_decided(tmp_path, caplog):
    quantiles = np.linspace(-1, 1, 2 * 3 * 5, dtype=np.float32).reshape(2, 3, 5)
    answer = Calibrated(lambda model, params, inputs: inputs)
    experiment = Experiment(None, None, Any, {}, None, 1, 1, 0, answer=answer)  # type: ignore[arg-type]
    workdir = Workdir(tmp_path)
    assert prediction.as_decided(experiment, workdir).answer == answer
    assert "not finished: its intervals are not calibrated yet" in caplog.text
    margins = [[0.5, 0.1, -0.9], [0.0, 0.2, 0.3]]
    results = {"options": {}, "details": {"validation": {"decided": {"margins": margins}}}}
    (tmp_path / "results.json").write_text(json.dumps(results))
    (tmp_path / "config.json").write_text(json.dumps({"options": {}}))
    decided: Any = prediction.as_decided(experiment, workdir).answer
    np.testing.assert_array_equal(answer(None, None, quantiles), quantiles)
    found = decided(None, None, quantiles)
    np.testing.assert_allclose(found, conformal.calibrated(quantiles.astype(float), margins), atol=1e-6)
    assert found.dtype == np.float32
    plain = dataclasses.replace(experiment, answer=None)
    assert prediction.as_decided(plain, workdir) is plain
