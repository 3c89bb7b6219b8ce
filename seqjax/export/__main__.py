"""A run as files that run anywhere: python -m seqjax.export --workdir=RUN --to=onnx --output=FOLDER

--to=onnx          ONNX's own LSTM, GRU and RNN operators; predict.py needs numpy and onnxruntime only
--to=onnx-step     the same, reading on from a state that it takes and gives
--to=stablehlo     run by jax alone on cpu, cuda and tpu; --gradient: it can be differentiated
--to=safetensors   the parameters by name
--to=keras         a .keras file
--to=torch         a plain module and its weights

Prints the largest difference from the run's own model, on real examples and on masked ones, and the latency at batch 1
and 32. What cannot be exported is refused by name.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from seqjax.command_line import run_tool
from seqjax.errors import UserError

TARGETS = ("onnx", "onnx-step", "stablehlo", "safetensors", "keras", "torch")
FLAGS = flags.FlagValues()  # our own: those of seqjax.main are others
WORKDIR = flags.DEFINE_string("workdir", None, "The run's folder.", flag_values=FLAGS)
TO = flags.DEFINE_string("to", None, f"One of {', '.join(TARGETS)}.", flag_values=FLAGS)
OUTPUT = flags.DEFINE_string("output", None, "The folder to write, empty or an export's.", flag_values=FLAGS)
GRADIENT = flags.DEFINE_bool("gradient", False, "stablehlo: with a gradient.", flag_values=FLAGS)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the data are; as in seqjax.main.", flag_values=FLAGS)
TRUST = flags.DEFINE_bool("trust", False, "The run's experiment.py may be run here.", flag_values=FLAGS)


def main(arguments: Sequence[str]) -> None:
    """Export.

    Raises:
      UserError: the user can mend it.
    """
    if arguments:
        raise UserError(f"{arguments[0]!r} is not expected: give --workdir, --to and --output")
    for name, flag in (("workdir", WORKDIR), ("to", TO), ("output", OUTPUT)):
        if not flag.value:
            choices = f"; choices: {', '.join(TARGETS)}" if name == "to" else ""
            raise UserError(f"--{name} is missing{choices}")
    workdir, to, output = Path(str(WORKDIR.value)), str(TO.value), Path(str(OUTPUT.value))
    if to not in TARGETS:
        raise UserError(f"--to={to} is unknown; choices: {', '.join(TARGETS)}")
    from seqjax import experiment, folders
    from seqjax.export import folder, targets
    from seqjax.export.subject import Subject, of_one_seed

    targets.check(to, bool(GRADIENT.value))
    folder.check(output)
    if TRUST.value:
        experiment.trust_copy(of_one_seed(workdir))
    subject = Subject.of(workdir, folders.data_dir(DATA_DIR.value))
    for line in targets.export(subject, to, output, gradient=bool(GRADIENT.value)):
        print(line)


def run() -> None:
    """Entry point."""
    run_tool(main, FLAGS, __doc__)


if __name__ == "__main__":
    run()
