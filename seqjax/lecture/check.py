"""Is a learner's function right? Its file runs in a process of its own, with a limit of time, beside ours.

    trial.py (the child) -> a line of JSON for each exercise, before and after it -> `check` (here) -> lines for people

What was wrong is said by shape, kind and place, never by the right numbers.
"""

import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqjax.errors import UserError
from seqjax.files import shown

LIMIT = 60.0
"""Seconds for a file."""
PASSED, FAILED, ABSENT = "passed", "failed", "not there"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Of one exercise."""

    name: str
    kind: str
    """PASSED, FAILED or ABSENT."""
    said: str = ""


def check(path: Path, limit: float = LIMIT) -> list[Outcome]:
    """The outcome of every exercise.

    Args:
      path: the learner's file.
      limit: seconds until it is stopped.

    Raises:
      UserError: there is no such file, it is no Python that runs, or it holds none of the functions.
    """
    if not path.is_file():
        raise UserError(f"--check={shown(path)}: no such file; write the function of an exercise of the book into it")
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.jsonl"
        command = [sys.executable, "-m", "seqjax.lecture.trial", str(path), str(told)]
        try:
            done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=limit)
        except subprocess.TimeoutExpired:
            return _stopped(_lines(told), path, limit)
        lines = _lines(told)
    broken = next((line["broken"] for line in lines if "broken" in line), None)
    if broken:
        raise UserError(f"--check={path}: {broken}")
    if done.returncode or not lines or "end" not in lines[-1]:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise UserError(f"--check={path}: it ended its process ({last[0]})")
    found = [Outcome(line["name"], line["kind"], line["said"]) for line in lines if "kind" in line]
    if all(outcome.kind == ABSENT for outcome in found):
        names = ", ".join(outcome.name for outcome in found)
        raise UserError(f"--check={path} holds none of the exercises' functions: {names}")
    return found


def _lines(path: Path) -> list[dict[str, Any]]:
    """What the child has told; a last line that it could not end is left out."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if "\n" in line]


def _stopped(lines: Sequence[dict[str, Any]], path: Path, limit: float) -> list[Outcome]:
    """After the limit: what was done, and which function was at work. Raises UserError: none, so the file itself."""
    done = [Outcome(line["name"], line["kind"], line["said"]) for line in lines if "kind" in line]
    begun = [line["begun"] for line in lines if "begun" in line]
    if not begun or begun[-1] in {outcome.name for outcome in done}:
        raise UserError(f"--check={path}: it did not end within {limit:g} s")
    return [*done, Outcome(begun[-1], FAILED, f"no answer within {limit:g} s: does it end?")]


def report(found: Sequence[Outcome]) -> list[str]:
    """For people: a line for each exercise that was tried, and how many there are."""
    tried = [outcome for outcome in found if outcome.kind != ABSENT]
    width = max(len(outcome.name) for outcome in tried)
    lines = [f"{outcome.name:{width}}  {outcome.kind}  {outcome.said}".rstrip() for outcome in tried]
    absent = [outcome.name for outcome in found if outcome.kind == ABSENT]
    passed = sum(outcome.kind == PASSED for outcome in tried)
    rest = f"; not there: {', '.join(absent)}" if absent else ""
    return [*lines, f"{passed} of {len(tried)} passed{rest}"]
