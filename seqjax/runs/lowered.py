"""A row's train and evaluate step for devices that are not here: lowered by JAX, or compiled where XLA can.

Nothing is run and no parameter is made: the steps are traced with the shapes of the data. The batch is split along the
axis `data` of a mesh; what each chip is to exchange stands in the text.

Legend: B batch.
"""

import contextlib
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec
from jaxlib import gpu_rnn

from seqjax.data.dataset import Dataset
from seqjax.experiment import Experiment
from seqjax.layers.backends import choice
from seqjax.layers.sharding import DATA, make_mesh
from seqjax.training.state import create_state, make_evaluate_step, make_train_step

BACKENDS = {"cpu": "cpu", "cuda": "gpu", "tpu": "tpu"}
"""What JAX calls a platform where it lowers -> what `jax.default_backend` calls it, which layers ask."""
COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")


@contextlib.contextmanager
def as_on(platform: str) -> Iterator[None]:
    """What is traced within takes the backends that it would take on such a device.

    But for cuDNN where JAX's plugin for CUDA is not installed, without which it cannot be lowered: `fused` then.
    """
    asked, units = jax.default_backend, choice.CUDNN_UNITS
    jax.default_backend = lambda: BACKENDS[platform]
    if not hasattr(gpu_rnn, "compute_rnn_workspace_reserve_space_sizes"):
        choice.CUDNN_UNITS = sys.maxsize
    try:
        yield
    finally:
        jax.default_backend, choice.CUDNN_UNITS = asked, units


class Steps:
    """The train and the evaluate step of an experiment, and the shapes that they take."""

    def __init__(self, experiment: Experiment, dataset: Dataset, batch_size: int | None = None):
        """Args: batch_size: if not the experiment's own."""
        self.experiment, self.dataset = experiment, dataset
        self.batch_size = batch_size or experiment.batch_size
        self.length = None if dataset.lengths is None else int(dataset.lengths.max())
        create = lambda inputs, target: create_state(experiment, inputs, dataset.initial, target)
        self.state = jax.eval_shape(create, dataset.example(), dataset.target())

    def train(self) -> tuple[Callable, tuple[Any, ...], tuple[PartitionSpec, ...]]:
        """(function, its arguments' shapes, how each is split)."""
        step = make_train_step(self.experiment, self.dataset.cut(self.length))
        whole, split = PartitionSpec(), PartitionSpec(DATA)
        return step, (self.state, self._batch(), self._arrays()), (whole, split, whole)

    def evaluate(self) -> tuple[Callable, tuple[Any, ...], tuple[PartitionSpec, ...]]:
        """As `train`."""
        step = make_evaluate_step(self.experiment, self.dataset.cut(self.length))
        tally = jax.eval_shape(lambda state: state.tally(), self.state)
        whole, split = PartitionSpec(), PartitionSpec(DATA)
        return step, (tally, self._batch(), self.state.params, self._arrays()), (whole, split, whole, whole)

    def _batch(self) -> Any:
        ids = jax.ShapeDtypeStruct((self.batch_size,), jnp.int32)
        return ids, jax.ShapeDtypeStruct((self.batch_size,), jnp.float32)

    def _arrays(self) -> Any:
        shape = lambda leaf: jax.ShapeDtypeStruct(leaf.shape, jax.dtypes.canonicalize_dtype(leaf.dtype))
        return jax.tree.map(shape, {name: np.asarray(array) for name, array in self.dataset.arrays.items()})


def lowered(
    step: tuple[Callable, tuple[Any, ...], tuple[PartitionSpec, ...]], platform: str, mesh: Mesh | AbstractMesh
) -> jax.stages.Lowered:
    """A step of `Steps` as JAX hands it to XLA, for devices of a platform (cpu, cuda, tpu) in a mesh."""
    function, shapes, splits = step
    within = jax.sharding.use_abstract_mesh(mesh) if isinstance(mesh, AbstractMesh) else jax.set_mesh(mesh)
    shardings = tuple(NamedSharding(mesh, split) for split in splits)
    with as_on(platform), within:
        traced = jax.jit(function, in_shardings=shardings).trace(*shapes)
        return traced.lower(lowering_platforms=(platform,))


def two_by_four() -> AbstractMesh:
    """Eight devices that need not be there: a batch over two, over the other axis whole."""
    return AbstractMesh((2, 4), (DATA, "model"))


def collectives(text: str) -> Counter:
    """What a program exchanges, by kind: explicit ones of a lowered text, all of a compiled one."""
    found = re.findall(rf"(?<![\w.-])(?:stablehlo\.)?({'|'.join(COLLECTIVES)})(?:-start)?\"?\(", text.replace("_", "-"))
    return Counter(found)


def compiled_here(
    step: tuple[Callable, tuple[Any, ...], tuple[PartitionSpec, ...]], count: int, platform: str = "cuda"
) -> jax.stages.Compiled:
    """A step of `Steps` for `count` of this machine's CPU devices, traced as on another platform."""
    function, shapes, splits = step
    mesh = make_mesh(jax.devices("cpu")[:count])
    shardings = tuple(NamedSharding(mesh, split) for split in splits)
    with as_on(platform), jax.set_mesh(mesh):
        traced = jax.jit(function, in_shardings=shardings).trace(*shapes)
        return traced.lower(lowering_platforms=("cpu",)).compile()
