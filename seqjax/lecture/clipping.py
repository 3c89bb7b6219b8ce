"""What clipping the gradient cures, and what it does not.

A linear recurrence without inputs, R = rho Q with Q orthogonal, from S_0 and with J = v . S_T, both of length 1:

    S_t = S_(t-1) @ R
    dJ/dR = sum over t of S_(t-1)^T (dJ/dS_t),    |S_(t-1)| = rho^(t-1),    |dJ/dS_t| = rho^(T-t)

so that every step's term has the norm rho^(T-1), and with Q = 1 the whole gradient T rho^(T-1). Above rho = 1 it
explodes, and one step of the optimizer may undo all before; clipped to norm c it is min(1, c / |dJ/dR|) of itself, of
the same direction. Well below rho = 1 it is below c anyhow, and clipping leaves it as it is, bit for bit.

Clipping multiplies all of a gradient by one number. So what reaches the state k steps back is rho^k of what reaches the
last one, before and after: what is forgotten stays forgotten.

Legend: T steps, U units.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.errors import check_least
from seqjax.report.plots import Figure, drawn
from seqjax.training.optimizers import optimizer

RHOS = (0.9, 1.0, 1.1)
COLOURS = ("C0", "0.35", "C1")


class Gradient(NamedTuple):
    """Of J to R, and how it is used."""

    raw: jax.Array
    """dJ/dR [U, U]."""
    used: jax.Array
    """After clipping."""
    by_distance: jax.Array
    """|dS_T/dS_(T-k) v| for k = 0 ... T - 1, [T]: what reaches the state k steps back, ..."""
    by_distance_used: jax.Array
    """... times what clipping multiplies the whole by."""


def gradient(recurrent: Any, start: Any, wanted: Any, steps: int, clip_norm: float | None = None) -> Gradient:
    """The gradient of `wanted` . S_T, clipped by our optimizers' own clipping.

    Args:
      recurrent: R [U, U].
      start: S_0 [U].
      wanted: v [U].
      steps: T.
      clip_norm: c; None: as it is.
    """
    check_least("steps", steps, 1)
    recurrent, start, wanted = map(jnp.asarray, (recurrent, start, wanted))

    def loss(recurrent: jax.Array, nudges: jax.Array) -> jax.Array:
        step = lambda state, nudge: (state @ recurrent + nudge, None)
        return jax.lax.scan(step, start, nudges)[0] @ wanted

    nothing = jnp.zeros((steps, *start.shape), start.dtype)
    raw, to_states = jax.grad(loss, argnums=(0, 1))(recurrent, nothing)
    sgd = optimizer("sgd", 1.0, clip_norm=clip_norm)
    used = -sgd.update(raw, sgd.init(raw))[0]  # type: ignore[operator]
    reached = jnp.linalg.norm(to_states, axis=1)[::-1]  # a nudge of S_t, from the last step back
    size = jnp.linalg.norm(raw)
    share = jnp.where(size > 0, jnp.linalg.norm(used) / jnp.where(size > 0, size, 1), 1)
    return Gradient(raw, used, reached, reached * share)


def norms(rhos: Sequence[float], lengths: Sequence[int], clip_norm: float) -> tuple[np.ndarray, np.ndarray]:
    """|dJ/dR| before and after clipping, [radii, lengths], for Q = 1 of one unit: T rho^(T-1), and that or c."""
    one = jnp.ones(1)
    kernels = jnp.asarray(rhos)[:, None, None]
    found = [jax.vmap(lambda r, t=t: gradient(r, one, one, t, clip_norm)[:2])(kernels) for t in lengths]
    raw, used = (np.stack([np.abs(pair[k][:, 0, 0]) for pair in found], axis=1) for k in range(2))
    return raw, used


def figure(clip_norm: float = 1.0, steps: int = 100) -> Figure:
    """The norm by length, and what reaches back how far, before and after clipping."""
    lengths = np.unique(np.geomspace(1, steps, 8).astype(int)).tolist()

    def draw(canvas: Any) -> None:
        by_length, by_distance = canvas.subplots(1, 2)
        raw, used = norms(RHOS, lengths, clip_norm)
        one = jnp.ones(1)
        reached = jax.vmap(lambda r: gradient(r, one, one, steps, clip_norm)[2:])(jnp.asarray(RHOS)[:, None, None])
        for k, (rho, colour) in enumerate(zip(RHOS, COLOURS, strict=True)):
            by_length.plot(lengths, raw[k], color=colour, label=f"radius {rho}")
            by_length.plot(lengths, used[k], "o", color=colour, markersize=4, label=f"radius {rho}, clipped")
            by_distance.plot(np.arange(steps), reached[0][k], color=colour)
            by_distance.plot(np.arange(steps), reached[1][k], "--", color=colour)
        by_length.set(yscale="log", xscale="log", xlabel="steps T", ylabel="norm of dJ/dR")
        by_distance.set(yscale="log", xlabel="steps back", ylabel="norm of dJ/dS (dashed: after clipping)")
        canvas.legend(*by_length.get_legend_handles_labels(), loc="outside lower center", ncols=3)

    caption = (
        f"A linear recurrence. Left: above radius 1 the gradient explodes, and clipping holds it at {clip_norm:g} "
        "(dots); at 0.9 the dots of long sequences lie on the line: what vanishes stays. Right: clipping moves a line "
        "down as a whole and does not turn it: how much of the far past is in the gradient is as before."
    )
    return Figure("What clipping cures, and what it does not", caption, drawn(3.8, draw))
