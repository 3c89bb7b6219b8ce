"""Audio as it comes: raw PCM, 16-bit little-endian, one channel, at the run's rate; a line for every hotword.

What `arecord -f S16_LE -r 8000 -t raw` and `ffmpeg -f s16le -ac 1 -ar 8000 -` write. A WAV file is refused: its header
would be heard as a click, and its rate would not be known.

Legend: V classes, H hotwords.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from seqjax.data.dataset import Step
from seqjax.data.sound import waveforms
from seqjax.data.sound.alarms import Alarms, Decoder
from seqjax.data.sound.spectra import Hearing, Spectra
from seqjax.errors import UserError

HEADER = "seconds\tword\tsure"
FULL = 32_768.0


class HotwordStream:
    """See `dataset.Stream`: seconds from the beginning to the end of the window in which the word was heard, the word,
    and how likely it was, in the mean of the decoder's frames."""

    carried = True
    header = HEADER

    def __init__(self, hear: Spectra, words: Sequence[str], classes: Sequence[int], decoder: Decoder, name: str):
        """Args: words: the hotwords [H]. classes: [H] among the model's V. name: of the stream, for messages."""
        self.hear, self.words, self.classes, self.name = hear, words, list(classes), name
        self.example = np.zeros(hear.features, np.float32)
        self.hearing = Hearing(hear)
        self.alarms = [Alarms(decoder) for _ in words]
        self.rest, self.frames, self.begun = b"", 0, False

    def read(self, data: bytes) -> Iterator[Step]:
        """See `dataset.Stream`."""
        if not self.begun and len(self.rest) + len(data) < 12:  # too little to tell
            self.rest += data
            return
        data = self.rest + data
        if not self.begun and waveforms.is_wav(data):
            raise UserError(
                f"{self.name}: this is a WAV file: raw 16-bit samples of {self.hear.rate} Hz are expected, as by "
                f"ffmpeg -i FILE -f s16le -ac 1 -ar {self.hear.rate} -"
            )
        self.begun = True
        yield from self._steps(data)

    def end(self) -> Iterator[Step]:
        """See `dataset.Stream`: a window that is not full is no frame."""
        self.begun, data = True, self.rest
        yield from self._steps(data)

    def _steps(self, data: bytes) -> Iterator[Step]:
        whole = len(data) // 2 * 2
        self.rest = data[whole:]
        for frame in self.hearing(np.frombuffer(data[:whole], "<i2").astype(np.float32) / np.float32(FULL)):
            yield Step(frame.astype(np.float16).astype(np.float32))  # as training's streams are kept

    def line(self, step: Step, output: np.ndarray) -> str | None:
        """See `dataset.Stream`; output are logits [V], the first of them of padding."""
        del step
        seconds = (self.frames * self.hear.hop + self.hear.window) / self.hear.rate
        self.frames += 1
        logits = output[1:].astype(np.float64)
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        lines = []
        for word, k, alarm in zip(self.words, self.classes, self.alarms, strict=True):
            now, mean = alarm(shares[k - 1])
            lines += [f"{seconds:.3f}\t{word}\t{mean:.4f}"] * now
        return "\n".join(lines) or None

    def state(self) -> dict[str, Any]:
        """See `dataset.Stream`: samples that are in no frame yet."""
        return {
            "rest": self.rest.hex(),
            "samples": self.hearing.rest.tolist(),
            "frames": self.frames,
            "begun": self.begun,
            "alarms": [alarm.state() for alarm in self.alarms],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """See `dataset.Stream`."""
        samples = np.array(state["samples"], np.float32)
        if samples.ndim != 1 or not all(map(math.isfinite, samples)):
            raise ValueError("no samples")
        self.rest, self.begun = bytes.fromhex(state["rest"]), bool(state["begun"])
        self.hearing.rest, self.frames = samples, int(state["frames"])
        for alarm, own in zip(self.alarms, state["alarms"], strict=True):
            alarm.restore(own)
