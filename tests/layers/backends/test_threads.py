"""The compiled calls give the same bits on any number of threads, and these do not get in each other's way."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from backend_problems import REFUSAL

pytestmark = pytest.mark.skipif(REFUSAL is not None, reason=f"native: {REFUSAL}")
HERE = Path(__file__).parent
KERNELS = HERE.parents[2] / "seqjax" / "layers" / "backends" / "kernels"


def said(threads, *before):
    environment = {**os.environ, "NPROC": str(threads)}
    command = [*before, sys.executable, str(HERE / "threads.py")]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout


@pytest.mark.slow
def test_one_thread_and_several_give_the_same_bits():
    one, five = said(1), said(5)  # more than this machine may have
    assert len(one.splitlines()) == 13
    assert one == five


@pytest.mark.slow
def test_any_number_of_threads_on_any_number_of_cores_gives_the_same_bits():
    alone = ["taskset", "-c", str(min(os.sched_getaffinity(0)))] if shutil.which("taskset") else []
    expected = said(2)
    assert [said(threads) == expected for threads in (3, 4, 16, 64)] == [True] * 4
    assert [said(threads, *alone) == expected for threads in (1, 4, 64)] == [True] * 3


def run_alone(path, compiler, *flags, before=()):
    """What threads.cc says, compiled to a path; all its numbers."""
    sources = [str(HERE / "threads.cc"), f"-I{jax.ffi.include_dir()}", f"-I{KERNELS}"]
    command = [compiler, "-std=c++17", "-pthread", "-DSEQJAX_REAL=float", *flags, *sources, "-o", str(path)]
    subprocess.run(command, check=True)
    numbers = path.with_suffix(".numbers")
    done = subprocess.run([*before, str(path), str(numbers)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout == "one thread and eight: the same bits\n"
    return np.fromfile(numbers, np.float32)


@pytest.mark.slow
@pytest.mark.skipif(platform.system() != "Linux" or shutil.which("g++") is None, reason="needs GCC's thread sanitizer")
def test_no_thread_reads_what_another_writes(tmp_path):
    """The kernels on threads of their own, without JAX."""
    run_alone(tmp_path / "threads", "g++", "-O1", "-g", "-march=native", "-fsanitize=thread")


ARM = "aarch64-linux-gnu-g++"


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which(ARM) and shutil.which("qemu-aarch64")), reason=f"{ARM} or qemu-user is missing")
def test_an_arm_processor_computes_the_same(tmp_path):
    """Compiled for AArch64 and for plain x86-64, and for this processor."""
    here = run_alone(tmp_path / "here", "g++", "-O3", "-march=native")
    plain = run_alone(tmp_path / "plain", "g++", "-O3")
    arm = run_alone(tmp_path / "arm", ARM, "-O3", "-static", before=["qemu-aarch64"])
    for found in (plain, arm):
        assert found.shape == here.shape
        np.testing.assert_allclose(found, here, rtol=1e-4, atol=1e-4 * np.abs(here).max())
