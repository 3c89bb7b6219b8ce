"""Where modules were until 0.1: an experiment file that a run keeps imports them from there, and its run goes on.

`import seqjax` appends one finder to `sys.meta_path`, which is asked for what no other finds. It answers an old name
with a module that looks every attribute up in the new place, and warns once a process. Nothing is imported before it
is asked for.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

GONE_WITH = "0.3"

ROOMS = {
    "seqjax.": {
        "runs": "commands members swept",
        "training": "checkpoint fit interrupt metrics optimizers progress workdir",
    },
    "seqjax.data.": {
        "data.series": "csv_table csv_windows jena sample_climate weather windows",
        "data.text": "blocks cooccurrence glove huffman imdb imdb_files numbering pretrained sample_reviews tokens "
        "vectorizer vectors",
    },
    "seqjax.models.": {
        "layers": "bags cells composite convolution dense embeddings initializers recurrent scan sharding tokens",
        "layers.backends": "cudnn directions fused fused_cells native native_library pallas pallas_cells "
        "pallas_kernels",
    },
    "seqjax.report.": {"runs": "curves statistics"},
}
"""By what an old name began with: the room that each module is in now."""

MOVED: dict[str, tuple[str, ...]] = {
    "seqjax.train": ("seqjax.training.program", "seqjax.training.state"),
    "seqjax.together": ("seqjax.runs.together", "seqjax.runs.many_program"),
    "seqjax.models.backends": ("seqjax.layers.backends.choice",),
    **{
        f"{old}{name}": (f"seqjax.{room}.{name}",)
        for old, rooms in ROOMS.items()
        for room, names in rooms.items()
        for name in names.split()
    },
}
"""The modules that hold what an old one held."""

_said: list[str] = []


def _say(old: str, new: str) -> None:
    """Warn, the first time."""
    if not _said:
        from absl import logging

        _said.append(old)
        logging.warning("%s is %s now; old names are answered until seqjax %s", old, new, GONE_WITH)


def _answers(old: str, places: Sequence[str]) -> Callable[[str], Any]:
    """A module's `__getattr__`."""

    def find(name: str) -> Any:
        if not name.startswith("__"):
            for place in places:
                try:
                    return getattr(importlib.import_module(place), name)
                except AttributeError:
                    continue
        raise AttributeError(f"module {old!r} has no attribute {name!r}; it is {' and '.join(places)} now")

    return find


def attributes(package: str, place: str, names: str) -> Callable[[str], Any]:
    """The `__getattr__` of a package that was a module.

    Args:
      package: its name.
      place: the module that holds what it held.
      names: those that it answers, with spaces between; all others are its modules'.
    """

    def find(name: str) -> Any:
        if name not in names.split():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        _say(f"{package}.{name}", f"{place}.{name}")
        return getattr(importlib.import_module(place), name)

    return find


class Finder:
    """Answers the imports of old names."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """As importlib asks; None for every other name."""
        del path, target
        return ModuleSpec(name, Finder, origin=MOVED[name][0]) if name in MOVED else None  # pyright: ignore[reportArgumentType]

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        """A module that has nothing of its own."""
        places = MOVED[spec.name]
        module = ModuleType(spec.name, f"{' and '.join(places)} under the name of seqjax 0.1.")
        module.__getattr__ = _answers(spec.name, places)  # pyright: ignore[reportAttributeAccessIssue]
        return module

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Say that it is an old name."""
        _say(module.__name__, MOVED[module.__name__][0])


def install() -> None:
    """Answer old names from now on."""
    if Finder not in sys.meta_path:
        sys.meta_path.append(Finder)  # pyright: ignore[reportArgumentType]
