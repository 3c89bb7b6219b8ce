"""A source of hotwords in continuous audio: which word has just ended, frame by frame.

Streams are made by seed (`streams`) from recordings of spoken digits. The test streams are of one speaker and the
validation streams of another, neither of whom training hears. There are as many hours of each ratio of `SNRS`; training
streams are of all ratios. Every word is a class of its own, hotword or not: to name the others is to keep them apart.

A batch of B rows is B streams side by side: row b of a batch goes on where row b of the one before ended.

Legend: B batch (streams), T frames in a piece, F frames of all streams, M features, K words, S streams.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data.cache import cached
from seqjax.data.dataset import Arrays, Dataset, Requests
from seqjax.data.series.sources import read_facts
from seqjax.data.sound import noise, sample_words, spectra, spoken_digits, streams
from seqjax.data.sound.alarms import Decoder
from seqjax.data.sound.clips import Clip
from seqjax.data.sound.hotword_stream import HotwordStream
from seqjax.data.sound.spectra import Hearing, Spectra
from seqjax.data.sound.streams import STRETCH, Event, Recipe
from seqjax.errors import UserError, check_least

ASSET, RESULTS = "hotwords.json", "results.json"
"""How a run hears, its words and its hotwords; and what it has decided, when it is finished."""
SNRS = (20, 10, 0)
"""dB."""
SAMPLE_HOURS = 0.1
"""Of the sample, where `hours` are more."""
SHARES = {"train": 1.0, "validation": 0.25, "test": 1.0}
"""Of `hours`: of training in all, of the others at each ratio."""
PARTS = tuple(SHARES)
TRAIN_GAPS = (0.1, 1.2)
AHEAD, BEHIND = 0.06, 0.2
"""Seconds before and after a word's end in which a frame is to name it; ..."""
UNJUDGED = 0.12
"""... and so many before these it may name it or not."""
FRAMES, COUNT, PART, SNR = range(4)
"""Columns of the table of streams: its first frame, how many, the number of its part, decibels (-1: all kinds)."""
STREAM, START, STOP, LABEL = range(4)
"""Columns of the table of words: its stream's number, samples from the beginning of that, the number of its class."""
NOT_JUDGED, NOTHING, FIRST = 0, 1, 2
"""Targets: no word has just ended; word k: FIRST + k."""


@dataclasses.dataclass(frozen=True)
class Hotwords:
    """A `Source` of (features [T, M], whether the stream begins here) and of the frames' classes [T].

    Raises:
      UserError: options out of range.
    """

    streams: int
    """B, the experiment's batch size."""
    words: tuple[str, ...] = ("seven",)
    """The hotwords, by the digits' names."""
    speaker: str = "yweweler"
    """Whom the test streams are of; those for validation are of the next one by name."""
    hours: float = 2.0
    """Of the test streams, at each ratio; a quarter of it for validation; as much of all ratios together to train."""
    length: int = 150
    """T."""
    spectra: Spectra = dataclasses.field(default_factory=lambda: Spectra(hop=160))
    stream_seed: int = 0
    """Of the streams."""

    def __post_init__(self):
        check_least("batch_size", self.streams, 1)
        check_least("sequence_length", self.length, 1)
        check_least("stream_seed", self.stream_seed, 0)
        if not 0 < self.hours <= 100:
            raise UserError(f"hours={self.hours} is not in (0, 100]")
        if not self.words or len({*self.words}) < len(self.words):
            raise UserError(f"words={','.join(self.words)!r}: give different words, with commas between")

    def load(self, data: str, data_dir: Path) -> Dataset:
        """See `Source.load`; the sample is of `sample_words`, its first one the hotword, its last voice the test's."""
        optimum: dict[str, float] = {}
        if data == "sample":
            clips, _ = sample_words.words(self.spectra.rate, mislabelled=0)
            optimum = {"miss_rate": 0.0}  # of words that nobody can take for each other
            name, hours = "generated words", min(self.hours, SAMPLE_HOURS)
        elif data == "real":
            clips = [one.clip for one in spoken_digits.read(data_dir, self.spectra.rate)]
            name, hours = "spoken digits", self.hours
        else:
            raise UserError(f"data={data!r}: choose 'real' or 'sample'")
        labels = sorted({clip.label for clip in clips})
        hotwords = self.words if data == "real" else (labels[0],)
        if unknown := sorted({*hotwords} - {*labels}):
            raise UserError(f"words: there are no recordings of {unknown[0]!r}; choices: {', '.join(labels)}")
        speakers = self._speakers(sorted({clip.speaker for clip in clips}), data)
        found = self._dataset(clips, labels, hotwords, speakers, name, hours)
        return dataclasses.replace(found, optimum=optimum)

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """A stream is answered by --mode=stream. Raises UserError."""
        del assets, text, name
        raise UserError("hotwords are found in streams: use --mode=stream")

    def stream(self, assets: Path, name: str) -> HotwordStream:
        """See `dataset.Stream`; alarms are as the validation streams have decided.

        Raises:
          UserError: the run has not decided yet, or its files are damaged or missing.
        """
        facts = read_facts(assets / ASSET, ("words", "hotwords", "spectra"))
        found = read_facts(assets / RESULTS, ("details",))["details"]
        try:
            decoder = Decoder(**found["validation"]["decided"])
        except (KeyError, TypeError) as error:
            raise UserError(f"{assets / RESULTS}: damaged: it does not say what was decided ({error})") from error
        classes = [FIRST + facts["words"].index(word) for word in facts["hotwords"]]
        return HotwordStream(Spectra(**facts["spectra"]), facts["hotwords"], classes, decoder, name)

    def _speakers(self, known: Sequence[str], data: str) -> dict[str, list[str]]:
        """Whose recordings each part is made of."""
        test = self.speaker if data == "real" else known[-1]
        if test not in known:
            raise UserError(f"there is no speaker {test!r}; choices: {', '.join(known)}")
        validation = next((one for one in known if one > test), known[0])
        return {"train": [k for k in known if k not in (test, validation)], "validation": [validation], "test": [test]}

    def _dataset(
        self,
        clips: Sequence[Clip],
        labels: Sequence[str],
        hotwords: tuple[str, ...],
        speakers: dict[str, list[str]],
        name: str,
        hours: float,
    ) -> Dataset:
        counts = {part: self._stretches(hours * share) for part, share in SHARES.items()}
        options = {**dataclasses.asdict(self), "words": hotwords, "stretches": counts, "speakers": speakers}
        content = hashlib.sha256(json.dumps(options).encode())
        for clip in clips:
            content.update(f"{clip.label}\0{clip.speaker}\0".encode() + clip.samples.tobytes())
        key = f"hotwords {_code()} {content.hexdigest()}"
        made = cached(key, lambda: self._made(clips, labels, hotwords, speakers, counts))
        pieces, parts = self._pieces(made["streams"])
        train = made["frames"][: self.streams * made["streams"][0, COUNT]].astype(np.float32)
        initial = {"mean": train.mean(axis=0), "deviation": train.std(axis=0)}
        facts = {"words": labels, "hotwords": hotwords, "spectra": dataclasses.asdict(self.spectra)}
        who = f"{speakers['test'][0]} for the test, {speakers['validation'][0]} for validation"
        each = ", ".join(f"{self.streams * count * STRETCH / 3600:.3g} h {part}" for part, count in counts.items())
        ratios = ", ".join(map(str, SNRS))
        return Dataset(
            arrays={**made, **pieces, "hotwords": np.array([labels.index(word) for word in hotwords], np.int32)},
            gather=PieceOf(self.length),
            parts=parts,
            description=f"streams of {name}, hotword {' and '.join(hotwords)}: {each}, of the latter two so much at "
            f"each of {ratios} dB; {self.streams} streams side by side; {who}",
            fingerprint=content.hexdigest(),
            assets={ASSET: json.dumps(facts, indent=1) + "\n"},
            initial=initial,
            baselines={"random": {part: {"miss_rate": self._random(made, hotwords, labels)} for part in PARTS[1:]}},
            ordered=True,
            knobs={"classes": len(labels)},
            classes=tuple(labels),
        )

    def _random(self, made: Mapping[str, np.ndarray], hotwords: Sequence[str], labels: Sequence[str]) -> float:
        """What a detector misses that gives an alarm an hour at random."""
        hot = made["words"][np.isin(made["words"][:, LABEL], [labels.index(word) for word in hotwords])]
        spans = (hot[:, STOP] - hot[:, START]) / self.spectra.rate + streams.LATE
        return float(np.exp(-spans / 3600).mean())

    def _stretches(self, hours: float) -> int:
        """Of each stream."""
        return max(1, round(hours * 3600 / STRETCH / self.streams))

    def _made(
        self,
        clips: Sequence[Clip],
        labels: Sequence[str],
        hotwords: tuple[str, ...],
        speakers: Mapping[str, Sequence[str]],
        counts: Mapping[str, int],
    ) -> dict[str, np.ndarray]:
        """All streams: `frames` [F, M] and `targets` [F] one behind the other, the tables `streams` and `words`."""
        frames, targets, table, words = [], [], [], []
        for number, part in enumerate(PARTS):
            spoken = streams.spoken_by(clips, speakers[part])
            for snr in (None,) if part == "train" else SNRS:
                recipe = Recipe(spoken, hotwords, self.spectra.rate, snr)
                if part == "train":
                    recipe = dataclasses.replace(recipe, gaps=TRAIN_GAPS, changed=True)
                for row in range(self.streams):
                    heard, events = self._heard(recipe, counts[part], [self.stream_seed, number, snr or 0, row])
                    words += [(len(table), start, stop, labels.index(label)) for label, start, stop in events]
                    table.append((sum(map(len, frames)), len(heard), number, -1 if snr is None else snr))
                    frames.append(heard.astype(np.float16))
                    targets.append(framewise(events, labels, len(heard), self.spectra))
        found = {"frames": np.concatenate(frames), "targets": np.concatenate(targets)}
        return {**found, "streams": np.array(table, np.int32), "words": np.array(words, np.int32).reshape(-1, 4)}

    def _heard(self, recipe: Recipe, count: int, seed: Sequence[int]) -> tuple[np.ndarray, list[Event]]:
        """A stream's features [T, M] and its words."""
        hear, frames, events = Hearing(self.spectra), [], []
        for samples, spoken in recipe.stretches(count, seed):
            frames.append(hear(samples))
            events += spoken
        return np.concatenate(frames), events

    def _pieces(self, table: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """The table of pieces, and each part's rows of it in the order of its batches.

        Streams side by side are as long as each other: B of them at a time, piece after piece.
        """
        found, parts = [], {part: [] for part in PARTS}
        for first in range(0, len(table), self.streams):
            group = table[first : first + self.streams]
            for piece in range(-(-int(group[0, COUNT]) // self.length)):
                begins = group[:, FRAMES] + piece * self.length
                parts[PARTS[group[0, PART]]] += range(len(found), len(found) + self.streams)
                stops = group[:, FRAMES] + group[:, COUNT]
                found += list(zip(begins, stops, [piece == 0] * self.streams, strict=True))
        start, stop, fresh = np.array(found, np.int32).T
        return {"start": start, "stop": stop, "fresh": fresh > 0}, {k: np.array(v, np.int32) for k, v in parts.items()}


@dataclasses.dataclass(frozen=True)
class PieceOf:
    """`Dataset.gather`."""

    length: int
    """T."""

    def __call__(self, arrays: Arrays, ids: Any) -> tuple[Any, Any]:
        """-> ((features [B, T, M], fresh [B]), targets [B, T]); behind a stream's end nothing is judged."""
        import jax.numpy as jnp

        xp = np if isinstance(ids, np.ndarray) else jnp
        stop = arrays["stop"][ids][:, None]
        places = arrays["start"][ids][:, None] + xp.arange(self.length)[None, :]
        inside, places = places < stop, xp.minimum(places, stop - 1)
        targets = xp.where(inside, arrays["targets"][places], NOT_JUDGED).astype(np.int32)
        return (arrays["frames"][places].astype(np.float32), arrays["fresh"][ids]), targets


def framewise(events: Sequence[Event], labels: Sequence[str], count: int, hear: Spectra) -> np.ndarray:
    """[T] int8: the class of every frame, as the end of its window sees it; see `AHEAD` and what follows."""
    known = (np.arange(count) * hear.hop + hear.window) / hear.rate
    found = np.full(count, NOTHING, np.int8)
    for label, _, stop in events:
        since = known - stop / hear.rate
        found[(since >= -AHEAD - UNJUDGED) & (since < -AHEAD)] = NOT_JUDGED
        found[(since >= -AHEAD) & (since < BEHIND)] = FIRST + labels.index(label)
    return found


def _code() -> str:
    """Of what makes the cached arrays."""
    sources = (__file__, *(str(module.__file__) for module in (noise, sample_words, spectra, streams)))
    return hashlib.sha256(b"".join(Path(source).read_bytes() for source in sources)).hexdigest()
