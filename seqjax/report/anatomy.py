"""Of what layers a model is made, and along which time axes they run: found by tracing it, nothing is computed.

Legend: B batch, T (S, T where there are two) steps.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from seqjax.layers.attention import Attention
from seqjax.layers.composite import Bidirectional, Stacked
from seqjax.layers.convolution_2d import Conv2D
from seqjax.layers.embeddings import Embedding
from seqjax.layers.recurrent import RNN, Recurrent

BATCH, TIMES = 1009, (1013, 1019)
"""Primes that no layer has as its width: where they turn up in a shape they are B, S or T."""


@dataclasses.dataclass(frozen=True)
class Part:
    """A layer, as the model calls it."""

    path: str
    """Its name in the model, such as `layer`; "" for the inputs."""
    title: str
    """What it is: `Bidirectional LSTM 100`."""
    shape: str
    """Of its output: `[B, T, 200]`."""
    parameters: int
    read: int | None
    """Along which of the inputs' time axes it runs, 0 or 1; None: its input has no time."""
    given: int | None
    """And its output."""
    recurrent: bool = False
    both: bool = False
    """It runs in both directions."""
    looks: bool = False
    """An attention: each of its steps looks at all of the other axis."""


def parts(model: nn.Module, inputs: Any) -> tuple[list[Part], list[Part]]:
    """The inputs, and the layers in the order of their calls.

    Args:
      model: (inputs) -> outputs.
      inputs: of one example, a tree of [1, ...]; [1, T, D], [1, T, H, W], or [1, T] of integers, has a time axis.
    """
    leaves, structure = jax.tree.flatten(inputs)
    times = _times(leaves)
    if not _any_length(model, leaves, structure):  # time is no axis of it, but more features
        times = [None] * len(leaves)
    sizes = [
        leaf.shape[1:] if k is None else (TIMES[k], *leaf.shape[2:]) for leaf, k in zip(leaves, times, strict=True)
    ]
    shapes = [jax.ShapeDtypeStruct((BATCH, *size), leaf.dtype) for size, leaf in zip(sizes, leaves, strict=True)]
    two = 1 in times
    given = [_part("", "input", shape.shape, 0, two) for shape in shapes]
    found: list[Part] = []

    def record(call: Any, args: Any, options: Any, context: Any) -> Any:
        result = call(*args, **options)
        module = context.module
        if context.method_name in ("__call__", "tokens") and _drawn(module) and not _inside(module):
            count = sum(leaf.size for leaf in jax.tree.leaves(module.variables.get("params", {})))
            output = result[0] if isinstance(result, tuple) else result
            part = _part("/".join(module.path), title(module), output.shape, count, two)
            kinds = {"recurrent": isinstance(module, Recurrent), "looks": _looks(module), "both": _both(module)}
            found.append(dataclasses.replace(part, read=_axis(args[0].shape), **kinds))
        return result

    with nn.intercept_methods(record):
        trace = lambda leaves: model.init_with_output(jax.random.key(0), structure.unflatten(leaves))
        outputs, variables = jax.eval_shape(trace, shapes)
    own = {name: leaf.size for name, leaf in variables.get("params", {}).items() if hasattr(leaf, "size")}
    outputs = outputs if hasattr(outputs, "shape") else jax.tree.leaves(outputs)[0]
    if own and found and _part("", "", outputs.shape, 0, two).shape != found[-1].shape:
        # What the model makes of the last layer by parameters of its own, such as a product with an embedding.
        found.append(_part(", ".join(own), "output", outputs.shape, sum(own.values()), two))
    return given, found


def title(module: Any) -> str:
    """`Dense 128`, `Bidirectional LSTM 100`, `2 x GRU 32`."""
    if isinstance(module, Bidirectional):
        return f"Bidirectional {title(module.layer)}"
    if isinstance(module, Stacked):
        return f"{len(module.layers)} x {title(module.layers[0])}"
    sizes = (getattr(module, name, None) for name in ("units", "features", "filters", "embedding_size"))
    if isinstance(module, RNN):
        return title(module.cell)
    size = next((f" {size}" for size in sizes if size is not None), "")
    return f"{type(module).__name__.removesuffix('Cell')}{size}"


def _part(path: str, said: str, shape: Sequence[int], count: int, two: bool) -> Part:
    letters = {BATCH: "B", TIMES[0]: "S" if two else "T", TIMES[1]: "T"}
    axis = _axis(shape)
    return Part(path, said, f"[{', '.join(letters.get(size, str(size)) for size in shape)}]", count, axis, axis)


def _axis(shape: Sequence[int]) -> int | None:
    return next((TIMES.index(size) for size in shape[1:] if size in TIMES), None)


def _drawn(module: Any) -> bool:
    return isinstance(module, Recurrent | Embedding | nn.Dense | Conv2D) or _looks(module)


def _looks(module: Any) -> bool:
    return isinstance(module, Attention)


def _inside(module: Any) -> bool:
    """Whether it belongs to another layer that is drawn."""
    above = module.parent
    return isinstance(above, nn.Module) and (_drawn(above) or _inside(above))


def _both(module: Any) -> bool:
    layers = module.layers if isinstance(module, Stacked) else [module]
    return any(isinstance(layer, Bidirectional) for layer in layers)


def _times(leaves: Sequence[Any]) -> list[int | None]:
    """Of each input the number of its time axis, if it has one."""
    timed = [leaf.ndim in (3, 4) or (leaf.ndim == 2 and np.issubdtype(leaf.dtype, np.integer)) for leaf in leaves]
    return [sum(timed[:k]) if has else None for k, has in enumerate(timed)]


def _any_length(model: nn.Module, leaves: Sequence[Any], structure: Any) -> bool:
    """Whether the model's parameters are the same for inputs of one step more."""
    longer = [
        leaf if time is None else np.concatenate([leaf, leaf[:, :1]], axis=1)
        for leaf, time in zip(leaves, _times(leaves), strict=True)
    ]
    made = lambda some: jax.eval_shape(lambda x: model.init(jax.random.key(0), structure.unflatten(x)), some)
    shapes = lambda some: jax.tree.map(lambda leaf: leaf.shape, made(some))
    try:
        return shapes(leaves) == shapes(longer)
    except Exception:  # whatever a layer says of inputs that do not fit
        return False
