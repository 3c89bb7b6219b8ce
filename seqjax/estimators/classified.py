"""What the classifiers share: probabilities from logits, and the likeliest class.

Legend: N examples, K classes.
"""

import dataclasses
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin


class Classified(ClassifierMixin):
    """A classifier that has `classes_` and `predict_proba`."""

    classes_: np.ndarray

    def predict_proba(self, X: Any) -> np.ndarray:
        """[N, K] float64: of each class, in the order of `classes_`; a row's sum is 1."""
        raise NotImplementedError

    def predict(self, X: Any) -> np.ndarray:
        """[N]: the likeliest class, the first of equals."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likeliest]


def shares(logits: np.ndarray) -> np.ndarray:
    """[N] logits of the second of two classes, or [N, K] -> probabilities [N, K] float64."""
    from seqjax.training.classification import probabilities

    return probabilities(_Answered(logits))  # type: ignore[arg-type]


@dataclasses.dataclass(frozen=True)
class _Answered:
    outputs: np.ndarray
