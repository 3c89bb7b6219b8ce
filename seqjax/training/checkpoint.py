"""Orbax checkpoints that are verified when read: `latest` to resume from, `best` to test.

Orbax writes them asynchronously and renames them into place when complete, so a killed run leaves whole checkpoints
or none. Each carries a checksum of its own contents: one that is truncated, or whose bytes have changed, is passed
over with a warning in favour of the one before.
"""

import contextlib
import logging as standard_logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from absl import logging

from seqjax import peers
from seqjax.errors import UserError
from seqjax.files import unwritten

KEEP = 2  # the newest, and the one before for when the newest turns out to be damaged


def _is_not_orbax(record: standard_logging.LogRecord) -> bool:
    return "/orbax/" not in record.pathname.replace("\\", "/")


# A write that fails is logged there by each of its threads, a hundred lines each, and then raised here: once is enough.
logging.get_absl_logger().addFilter(_is_not_orbax)


def _words(leaf: jax.Array) -> jax.Array:
    """The bits of an array as uint32 [n], for any type."""
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    if leaf.dtype == jnp.bool_:
        leaf = leaf.astype(jnp.uint8)
    unsigned = {1: jnp.uint8, 2: jnp.uint16, 4: jnp.uint32, 8: jnp.uint32}[leaf.dtype.itemsize]
    return jax.lax.bitcast_convert_type(leaf, unsigned).astype(jnp.uint32).reshape(-1)


@jax.jit
def _sealed(tree: Any) -> dict[str, Any]:
    """A copy of `tree` (its buffers may be donated next) with a checksum that depends on every bit and its place."""
    total = jnp.uint32(0)
    for leaf in jax.tree.leaves(tree):
        words = _words(leaf)
        place = jax.lax.iota(jnp.uint32, words.size) * jnp.uint32(2) + jnp.uint32(1)  # odd: no bit is multiplied away
        total = total * jnp.uint32(0x01000193) + jnp.sum(words * place, dtype=jnp.uint32)
    return {"tree": jax.tree.map(jnp.copy, tree), "checksum": total}


def _on_one_device(leaf: jax.Array) -> jax.Array:
    """A device's copy where every one has it; what is split over devices stays so, too large for one."""
    return leaf.addressable_data(0) if leaf.is_fully_replicated else leaf


def _together(folder: Path) -> Any:
    """How the processes of a run wait for one another: at barriers with a limit, not in collectives without one."""
    if peers.count() == 1:
        return ocp.options.MultiprocessingOptions()
    return ocp.options.MultiprocessingOptions(
        active_processes=set(range(peers.count())), barrier_sync_key_prefix=f"seqjax_{folder.name}"
    )


def _patience() -> Any:
    """How long they wait for one another; None: orbax's own 20 minutes."""
    return None if peers.count() == 1 else ocp.AsyncOptions(timeout_secs=max(1, int(peers.here().seconds)))


class Checkpoints:
    """A folder of checkpoints by step, of which the newest two are kept."""

    def __init__(self, folder: Path, *, read_only: bool = False):
        """Opens `folder`, creating it if need be; clears what an earlier, killed process left half written.

        Args:
          folder: of the checkpoints.
          read_only: create and clear nothing: another process may be writing there.
        """
        self.folder = folder.resolve()
        self._failed = False
        keep = None if read_only else KEEP
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep,
            cleanup_tmp_directories=not read_only,
            read_only=read_only,
            create=False,
            multiprocessing_options=_together(self.folder),
            async_options=_patience(),
        )
        with self._writing():
            if not read_only:
                self.folder.mkdir(parents=True, exist_ok=True)
            self._manager = ocp.CheckpointManager(self.folder, options=options, item_names=("state",))

    def steps(self) -> list[int]:
        """Steps of the complete checkpoints, newest first."""
        return sorted(self._manager.all_steps(), reverse=True)

    def save(self, step: int, tree: Any) -> None:
        """Begin to write `tree` as the checkpoint of `step`, replacing one of the same step or of a later one.

        Later ones exist only after falling back from a damaged checkpoint: the run is about to write them anew.

        Raises:
          UserError: this one, or one begun before, cannot be written.
        """
        sealed = _sealed(tree)
        if peers.count() == 1:  # what lies on one device can be read on any machine
            sealed = jax.tree.map(_on_one_device, sealed)
        with self._writing():
            for later in self.steps():
                if later >= step:
                    self._manager.wait_until_finished()
                    self._manager.delete(later)
            self._manager.save(step, args=ocp.args.Composite(state=ocp.args.StandardSave(sealed)), force=True)

    def wait(self) -> None:
        """Return when everything begun is on disk. Raises UserError: it cannot be written."""
        with self._writing():
            self._manager.wait_until_finished()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # orbax and tensorstore raise whatever the disk makes them meet
            self._failed = True
            raise unwritten(self.folder, error) from error

    def restore(self, template: Any, step: int | None = None) -> tuple[int, Any] | None:
        """The newest readable checkpoint and its step, or None where there is none at all.

        Args:
          template: a tree of the same structure, shapes and types, on the devices where the result is to be.
          step: take this one or, if it is damaged or missing, the newest before it.

        Raises:
          UserError: there are checkpoints, but every one is damaged.
        """
        steps = [candidate for candidate in self.steps() if step is None or candidate <= step]
        for candidate in steps:
            tree = self.read(candidate, template)
            if tree is not None:
                return candidate, tree
            logging.warning("checkpoint %s is damaged; falling back to the one before", self.folder / str(candidate))
        if steps:
            raise UserError(f"every checkpoint in {self.folder} is damaged; choose another --workdir to start anew")
        return None

    def saved(self, step: int) -> Any:
        """The structure, shapes and types of the checkpoint of a step, in dicts; None where it is damaged."""
        try:
            folder: Any = self.folder / str(step) / "state"
            found = ocp.StandardCheckpointHandler().metadata(folder)
            device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
            told = lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device)
            return jax.tree.map(told, found.tree["tree"], is_leaf=lambda leaf: hasattr(leaf, "shape"))
        except Exception as error:  # as in `read`
            logging.warning("checkpoint %s cannot be read: %s", self.folder / str(step), error)
            return None

    def read(self, step: int, template: Any) -> Any | None:
        """The checkpoint of a step; None where it is damaged. template: as for `restore`."""
        sealed = {"tree": template, "checksum": jnp.uint32(0)}
        abstract = jax.tree.map(ocp.tree.to_shape_dtype_struct, sealed)
        try:
            args = ocp.args.Composite(state=ocp.args.StandardRestore(abstract))
            restored = self._manager.restore(step, args=args)["state"]
        except Exception as error:  # orbax and tensorstore raise whatever the damage makes them meet
            logging.warning("%s: %s", type(error).__name__, str(error).partition("\n")[0][:200])
            return None
        intact = int(_sealed(restored["tree"])["checksum"]) == int(restored["checksum"])
        return restored["tree"] if intact else None

    def close(self) -> None:
        """Finish writing and release the folder. Raises UserError: it cannot be written, and nobody was told yet."""
        told = self._failed
        try:
            with self._writing():
                self._manager.close()
        except UserError:
            if not told:
                raise
