"""Spoken digits: convolutions 16, 24, 24, a bidirectional GRU 64, its maximum over time, Dense 10. 81,562 parameters.

python -m seqjax.main --experiment=digits_gru
python -m seqjax.main --experiment=digits_gru --sweep=speaker=george,jackson,lucas,nicolas,theo,yweweler,none
"""

from typing import Literal

import optax

from seqjax.data.sound.labelled_sounds import LabelledSounds
from seqjax.data.sound.spectra import Spectra
from seqjax.experiment import Experiment
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import GRU
from seqjax.layers.spectral_augmentation import Augmentation
from seqjax.models.sounds import SoundClassifier
from seqjax.training.classification import classification, some_beside
from seqjax.training.optimizers import optimizer


def experiment(
    *,
    file: str | None = None,
    classes: int | None = None,
    speaker: str | None = "last",
    validation: Literal["takes", "speaker"] = "takes",
    augment: bool = True,
    units: int = 64,
    dropout: float = 0.2,
    learning_rate: float = 2e-3,
    half_life: int = 500,
    epochs: int = 12,
    batch_size: int = 16,
    seed: int = 0,
) -> Experiment:
    layer = Bidirectional(GRU(units, return_sequences=True))
    model = SoundClassifier(layer, (16, 24, 24), dropout, classes or 10, Augmentation() if augment else None)
    return Experiment(
        source=LabelledSounds(file, classes, speaker, validation, Spectra()),
        model=model,
        **some_beside("of_heard_speakers", classification(classes or 10)),
        optimizer=optimizer("adam", optax.exponential_decay(learning_rate, half_life, 0.5), clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
