"""The encoder-decoder against PyTorch, a step at a time against all at once, and what must change nothing."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seqjax.errors import UserError
from seqjax.models.translate import Translate
from seqjax.models.translation import Translator
from seqjax.training import metrics
from torch_translators import translator

S, T, V = 5, 6, 9
SOURCE = np.array([[4, 5, 6, 7, 3], [8, 3, 0, 0, 0], [5, 5, 7, 3, 0]], np.int32)
TARGET = np.array([[2, 4, 5, 6, 7, 8, 3], [2, 8, 3, 0, 0, 0, 0], [2, 5, 4, 7, 3, 0, 0]], np.int32)
INPUTS, TARGETS = (SOURCE, TARGET[:, :-1]), TARGET[:, 1:]
KINDS = {
    "additive": {},
    "additive, feeding": {"feeding": True},
    "dot, tied": {"attention": "dot", "tied": True},
    "general, feeding, lstm": {"attention": "general", "feeding": True, "cell": "lstm"},
    "none": {"attention": "none"},
    "none, feeding": {"attention": "none", "feeding": True},
}
CLOSE = {"rtol": 1e-5, "atol": 1e-6}  # the state that a layer hands on is in single precision
QUICK = ("additive", "additive, feeding")
every_kind = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in QUICK else pytest.mark.slow) for kind in KINDS]
)


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


def model_of(kind, **options):
    return Translator(V, V, embedding_size=4, units=5, **KINDS[kind], **options)


@functools.cache
def start(kind):
    """The model and random parameters in double precision: initial ones would leave the biases at zero."""
    model, rng = model_of(kind), np.random.default_rng(1)
    shapes = jax.eval_shape(model.init, {"params": jax.random.key(0)}, INPUTS)["params"]
    return model, jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape) / 2), shapes)


def loss_of(model, params, smoothing=0.1):
    sums, counts = metrics.smoothed_token_cross_entropy(model.apply({"params": params}, INPUTS), TARGETS, smoothing)
    return sums.sum() / counts.sum()


def torch_loss(torch, module, smoothing=0.1):
    logits = module(*(torch.tensor(array.astype(np.int64)) for array in INPUTS))
    lossed = torch.nn.CrossEntropyLoss(ignore_index=0, label_smoothing=smoothing)
    return lossed(logits.transpose(1, 2), torch.tensor(TARGETS.astype(np.int64))), logits


@every_kind
def test_logits_loss_and_gradients_are_those_of_pytorch(kind):
    torch = pytest.importorskip("torch")
    model, params = start(kind)
    module = translator(torch, model, params)
    loss, logits = torch_loss(torch, module)
    loss.backward()
    ours = jax.jit(lambda params: model.apply({"params": params}, INPUTS).dense())(params)
    real = TARGETS != 0
    np.testing.assert_allclose(ours[real], logits.detach().numpy()[real], **CLOSE)
    value, gradients = jax.jit(jax.value_and_grad(functools.partial(loss_of, model)))(params)
    np.testing.assert_allclose(value, loss.item(), rtol=1e-6)
    for side in ("source", "target"):
        theirs = getattr(module, side).grad.numpy()
        np.testing.assert_allclose(gradients[f"{side}_embedding"]["embedding"], theirs, **CLOSE)
    np.testing.assert_allclose(gradients["bridge"]["kernel"], module.dense["bridge_kernel"].grad.numpy(), **CLOSE)


def follow(torch, kind, steps):
    """The losses of both over some steps of Adam."""
    model, params = start(kind)
    module = translator(torch, model, params)
    theirs, optimizer = [], torch.optim.Adam([p for p in module.parameters() if p.requires_grad], 1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        loss, _ = torch_loss(torch, module)
        loss.backward()
        optimizer.step()
        theirs.append(loss.item())
    adam = optax.adam(1e-2)

    def step(carry, _):
        params, state = carry
        loss, gradients = jax.value_and_grad(functools.partial(loss_of, model))(params)
        updates, state = adam.update(gradients, state)
        return (optax.apply_updates(params, updates), state), loss

    return jax.jit(lambda c: jax.lax.scan(step, c, None, steps)[1])((params, adam.init(params))), theirs


@pytest.mark.slow
@every_kind
def test_two_hundred_steps_follow_pytorch(kind):
    ours, theirs = follow(pytest.importorskip("torch"), kind, 200)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    assert theirs[-1] < 0.7 * theirs[0]


@every_kind
def test_a_step_at_a_time_gives_what_all_at_once_gives(kind):
    model, params = start(kind)
    apply = functools.partial(model.apply, {"params": params})
    whole, encoded = jax.jit(lambda: (apply(INPUTS).dense(), apply(SOURCE, method="encode")))()
    looking = model.attention != "none"
    alignment = jax.jit(lambda: apply(INPUTS, method="alignment"))() if looking else None
    step = jax.jit(functools.partial(apply, method="step"))
    state = encoded.state
    for t in range(T):
        state, logits, weights = step(encoded, state, INPUTS[1][:, t])
        np.testing.assert_allclose(logits, whole[:, t], **CLOSE)
        if looking:
            np.testing.assert_allclose(weights.sum(axis=1), 1)
            np.testing.assert_allclose(weights, alignment[:, t], **CLOSE)


@every_kind
def test_padding_changes_nothing(kind):
    model, params = start(kind)
    wider = tuple(np.pad(array, ((0, 0), (0, 3))) for array in INPUTS)
    apply = jax.jit(lambda inputs: model.apply({"params": params}, inputs).dense())
    np.testing.assert_allclose(apply(wider)[:, :T], apply(INPUTS), **CLOSE)
    alone = apply((SOURCE[1:2, :2], INPUTS[1][1:2, :2]))
    np.testing.assert_allclose(alone[0], apply(INPUTS)[1, :2], **CLOSE)


@every_kind
def test_rows_of_a_beam_look_at_their_own_source(kind):
    model, params = start(kind)
    apply, tokens = functools.partial(model.apply, {"params": params}), np.array([4, 5, 6, 7, 8, 3], np.int32)
    encoded = jax.jit(functools.partial(apply, method="encode"))(SOURCE)
    step = jax.jit(functools.partial(apply, method="step"))
    twice = jax.tree.map(lambda leaf: jnp.repeat(leaf, 2, axis=0), encoded.state)
    _, logits, _ = step(encoded, twice, tokens)
    for k in (0, 1):
        _, own, _ = step(encoded, encoded.state, tokens[k::2])
        np.testing.assert_allclose(logits[k::2], own, **CLOSE)


@every_kind
def test_an_answer_is_what_the_model_says_of_it(kind):
    """The scores of translations are the log-probabilities that the model gives when it is fed them."""
    model, params = start(kind)
    apply = jax.jit(lambda inputs: model.apply({"params": params}, inputs).dense())
    for answer in (Translate(max_length=8), Translate(beam=4, n_best=3, max_length=8)):
        found = jax.jit(answer, static_argnums=0)(model, params, (SOURCE, TARGET[:, :1]))
        tokens = np.asarray(found["tokens"])
        assert not set(tokens[tokens != 0]) & {1, 2}
        for n in range(answer.n_best):
            before = np.concatenate([np.full((len(SOURCE), 1), 2), tokens[:, n, :-1]], axis=1)
            logits = apply((SOURCE, before))
            own = np.take_along_axis(jax.nn.log_softmax(logits), tokens[:, n][:, :, None], axis=-1)[:, :, 0]
            np.testing.assert_allclose(
                np.where(tokens[:, n] != 0, own, 0).sum(axis=1), found["scores"][:, n], rtol=1e-6
            )
        assert (np.diff(found["scores"], axis=1) <= 0).all() or answer.alpha > 0


def test_dropout_acts_in_training_alone():
    model, (_, params) = model_of("additive", dropout=0.5), start("additive")
    apply = jax.jit(
        lambda **options: model.apply({"params": params}, INPUTS, **options).dense(), static_argnames="train"
    )
    plain = jax.jit(lambda: model_of("additive").apply({"params": params}, INPUTS).dense())
    np.testing.assert_array_equal(apply(), plain())
    drawn = [apply(train=True, rngs={"dropout": jax.random.key(k)}) for k in (0, 0, 1)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.abs(drawn[0] - drawn[2]).max() > 0.01


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"attention": "bahdanau"}, "attention='bahdanau': choose one of none, additive, dot, general"),
        ({"cell": "rnn"}, "cell='rnn': choose one of gru, lstm"),
        ({"dropout": 1.0}, "dropout=1.0 is not in"),
        ({"units": 0}, "units must be"),
    ],
)
def test_wrong_options_are_named(options, said):
    with pytest.raises(UserError, match=said):
        Translator(V, V, **{"units": 5, **options}).init(jax.random.key(0), INPUTS)


def test_without_attention_there_is_no_alignment():
    model, params = start("none")
    with pytest.raises(UserError, match="attention=none: there is no alignment"):
        model.apply({"params": params}, INPUTS, method="alignment")
