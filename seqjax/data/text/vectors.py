"""Word vectors in files: GloVe's text, word2vec's text and binary, plain or gzipped. Needs NumPy only.

    vectors = read(Path("glove.6B.100d.txt.gz"), wanted=vocabulary.tokens)
    table = vectors.for_vocabulary(vocabulary)  # [V, E], zeros where there is no vector

Files are streamed: of a file of 5 GB only the wanted rows are ever in memory. Every line of a text is
checked, also those that are not wanted.

Legend: W words, E numbers of a vector, V ids of a vocabulary.
"""

import collections
import dataclasses
import functools
import gzip
import io
import itertools
import re
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from seqjax.data.text.encodings import Vocabulary
from seqjax.errors import UserError

BLOCK = 1 << 20  # bytes that are read at once
HEAD = 100  # lines that tell how many numbers a line has where no header does
EXPONENT = re.compile(rb"e[-+]?\d+")


@dataclasses.dataclass(frozen=True, eq=False)
class Vectors:
    """Words and their vectors."""

    words: list[str]
    table: np.ndarray
    """[W, E] float32."""

    @functools.cached_property
    def places(self) -> dict[str, int]:
        """Word -> its row."""
        return {word: place for place, word in enumerate(self.words)}

    @functools.cached_property
    def unit(self) -> np.ndarray:
        """[W, E]: the vectors scaled to length 1; zeros stay zeros."""
        return self.table / np.maximum(np.linalg.norm(self.table, axis=1, keepdims=True), np.float32(1e-12))

    def for_vocabulary(self, vocabulary: Vocabulary, size: int | None = None) -> np.ndarray:
        """The vector of each id: [V, E] float32, or [size, E]; zeros for padding, the unknown and the missing."""
        rows = np.zeros((size or vocabulary.size, self.table.shape[1]), np.float32)
        for row, word in enumerate(vocabulary.tokens, vocabulary.unknown + 1):
            place = self.places.get(word)
            if place is not None:
                rows[row] = self.table[place]
        return rows

    def coverage(self, vocabulary: Vocabulary) -> str:
        """`vectors for 19,412 of 19,998 words`."""
        found = sum(word in self.places for word in vocabulary.tokens)
        return f"vectors for {found:,} of {len(vocabulary.tokens):,} words"


def read(path: Path, wanted: Collection[str] | None = None) -> Vectors:
    """Read a file of vectors; its form is told from its content.

    * GloVe's text: a line is a word and E numbers, which is what most of the first lines have.
    * word2vec's text: the same behind a line `W E`.
    * word2vec's binary: a line `W E`, then each word, a blank and E little-endian float32.

    Of a word that occurs twice the first vector counts. A word may hold blanks, as some of GloVe 840B do (`. . .`,
    `at name@domain.com`): a line that is too long begins with one, unless all it has too many are numbers.

    Args:
      path: of the file, gzipped or not.
      wanted: the words to keep; None is all.

    Raises:
      UserError: no such file, or it is cut off or malformed; the message names the line or the word's number.
    """
    keep = None if wanted is None else {word.encode("utf-8", "replace") for word in wanted}
    try:
        with _opened(path) as stream:
            first = stream.readline(BLOCK)
            if not first:
                raise UserError(f"{path} holds no vectors")
            header = _header(first)
            beginning = stream.peek(BLOCK) if header else b""  # type: ignore[attr-defined]
            if header and _is_binary(beginning, header[1]):
                records = _binary(stream, *header, keep)
            else:
                records = _text(stream, b"" if header else first, header, keep)
            found: dict[bytes, np.ndarray] = {}
            for word, vector in records:
                found.setdefault(word, vector)
    except _MalformedError as error:
        raise UserError(f"{path}, {error}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: {getattr(error, 'strerror', None) or error or 'cut off'}") from error
    if not found and keep is None:
        raise UserError(f"{path} holds no vectors")
    size = len(next(iter(found.values()))) if found else (header[1] if header else len(first.split()) - 1)
    table = np.stack(list(found.values())) if found else np.zeros((0, size), np.float32)
    return Vectors([word.decode("utf-8", "replace") for word in found], table)


def write_text(path: Path, vectors: Vectors) -> None:
    """Write word2vec's text: a line `W E`, then a line for each word. Gensim and `read` read it back bit for bit.

    Raises:
      UserError: the file cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(f"{len(vectors.words)} {vectors.table.shape[1]}\n")
            for word, vector in zip(vectors.words, vectors.table, strict=True):
                stream.write(f"{word} {' '.join(map(str, vector))}\n")
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        raise UserError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from error


class _MalformedError(Exception):
    """`line 7: ...`."""


Records = Iterator[tuple[bytes, np.ndarray]]


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
    # Buffered once more: GzipFile's own lines are made by Python code.
    return io.BufferedReader(gzip.open(path, "rb")) if zipped else path.open("rb")  # type: ignore[arg-type]


def _header(line: bytes) -> tuple[int, int] | None:
    """(W, E) of a word2vec file; None: the line is a vector already."""
    fields = line.split()
    if len(fields) == 2 and fields[0].isdigit() and fields[1].isdigit() and int(fields[1]) > 0:
        return int(fields[0]), int(fields[1])
    return None


def _is_binary(beginning: bytes, size: int) -> bool:
    """Whether the first record behind a header is no line of a word and `size` numbers."""
    line = beginning.partition(b"\n")[0].rstrip(b"\r ")
    try:
        return bool(line) and len(_numbers(line.split(b" ")[-size:])) != size
    except ValueError:
        # A broken number in a text is still text: binary holds bytes that no text holds.
        return bool(set(beginning[:BLOCK]) & (set(range(32)) - set(b"\t\n\r")))


def _numbers(fields: list[bytes]) -> np.ndarray:
    numbers = np.array(list(map(float, fields)), np.float32)
    if not np.isfinite(numbers).all():
        raise ValueError("a number is not finite")
    return numbers


def _text(stream: BinaryIO, first: bytes, header: tuple[int, int] | None, keep: set[bytes] | None) -> Records:
    head = [] if header else [first, *itertools.islice(stream, HEAD - 1)]
    blanks = collections.Counter(line.rstrip(b"\r\n ").count(b" ") for line in head)
    size = header[1] if header else blanks.most_common(1)[0][0]
    words = 0
    for words, line in enumerate(itertools.chain(head, stream), 1):
        line = line.rstrip(b"\r\n ")
        word = line.partition(b" ")[0]
        if keep is not None and word not in keep and b"\t" not in word and _plain(line[len(word) :], size):
            continue
        try:
            word, vector = _record(line, size)
        except ValueError as error:
            raise _MalformedError(f"line {words + bool(header)}: {error}") from None
        if keep is None or word in keep:
            yield word, vector
    if header and words != header[0]:
        raise _MalformedError(f"line {words + 2}: {words} words instead of the {header[0]} of line 1")


def _plain(numbers: bytes, size: int) -> bool:
    """Whether these are `size` numbers with a point in each, in a fifth of the time that it takes to read them.

    A point alone, which no program writes, passes. What does not pass may be numbers all the same.
    """
    if b"e" in numbers:
        numbers = EXPONENT.sub(b"", numbers)
    points = numbers.translate(None, b"0123456789-") == b" ." * size
    return points and numbers.count(b" -") == numbers.count(b"-")


def _record(line: bytes, size: int) -> tuple[bytes, np.ndarray]:
    """Word and vector of a line. Raises ValueError: it is malformed."""
    if b"\t" in line:
        raise ValueError("a tab: only blanks may stand between a word and its numbers")
    word, *fields = line.split(b" ")
    more = len(fields) - size
    if more < 0 or size == 0 or (more and all(map(_is_number, fields[:more]))):
        raise ValueError(f"{len(fields)} numbers instead of {size or 'some'}")
    return b" ".join([word, *fields[:more]]), _numbers(fields[more:])


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _binary(stream: BinaryIO, words: int, size: int, keep: set[bytes] | None) -> Records:
    buffer, place = b"", 0
    for number in range(1, words + 1):
        while (blank := buffer.find(b" ", place)) < 0 or len(buffer) < blank + 1 + 4 * size:
            block = stream.read(BLOCK)
            if not block:
                raise _MalformedError(f"word {number} of {words}: the file ends within it")
            buffer, place = buffer[place:] + block, 0
        word = buffer[place:blank].lstrip(b"\n")  # some writers end a vector with a line break
        place = blank + 1 + 4 * size
        if keep is None or word in keep:
            vector = np.frombuffer(buffer, "<f4", size, blank + 1).astype(np.float32)
            if not np.isfinite(vector).all():
                raise _MalformedError(f"word {number} of {words}: a number is not finite")
            yield word, vector
