"""The train step against a plain loop, the compiled program against the step."""

import dataclasses
import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seqjax.data.dataset import Requests
from seqjax.data.pipeline import batches
from seqjax.errors import UserError
from seqjax.training.program import Program, Settings, outputs, steps_per_dispatch
from seqjax.training.state import count_parameters, create_state, make_train_step


def final_state(experiment, dataset, steps_per_dispatch, steps=14):
    program = Program(experiment, dataset, Settings(steps_per_dispatch))
    state = program.place(create_state(experiment, dataset.example()))
    for batch in program.batches("train", 0, steps, experiment.seed):
        state, report = program.train(state, batch)
    return program, state, report


def test_the_program_equals_a_plain_loop_over_the_definition(toy_experiment, toy_dataset):
    """Written out without state.py: mean over the real examples, Optax by hand, dropout key of (seed, step)."""
    params_key, key = jax.random.split(jax.random.key(toy_experiment.seed))
    params = toy_experiment.model.init({"params": params_key}, toy_dataset.example())["params"]
    opt_state = toy_experiment.optimizer.init(params)
    options = {"batch_size": toy_experiment.batch_size, "start": 0, "stop": 14, "seed": toy_experiment.seed}

    @functools.partial(jax.jit, static_argnames="count")
    def step(params, opt_state, inputs, targets, number, count):
        def loss(params):
            rngs = {"dropout": jax.random.fold_in(key, number)}
            outputs = toy_experiment.model.apply({"params": params}, inputs, train=True, rngs=rngs)
            return jnp.mean((outputs[:count] - targets[:count]) ** 2)  # padding comes last

        updates, opt_state = toy_experiment.optimizer.update(jax.grad(loss)(params), opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    for batch in batches(toy_dataset.parts["train"], **options):
        inputs, targets = toy_dataset.gather(toy_dataset.arrays, batch.ids[0])
        count = int((batch.weights[0] > 0).sum())
        params, opt_state = step(params, opt_state, inputs, targets, batch.step, count)
    _, state, _ = final_state(toy_experiment, toy_dataset, 4)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), state.params, params)
    assert int(state.step) == 14


@pytest.mark.parametrize("steps_per_dispatch", [2, 7, 8])
def test_steps_in_one_dispatch_give_the_same_result(toy_experiment, toy_dataset, steps_per_dispatch):
    _, one, report = final_state(toy_experiment, toy_dataset, 1)
    _, many, report_many = final_state(toy_experiment, toy_dataset, steps_per_dispatch)
    raw = lambda state: jax.tree.leaves(state.replace(key=jax.random.key_data(state.key)))
    for a, b in zip(raw(one), raw(many), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(report["mae"], report_many["mae"], rtol=1e-6)


def test_evaluation_counts_every_example_once_at_any_batch_size(toy_experiment, toy_dataset):
    program, state, _ = final_state(toy_experiment, toy_dataset, 4)
    inputs, targets = toy_dataset.gather(toy_dataset.arrays, toy_dataset.parts["validation"])
    outputs = toy_experiment.model.apply({"params": state.params}, inputs)
    found = program.evaluate(state.params, "validation")
    np.testing.assert_allclose(found["loss"], np.mean((outputs - targets) ** 2), rtol=1e-5)
    np.testing.assert_allclose(found["mae"], np.mean(np.abs(outputs - targets)), rtol=1e-5)


def test_the_first_bad_step_is_remembered(toy_experiment, toy_dataset):
    step = jax.jit(make_train_step(toy_experiment, toy_dataset.gather))
    state = create_state(toy_experiment, toy_dataset.example())
    poisoned = dict(toy_dataset.arrays, targets=np.full(100, np.nan, np.float32))
    batch = (np.arange(8, dtype=np.int32), np.ones(8, np.float32))
    for arrays in (toy_dataset.arrays, toy_dataset.arrays, poisoned, toy_dataset.arrays):
        state, _ = step(state, batch, arrays)
    assert int(state.bad_step) == 3


def test_initial_values_depend_on_the_seed_alone(toy_experiment, toy_dataset):
    first = create_state(toy_experiment, toy_dataset.example()).params
    again = create_state(toy_experiment, toy_dataset.example()).params
    other = create_state(dataclasses.replace(toy_experiment, seed=8), toy_dataset.example()).params
    same = lambda a, b: all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
    assert same(first, again)
    assert not same(first, other)
    assert count_parameters(first) == 4
    assert set(create_state(toy_experiment, toy_dataset.example()).sums) == {"loss", "mae", "weight"}


def test_settings_are_checked():
    with pytest.raises(UserError, match="steps_per_dispatch must be at least 1"):
        Settings(steps_per_dispatch=0)


def test_a_batch_that_does_not_divide_over_the_devices_is_refused(toy_experiment, toy_dataset, monkeypatch):
    monkeypatch.setattr(jax, "devices", lambda: [jax.local_devices()[0]] * 3)
    with pytest.raises(UserError, match="batch_size 8 does not divide over 3 devices"):
        Program(toy_experiment, toy_dataset, Settings(devices=3))
    with pytest.raises(UserError, match="devices=4: there are only 3"):
        Program(toy_experiment, toy_dataset, Settings(devices=4))
    with pytest.raises(UserError, match="devices must be at least 1"):
        Settings(devices=0)


def test_small_steps_come_32_at_once_large_ones_8_and_those_of_like_length_one_by_one(toy_experiment, toy_dataset):
    assert steps_per_dispatch(toy_experiment, toy_dataset) == 32
    large = dataclasses.replace(toy_experiment, batch_size=1 << 20)
    assert steps_per_dispatch(large, toy_dataset) == 8
    assert steps_per_dispatch(large, toy_dataset, 5) == 5
    lengths = np.ones(len(toy_dataset.arrays["targets"]), np.int32)
    assert steps_per_dispatch(large, dataclasses.replace(toy_dataset, lengths=lengths), 5) == 1


def test_requests_are_cut_to_what_their_batch_needs():
    """One long among short ones costs its own batch alone, and the answers stay the same, in order."""
    lengths = np.array([2, 1, 2, 9, 1, 1, 1], np.int32)
    rows = np.where(np.arange(9)[None, :] < lengths[:, None], np.arange(1, 64).reshape(7, 9), 0)
    widths = []

    def total(model, params, inputs):
        widths.append(inputs.shape)
        return jnp.sum(inputs, axis=1)

    experiment = types.SimpleNamespace(batch_size=3, answer=total, model=None)
    ids = np.arange(7, dtype=np.int32)
    gather = lambda arrays, ids: arrays["rows"][ids]
    whole = Requests({"rows": rows}, gather, ids, lambda *_: "")
    for requests in (whole, dataclasses.replace(whole, lengths=lengths)):
        assert list(outputs(experiment, None, requests)) == rows.sum(axis=1).tolist()  # type: ignore[arg-type]
    assert widths == [(3, 9), (3, 2), (3, 9), (3, 1)]
