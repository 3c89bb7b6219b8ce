"""Import a Keras model of one of the lecture's experiments: python -m seqjax.interop MODEL.keras --experiment=NAME.

--output=FILE.safetensors     write the parameters
--data=real                   test them on the experiment's data (`sample`: the generated ones)
--set=units=32                the experiment's knobs, as the Keras model has them; may be repeated
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from seqjax import experiment as experiments
from seqjax.command_line import run_tool
from seqjax.errors import UserError
from seqjax.files import check_writable

FLAGS = flags.FlagValues()  # our own: those of seqjax.main are others
EXPERIMENT = flags.DEFINE_string("experiment", None, "Which one.", flag_values=FLAGS)
SET = flags.DEFINE_multi_string("set", [], "knob=value of the experiment.", flag_values=FLAGS)
OUTPUT = flags.DEFINE_string("output", None, "The safetensors file to write.", flag_values=FLAGS)
DATA = flags.DEFINE_enum("data", None, ["real", "sample"], "Test the model on these data.", flag_values=FLAGS)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the data are; as in seqjax.main.", flag_values=FLAGS)


def main(arguments: Sequence[str]) -> None:
    """Import, write, test.

    Raises:
      UserError: the user can mend it.
    """
    if len(arguments) != 1:
        raise UserError(f"give one MODEL.keras, not {len(arguments)}")
    if EXPERIMENT.value is None:
        raise UserError(f"--experiment=NAME is missing; choices: {', '.join(experiments.names())}")
    if OUTPUT.value is None and DATA.value is None:
        raise UserError("nothing to do: give --output=FILE.safetensors, --data=real or --data=sample")
    if OUTPUT.value is not None:
        check_writable(Path(OUTPUT.value), "--output")
    function = experiments.load(experiments.find(EXPERIMENT.value))
    experiment = function(**experiments.options(function, SET.value))
    from seqjax.interop import from_keras_file, save_safetensors
    from seqjax.training.state import count_parameters

    params, difference = from_keras_file(arguments[0], experiment)
    count = count_parameters(params)
    print(f"{arguments[0]}: {count:,} parameters; its outputs on random inputs differ from Keras's by {difference:.2g}")
    if OUTPUT.value is not None:
        save_safetensors(params, OUTPUT.value)
        print(f"written to {OUTPUT.value}")
    if DATA.value is not None:
        from seqjax import folders
        from seqjax.interop.experiments import evaluate

        dataset = experiment.source.load(DATA.value, folders.data_dir(DATA_DIR.value))
        scores = evaluate(params, experiment, dataset)
        print(f"{EXPERIMENT.value}: test {', '.join(f'{name} {value:.4f}' for name, value in scores.items())}")
        print(dataset.description)


def run() -> None:
    """Entry point."""
    run_tool(main, FLAGS, __doc__)


if __name__ == "__main__":
    run()
