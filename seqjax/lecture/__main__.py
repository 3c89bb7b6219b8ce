"""The book's command line; the package's docstring says what it does."""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

import seqjax.lecture
from seqjax.command_line import run_tool
from seqjax.errors import UserError
from seqjax.files import shown

FLAGS = flags.FlagValues()  # our own: those of seqjax.main are others
OUTPUT = flags.DEFINE_string("output", None, "The folder to write index.html to.", flag_values=FLAGS)
CHAPTER = flags.DEFINE_string("chapter", None, "Write this chapter alone.", flag_values=FLAGS)
RESULTS = flags.DEFINE_string("results", None, "Kept rows (default: the checkout's).", flag_values=FLAGS)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the data are, for pictures of them.", flag_values=FLAGS)
FRESH = flags.DEFINE_bool("fresh", False, "Train small rows on sample data, and judge by them.", flag_values=FLAGS)
CHECK = flags.DEFINE_string("check", None, "A file with functions of the exercises: are they right?", flag_values=FLAGS)


def main(arguments: Sequence[str]) -> int:
    """Write the book, or check an exercise; the exit code is 1 where a function was wrong.

    Raises:
      UserError: a wrong flag, folder or file.
    """
    if arguments:
        raise UserError(f"{arguments[0]!r} is not a flag; give --output=DIR or --check=FILE")
    if (OUTPUT.value is None) == (CHECK.value is None):
        raise UserError("give --output=DIR to write the book, or --check=FILE to check an exercise")
    if CHECK.value is not None:
        from seqjax.lecture import check

        found = check.check(Path(CHECK.value))
        print("\n".join(check.report(found)))
        return int(any(outcome.kind == check.FAILED for outcome in found))
    output = Path(OUTPUT.value or "")
    try:
        if output.exists() and not output.is_dir():
            raise UserError(f"--output={output} is not a folder")
    except OSError as error:  # a name that is too long
        raise UserError(f"--output={shown(output)} cannot be written: {error.strerror}") from error
    from seqjax.lecture import book

    path = book.write(output, CHAPTER.value, RESULTS.value, DATA_DIR.value, FRESH.value)
    print(f"{path} ({path.stat().st_size / 2**20:.1f} MB)")
    return 0


def run() -> None:
    """Entry point."""
    run_tool(main, FLAGS, seqjax.lecture.__doc__)


if __name__ == "__main__":
    run()
