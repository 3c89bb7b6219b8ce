"""Vanishing gradients: what is left of a change of the state after 1 to 1,000 steps, before any training.

    ds_T/ds_k = ds_T/ds_(T-1) ... ds_(k+1)/ds_k

"Lecture: the gradient is a product of many factors; it vanishes or explodes." Here are the factors of SimpleRNN (tanh
with a glorot-uniform and with an orthogonal U, ReLU, ReLU that begins as the identity), LSTM (forget bias 0, 1, chrono)
and GRU at their initial values, over the inputs of the adding problem, and of the LRU, where they are known: |l|^k.

    measured()                     all of it as JSON takes it: minutes; experiments/results/lecture/vanishing.json
    picture(found), rings(found)   what it shows

Legend: T time, U units, S seeds, L lags; a lag is T - k.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.layers.lru import LRU
from seqjax.models.remedies import remedied
from seqjax.probes import jacobians, recurrences
from seqjax.probes.jacobians import Fading
from seqjax.report.plots import Figure, drawn

REMEDIES = {
    "none": "tanh, glorot U",
    "orthogonal": "tanh, orthogonal U",
    "relu": "ReLU, glorot U",
    "irnn": "ReLU, identity U",
    "lstm": "LSTM, forget bias 0",
    "lstm_forget_1": "LSTM, forget bias 1",
    "lstm_chrono": "LSTM, chrono",
    "gru": "GRU",
}
"""Of `seqjax.models.remedies`, and in words."""
STYLES = {
    "none": ("C0", "-"), "orthogonal": ("C0", "--"), "relu": ("C1", "-"), "irnn": ("C1", "--"),
    "lstm": ("C2", ":"), "lstm_forget_1": ("C2", "--"), "lstm_chrono": ("C2", "-"), "gru": ("C3", "-"),
}  # fmt: skip
STEPS = (20, 50, 100, 200, 500, 1000)
LAGS = (0, 1, 2, 3, 5, 7, 10, 14, 20, 30, 50, 70, 100, 140, 200, 300, 500, 700, 1000)
RINGS = ((0.0, 1.0), (0.9, 0.999))
"""Of the LRU's eigenvalues: its own default, and that of `remedied("lru")`."""
FLOOR = -38
"""log10 of the smallest float32 that keeps its precision."""


def inputs(steps: int, seed: int) -> np.ndarray:
    """A sequence [T, 2] as the adding problem has them: numbers even in [0, 1), and two marks."""
    rng = np.random.default_rng(seed)
    marks = np.zeros(steps)
    marks[[rng.integers(steps // 2), steps // 2 + rng.integers(steps - steps // 2)]] = 1
    return np.stack([rng.random(steps), marks], axis=1)


def fadings(remedy: str, steps: int, units: int, seeds: int, lags: Sequence[int] | None = None) -> list[Fading]:
    """How ds_T/ds_(T-lag) fades in a layer at its initial values, one for each seed of these and of the inputs.

    Raises:
      UserError: an unknown remedy.
    """
    layer = remedied(remedy, units, steps)  # type: ignore[arg-type]
    begin = jax.jit(layer.init)
    found = []
    with jax.enable_x64(True):
        recurrence = recurrences.of_layer(layer)
        for seed in range(seeds):
            xs = jnp.asarray(inputs(steps, seed))
            params = begin(jax.random.key(seed), xs[None].astype(jnp.float32))["params"]["cell"]
            params = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), params)
            zeros = recurrence.cell.initialize_carry(jax.random.key(0), (1, 2))
            initial = jax.tree.map(lambda leaf: leaf[0].astype(jnp.float64), zeros)
            states = recurrences.run(recurrence, params, xs, initial)
            steps_back = jacobians.backwards(recurrence, params, initial, states, xs)
            found.append(jacobians.fading(steps_back, jacobians.chosen_lags(steps) if lags is None else lags))
    return found


def moduli(params: Mapping[str, Any]) -> np.ndarray:
    """|l| [U] of an LRU's eigenvalues, from its parameters."""
    return np.exp(-np.exp(np.asarray(params["nu"], np.float64)))


def of_eigenvalues(modulus: np.ndarray, lags: Sequence[int]) -> Fading:
    """The analytic one: the singular values of ds_T/ds_(T-k) of an LRU are |l|^k."""
    logs = np.log10(modulus)[None, :] * np.asarray(lags)[:, None]  # [L, U]
    highest = logs.max(axis=1)
    typical = highest + 0.5 * np.log10(np.mean(10 ** (2 * (logs - highest[:, None])), axis=1))
    return Fading(np.asarray(lags), highest, typical, logs.min(axis=1))


def measured(steps: int = 1000, units: int = 32, seeds: int = 5, remedies: Sequence[str] = tuple(REMEDIES)) -> Any:
    """Medians over seeds, with the lowest and the highest, of log10 of the singular values; for JSON.

    chrono is made for a number of steps: `chrono` has, for each of `STEPS`, that of the layer made for it, all of its
    steps back.
    """
    lags = [lag for lag in LAGS if lag <= steps]
    found: dict[str, Any] = {"steps": steps, "units": units, "seeds": seeds, "lags": lags, "remedies": {}}
    for remedy in remedies:
        found["remedies"][remedy] = _spread(fadings(remedy, steps, units, seeds, lags))
    lengths = [length for length in STEPS if length <= steps]
    chrono = {length: _spread(fadings("lstm_chrono", length, units, seeds, [length])) for length in lengths}
    found["chrono"] = {str(length): {name: values[0] for name, values in one.items()} for length, one in chrono.items()}
    found["rings"] = []
    for least, most in RINGS:
        params = LRU(units, least=least, most=most).init(jax.random.key(0), jnp.zeros((1, 1, 2)))["params"]
        found["rings"].append({"least": least, "most": most, "moduli": np.sort(moduli(params)).round(6).tolist()})
    return found


def _spread(found: Sequence[Fading]) -> dict[str, list[list[float | None]]]:
    """Of each singular value (median, lowest, highest) over seeds, by lag; None is 0, whose logarithm is no number."""
    spread = {}
    for name in ("largest", "typical", "smallest"):
        values = np.array([getattr(one, name) for one in found])  # [S, L]
        columns = np.stack([np.median(values, axis=0), values.min(axis=0), values.max(axis=0)], axis=1)
        spread[name] = [[round(v, 3) if np.isfinite(v) else None for v in column] for column in columns.tolist()]
    return spread


def picture(found: Mapping[str, Any]) -> Figure:
    """What is left of a change, by how many steps ago it was."""
    lags = np.array(found["lags"])

    def draw(canvas: Any) -> None:
        left, right = canvas.subplots(1, 2)
        for axes, name in ((left, "largest"), (right, "typical")):
            for remedy, one in found["remedies"].items():
                middle, low, high = np.array(one[name], float).T  # None becomes NaN
                colour, style = STYLES[remedy]
                axes.plot(lags, middle, style, color=colour, label=REMEDIES[remedy])
                axes.fill_between(lags, low, high, color=colour, alpha=0.15, linewidth=0)
            axes.set_xscale("log")
            axes.set(xlim=(1, lags[-1]), xlabel="steps back, T - k", ylabel=f"log10 of the {name} singular value")
            axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
        left.axhline(FLOOR, color="0.35", linewidth=0.8, linestyle=":")
        left.set(ylim=(-60, 3))
        right.set(ylim=(-4, 0.4))
        canvas.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)

    place = found["lags"].index(min(100, found["lags"][-1]))
    left_over = ", ".join(
        f"{REMEDIES[remedy]} 10^{one['largest'][place][0]:.1f}" if one["largest"][place][0] is not None else "nothing"
        for remedy, one in found["remedies"].items()
    )
    caption = (
        f"Before training, {found['units']} units, median and range of {found['seeds']} seeds. 0: a change of the "
        f"state is as large after so many steps; below {FLOOR} (dotted) it is no float32. Right the same for a "
        f"change in a random direction, near 0. Of the largest is left after {lags[place]} steps: {left_over}. An "
        "untrained gate is half shut: what an LSTM or a GRU keeps it must be told to keep (chrono), or learn to."
    )
    return Figure("What is left of a change", caption, drawn(4.6, draw))


def rings(found: Mapping[str, Any]) -> Figure:
    """The LRU's: each unit fades as the modulus of its eigenvalue says."""

    def draw(canvas: Any) -> None:
        for axes, ring in zip(canvas.subplots(1, len(found["rings"]), sharey=True), found["rings"], strict=True):
            modulus, lags = np.array(ring["moduli"]), np.arange(found["steps"] + 1)
            axes.plot(lags, np.log10(modulus)[None, :] * lags[:, None], color="0.6", linewidth=0.6)
            fade = of_eigenvalues(modulus, lags.tolist())
            for name, style in (("largest", "-"), ("typical", "--")):
                axes.plot(lags, getattr(fade, name), style, color="C4", linewidth=2, label=name)
            axes.plot([], [], color="0.6", linewidth=0.6, label="|l|^k of each unit")
            axes.axhline(FLOOR, color="0.35", linewidth=0.8, linestyle=":")
            axes.set(ylim=(-60, 2), xlim=(0, lags[-1]), xlabel="steps back, k")
            axes.set_title(f"|l| from {ring['least']:g} to {ring['most']:g}", fontsize=10)
            axes.legend(loc="lower right", fontsize=8)
        canvas.axes[0].set_ylabel("log10 of the singular value of ds_T/ds_(T-k)")

    caption = (
        "An LRU's state turns and shrinks, each unit by its own eigenvalue l: what is left after k steps is |l|^k, a "
        "straight line here. In a ring near the unit circle the whole layer remembers; elsewhere a few units do."
    )
    return Figure("The modulus of the eigenvalues is the memory", caption, drawn(3.8, draw))
