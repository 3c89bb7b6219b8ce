"""`seqjax.models.horizon.DirectForecaster` as a graph: see `forecasters`.

Legend: B batch, L context, H horizon, P past features, S seasons, R numbers of the head, Q levels.
"""

from typing import Any

import numpy as np

from seqjax.data.series.panel_arrays import History
from seqjax.export.graph import Graph, Value
from seqjax.export.onnx_models import recurrent
from seqjax.export.onnx_models.masks import Mask
from seqjax.models import distributions
from seqjax.models.distributions import LEAST
from seqjax.models.panel_inputs import EPSILON, season_places


def direct(graph: Graph, model: Any, params: Any, history: History, state: Any = None) -> Any:
    """See `DirectForecaster`."""
    valid = history.valid.unsqueeze(2).cast(np.float32)
    location, size = _scales(graph, model.normalize, history, valid)
    window = (history.changes - location.unsqueeze(1)) / size.unsqueeze(1) * valid
    about = []
    if model.embedding_size:
        about.append(graph.rows(np.asarray(params["About_0"]["Embedding_0"]["embedding"]), history.series))
    units = np.shape(params["steps"]["kernel"])[0]
    if np.shape(params["common"]["kernel"])[0] > units + model.embedding_size:
        about.append(history.static)
    known = np.shape(params["own"]["kernel"])[0] > model.step_context + len(model.seasons)
    read = _read(graph, model, params, window, history, valid, about, known)
    seasons = window.at(2, 0)
    places = season_places(model.context, model.horizon, model.seasons).astype(np.int64)  # [H, S]
    seasons = graph.op("Gather", seasons, graph.constant(places), axis=1) if places.size else None
    raw = _steps(graph, model, params, read, about, seasons, history, known)
    zero = (history.zero - history.level.at(1, 0)).unsqueeze(1)
    frame = [location.slice(1, 0, 1), size.slice(1, 0, 1), zero, history.unit.unsqueeze(1)]
    base = seasons.at(2, 0) if model.around_season and seasons is not None else None
    if model.linear:
        line = graph.dense(window.at(2, 0), params["linear"])
        base = line if base is None else base + line
    if base is not None:
        frame[0] = frame[0] + frame[1] * base
    return distribution(graph, model.head, raw, frame), state


def _scales(graph: Graph, how: str, history: History, weight: Value) -> tuple[Value, Value]:
    """See `panel_inputs.scales`."""
    ones = history.level * 0.0 + 1.0
    if how == "series":
        return history.level * -1.0, ones
    if how == "last":
        return history.level * 0.0, ones
    count = weight.sum(1).maximum(1.0)
    mean = (history.changes * weight).sum(1) / count
    apart = history.changes - mean.unsqueeze(1)
    size = ((apart * apart * weight).sum(1) / count + EPSILON).apply("Sqrt")
    if how == "window":
        return mean, size
    zero = (history.zero - history.level.at(1, 0)).unsqueeze(1)
    first = history.changes.slice(2, 0, 1) - zero.unsqueeze(1)
    sizes = (first.apply("Abs") * weight).sum(1) / count + EPSILON
    return graph.concat([zero, mean.slice(1, 1)], 1), graph.concat([sizes, size.slice(1, 1)], 1)


def _read(
    graph: Graph, model: Any, params: Any, window: Value, history: History, valid: Value, about: Any, known: bool
) -> Value:
    marks = history.seen.unsqueeze(2).cast(np.float32)
    parts = [window, marks]
    if known:
        parts.append(history.known.slice(1, 0, model.context) * valid)
    missing, steps = -model.context % model.patch, -(-model.context // model.patch)
    x = graph.concat(parts, 2).pad(1, missing, 0, 3)
    x = x.reshape(0, steps, -1)
    whole = history.valid.cast(np.int32).pad(1, missing, 0, 2).reshape(0, steps, model.patch)
    mask = Mask.of(graph, whole.max(2).cast(bool))
    if about:
        everywhere = graph.constant(np.ones((1, steps, 1), np.float32))
        x = graph.concat([x, *(part.unsqueeze(1) * everywhere for part in about)], 2)
    return recurrent.run(graph, model.layer, params["layer"], x, mask)[1]


def _steps(
    graph: Graph,
    model: Any,
    params: Any,
    read: Value,
    about: list[Value],
    seasons: Value | None,
    history: History,
    known: bool,
) -> Value:
    own = [graph.dense(read, params["steps"]).reshape(0, model.horizon, model.step_context)]
    own += [] if seasons is None else [seasons]
    if known:
        own.append(history.known.slice(1, model.context))
    common = graph.dense(graph.concat([read, *about], 1), params["common"])
    hidden = graph.dense(graph.concat(own, 2), params["own"]) + common.unsqueeze(1)
    return graph.dense(hidden.apply("Relu"), params["numbers"])


def distribution(graph: Graph, head: Any, raw: Value, frame: list[Value]) -> Any:
    """As the head's own: a tree of [B, H, ...]."""
    location, size, zero, unit = frame
    soft = lambda k: raw.at(2, k).apply("Softplus")
    if isinstance(head, distributions.Quantiles):
        middle, count = head.levels.index(0.5), len(head.levels)
        gaps = np.zeros((count, count), np.float32)  # of the softplus of each number, in each quantile
        for k, apart in enumerate(head._apart()):
            gaps[k, : k + 1 if k < middle else 0] = -apart
            gaps[k, (k if k > middle else count) :] = apart
        apart = raw.apply("Softplus") @ graph.constant(gaps)
        return location.unsqueeze(2) + size.unsqueeze(2) * (raw.slice(2, middle, middle + 1) + apart)
    if isinstance(head, distributions.Mean):
        return location + size * raw.at(2, 0)
    if isinstance(head, distributions.StudentT):
        return distributions.Student(soft(2) + 2.0, location + size * raw.at(2, 0), size * (soft(1) + LEAST))
    counts = size * unit
    mean = counts * (soft(0) + LEAST)
    zeros = mean * 0.0
    spread = (soft(1) + LEAST) / counts.apply("Sqrt")
    return distributions.Counts(mean, spread, zeros + zero, zeros + unit)
