"""`seqjax.models.forecasters` as graphs: a function a model, which mirrors its `__call__`.

Each takes (graph, model, params, inputs, state) and gives (outputs, state): the state is that of the recurrent layer,
None where a model begins anew.

Legend: B batch, T time, D features.
"""

from typing import Any

import numpy as np

from seqjax.errors import UserError
from seqjax.export.graph import Graph, Value
from seqjax.export.onnx_models import recurrent
from seqjax.export.onnx_models.parts import convolved
from seqjax.models import forecasters


def last_value(graph: Graph, model: Any, params: Any, x: Value, state: Any = None) -> Any:
    """See `LastValue`."""
    return x.at(1, -1).at(1, model.column), state


def drift(graph: Graph, model: Any, params: Any, x: Value, state: Any = None) -> Any:
    """See `Drift`."""
    line = x.at(2, model.column)
    first, last = line.at(1, 0), line.at(1, -1)
    return last + (last - first) * float(model.ahead) / (line.size(1) - 1).cast(np.float32), state


def seasonal_naive(graph: Graph, model: Any, params: Any, x: Value, state: Any = None) -> Any:
    """See `SeasonalNaive`."""
    back = max(model.seasons, -(-model.ahead // model.season)) * model.season - model.ahead
    return x.at(1, -1 - back).at(1, model.column), state


def dense(graph: Graph, model: Any, params: Any, x: Value, state: Any = None) -> Any:
    """See `DenseForecaster`."""
    x = graph.dense(x.reshape(0, -1), params["Dense_0"]).apply("Relu")
    return graph.dense(x, params["Dense_1"]).squeeze(1), state


def conv(graph: Graph, model: Any, params: Any, x: Value, state: Any = None) -> Any:
    """See `ConvForecaster`."""
    x = x.transpose(0, 2, 1)  # [B, D, T]
    for k in range(3):
        x = convolved(graph, x, params[f"Conv_{k}"]).apply("Relu")
        x = x.apply("MaxPool", kernel_shape=[2], strides=[2]) if k < 2 else x.mean(2)
    return graph.dense(x, params["Dense_0"]).squeeze(1), state


def recurrent_forecaster(graph: Graph, model: Any, params: Any, x: Value, state: Any = None) -> Any:
    """See `RecurrentForecaster`."""
    if model.batch_norm:
        means, variances = map(np.float32, model.moments or (np.zeros(1), np.ones(1)))
        own = params["InputBatchNorm_0"]
        scale = np.asarray(own["scale"]) / np.sqrt(variances + np.float32(forecasters.InputBatchNorm.epsilon))
        x = (x - means) * scale.astype(np.float32) + np.asarray(own["bias"])
    _, x, state = recurrent.run(graph, model.layer, params["layer"], x, state=state)
    for k in range(model.dense_layers):
        x = graph.dense(x, params[f"Dense_{k}"]).apply("Relu")
    return graph.dense(x, params[f"Dense_{model.dense_layers}"]).squeeze(1), state


def rescaled(graph: Graph, model: Any, params: Any, inputs: Any, state: Any = None) -> Any:
    """See `Rescaled`."""
    windows, scale = inputs
    found, state = write(graph, model.forecaster, params.get("forecaster", {}), windows, state)
    return scale.at(1, 0) + scale.at(1, 1) * found, state


def normalized(graph: Graph, model: Any, params: Any, inputs: Any, state: Any = None) -> Any:
    """See `Normalized`."""
    changes, level = inputs
    inner = lambda x: write(graph, model.forecaster, params.get("forecaster", {}), x, state)
    if model.how == "series":
        found, state = inner(changes + level.unsqueeze(1))
        return found - level.at(1, 0), state
    if model.how == "last":
        return inner(changes)
    apart = changes - changes.mean(1, keep=True)
    size = ((apart * apart).mean(1, keep=True) + model.epsilon).apply("Sqrt")
    found, state = inner(apart / size)
    return size.at(1, 0).at(1, 0) * found, state


WRITERS = {
    forecasters.LastValue: last_value,
    forecasters.Drift: drift,
    forecasters.SeasonalNaive: seasonal_naive,
    forecasters.DenseForecaster: dense,
    forecasters.ConvForecaster: conv,
    forecasters.RecurrentForecaster: recurrent_forecaster,
    forecasters.Rescaled: rescaled,
    forecasters.Normalized: normalized,
}


def write(graph: Graph, model: Any, params: Any, inputs: Any, state: Any = None) -> Any:
    """A forecaster within another. Raises UserError: none of these."""
    if type(model) not in WRITERS:
        raise UserError(f"{type(model).__name__} cannot be written as ONNX; choices: --to=stablehlo, --to=safetensors")
    return WRITERS[type(model)](graph, model, params, inputs, state)
