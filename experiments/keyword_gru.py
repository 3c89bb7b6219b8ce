"""Hotwords in continuous audio: convolutions 16 and 24, a GRU 96, Dense 12. 99,924 parameters.

python -m seqjax.main --experiment=keyword_gru
python -m seqjax.main --experiment=keyword_gru --set=words=seven,zero --set=speaker=theo

miss_rate: of the hotwords at 20 dB, with at most one false alarm an hour. Everything else is in results.json under
`details`: other ratios, the curves, what the threshold gives that was decided on the validation streams.
"""

import optax

from seqjax.data.sound.hotwords import FIRST, Hotwords
from seqjax.data.sound.spectra import Spectra
from seqjax.experiment import Experiment
from seqjax.layers.recurrent import GRU
from seqjax.layers.spectral_augmentation import Augmentation
from seqjax.models.hotwords import HotwordDetector
from seqjax.training import metrics
from seqjax.training.hotword_scores import HotwordScores
from seqjax.training.optimizers import optimizer


def experiment(
    *,
    words: str = "seven",
    speaker: str = "yweweler",
    hours: float = 2.0,
    stream_seed: int = 0,
    classes: int | None = None,
    units: int = 96,
    dropout: float = 0.2,
    sequence_length: int = 150,
    learning_rate: float = 3e-3,
    half_life: int = 600,
    epochs: int = 12,
    batch_size: int = 16,
    seed: int = 0,
) -> Experiment:
    hear, judge = Spectra(hop=160), HotwordScores(Spectra(hop=160))
    layer = GRU(units, return_sequences=True, return_state=True)
    hotwords = tuple(filter(None, map(str.strip, words.split(","))))
    voices = Augmentation(speed=0, noise=0, time_masks=0)
    return Experiment(
        source=Hotwords(batch_size, hotwords, speaker, hours, sequence_length, hear, stream_seed),
        model=HotwordDetector(layer, FIRST + (classes or 10), dropout=dropout, augmentation=voices),
        loss=metrics.token_cross_entropy,
        metrics={"frame_accuracy": metrics.token_accuracy},
        optimizer=optimizer("adam", optax.exponential_decay(learning_rate, half_life, 0.5), clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        scores={"miss_rate": judge.miss_rate, "f1": judge.f1, "latency": judge.latency, "by_ratio": judge.by_ratio},
        decide=judge.decide,
    )
