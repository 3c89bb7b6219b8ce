"""Token sequences as the input of a recurrent layer, projected without building the vectors of every step.

Legend: B batch, T time, V vocabulary, D features of a token, R columns of the kernel.

An id outside the vocabulary counts as the nearest one inside (JAX's own `table[ids]` wraps negative ids around first).

A batch of 32 reviews of 600 words has 19,200 tokens but only 2,000-5,000 different ones. `table[ids] @ kernel` is
therefore computed for the different tokens only, and its rows are gathered; the gradient is summed per token first.
One-hot input needs no product at all: `one_hot(ids) @ kernel` is `kernel[ids]`, exactly.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from seqjax.layers.checks import as_array, check_count, check_mask, within


@struct.dataclass
class Tokens:
    """Stands for `table[ids]` [B, T, D], or for one-hot vectors [B, T, V]; recurrent layers take it as input.

    Fields `ids`, `table`, `vocabulary_size` and `mask` (of the vectors; the layer's own mask holds the state) are told
    below. Keras, PyTorch and Flax build the vectors: their nn.Embed or one_hot before a layer gives the same numbers.

        >>> ids, layer = jnp.array([[3, 1, 0], [2, 0, 0]]), LSTM(4)
        >>> tokens = Tokens(ids, vocabulary_size=10)
        >>> params = layer.init(key, tokens)
        >>> bool(jnp.allclose(layer.apply(params, tokens), layer.apply(params, jax.nn.one_hot(ids, 10)), atol=1e-6))
        True
        >>> nnx.bridge.lazy_init(nnx.bridge.ToNNX(layer, rngs=rngs), tokens)(tokens).shape
        (2, 4)
    """

    ids: jax.Array
    """[B, T] int, in [0, V); others count as the nearest one inside."""
    table: jax.Array | None = None
    """[V, D] embeddings; None: one-hot vectors."""
    vocabulary_size: int | None = struct.field(pytree_node=False, default=None)
    """V, for one-hot vectors."""
    mask: jax.Array | None = None
    """[B, T] bool: False where there is no token, and what stands there neither counts nor gets a gradient."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(B, T, D), of the vectors it stands for."""
        width = self.vocabulary_size if self.table is None else self.table.shape[1]
        return (*self.ids.shape, width)  # type: ignore[return-value]

    @property
    def ndim(self) -> int:
        """3."""
        return 3

    @property
    def dtype(self) -> Any:
        """The type of the vectors it stands for."""
        return jnp.float32 if self.table is None else self.table.dtype

    def dense(self) -> jax.Array:
        """Build the vectors [B, T, D]."""
        ids = self.inside()
        vectors = jax.nn.one_hot(ids, self.shape[-1], dtype=self.dtype) if self.table is None else self.table[ids]
        return hide(vectors, self.mask)

    def inside(self) -> jax.Array:
        """The ids [B, T] int32, all of them in [0, V)."""
        return within(self.ids, self.shape[2] if self.table is None else len(self.table))


def check_tokens(name: str, tokens: Tokens) -> Tokens:
    """Ids [B, T] of integers, a table [V, D] of floats or V itself, at least 1. Raises UserError."""
    ids, table = tokens.ids, tokens.table
    array = as_array(f"{name}: ids of Tokens", ids, "integers", ("batch", "time"))
    ids = ids if isinstance(ids, np.ndarray) else array  # NumPy's own may be more than JAX's integers hold
    if table is None:
        check_count(f"{name}: vocabulary_size of Tokens without a table", tokens.vocabulary_size)
    else:
        table = as_array(f"{name}: table of Tokens", table, "floats", ("vocabulary", "features"))
        check_count(f"{name}: rows in the table of Tokens", len(table))
    mask = check_mask(f"{name}: Tokens", tokens.mask, ids)
    return tokens.replace(ids=ids, table=table, mask=mask)  # pyright: ignore[reportAttributeAccessIssue]


def hide(inputs: Any, mask: jax.Array | None) -> Any:
    """Inputs [B, T, ...] or Tokens whose masked steps hold zeros, or no token.

    A step that holds the state still multiplies what it is fed by a gradient of 0, and 0 * NaN is NaN.
    """
    if mask is None:
        return inputs
    if isinstance(inputs, Tokens):
        both = mask if inputs.mask is None else mask & inputs.mask
        return inputs.replace(mask=both)  # pyright: ignore[reportAttributeAccessIssue]
    return jnp.where(mask.reshape(*mask.shape, *[1] * (inputs.ndim - 2)), inputs, jnp.zeros((), inputs.dtype))


def project(
    inputs: jax.Array | Tokens,
    kernels: Sequence[jax.Array],
    biases: Sequence[jax.Array],
    flips: Sequence[bool],
) -> tuple[jax.Array, ...]:
    """The input product of every step, time first.

    Args:
      inputs: [B, T, D].
      kernels: K of [D, R].
      biases: K of [R].
      flips: for each of the K, whether the last step comes first.

    Returns:
      K arrays [T, B, R].
    """
    if isinstance(inputs, Tokens):
        inputs = check_tokens("a product of tokens", inputs)
        if inputs.table is not None and not all(isinstance(size, int) for size in inputs.ids.shape):
            inputs = inputs.dense()  # of a size that `jax.export` leaves open nobody knows what would be cheaper
    if not isinstance(inputs, Tokens):
        steps = jnp.swapaxes(inputs, 0, 1).astype(jnp.result_type(inputs, *kernels))
        rows = (_product(steps, kernel) + bias[None, None, :] for kernel, bias in zip(kernels, biases, strict=True))
        return tuple(jnp.flip(row, axis=0) if flip else row for row, flip in zip(rows, flips, strict=True))
    rows, places, _ = project_distinct(inputs, jnp.concatenate(kernels, axis=1), jnp.concatenate(biases))
    return _gather(rows, tuple(jnp.flip(places.T, axis=0) if flip else places.T for flip in flips))


Product = Callable[[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array], jax.Array]
"""(table [V, D], tokens [N], n, kernel [D, R], bias [R]) -> rows [N, R], of which only the first n matter."""


def project_distinct(
    inputs: Tokens, kernel: jax.Array, bias: jax.Array, product: Product | None = None
) -> tuple[jax.Array, jax.Array, jax.Array | int]:
    """The input product of the different tokens of a batch: kernel [D, R], bias [R] -> rows [N, R], places [B, T], n.

    `rows[places]` is the product of every step. All places are among the first n rows; what the others hold, and what
    their gradient is, does not count. product: takes the place of XLA's, its gradient too.
    """
    ids = inputs.inside()
    if inputs.table is None:
        return kernel + bias[None, :], ids, len(kernel)
    size = len(inputs.table)
    distinct = _distinct(ids if inputs.mask is None else jnp.where(inputs.mask, ids, size), size)
    if product is None:
        rows = _project(inputs.table, distinct, kernel, bias)
    else:
        rows = product(inputs.table, distinct.tokens, distinct.count, kernel, bias)
    return rows, distinct.rank[ids], distinct.count


@jax.custom_vjp
def _product(steps: jax.Array, kernel: jax.Array) -> jax.Array:
    """steps [T, B, D] @ kernel [D, R], whose gradient has the steps as its left factor, which XLA:CPU has to turn."""
    return jnp.matmul(steps, kernel)


def _product_backward(operands: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    steps, kernel = operands
    return jnp.matmul(gradient, kernel.T), jax.lax.dot_general(steps, gradient, (((0, 1), (0, 1)), ((), ())))


_product.defvjp(lambda steps, kernel: (_product(steps, kernel), (steps, kernel)), _product_backward)


CHUNK = 1024
"""Distinct tokens projected at once: their vectors, products and gradients stay in the cache."""


class _Distinct(NamedTuple):
    """The N different tokens of a batch, in the order of the vocabulary."""

    rank: jax.Array
    """[V]: the place of a token among the present ones; of another, some place that there is."""
    tokens: jax.Array
    """[chunks * CHUNK]: the present ones; then V, which is no token."""
    count: jax.Array
    """How many are present."""

    @property
    def chunks(self) -> jax.Array:
        """How many chunks hold them, at least 1."""
        return jnp.maximum(self.count - 1, 0) // CHUNK + 1


def _distinct(ids: jax.Array, vocabulary_size: int) -> _Distinct:
    """Found by a bitmap and a running sum: 0.4 ms at V = 20,000 and B*T = 19,200, where sorting takes 4.7."""
    present = jnp.zeros(vocabulary_size, jnp.int32).at[ids.reshape(-1)].set(1, mode="drop")
    sums = jnp.cumsum(present)
    rank = jnp.maximum(sums - 1, 0)
    room = max(1, -(-min(vocabulary_size, ids.size) // CHUNK)) * CHUNK
    tokens = jnp.full(room, vocabulary_size, jnp.int32)
    places = jnp.where(present > 0, rank, room)
    tokens = tokens.at[places].set(jnp.arange(vocabulary_size, dtype=jnp.int32), mode="drop")
    return _Distinct(rank, tokens, sums[-1])


@jax.custom_vjp
def _project(table: jax.Array, distinct: _Distinct, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    """table [V, D], kernel [D, R], bias [R] -> [N, R]."""

    def project_chunk(chunk: jax.Array, rows: jax.Array) -> jax.Array:
        tokens = jax.lax.dynamic_slice_in_dim(distinct.tokens, chunk * CHUNK, CHUNK)
        products = jnp.matmul(_rows(table, tokens), kernel) + bias[None, :]
        return jax.lax.dynamic_update_slice_in_dim(rows, products, chunk * CHUNK, 0)

    rows = jnp.zeros((len(distinct.tokens), kernel.shape[1]), jnp.result_type(table, kernel))
    return jax.lax.fori_loop(0, distinct.chunks, project_chunk, rows)


def _rows(table: jax.Array, tokens: jax.Array) -> jax.Array:
    """Those of the tokens; zeros for what is no token, as its gradient of 0 would make NaN of a row with NaN."""
    return table.at[tokens].get(mode="fill", fill_value=0)


def _forward(table: jax.Array, distinct: _Distinct, kernel: jax.Array, bias: jax.Array) -> Any:
    return _project(table, distinct, kernel, bias), (table, distinct, kernel)


def _backward(saved: Any, drows: jax.Array) -> tuple[jax.Array, None, jax.Array, jax.Array]:
    table, distinct, kernel = saved

    def pull_back_chunk(chunk: jax.Array, sums: Any) -> Any:
        dtable, dkernel, dbias = sums
        tokens = jax.lax.dynamic_slice_in_dim(distinct.tokens, chunk * CHUNK, CHUNK)
        dproducts = jax.lax.dynamic_slice_in_dim(drows, chunk * CHUNK, CHUNK)
        dtable = dtable.at[tokens].set(jnp.matmul(dproducts, kernel.T), mode="drop")
        dkernel = dkernel + jnp.matmul(_rows(table, tokens).T, dproducts)
        return dtable, dkernel, dbias + dproducts.sum(axis=0)

    start = (jnp.zeros_like(table), jnp.zeros_like(kernel), jnp.zeros_like(kernel[0]))
    dtable, dkernel, dbias = jax.lax.fori_loop(0, distinct.chunks, pull_back_chunk, start)
    return dtable, None, dkernel, dbias


_project.defvjp(_forward, _backward)


@jax.custom_vjp
def _gather(rows: jax.Array, places: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    """rows [N, K*R], K of [T, B] -> K of [T, B, R]: each from its own columns."""
    return tuple(rows.at[p, columns].get(mode="promise_in_bounds") for p, columns in _with_columns(rows, places))


def _with_columns(rows: jax.Array, places: tuple[jax.Array, ...]) -> list[tuple[jax.Array, slice]]:
    width = rows.shape[1] // len(places)
    return [(p, slice(k * width, (k + 1) * width)) for k, p in enumerate(places)]


def _scatter(saved: Any, gradients: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
    rows, places = saved
    drows = jnp.zeros_like(rows)
    for gradient, (p, columns) in zip(gradients, _with_columns(rows, places), strict=True):
        drows = drows.at[p, columns].add(gradient, mode="promise_in_bounds")
    return drows, None


_gather.defvjp(lambda rows, places: (_gather(rows, places), (rows, places)), _scatter)
