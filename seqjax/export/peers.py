"""A run's model as other libraries have it, described by a few facts: `--to=keras` and `--to=torch`.

    facts = describe(model, params, examples)

What the facts cannot say is refused by name.
"""

from typing import Any, NoReturn

import numpy as np

from seqjax.errors import UserError
from seqjax.layers.composite import Bidirectional, Stacked
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN
from seqjax.models.classifiers import BagOfWordsClassifier, RecurrentClassifier
from seqjax.models.forecasters import DenseForecaster, RecurrentForecaster
from seqjax.models.taggers import RecurrentTagger

CELLS = {SimpleRNN: "rnn", LSTM: "lstm", GRU: "gru"}
KNOWN = (RecurrentForecaster, DenseForecaster, RecurrentClassifier, BagOfWordsClassifier, RecurrentTagger)
Facts = dict[str, Any]


def refuse(what: str) -> NoReturn:
    """Raise UserError."""
    names = ", ".join(kind.__name__ for kind in KNOWN)
    said = f"{what} is not among what becomes a model of keras or torch ({names})"
    raise UserError(f"{said}; choices: --to=onnx, --to=stablehlo, --to=safetensors")


def describe(model: Any, params: Any, examples: Any) -> Facts:
    """As JSON takes it.

    Returns:
      `reads`: `vectors`, `ids` or `bags`; `features`, or `vocabulary` and `embedding`; `masked`, `every` (whether it
      answers at every step), `layers` (each `cell`, `units`, `both`, `merge`, `activation`), `dense` (units of the relu
      layers), `outputs`, `steps` (of flattened windows), `squeezed` (whether one output has no axis of its own).

    Raises:
      UserError: what cannot be described.
    """
    if type(model) not in KNOWN:
        refuse(type(model).__name__)
    inputs = examples[0] if isinstance(examples, tuple) else examples
    facts: Facts = {"masked": bool(getattr(model, "mask_padding", False)), "every": False, "layers": [], "dense": []}
    facts |= {"outputs": 1, "squeezed": True, "steps": None}
    if isinstance(model, RecurrentForecaster | DenseForecaster):
        facts |= {"reads": "vectors", "features": int(np.shape(inputs)[2])}
    if isinstance(model, DenseForecaster):
        return facts | {"steps": int(np.shape(inputs)[1]), "dense": [model.units]}
    if isinstance(model, BagOfWordsClassifier):
        if isinstance(examples, tuple):
            refuse("BagOfWordsClassifier of counts or TF-IDF weights")
        return facts | _classes(model) | {"reads": "bags", "vocabulary": model.vocabulary_size, "dense": [model.units]}
    facts["layers"] = _layers(model.layer)
    if isinstance(model, RecurrentForecaster):
        if model.batch_norm:
            refuse("batch_norm")
        return facts | {"dense": [model.dense_units] * model.dense_layers}
    if model.embedding_size is None:
        refuse("a model that reads one-hot vectors")
    facts |= {"reads": "ids", "vocabulary": model.vocabulary_size, "embedding": model.embedding_size}
    if isinstance(model, RecurrentTagger):
        if model.context > 1:
            refuse(f"context={model.context}")
        return facts | {"masked": True, "every": True, "outputs": model.tags, "squeezed": False}
    if model.filters or model.layer.wants()[0]:
        refuse("RecurrentClassifier with filters, or with the maximum over its steps,")
    return facts | _classes(model)


def _classes(model: Any) -> Facts:
    return {"outputs": 1 if model.classes == 2 else model.classes, "squeezed": model.classes == 2}


def _layers(layer: Any) -> list[Facts]:
    if isinstance(layer, Stacked):
        if layer.residual:
            refuse("Stacked with residual")
        return [one for part in layer.layers for one in _layers(part)]
    both = isinstance(layer, Bidirectional)
    one = layer.layer if both else layer
    other = (layer.backward_layer if both else None) or one
    if type(one) not in CELLS or (type(other), other.units) != (type(one), one.units) or (both and one.reverse):
        refuse(type(one).__name__ if type(one) not in CELLS else "Bidirectional of two different layers")
    for part in (one, other):
        plain = {"peephole": "none", "layer_norm": False, "zoneout": 0, "dtype": None, "reset_after": True}
        plain |= {"recurrent_activation": "sigmoid"}
        for name, usual in plain.items():
            if getattr(part, name, usual) != usual:
                refuse(f"{type(part).__name__} with {name}={getattr(part, name)!r}")
        if part.activation != "tanh" and not (part.activation == "relu" and isinstance(part, SimpleRNN)):
            refuse(f"{type(part).__name__} with activation={part.activation!r}")
    return [
        {"cell": CELLS[type(one)], "units": one.units, "both": both, "merge": layer.merge if both else "concat",
         "activation": one.activation, "reverse": one.reverse}
    ]  # fmt: skip
