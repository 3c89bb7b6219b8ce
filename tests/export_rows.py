"""Every row's model, small, with random parameters and inputs: nothing is trained or read."""

import inspect
from typing import Any

import jax
import numpy as np

from seqjax import experiment as experiments
from seqjax.models.sounds import SoundClassifier

SMALL = {"vocabulary_size": 50, "embedding_size": 8, "units": 6}
GIVEN = {"shakespeare_lstm": {"vocabulary_size": 20}, "imdb_glove": {"embedding_size": 8}}
ROWS = 5


def small(name: str, **knobs: Any) -> tuple[Any, Any, Any]:
    """-> (experiment, parameters, inputs [5, ...])"""
    function = experiments.load(experiments.find(name))
    known = inspect.signature(function).parameters
    chosen = {**SMALL, **GIVEN.get(name, {}), **knobs}
    experiment = function(**{knob: value for knob, value in chosen.items() if knob in known})
    inputs = jax.tree.map(lambda leaf: np.repeat(np.asarray(leaf), ROWS, axis=0), example(name, experiment.model))
    if isinstance(experiment.model, SoundClassifier):
        inputs = inputs[0], np.array([16, 9, 1, 3, 7], np.int32)
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(experiment.model.init, jax.random.key(0), inputs).get("params", {})
    return experiment, jax.tree.map(lambda s: rng.normal(size=s.shape, scale=0.3).astype(np.float32), shapes), inputs


def example(name: str, model: Any) -> Any:
    """Inputs of one row."""
    if hasattr(model, "example"):
        return model.example()
    if name.startswith(("jena", "adding")):
        return np.zeros((1, 120, 2 if name == "adding" else 14), np.float32)
    if name.startswith(("csv_lstm", "csv_naive", "random")):
        return np.zeros((1, 24, 3), np.float32), np.zeros((1, 3), np.float32)
    tokens = np.zeros((1, 12), np.int32)
    return (tokens, np.zeros((1, 12), np.float32)) if "tfidf" in name else tokens
