"""Settings of the C library and of XLA that make CPU steps faster; to be applied before JAX is imported.

Measured (`../shared/PERFORMANCE.md`, lab log): returning large temporaries to the system at every step costs up to half
of a step in page faults; 512-bit vectors are worth 10-18 % where the processor has them.
"""

import ctypes
import math
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

# glibc's malloc.h
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8
_KEEP_BYTES = 1 << 30
CGROUP = Path("/sys/fs/cgroup")


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
    if _has_avx512() and "xla_cpu_prefer_vector_width" not in os.environ.get("XLA_FLAGS", ""):
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_prefer_vector_width=512".strip()
        applied["xla_cpu_prefer_vector_width"] = "512"
    return applied


def limit_threads(count: int | None = None) -> int:
    """Let XLA take so many threads, None: as many as `cores`; to be called before JAX makes its devices.

    Returns how many. XLA sizes its pool by $NPROC, else by the cores; it looks at no cgroup and no $OMP_NUM_THREADS.
    """
    count = count or cores()
    os.environ["NPROC"] = str(count)
    return count


def cores() -> int:
    """That this process may use: of its affinity mask, its cgroup's share and $OMP_NUM_THREADS or $NPROC the least."""
    found = [len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1]
    for name in ("OMP_NUM_THREADS", "NPROC"):
        first = os.environ.get(name, "").split(",")[0]  # OpenMP: one number for each level of nesting
        found += [int(first)] if first.isdecimal() and int(first) > 0 else []
    return min([*found, _share() or found[0]])


def _share() -> int | None:
    """Cores that this process's cgroups (version 2 or 1) give time for, rounded up; None: no limit is found."""
    shares = [share for folder in _cgroups() if (share := _quota(folder)) is not None]
    return min(shares, default=None)


def _cgroups() -> Iterator[Path]:
    """The folders of the groups that this process is in and of all above them."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for _, controllers, name in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = CGROUP / controllers if (CGROUP / controllers).is_dir() else CGROUP / "cpu"
        group = Path(name.strip("/"))
        yield from (root / path for path in dict.fromkeys([group, *group.parents]))


def _quota(folder: Path) -> int | None:
    read = lambda name: (folder / name).read_text(encoding="utf-8")
    try:
        if (folder / "cpu.max").exists():
            quota, period = read("cpu.max").split()
        else:
            quota, period = read("cpu.cfs_quota_us"), read("cpu.cfs_period_us")
        return None if quota == "max" or int(quota) <= 0 else max(1, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):
        return None


def processor() -> str:
    """What a compiler looks at to make code for this very processor, as far as the system says it."""
    lines = _cpuinfo().splitlines()
    wanted = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))]
    return "\n".join(
        [platform.machine(), *dict.fromkeys(wanted)] if wanted else [platform.machine(), platform.processor()]
    )


def _has_avx512() -> bool:
    return " avx512f" in _cpuinfo()


def _cpuinfo() -> str:
    information = Path("/proc/cpuinfo")
    return information.read_text(encoding="utf-8", errors="replace") if information.exists() else ""
