"""What stands before a model: vocabulary or scaling, and a program that needs numpy and onnxruntime only."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from seqjax.data.series import jena
from seqjax.data.series.sources import read_facts
from seqjax.data.text import atis, classified, imdb, pairs
from seqjax.data.text.vectorizer import OPTIONS, Vectorizer
from seqjax.errors import UserError
from seqjax.export.subject import Subject

SCRIPTS = Path(__file__).parent / "scripts"
Files = dict[str, str]


def files(subject: Subject) -> tuple[str, Files]:
    """-> (what predict.py takes, in words; the files beside the model).

    Raises:
      UserError: its preprocessing needs more than numpy.
    """
    source, path = subject.experiment.source, subject.path
    if (path / OPTIONS).exists():
        return "texts, one a line", _texts(path)
    if isinstance(source, jena.Windows):
        return "a CSV with the columns of the weather", _weather(path, source)
    if isinstance(source, atis.Atis):
        return "sentences, one a line", _tags(path, source)
    return "arrays, as the model is fed", {"predict.py": script("arrays"), **assets(subject)}


def assets(subject: Subject) -> Files:
    """The run's own files of vocabulary or scaling."""
    found = {name: subject.path / name for name in subject.dataset.assets}
    return {name: path.read_text(encoding="utf-8") for name, path in found.items() if path.is_file()}


def script(name: str) -> str:
    """A program for the folder."""
    return (SCRIPTS / f"{name}.py").read_text(encoding="utf-8")


def _facts(name: str, facts: Any) -> Files:
    return {"predict.py": script(name), "predict.json": json.dumps(facts, ensure_ascii=False) + "\n"}


def _texts(path: Path) -> Files:
    fitted = Vectorizer.load(path)
    if fitted.tokenizer.stem is not None:
        raise UserError(
            f"stem={fitted.tokenizer.stem}: stemming needs more than numpy, and predict.py has no more; choices: a run "
            "without stem, --to=stablehlo, --to=safetensors"
        )
    own = path / classified.ASSET
    classes = read_facts(own, ("classes",))["classes"] if own.exists() else list(imdb.LABELS)
    facts = {"tokenizer": dataclasses.asdict(fitted.tokenizer), "encoding": fitted.encoding, "length": fitted.length}
    facts |= {"padding": fitted.padding, "classes": classes, "header": own.exists()}
    facts |= {"words": list(fitted.vocabulary.tokens)}
    return _facts("texts", facts | {"idf": [] if fitted.idf is None else np.asarray(fitted.idf, float).tolist()})


def _weather(path: Path, source: jena.Windows) -> Files:
    facts = read_facts(path / jena.ASSET, jena.FACTS)
    return _facts("windows", facts | {"repair": source.repair, "target": facts["columns"][jena.TEMPERATURE]})


def _tags(path: Path, source: atis.Atis) -> Files:
    facts = read_facts(path / atis.LEARNED, ("words", "tags"))
    facts |= {"first": atis.FIRST, "digit": atis.DIGIT.pattern, "marks": atis.MARKS, "mask_digits": source.mask_digits}
    return _facts("tags", facts)


def translation(subject: Subject) -> Files:
    """Of a translator: its words, and what writes token after token. Raises UserError: it answers in another way."""
    answer = subject.experiment.answer
    facts = read_facts(subject.path / pairs.ASSET, ("way", "length", "source", "target"))
    return _facts("translations", facts | {"most": getattr(answer, "max_length", 80)})
