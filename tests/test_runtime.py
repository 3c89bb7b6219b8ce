"""What tune() does to a process, seen from outside: page faults and XLA's flags."""

import os
import subprocess
import sys

import pytest

from seqjax import runtime

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
def test_a_cpu_is_one_device_with_as_many_threads_as_are_allowed():
    code = """
import os
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
from seqjax.runtime import cores, limit_threads, tune
tune()
found = [cores(), limit_threads(3)]
import jax
jax.numpy.ones(3).block_until_ready()
names = [open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")]
print(*found, jax.device_count(), sum("XLAEigen" in name for name in names))
"""
    assert run(code, XLA_FLAGS="") == ["1", "3", "1", "3"]


def test_the_least_of_affinity_environment_and_cgroup_counts(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("NPROC", raising=False)
    monkeypatch.setattr(runtime, "CGROUP", tmp_path)
    assert runtime.cores() == 16
    for text, expected in (("9,2", 9), ("0", 16), ("", 16), ("many", 16), ("99", 16)):
        monkeypatch.setenv("OMP_NUM_THREADS", text)
        assert runtime.cores() == expected
    monkeypatch.setenv("NPROC", "5")
    assert runtime.cores() == 5
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    assert runtime.cores() == 3
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert runtime.cores() == 5
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    for quota, expected in (("-1", 5), ("150000", 2), ("nonsense", 5)):
        (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
        (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
        assert runtime.cores() == expected
