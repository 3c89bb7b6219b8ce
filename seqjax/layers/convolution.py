"""Convolution over time and pooling, time first and batch last.

Legend: B batch, T time, D features, W width of the kernel, F filters, S steps made at once.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from seqjax.errors import UserError
from seqjax.layers.backends import native_library
from seqjax.layers.checks import as_array, check_count
from seqjax.layers.dense import glorot_uniform
from seqjax.layers.sharding import DATA, over_devices


class Conv1D(nn.Module):
    """Convolution over time without padding; starts as Keras's.

    Inputs are time first and batch last, [T, D, B] -> [T - `width` + 1, `filters`, B]; no mask. As Keras's
    Conv1D(filters, width) and Flax's nn.Conv(filters, (width,), padding="VALID") on [B, T, D], with the same kernel;
    PyTorch's nn.Conv1d(D, filters, width) on [B, D, T], whose kernel is [filters, D, width].

        >>> turned = x.transpose(1, 2, 0)
        >>> layer = Conv1D(4, 3)
        >>> layer.apply(layer.init(key, turned), turned).shape
        (3, 4, 2)
        >>> nnx.bridge.lazy_init(nnx.bridge.ToNNX(layer, rngs=rngs), turned)(turned).shape
        (3, 4, 2)
    """

    filters: int
    width: int

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """[T, D, B] -> [T - width + 1, filters, B]; kernel [width, D, filters], as Keras and Linen have it."""
        check_count("Conv1D: filters", self.filters)
        check_count("Conv1D: width", self.width)
        inputs = as_array("Conv1D: inputs", inputs, "real numbers", ("time", "features", "batch"))
        kernel = self.param("kernel", glorot_uniform, (self.width, inputs.shape[1], self.filters))
        bias = self.param("bias", nn.initializers.zeros, (self.filters,))
        return convolve(inputs, kernel) + bias[None, :, None]


BAND_ROWS = 64
"""Of the matrix that makes several steps of a convolution at once."""


def convolve(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    """[T, D, B] * [W, D, F] -> [T - W + 1, F, B], T at least W.

    On a CPU `natively` where the native library can be made, else `banded`; elsewhere `plain`.

    Raises:
      UserError: other shapes, or numbers that are not real.
    """
    kernel = as_array("a convolution: kernel", kernel, "real numbers", ("width", "features", "filters"))
    inputs = as_array("a convolution: inputs", inputs, "real numbers", ("time", kernel.shape[1], "batch"))
    if not 1 <= kernel.shape[0] <= inputs.shape[0]:
        raise UserError(f"a convolution: a kernel {kernel.shape[0]} steps wide over {inputs.shape[0]} steps")
    dtype = jnp.result_type(inputs, kernel)
    dtype = dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.float32
    inputs, kernel = inputs.astype(dtype), kernel.astype(dtype)
    if not all(isinstance(size, int) for size in inputs.shape):
        return plain(inputs, kernel)  # `jax.export` leaves a size open
    cpu = natively if native_library.computes(dtype) else banded

    def run(operands: tuple[jax.Array, jax.Array]) -> jax.Array:
        return jax.lax.platform_dependent(*operands, cpu=cpu, default=plain)

    split, whole = PartitionSpec(None, None, DATA), PartitionSpec()
    return over_devices(run, (inputs, kernel), (split, whole), split)


def plain(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    """`convolve` by XLA."""
    return jax.lax.conv_general_dilated(inputs, kernel, (1,), "VALID", dimension_numbers=("WCN", "WIO", "WCN"))


@jax.custom_vjp
def banded(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    """`convolve` by matrix products, several steps at once.

    A few filters make a thin product, on which a processor idles. So S steps are made at once, by a band matrix that
    holds the kernel S times, each time one step later: [S * F, (W + S - 1) * D] times a stretch of the inputs
    [(W + S - 1) * D, B], which lies in one piece. On two cores a step of W5 takes 5.6 instead of 9.4 ms.
    Reverse-mode derivatives only, and first ones.
    """
    return _forward(inputs, kernel)[0]


def _forward(inputs: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    stretches = _Stretches(inputs.shape, kernel.shape)
    padded, band = stretches.pad(inputs), stretches.band(kernel)
    _, blocks = jax.lax.scan(lambda _, k: (None, band @ stretches.take(padded, k)), None, jnp.arange(stretches.count))
    outputs = blocks.reshape(stretches.count * stretches.steps, kernel.shape[2], inputs.shape[2])
    return outputs[: inputs.shape[0] - kernel.shape[0] + 1], (inputs, kernel)


def _backward(saved: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    inputs, kernel = saved
    stretches = _Stretches(inputs.shape, kernel.shape)
    padded, band = stretches.pad(inputs), stretches.band(kernel)
    missing = stretches.count * stretches.steps - gradient.shape[0]
    blocks = jnp.pad(gradient, ((0, missing), (0, 0), (0, 0)))
    blocks = blocks.reshape(stretches.count, stretches.steps * kernel.shape[2], inputs.shape[2])

    def step(sums: tuple[jax.Array, jax.Array], xs: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
        dinputs, dband = sums
        k, block = xs
        dinputs = stretches.add(dinputs, band.T @ block, k)
        return (dinputs, dband + block @ stretches.take(padded, k).T), None

    start = (jnp.zeros_like(padded), jnp.zeros_like(band))
    (dinputs, dband), _ = jax.lax.scan(step, start, (jnp.arange(stretches.count), blocks))
    return dinputs[: inputs.shape[0]], stretches.kernel(dband)


banded.defvjp(_forward, _backward)


@jax.custom_vjp
def natively(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    """`convolve` by the native library: a product for every step. Reverse-mode derivatives only, and first ones."""
    return _native_forward(inputs, kernel)[0]


def _whole_vectors(array: jax.Array) -> jax.Array:
    """With zeros behind the last example, up to a multiple of 64 bytes."""
    lanes = 64 // array.dtype.itemsize
    return jnp.pad(array, ((0, 0), (0, 0), (0, -array.shape[2] % lanes)))


def _native_forward(inputs: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    padded = _whole_vectors(inputs)
    shape = (inputs.shape[0] - kernel.shape[0] + 1, kernel.shape[2], padded.shape[2])
    outputs = native_library.call("convolve", jax.ShapeDtypeStruct(shape, inputs.dtype), padded, kernel)
    return outputs[:, :, : inputs.shape[2]], (inputs, kernel)


def _native_backward(saved: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    inputs, kernel = saved
    padded, gradient = _whole_vectors(inputs), _whole_vectors(gradient)
    shapes = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in (padded, kernel)]
    # Two calls: a first layer's inputs want no gradient, and the call falls away.
    dinputs = native_library.call("convolve_inputs", shapes[0], gradient, kernel)
    return dinputs[:, :, : inputs.shape[2]], native_library.call("convolve_kernel", shapes[1], padded, gradient)


natively.defvjp(_native_forward, _native_backward)


class _Stretches:
    """The stretches of `banded`: `count` of them, each of `width` steps of the inputs, for `steps` of the outputs."""

    def __init__(self, inputs: tuple[int, ...], kernel: tuple[int, ...]):
        """Shapes [T, D, B], [W, D, F]."""
        self.kernel_width, self.features, self.filters = kernel
        outputs = inputs[0] - self.kernel_width + 1
        self.steps = max(1, min(BAND_ROWS // max(1, self.filters), outputs))
        self.count = -(-outputs // self.steps)
        self.width = self.kernel_width + self.steps - 1

    def pad(self, inputs: jax.Array) -> jax.Array:
        """With zeros behind the last step, so that the last stretch is whole."""
        total = self.count * self.steps + self.kernel_width - 1
        return jnp.pad(inputs, ((0, total - inputs.shape[0]), (0, 0), (0, 0)))

    def band(self, kernel: jax.Array) -> jax.Array:
        """[W, D, F] -> [S * F, (W + S - 1) * D]."""
        taps = jnp.transpose(kernel, (2, 0, 1))
        rows = [jnp.pad(taps, ((0, 0), (s, self.steps - 1 - s), (0, 0))) for s in range(self.steps)]
        return jnp.concatenate(rows).reshape(self.steps * self.filters, self.width * self.features)

    def kernel(self, band: jax.Array) -> jax.Array:
        """The transpose of `band`: sums what belongs to one entry of the kernel."""
        rows = band.reshape(self.steps, self.filters, self.width, self.features)
        taps = jnp.stack([rows[s, :, s : s + self.kernel_width] for s in range(self.steps)]).sum(axis=0)
        return jnp.transpose(taps, (1, 2, 0))

    def take(self, padded: jax.Array, k: jax.Array) -> jax.Array:
        """Stretch k: [(W + S - 1) * D, B]."""
        return jax.lax.dynamic_slice_in_dim(padded, k * self.steps, self.width).reshape(
            self.width * self.features, padded.shape[2]
        )

    def add(self, sums: jax.Array, stretch: jax.Array, k: jax.Array) -> jax.Array:
        """The transpose of `take`, added to sums."""
        found = jax.lax.dynamic_slice_in_dim(sums, k * self.steps, self.width)
        return jax.lax.dynamic_update_slice_in_dim(sums, found + stretch.reshape(found.shape), k * self.steps, 0)


def max_pool(inputs: jax.Array) -> jax.Array:
    """The larger of every two steps, [T, ...] -> [T // 2, ...]; of equal ones the first gets the gradient.

    As Keras's MaxPooling1D(2), PyTorch's nn.MaxPool1d(2), Flax's nn.max_pool(x, (2,), (2,)), time first.

        >>> max_pool(jnp.array([1.0, 3, 2, 0, 9])).tolist()
        [3.0, 2.0]

    XLA:CPU runs the gradient of a reduce_window (select_and_scatter) element by element.
    """
    steps = inputs.shape[0] // 2 * 2
    first, second = inputs[0:steps:2], inputs[1:steps:2]
    return jnp.where((second > first) | jnp.isnan(second), second, first)
