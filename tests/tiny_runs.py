"""An experiment of a second, as a file and in a folder of its own; a file of numbers that may move and grow."""

import json
from pathlib import Path

import numpy as np

from seqjax.runs import commands
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir

TINY = '''"""A line fitted to noise, in a second."""

import dataclasses
import hashlib
from pathlib import Path

import flax.linen as nn
import numpy as np
import optax

from seqjax.training import metrics
from seqjax.data.dataset import Dataset
from seqjax.errors import UserError
from seqjax.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class Numbers:
    file: str

    def load(self, data, data_dir):
        path = Path(self.file)
        if self.file and not path.is_file():
            raise UserError(f"file={self.file} is neither here nor in {data_dir}")
        x = np.loadtxt(path, np.float32) if self.file else np.random.default_rng(0).normal(size=96).astype(np.float32)
        x = np.stack([x, x**2, np.ones_like(x)], axis=1)
        gather = lambda arrays, ids: (arrays["x"][ids], arrays["x"][ids, 0])
        train, test = len(x) * 2 // 3, len(x) * 5 // 6
        parts = {"train": np.arange(train), "validation": np.arange(train, test), "test": np.arange(test, len(x))}
        said = f"{self.file or 'noise'}: {len(x):,} rows"
        return Dataset({"x": x}, gather, parts, said, hashlib.sha256(x.tobytes()).hexdigest())


class Line(nn.Module):
    @nn.compact
    def __call__(self, inputs, *, train=False):
        return nn.Dense(1)(nn.Dropout(0.2)(inputs, deterministic=not train))[:, 0]


def experiment(
    *, file: str = "", learning_rate: float = 1e-2, schedule: bool = False, epochs: int = 2, seed: int = 0
) -> Experiment:
    rate = optax.cosine_decay_schedule(learning_rate, 8 * epochs) if schedule else learning_rate
    return Experiment(
        Numbers(file), Line(), metrics.squared_error, {"mae": metrics.absolute_error}, optax.adam(rate), epochs, 8,
        seed,
    )
'''
SETTINGS = Settings(devices=1)


def folder(path: Path) -> Path:
    """With the experiment `tiny`, to be the current one."""
    (path / "experiments").mkdir()
    (path / "experiments" / "tiny.py").write_text(TINY)
    return path


def train(path: Path, *options: str, data: str = "real"):
    """Train in the current folder; returns what results.json says."""
    return commands.train("tiny", Workdir(path), options=options, data=data, data_dir=path.parent, settings=SETTINGS)


def evaluate(path: Path, *options: str):
    """The best epoch of a run."""
    return commands.evaluate(Workdir(path), options=options, data_dir=path.parent)


def rows(path: Path):
    """Of metrics.jsonl, without times."""
    found = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{key: row[key] for key in ("epoch", "step", "train", "validation")} for row in found]


def scores(path: Path):
    """Of results.json, without times."""
    found = json.loads((path / "results.json").read_text())
    return {key: value for key, value in found.items() if key not in ("seconds", "examples_per_second")}


def state(path: Path):
    """Every array of the newest checkpoint, read without a template."""
    import orbax.checkpoint as ocp

    newest = max((path / "checkpoints" / "latest").iterdir(), key=lambda one: int(one.name))
    restored = ocp.StandardCheckpointer().restore((newest / "state").resolve())
    import jax

    return [np.asarray(leaf) for leaf in jax.tree.leaves(restored["tree"]["params"])]
