"""The remedies against vanishing gradients, one by one: which of them solves what, how soon?

python -m seqjax.lecture.remedies --tasks=adding_100 --rows=tanh,gru --seeds=2 --output=runs/remedies
python -m seqjax.lecture.remedies --tasks=adding_100,adding_200,copying_100 --seeds=3
python -m seqjax.lecture.remedies                                                          # all of it: hours

Every run is an ordinary one in OUTPUT/TASK/ROW/seed_N: the same command resumes, and with more seeds, rows or tasks
what is there is not trained again. A run ends once it has solved its task, which is to lose less than a tenth of what
without a memory is lost: 1/6 for the sum of two numbers, 10 ln 8 / (T + 20) nats a step for ten symbols. Rows differ
from `tanh` in one thing each: see `ROWS`. Written are

remedies.json   every run: solved or not, after how many steps, what it loses (from this the other two)
remedies.md     shares, steps, losses, with 95 % intervals
remedies.svg    the losses, a picture a task
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from seqjax.command_line import run_tool
from seqjax.errors import RunStoppedError, UserError, check_least
from seqjax.files import write_atomically

PLAIN = {"learning_rate": 0.001}
"""Without gates a higher rate does harm: IRNN had solved adding at 100 after 3,200 steps at 0.0005, not at 0.002."""
ROWS: Mapping[str, Mapping[str, Any]] = {
    "tanh": {"remedy": "none", **PLAIN},
    "relu": {"remedy": "relu", **PLAIN},
    "irnn": {"remedy": "irnn", **PLAIN},
    "orthogonal": {"remedy": "orthogonal", **PLAIN},
    "unclipped": {"remedy": "none", "clip_norm": None, **PLAIN},
    "batch_norm": {"remedy": "none", "batch_norm": True, **PLAIN},
    "layer_norm": {"remedy": "layer_norm", **PLAIN},
    "sgd": {"remedy": "none", "optimizer": "sgd", "learning_rate": 0.05},
    "rmsprop": {"remedy": "none", "optimizer": "rmsprop", **PLAIN},
    "lstm": {"remedy": "lstm"},
    "lstm_forget_1": {"remedy": "lstm_forget_1"},
    "lstm_chrono": {"remedy": "lstm_chrono"},
    "gru": {"remedy": "gru"},
    "mingru": {"remedy": "mingru"},
    "minlstm": {"remedy": "minlstm"},
    "lru": {"remedy": "lru", "learning_rate": 0.002},
    "lru_relu": {"remedy": "lru_relu"},
}
"""Row -> its knobs. `tanh` has Adam and clipping as all others do, or nothing but the gated layers would learn at all;
so clipping and the optimizer are measured by their absence."""
COMMON: Mapping[str, Mapping[str, Any]] = {
    "adding": {"units": 64, "optimizer": "adam", "learning_rate": 0.005, "clip_norm": 1.0, "batch_size": 50},
    "copying": {"units": 128, "optimizer": "adam", "learning_rate": 0.01, "clip_norm": 1.0, "batch_size": 20},
}
"""Found by the GRU, and the LSTM with chrono start, of seed 100, which is not one of the table's. It had solved copying
over 100 steps after 14,000 steps with 128 units, and not after 20,000 with 64; over 500 a rate of 0.005 or 0.02 had
taught it nothing in four epochs."""
EPOCHS = {"adding": 12, "copying": 30}
"""At most, of 400 and of 1,000 steps: 20,000 examples."""
LENGTHS = {"adding": (100, 200, 400, 750), "copying": (100, 200, 500)}
TASKS = tuple(f"{name}_{length}" for name, lengths in LENGTHS.items() for length in lengths)
SOLVED = 0.1
"""Of what is lost without a memory."""

FLAGS = flags.FlagValues()  # our own: those of seqjax.main are others
TASK = flags.DEFINE_list("tasks", list(TASKS), "NAME_T of adding or copying, in order of worth.", flag_values=FLAGS)
ROW = flags.DEFINE_list("rows", list(ROWS), f"Any of {', '.join(ROWS)}.", flag_values=FLAGS)
SEEDS = flags.DEFINE_integer("seeds", 5, "Of each.", flag_values=FLAGS)
FIRST = flags.DEFINE_integer("first_seed", 0, "The first of them.", flag_values=FLAGS)
SET = flags.DEFINE_multi_string("set", [], "knob=value, of all runs; may be repeated.", flag_values=FLAGS)
TRAIN = flags.DEFINE_bool("train", True, "Without, only the tables are written.", flag_values=FLAGS)
OUTPUT = flags.DEFINE_string("output", "runs/remedies", "Of runs and tables.", flag_values=FLAGS)


def main(arguments: Sequence[str]) -> None:
    """Train, then write the tables.

    Raises:
      UserError: a wrong flag, knob or folder; nothing has been trained.
      RunStoppedError: a signal came; the same command resumes.
    """
    if arguments:
        raise UserError(f"{arguments[0]!r} is not a flag; give --tasks=adding_100 --rows=gru")
    check_least("--seeds", SEEDS.value, 1)
    for task in TASK.value:
        parsed(task)
    if unknown := [row for row in ROW.value if row not in ROWS]:
        raise UserError(f"--rows={unknown[0]}: choose {', '.join(ROWS)}")
    output = Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    if TRAIN.value:
        from seqjax.runs.programs import settle

        settle()
    for path, name, options in plan(output, TASK.value, ROW.value, range(FIRST.value, FIRST.value + SEEDS.value)):
        if TRAIN.value:
            train(path, name, [*options, *SET.value])
            write(output)
    write(output)
    print((output / "remedies.md").read_text())


def parsed(task: str) -> tuple[str, int]:
    """`adding_100` -> its name and T. Raises UserError: it is no task."""
    name, _, length = task.partition("_")
    if name not in LENGTHS or not length.isdecimal():
        raise UserError(f"--tasks={task}: choose of {', '.join(TASKS)}, or any other number of steps")
    return name, int(length)


def without_memory(task: str) -> float:
    """What is lost without a memory."""
    from seqjax.data.memory import adding, copying

    name, length = parsed(task)
    return adding.CONSTANT if name == "adding" else copying.guess(length)


def plan(
    output: Path, tasks: Sequence[str], rows: Sequence[str], seeds: Sequence[int]
) -> Iterator[tuple[Path, str, list[str]]]:
    """(folder, experiment, options `knob=value`) of every run, task by task and seed by seed.

    What makes no sense is left out: batch normalisation of symbols.
    """
    for task in tasks:
        name, length = parsed(task)
        for seed in seeds:
            for row in rows:
                knobs = {**COMMON[name], **ROWS[row], "length": length, "epochs": EPOCHS[name], "seed": seed}
                knobs["enough"] = SOLVED * without_memory(task)
                if "batch_norm" not in knobs or name == "adding":
                    yield output / task / row / f"seed_{seed}", name, [f"{k}={v}" for k, v in knobs.items()]


def train(path: Path, name: str, options: Sequence[str]) -> None:
    """Train or resume one run; of what diverges a note is left, and it is not trained again.

    Raises:
      UserError: the folder holds something else.
      RunStoppedError: a signal came.
    """
    from seqjax import folders
    from seqjax.runs import commands
    from seqjax.training.program import Settings
    from seqjax.training.workdir import Workdir

    if (path / "diverged.txt").exists():
        return
    try:
        commands.train(
            name,
            Workdir(path),
            options=options,
            data="real",
            data_dir=folders.data_dir(None),
            settings=Settings(devices=1),
        )
    except RunStoppedError as error:
        if error.exit_code != 1:  # a signal
            raise
        write_atomically(path / "diverged.txt", f"{error}\n")
        print(f"{path}: {error}", flush=True)


def found(output: Path) -> dict[str, Any]:
    """What the finished runs below a folder say, for JSON: every run's seed, steps, loss and whether it has solved.

    The loss is that of the test part as a share of what is lost without a memory; None where it diverged.
    """
    from seqjax.training.workdir import Workdir

    cells: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for path in sorted(output.glob("*_*/*/seed_*"), key=lambda path: int(path.name.removeprefix("seed_"))):
        task, row = path.parts[-3:-1]
        workdir = Workdir(path)
        results, rows = workdir.results(), workdir.rows()
        diverged = (path / "diverged.txt").exists()
        if results is None and not diverged:
            continue
        lost = without_memory(task)
        solved = results is not None and min(row["validation"]["loss"] for row in rows) <= SOLVED * lost
        cells.setdefault(task, {}).setdefault(row, []).append(
            {
                "seed": int(path.name.removeprefix("seed_")),
                "solved": solved,
                "steps": rows[-1]["step"] if rows else 0,
                "loss": None if results is None else round(results["test"]["loss"] / lost, 6),
            }
        )
    return {"solved_below": SOLVED, "common": COMMON, "epochs": EPOCHS, "rows": ROWS, "cells": cells}


def write(output: Path) -> None:
    """All three files."""
    from seqjax.lecture import remedy_table

    facts = found(output)
    write_atomically(output / "remedies.json", json.dumps(facts) + "\n")
    write_atomically(output / "remedies.md", remedy_table.markdown(facts))
    if facts["cells"]:
        write_atomically(output / "remedies.svg", remedy_table.figure(facts).svg)


def run() -> None:
    """Entry point."""
    run_tool(main, FLAGS, __doc__)


if __name__ == "__main__":
    run()
