"""Both models step by step: the same initial weights, the same batches, no dropout.

Legend: B batch, S steps, N neighbours.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from seqjax.compare.mirror import Mirror, mirror
from seqjax.data.dataset import Dataset
from seqjax.data.pipeline import Batches, batches
from seqjax.experiment import Experiment
from seqjax.interop.convert import Adapter
from seqjax.interop.keras_models import to_keras
from seqjax.training.state import create_state, make_train_step

NEIGHBOURS = 5
"""One alone may stay close by luck: after 75 steps of jena_conv1d the nearest of five had parted by 1e-5, the furthest
by 6e-4."""


@dataclasses.dataclass(frozen=True)
class Followed:
    """The losses of both."""

    ours: np.ndarray
    """[S]."""
    keras: np.ndarray
    """[S]."""
    nearby: np.ndarray
    """[N, S]: ours from initial weights that are a rounding error away."""
    start: float
    """The largest difference of the outputs before the first step."""

    @property
    def differences(self) -> np.ndarray:
        """[S], of losses above 1 relative to them: float32 has no more to give."""
        return apart(self.ours, self.keras)

    @property
    def rounding(self) -> np.ndarray:
        """[S]: how far the furthest neighbour is from ours."""
        return apart(self.ours, self.nearby).max(axis=0)

    def agree(self, tolerance: float) -> bool:
        """Whether no step differs by more than the tolerance."""
        return bool(np.all(self.differences <= tolerance))

    def explained(self, tolerance: float) -> str:
        """From where on they differ by more, and whether rounding alone takes ours as far from itself (to a tenth)."""
        first = int(np.argmin(self.differences <= tolerance))  # NaN is a difference too
        reached = np.maximum.accumulate(self.rounding)
        alone = bool(np.all(self.differences <= np.maximum(tolerance, 10 * reached)))
        said = "as ours does from itself after a rounding error" if alone else "and by more than rounding explains"
        return f"they differ by more than {tolerance:g} from step {first + 1} on, {said}"


def apart(ours: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Absolute differences, relative ones of values above 1."""
    return np.abs(ours - others) / np.maximum(1, np.abs(others))


def without_dropout(options: Mapping[str, Any]) -> dict[str, Any]:
    """The knobs, all that drop out at 0: the two libraries draw different masks."""
    return {knob: 0.0 if knob.endswith("dropout") else value for knob, value in options.items()}


def follow(
    function: Callable[..., Experiment], options: Mapping[str, Any], load: Callable[[Any], Dataset], steps: int
) -> Followed:
    """Train both for some steps.

    Args:
      function: of the experiment file.
      options: its knobs; dropout is switched off.
      load: (source) -> its examples.
      steps: S.

    Raises:
      UserError: no counterpart in Keras, or Keras is missing.
    """
    options = without_dropout(options)
    experiment: Experiment = function(**options)
    dataset = load(experiment.source)
    dataset = dataclasses.replace(dataset, arrays=_wide(dict(dataset.arrays)))
    found = mirror(experiment, options, dataset.example())
    state = create_state(experiment, dataset.example(), dataset.initial, dataset.target())
    outputs = jax.nn.sigmoid if found.logits else np.asarray
    adapter = Adapter(inputs=found.inputs, outputs=outputs, tolerance=1e-3)
    start = to_keras(state.params, experiment.model, found.model, dataset.example(), adapter)
    state = _wide(state)
    size, ids = experiment.batch_size, dataset.parts["train"]
    stacks = list(batches(ids, batch_size=size, start=0, stop=steps, seed=experiment.seed, stack=8))
    near = [state.replace(params=_nearby(state.params, seed)) for seed in range(NEIGHBOURS)]
    ours, *nearby = _ours(experiment, dataset, [state, *near], stacks)
    return Followed(ours, _keras(found, dataset, stacks), np.stack(nearby), start)


def _nearby(params: Any, seed: int) -> Any:
    """Each parameter moved by some units in its last place.

    By one alone is too little: where jena_simple_rnn parts from Keras, five such neighbours have come a sixteenth as
    far, and five of these a sixth.
    """
    rng = np.random.default_rng(seed)
    moved = lambda array: array * (1 + 2 * np.finfo(array.dtype).eps * rng.normal(size=array.shape))
    return jax.tree.map(lambda array: moved(np.asarray(array)).astype(array.dtype), params)


def _wide(tree: Any) -> Any:
    """float64 in place of float32, where JAX has been told to use it."""
    if not jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        return tree
    wide = lambda leaf: leaf.astype(np.float64) if leaf.dtype == np.float32 else leaf
    return jax.tree.map(wide, tree)


def _ours(experiment: Experiment, dataset: Dataset, states: Sequence[Any], stacks: list[Batches]) -> list[np.ndarray]:
    """The losses [S] from each of the states."""
    step = make_train_step(experiment, dataset.gather)
    arrays = jax.device_put(dict(dataset.arrays))
    train = jax.jit(lambda state, stack: jax.lax.scan(lambda carry, batch: step(carry, batch, arrays), state, stack))

    def losses(state: Any) -> np.ndarray:
        found = []
        for stack in stacks:
            state, some = train(state, (stack.ids, stack.weights))
            found.append(np.asarray(some))
        return np.concatenate(found)

    return [losses(state) for state in states]


def _keras(found: Mirror, dataset: Dataset, stacks: list[Batches]) -> np.ndarray:
    losses = []
    with jax.numpy_rank_promotion("allow"):
        for ids, weights in ((i, w) for stack in stacks for i, w in zip(stack.ids, stack.weights, strict=True)):
            inputs, targets = dataset.gather(dataset.arrays, ids[weights > 0])
            found.model.reset_metrics()  # train_on_batch returns the mean since the last reset
            losses.append(float(found.model.train_on_batch(found.inputs(inputs), found.targets(targets))[0]))
    return np.asarray(losses)


def lines(followed: Followed) -> list[str]:
    """A table of some of the steps, and the largest difference."""
    steps = len(followed.ours)
    shown = sorted({1, 2, 5, *(k for k in range(10, steps + 1, 10) if k in (10, 20, 50) or k % 50 == 0), steps})
    said = [f"outputs before the first step differ by at most {followed.start:.2g}"]
    said += [f"{'step':>5}  {'ours':>12}  {'keras':>12}  difference  ours, a rounding error away"]
    for k in (step for step in shown if step <= steps):
        ours, keras = followed.ours[k - 1], followed.keras[k - 1]
        away = abs(ours - followed.nearby[:, k - 1]).max()
        said.append(f"{k:5}  {ours:12.6f}  {keras:12.6f}  {abs(ours - keras):10.2e}  {away:.2e}")
    worst = int(followed.differences.argmax())
    said.append(f"largest difference of {steps} steps: {followed.differences[worst]:.2e} at step {worst + 1} "
                "(of losses above 1 relative to them)")  # fmt: skip
    return said


def as_json(followed: Followed, name: str, options: Mapping[str, Any], data: str) -> str:
    """All steps, for programs."""
    found: dict[str, Any] = {"kind": "keras_steps", "experiment": name, "options": dict(options), "data": data}
    found |= {"outputs_differ": followed.start, "largest_difference": float(followed.differences.max())}
    found |= {"ours_nearby": followed.nearby.tolist(), "ours": followed.ours.tolist(), "keras": followed.keras.tolist()}
    return json.dumps(found, indent=1) + "\n"
