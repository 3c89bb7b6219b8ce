"""The flags of --mode=generate, and the printing of what they ask for."""

import sys

from absl import flags

from seqjax.errors import UserError
from seqjax.runs.generation import Speed, Wish, generate
from seqjax.training.workdir import Workdir

PROMPT = flags.DEFINE_string("prompt", "\n", "How the text begins; FILE:PATH for what is in a file.")
LENGTH = flags.DEFINE_integer("length", 500, "Characters to write.")
TEMPERATURE = flags.DEFINE_float("temperature", 1.0, "Above 1 is wilder, below 1 tamer, 0 takes the most probable.")
TOP_K = flags.DEFINE_integer("top_k", None, "Draw from the k most probable characters only.")
TOP_P = flags.DEFINE_float("top_p", None, "Draw from the fewest characters whose probabilities add up to this.")
MIN_P = flags.DEFINE_float("min_p", None, "Draw from characters at least so many times as probable as the first.")
REPETITION = flags.DEFINE_float("repetition_penalty", None, "Above 1: what was there already becomes less probable.")
SAMPLES = flags.DEFINE_integer("samples", 1, "So many texts, written side by side.")
SEED = flags.DEFINE_integer("generate_seed", 0, "Of the draws.")
STOP = flags.DEFINE_string("stop", None, "End a text after the first such string.")
FLAGS = (PROMPT, LENGTH, TEMPERATURE, TOP_K, TOP_P, MIN_P, REPETITION, SAMPLES, SEED, STOP)


def check_unused(mode: str) -> None:
    """Raises UserError: a flag of --mode=generate is given in another mode."""
    for flag in FLAGS:
        if flags.FLAGS[flag.name].present:
            raise UserError(f"--{flag.name} is for --mode=generate, not --mode={mode}")


def wish() -> Wish:
    """What the flags ask for. Raises UserError: a number out of range."""
    return Wish(
        PROMPT.value,
        LENGTH.value,
        TEMPERATURE.value,
        TOP_K.value,
        TOP_P.value,
        MIN_P.value,
        REPETITION.value,
        STOP.value,
        SAMPLES.value,
        SEED.value,
    )


def write(workdir: Workdir, wanted: Wish) -> None:
    """Print texts as they come, several apart by a line of dashes; on stderr how fast they came."""
    speed, sample = Speed(), 0
    for number, piece in generate(workdir, wanted, speed):
        if number != sample:
            print("\n" + "-" * 40)
            sample = number
        print(piece, end="", flush=True)
    print()
    print(speed, file=sys.stderr)
