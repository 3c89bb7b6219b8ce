"""What may reach a layer: shapes and types, looked at when a call is traced, in the same way for every backend.

Compiled kernels trust what they are given, and XLA broadcasts or wraps around where it can; so nothing reaches either
before its rank, shape and type are known to be right. It costs nothing when the program runs.

Legend: B batch, T time, D features, U units, G gates.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.errors import UserError, check_least

KINDS = {
    "real numbers": (jnp.floating, jnp.integer, jnp.bool_),
    "numbers": (jnp.complexfloating, jnp.floating, jnp.integer, jnp.bool_),
    "integers": (jnp.integer,),
    "floats": (jnp.floating,),
}
"""In words -> what NumPy calls it."""


def as_array(name: str, value: Any, kind: str, shape: Sequence[int | str]) -> jax.Array:
    """The value as an array of a kind (of `KINDS`) and shape; a word stands for a length that is not known.

    Raises:
      UserError: it is no array, or one of another kind or shape; the message says what was wanted and what was given.
    """
    wanted = f"{name} must be {kind} of shape ({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
    array = _array(value)
    if array is None:
        raise UserError(f"{wanted}, not {said(value)}")
    fits = len(array.shape) == len(shape) and all(
        isinstance(want, str) or want == size for want, size in zip(shape, array.shape, strict=True)
    )
    if not fits or not is_kind(array.dtype, kind):
        raise UserError(f"{wanted}, not {said(array)}")
    return array


def is_kind(dtype: Any, kind: str) -> bool:
    """Whether numbers of a type are of a kind of `KINDS`."""
    return any(jnp.issubdtype(dtype, one) for one in KINDS[kind]) and _computes(dtype)


def _computes(dtype: Any) -> bool:
    """Whether JAX takes it together with float32: it refuses floats of 8 bits."""
    try:
        jnp.promote_types(dtype, jnp.float32)
    except ValueError:
        return False
    return True


def _array(value: Any) -> jax.Array | None:
    if value is None or isinstance(value, str | bytes | dict):
        return None
    try:
        return value if isinstance(value, jax.Array) else jnp.asarray(value)
    except (TypeError, ValueError, OverflowError):
        return None


def said(value: Any) -> str:
    """A value in words: `float32 of shape (2, 3)`, `a tuple of 2: ...`, `a dict`."""
    if isinstance(value, tuple | list):
        parts = "; ".join(said(part) for part in value[:4])
        return f"a {type(value).__name__} of {len(value)}" + (f" ({parts})" if parts else "")
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    return "None" if value is None else f"a {type(value).__name__}"


def check_count(name: str, value: Any) -> None:
    """An integer of at least 1. Raises UserError."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise UserError(f"{name} must be an integer of at least 1, not {value!r}")
    check_least(name, int(value), 1)


def check_mask(name: str, mask: Any, inputs: Any) -> jax.Array | None:
    """A mask [B, T] bool for inputs [B, T, ...], or None. Raises UserError."""
    if mask is None:
        return None
    wanted, array = tuple(inputs.shape[:2]), _array(mask)
    if array is None or array.shape != wanted or array.dtype != jnp.bool_:
        given = said(mask if array is None else array)
        raise UserError(f"{name}: mask must be bool of shape {wanted}, not {given}")
    return array


def check_sequences(name: str, inputs: Any) -> jax.Array:
    """Inputs [B, T, ...], numbers of any kind but complex. Raises UserError."""
    array = _array(inputs)
    if array is None:
        raise UserError(f"{name}: inputs must be [batch, time, features], not {said(inputs)}")
    if array.ndim < 3:
        raise UserError(f"{name}: inputs must be [batch, time, features], not of shape {array.shape}")
    if not is_kind(array.dtype, "real numbers"):
        raise UserError(f"{name}: inputs must be real numbers, not {said(array)}")
    return array


def check_state(name: str, state: Any, parts: Sequence[str], shape: tuple[int, int], dtype: Any) -> tuple:
    """A recurrent layer's initial state as a tuple of arrays [B, U] of a type.

    Args:
      name: of the layer.
      state: one array where there is one part, else a tuple or list of them.
      parts: what they are called.
      shape: (B, U).
      dtype: to which they are brought; a state of integers would stay one from step to step.

    Raises:
      UserError: another structure, shape or kind.
    """
    if len(parts) > 1 or isinstance(state, tuple):
        form = f"({', '.join(parts)}), each" if len(parts) > 1 else f"{parts[0]},"
        if not isinstance(state, tuple | list) or len(state) != len(parts):
            hint = "; a Bidirectional takes a pair of states, a Stacked one for each layer"
            raise UserError(f"{name}: initial_state must be {form} of shape {shape}, not {said(state)}{hint}")
    else:
        state = (state,)
    kind = "numbers" if jnp.issubdtype(dtype, jnp.complexfloating) else "real numbers"
    arrays = [
        as_array(f"{name}: {part} of initial_state", one, kind, shape) for part, one in zip(parts, state, strict=True)
    ]
    return tuple(array.astype(dtype) for array in arrays)


def check_parts(name: str, state: Any, parts: str, count: int) -> Sequence[Any]:
    """The initial states of a layer made of others: a tuple or list of so many; None for zeros. Raises UserError."""
    if state is None:
        return [None] * count
    if not isinstance(state, tuple | list) or len(state) != count:
        raise UserError(f"{name}: initial_state must be a tuple of {count}, {parts}, not {said(state)}")
    return state


def check_carry(name: str, cell: Any, state: Any, shape: tuple[int, ...]) -> Any:
    """The initial state of a user's cell for inputs [B, ...] of a shape; None: the cell's own.

    Raises:
      UserError: not of the structure, shapes and kinds of number of the cell's own or, if it has none, not [B, ...].
    """
    make = getattr(cell, "initialize_carry", None)
    if make is None and state is None:
        raise UserError(f"{name}: {type(cell).__name__} has no initialize_carry; give an initial_state")
    if make is None:
        wanted = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(shape[:1] + jnp.shape(leaf)[1:], leaf.dtype), state)
    else:
        wanted = make(jax.random.key(0), shape)
        if state is None:
            return wanted
    if jax.tree.structure(state) != jax.tree.structure(wanted):
        raise UserError(f"{name}: initial_state must be as the cell's own, {said(wanted)}, not {said(state)}")
    return jax.tree_util.tree_map_with_path(functools.partial(_like, name), wanted, state)


def _like(name: str, path: Any, wanted: Any, given: Any) -> jax.Array:
    array = _array(given)
    kind = next((kind for kind in ("floats", "integers") if is_kind(wanted.dtype, kind)), None)
    if array is None or array.shape != wanted.shape or (kind and not is_kind(array.dtype, kind)):
        place = jax.tree_util.keystr(path)
        raise UserError(f"{name}: initial_state{place} must be {said(wanted)}, not {said(given)}")
    # What a scan hands on keeps its type; a cell with wider parameters says a narrow one for its state.
    return array.astype(jnp.promote_types(array.dtype, wanted.dtype)) if kind else array


def check_recurrent_mask(name: str, mask: Any, gates: int, batch: int, units: int) -> jax.Array:
    """[G or 1, B, U], of real numbers. Raises UserError."""
    array = _array(mask)
    if array is not None and array.ndim == 3 and array.shape[0] == 1:
        gates = 1
    return as_array(f"{name}: recurrent_mask", mask if array is None else array, "real numbers", (gates, batch, units))


def check_float_types(name: str, **types: Any) -> None:
    """Types of parameters or results must be of floats; None passes. Raises UserError."""
    for option, dtype in types.items():
        try:
            fits = dtype is None or is_kind(jnp.dtype(dtype), "floats")
        except TypeError:
            fits = False
        if not fits:
            raise UserError(f"{name}: {option} must be a type of float, such as float32, not {dtype!r}")


def check_ids(name: str, ids: Any) -> Any:
    """Integers of any shape. Raises UserError."""
    array = _array(ids)
    if array is None or not is_kind(array.dtype, "integers"):
        raise UserError(f"{name}: token ids must be integers, not {said(ids)}")
    return ids if isinstance(ids, np.ndarray) else array


def within(ids: Any, size: int) -> jax.Array:
    """Ids of any integer type as int32, the nearest in [0, size) where they lie outside it."""
    return jnp.clip(_wide(ids, size), 0, max(size - 1, 0)).astype(jnp.int32)


def or_none(ids: Any, size: int) -> jax.Array:
    """Ids of any integer type as int32, `size` where they lie outside [0, size)."""
    ids = _wide(ids, size)
    return jnp.where((ids >= 0) & (ids < size), ids, size).astype(jnp.int32)


def _wide(ids: Any, size: int) -> jax.Array:
    """As integers that hold `size` too. A NumPy array is cut to what JAX's hold, which would wrap around."""
    ids = jnp.asarray(np.clip(ids.astype(np.int64), -1, size) if isinstance(ids, np.ndarray) else ids)
    return ids if ids.dtype.itemsize >= 4 else ids.astype(jnp.int32)
