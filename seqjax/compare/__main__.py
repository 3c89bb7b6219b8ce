"""The command line; the package's docstring says what it does."""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

import seqjax.compare
from seqjax import experiment as experiments
from seqjax.command_line import run_tool
from seqjax.errors import UserError
from seqjax.files import check_writable

FLAGS = flags.FlagValues()  # our own: those of seqjax.main are others
EXPERIMENT = flags.DEFINE_string("experiment", None, "Which one.", flag_values=FLAGS)
SET = flags.DEFINE_multi_string("set", [], "knob=value of the experiment.", flag_values=FLAGS)
STEPS = flags.DEFINE_integer("steps", 200, "How many to compare.", lower_bound=1, flag_values=FLAGS)
TOLERANCE = flags.DEFINE_float("tolerance", 1e-4, "The largest difference of losses that passes.", flag_values=FLAGS)
DATA = flags.DEFINE_enum("data", "real", ["real", "sample"], "As in seqjax.main.", flag_values=FLAGS)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the data are; as in seqjax.main.", flag_values=FLAGS)
FLOAT64 = flags.DEFINE_bool("float64", False, "Compare steps in float64.", flag_values=FLAGS)
FREE = flags.DEFINE_bool("free", False, "Train Keras on its own instead, and test it.", flag_values=FLAGS)
SEEDS = flags.DEFINE_list("seeds", ["0"], "--free: Keras's seeds.", flag_values=FLAGS)
OUTPUT = flags.DEFINE_string(
    "output", None, "The JSON file to write (--free: default runs/keras/NAME.json).", flag_values=FLAGS
)


def main(arguments: Sequence[str]) -> int:
    """Compare; returns the exit code: 1 if a loss differs by more than the tolerance.

    Raises:
      UserError: a wrong flag, no counterpart in Keras, or no Keras.
    """
    if arguments:
        raise UserError(f"{arguments[0]!r} is not a flag; flags start with --, as in --experiment=jena_lstm")
    if EXPERIMENT.value is None:
        raise UserError(f"--experiment=NAME is missing; choices: {', '.join(experiments.names())}")
    try:
        seeds = [int(seed) for seed in SEEDS.value]
    except ValueError as error:
        raise UserError(f"--seeds={','.join(SEEDS.value)}: whole numbers are expected, with commas between") from error
    function = experiments.load(experiments.find(EXPERIMENT.value))
    options = experiments.options(function, SET.value)
    from seqjax import folders
    from seqjax.interop.keras_models import import_keras

    if OUTPUT.value:
        check_writable(Path(OUTPUT.value), "--output")
    keras = import_keras()  # before anything slow
    if FLOAT64.value:
        if FREE.value:
            raise UserError("--float64 is for the comparison of steps, not for --free")
        import jax

        jax.config.update("jax_enable_x64", True)
        keras.config.set_floatx("float64")
    folder = folders.data_dir(DATA_DIR.value)
    if FREE.value:
        from seqjax.compare import free

        output = Path(OUTPUT.value or f"runs/keras/{EXPERIMENT.value}.json")
        found = free.run(EXPERIMENT.value, function, options, DATA.value, folder, seeds, output)
        for row in found["seeds"]:
            test = ", ".join(f"{name} {value:.4f}" for name, value in row["test"].items())
            print(f"keras {EXPERIMENT.value}, seed {row['seed']}: test {test}, best epoch {row['best_epoch']}")
        print(output)
        runs = "DIR, a folder above that file and our runs" if OUTPUT.value else "runs"
        print(f"beside our finished runs: python -m seqjax.report --runs={runs}")
        return 0
    return _follow(function, options, folder)


def _follow(function, options, folder: Path) -> int:
    from seqjax.compare import follow
    from seqjax.files import write_atomically

    followed = follow.follow(function, options, lambda source: source.load(DATA.value, folder), STEPS.value)
    print("\n".join(follow.lines(followed)))
    if OUTPUT.value:
        Path(OUTPUT.value).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(Path(OUTPUT.value), follow.as_json(followed, str(EXPERIMENT.value), options, DATA.value))
    if not followed.agree(TOLERANCE.value):
        hint = "" if FLOAT64.value else "; --float64 takes the rounding away"
        print(f"{followed.explained(TOLERANCE.value)}{hint}")
        return 1
    return 0


def run() -> None:
    """Entry point."""
    run_tool(main, FLAGS, seqjax.compare.__doc__)


if __name__ == "__main__":
    run()
