"""Word vectors in files: GloVe's text, word2vec's text and binary, plain or gzipped. Needs NumPy only.

    vectors = read(Path("glove.6B.100d.txt.gz"), wanted=vocabulary.tokens)
    table = vectors.for_vocabulary(vocabulary)  # [V, E], zeros where there is no vector

Files are streamed: of a file of 5 GB only the wanted rows are ever in memory.

Legend: W words, E numbers of a vector, V ids of a vocabulary.
"""

import dataclasses
import functools
import gzip
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from seqjax.data.text import Vocabulary
from seqjax.errors import UserError

BLOCK = 1 << 20  # bytes that are read at once


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

    * GloVe's text: a line is a word and E numbers.
    * word2vec's text: the same behind a line `W E`.
    * word2vec's binary: a line `W E`, then each word, a blank and E little-endian float32.

    Of a word that occurs twice the first vector counts. A word may hold blanks, as some of GloVe 840B do.

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
    if not found and (keep is None or not first.strip()):
        raise UserError(f"{path} holds no vectors")
    size = len(next(iter(found.values()))) if found else (header[1] if header else len(first.split()) - 1)
    table = np.stack(list(found.values())) if found else np.zeros((0, size), np.float32)
    return Vectors([word.decode("utf-8", "replace") for word in found], table)


def write_text(path: Path, vectors: Vectors) -> None:
    """Write word2vec's text: a line `W E`, then a line for each word. Gensim and `read` read it back bit for bit."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(f"{len(vectors.words)} {vectors.table.shape[1]}\n")
        for word, vector in zip(vectors.words, vectors.table, strict=True):
            stream.write(f"{word} {' '.join(map(str, vector))}\n")


class _MalformedError(Exception):
    """`line 7: ...`."""


Records = Iterator[tuple[bytes, np.ndarray]]


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


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
    number, size = (2, header[1]) if header else (1, first.rstrip().count(b" "))
    line = first if not header else stream.readline()
    while line:
        fields = line.rstrip(b"\r\n ").count(b" ")
        if fields < size or size == 0:
            raise _MalformedError(f"line {number}: {max(fields, 0)} numbers instead of {size or 'some'}")
        word, *numbers = line.rstrip(b"\r\n ").rsplit(b" ", size)
        if keep is None or word in keep:
            try:
                yield word, _numbers(numbers)
            except ValueError as error:
                raise _MalformedError(f"line {number}: {error}") from None
        number, line = number + 1, stream.readline()
    if header and number - 2 != header[0]:
        raise _MalformedError(f"line {number}: {number - 2} words instead of the {header[0]} of line 1")


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
