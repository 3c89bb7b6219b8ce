"""A translator as two graphs: one reads a source, the other writes a token.

Legend: B sources, S tokens of a source, E embedding, U units, D features of the memory, A units of the attention.
"""

from typing import Any

import numpy as np

from seqjax.export.graph import Graph, Value
from seqjax.export.onnx_models import recurrent
from seqjax.export.onnx_models.masks import Mask
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import GRU, LSTM


def layer(model: Any) -> Any:
    """That of the decoder, and of each direction of the encoder."""
    return {"gru": GRU, "lstm": LSTM}[model.cell](model.units, return_sequences=True, return_state=True)


def encoder(graph: Graph, model: Any, params: Any, source: Value) -> Any:
    """Source [B, S] -> what a step is given besides token and state, by name; the decoder's first state."""
    real = ~source.equals(0)
    table = np.asarray(params["source_embedding"]["embedding"]) * np.float32(model.embedding_size**0.5)
    both = Bidirectional(layer(model), merge="sum" if model.attention == "dot" else "concat")
    x = recurrent.Looked(source, table)
    memory, _, final = recurrent.run(graph, both, params["encoder"], x, Mask.of(graph, real))
    leaves = [part for state in final for part in (state if isinstance(state, tuple) else (state,))]
    state: Any = graph.dense(graph.concat(leaves, 1), params["bridge"]).apply("Tanh")
    if model.cell == "lstm":
        state = (state.slice(1, 0, model.units), state.slice(1, model.units))
    if model.attention == "none":
        return {"last": state[0] if model.cell == "lstm" else state}, state
    memory = graph.where(real.unsqueeze(2), memory, 0.0)
    keys = memory if model.attention == "dot" else graph.dense(memory, params["attend"]["key"])
    return {"keys": keys, "memory": memory, "mask": real}, state


def step(graph: Graph, model: Any, params: Any, encoded: dict[str, Value], state: Any, tokens: Value) -> Any:
    """Tokens [B] -> the new state, logits [B, V], the attention's weights [B, S] or None."""
    table = np.asarray(params["target_embedding"]["embedding"])
    embedded = graph.rows(table, tokens) * float(model.embedding_size**0.5)
    h = state[0] if isinstance(state, tuple) else state
    context = weights = None
    if model.feeding:
        context, weights = _look(graph, model, params, encoded, h)
    fed = embedded if context is None else graph.concat([embedded, context], 1)
    _, h, state = recurrent.run(graph, layer(model), params["decoder"], fed.unsqueeze(1), state=state)
    if context is None:
        context, weights = _look(graph, model, params, encoded, h)
    x = graph.dense(graph.concat([h, context, embedded], 1), params["readout"]).apply("Tanh")
    kernel = table.T if model.tied else params["output_kernel"]
    return state, graph.dense(x, {"kernel": kernel, "bias": params["output_bias"]}), weights


def _look(graph: Graph, model: Any, params: Any, encoded: dict[str, Value], query: Value) -> tuple[Value, Any]:
    """See `attention.Attention`: query [B, U] -> context [B, D], weights [B, S]."""
    if model.attention == "none":
        return encoded["last"], None
    if model.attention == "additive":
        own = params["attend"]
        hidden = (graph.dense(query, own["query"]).unsqueeze(1) + encoded["keys"]).apply("Tanh")
        scores = hidden @ graph.constant(np.asarray(own["v"])[:, None])
    else:
        scores = encoded["keys"] @ query.unsqueeze(2)  # [B, S, 1]
    scores = graph.where(encoded["mask"], scores.squeeze(2), float(np.finfo(np.float32).min))
    raised = graph.where(encoded["mask"], (scores - scores.max(1, keep=True)).apply("Exp"), 0.0)
    total = raised.sum(1, keep=True)
    weights = raised / graph.where(total.equals(0), 1.0, total)
    return (weights.unsqueeze(1) @ encoded["memory"]).squeeze(1), weights
