"""Keras 3 models as peers, on any of its backends."""

import dataclasses
import importlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.interop.convert import Adapter, Converted, export_to, import_from
from seqjax.interop.trials import Padding

NAMES = {"embeddings": "embedding"}
"""Keras's name of a parameter -> ours, where they differ."""


def from_keras(
    keras_model: Any,
    module: nn.Module,
    example_inputs: Any,
    adapter: Adapter = Adapter(),  # noqa: B008
) -> Converted:
    """A Keras model's weights as parameters of a module that computes the same.

    Args:
      keras_model: a model or layer.
      module: its Linen counterpart.
      example_inputs: of the module, [B, ...].
      adapter: how the two differ on the outside.

    Returns:
      the parameters, and the largest difference between the outputs.

    Raises:
      UserError: layers or parameters that do not match, or outputs that differ.
    """
    return import_from(KerasModel(keras_model), module, example_inputs, adapter)


def to_keras(
    params: Any,
    module: nn.Module,
    keras_model: Any,
    example_inputs: Any,
    adapter: Adapter = Adapter(),  # noqa: B008
) -> float:
    """Overwrite a Keras model's weights with `params`; returns the largest difference; see `from_keras`."""
    return export_to(KerasModel(keras_model), params, module, example_inputs, adapter)


def import_keras() -> Any:
    """Import Keras, with JAX below it unless the user has chosen otherwise.

    Raises:
      UserError: it is not installed.
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")
    try:
        return importlib.import_module("keras")
    except ImportError as error:
        raise UserError(f"Keras cannot be imported ({error}); pip install 'seqjax[interop]'") from error


@dataclasses.dataclass(frozen=True)
class KerasLayer:
    """A layer or recurrent cell with weights of its own."""

    name: str
    variables: Mapping[str, Any]

    def read(self) -> dict[str, np.ndarray]:
        """See `PeerLayer`."""
        to_numpy = import_keras().ops.convert_to_numpy
        return {name: np.asarray(to_numpy(variable.value)) for name, variable in self.variables.items()}

    def write(self, parameters: Mapping[str, Any]) -> None:
        """See `PeerLayer`."""
        for name, value in parameters.items():
            self.variables[name].assign(value)


@dataclasses.dataclass(frozen=True)
class KerasModel:
    """A Keras model or layer."""

    model: Any
    title = "Keras model"

    def build(self, inputs: Any) -> None:
        """See `Peer`."""
        if not self.model.built:
            self.run(inputs)

    def layers(self) -> list[KerasLayer]:
        """See `Peer`; in the order of `model.layers`."""
        return list(_leaves(self.model, self.model.name))

    def run(self, inputs: Any) -> Any:
        """See `Peer`."""
        keras = import_keras()
        with warnings.catch_warnings(), jax.numpy_rank_promotion("allow"):  # the user may have forbidden it
            # An `Input` of type int64, as the lecture has it, gets int32.
            warnings.filterwarnings("ignore", message="Explicitly requested dtype")
            outputs = self.model(inputs, training=False)
        return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)

    def padding(self) -> Padding:
        """See `Peer`; with every number that an operation of the model is given, as it may be compared with inputs."""
        masking = self._masking()
        values = [layer.mask_value for layer in masking if hasattr(layer, "mask_value")]
        nodes = [node for part in getattr(self.model, "operations", []) for node in part._inbound_nodes]
        given = jax.tree.leaves([(node.arguments.args, node.arguments.kwargs) for node in nodes])
        values += [value for value in given if isinstance(value, int | float) and not isinstance(value, bool)]
        said = [f"layer {layer.name} of the Keras model masks {_masked(layer)}" for layer in masking]
        said += [f"layer {part.name} of the Keras model is stateful" for part in self._parts() if _stateful(part)]
        return Padding((0, *map(float, values)), True, tuple(said))

    def untried(self, inputs: Sequence[Any]) -> str | None:
        """See `Peer`; of layers inside of others it is not known."""
        keras = import_keras()
        for layer in self._masking():
            if layer not in getattr(self.model, "layers", []):
                continue
            with warnings.catch_warnings(), jax.numpy_rank_promotion("allow"):
                warnings.filterwarnings("ignore", message="Explicitly requested dtype")
                entry = self.model.inputs
                before = keras.Model(entry[0] if len(entry) == 1 else entry, layer.input)
                masks = [keras.ops.convert_to_numpy(layer.compute_mask(before(one, training=False))) for one in inputs]
            if all(mask.all() for mask in masks):
                return f"layer {layer.name} of the Keras model masks {_masked(layer)}"
        return None

    def snapshot(self) -> Callable[[], None]:
        """See `Peer`."""
        to_numpy = import_keras().ops.convert_to_numpy
        held = [(variable, np.array(to_numpy(variable.value))) for variable in self.model.variables]

        def restore() -> None:
            for variable, value in held:
                variable.assign(value)

        return restore

    def _parts(self) -> list[Any]:
        return list(self.model._flatten_layers())

    def _masking(self) -> list[Any]:
        """The layers that make a mask."""
        layers = import_keras().layers
        return [
            part
            for part in self._parts()
            if isinstance(part, layers.Masking) or (isinstance(part, layers.Embedding) and part.mask_zero)
        ]


def _masked(layer: Any) -> str:
    if hasattr(layer, "mask_value"):
        return f"steps of {layer.mask_value:g} (Masking)"
    return "id 0 (Embedding with mask_zero)"


def _stateful(layer: Any) -> bool:
    return isinstance(layer, import_keras().layers.RNN) and layer.stateful


def _leaves(layer: Any, name: str) -> Iterator[KerasLayer]:
    """The layers with weights below `layer`, called `name`: models, wrappers and recurrent layers hold others."""
    keras = import_keras()
    if isinstance(layer, keras.Model):
        parts = [(part, part.name) for part in layer.layers]
    elif isinstance(layer, keras.layers.Bidirectional):
        parts = [(layer.forward_layer, f"{name}/forward"), (layer.backward_layer, f"{name}/backward")]
    elif isinstance(layer, keras.layers.RNN):
        parts = [(layer.cell, name)]
    elif isinstance(layer, keras.layers.StackedRNNCells):
        parts = [(cell, f"{name}/{k}") for k, cell in enumerate(layer.cells)]
    elif isinstance(layer, keras.layers.Wrapper):
        parts = [(layer.layer, name)]
    else:
        names = [str(variable.name) for variable in layer.weights]
        variables = {NAMES.get(own, own): variable for own, variable in zip(names, layer.weights, strict=True)}
        if len(variables) < len(layer.weights):
            raise UserError(
                f"layer {name} of the Keras model, a {type(layer).__name__}, is made of layers not known here"
            )
        if variables:
            yield KerasLayer(name, variables)
        return
    for part, part_name in parts:
        yield from _leaves(part, part_name)
