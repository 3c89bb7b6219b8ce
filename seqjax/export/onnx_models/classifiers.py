"""`seqjax.models.classifiers`, the transformer and the classifier of series as graphs: see `forecasters`.

Legend: B batch, T tokens or steps, V vocabulary, E embedding, U units, H heads, K size of a head.
"""

import math
from typing import Any

import numpy as np

from seqjax.export.graph import Graph, Value
from seqjax.export.onnx_models import recurrent
from seqjax.export.onnx_models.masks import Mask
from seqjax.export.onnx_models.parts import convolved, layer_norm, logits, pooled, to_multiple
from seqjax.models.classifiers import WIDTHS
from seqjax.models.series_classifier import POOLED
from seqjax.models.series_classifier import recurrent as series_layer


def bag_of_words(graph: Graph, model: Any, params: Any, inputs: Any, state: Any = None) -> Any:
    """See `BagOfWordsClassifier`: what is outside of the vocabulary reads a row of zeros."""
    tokens, weights = inputs if isinstance(inputs, tuple) else (inputs, None)
    kernel = np.asarray(params["kernel"], np.float32)
    table = np.concatenate([kernel, np.zeros_like(kernel[:1])])
    tokens = graph.where(tokens < 0, len(kernel), tokens)
    rows = graph.rows(table, tokens)  # [B, K, U]
    if weights is not None:
        rows = rows * graph.where(tokens < len(kernel), weights, 0.0).unsqueeze(2)
    x = (rows.sum(1) + np.asarray(params["bias"])).apply("Relu")
    return logits(graph, x, params["Dense_0"], model.classes), state


def recurrent_classifier(graph: Graph, model: Any, params: Any, tokens: Value, state: Any = None) -> Any:
    """See `RecurrentClassifier`."""
    real = ~tokens.equals(0) if model.mask_padding else None
    mask = None if real is None else Mask.of(graph, real)
    x: Any = recurrent.Looked(tokens, vocabulary_size=model.vocabulary_size)
    if model.embedding_size is not None:
        x = recurrent.Looked(tokens, np.asarray(params["Embedding_0"]["embedding"]))
    vectors = None
    if model.filters or model.embedding_dropout:
        vectors = x.vectors()
        x = vectors = vectors if real is None else vectors * real.unsqueeze(2).cast(np.float32)
    outputs, last, state = recurrent.run(graph, model.layer, params["layer"], x, mask, state)
    parts = [pooled(graph, "max", {}, outputs, real) if model.layer.wants()[0] else last]
    if model.filters and vectors is not None:
        for k, width in enumerate(WIDTHS):
            before = (width - 1) // 2
            found = convolved(graph, vectors.transpose(0, 2, 1), params[f"Conv1D_{k}"], before, width - 1 - before)
            parts.append(pooled(graph, "max", {}, found.apply("Relu").transpose(0, 2, 1), real))
    return logits(graph, graph.concat(parts, 1), params["Dense_0"], model.classes), state


def conv_classifier(graph: Graph, model: Any, params: Any, tokens: Value, state: Any = None) -> Any:
    """See `ConvClassifier`."""
    length = (~tokens.equals(0)).cast(np.int64).sum(1, keep=True)  # [B, 1]
    seen = graph.steps(tokens).unsqueeze(0) < length.maximum(model.width)
    x = graph.rows(np.asarray(params["Embedding_0"]["embedding"]), tokens) * seen.unsqueeze(2).cast(np.float32)
    windows = convolved(graph, x.transpose(0, 2, 1), params).apply("Relu")  # [B, F, T - W + 1]
    inside = graph.steps(windows, 2).unsqueeze(0) <= (length - model.width).maximum(0)
    x = graph.where(inside.unsqueeze(1), windows, 0.0).max(2)
    return logits(graph, x, params["Dense_0"], model.classes), state


def transformer(graph: Graph, model: Any, params: Any, tokens: Value, state: Any = None) -> Any:
    """See `TransformerClassifier`."""
    mask = ~tokens.equals(0)
    valid = mask.unsqueeze(2)
    positions = graph.op("Gather", graph.constant(np.asarray(params["positions"])), graph.steps(tokens), axis=0)
    x = graph.rows(np.asarray(params["Embedding_0"]["embedding"]), tokens) + positions.unsqueeze(0)
    block = params["EncoderBlock_0"]
    x = graph.where(valid, x, 0.0)
    x = layer_norm(graph, x + _attention(graph, block["SelfAttention_0"], x, mask), block["LayerNorm_0"], 1e-3)
    y = graph.dense(graph.dense(x, block["Dense_0"]).apply("Relu"), block["Dense_1"])
    x = layer_norm(graph, x + y, block["LayerNorm_1"], 1e-3)
    return graph.dense(pooled(graph, "max", {}, x, mask), params["Dense_0"]).squeeze(1), state


def _attention(graph: Graph, params: Any, x: Value, mask: Value) -> Value:
    """See `SelfAttention`."""
    shape = np.shape(params["query_kernel"])  # [E, H, K]

    def heads(name: str) -> Value:
        kernel, bias = (np.asarray(params[f"{name}_{part}"]) for part in ("kernel", "bias"))
        found = graph.dense(x, {"kernel": kernel.reshape(shape[0], -1), "bias": bias.reshape(-1)})
        return found.reshape(0, 0, *shape[1:]).transpose(0, 2, 1, 3)  # [B, H, T, K]

    scores = (heads("query") @ heads("key").transpose(0, 1, 3, 2)) / math.sqrt(shape[2])
    scores = graph.where(mask.unsqueeze(1, 2), scores, float(np.finfo(np.float32).min))
    attended = (scores.apply("Softmax", axis=-1) @ heads("value")).transpose(0, 2, 1, 3)
    kernel = np.asarray(params["output_kernel"]).reshape(-1, shape[0])
    return graph.dense(attended.reshape(0, 0, -1), {"kernel": kernel, "bias": params["output_bias"]})


def series(graph: Graph, model: Any, params: Any, inputs: Any, state: Any = None) -> Any:
    """See `SeriesClassifier`."""
    x, real = inputs if isinstance(inputs, tuple) else (inputs, None)
    if real is not None:
        x = graph.where(real.unsqueeze(2), x, 0.0)
    convolution, left = x, real
    if model.convolution != "none":
        convolution, left = _convolution(graph, model.width, params["Convolution_0"]["Conv1D_0"], x, real)
    steps, valid = (convolution, left) if model.convolution in ("front", "both") else (x, real)
    if model.patch > 1:
        features = np.shape(_first_kernel(params))[0]
        steps = to_multiple(graph, steps, model.patch, 3).reshape(0, -1, features)
        if valid is not None:
            valid = to_multiple(graph, valid, model.patch, 2).reshape(0, -1, model.patch).any(2)
    layer = series_layer(model.cell, model.units, model.layers, model.bidirectional, model.pooling != "last")
    own = params[f"{type(layer).__name__}_0"]
    outputs, last, state = recurrent.run(
        graph, layer, own, steps, None if valid is None else Mask.of(graph, valid), state
    )
    x = last
    if model.pooling != "last":
        x = pooled(graph, model.pooling, params.get("Pooling_0", {}), outputs, valid)
    if model.convolution in ("branch", "both"):
        x = graph.concat([x, pooled(graph, "mean", {}, convolution, left)], 1)
    return logits(graph, x, params["Dense_0"], model.classes), state


def _first_kernel(params: Any) -> Any:
    """Of the recurrent layer: its rows are the features of a patch."""
    name = next(
        name for name in params if name.split("_")[0] in ("GRU", "LSTM", "SimpleRNN", "Bidirectional", "Stacked")
    )
    own = params[name]
    while "kernel" not in own:
        own = own[next(part for part in ("cell", "forward", "layers_0") if part in own)]
    return own["kernel"]


def _convolution(graph: Graph, width: int, params: Any, x: Value, real: Value | None) -> tuple[Value, Value | None]:
    """See `series_classifier.Convolution`; the last of every four steps may be fewer."""
    found = convolved(graph, x.transpose(0, 2, 1), params, (width - 1) // 2, width // 2).apply("Relu")
    four = {"kernel_shape": [POOLED], "strides": [POOLED], "ceil_mode": 1}
    if real is not None:
        found = graph.where(real.unsqueeze(1), found, 0.0)
        real = ~real.cast(np.float32).unsqueeze(1).apply("MaxPool", **four).squeeze(1).equals(0)
    return found.apply("MaxPool", **four).transpose(0, 2, 1), real
