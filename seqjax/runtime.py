"""Settings of the C library and of XLA that make CPU steps faster; to be applied before JAX is imported.

Measured (`../shared/PERFORMANCE.md`): returning large temporaries to the system at every step costs up to half of a
step in page faults; 512-bit vectors are worth 10-18 % where the processor has them.
"""

import ctypes
import os
import platform
import sys
from pathlib import Path

# glibc's malloc.h
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_KEEP_BYTES = 1 << 30


def tune() -> dict[str, str]:
    """Apply what is safe on this machine; return what was applied, for config.json.

    Never overrides a choice that the user made in the environment.
    """
    applied = {}
    if platform.libc_ver()[0] == "glibc" and not any(name.startswith("MALLOC_") for name in os.environ):
        mallopt = ctypes.CDLL(None).mallopt
        if all([mallopt(_M_MMAP_MAX, 0), mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES), mallopt(_M_TOP_PAD, 1 << 26)]):
            applied["malloc"] = "freed memory is kept"
    flags = os.environ.get("XLA_FLAGS", "")
    if "jax" not in sys.modules and "prefer_vector_width" not in flags and _has_avx512():
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_prefer_vector_width=512".strip()
        applied["xla_cpu_prefer_vector_width"] = "512"
    return applied


def _has_avx512() -> bool:
    information = Path("/proc/cpuinfo")
    return information.exists() and " avx512f" in information.read_text(encoding="utf-8", errors="replace")
