"""A model that answers step by step: the same numbers however the stream is cut, and those of whole sequences."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.data.dataset import Step
from seqjax.errors import UserError
from seqjax.layers.composite import Bidirectional, Stacked
from seqjax.layers.recurrent import GRU, LSTM, RNN, SimpleRNN
from seqjax.models.forecasters import RecurrentForecaster
from seqjax.models.language import LanguageModel
from seqjax.runs import streaming
from seqjax.runs.streaming import Engine, check_causal

STEPS = 90
OPTIONS: Any = {"return_sequences": True, "return_state": True}
exact = np.testing.assert_array_equal


@dataclasses.dataclass
class Steps:
    """Steps that are at hand."""

    carried: bool
    example: Any
    header: str = ""


def steps_of(carried, example) -> Any:
    return Steps(carried, example)


def of_ids():
    return steps_of(True, np.int32(1))


def language(layer) -> Any:
    """-> (model, params, ids [1, T])."""
    model = LanguageModel(7, layer)
    ids = jax.random.randint(jax.random.key(1), (1, STEPS), 1, 7)
    return model, jax.jit(model.init)(jax.random.key(0), (ids, jnp.ones(1, bool)))["params"], ids


def chunked(engine, steps, size):
    return np.array([output for at in range(0, len(steps), size) for output in engine.feed(steps[at : at + size])])


MODELS = {
    "lstm": lambda: LSTM(16, **OPTIONS),
    "padded gru": lambda: GRU(5, **OPTIONS),
    "simple_rnn by scan": lambda: SimpleRNN(6, backend="scan", **OPTIONS),
    "stacked": lambda: Stacked([GRU(4, **OPTIONS), LSTM(5, **OPTIONS)], residual=False),
    "a cell of one's own": lambda: RNN(nn.GRUCell(6), **OPTIONS),
}


@pytest.mark.parametrize("name", MODELS)
def test_answers_do_not_depend_on_how_the_stream_is_cut(name, toy_experiment):
    model, params, ids = language(MODELS[name]())
    experiment = dataclasses.replace(toy_experiment, model=model)
    steps = [Step(np.int32(k)) for k in ids[0]]
    engine = Engine(experiment, params, of_ids())
    found = {}
    for size in (1, 7, 64, STEPS):
        engine.states.clear()
        found[size] = chunked(engine, steps, size)
        exact(found[size], found[1])
    whole, state = model.apply({"params": params}, ids, method="run")
    np.testing.assert_allclose(found[1], whole[0], rtol=1e-5, atol=1e-6)  # Dense over all steps: other products
    jax.tree.map(exact, engine.states[""], state)  # but the same states, to the last bit
    assert np.ptp(found[1]) > 0.1


def test_sequences_of_several_keys_are_each_as_alone(toy_experiment):
    model, params, ids = language(LSTM(4, **OPTIONS))
    engine = Engine(dataclasses.replace(toy_experiment, model=model), params, of_ids())
    alone = {}
    for key, own in (("a", ids[0, :20]), ("b", ids[0, 20:40])):
        alone[key] = engine.feed([Step(np.int32(k), key=key) for k in own])
    engine.states.clear()
    mixed = [
        Step(np.int32(k), key=key)
        for pair in zip(ids[0, :20], ids[0, 20:40], strict=True)
        for key, k in zip("ab", pair, strict=True)
    ]
    found = engine.feed(mixed)
    exact(found[0::2], alone["a"])
    exact(found[1::2], alone["b"])


def test_the_longest_silent_sequence_is_forgotten_and_that_is_said(toy_experiment, monkeypatch, caplog):
    monkeypatch.setattr(streaming, "MOST_KEYS", 2)
    model, params, _ = language(LSTM(4, **OPTIONS))
    engine = Engine(dataclasses.replace(toy_experiment, model=model), params, of_ids())
    engine.feed([Step(np.int32(1), key=key) for key in ("a", "b", "a", "c", "d")])
    assert list(engine.states) == ["c", "d"]
    assert engine.forgotten == 2
    assert caplog.text.count("forgotten") == 1


def test_a_window_is_an_example_by_itself_and_its_answer_the_models(toy_experiment):
    model = RecurrentForecaster(Bidirectional(LSTM(4)))  # within a window a model may read both ways
    windows = np.random.default_rng(0).normal(size=(20, 6, 3)).astype(np.float32)
    params = jax.jit(model.init)(jax.random.key(0), windows)["params"]
    engine = Engine(dataclasses.replace(toy_experiment, model=model), params, steps_of(False, windows[0]))
    whole: Any = model.apply({"params": params}, windows)
    steps = [Step(window) for window in windows]
    found = {size: chunked(engine, steps, size) for size in (1, 7, 20)}
    exact(found[7], found[1])
    exact(found[20], found[1])
    np.testing.assert_allclose(found[1], whole, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        Bidirectional(LSTM(4, **OPTIONS)),
        Stacked([LSTM(4, **OPTIONS), Bidirectional(GRU(4, **OPTIONS))]),
        LSTM(4, reverse=True, **OPTIONS),
        RNN(nn.GRUCell(4), reverse=True, **OPTIONS),
    ],
)
def test_what_reads_from_the_end_is_refused(layer):
    with pytest.raises(UserError, match="LanguageModel has a layer that reads from the end"):
        check_causal(LanguageModel(7, layer))


def test_a_model_that_keeps_no_state_is_refused():
    with pytest.raises(UserError, match="RecurrentForecaster does not hand its state on"):
        check_causal(RecurrentForecaster(LSTM(4)))


def test_states_are_kept_to_the_last_bit(toy_experiment):
    model, params, ids = language(Stacked([GRU(4, **OPTIONS), LSTM(5, **OPTIONS)]))
    experiment = dataclasses.replace(toy_experiment, model=model)
    steps = [Step(np.int32(k), key="b") for k in ids[0, :20]]
    one, two = (Engine(experiment, params, of_ids()) for _ in range(2))
    before = one.feed([*steps[:9], Step(np.int32(3), key=7)])
    two.restore(*one.state())
    assert list(two.states) == ["b", 7]
    exact(one.feed(steps[9:]), two.feed(steps[9:]))
    assert two.steps == 21
    assert len(before) == 10
    about, arrays = one.state()
    for broken in ({**arrays, "state_0": arrays["state_0"][:, :, :2]}, {}):
        with pytest.raises((LookupError, ValueError)):
            two.restore(about, broken)
