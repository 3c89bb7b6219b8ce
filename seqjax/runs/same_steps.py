"""Whether two experiments train alike: what a run that goes on for more epochs depends on."""

import re
from typing import TYPE_CHECKING, Any

from seqjax.experiment import Experiment

if TYPE_CHECKING:
    from seqjax.data.dataset import Dataset


def same_steps(first: Experiment, second: Experiment, dataset: "Dataset") -> bool:
    """Whether two experiments train alike, step by step: as programs, compared without computing anything."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from seqjax.training.state import create_state, make_train_step

    def program(experiment: Experiment) -> tuple[str, list[Any]]:
        ids = np.resize(dataset.parts["train"], experiment.batch_size)
        state = jax.eval_shape(lambda: create_state(experiment, dataset.example(), dataset.initial, dataset.target()))
        step = make_train_step(experiment, dataset.gather)
        made = jax.make_jaxpr(step)(state, (ids, jnp.ones(len(ids))), dict(dataset.arrays))
        return str(made.jaxpr), list(made.consts)

    if (first.batch_size, first.seed) != (second.batch_size, second.seed):
        return False
    (mine, constants), (theirs, others) = program(first), program(second)
    alike = len(constants) == len(others) and all(map(np.array_equal, constants, others))
    return alike and _without_addresses(mine) == _without_addresses(theirs)


def _without_addresses(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "", text)
