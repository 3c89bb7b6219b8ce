"""A run that answers a stream: the best checkpoint, step by step, its state handed on and kept in a file.

**There is one compiled program, whose loop takes a single step.** XLA makes other products of other shapes, whose last
bits differ; so whatever comes at once, a step or a thousand, goes through the same loop step by step, and the answers
do not depend on how the stream is cut. (One call a step takes five times as long for what comes at once.) A recurrent
layer's own states are those of one call over all steps to the last bit, by `native` and by `scan`; what a Dense layer
makes of all of them at once may differ in the last one.
"""

import collections
import hashlib
import io
import itertools
import json
import operator
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from seqjax import experiment as experiments
from seqjax.data.dataset import Step, Stream
from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.files import exact, from_exact, shown, to_json, write_atomically
from seqjax.layers.composite import recurrent_layers
from seqjax.training.best import restore_best, shapes
from seqjax.training.program import answer
from seqjax.training.workdir import Workdir

MOST_KEYS = 10_000
"""Sequences that are followed at once; the one that has not gone on for longest is forgotten."""
BLOCK = 256
"""Steps whose answers are printed together, at most."""
CALL = 32
"""Steps of a sequence in one call of the program, at most."""
ABOUT = "about"
"""The name of what is no array in a state's file."""


class Engine:
    """A model that answers step by step.

    A state of zeros is the beginning of a sequence.
    """

    def __init__(self, experiment: Experiment, params: Any, stream: Stream):
        """Args: params: of the model. stream: tells whether the model hands its state on, and the shape of a step."""
        self.carried, self.params = stream.carried, params
        self.states: collections.OrderedDict[Hashable, Any] = collections.OrderedDict()
        self.steps, self.forgotten = 0, 0
        model = experiment.model

        def run(params: Any, state: Any, inputs: Any) -> tuple[Any, Any]:
            rows = jax.tree.map(lambda leaf: leaf[None, None], inputs)
            outputs, state = model.apply({"params": params}, rows, state, method="run")
            return jax.tree.map(lambda leaf: leaf[0, 0], outputs), state

        def run_all(params: Any, state: Any, inputs: Any, count: Any) -> tuple[Any, Any]:
            def step(k: Any, before: tuple[Any, Any]) -> tuple[Any, Any]:
                outputs, state = run(params, before[1], jax.tree.map(lambda leaf: leaf[k], inputs))
                return jax.tree.map(lambda whole, own: whole.at[k].set(own), before[0], outputs), state

            outputs = jax.tree.map(lambda leaf: jnp.zeros((CALL, *leaf.shape), leaf.dtype), self.shapes[0])
            return jax.lax.fori_loop(0, count, step, (outputs, state))

        def look(params: Any, inputs: Any) -> Any:
            rows = jax.tree.map(lambda leaf: leaf[None], inputs)
            return jax.tree.map(lambda leaf: leaf[0], answer(experiment, params, rows))

        self.shapes: Any = ()
        """Of a step's output and of a state."""
        if stream.carried:
            self.shapes = jax.eval_shape(run, params, None, stream.example)
            self.run = jax.jit(run_all, donate_argnums=1)
            """(parameters, state, inputs [CALL, ...], how many are steps) -> (outputs [CALL, ...], state)."""
        else:
            self.look = jax.jit(look)
            """(parameters, inputs of a step) -> output."""
        self.feed([Step(stream.example)])  # compiled before the first step
        self.states.clear()
        self.steps = 0

    def feed(self, steps: Sequence[Step]) -> list[Any]:
        """The outputs of steps: trees of NumPy arrays."""
        self.steps += len(steps)
        if not self.carried:
            return on_host([self.look(self.params, step.inputs) for step in steps])
        groups = [list(group) for _, group in itertools.groupby(steps, lambda step: step.key)]
        calls = [group[at : at + CALL] for group in groups for at in range(0, len(group), CALL)]
        found = [self._advance(own) for own in calls]  # all are on their way before the first is waited for
        return [
            jax.tree.map(operator.itemgetter(k), outputs)
            for own, outputs in zip(calls, map(on_host, found), strict=True)
            for k in range(len(own))
        ]

    def _advance(self, steps: Sequence[Step]) -> Any:
        """The outputs [CALL, ...] of steps of one key, still on the device."""
        key = steps[0].key
        state = self.states.pop(key, None)
        if state is None:
            state = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), self.shapes[1])
        inputs = jax.tree.map(_padded, *(step.inputs for step in steps))
        outputs, self.states[key] = self.run(self.params, state, inputs, len(steps))
        if len(self.states) > MOST_KEYS:
            self._forget()
        return outputs

    def _forget(self) -> None:
        key, _ = self.states.popitem(last=False)
        if not self.forgotten:
            logging.warning("more than %s sequences: from %r on, the oldest are forgotten", f"{MOST_KEYS:,}", key)
        self.forgotten += 1

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """-> (what JSON takes, arrays by name)."""
        keys, states = list(self.states), jax.device_get(list(self.states.values()))
        leaves = [jax.tree.leaves(state) for state in states]
        stacked = [np.stack(parts) for parts in zip(*leaves, strict=True)]
        return {"steps": self.steps, "keys": keys}, {f"state_{k}": array for k, array in enumerate(stacked)}

    def restore(self, about: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Undo `state`. Raises LookupError, TypeError or ValueError: it did not give this."""
        leaves, structure = jax.tree.flatten(self.shapes[1] if self.carried else ())
        keys = about["keys"]
        found = [arrays[f"state_{k}"] for k in range(len(leaves))] if keys else []
        for leaf, array in zip(leaves, found, strict=bool(keys)):
            if array.shape != (len(keys), *leaf.shape) or array.dtype != leaf.dtype:
                raise ValueError(f"{array.dtype} of shape {array.shape}")
        self.states.clear()
        for row, key in enumerate(keys):
            self.states[key] = jax.tree.unflatten(structure, [jnp.array(array[row]) for array in found])
        self.steps = int(about["steps"])


def _padded(*rows: Any) -> np.ndarray:
    """Rows [...], CALL of them at most, as one array [CALL, ...]."""
    made = np.zeros((CALL, *np.shape(rows[0])), np.result_type(rows[0]))
    made[: len(rows)] = rows
    return made


def on_host(outputs: Any) -> Any:
    """A tree of NumPy arrays; `jax.device_get` takes 50 microseconds for one, this five."""
    return jax.tree.map(np.asarray, outputs)


def check_causal(model: Any) -> None:
    """Raise UserError: the model has a layer that begins at the end, or cannot hand its state on."""
    for layer in recurrent_layers(model):
        for part in [layer, *getattr(layer, "layers", ())]:
            if hasattr(part, "backward_layer") or getattr(part, "reverse", False):
                raise UserError(
                    f"{type(model).__name__} has a layer that reads from the end ({type(part).__name__}), and a stream "
                    "has none yet: a model in one direction is needed; --mode=predict takes whole examples"
                )
    if not hasattr(model, "run"):
        raise UserError(f"{type(model).__name__} does not hand its state on (it has no method run)")


def identity(config: dict[str, Any], params: Any) -> str:
    """sha256 (hex) of a run's experiment, options and data, and of its parameters."""
    about = [config.get(name) for name in ("experiment", "options", "fingerprint")]
    content = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for leaf in jax.tree.leaves(params):
        content.update(np.asarray(leaf).tobytes())
    return content.hexdigest()


class Listener:
    """A run that listens to a stream."""

    def __init__(self, engine: Engine, stream: Stream, run: str):
        """Args: run: the `identity`, which a state belongs to."""
        self.engine, self.stream, self.run = engine, stream, run

    @staticmethod
    def of(workdir: Workdir, name: str) -> "Listener":
        """The best checkpoint of a run.

        Args:
          workdir: of the run.
          name: of the stream, for messages.

        Raises:
          UserError: no run or no checkpoint there, or one that cannot answer a stream.
        """
        config = workdir.run()
        experiment = experiments.of_run(workdir.path, config)
        if not hasattr(experiment.source, "stream"):
            what = f"{config['experiment']} reads whole examples ({type(experiment.source).__name__})"
            raise UserError(f"{workdir.path}: {what}, and has no answer before one has ended: use --mode=predict")
        stream: Stream = experiment.source.stream(workdir.path, name)
        if stream.carried:
            check_causal(experiment.model)
        whole = stream.carried and hasattr(experiment.model, "example")  # a step is not what the model is called with
        rows = experiment.model.example() if whole else jax.tree.map(lambda leaf: leaf[None], stream.example)
        _, params = restore_best(workdir, shapes(experiment, rows))
        return Listener(Engine(experiment, params, stream), stream, identity(config, params))

    def answers(self, piece: bytes | None) -> Iterator[list[str]]:
        """Lines for the steps that a piece completes, some at a time; None: the stream has ended.

        Raises:
          UserError: malformed input; the steps before it have been answered.
        """
        steps = iter(self.stream.end() if piece is None else self.stream.read(piece))
        taken, fault = [], None
        while fault is None and len(taken) in (0, BLOCK):
            taken = []
            try:
                for step in itertools.islice(steps, BLOCK):
                    taken.append(step)
            except UserError as error:
                fault = error
            pairs = zip(taken, self.engine.feed(taken), strict=True)
            lines = [line for line in (self.stream.line(*pair) for pair in pairs) if line is not None]
            if lines:
                yield lines
            if not taken:
                break
        if fault is not None:
            raise fault

    def save(self, path: Path) -> None:
        """Write the state, whole or not at all. Raises UserError: it cannot be written."""
        about, arrays = self.engine.state()
        about = exact({**about, "run": self.run, "stream": self.stream.state()})
        content = io.BytesIO()
        arrays[ABOUT] = np.frombuffer(to_json(about).encode(), np.uint8)
        np.savez(content, **arrays)  # pyright: ignore[reportArgumentType]
        try:
            write_atomically(path, content.getvalue())
        except OSError as error:
            raise UserError(f"--state={shown(path)} cannot be written: {error.strerror}") from error

    def restore(self, path: Path) -> bool:
        """Go on from a state, if there is one: whether there is.

        Raises:
          UserError: it is of another run, or damaged, or cannot be read.
        """
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as found:
                arrays = dict(found)
            about = from_exact(json.loads(arrays.pop(ABOUT).tobytes()))
            if about["run"] == self.run:
                self.engine.restore(about, arrays)
                self.stream.restore(about["stream"])
                return True
        except FileNotFoundError:
            return False
        except OSError as error:
            raise UserError(f"--state={shown(path)} cannot be read: {error.strerror}") from error
        except Exception as error:  # whatever a damaged archive makes of itself
            said = f"--state={shown(path)} is damaged, or no state ({' '.join(str(error).split())[:100]})"
            raise UserError(f"{said}: restore it from a copy, or remove it to begin anew") from error
        raise UserError(
            f"--state={shown(path)} is of another run, or of this one before it was trained on: give another file, or "
            "remove it to begin anew"
        )
