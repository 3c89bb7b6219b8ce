"""A run's model as a `.keras` file, by `seqjax.interop`: the layers that one would write in Keras."""

import tempfile
from pathlib import Path
from typing import Any

import jax
import numpy as np

from seqjax.errors import UserError
from seqjax.export.peers import Facts
from seqjax.interop import Adapter, to_keras
from seqjax.interop.experiments import multi_hot
from seqjax.interop.keras_models import import_keras


def build(facts: Facts) -> Any:
    """The Keras model of the facts (`peers.describe`), with initial values; its outputs are logits.

    Raises:
      UserError: Keras computes something else.
    """
    if facts["masked"] and facts["every"] and any(own["both"] for own in facts["layers"]):
        raise UserError(
            "keras: a model that answers at every step by Bidirectional layers holds its outputs where masked, and "
            "Keras's Bidirectional gives zeros there; choices: --to=onnx, --to=torch, --to=stablehlo"
        )
    layers = import_keras().layers
    if facts["reads"] == "ids":
        stack = [import_keras().Input((None,), dtype="int32")]
        stack.append(layers.Embedding(facts["vocabulary"], facts["embedding"], mask_zero=facts["masked"]))
    else:
        shape = (facts["vocabulary"],) if facts["reads"] == "bags" else (facts["steps"], facts["features"])
        stack = [import_keras().Input(shape)]
    stack += [layers.Flatten()] if facts["steps"] else []
    kinds = {"rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}
    for k, own in enumerate(facts["layers"]):
        every = facts["every"] or k < len(facts["layers"]) - 1
        options = {"return_sequences": every, "activation": own["activation"], "go_backwards": own["reverse"]}
        layer = kinds[own["cell"]](own["units"], **options)
        stack.append(layers.Bidirectional(layer, merge_mode=own["merge"]) if own["both"] else layer)
    stack += [layers.Dense(units, activation="relu") for units in facts["dense"]]
    return import_keras().Sequential([*stack, layers.Dense(facts["outputs"])])


def write(model: Any, params: Any, facts: Facts, examples: Any) -> tuple[bytes, Any, float]:
    """-> (the file, what runs it on the module's inputs, the largest difference on interop's trials).

    Raises:
      UserError: they compute other things.
    """
    keras = import_keras()
    adapt = (lambda ids: multi_hot(ids, facts["vocabulary"])) if facts["reads"] == "bags" else np.asarray
    with jax.numpy_rank_promotion("allow"):  # Keras's own code promotes
        made = build(facts)
        difference = to_keras(params, model, made, examples, Adapter(inputs=adapt))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            made.save(path)
            again, data = keras.saving.load_model(path, compile=False), path.read_bytes()

    def run(inputs: Any) -> np.ndarray:
        with jax.numpy_rank_promotion("allow"):
            found = np.asarray(again.predict_on_batch(adapt(inputs)))
        return found[..., 0] if facts["squeezed"] else found

    return data, run, difference
