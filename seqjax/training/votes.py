"""What the processes of a run ask for, known to all of them at the same step: each would leave or save at its own.

A vote is a program of one number for each device, dispatched behind the training steps. Its result is read one
dispatch later, so that nobody waits for it. One process has its own way at once.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from seqjax import peers


class Votes:
    """Taken by all processes in the same order."""

    def __init__(self):
        self._before: jax.Array | None = None
        if peers.count() > 1:
            mesh = Mesh(np.asarray(jax.devices()), ("all",))
            self._split = NamedSharding(mesh, PartitionSpec("all"))
            self._largest = jax.jit(jnp.max, out_shardings=NamedSharding(mesh, PartitionSpec()))

    def now(self, mine: int) -> int:
        """The largest number that any process gives."""
        return mine if peers.count() == 1 else int(self._vote(mine))

    def lately(self, mine: int) -> int:
        """The largest number that any process gave the last time; 0 the first time."""
        if peers.count() == 1:
            return mine
        before, self._before = self._before, self._vote(mine)
        return 0 if before is None else int(before)

    def _vote(self, mine: int) -> jax.Array:
        value = np.full(jax.device_count(), mine, np.int32)
        return self._largest(jax.make_array_from_callback(value.shape, self._split, value.__getitem__))
