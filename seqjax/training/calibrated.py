"""Quantiles whose intervals cover what they say: calibrated on the validation part, step by step of the horizon.

The margins of `seqjax.scoring.conformal` are `Experiment.decide`'s choice; the test part has no say in it. They are in
units of each series, so that many series can share them.

Legend: B batch, H horizon, Q levels, P central intervals.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from seqjax.data.dataset import Answers
from seqjax.data.series import panel_truth
from seqjax.errors import UserError
from seqjax.scoring import conformal
from seqjax.training import forecast_scores

KEY = "margins"


@dataclasses.dataclass(frozen=True)
class Calibrated:
    """`Experiment.answer`: another one's quantiles, with what the validation part has decided."""

    answer: Callable[[Any, Any, Any], Any]
    decided: Mapping[str, Any] | None = None
    """None while it is to be decided, and in scores, which get it besides."""

    def __call__(self, model: Any, params: Any, history: Any) -> jax.Array:
        """-> [B, H, Q]"""
        found = self.answer(model, params, history)
        return found if self.decided is None else conformal.calibrated(found, self.decided[KEY], jnp)


def calibrated(judged: Mapping[str, Any], levels: tuple[float, ...], quoted: str | None = None) -> dict[str, Any]:
    """What `forecasting` gives, its intervals calibrated.

    Args:
      judged: loss, metrics, answer and scores.
      levels: of the answer, symmetric about 1/2.
      quoted: the score that stands first; by default as it was.

    Returns:
      the same, with `decide`, and of each interval `raw_coverage_90` (say): what it covers as the model has it. Where
      the validation part is too short for it, the intervals stay as the model has them, and a warning says so.

    Raises:
      UserError: levels that are not symmetric.
    """
    if not np.allclose(np.add(levels, levels[::-1]), 1, rtol=0, atol=1e-9):
        raise UserError(f"levels={','.join(map(str, levels))}: to be calibrated they must be symmetric about 0.5")

    def decide(answers: Answers) -> dict[str, Any]:
        truth = forecast_scores.truth_of(answers)
        unit = truth.unit[:, None]
        forecasts, actual = panel_truth.quantiles(answers) / unit[:, :, None], truth.actual / unit
        try:
            margins = conformal.calibrate(forecasts, levels, actual)
        except ValueError as error:
            logging.warning("the intervals are not calibrated, the validation part is too short: %s", error)
            return {KEY: np.zeros((len(levels) // 2, actual.shape[1])).tolist(), "not_calibrated": str(error)}
        return {KEY: (np.ceil(margins * 1e6) / 1e6).tolist()}  # upwards: the intervals hold what they are to hold

    def after(score: Callable[[Answers], Any]) -> Callable[[Answers, Mapping[str, Any]], Any]:
        return lambda answers, decided: score(
            dataclasses.replace(answers, outputs=conformal.calibrated(answers.outputs, decided[KEY]))
        )

    scores = {name: after(score) for name, score in judged["scores"].items()}
    for name, score in forecast_scores.coverages(levels).items():
        scores[f"raw_{name}"] = lambda answers, decided, score=score: score(answers)
    scores = scores if quoted is None else {quoted: scores[quoted], **scores}
    return {**judged, "answer": Calibrated(judged["answer"]), "scores": scores, "decide": decide}
