"""A model and its parameters as an ONNX model, whole or reading on from a state.

Legend: B batch, T time, U units.
"""

from typing import Any

import jax
import numpy as np
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.export.graph import Graph, Value
from seqjax.export.onnx_models import table, translation
from seqjax.export.ports import PORTS, Port, Ports
from seqjax.layers.composite import Stacked, recurrent_layers
from seqjax.layers.recurrent import LSTM, RecurrentLayer
from seqjax.models.hotwords import HISTORY, HotwordDetector
from seqjax.models.translation import Translator

STATE = "state"
"""Before the number of a state's array; `next_` stands before the name of the one that a step gives."""
MOST = 1 << 30
"""Bytes of parameters: protobuf ends at 2 GB, and a few weights are kept in two forms."""


def whole(model: nn.Module, params: Any, example: Any) -> Any:
    """The ONNX model of `model.apply`.

    Args:
      model: one that has a writer.
      params: its own.
      example: inputs of it, [1, ...] or more, for the shapes.

    Raises:
      UserError: a model, or a layer of it, that ONNX has no operators for.
    """
    (write, known), graph, params = table.writer(model), Graph(), _single(params)
    inputs = _inputs(graph, known, example)
    outputs, _ = write(graph, model, params, inputs, None)
    shapes = jax.eval_shape(lambda p, x: model.apply({"params": p}, x), params, example)
    _outputs(graph, known.outputs, outputs, shapes)
    return graph.model(type(model).__name__)


def step(model: nn.Module, params: Any, example: Any) -> Any:
    """The ONNX model that reads on: it takes a state (zeros: from the beginning) and gives the next one.

    Arguments and errors as of `whole`; also refused is what looks at steps that have not come yet.
    """
    (write, known), graph, params = table.writer(model), Graph(), _single(params)
    check_streams(model, known)
    inputs = _inputs(graph, known, example)
    begin = states(model, params)
    leaves, structure = jax.tree.flatten(begin)
    given = [
        graph.input(f"{STATE}_{k}", np.float32, ["batch", *[None] * (leaf.ndim - 1)], leaf.shape)
        for k, leaf in enumerate(leaves)
    ]
    outputs, after = write(graph, model, params, inputs, jax.tree.unflatten(structure, given))
    shapes = jax.eval_shape(lambda p, x: model.apply({"params": p}, x), params, example)
    _outputs(graph, known.outputs, outputs, shapes)
    ports = [(f"next_{STATE}_{k}", "b" + "." * (leaf.ndim - 1)) for k, leaf in enumerate(leaves)]
    _outputs(graph, ports, after, begin)
    return graph.model(f"{type(model).__name__}, step")


def translator(model: Translator, params: Any) -> tuple[Any, Any]:
    """The two ONNX models of a translator: one reads sources [B, S], the other writes a token for each [B].

    What the first gives besides the state is what the second wants under the same names.
    """
    first, second, params = Graph(), Graph(), _single(params)
    source = first.input("source", np.int32, ("batch", "source_time"), (1, 1))
    encoded, state = translation.encoder(first, model, params, source)
    layer_axes = ("batch", None)
    for k, leaf in enumerate(jax.tree.leaves(state)):
        first.output(f"{STATE}_{k}", leaf, layer_axes, (1, model.units))
    tokens = second.input("tokens", np.int32, ("batch",), (1,))
    given: dict[str, Value] = {}
    width = model.units * (1 if model.attention == "dot" else 2)
    sizes = {"keys": model.units if model.attention in ("additive", "general") else width, "memory": width}
    for name, value in encoded.items():
        shape = {"last": (1, model.units), "mask": (1, 1)}.get(name) or (1, 1, sizes[name])
        own = ("batch", None) if name == "last" else ("batch", "source_time", None)[: len(shape)]
        first.output(name, value, own, shape)
        given[name] = second.input(name, value.dtype, own, shape)
    begin = (1 + (model.cell == "lstm")) * [None]
    values = [second.input(f"{STATE}_{k}", np.float32, layer_axes, (1, model.units)) for k in range(len(begin))]
    before = tuple(values) if len(values) > 1 else values[0]
    after, logits, weights = translation.step(second, model, params, given, before, tokens)
    second.output("logits", logits, layer_axes, (1, model.target_size))
    if weights is not None:
        second.output("attention", weights, ("batch", "source_time"), (1, 1))
    for k, leaf in enumerate(jax.tree.leaves(after)):
        second.output(f"next_{STATE}_{k}", leaf, layer_axes, (1, model.units))
    return first.model("Translator, source"), second.model("Translator, step")


def states(model: Any, params: Any) -> Any:
    """Zeros [1, ...] in the structure of a model's state."""

    def of(layer: Any) -> Any:
        if isinstance(layer, Stacked):
            return tuple(map(of, layer.layers))
        if not isinstance(layer, RecurrentLayer):
            raise UserError(f"onnx-step: the state of {type(layer).__name__} is not known; choices: --to=onnx")
        zeros = np.zeros((1, layer.units), np.float32)
        return (zeros, zeros) if isinstance(layer, LSTM) else zeros

    inner = of(model.layer)
    if isinstance(model, HotwordDetector):
        return np.zeros((1, HISTORY, len(params["mean"])), np.float32), inner
    return inner


def check_streams(model: Any, known: Ports) -> None:
    """Raise UserError: the model does not answer from a state and what comes next alone."""
    name = type(model).__name__
    if not known.stream:
        able = ", ".join(sorted(kind.__name__ for kind, one in PORTS.items() if one.stream))
        raise UserError(f"onnx-step: {name} reads whole examples, only {able} read on; choices: --to=onnx")
    for layer in recurrent_layers(model):
        for part in [layer, *getattr(layer, "layers", ())]:
            if hasattr(part, "backward_layer") or getattr(part, "reverse", False):
                raise UserError(
                    f"onnx-step: {name} has a layer that reads from the end ({type(part).__name__}); choices: --to=onnx"
                )
    if isinstance(getattr(model, "filters", None), int) and model.filters:
        raise UserError(f"onnx-step: {name} has convolutions over the whole text; choices: --to=onnx")
    if known.outputs[0][1] in ("b", "b.") and model.layer.wants()[0]:
        raise UserError(f"onnx-step: {name} takes the maximum over all steps; choices: --to=onnx")


def _single(params: Any) -> Any:
    """In float32. Raises UserError: more than a file of ONNX holds."""
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), params)
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    if size > MOST:
        raise UserError(f"{size:,} bytes of parameters are more than an ONNX file holds; choices: --to=stablehlo")
    return params


def _inputs(graph: Graph, known: Ports, example: Any) -> Any:
    """Inputs for all leaves, in the example's structure."""
    leaves, structure = jax.tree.flatten(example)
    ports = known.inputs[: len(leaves)]
    values = [graph.input(p[0], leaf.dtype, axes(p), leaf.shape) for p, leaf in zip(ports, leaves, strict=True)]
    return jax.tree.unflatten(structure, values)


def axes(port: Port) -> list[str | None]:
    """For ONNX."""
    return [{"b": "batch", "t": "time"}.get(letter) for letter in port[1]]


def _outputs(graph: Graph, ports: Any, outputs: Any, shapes: Any) -> None:
    values, sizes = jax.tree.leaves(outputs), jax.tree.leaves(shapes)
    for port, value, like in zip(ports, values, sizes, strict=True):
        graph.output(port[0], value, axes(port), like.shape)
