"""The report's command line; the package's docstring says what it does."""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

import seqjax.report
from seqjax.command_line import run_tool
from seqjax.errors import UserError
from seqjax.files import shown

FLAGS = flags.FlagValues()  # our own: those of seqjax.main are others
RUNS = flags.DEFINE_string("runs", "runs", "The folder below which the runs are.", flag_values=FLAGS)
OUTPUT = flags.DEFINE_string("output", "report", "The folder to write the report to.", flag_values=FLAGS)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the data are, for pictures of them.", flag_values=FLAGS)
KEEP = flags.DEFINE_string(
    "keep",
    None,
    "A folder to keep every finished row in too, as NAME.json.",
    flag_values=FLAGS,
)
REPLACE = flags.DEFINE_bool("replace", False, "Of --keep: write rows that are there anew.", flag_values=FLAGS)
PICTURES = flags.DEFINE_bool("pictures", True, "Draw them; without, only the tables are written.", flag_values=FLAGS)


def main(arguments: Sequence[str]) -> None:
    """Read, judge, draw, write.

    Raises:
      UserError: a wrong flag or folder.
    """
    if arguments:
        raise UserError(f"{arguments[0]!r} is not a flag; give --runs=DIR --output=DIR")
    from seqjax import folders
    from seqjax.report import comparisons, kept, page, runs, table, verdicts

    output = Path(OUTPUT.value)
    try:
        if output.exists() and not output.is_dir():
            raise UserError(f"--output={output} is not a folder")
    except OSError as error:  # a name that is too long
        raise UserError(f"--output={shown(output)} cannot be written: {error.strerror}") from error
    found = runs.find(Path(RUNS.value))
    groups = runs.group(found.runs)
    if KEEP.value:
        files = kept.keep(groups, Path(RUNS.value), Path(KEEP.value), replace=REPLACE.value)
        print(f"{len(files)} rows kept in {KEEP.value}")
    rows, waiting = table.rows(groups, found.keras), table.unfinished(found.runs)
    figures, notes, others = [], [], dict[str, str]()
    if PICTURES.value:
        from seqjax.report import architectures, gallery

        data_dir = folders.data_dir(DATA_DIR.value)
        figures, notes = gallery.figures(groups, rows, data_dir)
        others = {"architectures": architectures.page_of(rows, data_dir)}
    compared = comparisons.tables(groups, rows, found.speeds)
    findings = table.Findings(rows, verdicts.judge(groups, speeds=found.speeds), compared, waiting, notes)
    files = {
        "report.json": table.as_json(findings),
        "report.md": table.markdown(findings),
        "index.html": page.page(findings, figures, list(others)),
        **{f"{name}.html": text for name, text in others.items()},
    }
    try:
        table.write(output, files)
    except OSError as error:
        raise UserError(f"--output={output} cannot be written: {error.strerror}") from error
    print(f"{len(found.runs) - len(waiting)} finished runs, {len(waiting)} unfinished: {output / 'index.html'}")


def run() -> None:
    """Entry point."""
    run_tool(main, FLAGS, seqjax.report.__doc__)


if __name__ == "__main__":
    run()
