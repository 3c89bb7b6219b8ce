"""What several models are made of: pooling, convolutions, padding.

Legend: B batch, T time, D features, W width, F filters, K classes.
"""

from typing import Any

import numpy as np

from seqjax.export.graph import Graph, Value


def logits(graph: Graph, x: Value, params: Any, classes: int) -> Value:
    """As `classifiers.logits`."""
    found = graph.dense(x, params)
    return found.squeeze(1) if classes == 2 else found


def pooled(graph: Graph, how: str, params: Any, x: Value, real: Value | None) -> Value:
    """As `pooling.Pooling`: [B, T, D] -> [B, D]."""
    valid = None if real is None else real.unsqueeze(2)  # [B, T, 1]
    if how == "max":
        if valid is None:
            return x.max(1)
        return graph.where(valid.any(1), graph.where(valid, x, -np.inf).max(1), 0.0)
    if how == "mean" and valid is None:
        return x.mean(1)
    if valid is None:
        valid = graph.op("Equal", x.slice(2, 0, 1), x.slice(2, 0, 1), dtype=bool)
    x, weights = graph.where(valid, x, 0.0), valid.cast(np.float32)
    if how == "attention":
        scores = graph.dense(graph.dense(x, params["Dense_0"]).apply("Tanh"), params["Dense_1"])
        least = float(np.finfo(np.float32).min)
        highest = graph.where(valid, scores, least).max(1, keep=True)
        weights = graph.where(valid, (scores - graph.where(valid.any(1, keep=True), highest, 0.0)).apply("Exp"), 0.0)
    total = weights.sum(1).maximum(float(np.finfo(np.float32).tiny))
    return (x * weights).sum(1) / total


def convolved(graph: Graph, x: Value, params: Any, before: int = 0, after: int = 0) -> Value:
    """[B, D, T] -> [B, F, T + before + after - W + 1]."""
    kernel = np.transpose(np.asarray(params["kernel"], np.float32), (2, 1, 0))  # [W, D, F]
    bias = np.asarray(params["bias"], np.float32)
    return graph.op("Conv", x, graph.constant(kernel), graph.constant(bias), pads=[before, after])


def to_multiple(graph: Graph, x: Value, size: int, axes: int) -> Value:
    """[B, T, ...] of so many axes with zeros at the end of the time, up to a multiple of a size."""
    missing = graph.op(
        "Mod", graph.integers(size) - graph.op("Mod", x.size(1), graph.integers(size)), graph.integers(size)
    )
    none = graph.integers(*[0] * (axes + 1))
    rest = graph.integers(*[0] * (axes - 2))
    widths = graph.concat([none, missing, rest] if axes > 2 else [none, missing], 0)
    whole = x.cast(np.int32) if x.dtype == bool else x
    padded = graph.op("Pad", whole, widths)
    return padded.cast(bool) if x.dtype == bool else padded


def layer_norm(graph: Graph, x: Value, params: Any, epsilon: float) -> Value:
    """Over the last axis."""
    scale, bias = (graph.constant(np.asarray(params[name], np.float32)) for name in ("scale", "bias"))
    return graph.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=epsilon)
