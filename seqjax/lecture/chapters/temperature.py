"""The temperature example."""

import numpy as np

from seqjax.data.series import weather, windows
from seqjax.data.series.jena import TEMPERATURE, Windows, find
from seqjax.lecture.known import MISSING, Known
from seqjax.lecture.pictures import scores, temperature
from seqjax.lecture.section import SO, Exercise, Judged, Section
from seqjax.models.forecasters import ConvForecaster, DenseForecaster, LastValue
from seqjax.report.verdicts import HELD, NOT_HELD, NOT_RUN

TITLE = "A time series: temperature"
HOUR, BATCH = 3600.0, 256


def sections(known: Known) -> list[Section]:
    """See `seqjax.lecture.section`."""
    real = find(known.data_dir) is not None
    table, name, _ = Windows().table("real" if real else "sample", known.data_dir)
    table = weather.repair(table, name)[0]
    seconds = weather.time_step(table, name)
    said = "The weather station at Jena" if real else "Generated sample data, not the lecture's (no real file at hand)"
    span = windows.resolve(None, None, None, step=HOUR, name="hourly rows")
    return [
        _overview(known, table, said, seconds),
        _windows(span),
        _naive(known, table, span, said, int(86400 / seconds)),
        Section(
            "A dense network on the flattened window",
            ("dense", "dense-score"),
            "Flattened, an hour of Monday and the same hour of Tuesday are two unrelated features: what is learned of "
            f"one says nothing of the other. So {_parameters(known, 'jena_dense')} parameters bring nothing.",
            known.judged(("jena_naive", "jena_dense")),
            DenseForecaster,
            "tests/models/test_models.py",
            r"\hat{y} = w \cdot \relu(W \text{flatten}(x) + b) + c",
            scores.rows(
                known, ("jena_naive", "jena_dense", "jena_conv1d", "jena_simple_rnn", "jena_lstm"), " (°C)",
                "Without and with a model",
            ),
        ),
        Section(
            "A convolution",
            ("convolution", "convolution-score", "convolution-order"),
            "A filter sees an afternoon wherever it lies in the window, and the mean over time at the end forgets "
            "where "
            "it lay. But yesterday's weather says more of tomorrow than that of five days ago.",
            known.judged(("jena_dense", "jena_conv1d")),
            ConvForecaster,
            "tests/layers/test_convolution.py",
            r"z_t = \relu(\sum_{k} W_k x_{t+k} + b), \quad \hat{y} = w \cdot \text{mean}_t z_t + c",
            table=known.table(("jena_naive", "jena_dense", "jena_conv1d")),
        ),
    ]  # fmt: skip


def _parameters(known: Known, name: str) -> str:
    row = known.row(name)
    return f"{row['parameters']:,}" if row else MISSING


def _overview(known: Known, table: weather.Weather, said: str, seconds: float) -> Section:
    hidden = f"{len(table.times):,} rows of {len(table.columns)} measurements, {windows.duration(seconds)} apart"
    return Section(
        "Eight years of weather",
        ("temperature", "temperature-task", "temperature-data", "overview", "ten-days"),
        f"{hidden}, from {str(table.times[0])[:10]} to {str(table.times[-1])[:10]}. One day in summer the "
        f"station's wind "
        f"gauge wrote {weather.MISSING:g} for missing; left in, that ruins whoever does not saturate, so the last "
        f"valid "
        f"value is carried forward (a convolution that sees it has "
        f"{known.score('jena_conv1d', repair=False)} on test).",
        Judged(SO, "The file's own rows; every count is told from them."),
        weather.repair,
        "tests/data/series/test_weather.py::test_the_last_valid_value_is_carried_forward",
        picture=temperature.overview(table, TEMPERATURE, said),
    )


def _windows(span: windows.Span) -> Section:
    first = np.arange(span.sequence_length) * span.sampling_rate + 1
    return Section(
        "Windows",
        ("windows", "batches", "shapes"),
        f"A window is {span.sequence_length} rows, an hour apart; its target lies a day behind its end. The first "
        f"one is "
        f"[{first[0]}, {first[1]}, ..., {first[-1]}] and its target row {span.delay + 1}. A batch is {BATCH} windows, "
        f"drawn in any order: [{BATCH}, {span.sequence_length}, {len(weather.COLUMNS)}] numbers, and [{BATCH}] "
        f"targets.",
        Judged(SO, "As the lecture counts them."),
        windows.Span,
        "tests/data/series/test_jena_windows.py",
        r"x^{(n)} = (r_n, r_{n+1}, \dots, r_{n+119}), \quad y^{(n)} = T_{n+143}",
        temperature.windows(span),
    )


def _naive(known: Known, table: weather.Weather, span: windows.Span, said: str, ahead: int) -> Section:
    found = {
        part: (known.mean("jena_naive", part), known.lecture("jena_naive", part)) for part in ("validation", "test")
    }
    texts = [f"{part} {MISSING if own is None else f'{own:.2f}'} (lecture {its})" for part, (own, its) in found.items()]
    same = [f"{own:.2f}" == its for own, its in found.values() if own is not None and its != MISSING]
    kind = NOT_RUN if not same or known.data != "real" else HELD if all(same) else NOT_HELD
    return Section(
        "The naive forecast",
        ("naive", "random-walk", "naive-score"),
        "Tomorrow is as warm as today, at this hour. It has no parameters and is what every model has to beat: a score "
        "alone says nothing.",
        Judged(kind, f"Mean absolute error: {', '.join(texts)}."),
        LastValue,
        "tests/models/test_forecasters.py::test_a_day_ahead_the_seasonal_naive_row_is_naive_and_at_another_horizon_it_is_not",
        r"\hat{T}_{t+24} = T_t",
        temperature.naive(table, TEMPERATURE, ahead, said),
    )


EXERCISES = (
    Exercise(
        "windows",
        "series, length, ahead",
        "All windows of `length` steps over the numbers `series` (a NumPy array) that have a target `ahead` steps "
        "behind "
        "their last one, and these targets: return `[N, length]` and below it, as one more column, the target: "
        "`[N, length + 1]`.",
        lambda rng: {
            "series": rng.normal(size=int(rng.integers(20, 30))),
            "length": int(rng.integers(3, 6)),
            "ahead": int(rng.integers(1, 5)),
        },
        lambda series, length, ahead: np.array([
            [*series[k : k + length], series[k + length - 1 + ahead]] for k in range(len(series) - length - ahead + 1)
        ]),
    ),
)  # fmt: skip
