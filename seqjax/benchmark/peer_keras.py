"""Keras 3 by `train_on_batch` and `predict_on_batch`; the backend is $KERAS_BACKEND.

`jit_compile` is Keras's own choice ("auto"): on for JAX, and for TensorFlow off where there are recurrent layers
(XLA makes W1 a quarter slower there).
"""

from typing import Any

import keras
import numpy as np
from keras import layers

from seqjax.benchmark.workloads import Workload
from seqjax.data.dataset import Dataset


class Keras:
    """See `worker.Implementation`."""

    steps_at_once = 1

    def __init__(self, workload: Workload, dataset: Dataset, threads: int):
        """Batches become tensors of the backend, so that no step converts them."""
        self.device = set_up(threads)
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


class KerasStream:
    """See `worker.Implementation`: the call of an `LSTMCell`, compiled; every step is waited for."""

    def __init__(self, workload: Workload, dataset: Dataset, threads: int):
        """By `jax.jit`, where the state's memory is donated to the next state, or by `tf.function`."""
        self.device = set_up(threads)
        self.cell = layers.LSTMCell(workload.units)
        self.cell.build((1, workload.features))
        self.inputs: list[Any] = [keras.ops.convert_to_tensor(x[0]) for x, _ in workload.host_batches(dataset)]
        self.steps_at_once = len(self.inputs)
        self.state: Any = [keras.ops.convert_to_tensor(np.zeros((1, workload.units), np.float32)) for _ in range(2)]
        self.step: Any = self._by_tensorflow() if on_tensorflow() else self._by_jax()

    def _by_jax(self) -> Any:
        import jax

        weights: Any = [variable.value for variable in self.cell.trainable_variables]
        kept: Any = [variable.value for variable in self.cell.non_trainable_variables]
        call = lambda weights, kept, x, state: self.cell.stateless_call(weights, kept, x, state)[0][1]
        step = jax.jit(call, donate_argnums=3)
        return lambda x, state: jax.block_until_ready(step(weights, kept, x, state))

    def _by_tensorflow(self) -> Any:
        import tensorflow as tf

        step = tf.function(lambda x, h, c: self.cell(x, [h, c])[1])
        step = step.get_concrete_function(self.inputs[0], *self.state)  # two thirds of the time of the function itself
        return lambda x, state: step(x, *state)

    def infer(self, steps: int) -> None:
        """The state is handed on from block to block."""
        step, state = self.step, self.state
        for _ in range(steps // self.steps_at_once):
            for x in self.inputs:
                state = step(x, state)
        keras.ops.convert_to_numpy(state[0])
        self.state = state


def on_tensorflow() -> bool:
    """Else it is JAX."""
    return keras.backend.backend() == "tensorflow"


def set_up(threads: int) -> str:
    """Give the backend its threads; returns the device that it runs on."""
    return _limit_tensorflow(threads) if on_tensorflow() else keras.distribution.list_devices()[0]


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
