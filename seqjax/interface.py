"""Runs from a program or a notebook: what the commands do, with values in the place of text.

    run = seqjax.train("jena_lstm", data="sample", units=32, epochs=3, on_epoch=print)
    run = seqjax.load("runs/imdb_bilstm")
    run.predict(["A wonderful film.", "Two hours lost."]).outputs       # NumPy
    run.results["test"], run.params, run.model, run.evaluate()

In a notebook `train` shows a bar and the curves as they grow, and a run its table (`seqjax.notebook`). Interrupted, it
is saved, and the same call goes on.

`import seqjax` imports neither JAX nor TensorFlow; these do when they need them. Errors are those of the commands:
`seqjax.UserError` with one line that says what to do.
"""

import csv
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqjax import experiment as experiments
from seqjax import folders, notebook
from seqjax.errors import RunStoppedError, UserError
from seqjax.experiment import Experiment
from seqjax.runs import commands, prediction
from seqjax.runs.examples import as_text, row_of
from seqjax.runs.programs import settle
from seqjax.training.workdir import Row, Workdir

Examples = str | os.PathLike | Mapping[str, Sequence[Any]] | Iterable[str] | Any
"""What `Run.predict` takes."""


class Predictions(NamedTuple):
    """What a run says of some examples."""

    outputs: Any
    """A NumPy array [N, ...], what the model answers; a tree of them where it answers with several; a list where its
    answers are of different lengths."""
    lines: list[str]
    """What --mode=predict prints, without the header."""
    header: str | None

    def table(self) -> dict[str, np.ndarray]:
        """The lines as columns by name, numbers where all are. Raises UserError: the run's lines have no header."""
        if self.header is None:
            raise UserError("the lines of these predictions have no header, so there is no table; see .lines")
        lines = [self.header, *(line for told in self.lines for line in told.splitlines())]
        if "\t" in self.header:
            names, *rows = [line.split("\t") for line in lines]
        else:
            names, *rows = csv.reader(lines)
        return {name: _numbers(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}

    def frame(self) -> Any:
        """The same as a pandas DataFrame. Raises UserError: as `table`, or there is no pandas."""
        try:
            import pandas
        except ImportError:
            raise UserError("frame() needs pandas: pip install pandas; table() does without") from None
        found: Any = pandas.DataFrame(self.table())
        for name in ("date", "window_end", "forecast_for"):
            if name in found and (found[name] != "").all():
                found[name] = _dated(pandas, found[name])
        return found

    def _repr_html_(self) -> str:
        """The first lines as a table."""
        return notebook.of_predictions(self)


class Live:
    """A run that answers step by step: see `Run.stream`."""

    def __init__(self, listener: Any):
        """Args: listener: a `seqjax.runs.streaming.Listener`."""
        self._listener = listener

    def step(self, piece: str | bytes | Sequence[Any]) -> list[str]:
        """What --mode=stream prints for what comes next.

        Args:
          piece: bytes, or text, as they would come on stdin; or the cells of one row of a table (its first row: the
            names of its columns).
        """
        if not isinstance(piece, str | bytes):
            piece = row_of(piece)
        data = piece.encode() if isinstance(piece, str) else piece
        return [line for lines in self._listener.answers(data) for line in lines]

    def end(self) -> list[str]:
        """What it has to say once nothing more comes."""
        return [line for lines in self._listener.answers(None) for line in lines]

    def save(self, path: str | os.PathLike) -> None:
        """As --state: keep the state. Raises UserError: it cannot be written."""
        self._listener.save(Path(path))

    def restore(self, path: str | os.PathLike) -> bool:
        """Go on from a state, if there is one. Raises UserError: it is of another run, or damaged."""
        return self._listener.restore(Path(path))


class Run:
    """A run in its folder."""

    def __init__(self, path: Path):
        """Args: path: of the folder. Raises UserError: it holds no run."""
        self.workdir = Workdir(path)
        self.config: dict[str, Any] = self.workdir.run()
        self._params: Any = None

    @property
    def path(self) -> Path:
        """The folder."""
        return self.workdir.path

    @property
    def results(self) -> dict[str, Any] | None:
        """What results.json says; None: the run is not finished."""
        return self.workdir.results()

    @property
    def epochs(self) -> list[Row]:
        """A row for every epoch: its losses, metrics, seconds."""
        return self.workdir.rows()

    @property
    def experiment(self) -> Experiment:
        """The experiment with the run's knobs."""
        return experiments.of_run(self.path, self.config)

    @property
    def model(self) -> Any:
        """The Linen module; `model.apply({"params": run.params}, inputs)` is the model's own answer."""
        return self.experiment.model

    @property
    def params(self) -> Any:
        """The parameters of the best epoch, as they were trained. Raises UserError: there are none yet."""
        from seqjax.training.best import restore_best

        if self._params is None:
            self._params = restore_best(self.workdir)[1]
        return self._params

    def predict(self, examples: Examples, **options: Any) -> Predictions:
        """What the best epoch says.

        Args:
          examples: the path of a file, as --input; or texts (or other lines), one an example, a column of pandas among
            them; or a table: columns by name, or a DataFrame of pandas (with its index where that holds dates) or of
            polars.
          **options: of the run's answer, such as beam=5 of a translator.

        Raises:
          UserError: malformed examples, an option that there is not, no checkpoint yet.
        """
        text, name = as_text(examples)
        requests, found = prediction.answers(self.workdir, text, name, options)
        outputs = list(found)
        lines = [requests.line(position, output) for position, output in enumerate(outputs)]
        return Predictions(_stacked(outputs), lines, requests.header)

    def evaluate(self, data_dir: str | os.PathLike | None = None, **options: Any) -> dict[str, Any]:
        """The best epoch tested again, as --mode=evaluate; writes nothing.

        Args:
          data_dir: where the data are; None: as the commands look for them.
          **options: as of `predict`.
        """
        return commands.evaluate(self.workdir, data_dir=_data_dir(data_dir), answer=options)

    def stream(self) -> Live:
        """From the beginning of a stream. Raises UserError: this run reads whole examples."""
        from seqjax.runs.streaming import Listener

        return Live(Listener.of(self.workdir, "the stream"))

    def __repr__(self) -> str:
        """One line."""
        done = "not finished" if self.results is None else "finished"
        return f"seqjax.Run({str(self.path)!r}: {self.config['experiment']}, {done})"

    def _repr_html_(self) -> str:
        """What a notebook shows: a small table, and the curve of the loss."""
        return notebook.of_run(self)

    def _repr_png_(self) -> bytes | None:
        """Loss and metric by epoch, of a finished run: for what shows no HTML."""
        curves = self.path / "curves.png"
        return curves.read_bytes() if curves.is_file() else None


def load(path: str | os.PathLike, trust: bool = False) -> Run:
    """A run in its folder, finished or not.

    Args:
      path: of the folder.
      trust: its experiment.py, a program from elsewhere, may be run here from now on (`seqjax.trust`).

    Raises:
      UserError: there is no run; or trust, and it cannot be remembered.
    """
    settle()
    run = Run(Path(path))
    if trust:
        experiments.trust_copy(run.path)
    return run


def train(
    name: str,
    *,
    workdir: str | os.PathLike | None = None,
    data: str = "real",
    data_dir: str | os.PathLike | None = None,
    on_epoch: Callable[[Row], Any] | None = None,
    **knobs: Any,
) -> Run:
    """Train, or resume, as the command does with a --set for each knob.

    Args:
      name: of the experiment.
      workdir: the run's folder; None: runs/NAME.
      data: `real` or `sample`.
      data_dir: where the data are.
      on_epoch: called with the row of each epoch as it ends.
      **knobs: of the experiment.

    Raises:
      UserError: wrong name, knob, data or folder; nothing has been touched.
      RunStoppedError: a signal (a notebook's interrupt), or a loss that is not finite; the run is saved.
    """
    tuned = settle()
    from seqjax.training.program import Settings

    shown = notebook.Cell(name) if notebook.is_there() else None
    tell = [*([shown.row] if shown else []), *([on_epoch] if on_epoch else [])]
    place = _Told(Path(workdir or f"runs/{name}"), tell)
    options = [f"{knob}={_said(value)}" for knob, value in knobs.items()]
    how: dict[str, Any] = {"settings": Settings(), "tuned": tuned, "progress": shown.begin if shown else None}
    try:
        commands.train(name, place, options=options, data=data, data_dir=_data_dir(data_dir), **how)
    except RunStoppedError as error:
        said = str(error).replace("the same command resumes", "the same call of seqjax.train goes on")
        raise notebook.StoppedError(said, error.exit_code) from None
    return Run(place.path)


class _Told(Workdir):
    """A workdir that tells of each epoch."""

    def __init__(self, path: Path, tell: Sequence[Callable[[Row], Any]]):
        super().__init__(path)
        self._tell = tell

    def append_row(self, row: Row) -> None:
        super().append_row(row)
        for tell in self._tell:
            tell(row)


def _data_dir(given: str | os.PathLike | None) -> Path:
    return folders.data_dir(None if given is None else os.fspath(given))


def _said(value: Any) -> str:
    """A knob's value as --set takes it."""
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _dated(pandas: Any, column: Any) -> Any:
    """The column as dates; as it is where it holds none."""
    try:
        return pandas.to_datetime(column)
    except (ValueError, TypeError):
        return column


def _numbers(column: Iterable[str]) -> np.ndarray:
    cells = np.array(list(column))
    try:
        return cells.astype(float)
    except ValueError:
        return cells


def _stacked(outputs: Sequence[Any]) -> Any:
    """As one tree of arrays, if all are of one shape."""
    import jax

    if len({tuple(map(np.shape, jax.tree.leaves(output))) for output in outputs}) > 1:
        return list(outputs)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *outputs) if outputs else np.zeros(0)
