"""The flags of --mode=predict that only some runs take (one of them --mode=evaluate, too), and the printing of what is
predicted."""

from pathlib import Path
from typing import Any, TextIO

from absl import flags

from seqjax.errors import UserError
from seqjax.runs import commands
from seqjax.training.workdir import Workdir

BEAM = flags.DEFINE_integer("beam", None, "Translations: follow so many beginnings (1: greedy; default: the run's).")
N_BEST = flags.DEFINE_integer("n_best", None, "Translations: print the n best of the beam, with their scores.")
ATTENTION = flags.DEFINE_string("attention", None, "Translations: draw the first ones' alignments to this PNG.")


def check_unused(mode: str) -> None:
    """Raises UserError: a flag of --mode=predict is given in another mode."""
    for flag in (BEAM, N_BEST, ATTENTION):
        modes = ("predict", "evaluate") if flag is BEAM else ("predict",)
        if flag.value is not None and mode not in modes:
            raise UserError(f"--{flag.name} is for --mode={' and '.join(modes)}, not --mode={mode}")


def beam() -> dict[str, Any]:
    """The option of the run's answer that --mode=evaluate takes, if it is given."""
    return {} if BEAM.value is None else {"beam": BEAM.value}


def write(workdir: Workdir, text: TextIO, name: str) -> None:
    """Print a line, or several, for every example in `text`."""
    options = beam() | ({} if N_BEST.value is None else {"n_best": N_BEST.value})
    attention = None if ATTENTION.value is None else Path(ATTENTION.value)
    for line in commands.predict(workdir, text, name, options, attention):
        print(line)
