"""What a run was made on and with, for config.json."""

import os
import platform

import seqjax


def device() -> str:
    """`2 cpu cores` or `1 x NVIDIA H100 80GB HBM3`."""
    import jax

    devices = jax.devices()
    if devices[0].platform == "cpu":  # several of them are the cores of one machine
        return f"cpu, {os.cpu_count()} cores"
    return f"{len(devices)} x {devices[0].device_kind}"


def versions() -> dict[str, str]:
    """Of Python and of every package that can change a result."""
    from importlib.metadata import version

    packages = ["jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy"]
    return {"python": platform.python_version(), "seqjax": seqjax.__version__} | {p: version(p) for p in packages}
