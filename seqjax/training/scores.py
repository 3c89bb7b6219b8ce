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
      part: `validation` or `test`, in this order.
      means: of the loss and the metrics, the loss first.
      experiment: whose scores they are.
      answers: to be judged; None where the experiment has no scores.
    """
    found = {} if answers is None else _judged(results, part, experiment, answers)
    numbers = {name: float(value) for name, value in found.items() if not isinstance(value, Mapping)}
    details = {name: value for name, value in found.items() if isinstance(value, Mapping)}
    results[part] = {"loss": means["loss"], **numbers, **{name: means[name] for name in experiment.metrics}}
    if details:
        results.setdefault("details", {})[part] = details


def numbers(experiment: Experiment, answers: Answers, decided: Mapping[str, Any] | None) -> dict[str, float]:
    """The scores that are numbers, of any answers; decided: by the validation part, if it decides anything."""
    given = () if experiment.decide is None else (decided,)
    found = {name: score(answers, *given) for name, score in experiment.scores.items()}
    return {name: float(value) for name, value in found.items() if not isinstance(value, Mapping)}


def _judged(results: Mapping[str, Any], part: str, experiment: Experiment, answers: Answers) -> dict[str, Any]:
    """All scores by name, with what the validation part decides first of all."""
    if experiment.decide is None:
        return {name: score(answers) for name, score in experiment.scores.items()}
    validation = part == "validation"
    decided = experiment.decide(answers) if validation else results["details"]["validation"]["decided"]
    found = {name: score(answers, decided) for name, score in experiment.scores.items()}
    return {"decided": decided, **found} if validation else found
