"""Import from a peer, export to a peer, and the proof that both models then compute the same.

Legend: B batch, T time.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import logging
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.interop.layers import Peer, export_parameters, import_parameters, shapes
from seqjax.interop.trials import Trial, trials

ROUNDING = 1e-6
"""An absolute difference that always passes: of outputs near 0."""


def _same(tree: Any) -> Any:
    return tree


@dataclasses.dataclass(frozen=True)
class Adapter:
    """How a module and its peer differ on the outside; by default not at all."""

    inputs: Callable[[Any], Any] = _same
    """(the module's inputs) -> the peer's, arrays."""
    outputs: Callable[[Any], Any] = _same
    """(the module's outputs) -> what the peer should give for them, such as `jax.nn.sigmoid` of logits.

    Arrays are compared in the order of their tree, axes of length 1 ignored; what the peer gives beyond them (such as
    the final state of a PyTorch layer) is not."""
    tolerance: float = 1e-4
    """The largest difference that passes, relative to the largest output."""


class Converted(NamedTuple):
    """Imported parameters, with the proof."""

    params: Any
    difference: float
    """The largest absolute difference between outputs of the module and of the peer."""


def import_from(peer: Peer, module: nn.Module, example_inputs: Any, adapter: Adapter) -> Converted:
    """The peer's parameters for `module`.

    Args:
      peer: where from.
      module: where to.
      example_inputs: of the module, [B, ...]: they are tried, and random, padded and large ones of the same form.
      adapter: how the two differ on the outside.

    Raises:
      UserError: layers or parameters that do not match, or outputs that differ.
    """
    peer.build(adapter.inputs(example_inputs))
    like = shapes(module, example_inputs)
    params = import_parameters(like, peer)
    return Converted(params, largest_difference(peer, module, params, like, example_inputs, adapter))


def export_to(peer: Peer, params: Any, module: nn.Module, example_inputs: Any, adapter: Adapter) -> float:
    """Overwrite the peer's parameters; arguments and errors as in `import_from`. Returns the largest difference.

    If layers, parameters or outputs do not match, the peer is left as it was.
    """
    peer.build(adapter.inputs(example_inputs))
    like = shapes(module, example_inputs)
    restore = peer.snapshot()
    export_parameters(params, like, peer)
    try:
        return largest_difference(peer, module, params, like, example_inputs, adapter)
    except UserError:
        restore()
        raise


def largest_difference(
    peer: Peer, module: nn.Module, params: Any, like: dict[str, Any], example_inputs: Any, adapter: Adapter
) -> float:
    """The largest absolute difference between the outputs on all inputs of `trials.trials` but the large ones.

    Raises:
      UserError: it is above the tolerance, the outputs have other shapes, or the peer masks what cannot be tried.
    """
    apply = jax.jit(module.apply)
    fed, largest, restore = [], 0.0, peer.snapshot()
    try:
        for trial in trials(example_inputs, like, peer.padding()):
            fed.append(adapter.inputs(trial.inputs))
            with jax.default_matmul_precision("highest"):
                ours = jax.tree.leaves(adapter.outputs(apply({"params": params}, trial.inputs)))
                theirs = jax.tree.leaves(_run(peer, fed[-1], trial))
            difference = _largest(ours, theirs, adapter.tolerance * trial.tolerance, peer, trial)
            largest = max(largest, difference if trial.counts else 0.0)
        untried = peer.untried(fed)
    finally:
        restore()
    if untried:
        raise UserError(
            f"{untried}, but no step of the inputs that were tried, so that it is not known whether the module does "
            "the same: give example inputs that it masks"
        )
    logging.info("the outputs of the module and of the %s differ by at most %.3g", peer.title, largest)
    return largest


def _run(peer: Peer, inputs: Any, trial: Trial) -> Any:
    try:
        return peer.run(inputs)
    except UserError:
        raise
    except Exception as error:  # of whatever kind the other library has for it
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"the {peer.title} cannot be run on {trial.title}: {reason}") from error


def _largest(ours: list[Any], theirs: list[Any], tolerance: float, peer: Peer, trial: Trial) -> float:
    title = peer.title
    if len(theirs) < len(ours):
        raise UserError(f"the module gives {len(ours)} arrays, but the {title} {len(theirs)}")
    largest = 0.0
    for a, b in zip((np.squeeze(a) for a in ours), (np.squeeze(b) for b in theirs), strict=False):
        if a.shape != b.shape:
            raise UserError(
                f"the module gives an output of shape {a.shape}, but the {title} {b.shape}, axes of length 1 removed; "
                "Adapter(inputs=, outputs=) translates"
            )
        difference = float(np.max(np.abs(a - b), initial=0))
        bound = tolerance * float(np.max(np.abs(b), initial=0)) + ROUNDING
        if not difference <= bound:  # so it is refused also if it is not a number
            raise UserError(
                f"all parameters fit, but the outputs of the module and of the {title} differ by {difference:.3g} "
                f"on {trial.title}: {_reason(peer, trial)}"
            )
        largest = max(largest, difference)
    return largest


def _reason(peer: Peer, trial: Trial) -> str:
    known = "; ".join(peer.padding().said)
    if trial.padded:
        return "one of them masks such steps and the other does not" + (f": {known}" if known else "")
    usual = "activation, mask, direction or the order of equal layers must differ"
    return f"{usual} ({known})" if known else usual
