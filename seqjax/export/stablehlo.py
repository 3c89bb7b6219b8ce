"""A model as StableHLO, the language that XLA compiles: run by jax alone, on a CPU, a GPU or a TPU.

The parameters are an argument, so that a gradient reaches them. What is ours alone (the native library) is left out.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import export

from seqjax.errors import UserError

PLATFORMS = ("cpu", "cuda", "tpu")
LEAST_STEPS = (1, 8, 80)
"""What a time of any length is at least: convolutions need some steps. The first that works is taken."""


class Exported(NamedTuple):
    """A program."""

    data: bytes
    shapes: dict[str, str]
    """Of each input by its name, in words: `(batch, time, 14)`."""


def write(model: Any, params: Any, names: Sequence[str], examples: Any, gradient: bool = False) -> Exported:
    """The program (parameters, inputs by name) -> outputs, a list of arrays.

    Args:
      model: a Linen module.
      params: its own.
      names: of the leaves of its inputs.
      examples: inputs of it [B, ...].
      gradient: whether it can be differentiated, once.

    Raises:
      UserError: JAX cannot export it.
    """
    leaves, structure = jax.tree.flatten(examples)
    like = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype), params)

    def call(params: Any, inputs: dict[str, Any]) -> list[Any]:
        tree = jax.tree.unflatten(structure, [inputs[name] for name in names])
        return jax.tree.leaves(model.apply({"params": params}, tree))

    fault: Exception | None = None
    for shapes in _attempts(leaves):
        given = {name: jax.ShapeDtypeStruct(s, leaf.dtype) for name, s, leaf in zip(names, shapes, leaves, strict=True)}
        try:
            with portable():
                made = export.export(jax.jit(lambda p, x: call(p, x)), platforms=PLATFORMS)(like, given)
            data = bytes(made.serialize(vjp_order=int(gradient)))
            return Exported(data, {name: _said(shape) for name, shape in zip(names, shapes, strict=True)})
        except Exception as error:  # of whatever kind a shape that is no number makes of itself
            fault = error
    reason = " ".join(str(fault).split())[:200]
    raise UserError(
        f"stablehlo: {type(model).__name__} cannot be exported by jax ({type(fault).__name__}: {reason}); choices: "
        "--to=safetensors"
    ) from fault


def _attempts(leaves: Sequence[Any]) -> Iterator[list[tuple[Any, ...]]]:
    """Shapes of the inputs: batch and time of any length, then the batch alone, then as they are."""
    times = {np.shape(leaf)[1] for leaf in leaves if np.ndim(leaf) > 1}
    longest = max(times, default=0)
    for least in LEAST_STEPS if longest else ():
        batch, time = export.symbolic_shape("batch, time", constraints=["batch >= 1", f"time >= {least}"])
        yield [
            (batch, *(time if axis == 1 and size == longest else size for axis, size in enumerate(s) if axis))
            for s in map(np.shape, leaves)
        ]
    (batch,) = export.symbolic_shape("batch", constraints=["batch >= 1"])
    yield [(batch, *np.shape(leaf)[1:]) for leaf in leaves]
    yield [np.shape(leaf) for leaf in leaves]


def _said(shape: Sequence[Any]) -> str:
    return f"({', '.join(map(str, shape))})"


@contextlib.contextmanager
def portable() -> Iterator[None]:
    """What is traced meanwhile calls no library of ours."""
    before = os.environ.get("SEQJAX_NATIVE")
    os.environ["SEQJAX_NATIVE"] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ["SEQJAX_NATIVE"]
        else:
            os.environ["SEQJAX_NATIVE"] = before
