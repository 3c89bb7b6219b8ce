"""Our layers with parameters, matched one to one with those of another library (the peer).

The common form of a layer is ours, which is Keras's: see `seqjax.layers.cells` for the recurrent ones; dense kernels
are [D, U], convolution kernels [width, D, U], embeddings [V, E].
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict

from seqjax.errors import UserError
from seqjax.interop.trials import Padding

Parameters = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Layer:
    """One of our layers: what lies directly below one path of the parameter tree."""

    name: str
    """Its path, such as `layer/forward/cell`; empty for the module itself."""
    parameters: Parameters
    """Name -> array, or its shape and type."""

    def __str__(self) -> str:
        return f"layer {self.name or '(the module itself)'} of the module"


class PeerLayer(Protocol):
    """A layer of the peer."""

    @property
    def name(self) -> str:
        """As the peer calls it."""
        ...

    def read(self) -> dict[str, np.ndarray]:
        """The parameters in the common form. No `bias` if it has none."""
        ...

    def write(self, parameters: Parameters) -> None:
        """Overwrite them. The names and shapes are those of `read`."""
        ...


class Peer(Protocol):
    """A model of another library."""

    title: str
    """What it is, for messages: `Keras model`."""

    def build(self, inputs: Any) -> None:
        """Make its parameters, where that waits for the first inputs."""
        ...

    def layers(self) -> Sequence[PeerLayer]:
        """Those with parameters, in order."""
        ...

    def run(self, inputs: Any) -> Any:
        """Its outputs as NumPy arrays, not in training."""
        ...

    def padding(self) -> Padding:
        """What its masks look for."""
        ...

    def untried(self, inputs: Sequence[Any]) -> str | None:
        """Which of its layers would mask steps, but none of any of these inputs, in words."""
        ...

    def snapshot(self) -> Callable[[], None]:
        """Remember all that it holds; the function that is returned puts it back."""
        ...


def shapes(module: nn.Module, inputs: Any) -> dict[str, Any]:
    """The path of every parameter, in the order in which the module first uses them -> shape and type."""
    order: list[str] = []

    def create(inputs: Any) -> Any:
        params = module.init(jax.random.key(0), inputs).get("params", {})
        order.extend(flatten_dict(params, sep="/"))  # here still in order of creation: JAX sorts on the way out
        return params

    found = flatten_dict(jax.eval_shape(create, inputs), sep="/")
    return {path: found[path] for path in order}


def check_like(params: Any, like: Mapping[str, Any], name: str) -> None:
    """Refuse parameters, called `name`, whose paths, shapes or types are not those of `like` (path -> array).

    Raises:
      UserError: with the first path that is missing, unknown or different.
    """
    found: Any = flatten_dict(params, sep="/")
    for path in [*like, *found]:
        if path not in found:
            raise UserError(f"{name} lacks {path}; it has {', '.join(found) or 'no parameters'}")
        if path not in like:
            raise UserError(f"{name} has {path}, which is not wanted; wanted are {', '.join(like)}")
        if found[path].shape != like[path].shape:
            raise UserError(f"{path} of {name} is {_form(found[path])}, but {_form(like[path])} is wanted")
        if found[path].dtype != like[path].dtype:
            raise UserError(f"{path} of {name} is {found[path].dtype}, but {like[path].dtype} is wanted")


def import_parameters(like: Mapping[str, Any], peer: Peer) -> Any:
    """The peer's parameters as our tree. A bias that only we have becomes zero.

    Args:
      like: what `shapes` says of our module.
      peer: whose parameters they are.

    Raises:
      UserError: with the first layer and parameter that differ.
    """
    params = {}
    for ours, theirs in _pairs(like, peer):
        found = theirs.read()
        _check_pair(ours, theirs.name, found, peer.title)
        for name, want in ours.parameters.items():
            value = found.get(name, np.zeros(want.shape))
            # A copy: PyTorch overwrites its memory in place, and Keras gives its own back when it trains.
            params[_join(ours.name, name)] = jnp.array(value, want.dtype)
    return unflatten_dict(params, sep="/")


def export_parameters(params: Any, like: Mapping[str, Any], peer: Peer) -> None:
    """Overwrite the peer's parameters by ours: all of them or, if anything does not fit, none.

    Raises:
      UserError: `params` do not belong to the module, or the first layer and parameter that differ.
    """
    check_like(params, like, "params")
    flat = flatten_dict(params, sep="/")
    todo = []
    for ours, theirs in _pairs({path: np.asarray(flat[path]) for path in like}, peer):
        found = theirs.read()
        _check_pair(ours, theirs.name, found, peer.title)
        if "bias" not in found and np.any(ours.parameters.get("bias", 0)):
            raise UserError(f"{ours} has a bias that is not zero, but layer {theirs.name} of the {peer.title} has none")
        todo.append((theirs, {name: ours.parameters[name] for name in found}))
    for theirs, parameters in todo:
        theirs.write(parameters)


def _pairs(like: Mapping[str, Any], peer: Peer) -> Iterator[tuple[Layer, PeerLayer]]:
    grouped: dict[str, dict[str, Any]] = {}
    for path, value in like.items():
        name, _, parameter = path.rpartition("/")
        grouped.setdefault(name, {})[parameter] = value
    for ours, theirs in itertools.zip_longest(itertools.starmap(Layer, grouped.items()), peer.layers()):
        if ours is None:
            raise UserError(
                f"layer {theirs.name} of the {peer.title} ({_forms(theirs.read())}) is one too many for the module"
            )
        if theirs is None:
            raise UserError(f"{ours} ({_forms(ours.parameters)}) has no counterpart: the {peer.title} ends before it")
        yield ours, theirs


def _check_pair(ours: Layer, name: str, found: Parameters, title: str) -> None:
    wanted, theirs = ours.parameters, f"layer {name} of the {title}"
    for parameter in [*wanted, *found]:
        if parameter not in wanted:
            form = _form(found[parameter])
            raise UserError(f"{theirs} has {parameter} {form}, but {ours} ({_forms(wanted)}) has none")
        want = _form(wanted[parameter])
        if parameter in found and found[parameter].shape != wanted[parameter].shape:
            have = _form(found[parameter])
            two = parameter == "bias" and found[parameter].ndim != wanted[parameter].ndim
            hint = "; a GRU has two rows of bias with reset_after, one without" if two else ""
            raise UserError(f"{theirs} has {parameter} {have}, but {ours} has {want}{hint}")
        if parameter not in found and parameter != "bias":
            raise UserError(f"{theirs} ({_forms(found)}) has no {parameter}, but {ours} has {want}")


def _join(layer: str, parameter: str) -> str:
    return f"{layer}/{parameter}" if layer else parameter


def _form(array: Any) -> str:
    return str(list(array.shape))


def _forms(parameters: Parameters) -> str:
    return ", ".join(f"{name} {_form(value)}" for name, value in parameters.items())
