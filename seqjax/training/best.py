"""The best epoch of a run: which it is, its parameters, and what they predict."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax

from seqjax.data.dataset import Requests
from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.training.checkpoint import Checkpoints
from seqjax.training.program import outputs
from seqjax.training.state import create_state
from seqjax.training.workdir import Row, Workdir


def best_epoch(rows: Sequence[Row]) -> int:
    """The epoch with the lowest validation loss, the first of equals; 0 before the first."""
    return min(rows, key=lambda row: row["validation"]["loss"], default={"epoch": 0})["epoch"]


def is_enough(experiment: Experiment, rows: Sequence[Row]) -> bool:
    """Whether an epoch's validation loss is as low as the experiment asks for, or has not fallen for too long."""
    enough, patience = experiment.enough, experiment.patience
    if patience is not None and len(rows) - best_epoch(rows) >= patience and rows:
        return True
    return enough is not None and any(row["validation"]["loss"] <= enough for row in rows)


def restore_best(workdir: Workdir, params: Any = None) -> tuple[int, Any]:
    """The best epoch's step and parameters, never those of another epoch in their place.

    Args:
      workdir: of a run that has finished at least one epoch.
      params: a tree of the same structure, shapes and types, such as `shapes` makes; None: of those that were saved.

    Raises:
      UserError: there is none yet, or it is damaged or missing.
    """
    folder = workdir.path / "checkpoints" / "best"
    finished, wanted = best_step(workdir)
    none = UserError(f"workdir {workdir.path} has no best checkpoint yet; train it first (--mode=train)")
    if not folder.is_dir():
        raise _lost(workdir, folder, "missing", finished) if finished else none
    checkpoints = Checkpoints(folder, read_only=True)
    try:
        found = [step for step in checkpoints.steps() if wanted is None or step <= wanted]
        if not found and not finished:
            raise none
        # Of an unfinished run the last process may have been killed between the best epoch's row and its checkpoint.
        step = wanted if finished and wanted is not None else max(found, default=0)
        restored = None
        if step in found:
            restored = checkpoints.read(step, checkpoints.saved(step) if params is None else params)
    finally:
        checkpoints.close()
    if restored is None:
        raise _lost(workdir, folder / str(step), "damaged" if step in found else "missing", finished)
    return step, restored


def shapes(experiment: Experiment, inputs: Any) -> Any:
    """The model's parameters as `jax.ShapeDtypeStruct`s on the first device: nothing is computed or compiled for them.

    Args:
      experiment: whose model it is.
      inputs: of any one example, [1, ...].
    """
    params = jax.eval_shape(lambda inputs: create_state(experiment, inputs).params, inputs)
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device), params)


def _lost(workdir: Workdir, path: Path, said: str, finished: bool) -> UserError:
    choice = "restore it from a copy, or train anew in another --workdir"
    choice += "" if finished else ", or train this run on (--mode=train)"
    return UserError(f"the best checkpoint of workdir {workdir.path}, {path}, is {said}: {choice}")


def best_step(workdir: Workdir) -> tuple[bool, int | None]:
    """Whether the run is finished, and at which step its best epoch ended; None: nothing tells."""
    results, rows = workdir.results(), workdir.rows()
    if results is None:
        best = best_epoch(rows)
        return False, rows[best - 1]["step"] if best else None
    best = results.get("best_epoch")
    if best == 0:
        return True, 0
    return True, rows[best - 1].get("step") if isinstance(best, int) and best <= len(rows) else None


def predictions(experiment: Experiment, requests: Requests, workdir: Workdir) -> Iterator[Any]:
    """The best checkpoint's answer to every example, in order.

    Raises:
      UserError: there is no best checkpoint.
    """
    if not len(requests.ids):
        return
    example = requests.gather(requests.arrays, requests.ids[:1])
    _, params = restore_best(workdir, shapes(experiment, example))
    yield from outputs(experiment, params, requests)
