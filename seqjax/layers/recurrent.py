"""Recurrent layers: a cell along time, with masks, state in and out, dropout and direction.

Legend: B batch, T time, D features, U units, G gates. Inputs are [B, T, D], a mask is [B, T] bool (True: a real step).

**A mask holds the state still**: `h = where(valid, new, h)`. So right, left and scattered padding are all correct, in
both directions and without flipping sequences; the output at a masked step is the held output (as in Keras), and a
row that is masked everywhere returns its initial state. What stands at a masked step, be it NaN, reaches neither
outputs nor gradients.

Randomness comes from the collection "dropout", once a call, and does not depend on the backend.
"""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.layers import checks
from seqjax.layers.backends import cudnn, fused, fused_cells, native, pallas
from seqjax.layers.backends.choice import Choice, choose
from seqjax.layers.backends.directions import Direction
from seqjax.layers.cells import Activation, GRUCell, LSTMCell, RecurrentCell, SimpleRNNCell
from seqjax.layers.initializers import Initializer
from seqjax.layers.inputs import check_inputs, dense
from seqjax.layers.rnn import RNN as RNN  # for who knew it here
from seqjax.layers.rnn import Recurrent
from seqjax.layers.scan import scan_cell
from seqjax.layers.tokens import Tokens

ONE_CALL = {"fused": fused.run, "native": native.run, "pallas": pallas.run}
"""The backends that run layers of one shape over the same inputs by one call."""


class RecurrentLayer(Recurrent):
    """What SimpleRNN, LSTM and GRU share. The parameters lie below "cell", whatever the backend.

    Inputs are [B, T, D] or Tokens, a mask is [B, T] bool; outputs are [B, U], or [B, T, U] with `return_sequences`;
    with `return_state` a pair: these, and the state. `units` is U. `initializer` is a preset of the starting values,
    keras, flax or torch, which `kernel_init`, `recurrent_init` and `bias_init` override. `layer_norm` normalises every
    product of a gate. `dtype` is that of products and outputs, `param_dtype` that of parameters; sums and state are
    float32 at least. `backend`: auto, scan, fused, native, cudnn or pallas. `reverse`, `activation`, `dropout`,
    `recurrent_dropout`, `tied`, `fresh` and `zoneout` are told below; Keras has of them the first four (go_backwards),
    PyTorch and Flax's nn.RNN none but `reverse`, and masks by lengths alone.
    """

    units: int
    return_sequences: bool = False
    return_state: bool = False
    reverse: bool = False
    """From the last step to the first. Outputs stay aligned; the last output is the one after t = 0."""
    activation: str | Activation = "tanh"
    dropout: float = 0.0
    """Of the input: one mask per example for all steps and gates."""
    recurrent_dropout: float = 0.0
    """Of h on its way into the gates: one mask per example and gate for all steps, scaled 1/(1-rate), as Keras 3."""
    tied: bool = False
    """One recurrent dropout mask for all gates (Gal and Ghahramani 2016)."""
    fresh: bool = False
    """Another recurrent dropout mask at each step: what Gal and Ghahramani advise against, to be compared with."""
    zoneout: float = 0.0
    """In training each element of the state keeps its old value so often; otherwise the expected value is taken."""
    layer_norm: bool = False
    initializer: str = "keras"
    kernel_init: Initializer | None = None
    recurrent_init: Initializer | None = None
    bias_init: Initializer | None = None
    dtype: Any = None
    param_dtype: Any = jnp.float32
    backend: str = "auto"

    cell_class: ClassVar[type[RecurrentCell]]
    fused_cell: ClassVar[fused_cells.FusedCell]

    def cell_options(self) -> dict[str, Any]:
        """Fields of the cell that only this layer has."""
        return {}

    def setup(self) -> None:
        """Check the rates and make the cell."""
        name = type(self).__name__
        checks.check_count(f"{name}: units", self.units)
        checks.check_float_types(name, dtype=self.dtype, param_dtype=self.param_dtype)
        for name in ("dropout", "recurrent_dropout", "zoneout"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{type(self).__name__}: {name}={getattr(self, name)} is not in [0, 1)")
        shared = (
            "units",
            "activation",
            "layer_norm",
            "initializer",
            "kernel_init",
            "recurrent_init",
            "bias_init",
        )
        options = {name: getattr(self, name) for name in (*shared, "dtype", "param_dtype")}
        self.cell = self.cell_class(**options, **self.cell_options())
        self.input_dropout = nn.Dropout(self.dropout, broadcast_dims=(1,))

    def prepare(
        self, inputs: Any, mask: Any, initial_state: Any, train: bool, recurrent_mask: Any, alone: bool = True
    ) -> tuple[Choice, jax.Array | Tokens, jax.Array | None, Direction]:
        """Check, draw the masks, pick the backend: all that comes before the first step.

        alone: whether no other layer runs by the same call.
        """
        name = type(self).__name__
        inputs, mask = check_inputs(name, inputs, mask)
        if inputs.ndim != 3 or inputs.shape[2] == 0:
            raise UserError(f"{name}: inputs must be [batch, time, features], not of shape {inputs.shape}")
        batch, _, features = inputs.shape
        parameters = self.cell.parameters(features)  # declared here: they start alike in every backend
        zeros = self.cell.initialize_carry(None, (batch, features))
        parts = ("h", "c")[: self.fused_cell.states]
        like = jax.tree.leaves(zeros)[0]
        given = zeros if initial_state is None else initial_state
        state = checks.check_state(name, given, parts, like.shape, like.dtype)
        if train and self.dropout > 0:
            inputs = self.input_dropout(dense(inputs), deterministic=False)
        if recurrent_mask is None:
            recurrent_mask = self._draw_recurrent_mask(batch, inputs.shape[1], train)
        else:
            recurrent_mask = checks.check_recurrent_mask(name, recurrent_mask, self.cell.gates, batch, self.units)
            recurrent_mask = recurrent_mask.astype(like.dtype)
        shape = {"steps": inputs.shape[1], "rows": batch} if alone else {}
        choice = choose(self, masked=mask is not None, dropped=recurrent_mask is not None, **shape)
        return choice, inputs, mask, Direction(parameters, state, recurrent_mask, self.reverse)

    def run(
        self,
        inputs: jax.Array | Tokens,
        mask: jax.Array | None = None,
        initial_state: Any = None,
        train: bool = False,
        sequences: bool = True,
        recurrent_mask: jax.Array | None = None,
    ) -> tuple[Any, jax.Array, Any]:
        """As in `Recurrent`; recurrent_mask [G or 1, B, U] takes the place of a drawn recurrent dropout mask."""
        choice, inputs, mask, direction = self.prepare(inputs, mask, initial_state, train, recurrent_mask)
        if choice.backend in ONE_CALL:
            ((outputs, state),) = ONE_CALL[choice.backend](self.fused_cell, [direction], inputs, mask, sequences)
        elif choice.backend == "cudnn":
            outputs, state = cudnn.run(direction.parameters, dense(inputs), mask, direction.state, reverse=self.reverse)
        else:
            outputs, state = self._scan(dense(inputs), mask, direction, train)
        return self.finish(inputs, outputs, state)

    def finish(self, inputs: Any, outputs: Any, state: fused_cells.State) -> tuple[Any, jax.Array, Any]:
        """-> (outputs or None, last output, state as this layer hands it out)."""
        dtype = self.cell.output_dtype(inputs)
        outputs = None if outputs is None else outputs.astype(dtype)
        last = state[0].astype(dtype)
        state = tuple(part.astype(jnp.promote_types(self.param_dtype, jnp.float32)) for part in state)
        return outputs, last, state if self.fused_cell.states > 1 else state[0]

    def _scan(self, inputs: Any, mask: Any, direction: Direction, train: bool) -> tuple[Any, Any]:
        keys = None
        if train and self.zoneout > 0:
            keys = jax.random.split(self.make_rng("dropout"), inputs.shape[1])
        carry = direction.state if self.fused_cell.states > 1 else direction.state[0]
        carry, outputs = scan_cell(
            self.cell,
            carry,
            inputs,
            mask,
            reverse=self.reverse,
            drop=direction.drop,
            zoneout=self.zoneout,
            zoneout_keys=keys,
        )
        return outputs, carry if isinstance(carry, tuple) else (carry,)

    def _draw_recurrent_mask(self, batch: int, steps: int, train: bool) -> jax.Array | None:
        if not train or self.recurrent_dropout == 0:
            return None
        keep = 1 - self.recurrent_dropout
        shape = (1 if self.tied else self.cell.gates, batch, self.units)
        shape = (steps, *shape) if self.fresh else shape
        dtype = jnp.promote_types(self.param_dtype, jnp.float32)
        return jax.random.bernoulli(self.make_rng("dropout"), keep, shape).astype(dtype) / keep


class SimpleRNN(RecurrentLayer):
    """Elman's recurrent layer: see `cells.SimpleRNNCell` for the equation, `RecurrentLayer` for the options.

    Its state is h [B, U]. As Keras's SimpleRNN(U); PyTorch's nn.RNN(D, U, batch_first=True), whose two biases are
    added; Flax's nn.RNN(nn.SimpleCell(U)).

        >>> layer = SimpleRNN(4, return_sequences=True)
        >>> outputs = layer.apply(layer.init(key, x), x, mask=mask)
        >>> outputs.shape, bool((outputs[1, 4] == outputs[1, 1]).all())  # held where the mask is False
        ((2, 5, 4), True)
        >>> nnx.bridge.lazy_init(nnx.bridge.ToNNX(SimpleRNN(4), rngs=rngs), x)(x, mask=mask).shape
        (2, 4)
    """

    cell_class = SimpleRNNCell
    fused_cell = fused_cells.SIMPLE_RNN


class LSTM(RecurrentLayer):
    """The LSTM layer: see `cells.LSTMCell` for the equations, `RecurrentLayer` for the options.

    Its state is (h, c), each [B, U]. `recurrent_activation`: of the gates; `peephole`: none, diagonal or full. As
    Keras's LSTM(U); PyTorch's nn.LSTM(D, U, batch_first=True), whose two biases are added, and gates are i, f, g, o as
    here; Flax's nn.RNN(nn.OptimizedLSTMCell(U)), whose state is (c, h).

        >>> layer = LSTM(4, return_state=True)
        >>> params = layer.init(key, x)
        >>> whole, (h, c) = layer.apply(params, x)
        >>> _, state = layer.apply(params, x[:, :2])  # a stream: the state of one piece begins the next
        >>> rest, _ = layer.apply(params, x[:, 2:], initial_state=state)
        >>> h.shape, c.shape, bool(jnp.allclose(rest, whole, atol=1e-6))
        ((2, 4), (2, 4), True)
        >>> nnx.bridge.lazy_init(nnx.bridge.ToNNX(LSTM(4), rngs=rngs), x)(x, mask=mask).shape
        (2, 4)
    """

    recurrent_activation: str | Activation = "sigmoid"
    peephole: str = "none"
    """none, diagonal or full: the lecture's term dot(c, Vo)."""

    cell_class = LSTMCell
    fused_cell = fused_cells.LSTM

    def cell_options(self) -> dict[str, Any]:
        """The recurrent activation and the peephole."""
        return {"recurrent_activation": self.recurrent_activation, "peephole": self.peephole}


class GRU(RecurrentLayer):
    """The GRU layer: see `cells.GRUCell` for the equations, `RecurrentLayer` for the options.

    Its state is h [B, U]. `recurrent_activation`: of the gates. `reset_after`: where the reset gate acts. As Keras's
    GRU(U); PyTorch's nn.GRU(D, U, batch_first=True), whose gates are r, z, n (here z, r, h); Flax's
    nn.RNN(nn.GRUCell(U)), which has no bias at the reset gate's and the update gate's h.

        >>> layer = GRU(4, dropout=0.2, recurrent_dropout=0.2)
        >>> params = layer.init(key, x)
        >>> layer.apply(params, x, train=True, rngs={"dropout": key}).shape
        (2, 4)
        >>> nnx.bridge.lazy_init(nnx.bridge.ToNNX(GRU(4), rngs=rngs), x)(x, mask=mask).shape
        (2, 4)
    """

    recurrent_activation: str | Activation = "sigmoid"
    reset_after: bool = True

    cell_class = GRUCell
    fused_cell = fused_cells.GRU

    def cell_options(self) -> dict[str, Any]:
        """The recurrent activation and where the reset gate acts."""
        return {"recurrent_activation": self.recurrent_activation, "reset_after": self.reset_after}
