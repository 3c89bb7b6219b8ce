"""Loss, metrics and scores of a model that gives its verdict after every step, of two classes.

The outputs are logits [B, T]; the targets [B, T] are 1 or 2, the class, and 0 behind a sequence's end.

Legend: B batch, N examples, T steps.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.data.dataset import Answers
from seqjax.training import classification as whole
from seqjax.training.metrics import binary_cross_entropy


def prefix_cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """[B] nats of the class, the mean over the steps of a sequence: every prefix counts, and so does every sequence."""
    real = targets != 0
    nats = jnp.where(real, binary_cross_entropy(logits, targets == 2), 0)
    return jnp.sum(nats, axis=1) / jnp.maximum(jnp.sum(real, axis=1), 1)


def last_accuracy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """[B] 1 where the verdict after the last step is right, else 0."""
    last = jnp.maximum(jnp.sum(targets != 0, axis=1) - 1, 0)
    logit = jnp.take_along_axis(logits, last[:, None], axis=1)[:, 0]
    return ((logit > 0) == (targets[:, 0] == 2)).astype(jnp.float32)


def prefix_classification() -> dict[str, Any]:
    """`Experiment`'s loss, metrics and scores: those of the last verdict, and of every one (`prefixes`)."""
    scores = {
        "accuracy": whole.accuracy,
        "macro_f1": whole.macro_f1,
        "auroc": whole.auroc,
        "confusion": whole.confusion,
    }
    of_last: dict[str, Any] = {
        name: lambda answers, score=score: score(at_end(answers)) for name, score in scores.items()
    }
    metrics = {"accuracy": last_accuracy}
    return {"loss": prefix_cross_entropy, "metrics": metrics, "scores": {**of_last, "prefixes": prefixes}}


def lengths(answers: Answers) -> np.ndarray:
    """[N] steps of each sequence."""
    return (answers.targets != 0).sum(axis=1)


def at_end(answers: Answers) -> Answers:
    """The answers after the last steps, as `classification` takes them."""
    last = np.take_along_axis(answers.outputs, lengths(answers)[:, None] - 1, axis=1)[:, 0]
    return dataclasses.replace(answers, outputs=last, targets=(answers.targets[:, 0] == 2).astype(np.float32))


def right(answers: Answers) -> np.ndarray:
    """[N, T] bool: the verdict is right; behind the end as it was there."""
    steps = np.minimum(np.arange(answers.outputs.shape[1])[None], lengths(answers)[:, None] - 1)
    verdicts = np.take_along_axis(answers.outputs, steps, axis=1) > 0
    return verdicts == (answers.targets[:, :1] == 2)


def prefixes(answers: Answers) -> dict[str, Any]:
    """How soon the verdicts are right.

    Returns:
      `steps` 1, 2, 4, ..., and the `accuracy` after so many: of all sequences, of shorter ones at their end;
      `best_possible`, where the data have the `log_odds` that the best judge would give;
      `settled`: after how many steps a verdict is right and stays right, its `median` and `p90` over all sequences
      (None: so many never are), and the share that is `never`.
    """
    found = right(answers)
    steps = [2**k for k in range(int(np.log2(found.shape[1])) + 1)]
    steps += [found.shape[1]] * (steps[-1] < found.shape[1])
    wrong = ~found
    settled = np.where(wrong.any(axis=1), found.shape[1] - wrong[:, ::-1].argmax(axis=1), 0) + 1.0
    settled[wrong[:, -1]] = np.inf
    result = {
        "steps": steps,
        "accuracy": [float(found[:, step - 1].mean()) for step in steps],
        "settled": {
            **{
                name: _finite(float(np.quantile(settled, share, method="inverted_cdf")))
                for name, share in QUANTILES.items()
            },
            "never": float(np.isinf(settled).mean()),
        },
    }
    known = answers.dataset.arrays.get("log_odds")
    if known is not None:
        last = lengths(answers) - 1
        odds = [known[answers.ids, np.minimum(step - 1, last)].astype(np.float64) for step in steps]
        result["best_possible"] = [float(np.mean(1 / (1 + np.exp(-np.abs(own))))) for own in odds]
    return result


QUANTILES = {"median": 0.5, "p90": 0.9}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
