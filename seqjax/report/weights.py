"""The best weights of a row that is kept, in a .npz file: each array under its path joined by "/"."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from seqjax.errors import UserError


def of_run(folder: Path) -> Any | None:
    """The best checkpoint's parameters of a run's folder, as a nested dict; None where there is none."""
    import orbax.checkpoint as ocp

    from seqjax.training.best import restore_best
    from seqjax.training.workdir import Workdir

    best = folder / "checkpoints" / "best"
    for step in sorted((int(path.name) for path in best.glob("*") if path.name.isdigit()), reverse=True):
        like = ocp.StandardCheckpointer().restore((best / str(step) / "state").resolve())["tree"]
        return restore_best(Workdir(folder), like)[1]
    return None


def save(path: Path, params: Any) -> None:
    """Write a nested dict of arrays, whole or not at all."""
    arrays: dict[str, Any] = {name: np.asarray(array) for name, array in flatten_dict(params, sep="/").items()}
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    temporary.replace(path)


def load(path: Path, like: Any) -> Any:
    """Read a nested dict of arrays.

    Args:
      path: a file of `save`.
      like: a tree with the paths and shapes that it must have.

    Raises:
      UserError: it cannot be read, or is of another model.
    """
    try:
        with path.open("rb") as file, np.load(file) as found:
            arrays = {name: found[name] for name in found.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    wanted: dict[str, Any] = dict(flatten_dict(like, sep="/"))
    if {name: array.shape for name, array in arrays.items()} != {name: leaf.shape for name, leaf in wanted.items()}:
        raise UserError(f"{path} holds the weights of another model")
    return unflatten_dict(arrays, sep="/")
