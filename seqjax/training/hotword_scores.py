"""Scores of a detector of hotwords: its answers to all pieces put together to streams, and these judged.

How the answers become alarms is decided on the validation streams: `decide`.

Legend: N pieces, T frames, V classes, E events.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from seqjax.data.dataset import Answers, Dataset
from seqjax.data.sound.alarms import Decoder
from seqjax.data.sound.hotwords import COUNT, FIRST, FRAMES, LABEL, PART, PARTS, SNR, SNRS, START, STOP, STREAM
from seqjax.data.sound.spectra import Spectra
from seqjax.training import detection
from seqjax.training.detection import Stream

SMOOTHINGS = (1, 3, 5, 8)
"""Frames."""
REFRACTORY = (0.5, 0.75)
"""Seconds."""
RATES = (0.5, 1.0)
"""False alarms an hour."""
TUNED = (0.5, 1.0, 2.0, 5.0)
"""The mean of the misses at these is to be small: that at one alone is decided by a few words."""


@dataclasses.dataclass(frozen=True)
class HotwordScores:
    """`Experiment`'s `decide` and scores."""

    spectra: Spectra

    def decide(self, answers: Answers) -> dict[str, float]:
        """The decoder that misses least on these streams, all together, at one false alarm an hour."""
        heard = [stream for some in self.streams(answers).values() for stream in some]
        best: tuple[float, Decoder] | None = None
        for smoothing in SMOOTHINGS:
            for seconds in REFRACTORY:
                decoder = Decoder(smoothing, round(seconds / self.spectra.seconds))
                curve = detection.curve(smoothed(heard, decoder), decoder)
                missed = float(np.mean([curve.misses_at(rate) for rate in TUNED]))
                if best is None or missed < best[0]:
                    best = missed, dataclasses.replace(decoder, threshold=curve.threshold_at(1.0))
        assert best is not None
        return dataclasses.asdict(best[1])

    def miss_rate(self, answers: Answers, decided: Mapping[str, Any]) -> float:
        """The share of hotwords that are missed at 20 dB with at most one false alarm an hour."""
        decoder = Decoder(**decided)
        return detection.curve(smoothed(self.streams(answers)[20], decoder), decoder).misses_at(1.0)

    def f1(self, answers: Answers, decided: Mapping[str, Any]) -> float:
        """Event F1 at 20 dB, at the threshold that is decided."""
        return self.at_threshold(self.streams(answers)[20], Decoder(**decided))["f1"]

    def latency(self, answers: Answers, decided: Mapping[str, Any]) -> float:
        """Seconds from a word's end at 20 dB within which 95 % of those that are found are."""
        return self.at_threshold(self.streams(answers)[20], Decoder(**decided))["latency_p95"]

    def by_ratio(self, answers: Answers, decided: Mapping[str, Any]) -> dict[str, Any]:
        """Of each ratio: the curve, the misses at `RATES`, and what the decided threshold gives."""
        decoder, found = Decoder(**decided), {}
        for snr, heard in self.streams(answers).items():
            some = smoothed(heard, decoder)
            curve = detection.curve(some, decoder)
            found[f"{snr} dB"] = {
                "hours": round(sum(one.seconds for one in heard) / 3600, 4),
                "events": sum(len(one.events) for one in heard),
                **{f"misses_at_{rate:g}": curve.misses_at(rate) for rate in RATES},
                "at_threshold": self.at_threshold(heard, decoder),
                "false_alarms": [round(float(rate), 3) for rate in curve.false_alarms],
                "misses": [round(float(share), 5) for share in curve.misses],
            }
        return found

    def at_threshold(self, heard: list[Stream], decoder: Decoder) -> dict[str, float]:
        """Misses, false alarms an hour, F1, and latencies in seconds, of streams as they were heard."""
        some = smoothed(heard, decoder)
        found = detection.judged(some, decoder)
        alarms = [one.times[decoder.alarms(one.track)] for one in some]
        late = found.latencies if len(found.latencies) else np.array([np.nan])
        return {
            "misses": 1 - found.hits / max(found.events, 1),
            "false_alarms": found.false_alarms / (sum(one.seconds for one in heard) / 3600),
            "f1": detection.event_f1(alarms, [one.events[:, 1] for one in heard]),
            "latency_median": float(np.median(late)),
            "latency_p95": float(np.quantile(late, 0.95)),
        }

    def streams(self, answers: Answers) -> dict[int, list[Stream]]:
        """By ratio: for each stream and each hotword what was heard of it."""
        arrays = answers.dataset.arrays
        part = PARTS.index(next(name for name, ids in answers.dataset.parts.items() if answers.ids[0] in ids))
        table, logits = arrays["streams"], np.asarray(answers.outputs)
        first = int(table[table[:, PART] == part, FRAMES].min())
        sure = np.zeros((int(table[table[:, PART] == part, COUNT].sum()), len(arrays["hotwords"])), np.float32)
        for piece, some in zip(answers.ids, logits, strict=True):
            start = int(arrays["start"][piece]) - first
            count = min(len(some), int(arrays["stop"][piece]) - first - start)
            if count > 0:
                sure[start : start + count] = softmax(some[:count])[:, FIRST + arrays["hotwords"]]
        found: dict[int, list[Stream]] = {snr: [] for snr in SNRS}
        for number in np.flatnonzero(table[:, PART] == part):
            begin = int(table[number, FRAMES]) - first
            track = sure[begin : begin + int(table[number, COUNT])]
            for k in range(len(arrays["hotwords"])):
                found[int(table[number, SNR])].append(self._stream(track[:, k], answers.dataset, int(number), k))
        return found

    def _stream(self, track: np.ndarray, dataset: Dataset, number: int, hotword: int) -> Stream:
        words = dataset.arrays["words"]
        own = words[(words[:, STREAM] == number) & (words[:, LABEL] == dataset.arrays["hotwords"][hotword])]
        hear = self.spectra
        times = (np.arange(len(track)) * hear.hop + hear.window) / hear.rate
        return Stream(track, times, own[:, [START, STOP]] / hear.rate, len(track) * hear.seconds)


def smoothed(heard: list[Stream], decoder: Decoder) -> list[Stream]:
    """The streams with what the decoder judges instead of what was heard."""
    return [one._replace(track=decoder.smoothed(one.track)) for one in heard]


def softmax(logits: np.ndarray) -> np.ndarray:
    """[..., V] -> shares [..., V]; the padding's, 0, is none."""
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares[..., 0] = 0
    return shares / shares.sum(axis=-1, keepdims=True)
