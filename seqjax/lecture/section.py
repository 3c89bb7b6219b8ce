"""What a chapter is made of, as data: the chapters say it, `page` writes it.

A chapter is a module of `seqjax.lecture.chapters` with a TITLE, a function `sections(known) -> [Section, ...]` and an
EXERCISE.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.report.verdicts import HELD, NOT_HELD, NOT_RUN, UNDECIDED

SO = "so by construction"
"""Not a matter of runs: the test that is named holds it."""
TASTE = "not a claim"
"""Headings, history, advice: nothing that a run could decide."""
KINDS = {HELD: "held", NOT_HELD: "not-held", UNDECIDED: "undecided", NOT_RUN: "not-run", SO: "held", TASTE: "not-run"}
"""Verdict -> its class on the page."""


@dataclasses.dataclass(frozen=True)
class Judged:
    """A verdict and what it rests on."""

    kind: str
    """One of KINDS."""
    said: str
    """For people, with its figures."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A drawing with the sentence that says what to see in it."""

    title: str
    caption: str
    svg: str
    """Of `drawing`: its colours are the page's."""
    wide: bool = False
    """It cannot be read at the width of a phone: there it is scrolled."""


@dataclasses.dataclass(frozen=True)
class Section:
    """Prose, formula, code, picture, numbers and verdict on some lines of the lecture."""

    title: str
    lines: Sequence[str]
    """Keys of `statements`."""
    prose: str
    """In the marks of `prose`."""
    verdict: Judged
    function: Any = None
    """Whose source is shown."""
    test: str = ""
    """The test that holds it: tests/FILE.py, or tests/FILE.py::NAME."""
    formula: str = ""
    """In the notation of `formula`."""
    picture: Picture | None = None
    table: Sequence[Sequence[str]] = ()
    """Lines of texts, the heading first."""


@dataclasses.dataclass(frozen=True)
class Exercise:
    """A function that the learner writes, and what tells a right one from a wrong one."""

    name: str
    """Of the function."""
    arguments: str
    """As they are written: `x, s, W`."""
    task: str
    """In the marks of `prose`."""
    draw: Callable[[np.random.Generator], Mapping[str, Any]]
    """Random arguments."""
    truth: Callable[..., Any]
    """The right function."""
    rounds: int = 5
    tolerance: float = 1e-6
