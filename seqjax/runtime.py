"""Settings of the C library and of XLA that make CPU steps faster; to be applied before JAX is imported.

Measured (`../shared/PERFORMANCE.md`, lab log): returning large temporaries to the system at every step costs up to half
of a step in page faults; 512-bit vectors are worth 10-18 % where the processor has them; a recurrence on two cores,
half a batch or one direction of a Bidirectional on each, is up to 1.7 times as fast as on one.
"""

import ctypes
import os
import platform
import sys
from pathlib import Path

# glibc's malloc.h
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8
_KEEP_BYTES = 1 << 30
CPU_DEVICES = 2
"""JAX's CPU devices, where there are so many cores; more were not measured."""


def tune() -> dict[str, str]:
    """Apply what is safe on this machine; return what was applied, for config.json.

    Never overrides a choice that the user made in the environment.
    """
    applied = {}
    if platform.libc_ver()[0] == "glibc" and not any(name.startswith("MALLOC_") for name in os.environ):
        mallopt = ctypes.CDLL(None).mallopt
        # One arena: XLA runs a program in a thread of its own, and the arena of a thread holds at most 64 MB.
        kept = [(_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _KEEP_BYTES), (_M_TOP_PAD, 1 << 26), (_M_ARENA_MAX, 1)]
        if min(mallopt(*setting) for setting in kept):  # all are tried, and each returns 1
            applied["malloc"] = "freed memory is kept, in one arena"
    if "jax" in sys.modules:
        return applied
    flags = os.environ.get("XLA_FLAGS", "")
    wanted = {"xla_cpu_prefer_vector_width": "512"} if _has_avx512() else {}
    if cores() >= CPU_DEVICES:
        wanted["xla_force_host_platform_device_count"] = str(CPU_DEVICES)
    for name, value in wanted.items():
        if name not in flags:
            flags = f"{flags} --{name}={value}".strip()
            applied[name] = value
    if flags:
        os.environ["XLA_FLAGS"] = flags
    return applied


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _has_avx512() -> bool:
    information = Path("/proc/cpuinfo")
    return information.exists() and " avx512f" in information.read_text(encoding="utf-8", errors="replace")
