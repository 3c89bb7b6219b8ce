"""A recurrent layer as what it repeats: one step, from a state and an input to the next state.

The numbers are those of the cell's own equations, in the type that is asked for: no backend is called. What stands in
a cell's gates is heard from its activation functions, so that no equation is written twice.

Legend: T time, D features, U units, S numbers of a state (an LSTM's h and c together), G gates; one sequence, no batch.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.flatten_util import ravel_pytree

from seqjax.layers.cells import ACTIVATIONS, GRUCell, LSTMCell, SimpleRNNCell
from seqjax.layers.linear_recurrent import LinearRecurrent
from seqjax.layers.lru import LRU
from seqjax.layers.minimal import MinLSTM
from seqjax.layers.recurrent import RNN, Recurrent, RecurrentLayer

GATES = {LSTMCell: ("i", "f", "g", "o"), GRUCell: ("z", "r", "g"), SimpleRNNCell: ("h",)}
"""In the order of a recurrent kernel's blocks of U columns, which is also that in which a cell calls its activation
functions; an LSTM's a(c') comes last and is no gate. Of a SimpleRNN it is the state itself."""
RANGES = {"sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "softsign": (-1.0, 1.0)}
"""Between what an activation lies; one that is not here has no end."""


@dataclasses.dataclass(frozen=True)
class Recurrence:
    """One direction of one layer."""

    path: str
    """Its name in the model, such as `layer/forward`."""
    title: str
    """What it is: `LSTM 16`."""
    reverse: bool
    cell: Any = None
    """A Linen cell of its own, bound to nothing; None: the layer is linear in its state, and its step's input is
    (decay, update), [U] each."""
    kind: type | None = None
    """Of a layer that is linear in its state."""
    zoneout: float = 0.0

    def named(self, state: Any) -> dict[str, Any]:
        """The leaves of a state by name: h, and c of an LSTM; of a user's own cell with several `state 1`, ..."""
        leaves = list(state) if isinstance(state, tuple | list) else [state]
        if isinstance(self.cell, LSTMCell):
            names = ["h", "c"]
        else:
            names = ["h"] if len(leaves) == 1 else [f"state {k + 1}" for k in range(len(leaves))]
        return dict(zip(names, leaves, strict=True))

    def step(self, params: Any, state: Any, x: Any) -> Any:
        """The state after a step, leaves [U], from that before and what is fed: [D], or (decay, update)."""
        if self.cell is None:
            decay, update = x
            return decay * state + update
        return self._stepped(self.cell, params, state, x)

    def gates(self, params: Any, state: Any, x: Any) -> dict[str, jax.Array]:
        """What stands in the gates at a step, [U] each; empty where nothing is known of them.

        A minimal GRU's z lets in, as in `seqjax.layers.minimal`; a minimal LSTM's f is f / (f + i), and its i 1 - f.
        """
        if self.cell is None:
            if self.kind is LRU:
                return {}
            return {"f": x[0]} if self.kind is MinLSTM else {"z": 1 - x[0]}
        names = GATES.get(type(self.cell), ())
        if not names:
            return {}
        heard: list[jax.Array] = []

        def spy(function: Callable[[jax.Array], jax.Array]) -> Callable[[jax.Array], jax.Array]:
            def listen(z: jax.Array) -> jax.Array:
                heard.append(function(z)[0])
                return function(z)

            return listen

        spies = {name: spy(as_function(getattr(self.cell, name))) for name in activations(self.cell)}
        self._stepped(self.cell.clone(**spies), params, state, x)
        return dict(zip(names, heard, strict=False))

    def ranges(self) -> dict[str, tuple[float, float]]:
        """Between what the gates lie, of those that have ends."""
        if self.cell is None:
            return {} if self.kind is LRU else {"f" if self.kind is MinLSTM else "z": (0.0, 1.0)}
        names = GATES.get(type(self.cell), ())
        inner = {"g", "h"}  # behind the cell's own activation, not the gates'
        kinds = {n: self.cell.activation if n in inner else self.cell.recurrent_activation for n in names}
        return {name: RANGES[kind] for name, kind in kinds.items() if isinstance(kind, str) and kind in RANGES}

    def _stepped(self, cell: Any, params: Any, state: Any, x: Any) -> Any:
        before = jax.tree.map(lambda leaf: leaf[None], state)
        after, _ = cell.apply({"params": params}, before, x[None])
        after = jax.tree.map(lambda leaf: leaf[0], after)
        if not self.zoneout:
            return after
        return jax.tree.map(lambda old, new: self.zoneout * old + (1 - self.zoneout) * new, state, after)

    def radii(self, params: Any) -> dict[str, float]:
        """The spectral radius of each block of the recurrent kernel; of an LRU (`h`) the largest |l| of its states."""
        if self.kind is LRU:
            return {"h": float(np.exp(-np.exp(np.asarray(params["nu"], np.float64))).max())}
        blocks = GATES.get(type(self.cell), ())
        if not blocks:
            return {}
        kernels = np.split(np.asarray(params["recurrent_kernel"], np.float64), len(blocks), axis=1)
        return {
            name: float(np.abs(np.linalg.eigvals(kernel)).max()) for name, kernel in zip(blocks, kernels, strict=True)
        }


def activations(cell: Any) -> list[str]:
    """The fields of a cell that hold activation functions."""
    return [name for name in ("activation", "recurrent_activation") if hasattr(cell, name)]


def as_function(activation: Any) -> Callable[[jax.Array], jax.Array]:
    """A function, or that of a name."""
    return ACTIVATIONS[activation] if isinstance(activation, str) else activation


def of_layer(layer: Recurrent, path: str = "", dtype: Any = jnp.float64) -> Recurrence:
    """What a layer of one direction repeats; its parameters are those below "cell", of a linear one there are none.

    Args:
      layer: bound, or one that has no parent.
      path: of it in a model.
      dtype: of the numbers to come.
    """
    reverse = bool(getattr(layer, "reverse", False))
    if isinstance(layer, LinearRecurrent):
        return Recurrence(path, f"{type(layer).__name__} {layer.units}", reverse, kind=type(layer))
    if isinstance(layer, RNN):
        return Recurrence(path, title_of(layer.cell), reverse, layer.cell.clone(parent=None, name=None))
    assert isinstance(layer, RecurrentLayer)
    shared = ("units", "activation", "layer_norm", "initializer", "kernel_init", "recurrent_init", "bias_init")
    options: Mapping[str, Any] = {name: getattr(layer, name) for name in shared} | layer.cell_options()
    cell = layer.cell_class(**options, param_dtype=dtype, parent=None)
    return Recurrence(path, f"{type(layer).__name__} {layer.units}", reverse, cell, zoneout=layer.zoneout)


def title_of(cell: nn.Module) -> str:
    """`OptimizedLSTMCell 16`, of a user's own."""
    sizes = (getattr(cell, name, None) for name in ("units", "features", "filters"))
    return f"{type(cell).__name__}{next((f' {size}' for size in sizes if size is not None), '')}"


def states(recurrence: Recurrence, params: Any, xs: Any, initial: Any, valid: Any = None, nudges: Any = None) -> Any:
    """The states after every step of a sequence, leaves [T, U].

    Args:
      recurrence: what is repeated.
      params: of its cell.
      xs: what is fed, in the order in which it is: [T, D], or (decay, update).
      initial: the state before the first step, leaves [U].
      valid: [T] bool; False holds the state. None: all are.
      nudges: leaves [T, U], added to the states after each step: gradients towards them are those towards the states.
    """

    def follow(state: Any, step: Any) -> tuple[Any, Any]:
        x, real, nudge = step
        new = recurrence.step(params, state, x)
        new = jax.tree.map(lambda leaf, old: leaf.astype(old.dtype), new, state)
        if real is not None:
            new = jax.tree.map(lambda old, leaf: jnp.where(real, leaf, old), state, new)
        if nudge is not None:
            new = jax.tree.map(jnp.add, new, nudge)
        return new, new

    return jax.lax.scan(follow, initial, (xs, valid, nudges))[1]


def jacobian(recurrence: Recurrence, params: Any, state: Any, x: Any) -> jax.Array:
    """ds_t/ds_(t-1) of one step [S, S], the state's leaves one after the other; of a linear layer diagonal."""
    if recurrence.cell is None:
        return jnp.diag(x[0])
    flat, as_state = ravel_pytree(state)
    stepped = lambda flat: ravel_pytree(recurrence.step(params, as_state(flat), x))[0]
    return jax.jacfwd(stepped)(flat)


run = jax.jit(states, static_argnums=0)
"""`states`, compiled once for each recurrence and shape."""
