"""The process that runs a learner's file: python -m seqjax.lecture.trial FILE TOLD. See `check`."""

import contextlib
import copy
import io
import json
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqjax.lecture import chapters
from seqjax.lecture.section import Exercise

SEED = 20260130


def run(path: Path, told: Path) -> None:
    """Try all exercises whose functions the file has, and tell how it went, a line of JSON each."""
    with told.open("w", encoding="utf-8") as lines:

        def tell(**what: Any) -> None:
            lines.write(json.dumps(what) + "\n")
            lines.flush()

        try:
            functions = load(path)
        except BaseException as error:  # the learner's file may raise anything, SystemExit too
            tell(broken=_place(error, path))
            return
        for exercise in chapters.exercises():
            if exercise.name not in functions:
                tell(name=exercise.name, kind="not there", said="")
                continue
            tell(begun=exercise.name)
            try:
                fault = tried(exercise, functions[exercise.name])
            except BaseException as error:
                fault = _place(error, path)
            tell(name=exercise.name, kind="failed" if fault else "passed", said=fault)
        tell(end=True)


def load(path: Path) -> Mapping[str, Any]:
    """What a file defines; what it prints is dropped."""
    names: dict[str, Any] = {"__name__": "exercise", "__file__": str(path)}
    sys.path.insert(0, str(path.parent))
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(path.read_bytes(), str(path), "exec"), names)
    return names


def tried(exercise: Exercise, function: Any) -> str:
    """What is wrong with a function, "" if nothing was found."""
    if not callable(function):
        return f"{exercise.name} is no function, but {type(function).__name__}"
    for number in range(exercise.rounds):
        given = exercise.draw(np.random.default_rng([SEED, number]))
        expected = exercise.truth(**copy.deepcopy(given))
        with contextlib.redirect_stdout(io.StringIO()):
            answer = function(*copy.deepcopy(list(given.values())))
        if fault := differs(answer, expected, exercise.tolerance):
            return f"{fault} ({_given(given)})"
    return ""


def differs(answer: Any, expected: Any, tolerance: float) -> str:
    """How an answer differs from what is expected, without saying what that is; "" if it does not."""
    if answer is None:
        return "it returns nothing"
    if isinstance(expected, str):
        return "" if answer == expected else "it is another word"
    if isinstance(expected, list):
        if not isinstance(answer, list):
            return f"it returns {type(answer).__name__}, not list"
        if len(answer) != len(expected):
            return f"it returns {len(answer)} things, not {len(expected)}"
        places = [k for k, (a, b) in enumerate(zip(answer, expected, strict=True)) if differs(a, b, tolerance)]
        return f"{len(places)} of {len(expected)} things are wrong, first that at place {places[0]}" if places else ""
    try:
        found, wanted = np.asarray(answer, np.float64), np.asarray(expected, np.float64)
    except (TypeError, ValueError):
        return f"it returns {type(answer).__name__}, not numbers"
    if found.shape != wanted.shape:
        return f"the answer's shape is {list(found.shape)}, not {list(wanted.shape)}"
    wrong = ~np.isclose(found, wanted, rtol=tolerance, atol=tolerance)
    if not wrong.any():
        return ""
    if found.ndim == 0:
        return "the number is wrong"
    places = ", ".join(map(str, np.argwhere(wrong)[0]))
    return f"{int(wrong.sum())} of {wrong.size} numbers are wrong, first that at [{places}]"


def _given(given: Mapping[str, Any]) -> str:
    """`x [3, 4], k 2`: what the function was called with."""
    said = lambda value: f"{list(value.shape)}" if isinstance(value, np.ndarray) else f"{value!r:.60}"
    return "called with " + ", ".join(f"{name} {said(value)}" for name, value in given.items())


def _place(error: BaseException, path: Path) -> str:
    """`line 3: NameError: name 'y' is not defined`, in one line."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    number = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    said = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return f"{f'line {number}: ' if number else ''}{type(error).__name__}: {said}"[:300].removesuffix(": ")


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    run(Path(sys.argv[1]), Path(sys.argv[2]))
