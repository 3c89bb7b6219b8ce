"""What is exported: a run's best epoch, with real examples of its data.

Legend: B batch.
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np

from seqjax.data.dataset import Dataset
from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.files import shown
from seqjax.runs import commands
from seqjax.training.identity import KINDS
from seqjax.training.state import count_parameters
from seqjax.training.workdir import Workdir

EXAMPLES = 32


@dataclasses.dataclass(frozen=True)
class Subject:
    """A run."""

    path: Path
    config: dict[str, Any]
    results: dict[str, Any]
    """Of results.json; of an unfinished run empty."""
    experiment: Experiment
    params: Any
    dataset: Dataset
    seeds: dict[str, Any] | None = None
    """Of results.json of a run of several seeds: `mean` and `half_interval_95` of each score."""

    @classmethod
    def of(cls, path: Path, data_dir: Path) -> "Subject":
        """A run's folder; of one of --seeds the first seed's.

        Raises:
          UserError: there is no run or checkpoint, or its data are not there.
        """
        own = of_one_seed(path)
        seeds = None if own == path else Workdir(path).results()
        workdir = Workdir(own)
        _, params, program = commands.opened(workdir, (), data_dir)
        params = jax.tree.map(np.asarray, jax.device_get(params))
        return cls(own, workdir.run(), workdir.results() or {}, program.experiment, params, program.dataset, seeds)

    @property
    def name(self) -> str:
        """Of the experiment."""
        return self.config["experiment"]

    @property
    def model(self) -> Any:
        """The Linen module."""
        return self.experiment.model

    def examples(self, count: int = EXAMPLES) -> Any:
        """Inputs [B, ...] of the first examples of the test part, at most so many."""
        ids = self.dataset.parts["test"][:count]
        return jax.tree.map(np.asarray, self.dataset.gather(self.dataset.arrays, ids)[0])

    def size(self) -> int:
        """How many parameters there are."""
        return count_parameters(self.params)


def of_one_seed(path: Path) -> Path:
    """A run's folder; of one of --seeds that of the first seed. Raises UserError: it holds something else."""
    config = Workdir(path).run()
    if config.get("kind", "run") == "run":
        return path
    found = sorted(path.glob("seed_*"), key=lambda folder: (len(folder.name), folder.name))
    if not found:
        raise UserError(f"workdir {shown(path)} holds {KINDS[config['kind']]}; choices: the folders of its runs")
    return found[0]
