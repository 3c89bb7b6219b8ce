"""What tune() does to a process, seen from outside: page faults and XLA's flags."""

import os
import subprocess
import sys

import pytest

CODE = """
import resource, sys
from seqjax.runtime import tune
applied = tune() if sys.argv[1] == "tuned" else {}
import numpy
def work():
    for _ in range(20):
        numpy.ones(12_000_000, numpy.float32)  # 48 MB: above the mmap threshold
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, "malloc" in applied)
"""


def run(code, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=True,
    )
    return done.stdout.split()


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's mallopt")
def test_freed_memory_is_kept():
    plain, tuned = run(CODE, "plain"), run(CODE, "tuned")
    assert tuned[1] == "True"
    assert int(tuned[0]) < int(plain[0]) / 10


def test_the_users_own_choice_stands():
    code = "import os; from seqjax.runtime import tune; print(sorted(tune())); print(os.environ.get('XLA_FLAGS'))"
    chosen = "--xla_cpu_prefer_vector_width=128 --xla_force_host_platform_device_count=3"
    assert run(code, MALLOC_TRIM_THRESHOLD_="1", XLA_FLAGS=chosen) == ["[]", *chosen.split()]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux's processor affinity")
@pytest.mark.parametrize("cores", [1, 2])
def test_two_cores_are_two_devices(cores):
    if len(os.sched_getaffinity(0)) < cores:
        pytest.skip("one core only")
    code = (
        "import os, sys; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[1])])\n"
        "from seqjax.runtime import tune; tune(); import jax; print(jax.device_count())"
    )
    assert run(code, str(cores), XLA_FLAGS="") == [str(cores)]
