"""Recurrent layers joined: both directions of time, one above the other, or above a dense one.

Legend: B batch, T time, D features, U units.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.layers.backends.choice import Choice, choose
from seqjax.layers.checks import check_parts
from seqjax.layers.dense import Dense
from seqjax.layers.inputs import dense
from seqjax.layers.linear_recurrent import LinearRecurrent
from seqjax.layers.recurrent import ONE_CALL, RNN, Recurrent, RecurrentLayer

MERGES = ("concat", "sum", "mul", "ave")


class Bidirectional(Recurrent):
    """A layer and its mirror image over the same inputs; parameters below "forward" and "backward".

    What is returned is decided by the forward layer. The merged last output joins the forward output after the last
    step with the backward output after the first.

    Inputs and mask as of the layer: [B, T, D] -> [B, 2U], or [B, T, 2U]. Its state is (forward, backward). `layer` and
    `backward_layer` are told below; `merge`: concat, sum, mul or ave. As Keras's Bidirectional(LSTM(U)), whatever the
    padding; PyTorch's nn.LSTM(..., bidirectional=True) on a packed sequence; Flax's nn.Bidirectional(nn.RNN(...),
    nn.RNN(...)).

        >>> layer = Bidirectional(LSTM(4))
        >>> layer.apply(layer.init(key, x), x, mask=mask).shape
        (2, 8)
        >>> nnx.bridge.lazy_init(nnx.bridge.ToNNX(layer, rngs=rngs), x)(x, mask=mask).shape
        (2, 8)
    """

    layer: Any
    """The forward layer (SimpleRNN, LSTM, GRU or RNN)."""
    backward_layer: Any = None
    """None: one like the forward layer. It runs the other way, whatever its `reverse` says."""
    merge: str = "concat"

    def setup(self) -> None:
        """Make the two layers."""
        if self.merge not in MERGES:
            raise UserError(f"merge {self.merge!r} is unknown; choose one of {', '.join(MERGES)}")
        self.forward = _fresh(self.layer)
        self.backward = _fresh(self.backward_layer or self.layer, reverse=not self.layer.reverse)

    def wants(self) -> tuple[bool, bool]:
        """What the forward layer wants."""
        return self.layer.wants()

    def run(
        self,
        inputs: Any,
        mask: Any = None,
        initial_state: Any = None,
        train: bool = False,
        sequences: bool = True,
        **options: Any,
    ) -> tuple[Any, Any, Any]:
        """As in `Recurrent`: [B, T, 2U] and [B, 2U] when concatenated, else [B, T, U] and [B, U]."""
        states = check_parts("Bidirectional", initial_state, "(forward, backward)", 2)
        layers = (self.forward, self.backward)
        if together(*layers, train=train):
            first, second = self._run_together(inputs, mask, states, train, sequences, **options)
        else:
            first, second = (
                layer.run(inputs, mask, state, train, sequences, **options)
                for layer, state in zip(layers, states, strict=True)
            )
        outputs = self._merge(first[0], second[0]) if sequences else None
        return outputs, self._merge(first[1], second[1]), (first[2], second[2])

    def _run_together(
        self, inputs: Any, mask: Any, states: Any, train: bool, sequences: bool, recurrent_mask: Any = None
    ) -> Any:
        """Both directions by one call of their backend."""
        layers = (self.forward, self.backward)
        prepared = [
            layer.prepare(inputs, mask, state, train, recurrent_mask, alone=False)
            for layer, state in zip(layers, states, strict=True)
        ]
        directions = [direction for *_, direction in prepared]
        choice, inputs, mask, _ = prepared[0]
        results = ONE_CALL[choice.backend](self.forward.fused_cell, directions, inputs, mask, sequences)
        return [layer.finish(inputs, *result) for layer, result in zip(layers, results, strict=True)]

    def _merge(self, forward: jax.Array, backward: jax.Array) -> jax.Array:
        if self.merge == "concat":
            return jnp.concatenate([forward, backward], axis=-1)
        if self.merge == "sum":
            return forward + backward
        return forward * backward if self.merge == "mul" else (forward + backward) / 2


class Stacked(Recurrent):
    """Recurrent layers one above the other; parameters below "layers_0", "layers_1", ...

    Each is fed all outputs of the one below; the top layer's `return_sequences` and `return_state` count.

    Inputs and mask [B, T] as of the `layers`; outputs those of the top one. Its state has one for each. `residual` and
    `dropout` are told below. As Keras's RNN([cell, cell]) or layers with return_sequences=True; PyTorch's nn.GRU(D, U,
    num_layers=2, dropout=0.1); Flax's nn.Sequential.

        >>> layer = Stacked([GRU(4), Bidirectional(GRU(4)), GRU(4, return_state=True)], dropout=0.1)
        >>> last, states = layer.apply(layer.init(key, x), x, mask=mask)
        >>> last.shape, len(states)
        ((2, 4), 3)
        >>> nnx.bridge.lazy_init(nnx.bridge.ToNNX(Stacked([GRU(4), GRU(4)]), rngs=rngs), x)(x).shape
        (2, 4)
    """

    layers: Sequence[Any]
    residual: bool = False
    """Every layer from the second on adds what the one below gave (GNMT, Wu et al. 2016); widths must be equal."""
    dropout: float = 0.0
    """Of what each layer from the second on is fed, fresh at every step."""

    def setup(self) -> None:
        """Check the options."""
        if not self.layers:
            raise UserError("Stacked: no layers given")
        if len({id(layer) for layer in self.layers}) < len(self.layers):
            raise UserError("Stacked: the same layer object is given twice, and would share its weights")
        if not 0 <= self.dropout < 1:
            raise UserError(f"Stacked: dropout={self.dropout} is not in [0, 1)")
        self.between = nn.Dropout(self.dropout)

    def wants(self) -> tuple[bool, bool]:
        """What the top layer wants."""
        return self.layers[-1].wants()

    def run(
        self,
        inputs: Any,
        mask: Any = None,
        initial_state: Any = None,
        train: bool = False,
        sequences: bool = True,
        **options: Any,
    ) -> tuple[Any, Any, Any]:
        """As in `Recurrent`, of the top layer; the state is a tuple with one per layer."""
        states = check_parts("Stacked", initial_state, "one for each layer", len(self.layers))
        top = len(self.layers) - 1
        outputs, last, state = self.layers[0].run(inputs, mask, states[0], train, sequences or top > 0, **options)
        final = [state]
        for k in range(1, len(self.layers)):
            fed = self.between(outputs, deterministic=not train)
            wanted = sequences or k < top
            above, last_above, state = self.layers[k].run(fed, mask, states[k], train, wanted, **options)
            final.append(state)
            if self.residual:
                if last_above.shape != last.shape:
                    raise UserError(
                        f"Stacked: residual needs equal widths, but layer {k} turns {last.shape[-1]} "
                        f"into {last_above.shape[-1]}"
                    )
                # Last adds to last, not to the last time step: a reversed half ends at t = 0.
                last_above = last_above + last
                above = above + outputs if wanted else None
            outputs, last = above, last_above
        return outputs, last, tuple(final)


class Encoded(Recurrent):
    """A dense layer with relu at each step, then a recurrent one: what makes one whose state is linear less so."""

    units: int
    layer: Recurrent

    def wants(self) -> tuple[bool, bool]:
        """As the layer."""
        return self.layer.wants()

    @nn.compact
    def run(self, inputs: Any, *arguments: Any, **options: Any) -> tuple[Any, Any, Any]:
        """As in `Recurrent`."""
        return self.layer.run(nn.relu(Dense(self.units)(dense(inputs))), *arguments, **options)


def _fresh(layer: Any, **changes: Any) -> Any:
    """A copy that shares no parameters with the original."""
    if isinstance(layer, RNN):
        changes["cell"] = layer.cell.clone(parent=None, name=None)
    return layer.clone(parent=None, name=None, **changes)


def together(forward: Any, backward: Any, *, train: bool = True) -> bool:
    """Whether a backend runs two layers in one call: the same kind and width, alike masks, the same inputs."""
    if not (isinstance(forward, RecurrentLayer) and isinstance(backward, RecurrentLayer)):
        return False
    alike = ("fused_cell", "units", "recurrent_dropout", "tied")
    if any(getattr(forward, name) != getattr(backward, name) for name in alike):
        return False
    if train and max(forward.dropout, backward.dropout) > 0:
        return False  # each draws its own mask of the inputs
    dropped = forward.recurrent_dropout > 0
    chosen = {choose(layer, masked=True, dropped=dropped).backend for layer in (forward, backward)}
    return len(chosen) == 1 and chosen <= set(ONE_CALL)


def recurrent_layers(model: Any) -> list[Recurrent]:
    """The recurrent layers in a model's fields and in its submodules'; a Stacked or Bidirectional counts as one."""
    if isinstance(model, Recurrent):
        return [model]
    parts = vars(model).items() if isinstance(model, nn.Module) else ()
    return [layer for name, part in parts if name != "parent" for layer in recurrent_layers(part)]


def choices(model: Any) -> list[tuple[str, Choice]]:
    """Of each recurrent layer of a model: its name, and which backend trains it and why."""
    masked = getattr(model, "mask_padding", False)
    return [pair for layer in recurrent_layers(model) for pair in _choices(layer, masked, True, None)]


def explain(layer: Any, *, masked: bool = False, train: bool = False, platform: str | None = None) -> list[str]:
    """One line for each recurrent layer: which backend runs it and why.

    Args:
      layer: SimpleRNN, LSTM, GRU, RNN, Bidirectional or Stacked.
      masked: whether a mask comes with the inputs.
      train: whether dropout acts.
      platform: cpu, gpu or tpu; None: where JAX runs.

    Keras says it by an exception (use_cudnn=True), PyTorch and Flax not at all.

        >>> explain(LSTM(4, backend="scan"))
        ['LSTM(4): scan, because asked for']
    """
    return [said(*pair) for pair in _choices(layer, masked, train, platform)]


def said(name: str, choice: Choice) -> str:
    """`forward/LSTM(16): fused, because ...`."""
    return f"{name}: {choice.backend}, because {choice.reason}"


def _choices(layer: Any, masked: bool, train: bool, platform: str | None) -> list[tuple[str, Choice]]:
    if isinstance(layer, Stacked):
        parts = {f"layers_{k}": part for k, part in enumerate(layer.layers)}
    elif isinstance(layer, Bidirectional):
        parts = {"forward": layer.layer, "backward": layer.backward_layer or layer.layer}
    elif isinstance(layer, Encoded):
        parts = {"layer": layer.layer}
    elif isinstance(layer, RNN):
        return [(f"RNN of {type(layer.cell).__name__}", Choice("scan", "the cell is the user's own"))]
    elif isinstance(layer, LinearRecurrent):
        return [(f"{type(layer).__name__}({layer.units})", layer.choice(platform))]
    else:
        dropped = train and layer.recurrent_dropout > 0
        choice = choose(layer, masked=masked, dropped=dropped, platform=platform)
        return [(f"{type(layer).__name__}({layer.units})", choice)]
    return [
        (f"{part}/{name}", choice)
        for part, inner in parts.items()
        for name, choice in _choices(inner, masked, train, platform)
    ]
