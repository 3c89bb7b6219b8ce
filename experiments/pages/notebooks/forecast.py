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
# # A forecast
#
# Weather like Jena's (generated, so that the best possible score is known): a naive forecast, a dense network and an
# LSTM.

# %%
import matplotlib.pyplot as plt

import seqjax

# %% [markdown]
# The naive forecast says that the temperature in 24 hours will be that of now. It has no parameters, and it
# is what must be beaten.

# %%
naive = seqjax.train("jena_naive", data="sample", workdir="runs/naive")
naive.results["test"]

# %%
dense = seqjax.train("jena_dense", data="sample", workdir="runs/dense", epochs=3)
lstm = seqjax.train("jena_lstm", data="sample", workdir="runs/lstm", epochs=3)

# %%
for name, run in {"naive": naive, "dense": dense, "LSTM": lstm}.items():
    print(f"{name:6} {run.results['test']['mae']:.3f} degrees, {run.results['parameters']:,} parameters")
print(f"best possible: {lstm.results['optimum']}")

# %% [markdown]
# One seed is an anecdote: three, and their spread.

# %%
scores = [
    seqjax.train("jena_lstm", data="sample", workdir=f"runs/lstm_{seed}", epochs=2, seed=seed).results["test"]["mae"]
    for seed in range(3)
]
plt.plot(scores, "o")
plt.axhline(naive.results["test"]["mae"], color="0.4", linestyle=":", label="naive")
plt.xlabel("seed")
plt.ylabel("test MAE, degrees Celsius")
plt.legend()
