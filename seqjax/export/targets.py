"""What each --to writes: the files of the folder, and the lines that say what was proven and measured.

Legend: B batch, T time, S tokens of a source.
"""

import importlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from flax.traverse_util import flatten_dict

from seqjax.errors import UserError
from seqjax.export import card, folder, preprocessing, proof
from seqjax.export.logits import Built
from seqjax.export.ports import names
from seqjax.export.subject import Subject
from seqjax.models.translation import Translator

FULL = "README.md"
NEEDED = {
    "onnx": ("onnx", "onnxruntime"),
    "onnx-step": ("onnx", "onnxruntime"),
    "safetensors": ("safetensors.numpy",),
    "torch": ("safetensors.numpy",),
}
"""Packages beside seqjax's own."""


class Written(NamedTuple):
    """Of a target."""

    files: dict[str, bytes | str]
    lines: list[str]
    takes: str = ""
    """What predict.py takes, in words."""


def export(subject: Subject, to: str, output: Path, *, gradient: bool = False) -> list[str]:
    """Write the folder; returns the lines to print.

    Args:
      subject: a run.
      to: of `TARGETS`.
      output: the folder, free or an export's.
      gradient: stablehlo: that can be differentiated.

    Raises:
      UserError: an unknown target, what cannot be exported, a folder that holds something else. Nothing is written.
    """
    check(to, gradient)
    folder.check(output)
    for package in NEEDED.get(to, ()):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise UserError(
                f"--to={to}: {package} cannot be imported ({error}); pip install 'seqjax[export]'"
            ) from error
    written = stablehlo(subject, gradient) if gradient else TARGETS[to](subject)
    files = {**written.files, FULL: card.text(subject, to, written.lines, written.takes)}
    folder.write(
        output, files, {"to": to, "experiment": subject.name, "fingerprint": subject.config.get("fingerprint")}
    )
    names = ", ".join(sorted((*files, folder.MARK)))
    model = f"{subject.name}: {type(subject.model).__name__}, {subject.size():,} parameters"
    return [model, *written.lines, f"written to {output}: {names}"]


def check(to: str, gradient: bool) -> None:
    """Raises UserError: an unknown target, or a gradient of one that has none."""
    if to not in TARGETS:
        raise UserError(f"--to={to} is unknown; choices: {', '.join(TARGETS)}")
    if gradient and to != "stablehlo":
        raise UserError(f"--gradient is for --to=stablehlo, not --to={to}")


def onnx(subject: Subject) -> Written:
    """model.onnx with what stands before it, and predict.py; of a translator encoder.onnx and step.onnx."""
    from seqjax.export import onnx_file, onnx_runs

    model, params = subject.model, subject.params
    if isinstance(model, Translator):
        return _translator(subject)
    examples = subject.examples()
    takes, files = preprocessing.files(subject)
    made = onnx_file.whole(model, params, examples).SerializeToString()
    run = onnx_runs.whole(made, model, examples)
    lines = [f"model.onnx {proof.prove(model, params, examples, run, 'onnxruntime').said()}"]
    lines += proof.latency({"onnxruntime": run, "JAX": _ours(model, params)}, examples)
    return Written({"model.onnx": made, **files}, lines, takes)


def onnx_step(subject: Subject) -> Written:
    """model.onnx that takes and gives the state."""
    from seqjax.export import onnx_file, onnx_runs

    model, params, examples = subject.model, subject.params, subject.examples()
    made = onnx_file.step(model, params, examples).SerializeToString()
    lines = []
    for pieces in (1, 7):
        run = onnx_runs.pieces(made, model, params, examples, pieces)
        lines.append(
            f"model.onnx, {pieces} steps at a time, {proof.prove(model, params, examples, run, 'steps').said()}"
        )
    one = onnx_runs.first_step(examples)
    run = onnx_runs.pieces(made, model, params, examples, 1)
    lines += [f"one step, {line}" for line in proof.latency({"onnxruntime": run}, one)]
    files = {"model.onnx": made, "predict.py": preprocessing.script("arrays"), **preprocessing.assets(subject)}
    return Written(files, lines, "arrays, as the model is fed, and the state")


def _translator(subject: Subject) -> Written:
    from seqjax.export import onnx_file, onnx_runs

    model, params, examples = subject.model, subject.params, subject.examples()
    pair = [one.SerializeToString() for one in onnx_file.translator(model, params)]
    run = onnx_runs.translator(pair[0], pair[1], model)
    inputs = tuple(examples[:2])
    said = proof.prove(Built(model=model), {"model": params}, inputs, run, "onnxruntime").said()
    lines = [f"encoder.onnx and step.onnx: logits of the known translation: {said}"]
    if getattr(subject.experiment.answer, "beam", 1) > 1:
        lines.append("predict.py takes the likeliest token at each step; the run itself follows several beginnings")
    files = {"encoder.onnx": pair[0], "step.onnx": pair[1]}
    return Written({**files, **preprocessing.translation(subject)}, lines, "sentences, one a line")


def stablehlo(subject: Subject, gradient: bool = False) -> Written:
    """model.stablehlo, its parameters, and example.py that runs both by jax alone."""
    from seqjax.export import stablehlo as program

    model, params, examples = subject.model, subject.params, subject.examples()
    own = names(model, examples)
    if isinstance(model, Translator):
        model, params = Built(model=model), {"model": params}
    made = program.write(model, params, own, examples, gradient)
    back = jax.export.deserialize(bytearray(made.data))

    def run(inputs: Any) -> Any:
        return back.call(params, dict(zip(own, map(np.asarray, jax.tree.leaves(inputs)), strict=True)))

    ours = _ours(model, params)
    said = f"by at most {proof.difference(ours, run, examples, 'real examples (stablehlo)'):.1e} on the run's examples"
    lines = [f"model.stablehlo differs from JAX {said}; its sizes are fixed"]
    if any("batch" in shape for shape in made.shapes.values()):
        lines = [f"model.stablehlo {proof.prove(model, params, examples, run, 'stablehlo').said()}"]
    sizes = ", ".join(f"{name} {shape}" for name, shape in made.shapes.items())
    lines += [f"platforms: {', '.join(program.PLATFORMS)}; inputs: {sizes}{'; with a gradient' if gradient else ''}"]
    lines += proof.latency({"StableHLO": run, "JAX": ours}, examples) if "batch" in sizes else []
    content = io.BytesIO()
    np.savez(content, **flatten_dict(params, sep="/"))  # pyright: ignore[reportArgumentType]
    files = {"model.stablehlo": made.data, "parameters.npz": content.getvalue()}
    return Written({**files, "example.py": preprocessing.script("stablehlo"), **preprocessing.assets(subject)}, lines)


def safetensors(subject: Subject) -> Written:
    """The parameters under their paths."""
    arrays = {name: np.asarray(array) for name, array in flatten_dict(subject.params, sep="/").items()}
    if not arrays:
        raise UserError(f"{subject.name} has no parameters; choices: --to=onnx, --to=stablehlo")
    from safetensors import numpy as safe

    data = _safetensors(arrays)
    back = safe.load(data)
    for name, array in arrays.items():
        if back[name].dtype != array.dtype or back[name].tobytes() != np.ascontiguousarray(array).tobytes():
            raise UserError(f"safetensors gives other numbers back for {name}: nothing was written")
    lines = [f"model.safetensors holds {len(arrays)} tensors, which read back bit for bit"]
    return Written({"model.safetensors": data, **preprocessing.assets(subject)}, lines)


def keras(subject: Subject) -> Written:
    """model.keras."""
    from seqjax.export import keras_file, peers

    model, params, examples = subject.model, subject.params, subject.examples()
    data, run, other = keras_file.write(model, params, peers.describe(model, params, examples), _few(examples))
    real = proof.difference(_ours(model, params), run, examples, "real examples (keras)")
    count = len(jax.tree.leaves(examples)[0])
    lines = [f"model.keras {proof.Proof(real, count, other).said()}"]
    lines += proof.latency({"Keras": run, "JAX": _ours(model, params)}, examples)
    return Written({"model.keras": data, **preprocessing.assets(subject)}, lines)


def torch(subject: Subject) -> Written:
    """model.py, a plain module; model.json, its facts; model.safetensors, its weights."""
    from seqjax.export import peers, torch_module

    model, params, examples = subject.model, subject.params, subject.examples()
    facts = peers.describe(model, params, examples)
    weights, run, other = torch_module.write(model, params, facts, _few(examples))
    real = proof.difference(_ours(model, params), run, examples, "real examples (torch)")
    count = len(jax.tree.leaves(examples)[0])
    lines = [f"the module {proof.Proof(real, count, other).said()}"]
    lines += proof.latency({"PyTorch": run, "JAX": _ours(model, params)}, examples)
    files = {"model.py": preprocessing.script("torch"), "model.json": json.dumps(facts, indent=1) + "\n"}
    return Written({**files, "model.safetensors": _safetensors(weights), **preprocessing.assets(subject)}, lines)


def _few(examples: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[:4], examples)


def _ours(model: Any, params: Any) -> Callable[[Any], Any]:
    apply = jax.jit(lambda params, inputs: model.apply({"params": params}, inputs))
    return lambda inputs: apply(params, inputs)


def _safetensors(arrays: Mapping[str, np.ndarray]) -> bytes:
    from safetensors import numpy as safe

    return safe.save({name: np.ascontiguousarray(array) for name, array in arrays.items()})


TARGETS: dict[str, Callable[[Subject], Written]] = {
    "onnx": onnx,
    "onnx-step": onnx_step,
    "stablehlo": stablehlo,
    "safetensors": safetensors,
    "keras": keras,
    "torch": torch,
}
