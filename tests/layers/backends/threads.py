"""Every kind of compiled call, hashed: python threads.py, a process of its own, with as many threads as $NPROC says.

The shapes are large enough for the threads to be woken. Nothing but compiled calls and elementwise operations is
hashed: what XLA sums itself may depend on the number of threads.
"""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.decoding.largest import most_probable
from seqjax.layers import bags, convolution, vocabulary
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN
from seqjax.layers.tokens import Tokens

RNG = np.random.default_rng(0)


def draw(*shape):
    return jnp.asarray(RNG.normal(size=shape) / 3, jnp.float32)


def say(name, function, *operands):
    """Outputs and gradients of ones."""

    @jax.jit
    def both(*operands):
        found, pull = jax.vjp(function, *operands)
        return found, pull(jax.tree.map(jnp.ones_like, found))

    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(both(*operands)):
        assert np.isfinite(leaf).all(), name
        digest.update(np.asarray(leaf).tobytes())
    print(name, digest.hexdigest()[:16])


def layer(name, made, inputs, table, mask=None, drop=None):
    shapes = jax.eval_shape(made.init, jax.random.key(0), inputs(table))
    params = jax.tree.map(lambda leaf: draw(*leaf.shape) / max(1, leaf.shape[0]) ** 0.5, shapes)
    options = {} if drop is None else {"recurrent_mask": drop}
    run = lambda params, table: made.apply(params, inputs(table), mask, method="run", **options)
    say(name, run, params, table)


def main():
    same = lambda x: x
    ragged = jnp.arange(30)[None, :] < jnp.asarray(RNG.integers(0, 31, 70))[:, None]
    some = {"return_sequences": True, "backend": "native"}
    layer("LSTM in tiles", LSTM(20, **some), same, draw(70, 30, 9), ragged)
    layer("GRU in tiles", GRU(32, reverse=True, **some), same, draw(70, 30, 40), None, abs(draw(3, 70, 32)))
    layer("SimpleRNN in tiles", SimpleRNN(48, **some), same, draw(70, 30, 5), ragged, abs(draw(1, 70, 48)))
    layer("wide LSTM", LSTM(130, **some), same, draw(70, 30, 33), ragged)
    layer("wide GRU", GRU(150, reverse=True, **some), same, draw(70, 30, 33), None, abs(draw(3, 70, 150)))
    targets = jnp.asarray(RNG.integers(0, 1100, 600), jnp.int32)
    judge = lambda *operands: vocabulary._judge(0.1, *operands, targets)
    say("vocabulary", judge, draw(600, 40), draw(40, 1100), draw(1100))
    fixed = jax.lax.stop_gradient
    say("largest", lambda logits: most_probable(fixed(logits), 5, (3,))[0], draw(200, 1500))
    ids = jnp.asarray(RNG.integers(0, 500, (70, 30)))
    for units in (24, 140):
        both = Bidirectional(LSTM(units, **some))
        layer(f"tokens {units}", both, lambda table: Tokens(ids, table), draw(500, 50), ragged)
    layer("one direction of tokens", GRU(24, **some), lambda table: Tokens(ids, table), draw(500, 50))
    one = LSTM(16, **some)
    params = one.init(jax.random.key(0), draw(64, 20, 4))
    members = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf / 2, -leaf]), params)
    say("members", jax.vmap(one.apply, (0, None)), members, draw(64, 20, 4))
    words = jnp.asarray(RNG.integers(-3, 300, (512, 60)))
    say("bags", lambda weights, kernel: bags.product(words, weights, kernel), draw(512, 60), draw(250, 20))
    say("convolution", convolution.convolve, draw(60, 14, 128), draw(5, 14, 8))


if __name__ == "__main__":
    main()
