"""From chapters to index.html."""

from pathlib import Path

from seqjax import folders
from seqjax.errors import UserError
from seqjax.files import write_atomically
from seqjax.lecture import chapters, page
from seqjax.lecture.known import Known
from seqjax.report.verdicts import Verdict

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
        text = page.whole(book, said(known, fresh), _claims(known) if chapter is None else "")
        write_atomically(output / "index.html", text)
    except OSError as error:
        raise UserError(f"--output={output} cannot be written: {error.strerror or error}") from error
    return output / "index.html"


def said(known: Known, fresh: bool) -> str:
    """What the book was made of."""
    runs = sum(len(row["seeds"]) for row in known.rows)
    kind = "just trained on generated sample data, so they say nothing of the lecture's" if fresh else "on the real data"
    lines = [
        "Each chapter takes some lines of the lecture, and has the formula, the function that computes it (its own "
        "source), a picture, the numbers of a run, a verdict, and an exercise. No number below was typed: each comes "
        "from a function or from a kept result.",
        f"The scores are those of {runs} finished runs {kind}; ± is half the interval that holds the mean at "
        f"{1 - LEVEL:.0%}, and the number in brackets is that of the seeds.",
    ]
    return "\n\n".join(lines)


LEVEL = 0.05


def _claims(known: Known) -> str:
    """The chapter of the report's claims."""
    head = [["The lecture says", "Compared", "Verdict", "Evidence"]]
    lines = [[_escaped(v.claim.quote), _escaped(v.claim.meaning), v.verdict, _escaped(v.evidence)] for v in known.verdicts]
    count = lambda kind: sum(v.verdict == kind for v in known.verdicts)
    kinds = sorted({v.verdict for v in known.verdicts})
    counts = ", ".join(f"{count(kind)} {kind}" for kind in kinds)
    text = f"<p>All claims of the lecture that compare two rows, as the report judges them: {counts}.</p>"
    return f'<section id="claims">\n<h2>The claims, judged</h2>\n{text}{page.table(head + lines)}</section>'


def _escaped(text: str) -> str:
    """What has none of the marks of `prose`."""
    return text.replace("*", "").replace("_", "_")


__all__ = ["Verdict", "said", "write"]
