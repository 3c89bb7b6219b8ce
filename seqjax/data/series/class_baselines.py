"""What classifiers of series are worth that need no training: the largest class, and the nearest neighbour.

Legend: N series, K classes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

MOST = 3e10
"""Products of the distances of the nearest neighbour: two seconds on a core. Where it takes more, it is left out."""


def baselines(
    numbers: np.ndarray, parts: Mapping[str, np.ndarray], flat: np.ndarray | None
) -> dict[str, dict[str, dict[str, float]]]:
    """`Dataset.baselines`: accuracy, balanced accuracy and macro F1 on validation and test part.

    Args:
      numbers: [N] the classes.
      parts: ids of each part.
      flat: [N, values of a series] for the Euclidean distance; None: the series are of unlike length.
    """
    train, tried = parts["train"], ("validation", "test")
    largest = np.bincount(numbers[train]).argmax()
    score = lambda guessed, part: _scores(numbers[parts[part]], guessed)
    found = {"largest_class": {part: score(np.full(len(parts[part]), largest), part) for part in tried}}
    if flat is None or len(train) * sum(len(parts[part]) for part in tried) * flat.shape[1] > MOST:
        return found
    from sklearn.neighbors import KNeighborsClassifier

    nearest = KNeighborsClassifier(1, algorithm="brute").fit(flat[train], numbers[train])
    return found | {"nearest_neighbour": {part: score(nearest.predict(flat[parts[part]]), part) for part in tried}}


def _scores(truth: np.ndarray, guessed: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, f1_score, recall_score

    own: Any = {"average": "macro", "zero_division": 0}
    return {
        "accuracy": float(accuracy_score(truth, guessed)),
        "balanced_accuracy": float(recall_score(truth, guessed, labels=np.unique(truth), **own)),
        "macro_f1": float(f1_score(truth, guessed, **own)),
    }
