"""Import from a peer, export to a peer, and the proof that both models then compute the same.

Legend: B batch, T time, V vocabulary.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import logging
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.interop.layers import Peer, export_parameters, import_parameters, shapes

ROUNDING = 1e-6
"""An absolute difference that always passes: of outputs near 0."""


def _same(tree: Any) -> Any:
    return tree


@dataclasses.dataclass(frozen=True)
class Adapter:
    """How a module and its peer differ on the outside; by default not at all."""

    inputs: Callable[[Any], Any] = _same
    """(the module's inputs) -> the peer's, arrays."""
    outputs: Callable[[Any], Any] = _same
    """(the module's outputs) -> what the peer should give for them, such as `jax.nn.sigmoid` of logits.

    Arrays are compared in the order of their tree, axes of length 1 ignored; what the peer gives beyond them (such as
    the final state of a PyTorch layer) is not."""
    tolerance: float = 1e-4
    """The largest difference that passes, relative to the largest output."""


class Converted(NamedTuple):
    """Imported parameters, with the proof."""

    params: Any
    difference: float
    """The largest absolute difference between outputs of the module and of the peer."""


def import_from(peer: Peer, module: nn.Module, example_inputs: Any, adapter: Adapter) -> Converted:
    """The peer's parameters for `module`.

    Args:
      peer: where from.
      module: where to.
      example_inputs: of the module, [B, ...]: they are tried, and random ones of the same form.
      adapter: how the two differ on the outside.

    Raises:
      UserError: layers or parameters that do not match, or outputs that differ.
    """
    peer.build(adapter.inputs(example_inputs))
    like = shapes(module, example_inputs)
    params = import_parameters(like, peer)
    return Converted(params, largest_difference(peer, module, params, like, example_inputs, adapter))


def export_to(peer: Peer, params: Any, module: nn.Module, example_inputs: Any, adapter: Adapter) -> float:
    """Overwrite the peer's parameters; arguments and errors as in `import_from`. Returns the largest difference.

    If layers or parameters do not match, nothing is written.
    """
    peer.build(adapter.inputs(example_inputs))
    like = shapes(module, example_inputs)
    export_parameters(params, like, peer)
    return largest_difference(peer, module, params, like, example_inputs, adapter)


def largest_difference(
    peer: Peer, module: nn.Module, params: Any, like: dict[str, Any], example_inputs: Any, adapter: Adapter
) -> float:
    """The largest absolute difference between the outputs.

    Raises:
      UserError: it is above the tolerance, or the outputs have other shapes.
    """
    vocabulary_size = next((want.shape[0] for want in like.values()), 1)
    both = (example_inputs, random_inputs(example_inputs, vocabulary_size))
    inputs = jax.tree.map(lambda *arrays: np.concatenate(arrays), *both)  # [2 B, ...]: one run of each
    with jax.default_matmul_precision("highest"):
        ours = jax.jit(module.apply)({"params": params}, inputs)
        theirs = peer.run(adapter.inputs(inputs))
    ours, theirs = jax.tree.leaves(adapter.outputs(ours)), jax.tree.leaves(theirs)
    difference = _largest(ours, theirs, adapter.tolerance, peer.title)
    logging.info("the outputs of the module and of the %s differ by at most %.3g", peer.title, difference)
    return difference


def random_inputs(example: Any, vocabulary_size: int) -> Any:
    """Random arrays of the same form: normal numbers or, for integers, ids below V, no two equal in a row if V >= T.

    (No two equal, because a multi-hot vector holds a word once.)
    """
    rng = np.random.default_rng(0)

    def draw(array: Any) -> np.ndarray:
        if not np.issubdtype(array.dtype, np.integer):
            return rng.normal(size=array.shape).astype(array.dtype)
        *rows, length = array.shape
        ids = [rng.choice(vocabulary_size, length, replace=length > vocabulary_size) for _ in range(int(np.prod(rows)))]
        return np.reshape(ids, array.shape).astype(array.dtype)

    return jax.tree.map(draw, example)


def _largest(ours: list[Any], theirs: list[Any], tolerance: float, title: str) -> float:
    if len(theirs) < len(ours):
        raise UserError(f"the module gives {len(ours)} arrays, but the {title} {len(theirs)}")
    largest = 0.0
    for a, b in zip((np.squeeze(a) for a in ours), (np.squeeze(b) for b in theirs), strict=False):
        if a.shape != b.shape:
            raise UserError(
                f"the module gives an output of shape {a.shape}, but the {title} {b.shape}, axes of length 1 removed; "
                "Adapter(inputs=, outputs=) translates"
            )
        difference = float(np.max(np.abs(a - b), initial=0))
        bound = tolerance * float(np.max(np.abs(b), initial=0)) + ROUNDING
        if not difference <= bound:  # so it is refused also if it is not a number
            raise UserError(
                f"all parameters fit, but the outputs of the module and of the {title} differ by {difference:.3g}: "
                "activation, mask, direction or the order of equal layers must differ"
            )
        largest = max(largest, difference)
    return largest
