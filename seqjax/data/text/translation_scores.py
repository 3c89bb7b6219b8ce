"""How good translations are, over all of a part: BLEU and chrF by sacrebleu, and how many are exactly right.

Texts are compared as `sentences.standard` leaves them: in lower case with their marks, whatever the tokens were. A
source that occurs several times in a part counts once, with all its translations as references.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

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


def scores(*names: str) -> dict[str, Callable[[Answers], Any]]:
    """`Experiment.scores` of those names, and what belongs to them: sacrebleu's signatures, and how much of the part
    stands in the training part as well, and what that is worth.

    The answers are `tokens` [N, n, L], of which the first n counts; the dataset is a `pairs.Translations`.
    """
    found: dict[str, Callable[[Answers], Any]] = {name: _judge(SCORES[name]) for name in names}
    if signed := [name for name in names if name in ("bleu", "chrf")]:
        found["signatures"] = lambda answers: {name: _signature(name, answers) for name in signed}
    found["seen"] = lambda answers: _seen(SCORES[names[0]], answers)
    return found


def judged(answers: Answers) -> tuple[list[str], list[str], list[tuple[str, ...]]]:
    """Sources, answers and references of a part, each source once."""
    dataset: Any = answers.dataset
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for number, tokens in zip(answers.ids, answers.outputs["tokens"][:, 0], strict=True):
        source = dataset.sources[number]
        if source not in found:
            found[source] = dataset.words.decode(tokens), dataset.references[number]
    return list(found), [answer for answer, _ in found.values()], [own for _, own in found.values()]


def _judge(score: Callable[[Texts, References], float]) -> Callable[[Answers], float]:
    return lambda answers: score(*judged(answers)[1:])


def _signature(name: str, answers: Answers) -> str:
    metric = _metric(name)
    metric.corpus_score(judged(answers)[1], _streams(judged(answers)[2]))
    return str(metric.get_signature())


def _seen(score: Callable[[Texts, References], float], answers: Answers) -> dict[str, Any]:
    """The share of the sources that stand in the training part, and the score of those and of the others."""
    seen: dict[bool, tuple[list[str], list[tuple[str, ...]]]] = {True: ([], []), False: ([], [])}
    for source, answer, own in zip(*judged(answers), strict=True):
        texts, references = seen[source in answers.dataset.seen]  # pyright: ignore[reportAttributeAccessIssue]
        texts.append(answer)
        references.append(own)
    counts = {kind: len(texts) for kind, (texts, _) in seen.items()}
    scores = {kind: score(*seen[kind]) if counts[kind] else None for kind in seen}
    return {"share": counts[True] / sum(counts.values()), "of seen": scores[True], "of unseen": scores[False]}
