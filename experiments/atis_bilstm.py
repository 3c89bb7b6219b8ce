"""Many to many, aligned: a slot of ATIS for each word, by embedding 100, BiLSTM 100, Dense. 286,528 parameters.

python -m seqjax.main --experiment=atis_bilstm --threads=1

slot_f1 is that of seqeval, on the official test part; Elman networks have 94 to 95 there in the papers (Mesnil et al.
2013, 2015). The knobs were chosen on the validation part alone.
"""

from seqjax.data.text import slots
from seqjax.data.text.atis import Atis
from seqjax.experiment import Experiment
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import LSTM
from seqjax.models.taggers import RecurrentTagger, tags_of
from seqjax.training import metrics
from seqjax.training.optimizers import optimizer


def experiment(
    *,
    vocabulary_size: int = 1000,
    tags: int = 128,
    mask_digits: bool = True,
    group_lengths: bool = True,
    embedding_size: int = 100,
    units: int = 100,
    context: int = 1,
    dropout: float = 0.5,
    word_dropout: float = 0.05,
    learning_rate: float = 1e-3,
    epochs: int = 40,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    layer = Bidirectional(LSTM(units, return_sequences=True))
    return Experiment(
        source=Atis(vocabulary_size, tags, mask_digits, grouped=group_lengths),
        model=RecurrentTagger(vocabulary_size, embedding_size, layer, tags, dropout, word_dropout, context),
        loss=metrics.token_cross_entropy,
        metrics={"token_accuracy": metrics.token_accuracy},
        optimizer=optimizer("adam", learning_rate, clip_norm=5.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        answer=lambda model, params, words: tags_of(model.apply({"params": params}, words), words),
        scores={"slot_f1": slots.slot_f1, "strict_slot_f1": slots.strict_slot_f1, "slots": slots.slot_table},
    )
