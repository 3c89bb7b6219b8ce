"""From chapters to index.html."""

from pathlib import Path

from seqjax import folders
from seqjax.errors import UserError
from seqjax.files import write_atomically
from seqjax.lecture import chapters, page
from seqjax.lecture.known import Known
from seqjax.runs.statistics import LEVEL

KEPT = Path(__file__).resolve().parents[2] / "experiments/results"
"""A checkout has them; a wheel does not."""


def write(output: Path, chapter: str | None, results: str | None, data_dir: str | None, fresh: bool) -> Path:
    """The book, or one chapter of it.

    Args:
      output: the folder, made if need be.
      chapter: its name; None: all.
      results: the folder of kept rows; None: the checkout's, or none.
      data_dir: where the data are.
      fresh: train small rows on sample data below `output`, and take these.

    Raises:
      UserError: an unknown chapter, or a folder that cannot be read or written.
    """
    names = chapters.ORDER if chapter is None else (chapter,)
    modules = {name: chapters.load(name) for name in names}
    folder = Path(results) if results else KEPT if KEPT.is_dir() else None
    try:
        output.mkdir(parents=True, exist_ok=True)
        if fresh:
            from seqjax.lecture import fresh as training

            folder = training.train(output / "runs")
        known = Known(folder, folders.data_dir(data_dir), "sample" if fresh else "real")
        book = {name: (module, module.sections(known)) for name, module in modules.items()}
        text = page.whole(book, said(known), known.verdicts if chapter is None else ())
        write_atomically(output / "index.html", text)
    except OSError as error:
        raise UserError(f"--output={output} cannot be written: {error.strerror or error}") from error
    return output / "index.html"


def said(known: Known) -> str:
    """What the book was made of, in the marks of `prose`."""
    runs = sum(len(row["seeds"]) for row in known.rows)
    kind = (
        "on the real data, as they are kept in the checkout"
        if known.data == "real"
        else "just trained on generated sample data: they say nothing of the lecture's own"
    )
    return (
        "Each chapter takes some lines of the lecture, and has the formula, the function that computes it (its own "
        "source), a picture, the numbers of a run, a verdict, and an exercise. No number in the text was typed: each "
        "comes from a function or from a kept result.\n\n"
        f"Scores are those of {runs} finished runs {kind}. ± is half the interval that holds the mean at "
        f"{1 - LEVEL:.0%}, and the number in brackets is that of the seeds."
    )
