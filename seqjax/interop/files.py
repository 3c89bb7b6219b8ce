"""Parameters in safetensors files: one tensor for each, under its path joined by "/"."""

import importlib
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from seqjax.errors import UserError
from seqjax.interop.layers import check_like


def save_safetensors(params: Any, path: str | Path) -> None:
    """Write a nested dict of arrays. Values and types come back exactly.

    Raises:
      UserError: the file cannot be written, or safetensors is not installed.
    """
    safetensors, error_class = _import_safetensors()
    # In C's order, because safetensors writes the memory of a transposed array as if it were not transposed.
    arrays = {name: np.asarray(jax.device_get(a), order="C") for name, a in flatten_dict(params, sep="/").items()}
    try:
        safetensors.save_file(arrays, path)
    except (OSError, error_class) as error:
        raise UserError(f"{path} cannot be written: {error}") from error


def load_safetensors(path: str | Path, like: Any = None) -> Any:
    """Read a nested dict of NumPy arrays.

    Args:
      path: a file of `save_safetensors`.
      like: a tree of arrays, or of their shapes and types, that the file must match; None: take what there is.

    Raises:
      UserError: the file cannot be read or does not match, or safetensors is not installed.
    """
    safetensors, error_class = _import_safetensors()
    try:
        arrays = safetensors.load_file(path)
    except (OSError, error_class) as error:
        raise UserError(f"{path} cannot be read as safetensors: {error}") from error
    params = unflatten_dict(arrays, sep="/")
    if like is not None:
        check_like(params, flatten_dict(like, sep="/"), str(path))
    return params


def _import_safetensors() -> tuple[Any, type[Exception]]:
    try:
        module = importlib.import_module("safetensors.numpy")
        return module, importlib.import_module("safetensors").SafetensorError
    except ImportError as error:
        raise UserError(f"safetensors cannot be imported ({error}); pip install 'seqjax[interop]'") from error
