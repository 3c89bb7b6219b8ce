"""The scores of a finished run: means over examples, and what only all answers of a part together can tell."""

from collections.abc import Mapping
from typing import Any

from seqjax.data.dataset import Answers
from seqjax.experiment import Experiment


def add_scores(
    results: dict[str, Any], part: str, means: Mapping[str, float], experiment: Experiment, answers: Answers | None
) -> None:
    """Enter a part's scores into what results.json holds.

    Args:
      results: gets `part`: the loss, then the scores that are numbers, then the metrics; and, under `details`, the
        other scores of the part.
      part: `validation` or `test`.
      means: of the loss and the metrics, the loss first.
      experiment: whose scores they are.
      answers: to be judged; None where the experiment has no scores.
    """
    found = {} if answers is None else {name: score(answers) for name, score in experiment.scores.items()}
    numbers = {name: float(value) for name, value in found.items() if not isinstance(value, Mapping)}
    details = {name: value for name, value in found.items() if isinstance(value, Mapping)}
    results[part] = {"loss": means["loss"], **numbers, **{name: means[name] for name in experiment.metrics}}
    if details:
        results.setdefault("details", {})[part] = details
