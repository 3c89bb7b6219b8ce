"""The Keras 3 model that says the same as an experiment's Linen model.

Legend: B batch, T time, D features, V vocabulary.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.interop.keras_models import import_keras
from seqjax.layers.composite import Bidirectional, Stacked
from seqjax.layers.recurrent import GRU, LSTM, RecurrentLayer, SimpleRNN
from seqjax.models.classifiers import BagOfWordsClassifier, RecurrentClassifier
from seqjax.models.forecasters import ConvForecaster, DenseForecaster, Normalized, RecurrentForecaster, Rescaled
from seqjax.training import metrics

KINDS = {SimpleRNN: "SimpleRNN", LSTM: "LSTM", GRU: "GRU"}
UNKNOWN = {"layer_norm": False, "zoneout": 0.0, "tied": False, "peephole": "none"}
"""Fields of our recurrent layers that Keras's have not, and their neutral values."""
OPTIMIZERS = {"rmsprop": "RMSprop", "adam": "Adam", "adamw": "AdamW", "adagrad": "Adagrad", "sgd": "SGD"}
SCORES = {"mae": "MeanAbsoluteError", "accuracy": "BinaryAccuracy"}


class Mirror(NamedTuple):
    """A compiled Keras model and what it is fed."""

    model: Any
    inputs: Callable[[Any], Any]
    """(the experiment's inputs) -> the Keras model's."""
    logits: bool
    """Ours gives logits where Keras's gives probabilities."""
    targets: Callable[[Any], Any] = np.asarray
    """(the experiment's targets) -> the Keras model's."""


def mirror(experiment: Experiment, options: Mapping[str, Any], example: Any) -> Mirror:
    """Build and compile it, with Keras's own initial values.

    Args:
      experiment: whose model, loss and metrics.
      options: the knobs that it was made with: Keras's optimizer is made from `optimizer` (by default rmsprop),
        `learning_rate`, `clip_norm`, `clip_value`.
      example: the experiment's inputs, [1, ...], for the shapes.

    Raises:
      UserError: Keras is not installed, or has no counterpart of something.
    """
    keras = import_keras()
    logits = experiment.loss is metrics.binary_cross_entropy
    standardised = experiment.loss is metrics.standardised_absolute_error
    if not logits and not standardised and experiment.loss is not metrics.squared_error:
        raise UserError("this experiment's loss has no counterpart in Keras here; squared_error, "
                        "standardised_absolute_error and binary_cross_entropy have")  # fmt: skip
    with keras.saving.custom_object_scope({_exact_tanh.__name__: _exact_tanh}):  # Bidirectional copies its layer
        inputs, outputs, feed = _model(experiment.model, example)
    if logits:
        outputs = keras.layers.Activation("sigmoid")(outputs)
    model = keras.Model(inputs, outputs)
    unknown = [name for name in experiment.metrics if name not in SCORES]
    if unknown:
        raise UserError(f"the metric {unknown[0]} has no counterpart in Keras here; choices: {', '.join(SCORES)}")
    if standardised:
        mae = lambda truth, found: keras.ops.abs(found[:, 0] - truth[:, 0]) * truth[:, 1]
        loss: Any = lambda truth, found: keras.ops.abs(found[:, 0] - truth[:, 0])
        scores: list[Any] = [keras.metrics.MeanMetricWrapper(mae, name=name) for name in experiment.metrics]
    else:
        scores = [getattr(keras.metrics, SCORES[name])(name=name) for name in experiment.metrics]
        loss = keras.losses.BinaryCrossentropy() if logits else keras.losses.MeanSquaredError()
    model.compile(optimizer=_optimizer(options), loss=loss, metrics=scores)
    return Mirror(model, feed, logits, (lambda pair: np.stack(pair, axis=1)) if standardised else np.asarray)


def _optimizer(options: Mapping[str, Any]) -> Any:
    keras = import_keras()
    name = options.get("optimizer", "rmsprop")
    if name not in OPTIMIZERS or "learning_rate" not in options:
        raise UserError("the experiment trains nothing, or its optimizer has no counterpart in Keras here")
    clip = {"global_clipnorm": options.get("clip_norm"), "clipvalue": options.get("clip_value")}
    if None not in clip.values():
        raise UserError("Keras clips by norm or by value, not by both: set clip_norm or clip_value to none")
    return getattr(keras.optimizers, OPTIMIZERS[name])(options["learning_rate"], **clip)


def _model(model: Any, example: Any) -> tuple[Any, Any, Callable[[Any], Any]]:
    """-> (Keras inputs, Keras outputs [B, 1], the feed)."""
    layers = import_keras().layers
    if isinstance(model, Rescaled):
        windows, outputs, _ = _model(model.forecaster, example[0])
        scale = layers.Input((2,))
        scaled = layers.Add()([scale[:, :1], layers.Multiply()([scale[:, 1:], outputs])])
        return [windows, scale], scaled, lambda inputs: [np.asarray(array) for array in inputs]
    if isinstance(model, BagOfWordsClassifier):
        vector = layers.Input((model.vocabulary_size,))
        hidden = layers.Dense(model.units, activation="relu")(vector)
        return vector, _head(hidden, model.dropout), lambda bags: vectors(bags, model.vocabulary_size)
    if isinstance(model, RecurrentClassifier):
        return *_recurrent_classifier(model), np.asarray
    if isinstance(model, Normalized):
        changes, level = (layers.Input(array.shape[1:]) for array in example)
        inner, outputs, _ = _model(model.forecaster, example[0])
        outputs = _normalized(model, changes, level, import_keras().Model(inner, outputs))
        return [changes, level], outputs, lambda inputs: [np.asarray(array) for array in inputs]
    window = layers.Input(example.shape[1:])
    if isinstance(model, DenseForecaster):
        hidden = layers.Dense(model.units, activation="relu")(layers.Flatten()(window))
        return window, _head(hidden), np.asarray
    if isinstance(model, ConvForecaster):
        x = window
        for width in (24, 12, 6):
            x = x if width == 24 else layers.MaxPooling1D(2)(x)
            x = layers.Conv1D(model.filters, width, activation="relu")(x)
        return window, _head(layers.GlobalAveragePooling1D()(x)), np.asarray
    if isinstance(model, RecurrentForecaster) and not model.batch_norm:
        x = layers.Dropout(model.dropout)(_recurrent(model.layer)(window))
        for _ in range(model.dense_layers):
            x = layers.Dense(model.dense_units, activation="relu")(x)
        return window, _head(x, kernel="zeros" if model.start_at_zero else "glorot_uniform"), np.asarray
    unnamed = "RecurrentForecaster with batch_norm" if isinstance(model, RecurrentForecaster) else type(model).__name__
    raise UserError(f"{unnamed} has no counterpart in Keras here, or nothing to train")


def _normalized(model: Normalized, changes: Any, level: Any, forecaster: Any) -> Any:
    """What the forecaster makes of windows as `model.how` says."""
    ops = import_keras().ops
    if model.how == "series":
        return forecaster(changes + level[:, None]) - level[:, :1]
    if model.how == "last":
        return forecaster(changes)
    mean = ops.mean(changes, axis=1, keepdims=True)
    size = ops.sqrt(ops.mean(ops.square(changes - mean), axis=1, keepdims=True) + model.epsilon)
    return size[:, :, 0] * forecaster((changes - mean) / size)


def _head(x: Any, dropout: float = 0.0, kernel: str = "glorot_uniform") -> Any:
    layers = import_keras().layers
    return layers.Dense(1, kernel_initializer=kernel)(layers.Dropout(dropout)(x))


def _recurrent_classifier(model: RecurrentClassifier) -> tuple[Any, Any]:
    layers = import_keras().layers
    words = layers.Input((None,), dtype="int32")
    if not model.train_embedding:
        raise UserError("a frozen embedding has no counterpart in Keras here")
    if model.word_dropout or model.layer.wants()[0]:
        raise UserError("words taken for unknown, or a maximum over time, have no counterpart in Keras here")
    if model.embedding_size is None:
        ops = import_keras().ops
        size = model.vocabulary_size
        x = layers.Lambda(lambda ids: ops.one_hot(ids, size), output_shape=lambda shape: (*shape, size))(words)
        if model.mask_padding:
            raise UserError("masked one-hot vectors have no counterpart in Keras here")
    else:
        x = layers.Embedding(model.vocabulary_size, model.embedding_size, mask_zero=model.mask_padding)(words)
    return words, _head(_recurrent(model.layer)(x), model.dropout)


def _recurrent(layer: Any, sequences: bool = False) -> Callable[[Any], Any]:
    """A recurrent layer of ours as a function of a Keras tensor."""
    layers = import_keras().layers
    if isinstance(layer, Stacked):
        if layer.residual or layer.dropout:
            raise UserError("Stacked with residual or dropout has no counterpart in Keras here")
        parts = [_recurrent(part, sequences or k < len(layer.layers) - 1) for k, part in enumerate(layer.layers)]

        def stack(x: Any) -> Any:
            for part in parts:
                x = part(x)
            return x

        return stack
    if isinstance(layer, Bidirectional):
        if layer.backward_layer is not None:
            raise UserError("a Bidirectional of two different layers has no counterpart in Keras here")
        return layers.Bidirectional(_single(layer.layer, sequences), merge_mode=layer.merge)
    return _single(layer, sequences)


def _single(layer: Any, sequences: bool) -> Any:
    name = KINDS.get(type(layer))
    if name is None:
        raise UserError(f"{type(layer).__name__} has no counterpart in Keras here")
    changed = [field for field, neutral in UNKNOWN.items() if getattr(layer, field, neutral) != neutral]
    changed += [field for field in ("activation", "recurrent_activation") if callable(getattr(layer, field, None))]
    if changed or (layer.reverse and sequences):
        raise UserError(f"{name} with {changed[0] if changed else 'reverse below another layer'} has no counterpart in "
                        "Keras here")  # fmt: skip
    fields = ["units", "activation", "dropout", "recurrent_dropout", "recurrent_activation", "reset_after"]
    options = {field: getattr(layer, field) for field in fields if hasattr(layer, field)}
    if layer.activation == "tanh" and jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        options["activation"] = _exact_tanh
    return getattr(import_keras().layers, name)(**options, go_backwards=layer.reverse, return_sequences=sequences)


def _exact_tanh(x: Any) -> Any:
    """XLA:CPU's tanh of float64 is good to 9e-8 only (jax 0.10.2); its logistic function to 1e-16."""
    return 2 * import_keras().ops.sigmoid(2 * x) - 1


def check_initial_values(model: Any) -> None:
    """Raises UserError: a recurrent layer of the model does not start as Keras's would."""
    for part in vars(model).values():
        for layer in part if isinstance(part, tuple | list) else [part]:
            if isinstance(layer, RecurrentLayer) and layer.initializer != "keras":
                raise UserError(f"initializer={layer.initializer} has no counterpart in Keras here; --free takes keras")
            if hasattr(layer, "__dataclass_fields__"):
                check_initial_values(layer)


def vectors(bags: Any, vocabulary_size: int) -> np.ndarray:
    """Distinct ids [B, K] padded with V, or these and weights [B, K] -> vectors [B, V]."""
    ids, weights = bags if isinstance(bags, tuple) else (bags, np.float32(1))
    dense = np.zeros((len(ids), vocabulary_size + 1), np.float32)
    dense[np.arange(len(ids))[:, None], np.asarray(ids)] = weights
    return dense[:, :vocabulary_size]
