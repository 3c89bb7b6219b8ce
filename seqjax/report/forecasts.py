"""Forecasts of finished temperature runs over the test part, beside the truth.

Legend: N test windows.
"""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqjax import experiment as experiments
from seqjax.data.dataset import Requests
from seqjax.data.series import jena
from seqjax.data.series.weather import Weather
from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.report import weights
from seqjax.report.run import Run
from seqjax.report.runs import Group, file_of
from seqjax.training.workdir import Workdir


@dataclasses.dataclass(frozen=True)
class Forecasts:
    """Of one run."""

    label: str
    times: np.ndarray
    """[N] datetime64: when the target is measured."""
    truth: np.ndarray
    """[N] float32, in the target's units."""
    forecast: np.ndarray
    """[N] float32."""

    @property
    def error(self) -> np.ndarray:
        """[N]: absolute."""
        return np.abs(self.forecast - self.truth)


def is_temperature(row: Group) -> bool:
    """Whether a row forecasts one Jena temperature, a day ahead."""
    return row.experiment.startswith("jena") and row.metric == "mae"


def weather(rows: Sequence[Group], data_dir: Path) -> tuple[Weather | None, str]:
    """The table that the rows were trained on, and a sentence on what it is or why there is none. Never downloads."""
    kinds = {row.data for row in rows if is_temperature(row)}
    if not kinds:
        return None, "No temperature run, so no picture of temperatures."
    data = "real" if "real" in kinds else "sample"
    if data == "real" and jena.find(data_dir) is None:
        return None, (
            f"The Jena file is not in {data_dir} (--data_dir): pictures of temperatures and forecasts are left out."
        )
    try:
        table, name, _ = jena.Windows().table(data, data_dir)
    except UserError as error:
        return None, f"The pictures of temperatures and forecasts are left out: {error}"
    return table, f"Temperatures of {name}."


def of(row: Group, data_dir: Path) -> Forecasts:
    """The best epoch's forecasts of a row's first seed.

    Raises:
      UserError: its weights were not kept, the experiment does not run any more, or the data are not those that it was
        trained on.
    """
    run = row.runs[0]
    experiment = experiments.load_copy(file_of(run))(**experiments.knobs(run.config))
    source: Any = experiment.source
    table, name, optimum = source.table(row.data, data_dir)
    dataset = source.dataset(table, name, optimum)
    if dataset.fingerprint != run.config.get("fingerprint"):
        raise UserError(f"{run.path} was trained on other data than {name}")
    ids = dataset.parts["test"]
    requests = Requests(
        dataset.arrays, lambda arrays, ids: dataset.gather(arrays, ids)[0], ids, lambda position, output: ""
    )
    forecast = np.asarray(list(_outputs(run, row, experiment, requests)), np.float32)
    targets = ids + json.loads(dataset.assets[jena.ASSET])["delay"]
    return Forecasts(row.label, table.times[targets], np.asarray(dataset.arrays["target"])[targets], forecast)


def _outputs(run: Run, row: Group, experiment: Experiment, requests: Requests) -> Iterator[np.ndarray]:
    """For every example, in order. Raises UserError: there are no weights."""
    from seqjax.training.best import predictions
    from seqjax.training.program import outputs
    from seqjax.training.state import create_state

    if not run.kept:
        return predictions(experiment, requests, Workdir(run.path))
    if run.weights is None and not row.deterministic:
        raise UserError(f"{run.path} has no weights")
    params = create_state(experiment, requests.gather(requests.arrays, requests.ids[:1])).params
    return outputs(experiment, params if run.weights is None else weights.load(run.weights, params), requests)
