"""How to run, not what: devices, steps in a dispatch, and what each device holds and computes."""

import dataclasses

import jax
from jax.sharding import Mesh

from seqjax import peers
from seqjax.data.dataset import Dataset
from seqjax.errors import UserError, check_least
from seqjax.experiment import Experiment
from seqjax.layers.sharding import make_mesh

SMALL_STEP = 1 << 20
"""Up to so many entries in the inputs of a batch, a step is so short that the time between dispatches tells."""

BLOCKS = 8
"""Of a batch, where the settings say `deterministic`: at most so many devices."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to run, not what: the score does not depend on them."""

    steps_per_dispatch: int | None = None
    """Steps in one call of the compiled program (fewer at the end of an epoch); None: see the function."""
    checkpoint_seconds: float = 30.0
    """Between checkpoints within an epoch; each epoch also ends with one."""

    devices: int | None = None
    """That share the work of each batch; see `shared_by`."""
    deterministic: bool = False
    """Whether a batch is computed in blocks, with equal bits on any devices: see `seqjax.training.block_program`."""
    shard_rows: int | None = None
    """Parameters with an axis of at least so many entries, such as the tables of a large vocabulary, are split along it
    over the devices, with their optimizer state; None: every device has all."""

    def __post_init__(self):
        if self.deterministic and self.shard_rows:
            raise UserError("--deterministic needs all parameters on every device: leave --shard_rows out")
        for name in ("steps_per_dispatch", "devices", "shard_rows"):
            if getattr(self, name) is not None:
                check_least(name, getattr(self, name), 1)


def shared_by(experiment: Experiment, count: int | None = None, deterministic: bool = False) -> Mesh:
    """The devices that share each batch, as a mesh.

    Args:
      experiment: whose batches they are.
      count: how many; None is all accelerators, or one CPU device, whose cores share the work within it. Of several
        processes all devices.
      deterministic: `Settings.deterministic`.

    Raises:
      UserError: there are not so many, or the batch does not divide over them.
    """
    found = jax.devices()
    alone = found[0].platform == "cpu" and peers.count() == 1
    count = count or (1 if alone else len(found))
    if count > len(found):
        raise UserError(f"devices={count}: there are only {len(found)}")
    if count < len(found) and peers.count() > 1:
        raise UserError(f"devices={count}: {peers.count()} processes have {len(found)}, and take all of them")
    if experiment.batch_size % count:
        raise UserError(f"batch_size {experiment.batch_size} does not divide over {count} devices")
    if deterministic and experiment.batch_size % BLOCKS:
        raise UserError(f"--deterministic: batch_size {experiment.batch_size} does not divide into {BLOCKS} blocks")
    if deterministic and BLOCKS % count:
        raise UserError(f"--deterministic: {BLOCKS} blocks of a batch do not divide over {count} devices")
    return make_mesh(found[:count])


def steps_per_dispatch(experiment: Experiment, dataset: Dataset, count: int | None = None) -> int:
    """How many steps one dispatch holds.

    Args:
      experiment: whose batches they are.
      dataset: for the size of the inputs.
      count: how many; None is 32 small steps or 8 large ones (on two cores W1 gains 7 % in training and 16 % in
        inference by 32). It is one where batches are grouped by length: the next one has another shape.
    """
    if dataset.lengths is not None:
        return 1
    entries = experiment.batch_size * sum(leaf.size for leaf in jax.tree.leaves(dataset.example()))
    return count or (32 if entries <= SMALL_STEP else 8)
