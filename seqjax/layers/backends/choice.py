"""Which implementation runs a recurrent layer, and why.

- `scan`: `nn.scan` over the cell, the plain definition. It can do everything.
- `fused`: one scan with a hand-written backward (`fused.py`); runs everywhere.
- `native`: what `fused` does, compiled from C++ for all cores (`native.py`); on CPUs with a C++ compiler.
- `cudnn`: NVIDIA's LSTM through `jax.experimental.rnn` (`cudnn.py`).
- `pallas`: what `fused` does, up to 64 units, in one kernel on NVIDIA GPUs (`pallas.py`). By name only: it has been
  interpreted and lowered for CUDA on a CPU machine, never run on a GPU.
- `auto`: the first of the others that can do what is asked and is expected to be the fastest.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seqjax.errors import UserError
from seqjax.layers.backends import native_library

BACKENDS = ("auto", "scan", "fused", "native", "cudnn", "pallas")

CUDNN_UNITS = 128
"""From so many units on `auto` takes cuDNN where it may. Read (FlashRNN, arXiv 2412.07752), not measured here."""
STEP_UNITS = 256
"""From so many units on the weights take longer to lay out than to multiply with in a single step: of 512 it was 0.8 ms
by `native` and 0.2 by `scan`."""
FEW_ROWS, WHOLE = 6, 16
"""Of so few rows, and units that are a multiple of so many, `native` multiplies with the weights where they lie."""
PALLAS_UNITS = 64
"""Up to so many units a layer's recurrent matrix stays in the registers of a few warps."""


class Choice(NamedTuple):
    """A backend and the reason in words."""

    backend: str
    reason: str


def choose(
    layer: Any,
    *,
    masked: bool,
    dropped: bool,
    steps: int | None = None,
    rows: int | None = None,
    platform: str | None = None,
) -> Choice:
    """Pick the backend of a SimpleRNN, LSTM or GRU layer.

    Args:
      layer: the layer; its `backend` says what is wanted.
      masked: whether a mask comes with the inputs.
      dropped: whether recurrent dropout acts.
      steps: T; None: many.
      rows: B; None: many.
      platform: cpu, gpu or tpu; None: where JAX runs.

    Raises:
      UserError: an unknown backend, or one that cannot do what is asked.
    """
    if layer.backend not in BACKENDS:
        raise UserError(f"backend {layer.backend!r} is unknown; choose one of {', '.join(BACKENDS)}")
    platform = platform or jax.default_backend()
    refusals = {
        "scan": None,
        "fused": fused_refusal(layer),
        "native": native_refusal(layer, platform=platform),
        "cudnn": cudnn_refusal(layer, dropped=dropped, platform=platform),
        "pallas": pallas_refusal(layer, platform=platform),
    }
    if layer.backend != "auto":
        refusal = refusals[layer.backend]
        if refusal is not None:
            able = ", ".join(name for name, reason in refusals.items() if reason is None)
            name = type(layer).__name__
            raise UserError(f"backend {layer.backend!r} cannot run this {name}: {refusal}; choose auto or {able}")
        return Choice(layer.backend, "asked for")
    if refusals["cudnn"] is None and not masked and layer.units >= CUDNN_UNITS:
        return Choice("cudnn", f"an LSTM of {layer.units} >= {CUDNN_UNITS} units on NVIDIA without a mask")
    in_place = isinstance(rows, int) and rows <= FEW_ROWS and layer.units % WHOLE == 0
    if steps == 1 and platform == "cpu" and layer.units >= STEP_UNITS and not in_place:
        return Choice("scan", f"for one step {layer.units} >= {STEP_UNITS} units are not laid out anew")
    if refusals["native"] is None:
        return Choice("native", "a CPU with a C++ compiler")
    if refusals["fused"] is None:
        others = "; ".join(f"{name}: {refusals[name] or 'no gain expected'}" for name in ("native", "cudnn"))
        return Choice("fused", f"its backward is hand-written; {others}")
    return Choice("scan", f"fused: {refusals['fused']}")


def fused_refusal(layer: Any) -> str | None:
    """Why the fused backend cannot run this layer, or None."""
    options = {
        "activation": ("tanh",),
        "recurrent_activation": ("sigmoid",),
        "peephole": ("none",),
        "reset_after": (True,),
        "layer_norm": (False,),
        "zoneout": (0,),
        "fresh": (False,),
        "dtype": (None, jnp.float32, jnp.float64),
    }
    for name, able in options.items():
        value = getattr(layer, name, able[0])
        if value not in able:
            return f"{name}={value!r} is not supported there"
    return None


def native_refusal(layer: Any, *, platform: str) -> str | None:
    """Why the native backend cannot run this layer, or None. Compiles its library where nothing else is in the way."""
    if platform != "cpu":
        return f"it is for CPUs, and this is {platform}"
    return fused_refusal(layer) or native_library.refusal()


def cudnn_refusal(layer: Any, *, dropped: bool, platform: str) -> str | None:
    """Why cuDNN cannot run this layer, or None."""
    if type(layer).__name__ != "LSTM":
        return "only the LSTM is there"
    if platform not in ("gpu", "cuda"):
        return f"it needs an NVIDIA GPU, and this is {platform}"
    if dropped:
        return "recurrent dropout is not supported there"
    if layer.dtype not in (None, jnp.float32) or layer.param_dtype != jnp.float32:
        return "only float32 is supported there"
    return fused_refusal(layer)


def pallas_refusal(layer: Any, *, platform: str) -> str | None:
    """Why the pallas backend cannot run this layer, or None."""
    if platform not in ("gpu", "cuda"):
        return f"it needs an NVIDIA GPU, and this is {platform}"
    if layer.units > PALLAS_UNITS:
        return f"{layer.units} units are more than {PALLAS_UNITS}"
    if layer.dtype not in (None, jnp.float32) or layer.param_dtype != jnp.float32:
        return "only float32 is supported there"
    return fused_refusal(layer)
