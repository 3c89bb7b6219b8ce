"""Sample v1, the climate: a generated weather station whose best possible forecast is known exactly.

These are not the lecture's data. The columns are those of the Jena file and the mean temperature is Jena's,
but the weather is made here, from a seed, so that a score can be compared with the best score there is.

The process, hour by hour (t in hours, all noises independent and Gaussian):

    T(t)   = S(t) + D(t) + W(t)                     temperature in degC: year + day + weather
    W(t+1) = rho W(t) + FRONT a(t-23) + e(t+1)      weather fades, is pushed by fronts, and is hit by chance
    a(t)   = wv(t) sin(wd(t) - 190 deg)             advection: west wind brings mild air, east wind cold air

S and D are cosines of the calendar and the clock. Wind direction and the logarithm of wind speed are
first-order autoregressions (the speed with a daily breeze on top), and the air takes 24 hours to arrive, so
that today's wind holds tomorrow's fronts. Two more columns speak of the weather: the pressure sinks with the
advection of the last 30 hours (under noise of its own), and the relative humidity, along a logistic curve,
as W and the day's warmth rise. All the other columns follow by physics: see `_columns`.

The optimum. Unroll W over the 24 hours ahead (LEAD), with k = 0..23:

    T(t+24)             = best_forecast(t+24) + Z
    best_forecast(t+24) = S(t+24) + D(t+24) + rho^24 W(t) + FRONT sum_k rho^k a(t-k)    all known at time t
    Z                   = sum_k rho^k e(t+24-k)                                         all of it later

Z is Gaussian with mean 0, and independent of everything up to time t (no column is a function of a later e).
Its standard deviation SIGMA is chosen: the variance of e is SIGMA^2 (1 - rho^2) / (1 - rho^48). Whatever a
forecaster makes of the past, its error is Z + c with c independent of Z, and E|Z + c| >= E|Z| = SIGMA
sqrt(2/pi). So no forecaster, even one that knows date, clock and formula, can expect a mean absolute error
below 1.356 degC. (A test part of two years holds some 700 independent days: a score on it scatters by 0.03
around its expectation. On that of the default series `best_forecast` itself scores 1.381.)

What there is to learn, measured on the test part of the default series (split 50/25/25 % in time, window of
120 hours, 10 epochs, one seed, Flax layers):

    2.75    the temperature now: no memory, no idea of fronts
    1.71    Dense 16 on the whole window: has to learn each hour's product of speed and sine anew
    1.63    LSTM 16: learns the product once and adds up the day; still improving when it stops
    1.58    linear regression on the whole window: cannot multiply, but the pressure has done some of it
    1.356   the best possible

The yearly amplitude is 5 degC (a mild, oceanic year; Jena's is 9), because at learning rate 1e-3 the output
of a network must travel from 0 to the temperature's level and range within the 1,400 steps of ten epochs.

Legend: N hours (rows).
"""

import dataclasses
import itertools
import math

import numpy as np

COLUMNS = (
    "p (mbar)",
    "T (degC)",
    "Tpot (K)",
    "Tdew (degC)",
    "rh (%)",
    "VPmax (mbar)",
    "VPact (mbar)",
    "VPdef (mbar)",
    "sh (g/kg)",
    "H2OC (mmol/mol)",
    "rho (g/m**3)",
    "wv (m/s)",
    "max. wv (m/s)",
    "wd (deg)",
)
LEAD = 24  # hours from the last row of a window to its target
SIGMA = 1.7  # degC, of the error that nobody can avoid
FADE = math.exp(-1 / 36)  # rho: the weather forgets in 36 hours
FRONT = 0.16  # degC per m/s of advection and hour
HOURS_PER_YEAR = 8766  # 365.25 days
WARM_UP = 60 * 24  # hours run before the first row, so that it is as random as the last


@dataclasses.dataclass(frozen=True)
class Climate:
    """An hourly series and the best that can be made of it."""

    columns: tuple[str, ...]
    """The 14 column names of the Jena file."""
    times: np.ndarray
    """[N] datetime64[m], one hour apart."""
    values: np.ndarray
    """[N, 14] float64, in the units that the names give."""
    best_forecast: np.ndarray
    """[N] float64 in degC: conditional mean of each row's temperature, given all up to 24 rows before."""
    optimum: dict[str, float]
    """`mae` in degC: the expected absolute error of `best_forecast`, below which no forecaster can go."""


def climate(*, years: int = 8, seed: int = 1) -> Climate:
    """Generate `years` years of hourly weather: a function of its arguments. The defaults are sample v1."""
    rng = np.random.default_rng(seed)
    hours = years * HOURS_PER_YEAR
    time = np.arange(-WARM_UP, hours)
    year = np.cos(2 * np.pi * (time / 24 - 200) / 365.25)  # warmest about 20 July
    day = np.cos(2 * np.pi * (time - 15) / 24)  # warmest at 15:00
    cycle = 9.3 + 5.0 * year + 2.8 * (1 + 0.35 * year) * day  # S + D

    speed = 1.7 * np.exp(0.4 * _autoregression(rng, time.size, 12) + 0.2 * day)
    direction = np.mod(190 + 52 * _autoregression(rng, time.size, 16), 360)
    gust = speed * (1.25 + 0.4 * np.exp(0.4 * rng.standard_normal(time.size)))
    advection = speed * np.sin(np.radians(direction - 190))

    shock = SIGMA * math.sqrt((1 - FADE**2) / (1 - FADE ** (2 * LEAD)))
    arriving = FRONT * np.concatenate([np.zeros(LEAD), advection[:-LEAD]])  # row t+1 holds a(t - 23)
    weather = _decaying_sum(arriving + shock * rng.standard_normal(time.size), FADE)
    temperature = cycle + weather

    recent = _decaying_sum(advection, math.exp(-1 / 30))
    pressure = 989.2 - 0.33 * recent + 5 * _autoregression(rng, time.size, 60)
    humidity = 100 / (1 + np.exp(0.2 * (weather + 0.8 * day) - 1.45))

    announced = np.convolve(FRONT * advection, FADE ** np.arange(LEAD))[: time.size]  # sum_k rho^k a(t - k)
    known = FADE**LEAD * weather + announced
    values = _columns(pressure, temperature, humidity, speed, gust, direction)
    return Climate(
        columns=COLUMNS,
        times=np.datetime64("2009-01-01T00:00", "m") + 60 * np.arange(hours),
        values=values[WARM_UP:],
        best_forecast=cycle[WARM_UP:] + known[WARM_UP - LEAD : -LEAD],
        optimum={"mae": SIGMA * math.sqrt(2 / math.pi)},
    )


def _decaying_sum(inputs: np.ndarray, decay: float) -> np.ndarray:
    """[N] -> [N]: y(t) = decay y(t-1) + inputs(t)."""
    return np.fromiter(itertools.accumulate(inputs.tolist(), lambda y, x: decay * y + x), float, inputs.size)


def _autoregression(rng: np.random.Generator, size: int, memory: float) -> np.ndarray:
    """[size]: first-order autoregression of unit variance that forgets in `memory` hours."""
    decay = math.exp(-1 / memory)
    return _decaying_sum(math.sqrt(1 - decay**2) * rng.standard_normal(size), decay)


def _columns(
    pressure: np.ndarray,
    temperature: np.ndarray,
    humidity: np.ndarray,
    speed: np.ndarray,
    gust: np.ndarray,
    direction: np.ndarray,
) -> np.ndarray:
    """Six measured columns, [N] each in their units -> these and the eight that follow, [N, 14].

    Magnus's formula for saturation (its constants reproduce the Jena file to 0.01 mbar), Dalton's law for the
    moisture, the ideal gas for the density, Poisson's equation for the potential temperature.
    """
    saturation = 6.1078 * np.exp(17.08085 * temperature / (234.175 + temperature))
    vapour = saturation * humidity / 100
    exponent = np.log(vapour / 6.1078)
    dew_point = 234.175 * exponent / (17.08085 - exponent)
    specific_humidity = 1000 * 0.622 * vapour / (pressure - 0.378 * vapour)  # g water per kg moist air
    kelvin = temperature + 273.15
    virtual = kelvin * (1 + 0.608 * specific_humidity / 1000)  # moist air is lighter, as if it were warmer
    return np.stack(
        [
            pressure,
            temperature,
            kelvin * (1000 / pressure) ** 0.286,
            dew_point,
            humidity,
            saturation,
            vapour,
            saturation - vapour,
            specific_humidity,
            1000 * vapour / pressure,
            1000 * 100 * pressure / (287.05 * virtual),
            speed,
            gust,
            direction,
        ],
        axis=1,
    )
