"""Keras 3 by `train_on_batch` and `predict_on_batch`; the backend is $KERAS_BACKEND.

`jit_compile` is Keras's own choice ("auto"): on for JAX, and for TensorFlow off where there are recurrent layers
(XLA makes W1 a quarter slower there).
"""

from typing import Any

import keras
from keras import layers

from seqjax.benchmark.workloads import Workload
from seqjax.data.dataset import Dataset


class Keras:
    """See `worker.Implementation`."""

    steps_at_once = 1

    def __init__(self, workload: Workload, dataset: Dataset, threads: int):
        """Batches become tensors of the backend, so that no step converts them."""
        tensorflow = keras.backend.backend() == "tensorflow"
        self.device = _limit_tensorflow(threads) if tensorflow else keras.distribution.list_devices()[0]
        tensor: Any = keras.ops.convert_to_tensor
        self.batches: list[tuple[Any, Any]] = [(tensor(x), tensor(y)) for x, y in workload.host_batches(dataset)]
        example = self.batches[0][0]
        self.model = keras.Sequential([layers.Input(example.shape[1:], dtype=example.dtype), *make_layers(workload)])
        loss: Any = "mse"
        if workload.text:
            loss = keras.losses.BinaryCrossentropy(from_logits=True)
        self.model.compile(optimizer=keras.optimizers.RMSprop(1e-3), loss=loss)

    def train(self, steps: int) -> None:
        """Each returns its loss on the host."""
        for k in range(steps):
            self.model.train_on_batch(*self.batches[k % len(self.batches)])

    def infer(self, steps: int) -> None:
        """Each returns its outputs on the host."""
        for k in range(steps):
            self.model.predict_on_batch(self.batches[k % len(self.batches)][0])


def _limit_tensorflow(threads: int) -> str:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    gpus = tf.config.list_physical_devices("GPU")
    return gpus[0].name if gpus else "cpu"


def make_layers(workload: Workload) -> list[Any]:
    """The workload's model, as the lecture builds it."""
    units = workload.units
    if workload.kind == "lstm":
        return [layers.LSTM(units), layers.Dense(1)]
    if workload.kind == "stacked_gru":
        below, above = (layers.GRU(units, recurrent_dropout=0.5, return_sequences=more) for more in (True, False))
        return [below, above, layers.Dropout(0.5), layers.Dense(1)]
    if workload.kind == "conv":
        stack: list[Any] = []
        for width in (24, 12, 6):
            stack += [layers.Conv1D(units, width, activation="relu"), layers.MaxPooling1D(2)]
        return [*stack[:-1], layers.GlobalAveragePooling1D(), layers.Dense(1)]
    if workload.kind == "bag":
        return [layers.Dense(units, activation="relu"), layers.Dropout(0.5), layers.Dense(1)]
    vocabulary = workload.features
    if workload.embedding:
        vectors = layers.Embedding(vocabulary, workload.embedding, mask_zero=workload.masked)
    else:
        shape = (workload.steps, vocabulary)
        vectors = layers.Lambda(lambda ids: keras.ops.one_hot(ids, vocabulary), output_shape=shape)
    return [vectors, layers.Bidirectional(layers.LSTM(units)), layers.Dropout(0.5), layers.Dense(1)]
