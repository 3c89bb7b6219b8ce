"""Which knobs matter more than the seed? Each is moved by itself, several seeds each.

python -m seqjax.knobs --data=sample --seeds=2 --set=epochs=2 --set=sequence_length=24 --move=units=4,32
python -m seqjax.knobs --data_dir=DIR --seeds=3 --set=epochs=10
python -m seqjax.knobs --data_dir=DIR --seeds=5 --list=remedies --set=cell=simple_rnn --output=runs/remedies_of_the_rnn
python -m seqjax.knobs --data_dir=DIR --seeds=5 --list=cells --set=parameters=2000 --output=runs/cells

By default the knobs of the lecture's last slide ("too many moving parts") around jena_recurrent, which as it stands is
jena_lstm; or the remedies against vanishing gradients; or other cells, above of as many parameters. The same command
resumes; with more seeds or more moves, what is there is not trained again. Written are

knobs.md     a value a row: scores, effect on the validation score with its interval, and whether it is more than that
             of another seed
knobs.svg    effects and intervals over the spread between seeds
knobs.json   all of it
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from seqjax.command_line import run_tool
from seqjax.errors import UserError, check_least
from seqjax.files import to_json, write_atomically
from seqjax.runs.programs import settle

FLAGS = flags.FlagValues()  # our own: those of seqjax.main are others
EXPERIMENT = flags.DEFINE_string("experiment", "jena_recurrent", "Whose knobs.", flag_values=FLAGS)
MOVE = flags.DEFINE_multi_string(
    "move", [], "knob=value,value,...; may be repeated (default: the lecture's list).", flag_values=FLAGS
)
LIST = flags.DEFINE_enum(
    "list", "lecture", ["lecture", "remedies", "cells"], "Moves around jena_recurrent.", flag_values=FLAGS
)
SET = flags.DEFINE_multi_string("set", [], "knob=value, of all runs; may be repeated.", flag_values=FLAGS)
SEEDS = flags.DEFINE_integer("seeds", 3, "Of each value.", flag_values=FLAGS)
DATA = flags.DEFINE_enum("data", "real", ["real", "sample"], "sample: generated, no files.", flag_values=FLAGS)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the data are.", flag_values=FLAGS)
MEMBERS = flags.DEFINE_enum(
    "members", "auto", ["auto", "processes", "vmap"], "How runs are trained: see seqjax.main.", flag_values=FLAGS
)
PROCESSES = flags.DEFINE_integer("processes", None, "At once (default: one a core).", flag_values=FLAGS)
TRAIN = flags.DEFINE_bool("train", True, "Without, only the tables are written.", flag_values=FLAGS)
OUTPUT = flags.DEFINE_string("output", "runs/knobs", "Of runs and tables.", flag_values=FLAGS)


def main(arguments: Sequence[str]) -> None:
    """Train, then write the tables.

    Raises:
      UserError: a wrong flag, knob or folder; nothing has been trained.
      RunStoppedError: a signal came; the same command resumes.
    """
    if arguments:
        raise UserError(f"{arguments[0]!r} is not a flag; give --experiment=NAME --move=knob=value,value")
    check_least("--seeds", SEEDS.value, 1)
    tuned = settle() if TRAIN.value else {}
    from seqjax.runs.moved_knobs import LISTS, MovedKnobs

    if not MOVE.value and EXPERIMENT.value != "jena_recurrent":
        raise UserError("--move=knob=value,value is missing; the lecture's list is that of jena_recurrent")
    given = {setting.partition("=")[0] for setting in SET.value}
    moves = MOVE.value or [move for move in LISTS[LIST.value] if move.partition("=")[0] not in given]
    moved = MovedKnobs(EXPERIMENT.value, SET.value, moves, SEEDS.value, Path(OUTPUT.value), DATA.value)
    try:
        _do(moved, tuned)
    except UserError as error:  # of a run's folder
        raise UserError(str(error).replace("--workdir", "--output")) from error


def _do(moved: Any, tuned: Mapping[str, str]) -> None:
    """Train unless it is not wanted, and write. Raises UserError, RunStoppedError: see `main`."""
    moved.plan()  # refuses what makes no sense
    if TRAIN.value:
        from seqjax import folders
        from seqjax.runs import members

        data_dir = folders.data_dir(DATA_DIR.value)
        way, processes = members.choose(MEMBERS.value, PROCESSES.value)
        moved.check(data_dir)
        moved.train(functools.partial(_trainer, way, processes, data_dir, tuned))
    write(moved, Path(OUTPUT.value))


def _trainer(way: str, processes: int, data_dir: Path, tuned: Mapping[str, str], path: Path) -> Callable[..., Any]:
    """What trains the members of a folder."""
    name, options, data = EXPERIMENT.value, SET.value, DATA.value
    if way == "processes":
        from seqjax.runs.members import Processes

        return Processes(name, path, options, data, [f"--data_dir={data_dir}"], processes)
    from seqjax.runs.together import Together
    from seqjax.training.program import Settings

    return Together(name, path, options, data, data_dir, Settings(devices=1), tuned)


def write(moved: Any, output: Path) -> None:
    """Print the table, and write all three files."""
    from seqjax.report import effects

    found = moved.effects()
    budget = ", ".join([f"{SEEDS.value} seeds", *SET.value, *(["generated data"] if DATA.value == "sample" else [])])
    print(effects.table(found))
    write_atomically(output / "knobs.json", to_json(found.facts(), indent=1) + "\n")
    write_atomically(output / "knobs.md", effects.markdown(found, f"Knobs of {EXPERIMENT.value} ({budget})"))
    write_atomically(output / "knobs.svg", effects.svg(found))
    print(f"{output / 'knobs.md'}, {output / 'knobs.svg'}")


def run() -> None:
    """Entry point."""
    run_tool(main, FLAGS, __doc__)


if __name__ == "__main__":
    run()
