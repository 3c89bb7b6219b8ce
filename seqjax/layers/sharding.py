"""A recurrence on several devices: each runs its own share of the batch, or its own direction of time.

XLA's partitioner would share out a scan too, but step by step: a weight gradient that is summed inside the reverse
scan would be exchanged at every step. Here it is exchanged once, after the last (W1 on two cores: 11.7 -> 7.0 ms).
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

DATA = "data"
"""The mesh's axis over which a batch is split."""
DIRECTIONS = "directions"
"""The mesh's axis over which the two directions of a Bidirectional are split, and the columns of large tables."""


def make_mesh(devices: Sequence[Any], axis: str) -> Mesh:
    """Devices along one of the axes, to be put into context by `jax.set_mesh`."""
    return Mesh(np.asarray(devices), (axis,))


def devices_along(axis: str) -> int:
    """How many devices the mesh in context has along an axis; 1 without a mesh, and for what runs on one of them."""
    mesh = jax.sharding.get_abstract_mesh()
    return 1 if mesh.empty or mesh.manual_axes else mesh.shape.get(axis, 1)


def over_devices(axis: str, function: Callable[[Any], Any], operands: Any, shares: Any, result_shares: Any) -> Any:
    """function(operands), run on each device along an axis of the mesh in context, if there are several.

    What cannot be split evenly, such as three rows over two devices, is left to XLA.

    Args:
      axis: DATA or DIRECTIONS.
      function: of one tree of arrays.
      operands: the tree.
      shares: a PartitionSpec for each array, or for a branch of the tree: which of its axes is split; the gradients
        of what is whole (weights) are summed over the devices.
      result_shares: the same of what the function returns.
    """
    if devices_along(axis) == 1 or not _even(axis, operands, shares):
        return function(operands)
    shared = jax.shard_map(function, in_specs=(shares,), out_specs=result_shares, check_vma=False)
    return jax.jit(shared)(operands)  # outside a program too, where shard_map lacks what native's gradient needs


def _even(axis: str, operands: Any, shares: Any) -> bool:
    """Whether every axis of the operands that is split has a multiple of the devices' number of entries."""
    count, arrays = devices_along(axis), jax.tree.leaves(operands)
    specs = jax.tree.leaves(jax.tree.broadcast(shares, operands))
    sizes = [
        size
        for spec, array in zip(specs, arrays, strict=True)
        for name, size in zip(spec, array.shape, strict=False)
        if name == axis
    ]
    return all(size % count == 0 for size in sizes)
