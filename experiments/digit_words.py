"""One to many: an image of a digit is spelled letter by letter, by Dense 512 and a GRU 64. 83,314 parameters.

python -m seqjax.main --experiment=digit_words --threads=1

word_accuracy is that of words spelled freely, letter_accuracy that of letters after the true letters before them.
The knobs were chosen on the validation part alone.
"""

from seqjax.data import digit_words
from seqjax.experiment import Experiment
from seqjax.models.speller import Speller, spell
from seqjax.training import metrics
from seqjax.training.optimizers import optimizer


def experiment(
    *,
    hidden: int = 512,
    embedding_size: int = 16,
    units: int = 64,
    dropout: float = 0.5,
    learning_rate: float = 1e-3,
    epochs: int = 50,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    return Experiment(
        source=digit_words.DigitWords(),
        model=Speller(digit_words.PIXELS, len(digit_words.LETTERS), hidden, embedding_size, units, dropout),
        loss=metrics.token_cross_entropy,
        metrics={"letter_accuracy": metrics.token_accuracy},
        optimizer=optimizer("adam", learning_rate, clip_norm=5.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        answer=spell,
        scores={"word_accuracy": digit_words.word_accuracy},
    )
