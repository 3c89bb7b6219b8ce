"""What all recurrent layers answer to, and the one that runs any cell along time.

Legend: B batch, T time, D features, U units.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.layers import checks
from seqjax.layers.inputs import check_inputs, dense
from seqjax.layers.scan import scan_cell
from seqjax.layers.tokens import Tokens


class Recurrent(nn.Module):
    """What can stand in a Bidirectional or a Stacked: `run` gives everything, `__call__` what was asked for.

    A layer of your own is one if it has `run`, `return_sequences` and `return_state`. There is no such class in Keras
    (RNN), PyTorch (nn.RNNBase) or Flax (nn.RNN): there, layers of other kinds cannot stand in each other's place.

        >>> all(issubclass(kind, Recurrent) for kind in (LSTM, RNN, MinGRU, LRU, Bidirectional, Stacked))
        True
    """

    def run(
        self,
        inputs: Any,
        mask: Any = None,
        initial_state: Any = None,
        train: bool = False,
        sequences: bool = True,
        **options: Any,
    ) -> tuple[Any, Any, Any]:
        """-> (outputs of all steps [B, T, ...], output of the last step [B, ...], final state).

        Without `sequences` the first may be None.
        """
        raise NotImplementedError

    def wants(self) -> tuple[bool, bool]:
        """(return_sequences, return_state)."""
        return self.return_sequences, self.return_state  # type: ignore[attr-defined]

    def __call__(
        self,
        inputs: jax.Array | Tokens,
        mask: jax.Array | None = None,
        initial_state: Any = None,
        train: bool = False,
        **options: Any,
    ) -> Any:
        """Run the layer.

        Args:
          inputs: [B, T, D], or Tokens.
          mask: [B, T] bool; False steps hold the state. None: all steps are real.
          initial_state: a final state of this layer (feed that of the piece before to stream); None: zeros.
            SimpleRNN and GRU: h [B, U]; LSTM: (h, c); Bidirectional: (forward, backward); Stacked: one per layer.
          train: whether dropout and zoneout act; they draw from the rng collection "dropout".
          options: what `run` takes besides.

        Returns:
          the output of the last step [B, U], or of all steps [B, T, U] with return_sequences; with return_state
          (that, final state).

        Raises:
          UserError: shapes, rates or names that make no sense, or a backend that cannot do what is asked.
        """
        sequences, wants_state = self.wants()
        outputs, last, state = self.run(inputs, mask, initial_state, train, sequences, **options)
        chosen = outputs if sequences else last
        return (chosen, state) if wants_state else chosen


class RNN(Recurrent):
    """Any cell along time: a Linen module (carry, x) -> (carry, y) with `initialize_carry(rng, input_shape)`.

    Flax's own cells fit (`nn.LSTMCell(16)`, ...), and so do those of `seqjax.layers.cells`. `train` is accepted, so
    that this layer can stand where the others do, and not used: a cell decides for itself.

    Shapes, mask and state are as of `Recurrent.__call__`; inputs may have more axes, [B, T, ...], if the cell takes
    them. `return_sequences`: the outputs of all steps. `return_state`: the final state too. `reverse`: from the last
    step to the first. As Keras's RNN(cell), go_backwards turned back; Flax's nn.RNN(cell, keep_order=True), whose mask
    is `seq_lengths`. PyTorch's cells (nn.LSTMCell) are looped over by hand.

        >>> layer = RNN(nn.OptimizedLSTMCell(4), return_state=True)
        >>> last, (c, h) = layer.apply(layer.init(key, x), x, mask=mask)  # Flax's own order of the state
        >>> last.shape, bool((last == h).all())
        ((2, 4), True)
        >>> nnx.bridge.lazy_init(nnx.bridge.ToNNX(RNN(GRUCell(4)), rngs=rngs), x)(x).shape
        (2, 4)
    """

    cell: nn.Module
    return_sequences: bool = False
    return_state: bool = False
    reverse: bool = False

    def run(
        self,
        inputs: Any,
        mask: Any = None,
        initial_state: Any = None,
        train: bool = False,
        sequences: bool = True,
        **options: Any,
    ) -> tuple[Any, Any, Any]:
        """As in `Recurrent`; no options."""
        del train, sequences
        if options:
            raise UserError(f"RNN: unknown option {', '.join(options)}")
        inputs, mask = check_inputs("RNN", inputs, mask)
        inputs = dense(inputs)
        state = checks.check_carry("RNN", self.cell, initial_state, (inputs.shape[0], *inputs.shape[2:]))
        state, outputs = scan_cell(self.cell, state, inputs, mask, reverse=self.reverse)
        if inputs.shape[1] == 0:  # as before the first valid step
            return outputs, jax.tree.map(lambda y: jnp.zeros_like(y, shape=(y.shape[0], *y.shape[2:])), outputs), state
        return outputs, jax.tree.map(lambda y: y[:, 0 if self.reverse else -1], outputs), state
