"""Forecasts of finished temperature runs over the test part, beside the truth.

Legend: N test windows.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqjax import experiment as experiments
from seqjax.data.dataset import Requests
from seqjax.data.series import jena
from seqjax.data.series.weather import Weather
from seqjax.errors import UserError
from seqjax.report.runs import Group
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
    """Whether a row forecasts the Jena temperature."""
    return row.experiment.startswith("jena")


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
    """The best checkpoint's forecasts of a row's first seed.

    Raises:
      UserError: the folder was not kept whole, the experiment does not run any more, or the data are not those that it
        was trained on.
    """
    from seqjax.training.best import predictions

    run = row.runs[0]
    if not (run.path / jena.ASSET).exists():
        raise UserError(f"{run.path} has no {jena.ASSET}")
    experiment = experiments.load(run.path / "experiment.py")(**run.config["options"])
    source: Any = experiment.source
    table, name, optimum = source.table(row.data, data_dir)
    dataset = source.dataset(table, name, optimum)
    if dataset.fingerprint != run.config.get("fingerprint"):
        raise UserError(f"{run.path} was trained on other data than {name}")
    ids = dataset.parts["test"]
    requests = Requests(
        dataset.arrays, lambda arrays, ids: dataset.gather(arrays, ids)[0], ids, lambda position, output: ""
    )
    forecast = np.asarray(list(predictions(experiment, requests, Workdir(run.path))), np.float32)
    facts = json.loads((run.path / jena.ASSET).read_text(encoding="utf-8"))
    targets = ids + facts["delay"]
    return Forecasts(row.label, table.times[targets], np.asarray(dataset.arrays["target"])[targets], forecast)
