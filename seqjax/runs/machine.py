"""What a run was made on and with, for config.json."""

import hashlib
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import seqjax
from seqjax import peers

if TYPE_CHECKING:
    from jax.sharding import Mesh


def device() -> str:
    """`2 cpu cores` or `1 x NVIDIA H100 80GB HBM3`."""
    import jax

    devices = jax.devices()
    processes = "" if peers.count() == 1 else f", {peers.count()} processes"
    if devices[0].platform == "cpu":  # several of them are the cores of one machine
        return f"cpu, {os.cpu_count()} cores{processes}"
    return f"{len(devices)} x {devices[0].device_kind}{processes}"


def layout(mesh: "Mesh") -> str:
    """`8 devices, 2 processes`: over what the run's batches are shared out."""
    devices = f"{mesh.size} device{'s' * (mesh.size > 1)}"
    return f"{devices}, {peers.count()} process{'es' * (peers.count() > 1)}"


def source_hash() -> str:
    """Of all files of this package that compute, for the processes of a run to compare."""
    digest, package = hashlib.sha256(), Path(seqjax.__file__).resolve().parent
    for path in sorted(package.rglob("*")):
        if path.suffix in (".py", ".h", ".cc") and "experiments" not in path.parts:
            digest.update(f"{path.relative_to(package).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Of Python and of every package that can change a result."""
    from importlib.metadata import version

    packages = ["jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy"]
    return {"python": platform.python_version(), "seqjax": seqjax.__version__} | {p: version(p) for p in packages}


def backends(model: Any, mesh: "Mesh") -> list[str]:
    """One line for each recurrent layer of a model: which backend trains it on the devices of a mesh, and why."""
    import jax

    from seqjax.layers import composite

    with jax.set_mesh(mesh):
        return [composite.said(*pair) for pair in composite.choices(model)]
