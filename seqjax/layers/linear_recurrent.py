"""What layers share whose state is a `linear_recurrence`: masks, state in and out, direction, dropout.

Legend: B batch, T time, D features, U units.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.layers import checks, linear_recurrence
from seqjax.layers.backends.choice import Choice
from seqjax.layers.initializers import Initializer
from seqjax.layers.inputs import check_inputs, dense
from seqjax.layers.recurrent import Recurrent


class Terms(NamedTuple):
    """What the inputs alone make of a layer."""

    decay: jax.Array
    """[B, T, U]: what the state is multiplied by, ..."""
    update: jax.Array
    """... and what is added to it."""
    read: Callable[[jax.Array], jax.Array]
    """States [B, T, U] -> outputs [B, T, U]."""


class LinearRecurrent(Recurrent):
    """A layer is its `terms`.

    Inputs are [B, T, D], a mask is [B, T] bool; outputs are [B, U], or [B, T, U] with `return_sequences`; with
    `return_state` a pair: these, and the state [B, U]. `units` is U; `reverse`, `dropout`, `kernel_init`, `bias_init`,
    `param_dtype` (sums and states are float32 at least) and `backend` are told below.
    """

    units: int
    return_sequences: bool = False
    return_state: bool = False
    reverse: bool = False
    """From the last step to the first. Outputs stay aligned; the last output is the one after t = 0."""
    dropout: float = 0.0
    """Of the input: one mask per example for all steps and gates."""
    kernel_init: Initializer | None = None
    """Instead of glorot-uniform."""
    bias_init: Initializer | None = None
    """Instead of zeros."""
    param_dtype: Any = jnp.float32
    backend: str = "auto"
    """auto, scan, associative or native: see `linear_recurrence`."""

    complex_state: ClassVar[bool] = False

    def setup(self) -> None:
        """Check the options."""
        name = type(self).__name__
        checks.check_count(f"{name}: units", self.units)
        checks.check_float_types(name, param_dtype=self.param_dtype)
        if not 0 <= self.dropout < 1:
            raise UserError(f"{name}: dropout={self.dropout} is not in [0, 1)")
        self.input_dropout = nn.Dropout(self.dropout, broadcast_dims=(1,))

    def state_dtype(self) -> Any:
        """Of sums and states: at least float32."""
        real = jnp.promote_types(self.param_dtype, jnp.float32)
        return jnp.result_type(real, jnp.complex64) if self.complex_state else real

    def choice(self, platform: str | None = None) -> Choice:
        """How the states are computed, and why. platform: None: where JAX runs."""
        return linear_recurrence.choose(type(self).__name__, self.backend, self.state_dtype(), platform)

    def terms(self, x: jax.Array) -> Terms:
        """Of inputs x [B, T, D]."""
        raise NotImplementedError

    def run(
        self,
        inputs: Any,
        mask: Any = None,
        initial_state: Any = None,
        train: bool = False,
        sequences: bool = True,
        **options: Any,
    ) -> tuple[Any, Any, Any]:
        """As in `Recurrent`; no options."""
        del sequences
        name = type(self).__name__
        if options:
            raise UserError(f"{name}: unknown option {', '.join(options)}")
        inputs, mask = check_inputs(name, inputs, mask)
        if inputs.ndim != 3 or inputs.shape[2] == 0:
            raise UserError(f"{name}: inputs must be [batch, time, features], not of shape {inputs.shape}")
        dtype = self.state_dtype()
        x = dense(inputs).astype(jnp.promote_types(self.param_dtype, jnp.float32))
        x = self.input_dropout(x, deterministic=not train)
        state = self._initial(name, initial_state, x.shape[0])
        decay, update, read = self.terms(x)
        decay, update = decay.astype(dtype), update.astype(dtype)
        if mask is not None:
            decay = jnp.where(mask[:, :, None], decay, 1)
            update = jnp.where(mask[:, :, None], update, 0)
        states: Any = linear_recurrence.linear_recurrence(decay, update, state, self.reverse, self.choice().backend)
        outputs = read(states)
        if mask is not None:
            outputs = self._held(outputs, mask)
        if not x.shape[1]:  # as before the first step
            return outputs, jnp.zeros_like(outputs, shape=(x.shape[0], self.units)), state
        last = 0 if self.reverse else -1
        return outputs, outputs[:, last], states[:, last]

    def _initial(self, name: str, state: Any, batch: int) -> jax.Array:
        shape, dtype = (batch, self.units), self.state_dtype()
        if state is None:
            return jnp.zeros(shape, dtype)
        (state,) = checks.check_state(name, state, ("h",), shape, dtype)
        return state

    def _held(self, outputs: jax.Array, mask: jax.Array) -> jax.Array:
        """At masked steps: the states are held already."""
        del mask
        return outputs
