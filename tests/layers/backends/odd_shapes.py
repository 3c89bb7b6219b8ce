"""Shapes at which a kernel might step past an end, each against `scan`: python odd_shapes.py, a process of its own.

Made for a library that is compiled with sanitizers, which end the process at the first fault.

Legend: B batch, T time, D features, U units.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.decoding import largest
from seqjax.layers import bags, convolution, vocabulary
from seqjax.layers.backends import native_library
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN
from seqjax.layers.tokens import Tokens

UNITS = [1, 3, 16, 17, 130]
FORMS = [(1, 1, 1), (1, 5, 3), (7, 3, 20), (0, 2, 3), (3, 0, 2), (70, 2, 130)]  # B, T, D
RNG = np.random.default_rng(0)


def draw(*shape, dtype=np.float32):
    return jnp.asarray(RNG.normal(size=shape), dtype)


def same(found, expected, what):
    scale = lambda e: max(1.0, float(jnp.abs(e).max(initial=0)))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-4 * scale(b), err_msg=str(what))


def check(make, inputs, mask, drop, train_inputs, what):
    shapes = jax.eval_shape(make("scan").init, jax.random.key(0), inputs(jnp.float32(0)))
    params = jax.tree.map(lambda s: draw(*s.shape, dtype=s.dtype) / (2 + 10 * (s.shape[0] > 20)), shapes)

    def loss(backend, params, x):
        options = {} if drop is None else {"recurrent_mask": drop}
        outputs, last, state = make(backend).apply(params, inputs(x), mask, method="run", **options)
        return sum((jnp.sin(leaf) ** 2).sum() for leaf in jax.tree.leaves((outputs, last, state)))

    numbers = (0, 1) if train_inputs else (0,)
    steps = [jax.value_and_grad(lambda p, x, b=b: loss(b, p, x), numbers) for b in ("native", "scan")]
    same(*(step(params, jnp.float32(0.1)) for step in steps), what)


def recurrent():
    for n, (kind, units) in enumerate(itertools.product((SimpleRNN, LSTM, GRU), UNITS)):
        for k, (batch, time, features) in enumerate(FORMS):
            if (n + k) % 3:
                continue
            mask = None if n % 2 else jnp.asarray(RNG.random((batch, time)) < 0.6)
            gates = {"LSTM": 4, "GRU": 3}.get(kind.__name__, 1)
            drop = [None, draw(1, batch, units), draw(gates, batch, units)][(k + units) % 3]
            make = functools.partial(_make, kind, units, n % 2 == 1)
            x, table = draw(batch, time, features), draw(7, features)
            ids = jnp.asarray(RNG.integers(-3, 9, (batch, time)))
            what = (kind.__name__, units, x.shape)
            check(make, functools.partial(jnp.add, x), mask, drop, k % 2 == 0, what)
            check(make, functools.partial(_tokens, ids, table), mask, drop, True, (*what, "tokens"))
            if k < 2:
                check(make, functools.partial(_tokens, ids, None), mask, None, False, (*what, "one-hot"))


def _make(kind, units, reverse, backend):
    return kind(units, reverse=reverse, return_sequences=True, backend=backend)


def _tokens(ids, table, added):
    return Tokens(ids, vocabulary_size=7) if table is None else Tokens(ids, table + added)


def many_tokens():
    ids = jnp.asarray(RNG.integers(0, 3000, (9, 300)))
    table = draw(2500, 5)
    make = lambda b: Bidirectional(LSTM(9, backend=b))
    check(make, lambda s: Tokens(ids, table + s), ids % 5 > 0, None, True, "many tokens")


def products():
    for batch, width, columns, units in [(1, 1, 1, 1), (3, 5, 7, 3), (2, 0, 4, 3), (4, 6, 30, 16), (2, 3, 9, 70)]:
        tokens = jnp.asarray(RNG.integers(-columns, 2 * columns, (batch, width)))
        for weights in (None, draw(batch, width)):
            step = lambda f, w=weights, t=tokens: jax.value_and_grad(lambda k: jnp.sin(f(t, w, k)).sum())
            kernel = draw(columns, units)
            plain = lambda *operands: bags.plain(*bags._check(*operands))
            same(step(bags.product)(kernel), step(plain)(kernel), ("bags", tokens.shape, units))
    for steps, width, features, filters, batch in itertools.product(
        (5, 24), (1, 5), (1, 3, 14), (1, 8, 33), (0, 1, 17)
    ):
        x, kernel = draw(steps, features, batch), draw(width, features, filters)
        step = lambda f: jax.value_and_grad(lambda operands: jnp.sin(f(*operands)).sum())
        found, expected = (step(f)((x, kernel)) for f in (convolution.convolve, convolution.plain))
        same(found, expected, (x.shape, kernel.shape))


def vocabularies():
    for tokens, features, size in [(0, 3, 5), (1, 1, 1), (3, 5, 70), (257, 17, 600)]:
        x, kernel, bias = draw(1, tokens, features), draw(features, size), draw(size)
        targets = jnp.asarray(RNG.integers(0, size, (1, tokens)), jnp.int32)
        found = []
        for least in (1, 10**9):
            vocabulary.LARGE = largest.LARGE = least
            judge = lambda operands, t=targets: sum(
                jnp.sin(part).sum() for part in vocabulary._judge_rows(0.1, (*operands, t))
            )
            likeliest = largest.most_probable(x[0] @ kernel + bias[None], min(3, size), (0,))
            found.append((jax.value_and_grad(judge)((x, kernel, bias)), likeliest[0]))
        same(*found, ("vocabulary", tokens, features, size))


if __name__ == "__main__":
    assert native_library.refusal() is None, native_library.refusal()
    jax.config.update("jax_disable_most_optimizations", True)
    recurrent()
    many_tokens()
    products()
    vocabularies()
    print("every shape equals scan")
