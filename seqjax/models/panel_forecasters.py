"""A forecaster of a panel by name: of all steps at once, or step by step."""

from typing import Any

import flax.linen as nn

from seqjax.errors import UserError
from seqjax.models.autoregressive import AutoregressiveForecaster
from seqjax.models.distributions import NegativeBinomial
from seqjax.models.horizon import DirectForecaster, recurrent

DECODERS = ("direct", "paths", "median")


def forecaster(
    decoder: str,
    head: Any,
    context: int,
    horizon: int,
    *,
    cell: str = "gru",
    units: int = 32,
    layers: int = 1,
    recurrent_dropout: float = 0.0,
    patch: int = 1,
    linear: bool = False,
    around_season: bool = False,
    **shared: Any,
) -> nn.Module:
    """The model.

    Args:
      decoder: `direct`; or a decoder that feeds on itself, whose forecast is told by `paths` or by its own `median`.
      head: a `distributions.Head`.
      context: rows that it looks at.
      horizon: rows that it forecasts.
      cell, units, layers: of the recurrent layer.
      recurrent_dropout: of it, between layers.
      patch, linear, around_season: of `direct`: see `DirectForecaster`.
      shared: fields that both models have; `normalize=""` is `mean` for counts, else `window`.

    Raises:
      UserError: an unknown name, or an option that the decoder does not have.
    """
    if decoder not in DECODERS:
        raise UserError(f"decoder={decoder}: choose {', '.join(DECODERS)}")
    counts = isinstance(head, NegativeBinomial)
    if shared.get("normalize") == "":
        shared["normalize"] = "mean" if counts else "window"
    if counts and shared.get("normalize", "mean") != "mean":
        raise UserError(
            f"normalize={shared['normalize']}: a negative binomial is told in units of a window's mean: mean"
        )
    layer = recurrent(cell, units, layers, dropout=recurrent_dropout, every=decoder != "direct")
    if decoder == "direct":
        own = {"patch": patch, "linear": linear, "around_season": around_season, "dense_units": units}
        return DirectForecaster(layer, head, context, horizon, **own, **shared)
    for option, value in (("patch", patch != 1), ("linear", linear), ("around_season", around_season)):
        if value:
            raise UserError(f"{option} is of decoder=direct, and not of {decoder}")
    return AutoregressiveForecaster(layer, head, context, horizon, **shared)
