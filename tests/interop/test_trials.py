"""What one model has and the other lacks is found, though it shows on few inputs: masks, bounds, a state of its own."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras_lecture import allowed  # noqa: E402
from seqjax.errors import UserError  # noqa: E402
from seqjax.interop import from_keras, from_torch, to_keras, to_torch  # noqa: E402
from seqjax.interop.trials import Padding, trials  # noqa: E402
from seqjax.layers.composite import Bidirectional  # noqa: E402
from seqjax.layers.recurrent import GRU, LSTM  # noqa: E402
from seqjax.models.classifiers import RecurrentClassifier  # noqa: E402

L = keras.layers
FULL = np.arange(1, 13, dtype=np.int32).reshape(2, 6)  # no padding
VECTORS = np.random.default_rng(0).normal(size=(2, 6, 3)).astype(np.float32)
START: Any = {"recurrent_initializer": "zeros"}


def filled(model):
    """With random weights everywhere."""
    with allowed():
        rng = np.random.default_rng(0)
        model.set_weights([rng.normal(size=w.shape, scale=0.5).astype(w.dtype) for w in model.get_weights()])
    return model


def weights(model):
    return [np.array(variable.value) for variable in model.variables]


def sequential(example, *layers):
    with allowed():
        return filled(keras.Sequential([keras.Input(example.shape[1:], dtype=str(example.dtype)), *layers]))


class Masked(nn.Module):
    """Holds the state where every feature is `value`."""

    layer: nn.Module
    value: float = 0.0

    @nn.compact
    def __call__(self, x):
        return self.layer(x, jnp.any(x != self.value, axis=-1))


@pytest.mark.parametrize("value", [pytest.param(0.0, marks=pytest.mark.slow), -1.0])
def test_a_masking_layer_is_imported_or_refused(value):
    model = sequential(VECTORS, L.Masking(value), L.LSTM(4, **START))
    with pytest.raises(UserError, match=rf"padded with {value:g} .*layer masking\S* of the Keras model masks steps of"):
        from_keras(model, LSTM(4), VECTORS)
    assert from_keras(model, Masked(LSTM(4), value), VECTORS).difference < 1e-5


@pytest.mark.slow
def test_a_mask_of_ids_is_imported_or_refused():
    tail = lambda: [L.Bidirectional(L.LSTM(4, **START)), L.Dense(1)]
    model = sequential(FULL, L.Embedding(20, 5, mask_zero=True), *tail())
    ours = RecurrentClassifier(20, 5, Bidirectional(LSTM(4)), 0.0)
    with pytest.raises(UserError, match=r"padded with 0 at the end: .*masks id 0 \(Embedding with mask_zero\)"):
        from_keras(model, ours, FULL)
    masked = ours.clone(mask_padding=True)
    params, difference = from_keras(model, masked, FULL)
    assert difference < 1e-5
    unmasked = sequential(FULL, L.Embedding(20, 5), *tail())
    before = weights(unmasked)
    with pytest.raises(
        UserError, match="padded with 0 at the end: one of them masks such steps and the other does not"
    ):
        to_keras(params, masked, unmasked, FULL)
    jax.tree.map(np.testing.assert_array_equal, weights(unmasked), before)


@pytest.mark.slow
def test_a_mask_made_by_the_models_own_comparison_is_found():
    with allowed():
        entry = keras.Input((6, 3))
        mask = keras.ops.any(keras.ops.not_equal(entry, -7.0), axis=-1)
        model = filled(keras.Model(entry, L.GRU(4, **START)(entry, mask=mask)))
    with pytest.raises(UserError, match="padded with -7 at the end: one of them masks"):
        from_keras(model, GRU(4), VECTORS)
    assert from_keras(model, Masked(GRU(4), -7.0), VECTORS).difference < 1e-5


def test_a_mask_that_no_input_meets_is_refused():
    """Masking looks at what a dense layer makes, which is never -3 everywhere."""
    model = sequential(VECTORS, L.Dense(3), L.Masking(-3.0), L.LSTM(4, **START))

    class Both(nn.Module):
        @nn.compact
        def __call__(self, x):
            return LSTM(4)(nn.Dense(3)(x))

    with pytest.raises(UserError, match=r"masks steps of -3 \(Masking\), but no step of the inputs that were tried"):
        from_keras(model, Both(), VECTORS)


def test_a_state_of_the_models_own_is_refused_and_left_as_it_was():
    with allowed():
        entry = keras.Input(batch_shape=(2, 6, 3))
        model = filled(keras.Model(entry, L.LSTM(4, stateful=True, **START)(entry)))
    before = weights(model)
    with pytest.raises(UserError, match=r"differ by .*layer lstm\S* of the Keras model is stateful"):
        from_keras(model, LSTM(4), VECTORS)
    jax.tree.map(np.testing.assert_array_equal, weights(model), before)


def test_a_bound_that_only_large_inputs_reach_is_found():
    class Rectified(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.relu(nn.Dense(3)(x))

    model = sequential(VECTORS, L.Dense(3), L.ReLU(max_value=9.0))
    with pytest.raises(UserError, match="on large random inputs: activation"):
        from_keras(model, Rectified(), VECTORS)


def packed(torch, padding_idx=None):
    class Packed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(20, 5, padding_idx=padding_idx)
            self.lstm = torch.nn.LSTM(5, 4, batch_first=True)
            self.last = torch.nn.Linear(4, 1)

        def forward(self, ids):
            lengths = (ids != 0).sum(dim=1).cpu()
            vectors = torch.nn.utils.rnn.pack_padded_sequence(self.embedding(ids), lengths, batch_first=True)
            return self.last(self.lstm(vectors)[1][0][0])

    return Packed()


def test_packed_sequences_of_pytorch_are_a_mask():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    peer, ours = packed(torch, 0), RecurrentClassifier(20, 5, LSTM(4), 0.0)
    with pytest.raises(UserError, match="padded with 0 at the end: one of them masks"):
        from_torch(peer, ours, FULL)
    params, difference = from_torch(peer, ours.clone(mask_padding=True), FULL)
    assert difference < 1e-5
    held = {name: value.clone() for name, value in peer.state_dict().items()}
    with pytest.raises(UserError, match="one of them masks"):
        to_torch(jax.tree.map(lambda p: p + 1, params), ours, peer, FULL)
    assert all(torch.equal(held[name], value) for name, value in peer.state_dict().items())


def test_what_pytorch_changes_or_cannot_run_is_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(UserError, match="layer Embedding of the PyTorch module has max_norm=1"):
        from_torch(torch.nn.Embedding(9, 4, max_norm=1.0), nn.Embed(9, 4), FULL % 9)

    class Broken(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = torch.nn.Linear(3, 4)

        def forward(self, x):
            raise RuntimeError(f"no\nway {self.dense(x).shape}")

    with pytest.raises(UserError, match=r"^the PyTorch module cannot be run on the example inputs: no$"):
        from_torch(Broken(), nn.Dense(4), VECTORS)


def test_padding_keeps_a_step_of_every_row_and_an_id_of_a_set_once():
    found = trials((FULL, VECTORS, np.ones((2, 6), bool)), {"embedding": np.zeros((13, 2))}, Padding((0, 4), True))
    padded = {trial.title: trial.inputs for trial in found if trial.padded}
    assert len(padded) == 6
    for ids, vectors, mask in padded.values():
        assert mask.any(axis=1).all()
        assert not mask.all()
        np.testing.assert_array_equal((vectors == vectors[:, :, :1]).all(axis=-1), ~mask)
        assert np.isin(ids[~mask], (0, 4)).all()
    ids, _, mask = padded["random inputs padded with 0 at the end"]
    np.testing.assert_array_equal(mask.sum(axis=1), [5, 1])
    sets = [trial.inputs for trial in trials(FULL, {"kernel": np.zeros((13, 2))}, Padding()) if trial.padded]
    assert all(len(set(row)) == 6 and 0 in row for (ids,) in [sets] for row in ids.tolist())
