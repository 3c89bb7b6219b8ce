"""Generated series of which it is known how well they can be forecast: random walks, and what returns to its mean.

    x_t = phi x_{t-1} + e_t

With phi = 1 this is a random walk: no forecast is better than the last value. With |phi| < 1 it is an AR(1), and the
best forecast h steps ahead is phi^h x_t: of Gaussian steps its mean absolute error is the naive one's times
sqrt((1 + phi^h) / 2). Steps e have the mean 0, the deviation 1 and are symmetric:

    gaussian    independent
    heavy       independent, Student's t of 3 degrees of freedom: its fourth moment is infinite
    clusters    GARCH(1,1): s_t^2 = .02 + .1 e_{t-1}^2 + .88 s_{t-1}^2, e_t = s_t z_t: quiet and wild times take turns

Generated in both data modes. Each run draws its own series by its seed, so an interval over seeds is one over series.

Legend: N rows, W windows.
"""

import dataclasses
from pathlib import Path
from typing import Literal, TextIO, get_args

import numpy as np

from seqjax.data.dataset import Dataset, Requests
from seqjax.data.series import row_stream, sources
from seqjax.data.series.table import Table
from seqjax.data.series.table_windows import TableWindows
from seqjax.errors import UserError, check_least

Steps = Literal["gaussian", "heavy", "clusters"]
COLUMN = "value"
BEFORE = 1000
"""Rows that are drawn and left out, so that an AR(1) begins anywhere."""
ALPHA, BETA = 0.1, 0.88
"""GARCH's, as of daily prices of stocks."""


@dataclasses.dataclass(frozen=True)
class Walk:
    """The data source."""

    steps: Steps = "gaussian"
    phi: float = 1.0
    rows: int = 8000
    sequence_length: int = 100
    horizon: int = 1
    seed: int = 0

    def __post_init__(self):
        if self.steps not in get_args(Steps):
            raise UserError(f"steps={self.steps}: choose {', '.join(get_args(Steps))}")
        if not -1 < self.phi <= 1:
            raise UserError(f"phi={self.phi}: must be above -1 and at most 1, which is a random walk")
        check_least("rows", self.rows, 4 * (self.sequence_length + self.horizon))
        check_least("seed", self.seed, 0)

    @property
    def windows(self) -> TableWindows:
        """Over the series as over a user's own."""
        return TableWindows("", COLUMN, sequence_length=self.sequence_length, horizon=self.horizon)

    def load(self, data: str, data_dir: Path) -> Dataset:
        """The series of the seed. `optimum`: the skill of the best forecast over the last value, on the test part.

        The fingerprint is that of the recipe, told from the series of seed 0: a run's options hold its seed.

        Raises:
          UserError: data is neither `real` nor `sample`.
        """
        del data_dir
        if data not in ("real", "sample"):
            raise UserError(f"data={data}: choose real or sample, both are generated")
        values = series(self.steps, self.phi, self.rows, self.seed)
        times = np.datetime64("2000-01-01", "us") + np.arange(self.rows) * np.timedelta64(1, "h")
        kind = "random walk" if self.phi == 1 else f"AR(1) of phi {self.phi:g}"
        dataset = self.windows.dataset(Table((COLUMN,), times, values[:, None]), f"{kind}, {self.steps} steps")
        last = dataset.parts["test"] + self.windows.span.reach
        error = lambda forecast: np.abs(values[last + self.horizon] - forecast).mean()
        best = 1 - error(self.phi**self.horizon * values[last]) / error(values[last])
        facts = {"steps": self.steps, "phi": self.phi, **dataclasses.asdict(self.windows.span)}
        recipe = values if self.seed == 0 else series(self.steps, self.phi, self.rows, 0)
        fingerprint = sources.fingerprint(recipe[:, None], facts)
        return dataclasses.replace(dataset, optimum={"skill": float(best)}, fingerprint=fingerprint)

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """As of a user's own table, whose column is called `COLUMN`."""
        return self.windows.requests(assets, text, name)

    def stream(self, assets: Path, name: str) -> row_stream.RowStream:
        """As `requests`, row by row."""
        return self.windows.stream(assets, name)


def series(steps: Steps, phi: float, rows: int, seed: int) -> np.ndarray:
    """[N] float64, a function of its arguments; a random walk begins near 0."""
    rng = np.random.default_rng([seed, get_args(Steps).index(steps)])
    drawn = _steps(steps, rows + BEFORE, rng)
    if phi == 1:
        return drawn[BEFORE:].cumsum()
    for t in range(1, len(drawn)):
        drawn[t] += phi * drawn[t - 1]
    return drawn[BEFORE:]


def _steps(steps: Steps, count: int, rng: np.random.Generator) -> np.ndarray:
    if steps == "heavy":
        return rng.standard_t(3, count) / 3**0.5  # its variance is 3
    drawn = rng.normal(size=count)
    if steps == "clusters":
        variance = 1.0
        for t in range(count):
            drawn[t] *= variance**0.5
            variance = 1 - ALPHA - BETA + ALPHA * drawn[t] ** 2 + BETA * variance
    return drawn
