"""Is there anything to forecast in a series? A verdict from errors on rows that came after training.

A model that beats the last value has not found much where the mean of the past, the last season or the trend does as
well: so it stands beside these. Which of them it has to beat is chosen by the rows before those that are judged.

    yes         the model is better than the last value, and than the simple forecast that it had to beat
    simple      a simple forecast is better than the last value, and the model has not been shown to be better still
    nothing     none is, and a model's skill above `least` is ruled out
    undecided   none is shown to be, and none is ruled out: more rows are needed

Legend: N forecasts in the order of time, S seeds.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from seqjax.scoring.superiority import Comparison, Skill, block_length, diebold_mariano, skill

LAST = "last value"
LEVEL = 0.05
LEAST = 0.02
"""A smaller skill is not worth a model."""
Answer = Literal["yes", "simple", "nothing", "undecided"]
HEADLINES = {
    "yes": "Yes, there is something to forecast",
    "simple": "Yes, but no model is needed",
    "nothing": "Nothing to forecast beyond the last value",
    "undecided": "Undecided",
}


@dataclasses.dataclass(frozen=True)
class Errors:
    """Absolute errors of the forecasts that are judged."""

    model: np.ndarray
    """[S, N]"""
    simple: Mapping[str, np.ndarray]
    """Name -> [N], `LAST` first."""
    chosen: Sequence[str]
    """Of each of the N: which of `simple` had the least error on the rows before training ended."""
    horizon: int = 1


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What it comes to."""

    answer: Answer
    because: str
    """A sentence."""
    skills: Mapping[str, Skill | None]
    """Of `model` and of every simple forecast, over the last value; None where that is never wrong."""
    beyond: Skill | None
    """Of the model, over the simple forecasts that were chosen."""
    test: Comparison
    """Of the model against the last value."""

    @property
    def sentence(self) -> str:
        """For people."""
        return f"{HEADLINES[self.answer]}: {self.because}."

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        skills = {name: None if found is None else found._asdict() for name, found in self.skills.items()}
        beyond = None if self.beyond is None else self.beyond._asdict()
        found = {"answer": self.answer, "because": self.because, "skills": skills, "beyond_the_simple": beyond}
        return found | {"diebold_mariano": self.test._asdict()}


def judge(errors: Errors, least: float = LEAST) -> Judgement:
    """The verdict. least: skill below this is not worth a model."""
    model, last = np.atleast_2d(errors.model), errors.simple[LAST]
    block = block_length(len(last), errors.horizon)
    of = lambda losses, other: skill(losses, other, block)
    skills = {"model": of(model, last), **{name: of(own, last) for name, own in errors.simple.items() if name != LAST}}
    chosen = np.select([np.asarray(errors.chosen) == name for name in errors.simple], list(errors.simple.values()))
    beyond, test = of(model, chosen), diebold_mariano(model.mean(axis=0), last, errors.horizon)
    return Judgement(*_verdict(errors, skills, beyond, test, least), skills, beyond, test)


def _verdict(
    errors: Errors, skills: Mapping[str, Skill | None], beyond: Skill | None, test: Comparison, least: float
) -> tuple[Answer, str]:
    own, count = skills["model"], len(errors.simple[LAST])
    if own is None:
        return "nothing", f"it was right in all of the {count:,} rows"
    better = own.low > 0 and test.p < LEVEL
    simple = _most(errors.chosen)
    helps = simple != LAST and _is_above(skills[simple], 0)
    if better and not helps:
        little = f", though less than {least:.0%}" if own.value < least else ""
        return "yes", f"the model's error is {said(own)} below that of the last value{little}"
    if better and _is_above(beyond, 0):
        return (
            "yes",
            f"the model's error is {said(own)} below that of the last value, {said(beyond)} below the {simple}'s",
        )
    if helps:
        more = (
            "undecided is whether a model finds more" if _is_above(beyond, least, "high") else "a model finds no more"
        )
        return "simple", f"the error of the {simple} is {said(skills[simple])} below that of the last value; {more}"
    if own.high < least:
        return "nothing", f"a model's skill is {said(own)}, so none of {least:.0%} has been overlooked"
    return "undecided", f"a model's skill is {said(own)}: {count:,} rows are too few to rule out {least:.0%}"


def _is_above(found: Skill | None, bound: float, end: str = "low") -> bool:
    return found is not None and getattr(found, end) > bound


def _most(names: Sequence[str]) -> str:
    """The name that stands there most often."""
    found, counts = np.unique(np.asarray(names), return_counts=True)
    return str(found[counts.argmax()])


def said(found: Skill | None) -> str:
    """`12.3 % [11.0, 13.6]`."""
    return "-" if found is None else f"{100 * found.value:.1f} % [{100 * found.low:.1f}, {100 * found.high:.1f}]"
