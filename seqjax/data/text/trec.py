"""TREC's questions by what is asked for (Li and Roth, 2002): 6 coarse and 50 fine classes, a collection of `labelled`.

5,452 questions for training, 500 for test: the split that everybody quotes. Validation is drawn from the former.
"""

import dataclasses
from pathlib import Path

from seqjax.data import packed
from seqjax.data.download import download
from seqjax.data.text.labelled import Examples
from seqjax.errors import UserError

ADDRESS = "https://cogcomp.seas.upenn.edu/Data/QA/QC"
FILES = {"train": ("train_5500.label", "TREC.train"), "test": ("TREC_10.label", "TREC.test")}
"""What the files are called: by the publisher, and in copies."""
CLASSES = {"coarse": 6, "fine": 50}


@dataclasses.dataclass(frozen=True)
class TrecQuestions:
    """A `Collection`."""

    labels: str = "coarse"
    """`coarse`: what is before the colon; or `fine`: the whole."""

    def __post_init__(self):
        if self.labels not in CLASSES:
            raise UserError(f"labels={self.labels!r}: choose 'coarse' or 'fine'")

    def form(self) -> dict[str, str]:
        """See `Collection`."""
        return {"column": "text", "encoding": "latin-1", "delimiter": "", "quotes": "double"}

    def examples(self, data_dir: Path) -> tuple[Examples, str]:
        """See `Collection`: from `data_dir` or `data_dir/trec`, packed or not, otherwise downloaded to the latter."""
        found = [(part, *example) for part in FILES for example in self._read(_file(data_dir, part))]
        parts, labels, texts = zip(*found, strict=True)
        return Examples(texts, labels, parts), "TREC questions"

    def _read(self, path: Path) -> list[tuple[str, str]]:
        """(label, question) of each line. Raises UserError: a line is no question."""
        found = []
        # Latin-1: one question of the training part has a soft hyphen
        for number, line in enumerate(packed.unpacked(path.read_bytes(), str(path)).decode("latin-1").split("\n"), 1):
            label, _, text = line.strip().partition(" ")
            coarse, colon, fine = label.partition(":")
            if not line.strip():
                continue
            if not (coarse and colon and fine and text):
                raise UserError(f"{path}: row {number}: {line[:40]!r} is not `COARSE:fine question`")
            found.append((label if self.labels == "fine" else coarse, text))
        if not found:
            raise UserError(f"{path}: the file is empty")
        return found


def _file(data_dir: Path, part: str) -> Path:
    for folder in (data_dir, data_dir / "trec"):
        for name in FILES[part]:
            for path in (folder / name, folder / f"{name}.gz"):
                if path.is_file():
                    return path
    name = FILES[part][0]
    return download(f"{ADDRESS}/{name}", data_dir / "trec" / name, check=_check)


def _check(path: Path) -> None:
    """Raise ValueError: it is a page that says why there is no file."""
    if ":" not in path.read_bytes()[:20].decode("latin-1").partition(" ")[0]:
        raise ValueError("no questions")
