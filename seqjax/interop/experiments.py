"""A `.keras` file of one of the lecture's models as parameters of the experiment's module.

Legend: B batch, T time, V vocabulary, K most distinct words in a text.
"""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from seqjax.data.dataset import Dataset
from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.interop.convert import Adapter, Converted
from seqjax.interop.keras_models import from_keras, import_keras
from seqjax.interop.layers import check_like, shapes
from seqjax.training import metrics

BATCH, TIME = 8, 16
"""Size of the inputs that are tried, where the Keras model leaves it open."""


def from_keras_file(path: str | Path, experiment: Experiment) -> Converted:
    """Load a `.keras` file, and give its weights to the experiment's model.

    The Keras model may take multi-hot vectors where ours takes the words' ids, and end in a sigmoid where ours gives
    the logit.

    Args:
      path: of a model saved by Keras 3, with one input.
      experiment: with the knobs (`units`, ...) of that model.

    Returns:
      the parameters, and the largest difference between the outputs on random inputs.

    Raises:
      UserError: the file cannot be read, or the model is another one.
    """
    keras = import_keras()
    path = Path(path)
    if not path.is_file() or path.suffix != ".keras":
        raise UserError(f"{path} is not a .keras file" if path.exists() else f"{path} does not exist")
    try:
        with jax.numpy_rank_promotion("allow"):  # as in KerasModel.run
            model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # zipfile, h5py, json and Keras raise whatever the damage makes them meet
        reason = str(error).partition("\n")[0]
        raise UserError(f"{path} cannot be read by Keras {keras.__version__}: {reason}") from error
    if len(model.inputs) != 1:
        raise UserError(f"{path}: the model has {len(model.inputs)} inputs; the lecture's have one")
    probability = getattr(model.layers[-1], "activation", None) is keras.activations.sigmoid
    logits = experiment.loss is metrics.binary_cross_entropy
    shape = tuple(model.inputs[0].shape)[1:]
    encoding = getattr(experiment.source, "encoding", None)  # of reviews; weather has none
    adapter = Adapter(
        inputs=(lambda ids: multi_hot(ids, shape[-1])) if encoding == "multi_hot" else np.asarray,
        outputs=jax.nn.sigmoid if probability and logits else np.asarray,
    )
    return from_keras(model, experiment.model, example(experiment, shape, encoding), adapter)


def example(experiment: Experiment, shape: tuple[int | None, ...], encoding: str | None) -> np.ndarray:
    """Random inputs of the experiment's model, padded as its data are.

    Args:
      experiment: whose.
      shape: of the Keras model's input without B; None where it is open.
      encoding: of reviews, or None.

    Raises:
      UserError: the shape is not that of such inputs.
    """
    if len(shape) != (2 if encoding is None else 1) or (encoding == "multi_hot" and shape[0] is None):
        wanted = {None: "[B, T, D]", "int": "[B, T]", "multi_hot": "[B, V]"}[encoding]
        raise UserError(f"the Keras model takes inputs of shape {(None, *shape)}, but the experiment's are {wanted}")
    rng = np.random.default_rng(1)
    if encoding is None:
        return rng.normal(size=(BATCH, *(TIME if size is None else size for size in shape))).astype(np.float32)
    if encoding == "int":
        words, padding = experiment.source.vocabulary_size, 0
        length = min(shape[0] or TIME, words)
    else:
        words = padding = shape[0] or 0
        length = min(TIME, words)
    ids = np.stack([rng.choice(words, length, replace=False) for _ in range(BATCH)])
    return np.where(np.arange(length) < rng.integers(1, length + 1, (BATCH, 1)), ids, padding).astype(np.int32)


def multi_hot(ids: Any, vocabulary_size: int) -> np.ndarray:
    """Distinct token ids [B, K], padded with V -> which tokens occur [B, V], 0 or 1."""
    present = np.zeros((len(ids), vocabulary_size + 1), np.float32)
    present[np.arange(len(ids))[:, None], np.asarray(ids)] = 1
    return present[:, :vocabulary_size]


def evaluate(params: Any, experiment: Experiment, dataset: Dataset, part: str = "test") -> dict[str, float]:
    """Means of the loss and the metrics over a part of the data.

    Raises:
      UserError: the parameters belong to a model of other inputs or knobs.
    """
    from seqjax.training.program import Program, Settings

    like = shapes(experiment.model, dataset.example())
    check_like(params, like, "the imported model")
    return Program(experiment, dataset, Settings()).evaluate(params, part)
