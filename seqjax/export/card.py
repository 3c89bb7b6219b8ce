"""The README.md of an exported folder: a model card, whose head the Hugging Face hub reads.

Source of the fields: huggingface.co/docs/hub/model-cards (license, library_name, tags, metrics, model-index).
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import seqjax
from seqjax.export.subject import Subject

TASKS = {
    "Classifier": ("text-classification", "Text classification"),
    "SeriesClassifier": ("time-series-classification", "Time series classification"),
    "SoundClassifier": ("audio-classification", "Audio classification"),
    "Forecaster": ("time-series-forecasting", "Time series forecasting"),
    "Tagger": ("token-classification", "Token classification"),
    "LanguageModel": ("text-generation", "Language modelling"),
    "Translator": ("translation", "Translation"),
}
"""The longest ending of a model's name -> the hub's task, and its name."""
LIBRARIES = {"onnx": "onnx", "onnx-step": "onnx", "keras": "keras", "torch": "pytorch", "stablehlo": "jax"}


def text(subject: Subject, target: str, lines: Sequence[str], takes: str) -> str:
    """The whole card.

    Args:
      subject: what was exported.
      target: of --to.
      lines: what the export has proven and measured.
      takes: what predict.py takes, or nothing.
    """
    head = _yaml(_head(subject, target))
    return "\n".join(["---", *head, "---", "", *_body(subject, target, lines, takes), ""])


def _head(subject: Subject, target: str) -> dict[str, Any]:
    task, title = _task(subject.model)
    found = {"license": "apache-2.0", "library_name": LIBRARIES.get(target, "seqjax")}
    found |= {"tags": ["seqjax", "jax", target.partition("-")[0], subject.name]}
    scores = _scores(subject)
    if task:
        found["pipeline_tag"] = task
    if not scores:
        return found
    dataset = {"name": subject.config.get("description", subject.name)[:200], "type": subject.name, "split": "test"}
    measured = [{"type": name, "name": f"test {name}", "value": value} for name, value, _ in scores]
    result = {"task": {"type": task or "other", "name": title}, "dataset": dataset, "metrics": measured}
    return found | {
        "metrics": [name for name, _, _ in scores],
        "model-index": [{"name": subject.name, "results": [result]}],
    }


def _task(model: Any) -> tuple[str, str]:
    name = type(getattr(model, "forecaster", model)).__name__
    endings = [
        ending for ending in TASKS if name.endswith(ending) or (ending == "Forecaster" and "forecaster" in vars(model))
    ]
    return TASKS[max(endings, key=len)] if endings else ("", type(model).__name__)


def _scores(subject: Subject) -> list[tuple[str, float, str]]:
    """(name, value, its interval in words) of the test part; of several seeds their mean."""
    whole = subject.seeds or subject.results
    found = []
    for name, value in whole.get("test", {}).items():
        if isinstance(value, Mapping) and "mean" in value:
            half, count = value.get("half_interval_95"), value.get("count")
            apart = f" ± {half:.3g} (95 %, {count} seeds)" if half is not None else ""
            found.append((name, value["mean"], apart))
        elif isinstance(value, int | float):
            found.append((name, value, ""))
    found = [one for one in found if math.isfinite(one[1])]
    return [one for one in found if one[0] != "loss"] or found


def _body(subject: Subject, target: str, lines: Sequence[str], takes: str) -> Iterator[str]:
    config = subject.config
    said = (subject.path / "experiment.py").read_text(encoding="utf-8-sig").partition('"""')[2].partition("\n")[0]
    yield f"# {subject.name}"
    yield ""
    yield said
    yield ""
    what = f"A {type(subject.model).__name__} of {subject.size():,} parameters"
    yield f"{what}, exported as {target} by seqjax {seqjax.__version__}."
    yield from ("", "## Use", "")
    if takes:
        yield f"`python predict.py FILE` takes {takes}; it needs numpy and onnxruntime, and nothing of seqjax."
    else:
        yield "See `example.py` beside this file." if target == "stablehlo" else "The weights are in this folder."
    yield from ("", *(f"- {line}" for line in lines), "", "## Data", "")
    yield f"{config.get('description', 'not told')}"
    yield ""
    yield f"Fingerprint of examples and options: `{config.get('fingerprint', 'not told')}`."
    if config.get("data") == "sample":
        yield "These are generated data (`--data=sample`): the scores say nothing of real ones."
    yield from ("", "## Scores", "")
    yield from _score_lines(subject)
    yield from ("", "## Training", "")
    seeds = [one.get("seed") for one in (subject.seeds or {}).get("seeds", [])] or [config["options"].get("seed", 0)]
    own, many = config["options"].get("seed", 0), "s" if len(seeds) > 1 else ""
    yield f"Seed{many} {', '.join(map(str, seeds))}; the weights are those of seed {own},"
    yield f"epoch {subject.results.get('best_epoch', 'not finished')}, which has the lowest validation loss."
    yield from ("", "```json", json.dumps(config["options"], indent=1), "```", "")
    versions = config.get("versions", {})
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    yield f"Trained on {config.get('device', 'an unknown device')}{f' with {told}' if told else ''}."
    yield from ("", "## Licence and limits", "")
    yield "The program and these weights: Apache-2.0. The data have licences of their own, which their publishers tell;"
    yield "whoever passes the weights on looks there first."
    yield ""
    yield "The model knows what its training data knew: other sources, languages, stations or years are not what the"
    yield "scores above were measured on, and nothing was done against biases of the data. Decisions about people are"
    yield "not to rest on it alone."


def _score_lines(subject: Subject) -> Iterator[str]:
    scores = _scores(subject)
    yield from ("| test | |", "|-|-|") if scores else ("The run is not finished: there are none yet.",)
    yield from (f"| {name} | {value:.4g}{apart} |" for name, value, apart in scores)
    for name, own in (subject.results.get("baselines") or {}).items():
        plain = [f"{key} {value:.4g}" for key, value in own.get("test", {}).items() if isinstance(value, int | float)]
        if plain:
            yield f"| {name}, without a model | {', '.join(plain)} |"


def _yaml(value: Any, indent: str = "") -> list[str]:
    """Lines of YAML; every text as JSON, which YAML includes."""
    lines = []
    if isinstance(value, Mapping):
        for key, one in value.items():
            if isinstance(one, Mapping | list):
                lines += [f"{indent}{key}:", *_yaml(one, indent + "  ")]
            else:
                lines.append(f"{indent}{key}: {json.dumps(one, ensure_ascii=False)}")
        return lines
    for one in value:
        inner = (
            _yaml(one, indent + "  ")
            if isinstance(one, Mapping | list)
            else [f"  {indent}{json.dumps(one, ensure_ascii=False)}"]
        )
        lines += [f"{indent}- {inner[0].strip()}", *inner[1:]]
    return lines
