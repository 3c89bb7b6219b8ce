"""GloVe on the training reviews: vectors of 20,000 words from counts of pairs. 10,280,000 parameters.

python -m seqjax.main --experiment=glove
python -m seqjax.analogies runs/glove --near=film,dreadful
"""

from typing import Any

import optax

from seqjax.data.text.cooccurrence import Cooccurrences
from seqjax.data.text.imdb import Reviews
from seqjax.experiment import Experiment
from seqjax.models.glove import GloVe


def experiment(
    *,
    window: int = 10,
    limit: float = 10.0,
    power: float = 0.75,
    vocabulary_size: int = 20_000,
    stem: str | None = None,
    fold_accents: bool = False,
    strip_special: bool = False,
    embedding_size: int = 256,
    learning_rate: float = 0.05,
    epochs: int = 15,
    batch_size: int = 16_384,
    seed: int = 0,
) -> Experiment:
    words: dict[str, Any] = {"stem": stem, "fold_accents": fold_accents, "strip_special": strip_special}
    return Experiment(
        source=Cooccurrences(Reviews(vocabulary_size, 1024, **words), window),
        model=GloVe(vocabulary_size, embedding_size, limit, power),
        loss=lambda outputs, targets: outputs[:, 0],
        metrics={"log_count_error": lambda outputs, targets: outputs[:, 1]},
        optimizer=optax.adagrad(learning_rate, initial_accumulator_value=0.0, eps=1e-16),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
