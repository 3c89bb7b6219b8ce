"""seqjax.interop: what differs is named and refused."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

keras = pytest.importorskip("keras")
from interop_pairs import IDS, START, VECTORS, L, keras_model  # noqa: E402
from seqjax.errors import UserError  # noqa: E402
from seqjax.interop import (  # noqa: E402
    Adapter,
    from_keras,
    from_torch,
    to_torch,
)
from seqjax.layers.composite import Bidirectional  # noqa: E402
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN  # noqa: E402
from seqjax.models.classifiers import RecurrentClassifier  # noqa: E402


def test_what_does_not_compute_the_same_is_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(UserError, match=r"the outputs of the module and of the PyTorch module differ by .*activation"):
        from_torch(torch.nn.RNN(3, 4, batch_first=True), SimpleRNN(4, True, activation="sigmoid"), VECTORS)
    broken = torch.nn.Linear(3, 4)
    torch.nn.init.constant_(broken.bias, float("nan"))
    with pytest.raises(UserError, match="differ by nan"):
        from_torch(broken, nn.Dense(4), VECTORS)
    with pytest.raises(UserError, match=r"output of shape \(2, 4\), but the PyTorch module \(2, 6, 4\)"):
        from_torch(torch.nn.LSTM(3, 4, batch_first=True), LSTM(4), VECTORS)


def test_padding_that_only_one_side_masks_is_found():
    """Weights of a masked Keras model fit the unmasked module: only the outputs tell."""
    embedding, lstm = L.Embedding(20, 5, mask_zero=True), L.Bidirectional(L.LSTM(4, **START))
    model = keras_model(lambda: [embedding, lstm, L.Dense(1)], IDS)
    padded = np.array([[3, 4, 5, 0, 0, 0], [1, 0, 0, 0, 0, 0]], np.int32)
    with pytest.raises(UserError, match="mask"):
        from_keras(model, RecurrentClassifier(20, 5, Bidirectional(LSTM(4)), 0.0), padded)
    masked = RecurrentClassifier(20, 5, Bidirectional(LSTM(4)), 0.0, mask_padding=True)
    assert from_keras(model, masked, padded).difference < 1e-6


def test_structures_that_differ_are_named():
    torch = pytest.importorskip("torch")
    t = torch.nn
    for peer, module, message in (
        (t.LSTM(3, 5), LSTM(4), r"layer LSTM/l0 .* has kernel \[3, 20\], but layer cell of the module has \[3, 16\]"),
        (
            t.GRU(3, 4),
            GRU(4, reset_after=False),
            r"bias \[2, 12\], but layer cell .* \[12\]; a GRU has two rows of bias",
        ),
        (t.GRU(3, 4), LSTM(4), r"kernel \[3, 12\], but .* \[3, 16\]"),
        (t.GRU(3, 4), LSTM(3, peephole="full"), r"recurrent_kernel \[4, 12\], but"),
        (t.LSTM(3, 4), LSTM(4, peephole="full"), r"has no peephole_kernel, but layer cell .* has \[4, 4\]"),
        (t.LSTM(3, 4, num_layers=2), LSTM(4), r"layer LSTM/l1 .*kernel \[4, 16\].* is one too many"),
        (t.LSTM(3, 4), Bidirectional(LSTM(4)), r"layer backward/cell .*kernel \[3, 16\].* has no counterpart"),
        (t.Linear(3, 4), nn.Dense(4, use_bias=False), r"has bias \[4\], but .* has none"),
        (t.LayerNorm(3), nn.Dense(4), "a LayerNorm with weight, bias, is not known here"),
        (t.LSTM(3, 4, proj_size=2), LSTM(4), "proj_size=2; only 0"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            from_torch(peer, module, VECTORS, Adapter(outputs=lambda y: y))
        assert "\n" not in str(caught.value)


def test_structures_that_differ_from_keras_are_named():
    model = keras_model(lambda: [L.Dense(4), L.BatchNormalization()], VECTORS)
    with pytest.raises(UserError, match=r"layer batch_norm.* of the Keras model \(gamma \[4\].* is one too many"):
        from_keras(model, nn.Dense(4), VECTORS)
    with pytest.raises(UserError, match=r"has kernel \[3, 4\], but layer \(the module itself\) .* has \[3, 5\]"):
        from_keras(model, nn.Dense(5), VECTORS)

    class Composite(L.Layer):
        def build(self, shape):
            self.first, self.second = L.Dense(3), L.Dense(3)
            self.first.build(shape)
            self.second.build(shape)

        def call(self, x):
            return self.second(self.first(x))

    with pytest.raises(UserError, match="a Composite, is made of layers not known here"):
        from_keras(keras_model(lambda: [Composite()], VECTORS), nn.Dense(3), VECTORS)


def test_a_missing_bias_is_zero_and_nothing_else():
    torch = pytest.importorskip("torch")
    peer = torch.nn.LSTM(3, 4, bias=False, batch_first=True)
    module = LSTM(4, return_sequences=True)
    params = from_torch(peer, module, VECTORS).params
    np.testing.assert_array_equal(params["cell"]["bias"], np.zeros(16))
    assert to_torch(params, module, peer, VECTORS) < 1e-6
    before = peer.weight_ih_l0.clone()
    changed = jax.tree.map(lambda p: p + 1, params)
    with pytest.raises(UserError, match=r"layer cell of the module has a bias that is not zero, but layer LSTM/l0"):
        to_torch(changed, module, peer, VECTORS)
    assert torch.equal(before, peer.weight_ih_l0)


def test_parameters_of_another_module_are_not_exported():
    torch = pytest.importorskip("torch")
    params = nn.Dense(4).init(jax.random.key(0), VECTORS)["params"]
    peer = torch.nn.Linear(3, 4)
    with pytest.raises(UserError, match="params lacks kernel; it has params/"):
        to_torch({"params": params}, nn.Dense(4), peer, VECTORS)
    with pytest.raises(UserError, match=r"kernel of params is \[3, 4\], but \[3, 5\] is wanted"):
        to_torch(params, nn.Dense(5), peer, VECTORS)
    with pytest.raises(UserError, match="params has extra, which is not wanted"):
        to_torch({**params, "extra": jnp.ones(1)}, nn.Dense(4), peer, VECTORS)
