"""Recurrent layers as ONNX's own LSTM, GRU and RNN operators: both directions, stacked, masked, states in and out.

The operators take [T, B, D] and have the LSTM's gates in another order: i, o, f, g (ours i, f, g, o); the GRU's, z, r,
h, are in ours. `linear_before_reset` is `reset_after`.

Legend: B batch, T time, D features, U units, G gates, N directions (1 or 2), V vocabulary.
"""

import dataclasses
from typing import Any, NoReturn

import numpy as np

from seqjax.errors import UserError
from seqjax.export.graph import Graph, Value
from seqjax.export.onnx_models.masks import Mask
from seqjax.layers.composite import Bidirectional, Encoded, Stacked
from seqjax.layers.recurrent import GRU, LSTM, RecurrentLayer, SimpleRNN

OPERATORS = {SimpleRNN: "RNN", LSTM: "LSTM", GRU: "GRU"}
ACTIVATIONS = {
    "tanh": ("Tanh", 0.0, 0.0),
    "sigmoid": ("Sigmoid", 0.0, 0.0),
    "relu": ("Relu", 0.0, 0.0),
    "hard_sigmoid": ("HardSigmoid", 1 / 6, 0.5),
    "softsign": ("Softsign", 0.0, 0.0),
    "linear": ("Affine", 1.0, 0.0),
}
"""Name -> ONNX's, alpha, beta."""


@dataclasses.dataclass(frozen=True)
class Looked:
    """Ids [B, T] that stand for rows of a table [V, E], or (None) for one-hot vectors of V entries."""

    ids: Value
    table: Any = None
    vocabulary_size: int = 0

    def vectors(self, mask: Mask | None = None) -> Value:
        """[B, T, E], with the real steps in front."""
        ids = self.ids if mask is None else mask.front(self.ids, 2)
        table = np.eye(self.vocabulary_size, dtype=np.float32) if self.table is None else self.table
        return ids.graph.rows(table, ids)


def refuse(layer: Any, reason: str) -> NoReturn:
    """Raise UserError: ONNX has no operator for the layer."""
    raise UserError(
        f"{type(layer).__name__} with {reason} has no operator in ONNX; choices: --to=stablehlo, --to=safetensors"
    )


def run(graph: Graph, layer: Any, params: Any, x: Any, mask: Mask | None = None, state: Any = None) -> Any:
    """As `Recurrent.run`.

    Args:
      graph: to be written into.
      layer: of `seqjax.layers`.
      params: its own.
      x: a Value [B, T, D], or `Looked`.
      mask: of the steps.
      state: the initial one, values [B, U] in the layer's structure; None: zeros.

    Returns:
      outputs of all steps [B, T, U], of the last step [B, U], the final state.

    Raises:
      UserError: a layer that ONNX has no operator for.
    """
    if isinstance(layer, Stacked):
        return _stacked(graph, layer, params, x, mask, state)
    if isinstance(layer, Encoded):
        whole = x.vectors() if isinstance(x, Looked) else x
        return run(
            graph, layer.layer, params["layer"], graph.dense(whole, params["Dense_0"]).apply("Relu"), mask, state
        )
    if isinstance(layer, Bidirectional):
        halves = [layer.layer, layer.backward_layer or layer.layer]
        halves[1] = halves[1].clone(parent=None, name=None, reverse=not halves[0].reverse)
        states = state or (None, None)
        names = ("forward", "backward")
        if _together(*halves):
            found = _operator(graph, halves, [params[name] for name in names], x, mask, states)
        else:
            found = [
                run(graph, *each)
                for each in zip(halves, map(params.get, names), (x, x), (mask, mask), states, strict=True)
            ]
        (first, last_first, final), (second, last_second, final_second) = found
        merged = (_merge(graph, layer.merge, *pair) for pair in ((first, second), (last_first, last_second)))
        return (*merged, (final, final_second))
    if type(layer) not in OPERATORS:
        refuse(layer, "its own recurrence")
    (found,) = _operator(graph, [layer], [params], x, mask, [state])
    return found


def _stacked(graph: Graph, layer: Stacked, params: Any, x: Any, mask: Mask | None, state: Any) -> Any:
    states, outputs, last, final = state or [None] * len(layer.layers), None, None, []
    for k, part in enumerate(layer.layers):
        below = x if k == 0 else outputs
        above, last_above, own = run(graph, part, params[f"layers_{k}"], below, mask, states[k])
        if layer.residual and k:
            above, last_above = above + outputs, last_above + last
        outputs, last = above, last_above
        final.append(own)
    return outputs, last, tuple(final)


def _merge(graph: Graph, how: str, first: Value, second: Value) -> Value:
    if how == "concat":
        return graph.concat([first, second], -1)
    if how == "mul":
        return first * second
    return first + second if how == "sum" else (first + second) / 2


def _together(forward: Any, backward: Any) -> bool:
    """Whether one operator runs both: alike, and the first one the way that ONNX has first."""
    fields = ("units", "activation", "recurrent_activation", "reset_after")
    alike = all(getattr(forward, name, None) == getattr(backward, name, None) for name in fields)
    return type(forward) is type(backward) and type(forward) in OPERATORS and alike and not forward.reverse


def _check(layer: RecurrentLayer) -> None:
    for name, plain in (("peephole", "none"), ("layer_norm", False), ("zoneout", 0), ("dtype", None)):
        value = getattr(layer, name, plain)
        if value != plain and not (name == "dtype" and value == np.float32):
            refuse(layer, f"{name}={value!r}" if isinstance(value, str | bool | int | float) else f"{name} set")
    for name in ("activation", "recurrent_activation"):
        value = getattr(layer, name, "tanh")
        if not isinstance(value, str):
            refuse(layer, f"an {name} of your own")
        if value not in ACTIVATIONS:
            refuse(layer, f"{name}={value!r}")


def _operator(graph: Graph, layers: list[Any], params: list[Any], x: Any, mask: Mask | None, states: Any) -> list[Any]:
    """One node for one layer, or for both directions of one: (outputs, last, final state) of each."""
    for layer in layers:
        _check(layer)
    kinds, layer = [_weights(layer, own["cell"]) for layer, own in zip(layers, params, strict=True)], layers[0]
    x, kinds = _fed(graph, x, mask, kinds)
    lstm = isinstance(layer, LSTM)
    stack = lambda k: graph.constant(np.stack([kind[k] for kind in kinds]).astype(np.float32))
    parts = [state if isinstance(state, tuple) else (state,) for state in states]
    zeros = any(part is None for state in parts for part in state)
    begin = [None] * 2
    if not zeros:
        begin = [graph.concat([state[k].unsqueeze(0) for state in parts], 0) for k in range(1 + lstm)]
    lengths = None if mask is None else mask.run_lengths()
    inputs = [x.transpose(1, 0, 2), stack(0), stack(1), stack(2), lengths, *begin][: 6 + lstm]
    while inputs[-1] is None:
        inputs.pop()
    found = graph.ops(OPERATORS[type(layer)], *inputs, outputs=2 + lstm, hidden_size=layer.units, **_attributes(layers))
    outputs = found[0].transpose(1, 2, 0, 3)  # [N, B, T, U]
    results = []
    for k, one in enumerate(layers):
        given = (None,) * (1 + lstm) if zeros else parts[k]
        all_steps, final = outputs.at(0, k), [part.at(0, k) for part in found[1:]]
        if mask is not None:
            all_steps = mask.back(all_steps, given[0], one.reverse)
            final = [mask.last(part, start) for part, start in zip(final, given, strict=True)]
        results.append((all_steps, final[0], tuple(final) if lstm else final[0]))
    return results


def _attributes(layers: list[Any]) -> dict[str, Any]:
    layer = layers[0]
    names = [layer.activation]
    if isinstance(layer, LSTM):
        names = [layer.recurrent_activation, layer.activation, layer.activation]
    elif isinstance(layer, GRU):
        names = [layer.recurrent_activation, layer.activation]
    kinds = [ACTIVATIONS[str(name)] for name in names] * len(layers)
    direction = "bidirectional" if len(layers) > 1 else "reverse" if layer.reverse else "forward"
    made: dict[str, Any] = {"direction": direction, "activations": [kind[0] for kind in kinds]}
    # Alphas and betas are for those alone that have any, in their order.
    with_own = [kind for kind in kinds if kind[0] in ("HardSigmoid", "Affine")]
    if with_own:
        made |= {"activation_alpha": [kind[1] for kind in with_own], "activation_beta": [kind[2] for kind in with_own]}
    return made | ({"linear_before_reset": int(layer.reset_after)} if isinstance(layer, GRU) else {})


def _weights(layer: Any, cell: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W [G U, D], R [G U, U], B [2 G U]."""
    order = [0, 3, 1, 2] if isinstance(layer, LSTM) else range(3 if isinstance(layer, GRU) else 1)
    blocks = lambda array: np.concatenate([np.split(np.asarray(array), len(order), axis=-1)[k] for k in order], axis=-1)
    bias = np.asarray(cell["bias"])
    two = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
    return blocks(cell["kernel"]).T, blocks(cell["recurrent_kernel"]).T, blocks(two).reshape(-1)


def _fed(graph: Graph, x: Any, mask: Mask | None, kinds: list[Any]) -> tuple[Value, list[Any]]:
    """The vectors that the operator is fed, the real steps in front; and the weights of it.

    One-hot vectors of a large vocabulary are never built: a row of the kernel is what one of them gives, and the
    operator's own W then only hands it on.
    """
    if not isinstance(x, Looked):
        return (x if mask is None else mask.front(x, 3)), kinds
    width = sum(len(kind[0]) for kind in kinds)
    if x.table is not None or x.vocabulary_size <= width:
        return x.vectors(mask), kinds
    table = np.concatenate([kind[0].T for kind in kinds], axis=1)  # [V, N G U]
    hand_on = np.split(np.eye(width, dtype=np.float32), len(kinds))
    looked = Looked(x.ids, table)
    return looked.vectors(mask), [(own, *kind[1:]) for own, kind in zip(hand_on, kinds, strict=True)]
