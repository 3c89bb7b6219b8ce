"""spa-eng, English to Spanish: an encoder-decoder of GRUs with attention. 8,443,848 parameters.

python -m seqjax.main --experiment=spa_eng_gru
python -m seqjax.main --experiment=spa_eng_gru --set=split=book --set=tokens=book --set=words=15000 --set=length=20

The second is the setting of chapter 11 of *Deep Learning with Python* (2nd edition), whose GRUs of 1024 units have 64 %
of the next tokens right (`accuracy`). By its split 18 % of the test part's sentences stand in the training part;
`details` in results.json says what that is worth.
"""

from typing import Literal

import optax

from seqjax.data.text.sentences import Way
from seqjax.data.text.spa_eng import SpaEng
from seqjax.data.text.translation_scores import scores
from seqjax.experiment import Experiment
from seqjax.models.translate import Translate
from seqjax.models.translation import AttentionName, CellName, Translator
from seqjax.training import metrics
from seqjax.training.optimizers import optimizer


def experiment(
    *,
    split: Literal["sentence", "book"] = "sentence",
    tokens: Way = "words",
    length: int | None = None,
    words: int = 13_000,
    embedding_size: int = 256,
    units: int = 256,
    cell: CellName = "gru",
    attention: AttentionName = "additive",
    feeding: bool = False,
    tied: bool = True,
    dropout: float = 0.3,
    beam: int = 1,
    learning_rate: float = 2e-3,
    half_life: int = 3000,
    epochs: int = 10,
    batch_size: int = 64,
    seed: int = 0,
) -> Experiment:
    return Experiment(
        source=SpaEng(tokens, 1 if tokens == "book" else 2, words, words, length, split),
        model=Translator(words, words, embedding_size, units, cell, attention, feeding, dropout, tied),
        loss=metrics.token_cross_entropy,
        metrics={"accuracy": metrics.token_accuracy},
        optimizer=optimizer("adam", optax.exponential_decay(learning_rate, half_life, 0.5), clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        answer=Translate(beam=beam),
        scores=scores("bleu", "chrf"),
    )
