"""The gradient microscope: how gradients fade in a run's recurrent layers, and what its gates do, along training.

python -m seqjax.microscope --workdir=runs/jena_lstm --output=microscope
python -m seqjax.microscope --workdir=runs/imdb_bilstm_masked --output=microscope --examples=4 --part=test

For the start and every checkpoint that the run keeps (its best one at least), and for each direction of each layer

ds_T/ds_k       largest, typical and smallest singular value, by the number of steps T - k
dL/ds_t, dL/dx  norm of the loss's gradient towards states (h, and an LSTM's c) and inputs, by step
radius          spectral radius of each block of the recurrent kernel; of an LRU its largest eigenvalue's modulus
gates           mean, and share of units and steps within the outer 5 % of the range

in float64, of some examples evenly over a part; padding is no step. Written are microscope.json, microscope.csv,
summary.md and NAME.svg. The run itself is not touched.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from seqjax.command_line import run_tool
from seqjax.errors import UserError, check_least
from seqjax.files import shown, to_json, write_atomically

if TYPE_CHECKING:
    from seqjax.training.program import Program
    from seqjax.training.workdir import Workdir

FLAGS = flags.FlagValues()  # our own: those of seqjax.main are others
WORKDIR = flags.DEFINE_string("workdir", None, "The run's folder.", flag_values=FLAGS)
OUTPUT = flags.DEFINE_string("output", None, "The folder to write to.", flag_values=FLAGS)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the data are.", flag_values=FLAGS)
EXAMPLES = flags.DEFINE_integer("examples", 8, "How many to look at.", flag_values=FLAGS)
PART = flags.DEFINE_enum("part", "validation", ["train", "validation", "test"], "Of which part.", flag_values=FLAGS)
SET = flags.DEFINE_multi_string("set", [], "file=PATH: where a run's own file lies now.", flag_values=FLAGS)


def main(arguments: Sequence[str]) -> None:
    """Look, write, print the summary.

    Raises:
      UserError: a wrong flag, no run or no checkpoint there, or a run without a recurrent layer.
    """
    if arguments or WORKDIR.value is None or OUTPUT.value is None:
        wrong = f"{arguments[0]!r} is not a flag; " if arguments else ""
        raise UserError(f"{wrong}give --workdir=RUN --output=DIR")
    check_least("--examples", EXAMPLES.value, 1)
    output = Path(OUTPUT.value)
    if output.exists() and not output.is_dir():
        raise UserError(f"--output={shown(output)} is not a folder")
    from seqjax import folders, runtime
    from seqjax.training.workdir import Workdir

    runtime.limit_threads(None)
    workdir = Workdir(Path(WORKDIR.value))
    found = observe(workdir, folders.data_dir(DATA_DIR.value), EXAMPLES.value, PART.value, SET.value)
    write(output, found)


def observe(
    workdir: "Workdir", data_dir: Path, examples: int = 8, part: str = "validation", options: Sequence[str] = ()
) -> dict[str, Any]:
    """What microscope.json holds.

    Args:
      workdir: of a run that has finished at least one epoch.
      data_dir: where the data are.
      examples: how many, evenly over the part.
      part: train, validation or test.
      options: `knob=value` of knobs that name a file.

    Raises:
      UserError: as `main`.
    """
    import numpy as np

    from seqjax.probes import facts, view
    from seqjax.runs import commands

    step, params, program = commands.opened(workdir, options, data_dir)
    experiment, dataset = program.experiment, program.dataset
    ids = dataset.parts[part]
    ids = np.unique(ids[np.linspace(0, len(ids) - 1, min(examples, len(ids))).astype(int)])
    length = None if dataset.lengths is None else int(dataset.lengths[ids].max())
    inputs, targets = dataset.cut(length)(dataset.arrays, ids)

    def loss(outputs: Any) -> Any:
        found = experiment.loss(outputs, targets)
        return found[0] / (found[1] + (found[1] == 0)) if isinstance(found, tuple) else found

    config = workdir.run()
    stages = []
    for name, one in states_of(workdir, program, step, params):
        try:
            layers = view.look(experiment.model, one, inputs, loss)
        except UserError as error:
            raise UserError(f"{shown(workdir.path)} is a run of {config['experiment']}: {error}") from error
        stages.append({"name": name, "layers": [facts.of(layer) for layer in layers]})
    described = {"experiment": config["experiment"], "options": config["options"], "data": config["data"]}
    return {**described, "part": part, "examples": ids.tolist(), "stages": stages}


def states_of(workdir: "Workdir", program: "Program", step: int, best: Any) -> Iterator[tuple[str, Any]]:
    """(name, parameters) of the start and of every readable checkpoint in order, the best one's called so."""
    from seqjax.data.pipeline import steps_per_epoch
    from seqjax.training.checkpoint import Checkpoints
    from seqjax.training.state import create_state

    experiment, dataset = program.experiment, program.dataset
    initial = create_state(experiment, dataset.example(), dataset.initial, dataset.target())
    found = {0: initial.params}
    for folder, like, params_of in (
        ("latest", initial, lambda tree: tree.params),
        ("best", initial.params, lambda t: t),
    ):
        if not (workdir.path / "checkpoints" / folder).is_dir():
            continue
        checkpoints = Checkpoints(workdir.path / "checkpoints" / folder, read_only=True)
        for kept in checkpoints.steps():
            if kept and kept != step and (tree := checkpoints.read(kept, like)) is not None:
                found[kept] = params_of(tree)
        checkpoints.close()
    found[step] = best
    epoch = steps_per_epoch(len(dataset.parts["train"]), experiment.batch_size)
    for kept in sorted(found):
        name = "start" if not kept else f"step {kept}" if kept % epoch else f"epoch {kept // epoch}"
        yield name + (" (best)" if kept == step and kept else ""), found[kept]


def write(output: Path, found: dict[str, Any]) -> None:
    """microscope.json, microscope.csv, summary.md and the pictures."""
    from seqjax.probes import facts
    from seqjax.report import microscopy

    figures = microscopy.figures(found["stages"], found["experiment"])
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(facts.rows(found["stages"]))
    layers = [layer["path"].replace("/", "_") for layer in found["stages"][0]["layers"]]
    names = iter(f"{layer}_{kind}.svg" for layer in layers for kind in ("gradients", "gates"))
    drawn = []
    for figure in figures:
        name = next(name for name in names if name.endswith("gates.svg") == figure.title.startswith("Gates"))
        drawn.append((name, figure))
    lines = [f"# Gradient microscope: {found['experiment']}", ""]
    lines += [
        f"{len(found['examples'])} examples of the {found['part']} part; factors are of the largest singular value."
    ]
    lines += ["", *facts.markdown(found["stages"])]
    for name, figure in drawn:
        lines += ["", f"## {figure.title}", "", f"![{figure.title}]({name})", "", figure.caption]
    output.mkdir(parents=True, exist_ok=True)
    write_atomically(output / "microscope.json", to_json(found, indent=1) + "\n")
    write_atomically(output / "microscope.csv", table.getvalue())
    write_atomically(output / "summary.md", "\n".join(lines) + "\n")
    for name, figure in drawn:
        write_atomically(output / name, figure.svg)
    print("\n".join(facts.markdown(found["stages"])))
    print(output / "summary.md")


def run() -> None:
    """Entry point."""
    run_tool(main, FLAGS, __doc__)


if __name__ == "__main__":
    run()
