"""Not the stock market."""

import numpy as np

from seqjax.data.series import walks
from seqjax.lecture.known import Known
from seqjax.lecture.pictures import market as pictures
from seqjax.lecture.section import Exercise, Judged, Section
from seqjax.report.verdicts import HELD, NOT_HELD
from seqjax.scoring.shift import shift

TITLE = "Not the stock market"
ROWS, SEEDS = 4000, 20


def best_linear(values: np.ndarray, lags: int = 20) -> np.ndarray:
    """Forecasts of the second half of a series by least squares on its last `lags` changes, learned on the first."""
    changes = np.diff(values)
    past = np.lib.stride_tricks.sliding_window_view(changes, lags)[:-1]
    half = len(past) // 2
    weights = np.linalg.lstsq(past[:half], changes[lags:][:half], rcond=None)[0]
    return values[lags + half : -1] + past[half:] @ weights


def skill(forecast: np.ndarray, last: np.ndarray, came: np.ndarray) -> float:
    """One less the error as a share of that of the last value."""
    return float(1 - np.abs(came - forecast).mean() / np.abs(came - last).mean())


def measured(phi: float) -> tuple[list[float], list[tuple[float, float, float]]]:
    """Of some series the skill of `best_linear`, and its three correlations."""
    skills, shifts = [], []
    for seed in range(SEEDS):
        values = walks.series("gaussian", phi, ROWS, seed)
        forecast = best_linear(values)
        last, came = values[-len(forecast) - 1 : -1], values[-len(forecast) :]
        skills.append(skill(forecast, last, came))
        shifts.append(tuple(shift(last, forecast, came)))
    return skills, shifts


def sections(known: Known) -> list[Section]:
    """See `seqjax.lecture.section`."""
    found = {phi: measured(phi) for phi in (1.0, 0.5)}
    mean = {phi: float(np.mean(skills)) for phi, (skills, _) in found.items()}
    table = [["series", "skill over the last value", "correlation with the last", "with the next", "of changes"]]
    for phi, (_, shifts) in found.items():
        name = "random walk" if phi == 1 else f"returns to its mean (φ = {phi:g})"
        table.append([name, f"{mean[phi]:+.4f}", *(f"{value:.3f}" for value in np.mean(shifts, axis=0))])
    return [
        Section(
            "A forecast that looks right",
            ("stock-market",),
            f"A chart of forecasts lies on a chart of prices whatever the model knows. On {SEEDS} random walks of "
            f"{ROWS:,} "
            f"steps a linear model has the skill {mean[1.0]:+.4f} over the last value: none; on series that return to "
            f"their mean {mean[0.5]:+.3f}. What tells them apart is whether the *changes* that are forecast are those "
            "that come. `python -m seqjax.verdict --file=prices.csv` asks a series of your own.",
            Judged(
                HELD if mean[1.0] < 0.005 < mean[0.5] else NOT_HELD, "Nothing beyond the last value on a random walk."
            ),
            shift,
            "tests/scoring/test_shift.py::test_a_shifted_chart_looks_like_skill_and_its_changes_tell_that_there_is_none",
            r"x_t = \phi x_{t-1} + \epsilon_t, \quad \hat{x}_{t+h} = \phi^h x_t",
            pictures.chart(best_linear),
            table,
        )
    ]


EXERCISES = (
    Exercise(
        "best_forecast",
        "x, phi, mean, h",
        "A series returns to its mean: $x_t - m = \\phi (x_{t-1} - m) + \\epsilon_t$. Given the last values `x` (an "
        "array), `phi` and `mean` ($m$), return the best forecasts `h` steps ahead.",
        lambda rng: {
            "x": rng.normal(size=5), "phi": float(rng.uniform(-1, 1)), "mean": float(rng.normal()),
            "h": int(rng.integers(1, 6)),
        },
        lambda x, phi, mean, h: mean + phi**h * (x - mean),
    ),
)  # fmt: skip
