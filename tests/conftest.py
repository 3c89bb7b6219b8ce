"""Settings of every test, and a tiny experiment that trains in a second."""

import gc
import os
import subprocess
import sys
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest

from seqjax.data.dataset import Dataset
from seqjax.data.pipeline import import_tensorflow
from seqjax.experiment import Experiment
from seqjax.training import metrics

jax.config.update("jax_numpy_rank_promotion", "raise")


QUICK_COMPILING = (
    "--xla_cpu_use_fusion_emitters=false",  # more than half of the time of compiling was the emitters'
    "--xla_cpu_parallel_codegen_split_count=1",  # a sixth was cutting small programs into 32 pieces
)


def pytest_configure(config):
    """The quick tests compile quickly, in their own processes too; the slow ones as users do."""
    if config.getoption("-m") == "not slow and not cluster":
        os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
        jax.config.update("jax_disable_most_optimizations", True)
        gc.set_threshold(50_000, 50, 100)  # tracing makes and drops small objects: a twentieth was collecting them
        given = os.environ.get("XLA_FLAGS", "").split()
        new = [flag for flag in QUICK_COMPILING if flag not in given]  # a worker finds them there already
        if new and not are_known(new):
            new = [flag for flag in new if are_known([flag])]
        os.environ["XLA_FLAGS"] = " ".join([*given, *new])


def are_known(flags: Sequence[str]) -> bool:
    """Whether this XLA takes the flags: it ends the process at one that it does not know."""
    trial = [sys.executable, "-c", "import jax; jax.devices()"]
    return not subprocess.run(trial, env={**os.environ, "XLA_FLAGS": " ".join(flags)}, capture_output=True).returncode


@pytest.fixture(scope="session", autouse=True)
def _programs_are_compiled_once(tmp_path_factory):
    """Tests that run the same program many times (kill, resume, compare) compile it once."""
    jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("xla")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


@pytest.fixture(scope="session", autouse=True)
def _tensorflow_is_there():
    """In a worker of many tests, some of which want it anyway: no training imports it in a thread meanwhile.

    Python 3.11 does not build syntax trees in two threads at once ("AST constructor recursion depth mismatch"): so a
    training ended three times, on a machine with fifteen processes to a core, beside pytest's own rewriting.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        import_tensorflow()


class Line(nn.Module):
    """A linear model with dropout, so that the train step draws random numbers."""

    @nn.compact
    def __call__(self, inputs, *, train=False):
        return nn.Dense(1)(nn.Dropout(0.2)(inputs, deterministic=not train))[:, 0]


@pytest.fixture(scope="session")
def toy_dataset() -> Dataset:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(100, 3)).astype(np.float32)
    arrays = {"inputs": inputs, "targets": inputs @ np.float32([1, -2, 0.5])}
    parts = {"train": np.arange(53), "validation": np.arange(53, 80), "test": np.arange(80, 100)}
    gather = lambda arrays, ids: (arrays["inputs"][ids], arrays["targets"][ids])
    return Dataset(arrays, gather, parts, "toy", "f00d")


@pytest.fixture(scope="session")
def toy_experiment() -> Experiment:
    return Experiment(
        source=None,
        model=Line(),
        loss=metrics.squared_error,
        metrics={"mae": metrics.absolute_error},
        optimizer=optax.adam(0.05),
        epochs=3,
        batch_size=8,
        seed=7,
    )
