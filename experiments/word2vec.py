"""Skip-gram with negative sampling on the training reviews: vectors of 20,000 words. 10,240,000 parameters.

python -m seqjax.main --experiment=word2vec
python -m seqjax.analogies runs/word2vec --near=film,dreadful
"""

import optax

from seqjax.data.blocks import Blocks
from seqjax.data.imdb import Reviews
from seqjax.experiment import Experiment
from seqjax.models.word2vec import Word2Vec


def experiment(
    *,
    method: str = "skip_gram",
    negatives: int = 5,
    window: int = 5,
    sample: float = 1e-3,
    vocabulary_size: int = 20_000,
    embedding_size: int = 256,
    learning_rate: float = 2e-3,
    epochs: int = 5,
    batch_size: int = 128,
    seed: int = 0,
) -> Experiment:
    return Experiment(
        source=Blocks(Reviews(vocabulary_size, 1024), sample=sample, hierarchical=negatives == 0),
        model=Word2Vec(vocabulary_size, embedding_size, method, window, negatives),
        loss=lambda outputs, targets: outputs[:, 0],
        metrics={"true_pairs": lambda outputs, targets: outputs[:, 1]},
        optimizer=optax.adam(learning_rate),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
