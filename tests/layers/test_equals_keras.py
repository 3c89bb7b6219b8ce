"""The layers against Keras 3, from the same weights: outputs, states and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

from recurrent_cases import (
    KINDS,
    _double_precision,
    all_close,
    cases,
    drops,
    each_kind,
    each_way,
    gates,
    ours,
    problem,
    weights,
    wide,
    with_gradients,
)

__all__ = ["_double_precision"]


@each_kind
@each_way
def test_keras(kind, case):
    check_keras(kind, case)


def check_keras(kind, case):
    """Keras 3 on JAX: any lengths, both directions, the same recurrent dropout masks injected."""
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "jax":
        pytest.skip("Keras was imported with another backend than jax")
    inputs, state, projections = problem(kind, case)
    parameters, drop = weights(kind, case), drops(kind, case, gates(kind))
    name, fields = kind.split()[0], KINDS[kind][1]
    layer = getattr(keras.layers, name)(
        case.units,
        return_sequences=True,
        return_state=True,
        go_backwards=case.reverse,
        recurrent_dropout=0.5 if case.dropped else 0.0,
        activation=jnp.tanh,  # Keras's own casts to float32
        dtype="float64",
        **fields,
    )
    masks = [jnp.asarray(d) for d in drop]
    # SimpleRNN has one gate and takes its mask bare.
    layer.cell.get_recurrent_dropout_mask = lambda h: masks[0] if name == "SimpleRNN" else masks

    def run(parameters, inputs, state):
        trainable = [parameters[v.name] for v in layer.trainable_variables]
        fixed = [v.value for v in layer.non_trainable_variables]
        options = {"initial_state": state, "mask": jnp.asarray(case.mask), "training": case.dropped}
        (y, *final), _ = layer.stateless_call(trainable, fixed, inputs, **options)
        return [jnp.flip(y, 1) if case.reverse else y, *final]

    with jax.numpy_rank_promotion("allow"):  # Keras's own code relies on it
        layer.build(inputs.shape)
        expected = with_gradients(run, case.mask, projections, parameters, inputs, state)
    assert expected[0][0].dtype == np.float64
    all_close(ours(kind, case, case.mask, drop if case.dropped else None), expected)


@pytest.mark.slow
@each_kind
@wide
@given(case=cases(0))
def test_keras_widely(kind, case):
    check_keras(kind, case)
