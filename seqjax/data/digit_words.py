"""Images of digits and the words for them, letter by letter: one input, many outputs.

The images are those of `seqjax.data.digits`.

Legend: B batch, N images, T letters with the end.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data import digits
from seqjax.data.dataset import Answers, Arrays, Dataset, Requests
from seqjax.errors import UserError, check_least

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PADDING, START, END = 0, 1, 2
LETTERS = ("", "<start>", "<end>", *sorted(set("".join(NAMES))))
"""By their ids: padding, what stands before a word, what ends it, letters."""
LONGEST = 1 + max(map(len, NAMES))
"""T: every word is followed by its end."""
PIXELS, WHITE_TO_BLACK = 64, digits.BLACK


@dataclasses.dataclass(frozen=True)
class DigitWords:
    """A `Source` of (image [64] in 0 to 1, letters before [T]) and of the letters [T] to say, both ids.

    A fifth of the images of each digit is for testing, a fifth for validation.

    Raises:
      UserError: options out of range.
    """

    split_seed: int = 0
    """Which images are for what."""

    def __post_init__(self):
        check_least("split_seed", self.split_seed, 0)

    def load(self, data: str, data_dir: Path) -> Dataset:
        """See `Source.load`; nothing is read from `data_dir`."""
        del data_dir
        return self._dataset(digits.load(data))

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        r"""See `Source.requests`: an image a line, its 64 pixels row by row, 0 to 16, divided by commas.

        An output is {"letters": ids [T], "probability": of the whole word}; its line is `seven\t0.9981`.
        """
        del assets
        pixels = [_image(line, f"{name}, line {k}") for k, line in enumerate(_lines(text, name), 1) if line.strip()]
        images = np.array(pixels, np.float32).reshape(-1, PIXELS)
        line = lambda _, output: f"{word(output['letters'])}\t{float(output['probability']):.4f}"
        arrays = {"images": images, "before": np.zeros((len(images), LONGEST), np.int32)}  # of words not yet known
        return Requests(arrays, _inputs, np.arange(len(images), dtype=np.int32), line)

    def _dataset(self, found: digits.Digits) -> Dataset:
        images, said = found.images, found.digits
        parts = digits.parts(said, self.split_seed)
        optimum = {} if found.certainty is None else {"word_accuracy": float(found.certainty[parts["test"]].mean())}
        identity = json.dumps(dataclasses.asdict(self)).encode() + images.tobytes() + said.tobytes()
        return Dataset(
            arrays={"images": images, "before": before(spelled())[said], "letters": spelled()[said]},
            gather=lambda arrays, ids: (_inputs(arrays, ids), arrays["letters"][ids]),
            parts=parts,
            description=f"{found.name} of 8 x 8 pixels, spelled: {digits.sizes(parts)}",
            fingerprint=hashlib.sha256(identity).hexdigest(),
            optimum=optimum,
            baselines={"largest_class": digits.largest_class(said, parts, "word_accuracy")},
            classes=LETTERS,
        )


def spelled() -> np.ndarray:
    """[10, T] int32: the letters of each digit's word, its end, and padding."""
    rows = [[*map(LETTERS.index, name), END] for name in NAMES]
    return np.array([row + [PADDING] * (LONGEST - len(row)) for row in rows], np.int32)


def before(letters: np.ndarray) -> np.ndarray:
    """[N, T] int32: for each letter the one before it; for the first START, behind the end PADDING."""
    shifted = np.insert(letters, 0, START, axis=1)[:, :-1]
    return np.where(letters == PADDING, PADDING, shifted)


def word(letters: Any) -> str:
    """What ids [T] spell, up to the end."""
    ids = list(map(int, letters))
    return "".join(LETTERS[k] for k in ids[: ids.index(END) if END in ids else None] if k > END)


def word_accuracy(answers: Answers) -> float:
    """How many words are right from the first letter to the end; answers as `DigitWords.requests` has them."""
    return float((np.asarray(answers.outputs["letters"]) == answers.targets).all(axis=1).mean())


def _inputs(arrays: Arrays, ids: Any) -> Any:
    return arrays["images"][ids] / WHITE_TO_BLACK, arrays["before"][ids]


def _lines(text: TextIO, name: str) -> list[str]:
    try:
        return text.read().split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: byte 0x{error.object[error.start]:02x} is not UTF-8") from error


def _image(line: str, place: str) -> list[float]:
    cells = line.split(",")
    if len(cells) != PIXELS:
        raise UserError(f"{place}: {len(cells)} values divided by commas, not {PIXELS}")
    found = []
    for column, cell in enumerate(cells, 1):
        try:
            found.append(float(cell))
        except ValueError:
            raise UserError(f"{place}, column {column}: {cell.strip()!r} is not a number") from None
        if not 0 <= found[-1] <= WHITE_TO_BLACK:
            raise UserError(f"{place}, column {column}: {cell.strip()} is not in 0 to 16")
    return found
