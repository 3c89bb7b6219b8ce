"""The compiled calls give the same bits on any number of threads, and these do not get in each other's way."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from backend_problems import REFUSAL

pytestmark = pytest.mark.skipif(REFUSAL is not None, reason=f"native: {REFUSAL}")
HERE = Path(__file__).parent
KERNELS = HERE.parents[2] / "seqjax" / "layers" / "backends" / "kernels"


def said(threads, *before):
    environment = {**os.environ, "NPROC": str(threads)}
    command = [*before, sys.executable, str(HERE / "threads.py")]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout


def test_one_thread_and_several_give_the_same_bits():
    one, five = said(1), said(5)  # more than this machine may have
    assert len(one.splitlines()) == 11
    assert one == five


@pytest.mark.slow
def test_any_number_of_threads_on_any_number_of_cores_gives_the_same_bits():
    alone = ["taskset", "-c", str(min(os.sched_getaffinity(0)))] if shutil.which("taskset") else []
    expected = said(2)
    assert [said(threads) == expected for threads in (3, 4, 16, 64)] == [True] * 4
    assert [said(threads, *alone) == expected for threads in (1, 4, 64)] == [True] * 3


@pytest.mark.slow
@pytest.mark.skipif(platform.system() != "Linux" or shutil.which("g++") is None, reason="needs GCC's thread sanitizer")
def test_no_thread_reads_what_another_writes(tmp_path):
    """The kernels on threads of their own, without JAX, under -fsanitize=thread; bits compared with one thread's."""
    program = tmp_path / "threads"
    sources = [str(HERE / "threads.cc"), f"-I{jax.ffi.include_dir()}", f"-I{KERNELS}"]
    flags = ["-std=c++17", "-O1", "-g", "-march=native", "-pthread", "-fsanitize=thread", "-DSEQJAX_REAL=float"]
    subprocess.run(["g++", *flags, *sources, "-o", str(program)], check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout == "one thread and eight: the same bits\n"
