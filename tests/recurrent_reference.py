"""The recurrences once more, in plain NumPy, double precision and loops: what the layers are tested against."""

import jax
import jax.numpy as jnp
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def simple_step(p, state, x, drop):
    (h,) = state
    return (np.tanh(x @ p["kernel"] + (h * drop[0]) @ p["recurrent_kernel"] + p["bias"]),)


def lstm_step(p, state, x, drop):
    h, c = state
    units = h.shape[1]
    z = []
    for k in range(4):
        block = slice(k * units, (k + 1) * units)
        recurrent = (h * drop[k]) @ p["recurrent_kernel"][:, block]
        z.append(x @ p["kernel"][:, block] + recurrent + p["bias"][block])
    i, f, g, o = sigmoid(z[0]), sigmoid(z[1]), np.tanh(z[2]), sigmoid(z[3])
    c = f * c + i * g
    return o * np.tanh(c), c


def gru_step(p, state, x, drop):
    (h,) = state
    units = h.shape[1]
    after = p["bias"].ndim == 2
    b, d = (p["bias"][0], p["bias"][1]) if after else (p["bias"], np.zeros(3 * units))
    blocks = [slice(k * units, (k + 1) * units) for k in range(3)]
    x_z, x_r, x_h = (x @ p["kernel"][:, block] + b[block] for block in blocks)
    r_z, r_r, r_h = (p["recurrent_kernel"][:, block] for block in blocks)
    d_z, d_r, d_h = (d[block] for block in blocks)
    z = sigmoid(x_z + (h * drop[0]) @ r_z + d_z)
    r = sigmoid(x_r + (h * drop[1]) @ r_r + d_r)
    inner = r * ((h * drop[2]) @ r_h + d_h) if after else (r * h * drop[2]) @ r_h
    return (z * h + (1 - z) * np.tanh(x_h + inner),)


STEPS = {"SimpleRNN": (simple_step, 1, 1), "LSTM": (lstm_step, 4, 2), "GRU": (gru_step, 3, 1)}


def run(kind, parameters, inputs, mask=None, state=None, drop=None, reverse=False):
    """-> (outputs [B, T, U], final state), row by row and step by step."""
    step, gates, states = STEPS[kind]
    p = {name: np.asarray(value, np.float64) for name, value in parameters.items()}
    inputs = np.asarray(inputs, np.float64)
    batch, time, _ = inputs.shape
    units = p["recurrent_kernel"].shape[0]
    drop = np.ones((gates, batch, units)) if drop is None else np.broadcast_to(drop, (gates, batch, units))
    state = [np.zeros((batch, units))] * states if state is None else state
    outputs = np.zeros((batch, time, units))
    final = [np.zeros((batch, units)) for _ in range(states)]
    for row in range(batch):
        current = tuple(np.asarray(s[row : row + 1], np.float64) for s in state)
        for t in reversed(range(time)) if reverse else range(time):
            if mask is None or mask[row, t]:
                current = step(p, current, inputs[row : row + 1, t], drop[:, row : row + 1])
            outputs[row, t] = current[0][0]
        for k in range(states):
            final[k][row] = current[k][0]
    return outputs, tuple(final)


def random_variables(layer, *inputs, seed=0, scale=0.5):
    """Random values of the variables that `layer.init(key, *inputs)` would make; nothing is compiled."""
    shapes = jax.eval_shape(layer.init, jax.random.key(0), *inputs)
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda s: jnp.asarray(rng.normal(size=s.shape) * scale, s.dtype), shapes)


def start(layer, *inputs, seed=0):
    """First values as the layer's initializers give them."""
    return jax.jit(layer.init)(jax.random.key(seed), *inputs)


def apply(layer, variables, *arguments, **options):
    """`layer.apply` as one compiled program, kept for the next call: far quicker than operation by operation."""
    return jax.jit(layer.apply, static_argnames=("train", "method", "mutable"))(variables, *arguments, **options)
