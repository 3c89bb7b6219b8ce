"""Aligned sentences, a source and its translation each, for `seqjax.models.translation`.

Ids are 0 padding, 1 unknown, 2 start, 3 end, then the words of the training part, each side its own. A source is
`words... end`, so that none is empty. A target is `start words... end`: the model is fed all of it but the last id and
is to give all of it but the first.

Legend: B batch, N pairs, S tokens of a source, T tokens of a target.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TextIO

import numpy as np

from seqjax.data import decoding
from seqjax.data.dataset import Dataset, Requests
from seqjax.data.lengths import group_lengths
from seqjax.data.text import sentences, translation_scores
from seqjax.data.text.words import END, START, Words
from seqjax.errors import UserError, check_least
from seqjax.files import read_json

PARTS = ("train", "validation", "test")
ASSET = "words.json"
GROUPS = 100
"""Lengths in use at most. Few are: sentences are short, and lengths multiples of `STEP`."""
STEP = 4

Read = Mapping[str, Sequence[tuple[str, str]]]
"""Part -> (source, target) of each pair."""


@dataclasses.dataclass(frozen=True)
class Translations(Dataset):
    """Pairs as ids, with their texts."""

    words: Words | None = None
    """Of the targets."""
    sources: tuple[str, ...] = ()
    """[N], as `sentences.standard` leaves them."""
    references: tuple[tuple[str, ...], ...] = ()
    """[N]: all the targets that a pair's source has in its part, its own first."""
    seen: frozenset[str] = frozenset()
    """The sources of the training part."""


@dataclasses.dataclass(frozen=True)
class Pairs:
    """A `Source` of pairs; what kind, says who inherits it."""

    tokens: sentences.Way = "words"
    least: int = 1
    """A word is learned that occurs so often in the training part."""
    source_size: int | None = None
    """At most so many ids of the sources, the special ones included."""
    target_size: int | None = None
    """As many of the targets."""
    length: int | None = None
    """Sentences are cut to so many tokens; None: none is."""

    baseline_score: ClassVar[str] = "bleu"
    """Of `translation_scores.SCORES`: what baselines are told by."""

    def __post_init__(self):
        sentences.standard("", self.tokens)
        check_least("min_count", self.least, 1)
        for knob, least in (("source_size", 5), ("target_size", 5), ("length", 2)):
            if getattr(self, knob) is not None:
                check_least(knob, getattr(self, knob), least)

    def read(self, data: str, data_dir: Path) -> tuple[str, Read]:
        """What they are, in a few words, and the pairs of each part. Raises UserError: as `Source.load`."""
        raise NotImplementedError

    def load(self, data: str, data_dir: Path) -> Translations:
        """See `Source.load`."""
        name, read = self.read(data, data_dir)
        if empty := [part for part in PARTS if not read[part]]:
            raise UserError(f"{name}: no pair for {' and '.join(empty)}")
        split = [[sentences.split(pair[side], self.tokens) for part in PARTS for pair in read[part]] for side in (0, 1)]
        train = len(read["train"])
        learn = lambda texts, most: Words.fit(texts[:train], self.tokens, self.least, most)
        words = learn(split[0], self.source_size), learn(split[1], self.target_size)
        source = _rows([[*words[0].encode(tokens), END] for tokens in split[0]], self.length)
        wider = self.length and self.length + 1
        target = _rows([[START, *words[1].encode(tokens), END] for tokens in split[1]], wider)
        ends = np.cumsum([len(read[part]) for part in PARTS])
        parts = {p: np.arange(end - len(read[p]), end, dtype=np.int32) for p, end in zip(PARTS, ends, strict=True)}
        texts = {
            part: [tuple(sentences.standard(t, self.tokens) for t in pair) for pair in read[part]] for part in PARTS
        }
        sizes = ", ".join(f"{len(read[part]):,} {part}" for part in PARTS)
        identity = json.dumps([type(self).__name__, dataclasses.asdict(self), read], sort_keys=True)
        longest = np.maximum((source != 0).sum(axis=1), (target != 0).sum(axis=1) - 1)
        return Translations(
            arrays={"source": source, "target": target},
            gather=_gather,
            parts=parts,
            description=f"{name}: {sizes} pairs; {words[0].size:,} and {words[1].size:,} {self.tokens}",
            fingerprint=hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest(),
            assets={ASSET: _asset(words, self.length)},
            baselines=self._baselines(texts),
            optimum={self.baseline_score: translation_scores.PERFECT[self.baseline_score]} if data == "sample" else {},
            lengths=group_lengths(longest, int(longest.max()), GROUPS, STEP),
            words=words[1],
            sources=tuple(source for part in PARTS for source, _ in texts[part]),
            references=tuple(references for part in PARTS for references in _references(texts[part])),
            seen=frozenset(source for source, _ in texts["train"]),
        )

    def _baselines(self, texts: Mapping[str, Sequence[tuple[str, ...]]]) -> dict[str, dict[str, dict[str, float]]]:
        """What the source itself, and the most frequent translation, score as translations."""
        score = translation_scores.SCORES[self.baseline_score]
        usual = max(sorted(counted := _counts(target for _, target in texts["train"])), key=lambda text: counted[text])
        found: dict[str, dict[str, dict[str, float]]] = {"the source itself": {}, "always the most frequent": {}}
        for part in ("validation", "test"):
            references = dict(zip((s for s, _ in texts[part]), _references(texts[part]), strict=True))
            for name, answers in zip(found, (list(references), [usual] * len(references)), strict=True):
                found[name][part] = {self.baseline_score: score(answers, list(references.values()))}
        return found

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """See `Source.requests`: a sentence a line; the line of an answer is its translation, of an empty one empty.

        Of an answer of several, n of them, n lines: the logarithm of the probability, a tab, the translation.
        """
        (source_words, words), length = _from_asset(assets / ASSET)
        lines = _lines(text, name)
        source = _rows([[*source_words.encode(sentences.split(line, words.way)), END] for line in lines], length)

        def line(position: int, answer: Any) -> str:
            found = [(score, words.decode(ids)) for score, ids in zip(answer["scores"], answer["tokens"], strict=True)]
            if source[position, 0] == END:  # there is nothing to be translated
                found = [(0.0, "")] * len(found)
            return found[0][1] if len(found) == 1 else "\n".join(f"{score:.4f}\t{text}" for score, text in found)

        def alignment(position: int, answer: Any) -> tuple[list[str], list[str], Any]:
            sides = [own.tokens(ids) for own, ids in ((source_words, source[position]), (words, answer["tokens"][0]))]
            read, written = ([*side, "[end]"] for side in sides)
            return read, written, answer["attention"][: len(written), : len(read)]

        return Requests(
            arrays={"source": source, "target": np.full((len(lines), 1), START, np.int32)},
            gather=lambda arrays, ids: (arrays["source"][ids].astype("int32"), arrays["target"][ids]),
            ids=np.arange(len(lines), dtype=np.int32),
            line=line,
            alignment=alignment,
        )


def _gather(arrays: Mapping[str, Any], ids: Any) -> tuple[Any, Any]:
    """ids [B] -> (source [B, S], target without its end [B, T]), target without its start [B, T]; int32."""
    source, target = (arrays[name][ids].astype("int32") for name in ("source", "target"))
    return (source, target[:, :-1]), target[:, 1:]


def _rows(ids: Sequence[Sequence[int]], length: int | None) -> np.ndarray:
    """[N, longest], padded with 0; uint16 where they fit."""
    width = max((len(row) for row in ids), default=1)
    width = width if length is None else min(width, length)
    rows = np.zeros((len(ids), width), np.int32)
    for row, own in zip(rows, ids, strict=True):
        row[: len(own)] = own[:width]
    return rows.astype(np.uint16) if rows.max(initial=0) < 1 << 16 else rows


def _counts(texts: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for text in texts:
        counts[text] = counts.get(text, 0) + 1
    return counts


def _references(pairs: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Of each pair of a part, all that its source is translated by, its own first."""
    found: dict[str, dict[str, None]] = {}
    for source, target in pairs:
        found.setdefault(source, {})[target] = None
    return [tuple(dict.fromkeys([target, *found[source]])) for source, target in pairs]


def _asset(words: tuple[Words, Words], length: int | None) -> str:
    source, target = (own.learned for own in words)
    return json.dumps({"way": words[0].way, "length": length, "source": source, "target": target}, ensure_ascii=False)


def _from_asset(path: Path) -> tuple[tuple[Words, Words], int | None]:
    """Undo `_asset`. Raises UserError: missing or damaged."""
    found = read_json(path)
    try:
        way, length = found["way"], found["length"]
        sentences.standard("", way)
        words = tuple(Words(tuple(map(str, found[side])), way) for side in ("source", "target"))
    except (KeyError, TypeError, UserError) as error:
        raise UserError(f"{path} is damaged: {error}") from error
    return (words[0], words[1]), length


def _lines(text: TextIO, name: str) -> list[str]:
    """Raises UserError: not UTF-8."""
    return [line.rstrip("\r") for line in decoding.lines(text, name)]
