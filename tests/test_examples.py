"""The examples in docstrings say what is."""

import doctest
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax.decoding

NAMES = (
    "seqjax.data.memory.copying",
    "seqjax.data.text.vectorizer",
    "seqjax.decoding.beams",
    "seqjax.decoding.rows",
    "seqjax.decoding.sampling",
    "seqjax.errors",
    "seqjax.models.remedies",
    "seqjax.scoring.conformal",
    "seqjax.scoring.forecasts",
    "seqjax.scoring.ranges",
    "seqjax.training.metrics",
    "seqjax.training.optimizers",
)


@pytest.mark.parametrize("name", NAMES)
def test_examples(name):
    module = importlib.import_module(name)
    offered = {offered: getattr(seqjax.decoding, offered) for offered in seqjax.decoding.__all__}
    found = doctest.testmod(module, extraglobs={"jax": jax, "jnp": jnp, "np": np, **offered})
    assert found.attempted >= 1
    assert found.failed == 0
