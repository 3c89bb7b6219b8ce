"""Recurrent layers joined: both directions of time, or one above the other.

Legend: B batch, T time, D features, U units.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.models.recurrent import RNN, Recurrent

MERGES = ("concat", "sum", "mul", "ave")


class Bidirectional(Recurrent):
    """A layer and its mirror image over the same inputs; parameters below "forward" and "backward".

    What is returned is decided by the forward layer. The merged last output joins the forward output after the last
    step with the backward output after the first.
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
        inputs: jax.Array,
        mask: Any = None,
        initial_state: Any = None,
        train: bool = False,
        **options: Any,
    ) -> tuple[Any, Any, Any]:
        """As in `Recurrent`: [B, T, 2U] and [B, 2U] when concatenated, else [B, T, U] and [B, U]."""
        first, second = (None, None) if initial_state is None else initial_state
        y_forward, last_forward, first = self.forward.run(inputs, mask, first, train, **options)
        y_backward, last_backward, second = self.backward.run(inputs, mask, second, train, **options)
        return self._merge(y_forward, y_backward), self._merge(last_forward, last_backward), (first, second)

    def _merge(self, forward: jax.Array, backward: jax.Array) -> jax.Array:
        if self.merge == "concat":
            return jnp.concatenate([forward, backward], axis=-1)
        if self.merge == "sum":
            return forward + backward
        return forward * backward if self.merge == "mul" else (forward + backward) / 2


class Stacked(Recurrent):
    """Recurrent layers one above the other; parameters below "layers_0", "layers_1", ...

    Each is fed all outputs of the one below; the top layer's `return_sequences` and `return_state` count.
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
        if not 0 <= self.dropout < 1:
            raise UserError(f"Stacked: dropout={self.dropout} is not in [0, 1)")
        self.between = nn.Dropout(self.dropout)

    def wants(self) -> tuple[bool, bool]:
        """What the top layer wants."""
        return self.layers[-1].wants()

    def run(
        self,
        inputs: jax.Array,
        mask: Any = None,
        initial_state: Any = None,
        train: bool = False,
        **options: Any,
    ) -> tuple[Any, Any, Any]:
        """As in `Recurrent`, of the top layer; the state is a tuple with one per layer."""
        states = initial_state or [None] * len(self.layers)
        outputs, last, state = self.layers[0].run(inputs, mask, states[0], train, **options)
        final = [state]
        for k in range(1, len(self.layers)):
            fed = self.between(outputs, deterministic=not train)
            above, last_above, state = self.layers[k].run(fed, mask, states[k], train, **options)
            final.append(state)
            if self.residual:
                if above.shape != outputs.shape:
                    raise UserError(
                        f"Stacked: residual needs equal widths, but layer {k} turns {outputs.shape[-1]} "
                        f"into {above.shape[-1]}"
                    )
                # Last adds to last, not to the last time step: a reversed half ends at t = 0.
                above, last_above = above + outputs, last_above + last
            outputs, last = above, last_above
        return outputs, last, tuple(final)


def _fresh(layer: Any, **changes: Any) -> Any:
    """A copy that shares no parameters with the original."""
    if isinstance(layer, RNN):
        changes["cell"] = layer.cell.clone(parent=None, name=None)
    return layer.clone(parent=None, name=None, **changes)
