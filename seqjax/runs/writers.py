"""The metrics of metrics.jsonl to TensorBoard or Weights & Biases as well, as they are written.

Both are optional (the extras `tensorboard` and `wandb`), and neither decides anything: metrics.jsonl stays the run's
own.
"""

import contextlib
import importlib.util
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from seqjax import peers
from seqjax.errors import UserError
from seqjax.files import write_atomically
from seqjax.training.workdir import Row, Workdir

NEEDED = {"tensorboard": "tensorboardX", "wandb": "wandb"}
"""Writer -> the package that it needs."""


class Writer(Protocol):
    """Where scalars go."""

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Scalars under their names, after so many training steps."""

    def close(self) -> None:
        """Nothing more will come."""


class TensorBoard:
    """Event files in WORKDIR/tensorboard: `tensorboard --logdir=runs`."""

    def __init__(self, path: Path, config: Mapping[str, Any], step: int):
        from tensorboardX import SummaryWriter  # type: ignore[import-not-found]

        del config
        more = {"purge_step": step + 1, "filename_suffix": f".{step}"} if step else {}  # another file
        self._writer = SummaryWriter(str(path / "tensorboard"), **more)

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """See `Writer`."""
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """See `Writer`."""
        self._writer.close()


class WeightsAndBiases:
    """A run of the project `seqjax`, or of $WANDB_PROJECT; what WANDB_MODE=offline keeps lies in WORKDIR/wandb."""

    def __init__(self, path: Path, config: Mapping[str, Any], step: int):
        import os

        import wandb  # type: ignore[import-not-found]

        del step
        project = os.environ.get("WANDB_PROJECT", "seqjax")
        file = path / "wandb" / "id"  # of one run of ours one run of theirs, however often it is resumed
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            write_atomically(file, secrets.token_hex(8))
        own = {"id": file.read_text(encoding="utf-8"), "resume": "allow"}
        self._run = wandb.init(project=project, name=str(path), dir=str(path), config=dict(config), **own)

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """See `Writer`."""
        self._run.log(dict(scalars), step=step)

    def close(self) -> None:
        """See `Writer`."""
        self._run.finish()


WRITERS = {"tensorboard": TensorBoard, "wandb": WeightsAndBiases}


def check(names: Sequence[str]) -> None:
    """Raises UserError: an unknown writer, or one whose package is missing."""
    for name in names:
        if name not in NEEDED:
            raise UserError(f"--write_to={name}: choose of {', '.join(NEEDED)}")
        if importlib.util.find_spec(NEEDED[name]) is None:
            raise UserError(f"--write_to={name} needs {NEEDED[name]}: pip install 'seqjax[{name}]'")


class Written(Workdir):
    """A workdir whose epochs go to writers too. They are opened with the first epoch, when the run is claimed."""

    def __init__(self, path: Path, names: Sequence[str]):
        super().__init__(path)
        self._names, self._writers = names, list[Writer]()

    def append_row(self, row: Row) -> None:
        """See `Workdir`; the scalars are `train/NAME`, `validation/NAME`, `seconds` and the like."""
        super().append_row(row)
        if not peers.is_first():
            return
        if not self._writers:
            before = [known["step"] for known in self.rows()[:-1]]
            self._writers = [
                WRITERS[name](self.path, self.config() or {}, max(before, default=0)) for name in self._names
            ]
        for writer in self._writers:
            writer.write(row["step"], dict(scalars(row)))

    def write_results(self, results: Mapping[str, Any]) -> None:
        """See `Workdir`; the test part's scores are `test/NAME`."""
        super().write_results(results)
        for writer in self._writers:
            writer.write(self.rows()[-1]["step"], dict(scalars({"test": results.get("test", {})})))

    def close(self) -> None:
        """Close the writers."""
        for writer in self._writers:
            writer.close()


def scalars(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """{part: {name: value}, name: value} -> (part/name, value) and (name, value)."""
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}/{inner}", number) for inner, number in scalars(value))
        elif isinstance(value, int | float) and name not in ("epoch", "step"):
            yield name, value


@contextlib.contextmanager
def opened(path: Path, names: Sequence[str]) -> Iterator[Workdir]:
    """A run's folder that writes to all of `names` too, and is closed when the run ends, however it ends."""
    check(names)
    workdir = Written(path, names)
    try:
        yield workdir
    finally:
        workdir.close()
