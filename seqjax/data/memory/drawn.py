"""What the tasks of memory share: examples drawn by seed, in three parts, and the errors that options get."""

import dataclasses
import hashlib
import json
from typing import Any

import numpy as np

from seqjax.errors import UserError, check_least

LEAST = {"length": 2, "examples": 1, "held_out": 1, "data_seed": 0}


def check(task: Any, data: str | None = None) -> None:
    """Raises UserError: an option out of range; or data that are neither `real` nor `sample`, which are the same."""
    for option, least in LEAST.items():
        check_least(option, getattr(task, option), least)
    if data not in (None, "real", "sample"):
        raise UserError(f"data={data!r}: choose 'real' or 'sample'")


def parts(task: Any) -> dict[str, np.ndarray]:
    """The ids of `examples` training ones and of twice `held_out` others."""
    ends = [task.examples, task.examples + task.held_out, task.examples + 2 * task.held_out]
    split = np.split(np.arange(ends[-1], dtype=np.int32), ends[:-1])
    return dict(zip(("train", "validation", "test"), split, strict=True))


def fingerprint(task: Any) -> str:
    """Of what an example is drawn from."""
    said = json.dumps([type(task).__name__, dataclasses.asdict(task)])
    return hashlib.sha256(said.encode()).hexdigest()


def sizes(task: Any) -> str:
    """`20,000 train, 2,000 validation, 2,000 test`."""
    return f"{task.examples:,} train, {task.held_out:,} validation, {task.held_out:,} test"
