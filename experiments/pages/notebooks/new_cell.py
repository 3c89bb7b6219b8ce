# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
#   kernelspec:
#     name: python3
#     display_name: Python 3
#     language: python
# ---

# %% [markdown]
# # A new cell
#
# A leaky unit, from its equation to a trained forecaster: `h' = a h + (1 - a) tanh(W x + U h + b)`.

# %%
from pathlib import Path

Path("experiments").mkdir(exist_ok=True)
Path("experiments/jena_leaky.py").write_text('''
"""A leaky recurrent network on five days of weather."""

import flax.linen as nn
import jax.numpy as jnp
import optax

from seqjax.data.series.jena import Windows
from seqjax.experiment import Experiment
from seqjax.layers import RNN
from seqjax.models.forecasters import RecurrentForecaster
from seqjax.training import metrics


class Leaky(nn.RNNCellBase):
    units: int

    @nn.compact
    def __call__(self, h, x):
        a = nn.sigmoid(self.param("keep", nn.initializers.constant(2.0), (self.units,)))
        new = jnp.tanh(nn.Dense(self.units, name="x")(x) + nn.Dense(self.units, use_bias=False, name="h")(h))
        h = a[None] * h + (1 - a[None]) * new
        return h, h

    def initialize_carry(self, rng, input_shape):
        return jnp.zeros((*input_shape[:-1], self.units))

    @property
    def num_feature_axes(self):
        return 1


def experiment(*, units: int = 16, epochs: int = 2, batch_size: int = 256, seed: int = 0) -> Experiment:
    return Experiment(
        source=Windows(),
        model=RecurrentForecaster(RNN(Leaky(units)), dropout=0.0),
        loss=metrics.squared_error,
        metrics={"mae": metrics.absolute_error},
        optimizer=optax.adam(3e-3),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
''')
# %%
import seqjax

run = seqjax.train("jena_leaky", data="sample", workdir="runs/leaky")
run.results["test"], run.results["baselines"]["naive"]["test"]

# %% [markdown]
# How long does each unit remember? A share `a` kept at each step is a half-life of ln 2 / -ln a steps.

# %%
import jax
import numpy as np

(keep,) = [
    leaf for path, leaf in jax.tree_util.tree_leaves_with_path(run.params) if "keep" in jax.tree_util.keystr(path)
]
np.sort(np.log(2) / -np.log(1 / (1 + np.exp(-keep)))).round(1)
