"""Keras 3's models that answer with sequences, by `train_on_batch` and `predict_on_batch`.

Legend: B batch, T time, S tokens of a source, V vocabulary, U units, K tags.
"""

from typing import Any

import keras
from keras import layers

from seqjax.benchmark import peer_keras
from seqjax.benchmark.sequences.data import host_batches
from seqjax.benchmark.workloads import Workload
from seqjax.data.dataset import Dataset


class Keras(peer_keras.Keras):
    """See `worker.Implementation`."""

    def __init__(self, workload: Workload, dataset: Dataset, threads: int):
        """Batches become tensors of the backend. A block holds batches of all lengths."""
        self.device = peer_keras.set_up(threads)
        tensors = lambda tree: keras.tree.map_structure(keras.ops.convert_to_tensor, tree)
        batches = host_batches(workload, dataset)
        if workload.kind == "language":
            batches = [(inputs[0], targets) for inputs, targets in batches]
        self.batches = [(tensors(inputs), tensors(targets)) for inputs, targets in batches]
        self.steps_at_once = len(batches) if workload.masked else 1
        self.model = MODELS[workload.kind](workload)
        ignored = 0 if workload.masked else None
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=ignored)
        self.model.compile(optimizer=keras.optimizers.RMSprop(1e-3), loss=loss)


def language_model(workload: Workload) -> Any:
    """Symbols [B, T] -> logits [B, T, V]; the layer is stateful."""
    tokens = keras.Input(batch_shape=(workload.batch, workload.steps), dtype="int32")
    vectors = layers.Lambda(
        lambda ids: keras.ops.one_hot(ids, workload.features), output_shape=(workload.steps, workload.features)
    )(tokens)
    outputs = layers.LSTM(workload.units, return_sequences=True, stateful=True)(vectors)
    return keras.Model(tokens, layers.Dense(workload.features)(outputs))


def translator(workload: Workload) -> Any:
    """(source [B, S], tokens before [B, T]) -> logits [B, T, V], as ours without input feeding.

    There is no padding, and nothing is masked. `AdditiveAttention` takes what is projected already.
    """
    size, width, units = workload.features, workload.embedding, workload.units
    source, before = (keras.Input((workload.steps,), dtype="int32") for _ in range(2))
    encoder = layers.Bidirectional(layers.GRU(units, return_sequences=True, return_state=True))
    memory, *final = encoder(layers.Embedding(size, width)(source))
    state = layers.Dense(units, activation="tanh")(layers.Concatenate()(final))
    embedded = layers.Embedding(size, width)(before)
    outputs = layers.GRU(units, return_sequences=True)(embedded, initial_state=state)
    query, key = (layers.Dense(units, use_bias=False)(x) for x in (outputs, memory))
    context = layers.AdditiveAttention()([query, memory, key])
    joined = layers.Concatenate()([outputs, context, embedded])
    readout = layers.Dense(width, activation="tanh")(joined)
    return keras.Model([source, before], layers.Dense(size)(readout))


def tagger(workload: Workload) -> Any:
    """Words [B, T] of any T -> logits [B, T, K]; 0 is masked."""
    words = keras.Input((None,), dtype="int32")
    vectors = layers.Embedding(workload.features, workload.embedding, mask_zero=True)(words)
    outputs = layers.Bidirectional(layers.LSTM(workload.units, return_sequences=True))(vectors)
    return keras.Model(words, layers.Dense(workload.classes)(outputs))


MODELS = {"language": language_model, "translation": translator, "tagger": tagger}
