"""Models that answer at every step, and the watchers, as graphs: see `forecasters`.

Legend: B batch, T time, V vocabulary, E embedding, U units, L rows of a window, F columns.
"""

from typing import Any

import numpy as np

from seqjax.errors import UserError
from seqjax.export.graph import Graph, Value
from seqjax.export.onnx_models import recurrent
from seqjax.export.onnx_models.masks import Mask
from seqjax.models.hotwords import HISTORY
from seqjax.models.watchers import CLIP, STAY


def tagger(graph: Graph, model: Any, params: Any, words: Value, state: Any = None) -> Any:
    """See `RecurrentTagger`."""
    if state is not None and model.context > 1:
        raise UserError(f"onnx-step: context={model.context} looks at words that have not come yet; choices: --to=onnx")
    real = ~words.equals(0)
    x: Any = recurrent.Looked(words, np.asarray(params["Embedding_0"]["embedding"]))
    if model.context > 1:
        vectors, reach = graph.where(real.unsqueeze(2), x.vectors(), 0.0), model.context // 2
        zeros = vectors.pad(1, reach, reach, 3)
        ends = [None if k == 2 * reach else k - 2 * reach for k in range(model.context)]
        x = graph.concat([zeros.slice(1, k, end) for k, end in enumerate(ends)], 2)
    outputs, _, state = recurrent.run(graph, model.layer, params["layer"], x, Mask.of(graph, real), state)
    return graph.dense(outputs, params["Dense_0"]), state


def visits(graph: Graph, model: Any, params: Any, inputs: Any, state: Any = None) -> Any:
    """See `VisitClassifier`."""
    pages, times = inputs
    x = graph.rows(np.asarray(params["Embedding_0"]["embedding"]), pages)
    x = graph.concat([x, times.unsqueeze(2)], 2)
    mask = Mask.of(graph, ~pages.equals(0))
    outputs, _, state = recurrent.run(graph, model.layer, params["layer"], x, mask, state)
    return graph.dense(outputs, params["Dense_0"]).squeeze(2), state


def language(graph: Graph, model: Any, params: Any, inputs: Any, state: Any = None) -> Any:
    """See `LanguageModel`; of its inputs the symbols alone, from a state or from nothing."""
    tokens = inputs[0] if isinstance(inputs, tuple) else inputs
    table = None if model.embedding_size is None else np.asarray(params["Embedding_0"]["embedding"])
    x = recurrent.Looked(tokens, table, model.vocabulary_size)
    x, _, state = recurrent.run(graph, model.layer, params["layer"], x, state=state)
    if not model.tied or table is None:
        return graph.dense(x, params["Dense_0"]), state
    if "Dense_0" in params:
        x = graph.dense(x, params["Dense_0"])
    return graph.dense(x, {"kernel": table.T, "bias": params["bias"]}), state


def row_forecaster(graph: Graph, model: Any, params: Any, inputs: Any, state: Any = None) -> Any:
    """See `RowForecaster`."""
    values, context, now = inputs
    clip = lambda x: x.maximum(-CLIP).minimum(CLIP)
    before = graph.concat([values.slice(1, 0, 1), values.slice(1, 0, -1)], 1)
    x = clip(graph.concat([values, values - before, context], 2))
    _, last, state = recurrent.run(graph, model.layer, params["layer"], x, state=state)
    h = graph.concat([last, clip(now), x.at(1, -1)], 1)
    out = graph.dense(graph.dense(h, params["Dense_0"]).apply("Relu"), params["Dense_1"])
    columns = np.shape(params["Dense_1"]["bias"])[0] // 2
    gate = (out.slice(1, columns) + STAY).apply("Sigmoid")
    return gate * values.at(1, -1) + out.slice(1, 0, columns), state


def autoencoder(graph: Graph, model: Any, params: Any, inputs: Any, state: Any = None) -> Any:
    """See `WindowAutoencoder`."""
    values = inputs[0]
    _, last, state = recurrent.run(graph, model.layer, params["layer"], values.maximum(-CLIP).minimum(CLIP))
    found = graph.dense(graph.dense(last, params["Dense_0"]), params["Dense_1"])
    return (graph.op("Reshape", found, graph.op("Shape", values, dtype=np.int64)), values.apply("Identity")), state


def convolution(graph: Graph, x: Value, params: Any, frames: int, time: int) -> Value:
    """`sounds.patches` and a Dense on them: [B, F, T, M] -> the same over so many frames and 3 bands, `time` padded."""
    kernel, bias = (np.asarray(params[name], np.float32) for name in ("kernel", "bias"))
    kernel = kernel.reshape(frames, 3, -1, len(bias)).transpose(3, 2, 0, 1)
    return graph.op("Conv", x, graph.constant(kernel), graph.constant(bias), pads=[time, 1, time, 1])


def halved(x: Value) -> Value:
    """[B, F, T, M] -> [B, F, T, M // 2]."""
    return x.apply("MaxPool", kernel_shape=[1, 2], strides=[1, 2])


def hotwords(graph: Graph, model: Any, params: Any, inputs: Any, state: Any = None) -> Any:
    """See `HotwordDetector`."""
    x = inputs[0] if isinstance(inputs, tuple) else inputs
    x = (x - np.asarray(params["mean"])) / np.asarray(params["deviation"])
    if state is None:
        x, inner = x.pad(1, HISTORY, 0, 3), None
    else:
        x, inner = graph.concat([state[0], x], 1), state[1]
    seen = x.slice(1, -HISTORY)
    x = halved(convolution(graph, x.unsqueeze(1), params["Dense_0"], 3, 0).apply("Relu"))
    x = halved(convolution(graph, x, params["Dense_1"], 1, 0).apply("Relu"))
    x = flat(x, len(np.asarray(params["layer"]["cell"]["kernel"]))) if "cell" in params["layer"] else flat(x, -1)
    x, _, inner = recurrent.run(graph, model.layer, params["layer"], x, state=inner)
    return graph.dense(x, params["Dense_2"]), (seen, inner)


def flat(x: Value, size: int) -> Value:
    """[B, F, T, M] -> [B, T, M F]."""
    return x.transpose(0, 2, 3, 1).reshape(0, 0, size)


def sounds(graph: Graph, model: Any, params: Any, inputs: Any, state: Any = None) -> Any:
    """See `SoundClassifier`."""
    x, lengths = inputs
    lengths = lengths.cast(np.int64)
    x = _standardised(graph, x, _real(graph, x, 1, lengths)).unsqueeze(1)  # [B, 1, T, M]
    for k in range(len(model.filters)):
        x = convolution(graph, x, params[f"Dense_{k}"], 3, 1).apply("Relu")
        x = graph.where(_real(graph, x, 2, lengths).unsqueeze(1, 3), x, 0.0)
        if k == 0:
            x = x.apply("MaxPool", kernel_shape=[2, 1], strides=[2, 1], ceil_mode=1)
            lengths = (lengths + 1) / 2
        x = halved(x)
    real = _real(graph, x, 2, lengths)
    x, _, state = recurrent.run(graph, model.layer, params["layer"], flat(x, -1), Mask.of(graph, real, True))
    x = graph.where(real.unsqueeze(2), x, -np.inf).max(1)
    found = graph.dense(x, params[f"Dense_{len(model.filters)}"])
    return (found.squeeze(1) if model.classes == 2 else found), state


def _real(graph: Graph, x: Value, axis: int, lengths: Value) -> Value:
    return graph.steps(x, axis).unsqueeze(0) < lengths.unsqueeze(1)


def _standardised(graph: Graph, x: Value, real: Value) -> Value:
    """See `sounds.standardised`."""
    from seqjax.models.sounds import EPSILON, RANGE

    valid = real.unsqueeze(2)
    highest = graph.where(valid, x, -np.inf).max(1, 2, keep=True)
    x = graph.where(valid, x.maximum(highest - RANGE), 0.0)
    bands = x.size(2).cast(np.float32)
    count = valid.cast(np.float32).sum(1, 2, keep=True) * bands
    apart = graph.where(valid, x - x.sum(1, 2, keep=True) / count, 0.0)
    return apart / (((apart * apart).sum(1, 2, keep=True) / count).apply("Sqrt") + EPSILON)
