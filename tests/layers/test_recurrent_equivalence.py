"""The layers against NumPy, Keras 3, PyTorch and Flax, from the same weights: outputs, states and gradients.

All in float64 and to 1e-10. "Gradients" are those of a random projection of all real outputs and final states, for
inputs, weights and initial state. The quick tests have fixed cases, chosen so that every kind meets recurrent dropout,
both directions, padding and rows without a real step; the slow one draws many. `scan` is tested here; `test_fused.py`
shows that the other backends equal it.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from hypothesis import given, settings
from hypothesis import strategies as st

import recurrent_reference as reference
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import GRU, LSTM, RNN, SimpleRNN

KINDS = {
    "SimpleRNN": (SimpleRNN, {}),
    "LSTM": (LSTM, {}),
    "GRU": (GRU, {}),
    "GRU before": (GRU, {"reset_after": False}),
}
FLAX = {"SimpleRNN": nn.SimpleCell, "LSTM": nn.OptimizedLSTMCell, "GRU": nn.GRUCell}
TOLERANCE = 1e-10


@dataclasses.dataclass(frozen=True)
class Case:
    """The shape of a problem, whose numbers follow from the seed, and what the layer is to do."""

    lengths: tuple[int, ...]
    """Real steps of each row."""
    reverse: bool = False
    dropped: bool = False
    seed: int = 0
    time: int = 5
    features: int = 3
    units: int = 4

    @property
    def mask(self):
        """[B, T]: the rows are padded on the right."""
        return np.arange(self.time)[None] < np.array(self.lengths)[:, None]


FORWARD, BACKWARD = Case((5, 0, 1, 3), dropped=True), Case((0, 4, 5, 2), reverse=True, seed=1)
NEVER_EMPTY = Case((5, 1, 3, 2), seed=2)
each_kind = pytest.mark.parametrize("kind", KINDS)
each_way = pytest.mark.parametrize("case", [FORWARD, BACKWARD], ids=["forward", "backward"])


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


@st.composite
def cases(draw, least):
    """Any case whose rows have at least so many real steps."""
    time = draw(st.integers(max(1, least), 8))
    lengths = draw(st.lists(st.integers(least, time), min_size=1, max_size=5))
    sizes = [draw(st.integers(1, 6)) for _ in ("features", "units")]
    return Case(tuple(lengths), draw(st.booleans()), draw(st.booleans()), draw(st.integers(0, 999)), time, *sizes)


def gates(kind):
    return reference.STEPS[kind.split()[0]][1]


def weights(kind, case, seed=0):
    """Random parameters of one layer, by name."""
    rng = np.random.default_rng((case.seed, seed))
    width = gates(kind) * case.units
    bias = (2, width) if kind == "GRU" else (width,)
    shapes = {"kernel": (case.features, width), "recurrent_kernel": (case.units, width), "bias": bias}
    return {name: rng.normal(size=shape) * 0.5 for name, shape in shapes.items()}


def problem(kind, case):
    """inputs, initial state (a list), and the random projections of outputs and states."""
    rng = np.random.default_rng((case.seed, 9))
    batch, states = len(case.lengths), reference.STEPS[kind.split()[0]][2]
    inputs = rng.normal(size=(batch, case.time, case.features))
    state = [rng.normal(size=(batch, case.units)) for _ in range(states)]
    projections = [rng.normal(size=(batch, case.time, case.units)), *(rng.normal(size=s.shape) for s in state)]
    return inputs, state, projections


def drops(kind, case, masks):
    """So many random masks of recurrent dropout."""
    return np.random.default_rng((case.seed, 7)).random((masks, len(case.lengths), case.units)) * 2


def as_list(state):
    return list(state) if isinstance(state, tuple) else [state]


def with_gradients(run, mask, projections, *arguments):
    """-> (what `run` gives, [outputs, *states]; the gradients, for each argument, of the random projection)."""

    def loss(*arguments):
        results = run(*arguments)
        weighted = [jnp.where(mask[:, :, None], results[0], 0), *results[1:]]
        return sum((p * r).sum() for p, r in zip(projections, weighted, strict=True)), results

    function = jax.jit(jax.value_and_grad(loss, argnums=tuple(range(len(arguments))), has_aux=True))
    (_, results), gradients = function(*jax.tree.map(jnp.asarray, arguments))
    return results, gradients


def ours(kind, case, mask, drop=None):
    """-> ([outputs, *states], (gradients of parameters by name, of inputs, of the initial states))."""
    make, fields = KINDS[kind]
    options = {"return_sequences": True, "return_state": True, "param_dtype": jnp.float64, "backend": "scan"}
    layer = make(case.units, reverse=case.reverse, **options, **fields)
    drop = None if drop is None else jnp.asarray(drop)

    def run(parameters, inputs, state):
        carry = tuple(state) if len(state) > 1 else state[0]
        variables = {"params": {"cell": parameters}}
        y, final = layer.apply(variables, inputs, jnp.asarray(mask), carry, recurrent_mask=drop)
        return [y, *as_list(final)]

    inputs, state, projections = problem(kind, case)
    return with_gradients(run, mask, projections, weights(kind, case), inputs, state)


def close(actual, expected):
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=0, atol=TOLERANCE * scale)


def all_close(actual, expected):
    """Of any structure, which must be the same."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    jax.tree.map(close, actual, expected)


def real(results, mask):
    """With zeros at padded steps, where libraries differ."""
    return [np.where(mask[:, :, None], results[0], 0), *results[1:]]


@each_kind
@each_way
def test_numpy(kind, case):
    check_numpy(kind, case)


def check_numpy(kind, case):
    """Any mask, recurrent dropout masks tied or not; gradients by central differences."""
    rng = np.random.default_rng(case.seed)
    mask = case.mask & (rng.random(case.mask.shape) < 0.7)
    drop = drops(kind, case, gates(kind) if case.dropped else 1)
    parameters, (inputs, state, projections) = weights(kind, case), problem(kind, case)

    def expected(parameters, inputs, state):
        y, final = reference.run(kind.split()[0], parameters, inputs, mask, state, drop, case.reverse)
        return [y, *final]

    def loss(*arguments):
        return sum((p * r).sum() for p, r in zip(projections, real(expected(*arguments), mask), strict=True))

    arguments = (parameters, inputs, state)
    results, gradients = ours(kind, case, mask, drop)
    all_close(results, expected(*arguments))
    direction = jax.tree.map(lambda a: rng.normal(size=a.shape), arguments)
    nudged = lambda e: jax.tree.map(lambda a, d: a + e * d, arguments, direction)
    slope = (loss(*nudged(1e-5)) - loss(*nudged(-1e-5))) / 2e-5
    along = jax.tree.map(lambda g, d: float((np.asarray(g) * d).sum()), gradients, direction)
    assert sum(jax.tree.leaves(along)) == pytest.approx(slope, rel=1e-6, abs=1e-6)


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


def swap_z_and_r(array):
    """PyTorch's GRU has the order r, z, n; ours is z, r, h. On the last axis, there or back."""
    first, second, third = np.split(np.asarray(array), 3, axis=-1)
    return np.concatenate([second, first, third], axis=-1)


def torch_layer(torch, kind, case, directions):
    """A torch module in float64 with the weights of 1 or 2 directions."""
    module = {"SimpleRNN": torch.nn.RNN, "LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}[kind]
    layer = module(case.features, case.units, batch_first=True, bidirectional=len(directions) == 2).double()
    order = swap_z_and_r if kind == "GRU" else np.asarray
    for suffix, p in zip(("", "_reverse"), directions, strict=False):
        bias = np.atleast_2d(p["bias"])
        values = {
            "weight_ih": order(p["kernel"]).T,
            "weight_hh": order(p["recurrent_kernel"]).T,
            "bias_ih": order(bias[0]),
            "bias_hh": order(bias[1]) if len(bias) == 2 else np.zeros_like(bias[0]),
        }
        for name, value in values.items():
            getattr(layer, f"{name}_l0{suffix}").data = torch.tensor(np.ascontiguousarray(value))
    return layer


def torch_gradients(layer, kind, suffix):
    """The gradients of one direction, under our names and in our layout."""
    order = swap_z_and_r if kind == "GRU" else np.asarray
    get = lambda name: getattr(layer, f"{name}_l0{suffix}").grad.numpy()
    bias = order(get("bias_ih"))
    if kind == "GRU":
        bias = np.stack([bias, order(get("bias_hh"))])
    return {"kernel": order(get("weight_ih").T), "recurrent_kernel": order(get("weight_hh").T), "bias": bias}


def torch_run(torch, layer, case, inputs, state):
    """Packed sequences: -> (outputs, states, leaves) of a torch layer; padded outputs are zero."""
    x = torch.tensor(inputs, requires_grad=True)
    initial = [torch.tensor(s, requires_grad=True) for s in state]
    pack, unpack = torch.nn.utils.rnn.pack_padded_sequence, torch.nn.utils.rnn.pad_packed_sequence
    packed = pack(x, torch.tensor(case.lengths), batch_first=True, enforce_sorted=False)
    y, final = layer(packed, tuple(initial) if len(initial) > 1 else initial[0])
    y, _ = unpack(y, batch_first=True, total_length=case.time)
    return y, as_list(final), x, initial


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_torch(kind):
    check_torch(kind, NEVER_EMPTY)


def check_torch(kind, case):
    """PyTorch on packed sequences, which it knows forwards only."""
    torch = pytest.importorskip("torch")
    case = dataclasses.replace(case, reverse=False)
    parameters, (inputs, state, projections) = weights(kind, case), problem(kind, case)
    layer = torch_layer(torch, kind, case, [parameters])
    y, final, x, initial = torch_run(torch, layer, case, inputs, [s[None] for s in state])
    expected = [y, *(f[0] for f in final)]
    sum((torch.tensor(p) * r).sum() for p, r in zip(projections, expected, strict=True)).backward()
    results, gradients = ours(kind, case, case.mask)
    all_close(real(results, case.mask), [e.detach().numpy() for e in expected])
    states = [i.grad.numpy()[0] for i in initial]
    all_close(gradients, (torch_gradients(layer, kind, ""), x.grad.numpy(), states))


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_torch_bidirectional(kind):
    check_torch_bidirectional(kind, NEVER_EMPTY)


def check_torch_bidirectional(kind, case):
    """Both directions over packed sequences (lengths of 0 are held against NumPy below)."""
    torch = pytest.importorskip("torch")
    pair = [weights(kind, case, seed) for seed in (0, 1)]
    inputs, state, _ = problem(kind, case)
    layer = torch_layer(torch, kind, case, pair)
    y, _, x, _ = torch_run(torch, layer, case, inputs, [np.zeros((2, *s.shape)) for s in state])
    projection = np.random.default_rng(case.seed).normal(size=y.shape)
    (torch.tensor(projection) * y).sum().backward()
    model = Bidirectional(KINDS[kind][0](case.units, return_sequences=True, param_dtype=jnp.float64))
    run = lambda params, inputs: [model.apply({"params": params}, inputs, jnp.asarray(case.mask))]
    results, (params, dx) = with_gradients(run, case.mask, [projection], directions(pair), inputs)
    all_close(real(results, case.mask), [y.detach().numpy()])
    expected = directions([torch_gradients(layer, kind, suffix) for suffix in ("", "_reverse")])
    all_close((params, dx), (expected, x.grad.numpy()))


def directions(pair):
    """The parameters of a Bidirectional."""
    return {name: {"cell": p} for name, p in zip(("forward", "backward"), pair, strict=True)}


@each_kind
def test_bidirectional_numpy(kind):
    """The last outputs of both directions; a row of length 0 stays at the initial state."""
    pair = [weights(kind, FORWARD, seed) for seed in (0, 1)]
    inputs, mask = problem(kind, FORWARD)[0], FORWARD.mask
    make, fields = KINDS[kind]
    model = Bidirectional(make(FORWARD.units, param_dtype=jnp.float64, **fields))
    y = jax.jit(model.apply)({"params": directions(pair)}, inputs, mask)
    last = [
        reference.run(kind.split()[0], p, inputs, mask, reverse=reverse)[1][0]
        for p, reverse in zip(pair, (False, True), strict=True)
    ]
    close(y, np.concatenate(last, axis=1))
    assert float(jnp.abs(y[1]).max()) == 0


def flax_parameters(kind, p):
    """Our weights in the trees of Flax's cells; it has one bias for z and one for r, our b + d."""
    split = {name: jnp.split(value, gates(kind), axis=-1) for name, value in p.items()}
    kernels, recurrents, biases = (split[name] for name in ("kernel", "recurrent_kernel", "bias"))
    if kind == "SimpleRNN":
        return {"i": {"kernel": kernels[0], "bias": biases[0]}, "h": {"kernel": recurrents[0]}}
    if kind == "LSTM":
        tree = {f"i{k}": {"kernel": kernels[n]} for n, k in enumerate("ifgo")}
        return tree | {f"h{k}": {"kernel": recurrents[n], "bias": biases[n]} for n, k in enumerate("ifgo")}
    return {
        "iz": {"kernel": kernels[0], "bias": biases[0].sum(0)},
        "ir": {"kernel": kernels[1], "bias": biases[1].sum(0)},
        "in": {"kernel": kernels[2], "bias": biases[2][0]},
        "hz": {"kernel": recurrents[0]},
        "hr": {"kernel": recurrents[1]},
        "hn": {"kernel": recurrents[2], "bias": biases[2][1]},
    }


@pytest.mark.parametrize(("kind", "reverse"), [("SimpleRNN", True), ("LSTM", False), ("LSTM", True), ("GRU", True)])
def test_flax(kind, reverse):
    check_flax(kind, dataclasses.replace(NEVER_EMPTY, reverse=reverse))


def check_flax(kind, case):
    """Flax's own `nn.RNN` over its cells, with lengths; our `RNN` scans the same cells."""
    inputs, state, projections = problem(kind, case)
    cell, mask = FLAX[kind](case.units), jnp.asarray(case.mask)
    theirs = nn.RNN(cell, return_carry=True, reverse=case.reverse, keep_order=True)
    scanned = RNN(cell, return_sequences=True, return_state=True, reverse=case.reverse)

    def applied(apply):
        # Gradients come back in our layout, because the weights get into Flax's within what is differentiated.
        def run(parameters, inputs, state):
            carry = tuple(reversed(state)) if kind == "LSTM" else state[0]  # Flax has (c, h)
            y, final = apply({"params": {"cell": flax_parameters(kind, parameters)}}, inputs, carry)
            return [y, *reversed(as_list(final))]

        results, gradients = with_gradients(run, mask, projections, weights(kind, case), inputs, state)
        return real(results, mask), gradients

    lengths = jnp.asarray(case.lengths)
    expected = applied(lambda *a: theirs.apply(*a[:2], initial_carry=a[2], seq_lengths=lengths)[::-1])
    results, gradients = ours(kind, case, case.mask)
    all_close((real(results, mask), gradients), expected)
    all_close(applied(lambda v, x, carry: scanned.apply(v, x, mask, carry)), expected)


wide = settings(max_examples=25, deadline=None, derandomize=True)


@pytest.mark.slow
@each_kind
@wide
@given(case=cases(0))
def test_numpy_widely(kind, case):
    check_numpy(kind, case)


@pytest.mark.slow
@each_kind
@wide
@given(case=cases(0))
def test_keras_widely(kind, case):
    check_keras(kind, case)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FLAX)
@pytest.mark.parametrize("check", [check_torch, check_flax])
@wide
@given(case=cases(1))
def test_torch_and_flax_widely(check, kind, case):
    check(kind, case)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@wide
@given(case=cases(1))
def test_torch_bidirectional_widely(kind, case):
    check_torch_bidirectional(kind, case)
