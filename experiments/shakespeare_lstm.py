"""Many to many: a language model of characters, LSTM 512, by truncated backpropagation. 1,219,650 parameters.

python -m seqjax.main --experiment=shakespeare_lstm
python -m seqjax.main --mode=generate --workdir=runs/shakespeare_lstm --prompt="ROMEO:" --length=500

nats: mean of -ln P of a character, the state carried through the part (results.json has that of pieces each read from
nothing, too, under `details`). The first 90 % of the text are for training and validation, the last 10 % for the
test; nanoGPT's `val`, published as 1.88 for its budget on a CPU and 1.47 for that on a GPU, is this test part.
"""

from typing import Literal

import optax

from seqjax.data.text.characters import Characters, cold_pieces
from seqjax.experiment import Experiment
from seqjax.layers.composite import Stacked
from seqjax.layers.named import named
from seqjax.models.language import LanguageModel, surprise
from seqjax.training import metrics
from seqjax.training.optimizers import optimizer


def experiment(
    *,
    file: str | None = None,
    vocabulary_size: int | None = None,
    cell: Literal["lstm", "gru", "rnn", "mingru", "minlstm", "lru"] = "lstm",
    units: int = 512,
    layers: int = 1,
    embedding_size: int | None = None,
    tied: bool = False,
    dropout: float = 0.4,
    recurrent_dropout: float = 0.0,
    stateful: bool = True,
    sequence_length: int = 100,
    learning_rate: float = 4e-3,
    half_life: int = 1500,
    epochs: int = 25,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    options = {"return_sequences": True, "return_state": True, "recurrent_dropout": recurrent_dropout}
    name = "simple_rnn" if cell == "rnn" else cell
    layer = Stacked([named(name, units, **options) for _ in range(layers)], dropout=dropout)
    size = vocabulary_size or 0  # as the data tell
    return Experiment(
        source=Characters(batch_size, sequence_length, file, stateful=stateful),
        model=LanguageModel(size, layer, embedding_size, dropout, tied, stateful),
        loss=metrics.token_cross_entropy,
        metrics={"nats": metrics.token_cross_entropy},
        optimizer=optimizer("adam", optax.exponential_decay(learning_rate, half_life, 0.5), clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        answer=surprise,
        scores={"cold": cold_pieces},
    )
