"""Requests of travellers with a slot tag a word: ATIS, or generated ones. The inputs are words, the targets their tags.

Words are in lower case, as ATIS's are, and every digit reads `#`, as in the papers on ATIS (there `DIGIT`): the flight
number 1207 of the test part is no word of the training part, but `####` is. A word that is not known as it stands is
looked up without the punctuation around it, which ATIS, transcribed from speech, does not have.

Legend: B batch, N requests (those for training first), T words, K tags.
"""

import dataclasses
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data import decoding
from seqjax.data.dataset import Arrays, Dataset, Requests
from seqjax.data.lengths import group_lengths
from seqjax.data.text import atis_files, rows, sample_requests, slots
from seqjax.data.text.atis_files import Request
from seqjax.errors import UserError, check_least

VALIDATION = 10  # one in ten of the different training requests
LEARNED = "atis.json"
PADDING, UNKNOWN, FIRST = 0, 1, 2
DIGIT = re.compile(r"\d")
MARKS = ".,;:!?\"'()[]“”‘’…"


@dataclasses.dataclass(frozen=True)
class Atis:
    """A `Source` of requests: words [T] and their tags [T], both ids, of which 0 is padding.

    Words and tags are learned from the training part alone, after validation has been split off: one in ten of its
    different requests, with all its copies. Tags that only the other parts have get the ids behind those learned: no
    model has seen an example of them, and their slots count as what they are, missed.

    Raises:
      UserError: options out of range.
    """

    vocabulary_size: int = 1000
    """At most so many ids of words, padding and the unknown word included."""
    tags: int = 128
    """Ids of tags that a model has room for, padding included; ATIS needs them all."""
    mask_digits: bool = True
    split_seed: int = 0
    """Which requests are for validation."""
    grouped: bool = True
    """Batches hold requests of like length, and are cut to it."""

    def __post_init__(self):
        for name, least in {"vocabulary_size": FIRST + 1, "tags": 2, "split_seed": 0}.items():
            check_least(name, getattr(self, name), least)

    def load(self, data: str, data_dir: Path) -> Dataset:
        """See `Source.load`, and `atis_files.load` for where real requests are looked for."""
        if data == "sample":
            generated = sample_requests.requests()
            found = {"train": generated.train, "test": generated.test}
            return self._dataset(found, "generated requests, not ATIS", generated.optimum)
        if data != "real":
            raise UserError(f"data={data!r}: choose 'real' or 'sample'")
        return self._dataset(atis_files.load(data_dir), "requests of ATIS", {})

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        r"""See `Source.requests`: one sentence a line, words divided by spaces; BOS and EOS around it are left out.

        An output is the ids of the tags [T]. What is printed are columns as CoNLL has them: a line `word\ttag` for each
        word as it was given, and an empty line after each sentence, which is all there is of an empty one. A comma or
        another mark that stands alone is no word to the model: its tag is `O`.
        """
        words, names = _learned(assets / LEARNED)
        vocabulary = _index(words)
        sentences = _sentences(text, name)
        said = [[word for word in words if _is_word(word)] for words in sentences]
        arrays = _packed({"words": [self._ids(words, vocabulary) for words in said]})

        def line(position: int, output: Any) -> str:
            tags = (names[k] if 0 < k < len(names) else slots.OUTSIDE for k in map(int, output))
            pairs = ((word, next(tags) if _is_word(word) else slots.OUTSIDE) for word in sentences[position])
            return "".join(f"{word}\t{tag}\n" for word, tag in pairs)

        counts = np.array(list(map(len, said)), np.int32)
        lengths = group_lengths(counts, rows.width(arrays, "words")) if len(said) else None
        ids = np.arange(len(said), dtype=np.int32)
        return Requests(arrays, lambda arrays, ids: rows.take(arrays, "words", ids), ids, line, lengths=lengths)

    def _dataset(self, found: Mapping[str, list[Request]], name: str, optimum: Mapping[str, float]) -> Dataset:
        requests = [*found["train"], *found["test"]]
        parts = self._parts(found["train"], len(requests))
        spelled = [[self._spelled(word) for word in request.words] for request in requests]
        learned = _by_count(word for k in parts["train"] for word in spelled[k])[: self.vocabulary_size - FIRST]
        seen = _by_count(tag for k in parts["train"] for tag in requests[k].tags)
        unseen = sorted({tag for request in requests for tag in request.tags} - set(seen))
        classes = ("", *seen, *unseen)
        if len(classes) > self.tags:
            raise UserError(f"tags={self.tags}: the requests have {len(classes) - 1} tags, so give {len(classes)}")
        vocabulary, numbers = _index(learned), {tag: k for k, tag in enumerate(classes)}
        words = [self._ids(request.words, vocabulary) for request in requests]
        tags = [np.array([numbers[tag] for tag in request.tags], np.int32) for request in requests]
        lengths = np.array(list(map(len, words)), np.int32)
        options = {key: value for key, value in dataclasses.asdict(self).items() if key != "grouped"}
        identity = json.dumps([options, found], sort_keys=True)
        missing = sum(tag in unseen for k in parts["test"] for tag in requests[k].tags)
        sizes = ", ".join(f"{len(ids):,} {part}" for part, ids in parts.items())
        return Dataset(
            arrays=_packed({"words": words, "tags": tags}),
            gather=_gather,
            parts=parts,
            description=f"{name}: {sizes}; {len(learned):,} words, {len(seen)} tags; {missing} words for testing "
            "have a tag without an example, and count as wrong",
            fingerprint=hashlib.sha256(identity.encode()).hexdigest(),
            assets={LEARNED: json.dumps({"words": learned, "tags": classes})},
            optimum=optimum,
            baselines=slots.baselines([request.tags for request in requests], words, parts),
            lengths=group_lengths(lengths, int(lengths.max())) if self.grouped else None,
            classes=classes,
        )

    def _parts(self, train: Sequence[Request], count: int) -> dict[str, np.ndarray]:
        """Copies of a request stay together: of ATIS's 4,978 for training, 344 repeat an earlier one."""
        groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for place, request in enumerate(train):
            groups[request.words].append(place)
        copies = list(groups.values())
        drawn = np.random.default_rng(self.split_seed).permutation(len(copies))[: max(1, len(copies) // VALIDATION)]
        validation = np.array(sorted(place for k in drawn for place in copies[k]), np.int32)
        return {
            "train": np.setdiff1d(np.arange(len(train), dtype=np.int32), validation),
            "validation": validation,
            "test": np.arange(len(train), count, dtype=np.int32),
        }

    def _spelled(self, word: str) -> str:
        return DIGIT.sub("#", word.lower()) if self.mask_digits else word.lower()

    def _ids(self, words: Sequence[str], vocabulary: Mapping[str, int]) -> np.ndarray:
        """[T] int32."""
        spelled = [self._spelled(word) for word in words]
        find = lambda word: vocabulary.get(word) or vocabulary.get(word.strip(MARKS), UNKNOWN)
        return np.array([find(word) for word in spelled], np.int32)


def _is_word(word: str) -> bool:
    """Whether there is a letter or a digit in it, of whatever script."""
    return any(mark.isalnum() for mark in word)


def _gather(arrays: Arrays, ids: Any) -> tuple[Any, Any]:
    return rows.take(arrays, "words", ids), rows.take(arrays, "tags", ids)


def _packed(sequences: Mapping[str, Sequence[np.ndarray]]) -> dict[str, np.ndarray]:
    """`rows.pack` of sequences of the same lengths, 0 behind them."""
    lengths = np.array([len(row) for row in next(iter(sequences.values()))], np.int64)
    flat = {name: np.concatenate([np.empty(0, np.int32), *found]) for name, found in sequences.items()}
    return rows.pack(flat, lengths, max(1, int(lengths.max(initial=1))), dict.fromkeys(flat, PADDING))


def _index(words: Sequence[str]) -> dict[str, int]:
    return {word: place for place, word in enumerate(words, FIRST)}


def _by_count(names: Iterable[str]) -> list[str]:
    """The different ones, most frequent first, of equally frequent ones by the alphabet."""
    counts = Counter(names)
    return sorted(counts, key=lambda name: (-counts[name], name))


def _learned(path: Path) -> tuple[list[str], list[str]]:
    """Words and tags in the order of their ids. Raises UserError: the file is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found["words"], found["tags"]
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged: {error}") from error


def _sentences(text: TextIO, name: str) -> list[list[str]]:
    """The words of each line. Raises UserError: not UTF-8, or tags that are given."""
    lines = decoding.lines(text, name)
    for number, line in enumerate(lines, 1):
        if "\t" in line:
            raise UserError(f"{name}, line {number}: there is a tab in it; give the words alone, divided by spaces")
    found = [line.split() for line in lines]
    return [words[1:-1] if words[:1] == ["BOS"] and words[-1:] == ["EOS"] else words for words in found]
