"""The Pallas kernels: all steps of a layer, forward and back, for one row of the batch and one direction of time.

Legend: B batch, T time, G gates, K directions, C columns of x for each unit, S numbers that a step saves for each unit,
P units, rounded up to a power of two; C and S are powers of two.

A program of the grid (K, B) keeps its direction's recurrent matrix [G, P, P] and its row's state in registers for all
steps. Why a row and not a tile of rows with `dot`: a step depends on the one before, so its latency is what counts.
For 32-bit floats without TF32 Triton's dot runs on the same multipliers, wants at least 16 rows, and takes both factors
through shared memory at every step; 32 reviews would then keep 2 of an H100's 132 processors busy. A product of one
row is a multiplication and a sum along the matrix's contiguous axis, which lies within a warp, the row's recurrent
dropout can be multiplied into the matrix once, and no batch has to be filled up.

What is read for a step does not depend on the state, so it is asked for one step ahead. What is written lies unit by
unit (C or S numbers side by side): joined, it takes one way through shared memory instead of one for each vector.

Interpreted and lowered for CUDA on a CPU machine, never run on a GPU. Triton 3.6 has compiled them there for an H100
without spilling a register (170 in the largest, an LSTM of 64 units), which says little about their speed.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from seqjax.layers.backends.pallas_cells import RowCell, Vectors

WARPS = {16: 1, 32: 4, 64: 8}
"""By P: 8 entries of a gate's matrix in a thread's registers (16 at P = 64), and more threads than units."""

Arrays = Mapping[str, Any]
"""By name: arrays or, in a kernel, references to this program's part of them."""


def forward(
    cell: RowCell, reverse: tuple[bool, ...], arrays: Arrays, *, sequences: bool, keep: bool, interpret: bool
) -> Arrays:
    """Run all steps.

    Args:
      cell: which recurrence.
      reverse: for each of the K directions, whether the last step comes first.
      arrays: x [T, B, K*P, C], recurrent [K, G, P, P] (entering units last), state: each [B, K*P]; if there are any
        drop [G or 1, B, K*P], mask [T, B] bool.
      sequences: whether hs [T, B, K*P] is wanted: h after every step.
      keep: whether saved [T, B, K*P, S] is wanted: h before every step, the coefficients, and zeros up to S.
      interpret: run it as JAX operations, anywhere.

    Returns:
      these, and the final state.
    """
    wanted = ({"hs": ()} if sequences else {}) | ({"saved": (_size(cell),)} if keep else {})
    return _call(functools.partial(_forward, cell, reverse, len(arrays["x"])), arrays, wanted, interpret)


def backward(cell: RowCell, reverse: tuple[bool, ...], arrays: Arrays, *, interpret: bool) -> Arrays:
    """Run all steps back.

    Args:
      cell: which recurrence.
      reverse: as in `forward`.
      arrays: recurrent [K, G, P, P] (entering units before the leaving), saved, state: the gradient of the final
        state; if there are any dhs, the gradient of hs, drop and mask.
      interpret: as in `forward`.

    Returns:
      x, the gradient of x; state, that of the initial state.
    """
    kernel = functools.partial(_backward, cell, reverse, len(arrays["saved"]))
    return _call(kernel, arrays, {"x": (cell.columns,)}, interpret)


def _size(cell: RowCell) -> int:
    """S."""
    return 1 << cell.coefficients.bit_length()


def _call(kernel: Callable[..., None], arrays: Arrays, wanted: Mapping[str, Any], interpret: bool) -> Arrays:
    """wanted: name -> the shape () or (N,) of what a unit has of it at every step."""
    directions, _, units, _ = arrays["recurrent"].shape
    time, batch = arrays["x" if "x" in arrays else "saved"].shape[:2]
    array = functools.partial(jax.ShapeDtypeStruct, dtype=arrays["recurrent"].dtype)
    results: Arrays = {name: array((time, batch, directions * units, *shape)) for name, shape in wanted.items()}
    results |= {"state": tuple(array(leaf.shape) for leaf in arrays["state"])}
    if batch == 0 or time == 0:  # Pallas has no grid without programs, and a program no step to read ahead
        nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), results)
        return {**nothing, "state": tuple(arrays["state"])}
    call = pl.pallas_call(
        kernel,
        out_shape=results,
        grid=(directions, batch),
        in_specs=(_parts(arrays, directions),),
        out_specs=_parts(results, directions),
        compiler_params=triton.CompilerParams(num_warps=WARPS[units], num_stages=1),
        interpret=interpret,
    )
    return call(dict(arrays))


def _parts(arrays: Arrays, directions: int) -> dict[str, Any]:
    """Which part of each array the program (k, b) has."""

    def part(name: str, array: Any) -> pl.BlockSpec:
        if name == "recurrent":
            return pl.BlockSpec((None, *array.shape[1:]), lambda k, b: (k, 0, 0, 0))
        if name == "mask":
            return pl.BlockSpec((array.shape[0], None), lambda k, b: (0, b))
        if name == "state":
            return pl.BlockSpec((None, array.shape[1] // directions), lambda k, b: (b, k))
        first, _, units, *rest = array.shape
        zeros = [0] * len(rest)
        return pl.BlockSpec((first, None, units // directions, *rest), lambda k, b: (0, b, k, *zeros))

    return {name: jax.tree.map(functools.partial(part, name), array) for name, array in arrays.items()}


def _forward(cell: RowCell, reverse: tuple[bool, ...], time: int, arrays: Arrays, results: Arrays) -> None:
    recurrent = _recurrent(arrays, entering=1)
    when = _when(reverse, time)

    def read(n: Any) -> Any:
        t = when(n)
        return [arrays["x"][t, :, k] for k in range(cell.columns)], _valid(arrays, t)

    def step(n: Any, carry: Any) -> Any:
        state, (x, valid) = carry
        ahead = read(jnp.minimum(n + 1, time - 1))
        t = when(n)
        products = [jnp.sum(matrix * state[0][None, :], axis=1) for matrix in recurrent]
        new, coefficients = cell.advance(x, products, state)
        if "saved" in results:
            used = (state[0], *coefficients)
            results["saved"][t, :, :] = _joined([*used, *[jnp.zeros_like(state[0])] * (_size(cell) - len(used))])
        state = _where(valid, new, state)
        if "hs" in results:
            results["hs"][t, :] = state[0]
        return state, ahead

    state, _ = jax.lax.fori_loop(0, time, step, (_state(arrays), read(0)))
    _write_state(results, state)


def _backward(cell: RowCell, reverse: tuple[bool, ...], time: int, arrays: Arrays, results: Arrays) -> None:
    recurrent = _recurrent(arrays, entering=0)
    when = _when(reverse, time)

    def read(n: Any) -> Any:
        t = when(n)
        coefficients = [arrays["saved"][t, :, 1 + k] for k in range(cell.coefficients)]
        return coefficients, arrays["dhs"][t, :] if "dhs" in arrays else None, _valid(arrays, t)

    def step(n: Any, carry: Any) -> Any:
        dstate, (coefficients, dh_out, valid) = carry
        ahead = read(jnp.maximum(time - 2 - n, 0))
        if dh_out is not None:
            dstate = (dstate[0] + dh_out, *dstate[1:])
        dx, passed = cell.retreat(dstate, coefficients)
        dx = _where(valid, dx, [jnp.zeros_like(dstate[0])] * cell.columns)
        dh, *others = _where(valid, passed, dstate)
        # The gates' products are added before the sum along the leaving units: one sum a step instead of G.
        products = [matrix * dz[None, :] for matrix, dz in zip(recurrent, dx[: cell.gates], strict=True)]
        dh = dh + jnp.sum(functools.reduce(jnp.add, products), axis=1)
        results["x"][when(time - 1 - n), :, :] = _joined(dx)
        return (dh, *others), ahead

    dstate, _ = jax.lax.fori_loop(0, time, step, (_state(arrays), read(time - 1)))
    _write_state(results, dstate)


def _recurrent(arrays: Arrays, entering: int) -> list[jax.Array]:
    """Each gate's matrix [P, P], this row's recurrent dropout multiplied into it along the axis of entering units."""
    matrices = [arrays["recurrent"][k] for k in range(arrays["recurrent"].shape[0])]
    if "drop" not in arrays:
        return matrices
    count = arrays["drop"].shape[0]
    drops = [jnp.expand_dims(arrays["drop"][k, :], 1 - entering) for k in range(count)]
    return [matrix * drops[k if count > 1 else 0] for k, matrix in enumerate(matrices)]


def _when(reverse: tuple[bool, ...], time: int) -> Callable[[Any], Any]:
    """n -> the time of this program's n-th step."""
    if len(set(reverse)) == 1:
        return (lambda n: time - 1 - n) if reverse[0] else (lambda n: n)
    k = pl.program_id(0)
    backwards = functools.reduce(jnp.logical_or, [k == j for j, one in enumerate(reverse) if one])
    return lambda n: jnp.where(backwards, time - 1 - n, n)


def _valid(arrays: Arrays, t: Any) -> Any:
    return arrays["mask"][t] if "mask" in arrays else None


def _joined(vectors: Vectors) -> jax.Array:
    """N vectors [P] -> [P, N]; N is a power of two, as Triton joins but two at a time."""
    return _pairs(vectors).reshape(-1, len(vectors))


def _pairs(vectors: Vectors) -> jax.Array:
    """[P], or [P, 2, ..., 2] whose last axis is the lowest bit of a vector's number."""
    return vectors[0] if len(vectors) == 1 else jnp.stack([_pairs(vectors[0::2]), _pairs(vectors[1::2])], axis=-1)


def _where(valid: Any, vectors: Vectors, otherwise: Sequence[jax.Array]) -> tuple[jax.Array, ...]:
    """The vectors at real steps, `otherwise` at masked ones."""
    if valid is None:
        return tuple(vectors)
    return tuple(jnp.where(valid, a, b) for a, b in zip(vectors, otherwise, strict=True))


def _state(arrays: Arrays) -> tuple[jax.Array, ...]:
    return tuple(reference[...] for reference in arrays["state"])


def _write_state(results: Arrays, state: Vectors) -> None:
    for reference, vector in zip(results["state"], state, strict=True):
        reference[...] = vector
