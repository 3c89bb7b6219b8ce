"""Random calls of layers, most of them wrong: python wrong_calls.py FIRST_SEED COUNT, a process of its own.

Each is run on every backend: all must refuse it by a UserError (or Linen, whose parameters have other shapes), or all
must give the same. The seed is printed before its call, so that the last line of a process that died names it.

Legend: B batch, T time, D features, U units.
"""

import functools
import sys

import jax
import jax.numpy as jnp
import numpy as np
from flax.errors import ScopeParamShapeError

from seqjax.errors import UserError
from seqjax.layers import bags, convolution, recurrent
from seqjax.layers.backends import choice, native_library, pallas
from seqjax.layers.composite import Bidirectional, Stacked
from seqjax.layers.embeddings import Embedding
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN
from seqjax.layers.tokens import Tokens

BACKENDS = ["scan", "fused", "pallas", *(["native"] if native_library.refusal() is None else [])]
B, T, D, U, V = 3, 4, 2, 5, 9
SIZES = [0, 1, 2, 3, 4, 5, 8, 64, 4000]
TYPES = [np.float16, np.float32, np.float64, np.int8, np.int32, np.uint8, np.bool_, np.complex64, "bfloat16"]
NOTHING = [None, {}, "text", 3.0, (), [[1.0], [2.0, 3.0]], np.array("x"), jax.random.key(0)]
LAYERS = {
    "SimpleRNN": lambda b: SimpleRNN(U, backend=b),
    "LSTM": lambda b: LSTM(U, return_sequences=True, return_state=True, backend=b),
    "GRU": lambda b: GRU(U, reverse=True, return_state=True, backend=b),
    "Bidirectional": lambda b: Bidirectional(LSTM(U, backend=b)),
    "Stacked": lambda b: Stacked([GRU(U, backend=b), Bidirectional(GRU(U, backend=b), LSTM(U, backend=b))]),
}
H = (B, U)
STATES = {"SimpleRNN": H, "LSTM": (H, H), "GRU": H, "Bidirectional": ((H, H), (H, H)), "Stacked": (H, (H, (H, H)))}


@functools.cache
def variables(name):
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(LAYERS[name]("scan").init, jax.random.key(0), jnp.ones((B, T, D)))
    return jax.tree.map(lambda s: jnp.asarray(rng.normal(size=s.shape) * 0.5, s.dtype), shapes)


def pick(rng, choices):
    return choices[rng.integers(len(choices))]


def spoiled(rng, shape, dtype=np.float32):
    """An array of another shape or type, or something else altogether."""
    shape = list(shape)
    kind = pick(rng, ["size", "size", "rank", "type", "nothing", "list", "transposed"])
    if kind == "size":
        shape[rng.integers(len(shape))] = pick(rng, SIZES)
    if kind == "rank":
        shape = shape[1:] if rng.random() < 0.5 else [pick(rng, [1, 2]), *shape]
    if kind == "transposed":
        shape = shape[::-1]
    if kind == "nothing":
        return pick(rng, NOTHING)
    if kind == "type":
        dtype = jnp.dtype(pick(rng, TYPES))
    values = rng.integers(0, 2, shape) if dtype == np.bool_ else rng.normal(size=shape)
    array = jnp.asarray(np.abs(values) if dtype == np.uint8 else values, dtype)
    return np.asarray(array).tolist() if kind == "list" else array


def state_of(rng, form, rate):
    """Of the structure `form`, spoiled here and there."""
    if isinstance(form[0], int):
        return spoiled(rng, form) if rng.random() < rate else jnp.asarray(rng.normal(size=form), jnp.float32)
    parts = [state_of(rng, part, rate) for part in form]
    if rng.random() < rate:
        parts = pick(rng, [parts[:-1], [*parts, parts[0]], parts[0], dict(enumerate(parts)), parts[::-1], list(parts)])
    return tuple(parts) if isinstance(parts, list) and rng.random() < 0.9 else parts


def ids_of(rng):
    shape = pick(rng, [(B, T)] * 6 + [(B,), (B, T, 1), (0, T), (B, 0), (1, 70)])
    ids = rng.integers(-2, V + 2, shape) if rng.random() < 0.6 else rng.choice([-100_000_000, 2**31 - 1, 3], shape)
    if rng.random() < 0.2:
        return jnp.asarray(np.where(ids > 5, np.nan, ids), pick(rng, TYPES))
    return ids if rng.random() < 0.2 else jnp.asarray(ids, jnp.int32)


def tokens_of(rng):
    table = jnp.asarray(rng.normal(size=(V, D)), jnp.float32)
    if rng.random() < 0.3:
        table = spoiled(rng, (V, D))
    return Tokens(ids_of(rng), table, pick(rng, [None, V, 0, 2.5]) if table is None else None)


def call_of_layer(rng):
    """-> name, function(backend) that runs it."""
    name, wrong = pick(rng, list(LAYERS)), rng.random() < 0.8
    rate = 0.35 if wrong else 0.0
    inputs = jnp.asarray(rng.normal(size=(B, T, D)), jnp.float32)
    if rng.random() < 0.4 * wrong:
        inputs = tokens_of(rng) if rng.random() < 0.5 else spoiled(rng, (B, T, D))
    mask = None if rng.random() < 0.5 else jnp.asarray(rng.random((B, T)) < 0.6)
    mask = spoiled(rng, (B, T), np.bool_) if rng.random() < rate / 2 else mask
    state = None if rng.random() < 0.5 else state_of(rng, STATES[name], rate)
    drop = None
    if rng.random() < 0.2 and name != "Stacked":
        gates = {"SimpleRNN": 1, "GRU": 3}.get(name, 4)
        shape = (gates if rng.random() < 0.7 else 1, B, U)
        drop = spoiled(rng, shape) if rng.random() < 2 * rate else jnp.asarray(rng.random(shape), jnp.float32)
    options = {} if drop is None else {"recurrent_mask": drop}
    graded = rng.random() < 0.6

    def run(backend):
        apply = lambda p: LAYERS[name](backend).apply(p, inputs, mask, state, **options)
        total = lambda p: sum((leaf.astype(jnp.float32) ** 2).sum() for leaf in jax.tree.leaves(apply(p)))
        return jax.jit(jax.value_and_grad(total) if graded else apply)(variables(name))

    return name, run


def call_of_bags(rng):
    tokens, kernel = ids_of(rng), jnp.asarray(rng.normal(size=(V, 3)), jnp.float32)
    weights = None if rng.random() < 0.3 else jnp.asarray(rng.normal(size=np.shape(tokens)), jnp.float32)
    weights = spoiled(rng, (B, T)) if rng.random() < 0.3 else weights
    kernel = spoiled(rng, (V, 3)) if rng.random() < 0.3 else kernel

    def run(backend):
        function = bags.product
        if backend != "native":
            one = bags.plain if backend == "scan" else bags.in_pieces
            function = lambda *operands: one(*bags._check(*operands))
        graded = isinstance(kernel, jax.Array) and jnp.issubdtype(kernel.dtype, jnp.floating)
        step = lambda k: function(tokens, weights, k)
        return jax.jit(jax.value_and_grad(lambda k: step(k).sum()) if graded else lambda k: step(k))(kernel)

    if not isinstance(kernel, jax.Array):
        return "bags", lambda backend: bags.product(tokens, weights, kernel)
    return "bags", run


def call_of_convolution(rng):
    shapes = [list(shape) for shape in ((7, 2, 3), (3, 2, 4))]
    inputs, kernel = (
        spoiled(rng, shape) if rng.random() < 0.35 else jnp.asarray(rng.normal(size=shape), jnp.float32)
        for shape in shapes
    )

    def run(backend):
        if backend == "native":
            return convolution.convolve(inputs, kernel)
        able, native_library.computes = native_library.computes, lambda dtype: False
        try:
            return convolution.convolve(inputs, kernel)
        finally:
            native_library.computes = able

    return "convolution", run


def call_of_embedding(rng):
    ids, table = ids_of(rng), jnp.asarray(rng.normal(size=(V, D)), jnp.float32)
    layer = Embedding(V, D)

    def run(backend):
        if backend == "scan":
            return layer.apply({"params": {"embedding": table}}, ids)
        if np.ndim(ids) != 2:
            raise UserError("Tokens are [B, T]") if np.ndim(ids) == 0 else Skip
        return recurrent.dense(recurrent.check_inputs("Tokens", Tokens(ids, table), None)[0])

    return "embedding", run


class Skip(Exception):  # noqa: N818
    """There is nothing to compare."""


def outcome(run, backend):
    """The leaves of what it gives, or "refused"."""
    try:
        return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(run(backend))]
    except (UserError, ScopeParamShapeError):
        return "refused"


def differ(a, b):
    if "refused" in (a if isinstance(a, str) else "", b if isinstance(b, str) else ""):
        return not (isinstance(a, str) and isinstance(b, str))
    same = lambda x, y: x.shape == y.shape and np.allclose(x, y, 1e-3, 1e-4, equal_nan=True)
    return len(a) != len(b) or not all(map(same, a, b))


def check(seed):
    """Whether it was refused; exits if backends disagree."""
    rng = np.random.default_rng(seed)
    call = pick(rng, [call_of_layer] * 6 + [call_of_bags] * 2 + [call_of_convolution, call_of_embedding])
    name, run = call(rng)
    first = outcome(run, "scan")
    rest = BACKENDS[1:] if isinstance(first, str) else {*BACKENDS[-1:], pick(rng, BACKENDS[1:])}
    for backend in rest:
        try:
            found = outcome(run, backend)
        except Skip:
            continue
        if differ(first, found):
            sys.exit(f"seed {seed}, {name}: scan gives {first}, but {backend} {found}")
    return isinstance(first, str)


def main():
    jax.config.update("jax_disable_most_optimizations", True)
    choice.pallas_refusal = lambda layer, platform: None
    recurrent.ONE_CALL["pallas"] = functools.partial(pallas.run, interpret=True)
    refused, first, count = 0, int(sys.argv[1]), int(sys.argv[2])
    for seed in range(first, first + count):
        print(f"seed {seed}", flush=True)
        refused += check(seed)
    print(f"{refused} refused")


if __name__ == "__main__":
    main()
