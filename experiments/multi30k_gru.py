"""Multi30k, German to English: an encoder-decoder of GRUs with attention. 5,364,848 parameters.

python -m seqjax.main --experiment=multi30k_gru
python -m seqjax.main --experiment=multi30k_gru --set=attention=none
python -m seqjax.main --mode=predict --workdir=runs/multi30k_gru --input=sentences.txt --beam=5

BLEU is sacrebleu's, in lower case, of the test part of 2016; nats are those of a token of the target.
"""

import functools

import optax

from seqjax.data.text.multi30k import Language, Multi30k
from seqjax.data.text.translation_scores import scores
from seqjax.experiment import Experiment
from seqjax.models.translate import Translate
from seqjax.models.translation import AttentionName, CellName, Translator
from seqjax.training import metrics
from seqjax.training.optimizers import optimizer


def experiment(
    *,
    source: Language = "de",
    target: Language = "en",
    min_count: int = 2,
    source_words: int = 8_000,
    target_words: int = 6_000,
    embedding_size: int = 256,
    units: int = 256,
    cell: CellName = "gru",
    attention: AttentionName = "additive",
    feeding: bool = False,
    tied: bool = True,
    dropout: float = 0.3,
    label_smoothing: float = 0.1,
    beam: int = 1,
    learning_rate: float = 2e-3,
    half_life: int = 1500,
    epochs: int = 10,
    batch_size: int = 64,
    seed: int = 0,
) -> Experiment:
    return Experiment(
        source=Multi30k("words", min_count, source_words, target_words, source=source, target=target),
        model=Translator(source_words, target_words, embedding_size, units, cell, attention, feeding, dropout, tied),
        loss=functools.partial(metrics.smoothed_token_cross_entropy, smoothing=label_smoothing),
        metrics={"nats": metrics.token_cross_entropy, "accuracy": metrics.token_accuracy},
        optimizer=optimizer("adam", optax.exponential_decay(learning_rate, half_life, 0.5), clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        answer=Translate(beam=beam),
        scores=scores("bleu", "chrf"),
    )
