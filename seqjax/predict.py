"""The flags of --mode=predict that only some runs take, and the printing of what is predicted."""

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
        if flag.value is not None:
            raise UserError(f"--{flag.name} is for --mode=predict, not --mode={mode}")


def write(workdir: Workdir, text: TextIO, name: str) -> None:
    """Print a line, or several, for every example in `text`."""
    options: dict[str, Any] = {flag.name: flag.value for flag in (BEAM, N_BEST) if flag.value is not None}
    attention = None if ATTENTION.value is None else Path(ATTENTION.value)
    for line in commands.predict(workdir, text, name, options, attention):
        print(line)
