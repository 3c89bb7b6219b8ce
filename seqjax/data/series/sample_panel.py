"""Generated series whose best forecast is known: a season of its own, and an AR(1) of known noise around it.

    y_t = level (1 + depth s(t + phase) + noise a_t),    a_t = phi a_(t-1) + sqrt(1 - phi^2) e_t,    e_t Gaussian

h steps ahead the best forecast is Gaussian: the season, and phi^h a_t around it, with the deviation
level noise sqrt(1 - phi^(2 h)).

Legend: S series, T rows, H horizon, Q levels.
"""

import dataclasses

import numpy as np

from seqjax.data.series.panel import Panel, Roles
from seqjax.data.series.steps import UNITS, Step

SEASON = 24
PHI = 0.8
DEPTH = 0.5
NOISE = 0.1
START = "2024-01-01T00"


@dataclasses.dataclass(frozen=True)
class Made:
    """Generated series."""

    panel: Panel
    expected: np.ndarray
    """[N, 2] float64: of each row the season's value, and what a_t adds to it."""
    levels: np.ndarray
    """[S]"""

    def deviation(self, ahead: np.ndarray) -> np.ndarray:
        """[S, H] of the best forecast so many steps ahead [H]."""
        return self.levels[:, None] * NOISE * np.sqrt(1 - PHI ** (2 * ahead))[None, :]


def panel(series: int = 16, rows: int = 720, seed: int = 0, counts: bool = False) -> Made:
    """Hourly series of different levels and phases; counts: rounded, of some hundreds."""
    rng = np.random.default_rng(seed)
    levels = np.exp(rng.uniform(np.log(50), np.log(5000), series))
    phases = rng.uniform(0, SEASON, series)
    noise = rng.normal(size=(series, rows))
    walk = np.empty_like(noise)
    walk[:, 0] = noise[:, 0]
    for t in range(1, rows):
        walk[:, t] = PHI * walk[:, t - 1] + np.sqrt(1 - PHI**2) * noise[:, t]
    angle = 2 * np.pi * (np.arange(rows)[None] + phases[:, None]) / SEASON
    shape = 1 + DEPTH * (np.sin(angle) + 0.3 * np.cos(2 * angle))
    season, added = levels[:, None] * shape, levels[:, None] * NOISE * walk
    values = np.maximum(np.round(season + added), 0) if counts else season + added
    edges = np.arange(series + 1) * rows
    hours = np.datetime64(START, "us") + np.arange(rows) * np.timedelta64(1, "h")
    made = Panel(
        Roles(("value",)),
        tuple(f"series {k + 1}" for k in range(series)),
        list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)),
        values.reshape(-1, 1),
        np.zeros((series * rows, 0)),
        np.zeros((series, 0)),
        np.tile(hours, series),
        Step(UNITS["h"]),
    )
    return Made(made, np.stack([season.reshape(-1), added.reshape(-1)], axis=1), levels)


def optimum(made: Made, ids: np.ndarray, horizon: int, levels: tuple[float, ...]) -> dict[str, float]:
    """The scores to be expected of the best forecast at the origins `ids` [N] of a panel of one target.

    `scaled_pinball` is left to the caller's scale; `wql` is GluonTS's mean_wQuantileLoss.
    """
    from scipy.stats import norm

    ahead = np.arange(1, horizon + 1)
    rows = made.panel.values[:, 0]
    starts = np.array([start for start, _ in made.panel.bounds])
    which = np.searchsorted(starts, ids, side="right") - 1
    deviation = made.deviation(ahead)[which]  # [N, H]
    expected = norm.pdf(norm.ppf(np.array(levels)))  # of the pinball loss, of a deviation of 1
    size = np.abs(rows[ids[:, None] + ahead]).sum()
    return {"wql": float(2 * deviation.sum() * expected.mean() / size)}
