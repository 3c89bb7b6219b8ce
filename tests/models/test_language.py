"""The language model in pieces against itself whole, and 200 steps of it against PyTorch's and Keras's."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from recurrent_reference import apply
from seqjax.data.dataset import Dataset
from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.layers import GRU, LSTM, SimpleRNN, Stacked
from seqjax.models.language import LanguageModel, surprise
from seqjax.training import metrics
from seqjax.training.optimizers import rmsprop
from seqjax.training.program import Program, Settings
from seqjax.training.state import create_state

B, T, V, U = 3, 5, 7, 4
BOTH = {"return_sequences": True, "return_state": True}


def model(cell=LSTM, layers=2, **options):
    return LanguageModel(V, Stacked([cell(U, **BOTH) for _ in range(layers)]), **{"stateful": True, **options})


def drawn(pieces, seed=0):
    return jnp.asarray(np.random.default_rng(seed).integers(1, V, (B, pieces * T)))


@pytest.mark.parametrize("cell", [LSTM, GRU, SimpleRNN])
def test_pieces_with_the_state_handed_on_are_the_whole(cell):
    made, tokens = model(cell, embedding_size=3), drawn(4)
    fresh, going = jnp.ones(B, bool), jnp.zeros(B, bool)
    variables = jax.jit(made.init)(jax.random.key(0), (tokens[:, :T], fresh))
    whole = apply(made, {"params": variables["params"]}, (tokens, fresh))
    carry, found = variables["carry"], []
    for k in range(4):
        piece = (tokens[:, k * T : (k + 1) * T], fresh if k == 0 else going)
        logits, carry = apply(made, {"params": variables["params"], **_in(carry)}, piece, mutable="carry")
        carry, found = carry["carry"], [*found, logits]
    np.testing.assert_allclose(jnp.concatenate(found, axis=1), whole, rtol=1e-5, atol=1e-6)


def _in(carry):
    return {"carry": carry}


def test_rows_that_begin_anew_forget_and_the_others_do_not():
    made, tokens = model(), drawn(2)
    fresh = jnp.array([True, False, True])
    variables = jax.jit(made.init)(jax.random.key(0), (tokens[:, :T], jnp.ones(B, bool)))
    _, carried = apply(made, variables, (tokens[:, :T], jnp.ones(B, bool)), mutable="carry")
    params = {"params": variables["params"]}
    mixed, _ = apply(made, {**params, **carried}, (tokens[:, T:], fresh), mutable="carry")
    anew = apply(made, params, (tokens[:, T:], fresh))
    np.testing.assert_array_equal(mixed[0], anew[0])
    np.testing.assert_array_equal(mixed[2], anew[2])
    assert not np.allclose(mixed[1], anew[1], atol=1e-4)


def test_a_tied_output_is_the_embedding():
    made, tokens = model(embedding_size=U, tied=True), drawn(1)
    params = jax.jit(made.init)(jax.random.key(0), (tokens, jnp.ones(B, bool)))["params"]
    assert "Dense_0" not in params  # widths are equal
    params["bias"] = jnp.arange(V, dtype=jnp.float32)
    hidden, _ = made.clone(parent=None).layer.apply(
        {"params": params["layer"]}, params["Embedding_0"]["embedding"][tokens]
    )
    logits = apply(made, {"params": params}, (tokens, jnp.ones(B, bool)))
    np.testing.assert_allclose(
        logits, hidden @ params["Embedding_0"]["embedding"].T + params["bias"][None, None], atol=1e-5
    )
    other = model(embedding_size=U + 1, tied=True).init(jax.random.key(0), (tokens, jnp.ones(B, bool)))["params"]
    assert other["Dense_0"]["kernel"].shape == (U, U + 1)


def test_a_tied_output_without_an_embedding_is_refused():
    with pytest.raises(UserError, match="tied: there is no embedding"):
        model(tied=True).init(jax.random.key(0), (drawn(1), jnp.ones(B, bool)))


def test_surprise_is_the_sum_of_what_each_symbol_costs():
    made, tokens = model(), drawn(1).at[1, 3:].set(0)
    params = jax.jit(made.init)(jax.random.key(0), (tokens, jnp.ones(B, bool)))["params"]
    nats, counts = surprise(made, params, (tokens, jnp.ones(B, bool)))
    p = jax.nn.softmax(apply(made, {"params": params}, (tokens, jnp.ones(B, bool))))
    expected = [sum(-np.log(p[b, t, tokens[b, t + 1]]) for t in range(n - 1)) for b, n in enumerate((T, 3, T))]
    np.testing.assert_allclose(nats, expected, rtol=1e-5)
    assert list(counts) == [T - 1, 2, T - 1]


def streams(pieces=6):
    """A dataset of B streams of `pieces` pieces, all parts alike."""
    tokens = np.random.default_rng(1).integers(1, V, (B, pieces * T + 1)).astype(np.int32)
    inputs = np.concatenate([tokens[:, k * T : (k + 1) * T] for k in range(pieces)])
    targets = np.concatenate([tokens[:, k * T + 1 : (k + 1) * T + 1] for k in range(pieces)])
    fresh = np.arange(len(inputs)) < B
    ids = np.arange(len(inputs), dtype=np.int32)
    return tokens, Dataset(
        arrays={"inputs": inputs, "targets": targets, "fresh": fresh},
        gather=lambda arrays, ids: ((arrays["inputs"][ids], arrays["fresh"][ids]), arrays["targets"][ids]),
        parts={"train": ids, "validation": ids, "test": ids},
        description="streams",
        fingerprint="streams",
        ordered=True,
    )


def experiment(made, optimizer):
    loss = metrics.token_cross_entropy
    return Experiment(None, made, loss, {"nats": loss}, optimizer, epochs=2, batch_size=B, seed=0)


def test_evaluation_carries_the_state_through_a_part_whatever_a_dispatch_holds():
    tokens, dataset = streams()
    made = experiment(model(), optax.sgd(0.1))
    params = create_state(made, dataset.example()).params
    whole = made.model.apply({"params": params}, (tokens[:, :-1], np.ones(B, bool)))
    expected = -np.mean(np.take_along_axis(jax.nn.log_softmax(whole), tokens[:, 1:, None], axis=2))
    for dispatched in (1, 4):
        found = Program(made, dataset, Settings(dispatched)).evaluate(params, "test")
        assert found["nats"] == pytest.approx(float(expected), rel=1e-5)


def test_training_hands_the_state_on_and_restores_it_to_the_bit(tmp_path):
    from seqjax.training.checkpoint import Checkpoints

    _, dataset = streams()
    made = experiment(model(), optax.sgd(0.1))
    program = Program(made, dataset, Settings(1))
    begin = lambda: program.place(create_state(made, dataset.example(), None, dataset.target()))
    state = begin()
    for batch in program.batches("train", 0, 4, 0):
        state, _ = program.train(state, batch)
    checkpoints = Checkpoints(tmp_path / "latest")
    checkpoints.save(4, state)
    checkpoints.wait()
    _, restored = checkpoints.restore(begin())
    checkpoints.close()
    assert any(np.any(leaf) for leaf in jax.tree.leaves(restored.carry))
    for batch in program.batches("train", 4, 9, 0):
        state, _ = program.train(state, batch)
        restored, _ = program.train(restored, batch)
    raw = lambda s: jax.tree.leaves(s.replace(key=jax.random.key_data(s.key)))
    for one, two in zip(raw(state), raw(restored), strict=True):
        np.testing.assert_array_equal(one, two)
    forgetful = dataclasses.replace(made, model=model(stateful=False))
    other = program.place(create_state(forgetful, dataset.example(), None, dataset.target()))
    blind = Program(forgetful, dataset, Settings(1))
    for batch in blind.batches("train", 0, 9, 0):
        other, _ = blind.train(other, batch)
    assert not np.allclose(jax.tree.leaves(other.params)[-1], jax.tree.leaves(state.params)[-1], atol=1e-6)


def our_losses(steps, optimizer):
    """-> dataset, the first parameters, the loss of each step: LSTM 4 over one-hot symbols, state carried."""
    _, dataset = streams()
    made = experiment(model(layers=1), optimizer)
    program = Program(made, dataset, Settings(1))
    state = program.place(create_state(made, dataset.example(), None, dataset.target()))
    first, losses = jax.device_get(state.params), []
    for batch in program.batches("train", 0, steps, 0):
        before = float(state.sums["loss"]), float(state.sums["loss count"])
        state, _ = program.train(state, batch)
        losses.append((float(state.sums["loss"]) - before[0]) / (float(state.sums["loss count"]) - before[1]))
    return dataset, first, losses


def rows(dataset, step):
    """Inputs and targets [B, T] of a step."""
    place = slice(step % 6 * B, (step % 6 + 1) * B)
    return dataset.arrays["inputs"][place].astype(np.int64), dataset.arrays["targets"][place].astype(np.int64)


@pytest.mark.slow
def test_200_steps_are_those_of_pytorch():
    """The state is detached between batches."""
    torch = pytest.importorskip("torch")
    dataset, first, ours = our_losses(200, optax.adam(1e-2, eps=1e-7))
    lstm, dense = torch.nn.LSTM(V, U, batch_first=True), torch.nn.Linear(U, V)
    flat = {"/".join(k.key for k in path): np.array(leaf) for path, leaf in jax.tree.leaves_with_path(first)}
    as_torch = lambda array: torch.from_numpy(np.array(array, np.float32))
    with torch.no_grad():
        for name, leaf in (("weight_ih_l0", "kernel"), ("weight_hh_l0", "recurrent_kernel"), ("bias_ih_l0", "bias")):
            found = next(value for path, value in flat.items() if path.endswith(f"cell/{leaf}"))
            getattr(lstm, name).copy_(as_torch(found.T))
        lstm.bias_hh_l0.zero_()
        lstm.bias_hh_l0.requires_grad_(False)
        dense.weight.copy_(as_torch(flat["Dense_0/kernel"].T))
        dense.bias.copy_(as_torch(flat["Dense_0/bias"]))
    trained = [p for p in (*lstm.parameters(), *dense.parameters()) if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=1e-2, eps=1e-7)
    theirs, hidden = [], None
    for k in range(200):
        inputs, targets = (torch.from_numpy(array) for array in rows(dataset, k))
        hidden = None if k % 6 == 0 else tuple(part.detach() for part in hidden)
        outputs, hidden = lstm(torch.nn.functional.one_hot(inputs, V).float(), hidden)
        loss = torch.nn.functional.cross_entropy(dense(outputs).reshape(-1, V), targets.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        theirs.append(loss.item())
    np.testing.assert_allclose(ours, theirs, rtol=2e-4)
    assert theirs[-1] < theirs[0] - 0.2  # it learns


@pytest.mark.slow
@jax.numpy_rank_promotion("allow")  # Keras relies on it
def test_200_steps_are_those_of_keras():
    """The state is fed and read: on JAX, Keras 3.15's own `stateful` does not move in `train_on_batch`."""
    keras = pytest.importorskip("keras")
    dataset, first, ours = our_losses(200, rmsprop(1e-2))
    given = [keras.Input((T, V)), keras.Input((U,)), keras.Input((U,))]
    lstm = keras.layers.LSTM(U, return_sequences=True, return_state=True)
    outputs, *after = lstm(given[0], initial_state=given[1:])
    trained, moved = keras.Model(given, keras.layers.Dense(V)(outputs)), keras.Model(given, after)
    flat = {"/".join(k.key for k in path): np.array(leaf) for path, leaf in jax.tree.leaves_with_path(first)}
    cell = {path.rsplit("/", 1)[1]: value for path, value in flat.items() if "/cell/" in path}
    dense = [flat["Dense_0/kernel"], flat["Dense_0/bias"]]
    trained.set_weights([cell["kernel"], cell["recurrent_kernel"], cell["bias"], *dense])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained.compile(keras.optimizers.RMSprop(1e-2), loss)
    theirs = []
    for k in range(200):
        inputs, targets = rows(dataset, k)
        state = [np.zeros((B, U), np.float32)] * 2 if k % 6 == 0 else after
        fed = [np.eye(V, dtype=np.float32)[inputs], *state]
        after = moved.predict_on_batch(fed)
        theirs.append(float(trained.train_on_batch(fed, targets)))
        trained.reset_metrics()
    np.testing.assert_allclose(ours, theirs, rtol=2e-4)
