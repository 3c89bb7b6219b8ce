"""predict.py gives what the run's own preprocessing and model give, and needs numpy and onnxruntime only."""

import dataclasses
import io
import json
import runpy
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
import odd_texts
from seqjax.data.series import jena
from seqjax.data.text import imdb, pairs, sentences
from seqjax.data.text.vectorizer import Vectorizer
from seqjax.data.text.words import Words
from seqjax.export import onnx_file, preprocessing
from seqjax.layers import LSTM, Bidirectional
from seqjax.models.classifiers import BagOfWordsClassifier, RecurrentClassifier
from seqjax.models.forecasters import RecurrentForecaster
from seqjax.models.translate import Translate
from seqjax.models.translation import Translator
from weather_tables import SMALL, climate, csv_text

TEXTS = [
    "A wonderful film.<br /><br />I LOVED it!", "", "Dull, dull & DULL...", "x " * 2000, "[UNK] [unk]",
    "\u00c9t\u00e9 \u65e5\u672c \U0001f3ac\U0001f600 don't", "\u3000ideographic\u3000space\u3000",
    "tab\tand\x0bodd\x1cspaces\x85here\xa0", "\\n backslash", "\u0130stanbul \u00df \ufeffmark",
]  # fmt: skip


@dataclasses.dataclass
class Stub:
    """As much of a subject as preprocessing looks at."""

    path: Path
    experiment: object


@dataclasses.dataclass
class Thing:
    source: object = None
    answer: object = None


def random_params(model, inputs):
    shapes = jax.eval_shape(model.init, jax.random.key(0), inputs)["params"]
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda s: rng.normal(size=s.shape).astype(np.float32), shapes)


def folder(path, subject, models):
    """An exported folder; returns the globals of its predict.py."""
    path.mkdir(exist_ok=True)
    _, files = preprocessing.files(subject)
    for name, content in files.items():
        (path / name).write_text(content, encoding="utf-8")
    for name, made in models.items():
        (path / name).write_bytes(made.SerializeToString())
    return runpy.run_path(str(path / "predict.py"))


def texts_folder(path, **options):
    assets = path / "run"
    fitted = Vectorizer.fit([*TEXTS, "dull film \u00e9t\u00e9 ete loved it dull film"], vocabulary_size=30, **options)
    fitted.save(assets)
    inputs = fitted(TEXTS[:2])
    if fitted.length is None:
        model = BagOfWordsClassifier(30, 4, 0.0)
    else:
        model = RecurrentClassifier(30, 4, Bidirectional(LSTM(3)), 0.0, mask_padding=True)
    params = random_params(model, inputs)
    own = folder(path / "out", Stub(assets, Thing()), {"model.onnx": onnx_file.whole(model, params, inputs)})
    return fitted, model, params, own


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    return texts_folder(tmp_path_factory.mktemp("bag"), encoding="tf_idf", tokenizer=imdb.Tokenizer(ngrams=2))


def test_a_bag_of_words_is_the_vectorizer_s(bag):
    fitted, model, params, own = bag
    ours, theirs = fitted(TEXTS), own["inputs"](TEXTS)
    np.testing.assert_array_equal(theirs["columns"], ours[0])
    np.testing.assert_array_equal(theirs["weights"], ours[1])
    logits = np.asarray(model.apply({"params": params}, ours), np.float64)
    np.testing.assert_allclose(own["predict"](TEXTS)[:, 1], 1 / (1 + np.exp(-logits)), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(texts=odd_texts.texts)
def test_odd_texts_are_standardised_alike(bag, texts):
    fitted, _, _, own = bag
    ours, theirs = fitted(texts), own["inputs"](texts)
    np.testing.assert_array_equal(theirs["columns"], ours[0])
    np.testing.assert_array_equal(theirs["weights"], ours[1])


@pytest.mark.parametrize(
    "switches",
    [{}, {"fold_accents": True, "strip_special": True, "fold_digits": True}, {"split": "characters", "lower": False}],
)
def test_sequences_are_the_vectorizer_s(tmp_path, switches):
    fitted, _, _, own = texts_folder(tmp_path, length=9, tokenizer=imdb.Tokenizer(**switches))
    odd = [*TEXTS, "caf\u00e9 \u201cquoted\u201d \u20ac5 1984", "\ud800 lone"]
    np.testing.assert_array_equal(own["inputs"](odd)["tokens"], fitted(odd))


def test_stems_are_refused(tmp_path):
    pytest.importorskip("snowballstemmer")
    with pytest.raises(preprocessing.UserError, match=r"stem=english: .*choices"):
        texts_folder(tmp_path, length=4, tokenizer=imdb.Tokenizer(stem="english"))


def test_windows_are_repaired_and_scaled_alike(tmp_path):
    source = jena.Windows(**SMALL)
    table = climate(160)
    table.values[20:23, 11] = -9999
    table.values[0, 3] = -9999
    dataset = source.dataset(table, "weather")
    (tmp_path / jena.ASSET).write_text(dataset.assets[jena.ASSET])
    inputs = np.asarray(dataset.example())
    model = RecurrentForecaster(LSTM(3))
    params = random_params(model, inputs)
    onnx_model = onnx_file.whole(model, params, inputs)
    own = folder(tmp_path / "out", Stub(tmp_path, Thing(source)), {"model.onnx": onnx_model})
    text = csv_text(table)
    requests = source.requests(tmp_path, io.StringIO(text), "weather")
    found = np.asarray(model.apply({"params": params}, requests.gather(requests.arrays, requests.ids)))
    _, values = own["read"](text.encode())
    np.testing.assert_array_equal(own["scaled"](values), requests.arrays["series"])
    np.testing.assert_allclose(own["predict"](values), found, atol=1e-5)
    (tmp_path / "weather.csv").write_text(text)
    lines = clean(tmp_path / "out" / "predict.py", tmp_path / "weather.csv")
    header, *rest = [line.split(",") for line in lines]
    assert ",".join(header) == requests.header
    wanted = [requests.line(k, found[k]).split(",") for k in range(len(found))]
    assert [line[:2] for line in rest] == [line[:2] for line in wanted]
    np.testing.assert_allclose([float(line[2]) for line in rest], [float(line[2]) for line in wanted], atol=0.011)


def clean(script, *arguments):
    """What the program prints in an isolated Python in which seqjax and its like cannot be imported."""
    code = f"""
import runpy, sys
sys.modules.update(dict.fromkeys(["seqjax", "jax", "flax", "tensorflow", "keras", "torch", "onnx", "scipy"]))
sys.argv = {[str(script), *map(str, arguments)]!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("way", sentences.WAYS)
def test_translations_are_those_of_the_greedy_search(tmp_path, way):
    said = ["A man's hat, blue.", "two   dogs \u2013 \u00bfqu\u00e9?", "", "zzz", "Caf\u00e9 (open)!"]
    words = [Words.fit([sentences.split(text, way) for text in said], way)] * 2
    (tmp_path / pairs.ASSET).write_text(pairs._asset((words[0], words[1]), 12), encoding="utf-8")
    model = Translator(words[0].size, words[1].size, 4, 3)
    params = random_params(model, model.example())
    first, second = onnx_file.translator(model, params)
    path = tmp_path / "out"
    path.mkdir()
    answer = Translate(max_length=6)
    for name, content in preprocessing.translation(Stub(tmp_path, Thing(answer=answer))).items():
        (path / name).write_text(content, encoding="utf-8")
    for name, made in (("encoder.onnx", first), ("step.onnx", second)):
        (path / name).write_bytes(made.SerializeToString())
    own = runpy.run_path(str(path / "predict.py"))
    for text in said:
        tokens = sentences.split(text, way)
        assert own["tokens"](text) == tokens
        if not tokens:
            assert own["predict"](text) == ""
            continue
        ids = np.array([[*words[0].encode(tokens), 3][:12]], np.int32)
        found = answer(model, jax.tree.map(jnp.asarray, params), (ids, np.full((1, 1), 2, np.int32)))
        assert own["predict"](text) == words[1].decode(np.asarray(found["tokens"])[0, 0])


def test_the_programs_are_short():
    for path in preprocessing.SCRIPTS.glob("*.py"):
        assert path.name == "torch.py" or len(path.read_text().splitlines()) < 60, path.name


def test_facts_are_json_that_others_read(tmp_path):
    texts_folder(tmp_path, length=4)
    facts = json.loads((tmp_path / "out" / "predict.json").read_text(encoding="utf-8"))
    assert facts["classes"] == ["negative", "positive"]
