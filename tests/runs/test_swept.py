"""One program for all values of a knob: each run is its own single one, and what does not fit is told apart."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from many_runs import SETTINGS, assert_close, assert_same_run, folder, many, series, single, trained
from seqjax.experiment import Experiment
from seqjax.layers.recurrent import GRU
from seqjax.models.forecasters import RecurrentForecaster
from seqjax.runs.many_program import ManyProgram, side_by_side
from seqjax.runs.swept import Sweep, Swept, as_number
from seqjax.training import metrics
from seqjax.training.program import Program
from seqjax.training.state import create_state

__all__ = ["folder"]


def experiment(*, rate=0.25, learning_rate=1e-2, units=4, source=None, seed=0) -> Experiment:
    model = RecurrentForecaster(GRU(units, dropout=rate, recurrent_dropout=rate), dropout=rate)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.rmsprop(learning_rate))
    return Experiment(source, model, metrics.squared_error, {"mae": metrics.absolute_error}, optimizer, 2, 8, seed)


def sweep(knob, *values):
    found = Sweep(experiment, {"seed": 3}, knob, values)
    return found, found.fits([experiment(**{knob: value}) for value in values], series())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("knob", "values"), [("rate", (0.2, 0.6)), pytest.param("learning_rate", (0.03, 0.001), marks=pytest.mark.slow)]
)
def test_states_are_those_of_single_runs(knob, values):
    """Dropout of the inputs, of the state and of the outputs; the rate of the optimizer."""
    made, fits = sweep(knob, *values)
    assert fits
    own = [experiment(**{knob: value, "seed": 3}) for value in values]
    program = ManyProgram(own[0], series(), SETTINGS, made)
    pairs = [
        (program.place(create_state(one, program.dataset.example())), as_number(value))
        for one, value in zip(own, values, strict=True)
    ]
    for batch in program.batches("train", 0, 8, 3):
        pairs, _ = program.train(pairs, side_by_side([batch] * len(values)))
    for one, (state, _) in zip(own, pairs, strict=True):
        assert_close(state, trained(Program(one, series(), SETTINGS), one, 8))
    first, second = (jax.tree.leaves(state.params)[0] for state, _ in pairs)
    assert not np.allclose(first, second, rtol=0.01)


@pytest.mark.parametrize(
    ("knob", "values"),
    [
        ("units", (3, 4)),
        ("units", (3.0, 4.0)),
        ("rate", (0.0, 0.5)),
        ("source", (0.1, 0.2)),
    ],
)
def test_what_is_not_a_number_alone_takes_a_program_for_each_value(knob, values):
    """A shape; without dropout no mask is drawn; and other data."""
    assert not sweep(knob, *values)[1]


def test_comparisons_have_the_answer_of_all_values():
    rate = Swept([0.2, 0.5], jnp.asarray(0.5))
    assert 0 <= rate < 1
    assert rate > 0
    assert rate == rate
    assert not rate == 0  # noqa: SIM201
    assert max(0.0, rate) is rate
    with pytest.raises(TypeError, match=re.escape("lt(0.3) has not one answer for all of [0.2, 0.5]")):
        assert rate < 0.3
    for value in (1 - rate, rate - 1 + 1, rate * 1, 1 * rate, rate / 1, abs(-rate), jnp.asarray(rate), 0 + rate):
        assert float(value) == pytest.approx(0.5)
    with pytest.raises(TypeError):
        float(rate)


@pytest.mark.slow
def test_the_values_of_a_command_are_their_own_runs(folder, capsys):
    many(folder, 2, "learning_rate=0.1,0.01")
    assert "4 runs in one program" in capsys.readouterr().out
    for value in ("0.1", "0.01"):
        path = f"alone_{value}"
        single(folder, 4, path, f"learning_rate={value}")
        assert_same_run(folder / "many" / f"learning_rate={value}" / "seed_4", folder / path)


@pytest.mark.slow
def test_values_of_a_shape_come_one_after_the_other(folder, capsys):
    many(folder, 1, "outputs=1,2")
    assert capsys.readouterr().out.count("1 runs in one program") == 2
    assert len(list((folder / "many").glob("outputs=*/seed_3/results.json"))) == 2
