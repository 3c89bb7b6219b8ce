"""Loss, metrics and scores of a classifier: of two classes by one logit, of more by a logit each.

Scores are scikit-learn's, on all answers of a part.

Legend: B batch, N examples, K classes.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from seqjax.data.dataset import Answers
from seqjax.training import metrics

Loss = Callable[[Any, Any], jax.Array]
BINS = 15
"""Of a calibration curve, equally wide: as Guo et al. 2017 (arXiv 1706.04599)."""


def classification(classes: int, *, weighted: bool = False, quoted: str = "accuracy") -> dict[str, Any]:
    """`Experiment`'s loss, metrics and scores.

    Args:
      classes: K. Of two the outputs are logits [B] and the targets float 0 or 1; of more, logits [B, K] and int.
      weighted: targets are pairs: these, and the weights [B] of their losses.
      quoted: the score that stands first: `accuracy`, `macro_f1`, or `f1` of the second of two classes.
    """
    loss, hit = metrics.cross_entropy, metrics.accuracy
    scores: dict[str, Callable[[Answers], Any]] = {"accuracy": accuracy, "macro_f1": macro_f1, "auroc": auroc}
    if classes == 2:
        loss, hit = metrics.binary_cross_entropy, metrics.binary_accuracy
        scores["f1"] = f1
    else:
        scores["macro_auroc"] = macro_auroc
    scores |= {"balanced_accuracy": balanced_accuracy, "log_loss": log_loss, "ece": ece}
    scores = {quoted: scores[quoted], **scores, "f1_of": f1_of, "confusion": confusion, "calibration": calibration}
    if weighted:
        loss, hit = _weighted(loss), _unweighted(hit)
    return {"loss": loss, "metrics": {"accuracy": hit}, "scores": scores}


def _weighted(loss: Loss) -> Loss:
    return lambda outputs, targets: targets[1] * loss(outputs, targets[0])


def _unweighted(metric: Loss) -> Loss:
    return lambda outputs, targets: metric(outputs, targets[0])


def truth(answers: Answers) -> np.ndarray:
    """[N] int: the classes of the targets."""
    targets = answers.targets[0] if isinstance(answers.targets, tuple) else answers.targets
    return np.asarray(targets).astype(np.int64)


def guesses(answers: Answers) -> np.ndarray:
    """[N] int: the likeliest classes, the first of equals."""
    return answers.outputs.argmax(axis=1) if answers.outputs.ndim > 1 else (answers.outputs > 0).astype(np.int64)


def probabilities(answers: Answers) -> np.ndarray:
    """[N, K] float64: of the classes, each row of sum 1."""
    logits = np.asarray(answers.outputs, np.float64)
    if logits.ndim == 1:
        logits = np.stack([np.zeros_like(logits), logits], axis=1)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def accuracy(answers: Answers) -> float:
    """The share of right answers."""
    return float((truth(answers) == guesses(answers)).mean())


def balanced_accuracy(answers: Answers) -> float:
    """The plain mean of the shares of each class that are answered right; one that does not occur does not count."""
    from sklearn.metrics import recall_score

    right = truth(answers)
    own: Any = {"average": "macro", "labels": np.unique(right), "zero_division": 0}
    return float(recall_score(right, guesses(answers), **own))


def log_loss(answers: Answers) -> float:
    """-log probability of the right class in nats, the plain mean over examples (the loss may be weighted)."""
    from sklearn.metrics import log_loss as nats

    shares = probabilities(answers)
    return float(nats(truth(answers), shares, labels=range(shares.shape[1])))


def macro_f1(answers: Answers) -> float:
    """The plain mean of the classes' F1; one that is neither there nor guessed does not count."""
    from sklearn.metrics import f1_score

    own: Any = {"average": "macro", "zero_division": 0}
    return float(f1_score(truth(answers), guesses(answers), **own))


def f1(answers: Answers) -> float:
    """F1 of the second of two classes."""
    return f1_of(answers)[answers.dataset.classes[1]]


def f1_of(answers: Answers) -> dict[str, float]:
    """F1 of each class by its name; 0 of one that is neither there nor guessed."""
    from sklearn.metrics import f1_score

    names = answers.dataset.classes
    own: Any = {"average": None, "labels": range(len(names)), "zero_division": 0}
    return dict(zip(names, map(float, np.array(f1_score(truth(answers), guesses(answers), **own))), strict=True))


def auroc(answers: Answers) -> float | dict[str, float]:
    """The area under the ROC curve; of more than two classes a dict: of each one against the rest, where both occur."""
    from sklearn.metrics import roc_auc_score

    right, outputs = truth(answers), np.asarray(answers.outputs, np.float64)
    if outputs.ndim == 1:
        return float(roc_auc_score(right, outputs)) if 0 < right.mean() < 1 else 0.5
    shares = probabilities(answers)
    return {
        name: float(roc_auc_score(right == k, shares[:, k]))
        for k, name in enumerate(answers.dataset.classes)
        if 0 < (right == k).sum() < len(right)
    }


def macro_auroc(answers: Answers) -> float:
    """The plain mean of `auroc`'s areas, of more than two classes; 1/2 where a single one occurs."""
    found = auroc(answers)
    return float(np.mean(list(found.values()) or [0.5])) if isinstance(found, dict) else found


def calibration(answers: Answers) -> dict[str, list[float]]:
    """How often the likeliest class is right where it is given some probability (Guo et al. 2017).

    Returns:
      of each of the BINS that is not empty: `confidence`, the mean probability of the likeliest class; `accuracy`, how
      many of these were right; `count`.
    """
    from sklearn.calibration import calibration_curve

    sure, hits = probabilities(answers).max(axis=1), truth(answers) == guesses(answers)
    if not len(sure):
        return {"confidence": [], "accuracy": [], "count": []}
    right, said = calibration_curve(hits, sure, n_bins=BINS, pos_label=True)
    inner = np.linspace(0, 1, BINS + 1)[1:-1]
    counts = np.bincount(np.searchsorted(inner, sure), minlength=BINS)
    rounded = lambda values: [round(float(value), 6) for value in values]
    return {"confidence": rounded(said), "accuracy": rounded(right), "count": counts[counts > 0].tolist()}


def ece(answers: Answers) -> float:
    """The expected calibration error: the mean of |accuracy - confidence| over `calibration`'s bins by their counts."""
    found = calibration(answers)
    gaps = np.abs(np.subtract(found["accuracy"], found["confidence"]))
    return float(np.average(gaps, weights=found["count"])) if len(gaps) else 0.0


def confusion(answers: Answers) -> dict[str, Any]:
    """{"classes": names [K], "counts": [K][K]}: how many of each class (row) were taken for each (column)."""
    from sklearn.metrics import confusion_matrix

    names = answers.dataset.classes
    counts = confusion_matrix(truth(answers), guesses(answers), labels=range(len(names)))
    return {"classes": list(names), "counts": counts.tolist()}


def some_beside(name: str, judged: Mapping[str, Any]) -> dict[str, Any]:
    """What `classification` gives, where some examples of a part do not count, but have an accuracy of their own.

    Args:
      name: of these; their score is `accuracy_NAME`, where there are any.
      judged: for targets that are pairs then: as before, and 1 or 0 [B]: whether an example counts.
    """
    beside = f"accuracy_{name}"

    def alone(function: Loss) -> Callable[[Any, Any], tuple[jax.Array, jax.Array]]:
        return lambda outputs, targets: (targets[1] * function(outputs, targets[0]), targets[1])

    def only(score: Callable[[Answers], Any], counts: bool) -> Callable[[Answers], Any]:
        return lambda answers: score(_those(answers, answers.targets[1].astype(bool) == counts))

    scores = {name: only(score, True) for name, score in judged["scores"].items()}
    scores[beside] = only(lambda answers: accuracy(answers) if len(answers.ids) else {}, False)
    return {
        "loss": alone(judged["loss"]),
        "metrics": {name: alone(metric) for name, metric in judged["metrics"].items()},
        "scores": scores,
    }


def _those(answers: Answers, chosen: np.ndarray) -> Answers:
    """The chosen [N] bool of the answers."""
    outputs, targets, ids = jax.tree.map(lambda leaf: leaf[chosen], (answers.outputs, answers.targets, answers.ids))
    return Answers(outputs, targets, ids, answers.dataset)
