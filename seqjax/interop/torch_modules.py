"""PyTorch modules as peers.

Legend: D features, U units, G gates. PyTorch keeps matrices transposed ([G*U, D]; convolution [U, D, width]), orders
the LSTM's gates as we do (i, f, g, o), the GRU's as r, z, n (ours: z, r, h; equal to `reset_after=True`), and holds two
biases everywhere. Only the GRU needs two: elsewhere ours is their sum, and goes into `bias_ih` with `bias_hh` zero.
Source: torch/nn/modules/rnn.py (2.13).
"""

import dataclasses
import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.interop.convert import Adapter, Converted, export_to, import_from
from seqjax.interop.trials import Padding


def from_torch(
    torch_module: Any,
    module: nn.Module,
    example_inputs: Any,
    adapter: Adapter = Adapter(),  # noqa: B008
) -> Converted:
    """A PyTorch module's weights as parameters of a Linen module that computes the same.

    Args:
      torch_module: whose layers are matched in the order of definition.
      module: its Linen counterpart; a GRU has `reset_after=True`.
      example_inputs: of the Linen module, [B, ...].
      adapter: how the two differ on the outside, such as a PyTorch convolution that takes [B, D, T].

    Returns:
      the parameters, and the largest difference between the outputs.

    Raises:
      UserError: layers or parameters that do not match, or outputs that differ.
    """
    return import_from(TorchModule(torch_module), module, example_inputs, adapter)


def to_torch(
    params: Any,
    module: nn.Module,
    torch_module: Any,
    example_inputs: Any,
    adapter: Adapter = Adapter(),  # noqa: B008
) -> float:
    """Overwrite a PyTorch module's weights with `params`; returns the largest difference; see `from_torch`."""
    return export_to(TorchModule(torch_module), params, module, example_inputs, adapter)


def import_torch() -> Any:
    """Import PyTorch.

    Raises:
      UserError: it is not installed.
    """
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise UserError(f"PyTorch cannot be imported ({error}); pip install 'seqjax[torch]'") from error


def _assign(tensor: Any, value: Any) -> None:
    torch = import_torch()
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(np.array(value)))  # a copy: JAX's own memory is read-only


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().numpy()


@dataclasses.dataclass(frozen=True)
class PlainLayer:
    """Linear, Conv1d or Embedding."""

    name: str
    layer: Any

    def read(self) -> dict[str, np.ndarray]:
        """See `PeerLayer`."""
        if isinstance(self.layer, import_torch().nn.Embedding):
            return {"embedding": _array(self.layer.weight)}
        found = {"kernel": _array(self.layer.weight).T}  # all axes reversed: [U, D, width] -> [width, D, U]
        return found if self.layer.bias is None else found | {"bias": _array(self.layer.bias)}

    def write(self, parameters: Mapping[str, Any]) -> None:
        """See `PeerLayer`."""
        for name, value in parameters.items():
            tensor = self.layer.bias if name == "bias" else self.layer.weight
            _assign(tensor, value.T if name == "kernel" else value)


@dataclasses.dataclass(frozen=True)
class RecurrentLayer:
    """One direction of one layer of an RNN, LSTM or GRU, or a cell."""

    name: str
    kernel: Any
    recurrent_kernel: Any
    biases: tuple[Any, Any] | None
    """At x and at h."""
    gru: bool

    def _swapped(self, value: np.ndarray) -> np.ndarray:
        """The last axis with its gates r, z, n as z, r, n, or the other way round."""
        if not self.gru:
            return value
        first, second, third = np.split(value, 3, axis=-1)
        return np.concatenate([second, first, third], axis=-1)

    def read(self) -> dict[str, np.ndarray]:
        """See `PeerLayer`."""
        found = {
            "kernel": self._swapped(_array(self.kernel).T),
            "recurrent_kernel": self._swapped(_array(self.recurrent_kernel).T),
        }
        if self.biases is not None:
            both = np.stack([_array(bias) for bias in self.biases])  # [2, G*U]
            found["bias"] = self._swapped(both) if self.gru else both.sum(axis=0)
        return found

    def write(self, parameters: Mapping[str, Any]) -> None:
        """See `PeerLayer`."""
        _assign(self.kernel, self._swapped(parameters["kernel"]).T)
        _assign(self.recurrent_kernel, self._swapped(parameters["recurrent_kernel"]).T)
        if self.biases is not None:
            bias = parameters["bias"]
            both = self._swapped(bias) if self.gru else (bias, np.zeros_like(bias))
            for tensor, value in zip(self.biases, both, strict=True):
                _assign(tensor, value)


@dataclasses.dataclass(frozen=True)
class TorchModule:
    """A PyTorch module."""

    module: Any
    title = "PyTorch module"

    def build(self, inputs: Any) -> None:
        """See `Peer`: PyTorch has made them already."""

    def layers(self) -> list[PlainLayer | RecurrentLayer]:
        """See `Peer`; in the order of definition.

        Raises:
          UserError: a layer of another kind has parameters.
        """
        return [
            leaf for name, part in self.module.named_modules() for leaf in _leaves(name or type(part).__name__, part)
        ]

    def run(self, inputs: Any) -> Any:
        """See `Peer`."""
        torch = import_torch()
        device = next((parameter.device for parameter in self.module.parameters()), None)
        modes = [(part, part.training) for part in self.module.modules()]
        self.module.eval()
        try:
            with torch.no_grad():
                outputs = self.module(jax.tree.map(lambda x: torch.from_numpy(np.array(x)).to(device), inputs))
        finally:
            for part, training in modes:
                part.training = training
        return jax.tree.map(_array, outputs)

    def padding(self) -> Padding:
        """See `Peer`; a module's own `forward` may pack its sequences, which cannot be seen from outside."""
        torch = import_torch()
        own = [part.padding_idx for part in self.module.modules() if isinstance(part, torch.nn.Embedding)]
        return Padding((0, *(place for place in own if place is not None)))

    def untried(self, inputs: Any) -> None:
        """See `Peer`."""

    def snapshot(self) -> Callable[[], None]:
        """See `Peer`."""
        held = {name: tensor.detach().clone() for name, tensor in self.module.state_dict().items()}

        def restore() -> None:
            for name, tensor in self.module.state_dict().items():
                _assign(tensor, _array(held[name]))

        return restore


def _leaves(name: str, layer: Any) -> Iterator[PlainLayer | RecurrentLayer]:
    torch = import_torch()
    if getattr(layer, "max_norm", None) is not None:
        raise UserError(f"layer {name} of the PyTorch module has max_norm={layer.max_norm}: it changes its own weights")
    if isinstance(layer, torch.nn.Linear | torch.nn.Conv1d | torch.nn.Embedding):
        yield PlainLayer(name, layer)
    elif isinstance(layer, torch.nn.RNNBase):
        if getattr(layer, "proj_size", 0):
            raise UserError(f"layer {name} of the PyTorch module has proj_size={layer.proj_size}; only 0 is known here")
        for k in range(layer.num_layers):
            for ending in ("", "_reverse") if layer.bidirectional else ("",):
                yield _recurrent(f"{name}/l{k}{ending}", layer, f"_l{k}{ending}")
    elif isinstance(layer, torch.nn.RNNCellBase):
        yield _recurrent(name, layer, "")
    elif own := [parameter for parameter, _ in layer.named_parameters(recurse=False)]:
        raise UserError(
            f"layer {name} of the PyTorch module, a {type(layer).__name__} with {', '.join(own)}, is not known here; "
            "known are Linear, Conv1d, Embedding, RNN, LSTM, GRU and their cells"
        )


def _recurrent(name: str, layer: Any, ending: str) -> RecurrentLayer:
    get = lambda parameter: getattr(layer, parameter + ending)
    torch = import_torch()
    gru = isinstance(layer, torch.nn.GRU | torch.nn.GRUCell)
    biases = (get("bias_ih"), get("bias_hh")) if layer.bias else None
    return RecurrentLayer(name, get("weight_ih"), get("weight_hh"), biases, gru)
