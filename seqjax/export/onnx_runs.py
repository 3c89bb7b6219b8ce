"""Exported ONNX models run by onnxruntime, as functions of the run's own inputs.

Legend: B batch, T time.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import onnxruntime  # pyright: ignore[reportMissingImports]

from seqjax.export import onnx_file
from seqjax.export.onnx_models import table
from seqjax.export.ports import names

Run = Callable[[Any], Any]


def session(data: bytes) -> Any:
    """On a CPU."""
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])


def whole(data: bytes, model: Any, examples: Any) -> Run:
    """Inputs [B, ...] -> the outputs, a list."""
    made, own = session(data), names(model, examples)
    wanted = {one.name for one in made.get_inputs()}

    def run(inputs: Any) -> list[Any]:
        pairs = zip(own, jax.tree.leaves(inputs), strict=True)
        return made.run(None, {name: np.asarray(leaf) for name, leaf in pairs if name in wanted})

    return run


def pieces(data: bytes, model: Any, params: Any, examples: Any, size: int) -> Run:
    """The same, read so many steps at a time, the state handed on: all outputs, or the last where there is but one."""
    made, own = session(data), names(model, examples)
    wanted = {one.name for one in made.get_inputs()}
    _, known = table.writer(model)
    streamed = {name for name, axes in known.inputs if "t" in axes}
    begin = jax.tree.leaves(onnx_file.states(model, params))
    every = "t" in known.outputs[0][1]

    def run(inputs: Any) -> list[Any]:
        given = {name: np.asarray(leaf) for name, leaf in zip(own, jax.tree.leaves(inputs), strict=True)}
        given = {name: leaf for name, leaf in given.items() if name in wanted}
        batch, steps = next(leaf for name, leaf in given.items() if name in streamed).shape[:2]
        state, found = [np.repeat(leaf, batch, axis=0) for leaf in begin], []
        for at in range(0, steps, size):
            piece = {name: leaf[:, at : at + size] if name in streamed else leaf for name, leaf in given.items()}
            piece |= {f"{onnx_file.STATE}_{k}": leaf for k, leaf in enumerate(state)}
            output, *state = made.run(None, piece)
            found.append(output)
        return [np.concatenate(found, axis=1) if every else found[-1]]

    return run


def first_step(examples: Any) -> Any:
    """Of inputs whose second axis is the time, the first step."""
    return jax.tree.map(lambda leaf: leaf[:, :1] if leaf.ndim > 1 else leaf, examples)


def translator(encoder: bytes, step: bytes, model: Any) -> Run:
    """(source [B, S], tokens before [B, T]) -> logits [B, T, V], token by token."""
    first, second = session(encoder), session(step)
    given, wanted = [one.name for one in first.get_outputs()], {one.name for one in second.get_inputs()}
    after = [one.name for one in second.get_outputs()]

    def run(inputs: Any) -> Any:
        source, before = map(np.asarray, inputs)
        fed, logits = dict(zip(given, first.run(None, {"source": source}), strict=True)), []
        for k in range(before.shape[1]):
            call = {name: value for name, value in fed.items() if name in wanted}
            found = dict(zip(after, second.run(None, call | {"tokens": before[:, k]}), strict=True))
            logits.append(found["logits"])
            fed |= {name.removeprefix("next_"): value for name, value in found.items() if name.startswith("next_")}
        return np.stack(logits, axis=1)

    return run
