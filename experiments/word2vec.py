"""Skip-gram with negative sampling on the training reviews: vectors of 20,000 words. 10,240,000 parameters.

python -m seqjax.main --experiment=word2vec
python -m seqjax.analogies runs/word2vec --near=film,dreadful
"""

from typing import Any

from seqjax.data.text.blocks import Blocks
from seqjax.data.text.imdb import Reviews
from seqjax.experiment import Experiment
from seqjax.models.word2vec import Word2Vec
from seqjax.training.optimizers import adagrad_rows


def experiment(
    *,
    method: str = "skip_gram",
    negatives: int = 5,
    window: int = 5,
    sample: float = 1e-3,
    power: float = 0.75,
    vocabulary_size: int = 20_000,
    stem: str | None = None,
    fold_accents: bool = False,
    strip_special: bool = False,
    embedding_size: int = 256,
    learning_rate: float = 0.15,
    epochs: int = 5,
    batch_size: int = 256,
    seed: int = 0,
) -> Experiment:
    words: dict[str, Any] = {"stem": stem, "fold_accents": fold_accents, "strip_special": strip_special}
    room = 0.72 if 0 < sample <= 1e-3 else 1.0  # 0.63 of the reviews' tokens are left at 1e-3; batches differ by 0.01
    return Experiment(
        source=Blocks(Reviews(vocabulary_size, 1024, **words), sample=sample, power=power, hierarchical=negatives == 0),
        model=Word2Vec(vocabulary_size, embedding_size, method, window, negatives, room=room),
        loss=lambda outputs, targets: outputs[:, 0],
        metrics={"true_pairs": lambda outputs, targets: outputs[:, 1]},
        optimizer=adagrad_rows(learning_rate, initial=2e-8),  # the 5,000th word's sum after half an epoch
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
