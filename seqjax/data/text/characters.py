"""A text as streams of characters, for language models: Tiny Shakespeare, a file of one's own, or generated lines.

A batch of B rows is B streams side by side, each a stretch of the text: row b of a batch goes on where row b of the one
before ended. Validation and test are read as B streams too, and each but the first reads the T characters before its
own stretch, uncounted, so that it begins as if it had read on.

Legend: B batch (streams), T characters in a piece, N in the text, P pieces, V different characters.
"""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data import decoding
from seqjax.data.cache import cached
from seqjax.data.dataset import Answers, Arrays, Dataset, Requests
from seqjax.data.text import ngrams, sample_lines, shakespeare
from seqjax.data.text.character_stream import CharacterStream
from seqjax.errors import UserError, check_least

ALPHABET = "alphabet.json"
TEST = 0.1
"""The share of the text at its end, as nanoGPT and others split Tiny Shakespeare."""
STRETCHES = 10
"""Of the validation part."""


@dataclasses.dataclass(frozen=True)
class Characters:
    """A `Source` of pieces [T] of a text (inputs) and the characters one step later (targets), numbered from 1 on.

    Inputs are (ids [B, T] int32, fresh [B] bool: the state before does not belong to this piece); targets are ids
    [B, T], or 0 where nothing is to be forecast: beyond the end of a part, or before its beginning.

    Raises:
      UserError: options out of range.
    """

    streams: int
    """B, the experiment's batch size."""
    length: int
    """T."""
    file: str | None = None
    """A text of one's own, UTF-8 (also .gz, .xz); None: Tiny Shakespeare."""
    validation: float = 0.05
    """The share of the first 90 % that picks the best epoch and is not trained on."""
    stateful: bool = True
    """False: every piece begins anew, and training takes the pieces in random order."""
    forget: float = 0.05
    """The share of training pieces that begin anew although they go on: a network that has met its first state but once
    may never find its way from there into a text."""

    def __post_init__(self):
        check_least("batch_size", self.streams, 1)
        check_least("sequence_length", self.length, 2)
        if not 0 < self.validation < 1:
            raise UserError(f"validation={self.validation} is not in (0, 1)")
        if not 0 <= self.forget <= 1:
            raise UserError(f"forget={self.forget} is not in [0, 1]")

    def load(self, data: str, data_dir: Path) -> Dataset:
        """See `Source.load`: `file`, or `tinyshakespeare/input.txt` below `data_dir`, downloaded there if need be."""
        optimum: dict[str, float] = {}
        if data == "sample":
            text, paid = sample_lines.text()
            optimum = {"nats": float(paid[int(len(text) * (1 - TEST)) :].mean())}
            name = "generated lines, not Tiny Shakespeare"
        elif data == "real":
            path = Path(self.file) if self.file else shakespeare.find(data_dir) or shakespeare.download_text(data_dir)
            text, name = shakespeare.read(path), path.name if self.file else "Tiny Shakespeare"
        else:
            raise UserError(f"data={data!r}: choose 'real' or 'sample'")
        text, bounds = self._parted(text, name)
        alphabet = "".join(sorted(set(text)))
        ids = numbered(text, alphabet)
        pieces, parts = self._pieces(bounds)
        options = {k: v for k, v in dataclasses.asdict(self).items() if k != "file"}
        identity = f"characters {options} {hashlib.sha256(text.encode()).hexdigest()}"
        sizes = ", ".join(f"{stop - start:,} {part}" for part, (start, stop) in bounds.items())
        return Dataset(
            arrays={"text": ids, **pieces},
            gather=self._gather,
            parts=parts,
            description=f"{name}: {sizes} characters, {len(alphabet)} different; {self.streams} streams",
            fingerprint=hashlib.sha256(identity.encode()).hexdigest(),
            assets={ALPHABET: json.dumps(alphabet)},
            optimum=optimum,
            baselines=_baselines(ids - 1, text, bounds, len(alphabet)),
            ordered=self.stateful,
            knobs={"vocabulary_size": len(alphabet) + 1},
        )

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        r"""See `Source.requests`: one text a line; its line is `nats a character\tcharacters`, of all but the first."""
        alphabet = read_alphabet(assets)
        texts = enumerate((line.removesuffix("\r") for line in decoding.lines(text, name)), 1)
        lines = [encoded(line, alphabet, f"{name}, line {k}") for k, line in texts]
        longest = max((len(line) for line in lines), default=0)
        tokens = np.zeros((len(lines), max(longest, 2)), np.int32)
        for row, line in zip(tokens, lines, strict=True):
            row[: len(line)] = line
        return Requests(
            arrays={"tokens": tokens},
            gather=lambda arrays, ids: (arrays["tokens"][ids], np.ones(ids.shape, bool)),
            ids=np.arange(len(lines), dtype=np.int32),
            line=lambda _, found: f"{float(found[0]) / max(float(found[1]), 1):.4f}\t{int(found[1])}",
            header="nats\tcharacters",
        )

    def stream(self, assets: Path, name: str) -> CharacterStream:
        """See `dataset.Stream`. Raises UserError: the run's file is damaged or missing."""
        return CharacterStream(read_alphabet(assets), name)

    def _parted(self, text: str, name: str) -> tuple[str, dict[str, tuple[int, int]]]:
        """The text, its parts one after the other, and where each begins and ends.

        Validation is of stretches from all over the first 90 %: their end alone would be a play of its own.
        """
        count, test = len(text), int(len(text) * (1 - TEST))
        edges = np.linspace(0, test, STRETCHES + 1).astype(int)
        holes = [(int(stop - (stop - start) * self.validation), int(stop)) for start, stop in itertools.pairwise(edges)]
        kept = [text[start:stop] for start, (stop, _) in zip(edges, holes, strict=False)]
        train, validation = "".join(kept), "".join(text[start:stop] for start, stop in holes)
        bounds = {"train": (0, len(train)), "validation": (len(train), test), "test": (test, count)}
        if any(stop - start < 2 for start, stop in bounds.values()):
            raise UserError(f"{name} has only {count:,} characters: too few for three parts")
        return train + validation + text[test:], bounds

    def _pieces(self, bounds: Mapping[str, tuple[int, int]]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """The table of pieces, and each part's rows of it in the order of its batches."""
        found = {part: self._of_part(*place, warm=self.stateful and part != "train") for part, place in bounds.items()}
        found["train"][:, 3] |= np.random.default_rng(0).random(len(found["train"])) < self.forget
        counts = np.cumsum([0, *(len(table) for table in found.values())])
        parts = {part: np.arange(counts[k], counts[k + 1], dtype=np.int32) for k, part in enumerate(found)}
        table = np.concatenate(list(found.values()))
        if not self.stateful:
            kept = table[:, 1] < table[:, 2]  # with something to forecast
            parts = {part: rows[kept[rows]] for part, rows in parts.items()}
        return {"start": table[:, 0], "first": table[:, 1], "stop": table[:, 2], "fresh": table[:, 3] > 0}, parts

    def _of_part(self, start: int, stop: int, warm: bool) -> np.ndarray:
        """[pieces * B, 4] int32: first input, first and last + 1 target that counts, whether the state begins anew."""
        share = -(-(stop - 1 - start) // self.streams)  # targets of a stream
        share = -(-share // self.length) * self.length
        begins = start + share * np.arange(self.streams)
        table = []
        for piece in range(-int(warm), share // self.length):
            at = begins + piece * self.length
            before = at < 0  # nothing to read there: a piece of anything, after which the stream begins anew
            fresh = np.full(self.streams, piece == -int(warm) or not self.stateful) | ((piece == 0) & (begins == start))
            first = np.full(self.streams, stop) if piece < 0 else np.minimum(at + 1, stop)
            at = np.where(before | (at > stop - 1), start, at)
            table.append(np.stack([at, first, np.minimum(first + self.length, stop), fresh], axis=1))
        return np.concatenate(table).astype(np.int32)

    def _gather(self, arrays: Arrays, ids: Any) -> tuple[Any, Any]:
        xp = np if isinstance(ids, np.ndarray) else _jax_numpy()
        last = len(arrays["text"]) - 1
        start, first, stop = (arrays[name][ids][:, None] for name in ("start", "first", "stop"))
        places = start + xp.arange(self.length)[None, :]
        counted = (places + 1 >= first) & (places + 1 < stop)
        targets = xp.where(counted, arrays["text"][xp.minimum(places + 1, last)], 0)
        return (arrays["text"][xp.minimum(places, last)], arrays["fresh"][ids]), targets


def _jax_numpy() -> Any:
    import jax.numpy

    return jax.numpy


def cold_pieces(answers: Answers) -> dict[str, float]:
    """What a part costs whose pieces are each read from nothing, their first characters given.

    Args:
      answers: outputs are the nats [N] of each piece and how many characters they are of [N].

    Returns:
      `nats` a character, and how many `characters` these are.
    """
    forecast = np.any(answers.targets > 0, axis=1)  # not the pieces read to warm up
    nats, counts = (np.asarray(values, np.float64)[forecast].sum() for values in answers.outputs)
    return {"nats": float(nats / max(counts, 1)), "characters": float(counts)}


def read_alphabet(assets: Path) -> str:
    """The characters of a run, in the order of their ids. Raises UserError: the run's file is damaged or missing."""
    try:
        return json.loads((assets / ALPHABET).read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{assets / ALPHABET} is missing or damaged: restore it from a copy") from error


def encoded(text: str, alphabet: str, name: str) -> np.ndarray:
    """The ids of a text. Raises UserError: a character that the run has never seen."""
    unknown = sorted(set(text) - set(alphabet))
    if unknown:
        raise UserError(f"{name}: {unknown[0]!r} is none of the {len(alphabet)} characters that the run has seen")
    return numbered(text, alphabet)


def numbered(text: str, alphabet: str) -> np.ndarray:
    """The ids [N] int32 of a text, from 1 on in the order of the alphabet, which is sorted."""
    points = lambda characters: np.frombuffer(characters.encode("utf-32-le", "surrogatepass"), np.uint32)
    return (np.searchsorted(points(alphabet), points(text)) + 1).astype(np.int32)


def _baselines(
    ids: np.ndarray, text: str, bounds: Mapping[str, tuple[int, int]], symbols: int
) -> dict[str, dict[str, dict[str, float]]]:
    """What validation and test cost by n-grams of, and by a compressor after, what comes before them."""
    train, grams = ids[slice(*bounds["train"])], f"{ngrams.ORDER}-gram Kneser-Ney"

    def build() -> dict[str, np.ndarray]:
        found = {}
        for part in ("validation", "test"):
            start, stop = bounds[part]
            cost = ngrams.xz(text[:start].encode(), text[start:stop].encode())
            found[part] = np.array([ngrams.kneser_ney(train, ids[start:stop], symbols), cost / (stop - start)])
        return found

    code = Path(ngrams.__file__).read_bytes()
    content = hashlib.sha256(code + text.encode()).hexdigest()
    found = cached(f"n-grams {content} {bounds}", build)
    named = enumerate((grams, "xz"))
    return {name: {part: {"nats": float(both[k])} for part, both in found.items()} for k, name in named}
