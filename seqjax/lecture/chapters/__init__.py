"""The book's chapters, a module each; here their order, the lecture's."""

import importlib
from collections.abc import Iterator
from types import ModuleType

from seqjax.errors import UserError
from seqjax.lecture.section import Exercise

ORDER = (
    "kinds",
    "temperature",
    "cell",
    "architectures",
    "backpropagation",
    "vanishing",
    "remedies",
    "gates",
    "lstm",
    "improving",
    "art",
    "market",
    "text",
    "reviews",
    "pretrained",
    "beyond",
)


def load(name: str) -> ModuleType:
    """A chapter's module. Raises UserError: there is no such chapter."""
    if name not in ORDER:
        raise UserError(f"--chapter={name} is unknown; choose one of {', '.join(ORDER)}")
    return importlib.import_module(f"seqjax.lecture.chapters.{name}")


def exercises() -> Iterator[Exercise]:
    """Of all chapters."""
    for name in ORDER:
        yield from load(name).EXERCISES
