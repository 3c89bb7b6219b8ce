"""One example of each kind of sequence, all generated."""

from typing import Any

import numpy as np

from seqjax.data import sample_digits
from seqjax.data.series import sample_climate
from seqjax.data.sound import sample_words
from seqjax.data.text import sample_reviews
from seqjax.data.text.vectorizer import Vectorizer
from seqjax.lecture.drawing import drawn
from seqjax.lecture.section import Picture

RATE = 8000


def four() -> Picture:
    """A series, a text, a sound, pictures in time."""
    climate = sample_climate.climate(years=1).values[:240, 1]
    texts = sample_reviews.reviews(train=200, test=20).train_texts
    ids = Vectorizer.fit(texts)([texts[0]])[0]
    ids = ids[ids > 0]
    sound = sample_words.spoken(sample_words.WORDS[1], 1.0, RATE, np.random.default_rng(0))
    digit = np.asarray(sample_digits.glyphs()[3], np.float32).reshape(8, 8)

    def draw(canvas: Any) -> None:
        (series, text), (audio, video) = canvas.subplots(2, 2)
        series.plot(np.arange(240) / 24, climate, color="C0")
        series.set(title="a time series", xlabel="days", ylabel="°C")
        text.plot(ids, "o", color="C1", markersize=4)
        text.set(title="a text, as numbers of words", xlabel="place", ylabel="number")
        audio.plot(np.arange(len(sound)) / RATE, sound, color="C2", linewidth=0.4)
        audio.set(title="a sound", xlabel="seconds", ylabel="pressure")
        frames = np.concatenate([np.pad(digit, ((k, 6 - k), (2 * k, 12 - 2 * k))) for k in (0, 3, 6)], axis=1)
        video.imshow(frames, cmap="viridis", aspect="auto")
        video.set(title="three frames of a video", xlabel="columns", ylabel="rows")
        video.grid(visible=False)

    caption = "All generated here (sample data). Turn any of them round, or mix its steps, and it is another one."
    return Picture("Four kinds of sequence", caption, drawn(4.4, draw))
