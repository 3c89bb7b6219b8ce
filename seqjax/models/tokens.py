"""Token sequences as the input of a recurrent layer, projected without building the vectors of every step.

Legend: B batch, T time, V vocabulary, D features of a token, R columns of the kernel.

A batch of 32 reviews of 600 words has 19,200 tokens but only 2,000-5,000 different ones. `table[ids] @ kernel` is
therefore computed for the different tokens only, and its rows are gathered; the gradient is summed per token first.
One-hot input needs no product at all: `one_hot(ids) @ kernel` is `kernel[ids]`, exactly.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct


@struct.dataclass
class Tokens:
    """Stands for `table[ids]` [B, T, D], or for one-hot vectors [B, T, V]; recurrent layers take it as input."""

    ids: jax.Array
    """[B, T] int, in [0, V)."""
    table: jax.Array | None = None
    """[V, D] embeddings; None: one-hot vectors."""
    vocabulary_size: int | None = struct.field(pytree_node=False, default=None)
    """V, for one-hot vectors."""

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
        if self.table is None:
            return jax.nn.one_hot(self.ids, self.vocabulary_size, dtype=self.dtype)
        return self.table[self.ids]


def project(inputs: jax.Array | Tokens, kernel: jax.Array) -> jax.Array:
    """inputs [B, T, D] @ kernel [D, R] -> [B, T, R]."""
    if not isinstance(inputs, Tokens):
        return jnp.matmul(inputs, kernel)
    if inputs.table is None:
        return kernel[inputs.ids]
    return _project_tokens(inputs.table, inputs.ids, kernel)


def _distinct(ids: jax.Array, vocabulary_size: int) -> tuple[jax.Array, jax.Array]:
    """-> (present [V] 0 or 1, rank [V] of a present token among the present ones).

    A bitmap and a running sum: 0.4 ms at V = 20,000, B*T = 19,200, where sorting (jnp.unique) takes 4.7.
    """
    present = jnp.zeros(vocabulary_size, jnp.int32).at[ids.reshape(-1)].set(1)
    return present, jnp.cumsum(present) - 1


def _project_at_most(
    size: int, present: jax.Array, rank: jax.Array, table: jax.Array, ids: jax.Array, kernel: jax.Array
) -> jax.Array:
    """`table[ids] @ kernel`, if no more than `size` different tokens are present."""
    positions = jnp.where(present > 0, rank, size)
    tokens = jnp.zeros(size, ids.dtype).at[positions].set(jnp.arange(len(rank), dtype=ids.dtype), mode="drop")
    return jnp.matmul(table[tokens], kernel)[rank[ids]]


def _branches(ids: jax.Array, vocabulary_size: int) -> tuple[jax.Array, list[Any]]:
    """The index of the smallest size that holds the different tokens, and the projection for every size."""
    present, rank = _distinct(ids, vocabulary_size)
    most = min(vocabulary_size, ids.size)
    sizes = sorted({-(-most * eighths // 8) for eighths in (1, 2, 3, 4, 6)})
    index = jnp.searchsorted(jnp.array(sizes), rank[-1] + 1)
    projections: list[Any] = [functools.partial(_project_at_most, size, present, rank) for size in sizes]
    return index, [*projections, lambda table, ids, kernel: jnp.matmul(table[ids], kernel)]


@jax.custom_vjp
def _project_tokens(table: jax.Array, ids: jax.Array, kernel: jax.Array) -> jax.Array:
    """table [V, D], ids [B, T], kernel [D, R] -> [B, T, R]."""
    index, branches = _branches(ids, table.shape[0])
    return jax.lax.switch(index, branches, table, ids, kernel)


def _forward(table: jax.Array, ids: jax.Array, kernel: jax.Array) -> tuple[jax.Array, Any]:
    return _project_tokens(table, ids, kernel), (table, ids, kernel)


def _backward(saved: Any, gradient: jax.Array) -> tuple[jax.Array, None, jax.Array]:
    table, ids, kernel = saved
    index, branches = _branches(ids, table.shape[0])

    def pull_back(branch: Any, gradient: jax.Array) -> Any:
        return jax.vjp(lambda t, k: branch(t, ids, k), table, kernel)[1](gradient)

    # Differentiating the switch itself would keep every branch's intermediates.
    pulls = [functools.partial(pull_back, branch) for branch in branches]
    dtable, dkernel = jax.lax.switch(index, pulls, gradient)
    return dtable, None, dkernel


_project_tokens.defvjp(_forward, _backward)
