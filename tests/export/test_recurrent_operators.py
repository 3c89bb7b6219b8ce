"""The operators of ONNX against NumPy's loops in double precision: kinds, directions, masks with holes, states."""

import jax
import numpy as np
import pytest

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
import recurrent_reference as reference  # noqa: E402
from seqjax.errors import UserError  # noqa: E402
from seqjax.export.graph import Graph  # noqa: E402
from seqjax.export.onnx_models import recurrent  # noqa: E402
from seqjax.export.onnx_models.masks import Mask  # noqa: E402
from seqjax.layers import GRU, LSTM, Bidirectional, SimpleRNN, Stacked  # noqa: E402
from seqjax.layers.minimal import MinGRU  # noqa: E402

B, T, D, U = 5, 6, 3, 4
RNG = np.random.default_rng(0)
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1], [1, 0, 1, 0, 0, 1], [0] * 6], bool)
X = RNG.normal(size=(B, T, D)).astype(np.float32)
KINDS = {
    "SimpleRNN": lambda **options: SimpleRNN(U, **options),
    "LSTM": lambda **options: LSTM(U, **options),
    "GRU": lambda **options: GRU(U, **options),
    "GRU before": lambda **options: GRU(U, reset_after=False, **options),
}


def cell(layer, features=D, seed=0):
    gates = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}[type(layer).__name__]
    rng = np.random.default_rng(seed)
    rows = (2,) if getattr(layer, "reset_after", False) else ()
    shapes = {"kernel": (features, gates * U), "recurrent_kernel": (U, gates * U), "bias": (*rows, gates * U)}
    return {"cell": {name: rng.normal(size=size).astype(np.float32) * 0.5 for name, size in shapes.items()}}


def run(layer, params, x, mask=None, state=None, in_front=False):
    """-> (outputs, last, leaves of the final state), by onnxruntime."""
    graph = Graph()
    given = {"x": x}
    fed = graph.input("x", x.dtype, ("batch", "time", None), x.shape)
    if mask is not None:
        given["mask"] = mask
        mask = Mask.of(graph, graph.input("mask", np.bool_, ("batch", "time"), mask.shape), in_front)
    if state is not None:
        leaves, structure = jax.tree.flatten(state)
        names = [f"s{k}" for k in range(len(leaves))]
        given |= dict(zip(names, leaves, strict=True))
        values = [graph.input(name, np.float32, ("batch", None), (1, U)) for name in names]
        state = jax.tree.unflatten(structure, values)
    outputs, last, final = recurrent.run(graph, layer, params, fed, mask, state)
    width = 2 * U if getattr(layer, "merge", "") == "concat" else U
    graph.output("outputs", outputs, ("batch", "time", None), (1, 1, width))
    graph.output("last", last, ("batch", None), (1, width))
    for k, leaf in enumerate(jax.tree.leaves(final)):
        graph.output(f"final{k}", leaf, ("batch", None), (1, U))
    session = onnxruntime.InferenceSession(graph.model("layer").SerializeToString())
    outputs, last, *final = session.run(None, given)
    return outputs, last, final


def expected(layer, params, x, mask=None, state=None):
    return reference.run(type(layer).__name__, params["cell"], x, mask, state, reverse=layer.reverse)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_layer(kind, reverse):
    layer = KINDS[kind](reverse=reverse)
    params, states = cell(layer), 2 if kind == "LSTM" else 1
    begin = [RNG.normal(size=(B, U)).astype(np.float32) for _ in range(states)]
    for mask in (None, MASK):
        for state in (None, begin):
            given = None if state is None else tuple(state) if states > 1 else state[0]
            outputs, last, final = run(layer, params, X, mask, given)
            wanted, wanted_final = expected(layer, params, X, mask, state)
            np.testing.assert_allclose(outputs, wanted, atol=2e-6)
            np.testing.assert_allclose(last, wanted_final[0], atol=2e-6)
            for one, other in zip(final, wanted_final, strict=True):
                np.testing.assert_allclose(one, other, atol=2e-6)


def test_lengths_alone_need_no_sorting():
    layer = GRU(U, reverse=True)
    mask = np.arange(T)[None] < np.array([6, 2, 0, 1, 5])[:, None]
    outputs, last, _ = run(layer, cell(layer), X, mask, in_front=True)
    wanted, final = expected(layer, cell(layer), X, mask)
    np.testing.assert_allclose(outputs, wanted, atol=2e-6)
    np.testing.assert_allclose(last, final[0], atol=2e-6)


def test_what_stands_at_a_masked_step_reaches_nothing():
    layer = LSTM(U)
    lost = np.where(MASK[:, :, None], X, np.nan).astype(np.float32)
    for found, wanted in zip(
        run(layer, cell(layer), lost, MASK)[:2], run(layer, cell(layer), X, MASK)[:2], strict=True
    ):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave"])
def test_both_directions(merge):
    forward, backward = LSTM(U), LSTM(U, reverse=True)
    params = {"forward": cell(forward, seed=1), "backward": cell(backward, seed=2)}
    outputs, last, final = run(Bidirectional(LSTM(U), merge=merge), params, X, MASK)
    (a, a_final), (b, b_final) = (
        expected(*each, X, MASK) for each in zip((forward, backward), params.values(), strict=True)
    )
    join = {
        "concat": lambda a, b: np.concatenate([a, b], -1),
        "sum": lambda a, b: a + b,
        "mul": lambda a, b: a * b,
        "ave": lambda a, b: (a + b) / 2,
    }[merge]
    np.testing.assert_allclose(outputs, join(a, b), atol=3e-6)
    np.testing.assert_allclose(last, join(a_final[0], b_final[0]), atol=3e-6)
    np.testing.assert_allclose(final, [*a_final, *b_final], atol=3e-6)


def test_two_kinds_in_both_directions_and_the_first_reversed():
    """No one operator does that, so two do."""
    for layer, halves in (
        (Bidirectional(GRU(U), backward_layer=SimpleRNN(U)), (GRU(U), SimpleRNN(U, reverse=True))),
        (Bidirectional(GRU(U, reverse=True)), (GRU(U, reverse=True), GRU(U))),
    ):
        params = {"forward": cell(halves[0], seed=1), "backward": cell(halves[1], seed=2)}
        outputs, last, _ = run(layer, params, X, MASK)
        wanted = [expected(*each, X, MASK) for each in zip(halves, params.values(), strict=True)]
        np.testing.assert_allclose(outputs, np.concatenate([one for one, _ in wanted], -1), atol=3e-6)
        np.testing.assert_allclose(last, np.concatenate([final[0] for _, final in wanted], -1), atol=3e-6)


def test_one_above_the_other():
    layers = [GRU(U), LSTM(U, reverse=True)]
    params = {"layers_0": cell(layers[0], seed=1), "layers_1": cell(layers[1], U, seed=2)}
    below, below_final = expected(layers[0], params["layers_0"], X, MASK)
    above, above_final = expected(layers[1], params["layers_1"], below, MASK)
    outputs, last, _ = run(Stacked([GRU(U), LSTM(U, reverse=True)]), params, X, MASK)
    np.testing.assert_allclose(outputs, above, atol=3e-6)
    outputs, last, _ = run(Stacked([GRU(U), LSTM(U, reverse=True)], residual=True), params, X, MASK)
    np.testing.assert_allclose(outputs, above + below, atol=3e-6)
    np.testing.assert_allclose(last, above_final[0] + below_final[0], atol=3e-6)


@pytest.mark.parametrize("name", recurrent.ACTIVATIONS)
def test_activations_are_onnx_s(name):
    """In one step from nothing an Elman cell is its activation; a GRU's second one and an LSTM's are named in order."""
    known = {
        "tanh": np.tanh,
        "sigmoid": reference.sigmoid,
        "relu": lambda x: np.maximum(x, 0),
        "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
        "softsign": lambda x: x / (1 + np.abs(x)),
        "linear": lambda x: x,
    }[name]
    rnn = cell(SimpleRNN(U))
    z = X[:, :1] @ rnn["cell"]["kernel"] + rnn["cell"]["bias"]
    np.testing.assert_allclose(run(SimpleRNN(U, activation=name), rnn, X[:, :1])[0], known(z), atol=2e-6)
    own = cell(LSTM(U))
    i, _, g, o = np.split(X[:, :1] @ own["cell"]["kernel"] + own["cell"]["bias"], 4, -1)
    both = run(
        Bidirectional(LSTM(U, activation="softsign", recurrent_activation=name)),
        {"forward": own, "backward": own},
        X[:, :1],
    )[0]
    soft = lambda x: x / (1 + np.abs(x))
    wanted = known(o) * soft(known(i) * soft(g))
    np.testing.assert_allclose(both, np.concatenate([wanted, wanted], -1), atol=2e-6)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (LSTM(U, peephole="diagonal"), "LSTM with peephole='diagonal'"),
        (GRU(U, layer_norm=True), "GRU with layer_norm=True"),
        (GRU(U, zoneout=0.1), "GRU with zoneout=0.1"),
        (GRU(U, activation=np.tanh), "GRU with an activation of your own"),
        (MinGRU(U), "MinGRU with its own recurrence"),
    ],
)
def test_what_has_no_operator_is_refused_by_name(layer, said):
    with pytest.raises(UserError, match="choices: --to=stablehlo") as refused:
        run(layer, cell(GRU(U)), X)
    assert said in str(refused.value)
