"""How good translations are, over all of a part: BLEU and chrF by sacrebleu, and how many are exactly right.

Texts are compared as `sentences.standard` leaves them: in lower case with their marks, whatever the tokens were. A
source that occurs several times in a part counts once, with all its translations as references.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqjax.data.dataset import Answers

Texts = Sequence[str]
References = Sequence[Sequence[str]]
"""Of each answer, one or more."""


def _metric(name: str) -> Any:
    import sacrebleu

    # Lower case on both sides already: `lowercase` says so in the signature.
    return sacrebleu.BLEU(lowercase=True, tokenize="13a") if name == "bleu" else sacrebleu.CHRF(lowercase=True)


def _streams(references: References) -> list[list[str | None]]:
    """As sacrebleu wants them: the k-th reference of all answers, None where there are fewer."""
    most = max(map(len, references), default=1)
    return [[own[k] if k < len(own) else None for own in references] for k in range(most)]


def bleu(answers: Texts, references: References) -> float:
    """Corpus BLEU, 0 to 100: lower case, tokens as 13a."""
    return _metric("bleu").corpus_score(list(answers), _streams(references)).score


def chrf(answers: Texts, references: References) -> float:
    """Corpus chrF2, 0 to 100."""
    return _metric("chrf").corpus_score(list(answers), _streams(references)).score


def exact(answers: Texts, references: References) -> float:
    """The share of answers that are a reference, to the letter."""
    return sum(answer in own for answer, own in zip(answers, references, strict=True)) / max(1, len(answers))


SCORES: Mapping[str, Callable[[Texts, References], float]] = {"bleu": bleu, "chrf": chrf, "exact": exact}
PERFECT = {"bleu": 100.0, "chrf": 100.0, "exact": 1.0}
