"""What the chapters on vanishing gradients and gates show and what is dear to make, as small files.

python -m seqjax.lecture.mechanisms --make=vanishing
python -m seqjax.lecture.mechanisms --make=week --workdir=runs/jena_lstm
python -m seqjax.lecture.mechanisms --make=sentence --workdir=runs/imdb_bilstm_masked
python -m seqjax.lecture.mechanisms --make=sentence --workdir=runs/imdb_bilstm_masked --review=25007 --output=mine
python -m seqjax.lecture.mechanisms --make=meaningful_cells --workdir=runs/shakespeare_lstm_budget

vanishing  ds_T/ds_k of eight layers before training, 1 to 1,000 steps (`vanishing.measured`)
week       gates and memory of an LSTM over a week of weather, half-lives of its units (`week`)
sentence   gates and memory over a sentence, in both directions (`sentence`); its own, or the beginning of a review
meaningful_cells  cells of a character model that follow line, word and speaker's name (`cells.of_run`)

NAME.json and its pictures, NAME_1.svg and so on, are written to --output. Those of the book are in
experiments/results/lecture.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from seqjax.command_line import run_tool
from seqjax.errors import UserError
from seqjax.files import to_json, write_atomically

if TYPE_CHECKING:
    from seqjax.report.plots import Figure
    from seqjax.training.workdir import Workdir

FLAGS = flags.FlagValues()  # our own: those of seqjax.main are others
KINDS = ("vanishing", "week", "sentence", "meaningful_cells")
MAKE = flags.DEFINE_enum("make", None, KINDS, "What is to be made.", flag_values=FLAGS)
WORKDIR = flags.DEFINE_string("workdir", None, "The run that is looked into.", flag_values=FLAGS)
OUTPUT = flags.DEFINE_string("output", "lecture", "The folder to write to.", flag_values=FLAGS)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the data are.", flag_values=FLAGS)
TEXT = flags.DEFINE_string("text", None, "sentence: another one.", flag_values=FLAGS)
REVIEW = flags.DEFINE_integer("review", None, "sentence: the beginning of the review of this id.", flag_values=FLAGS)
START = flags.DEFINE_string("start", "2016-07-04", "week: its first day.", flag_values=FLAGS)
SENTENCE = "The first half is slow and the jokes are old, but the ending is wonderful and I would not have missed it."
"""Of nobody's review: what is kept holds no line of the data."""
UNITS = 16
"""Of a sentence's memories: those that move most."""


def main(arguments: Sequence[str]) -> None:
    """Make, draw, write.

    Raises:
      UserError: a wrong flag, or a run of another kind.
    """
    if arguments or MAKE.value is None:
        wrong = f"{arguments[0]!r} is not a flag; " if arguments else ""
        raise UserError(f"{wrong}give --make=KIND: {', '.join(KINDS)}")
    if MAKE.value != "vanishing" and WORKDIR.value is None:
        raise UserError(f"--make={MAKE.value} looks into a run: give --workdir=RUN")
    from seqjax import folders, runtime
    from seqjax.training.workdir import Workdir

    runtime.limit_threads(None)
    output, workdir = Path(OUTPUT.value), Workdir(Path(WORKDIR.value or "."))
    found = made(MAKE.value, workdir, folders.data_dir(DATA_DIR.value))
    output.mkdir(parents=True, exist_ok=True)
    write_atomically(output / f"{MAKE.value}.json", to_json(found) + "\n")
    for number, figure in enumerate(pictures(MAKE.value, found), 1):
        write_atomically(output / f"{MAKE.value}_{number}.svg", figure.svg)
        print(f"{figure.title}. {figure.caption}")
    print(output / f"{MAKE.value}.json")


def made(kind: str, workdir: "Workdir", data_dir: Path) -> dict[str, Any]:
    """What KIND.json holds; see the head of the file."""
    from seqjax.lecture import cells, vanishing

    if kind == "vanishing":
        return vanishing.measured()
    if kind == "meaningful_cells":
        return cells.of_run(workdir, data_dir)
    if kind == "week":
        return week(workdir, data_dir, START.value)
    text = (TEXT.value or SENTENCE) if REVIEW.value is None else REVIEW.value
    return sentence(workdir, data_dir, text)


def pictures(kind: str, found: dict[str, Any]) -> list["Figure"]:
    """Of what KIND.json holds."""
    from seqjax.lecture import gate_pictures, vanishing

    if kind == "vanishing":
        return [vanishing.picture(found), vanishing.rings(found)]
    if kind == "meaningful_cells":
        return [gate_pictures.correlated(found), gate_pictures.coloured(found)]
    if kind == "week":
        lives = gate_pictures.lives({found["path"]: found["half_lives"]}, found["hours"])
        return [gate_pictures.week(found), lives]
    return [gate_pictures.sentence(found)]


def week(workdir: "Workdir", data_dir: Path, start: str) -> dict[str, Any]:
    """`gates.week` of a run with one LSTM: c of all units, the gates of the one that forgets slowest, half-lives.

    The half-lives are over windows evenly from the validation part. Raises UserError: it has no LSTM.
    """
    import numpy as np

    from seqjax.lecture import gates

    found = gates.week(workdir, data_dir, start)
    readings = [one for one in found["readings"] if "c" in one.traces]
    if not readings:
        raise UserError(f"{workdir.path} has no LSTM")
    one = readings[0]
    lives = gates.lives(workdir, data_dir)[one.path]
    unit = int(np.argmax(lives))
    return {
        "path": one.path,
        "hours": found["hours"],
        "times": [found["times"][0], found["times"][-1]],
        "temperature": np.round(found["temperature"], 1).tolist(),
        "half_lives": np.round(lives, 3).tolist(),
        "unit": unit,
        "c": np.round(one.traces["c"], 2).tolist(),
        "longest": {name: np.round(one.traces[name][:, unit], 3).tolist() for name in "ifogh"},
    }


def sentence(workdir: "Workdir", data_dir: Path, text: str | int) -> dict[str, Any]:
    """`gates.sentence`: of each direction the gates and c of the units whose c moves most."""
    import numpy as np

    from seqjax.lecture import gates

    found = gates.sentence(workdir, data_dir, text)
    readings = {}
    for one in found["readings"]:
        moved = np.abs(np.diff(one.traces.get("c", one.traces.get("h")), axis=0)).sum(axis=0)
        units = np.sort(np.argsort(moved)[::-1][:UNITS])
        traces = {name: np.round(values[:, units], 3).tolist() for name, values in one.traces.items() if name in "fic"}
        readings[one.path] = {"units": units.tolist(), **traces}
    return {"words": found["words"], "logit": round(found["logit"], 3), "readings": readings}


def run() -> None:
    """Entry point."""
    run_tool(main, FLAGS, __doc__)


if __name__ == "__main__":
    run()
