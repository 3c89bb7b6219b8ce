"""The benchmark of texts: the peers that are installed, and what is the same for them all."""

import importlib.util
import json

import numpy as np
import pytest

from benchmark_calls import call
from seqjax.benchmark import table, texts

__all__ = ["call"]


@pytest.mark.parametrize("installed", [True, False])
@pytest.mark.parametrize("kind", texts.KINDS)
def test_texts_are_measured_beside_the_peers_that_are_installed(call, monkeypatch, tmp_path, kind, installed):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: real(name) if installed else None)
    monkeypatch.setattr("seqjax.runtime.tune", dict)  # not in this process
    monkeypatch.setattr(texts.sample_reviews.reviews, "__kwdefaults__", {"train": 300, "test": 20, "seed": 1})
    output = tmp_path / "rows.json"
    code, out, err = call(f"--text={kind}", "--data=sample", "--blocks=2", f"--output={output}")
    assert code == 0, err
    rows = {row["implementation"]: row for row in json.loads(output.read_text())}
    peers = [peer for peer in texts.KINDS[kind].peers if f"{peer} is left out: " not in err]
    assert installed or not peers
    assert list(rows) == ["seqjax", *(["seqjax-apart"] if kind != "word2vec" else []), *peers]
    for row in rows.values():
        assert set(row) == set(texts.Row.__annotations__)
        assert row["items"] > 3000 if kind == "word2vec" else row["items"] == 300
        assert len(row["blocks"]) == 2
        assert row["seconds"] == pytest.approx(np.mean([clock for clock, _ in row["blocks"]]))
        assert row["per_second"] == pytest.approx(row["items"] / row["seconds"], rel=1e-3)
    assert [line.split()[:2] for line in out.splitlines()[-len(rows) :]] == [[kind, name] for name in rows]


@pytest.mark.parametrize("kind", [kind for kind, made in texts.KINDS.items() if made.encoding])
def test_keras_learns_the_vocabulary_that_ours_learns(monkeypatch, kind):
    keras = pytest.importorskip("keras")
    reviews = texts.sample_reviews.reviews(train=200, test=20).train_texts
    layers = []
    made = keras.layers.TextVectorization
    monkeypatch.setattr(
        keras.layers, "TextVectorization", lambda **options: layers.append(made(**options)) or layers[-1]
    )
    task = texts.vectorizers(texts.KINDS[kind], reviews, ["keras"])
    task.runs["keras"]()
    fitted, _ = task.runs["seqjax"]()
    words = [word for word in layers[-1].get_vocabulary() if word not in ("", "[UNK]")]
    assert words == list(fitted.vocabulary.tokens)


@pytest.mark.slow
def test_an_epoch_of_word2vec_takes_every_block_once():
    from seqjax import experiment as experiments

    experiment = experiments.load(experiments.find("word2vec"))(embedding_size=4, batch_size=32)
    dataset = experiment.source.load("sample", None)
    skip_gram = texts.SkipGram(experiment, dataset)
    before, stack = int(skip_gram.state.step), skip_gram.program.steps_per_dispatch
    assert before == stack + (skip_gram.steps - 1) % stack + 1
    seen = []
    train = skip_gram.program.train
    skip_gram.program.train = lambda state, batch: seen.append(batch.ids[batch.weights > 0]) or train(state, batch)
    skip_gram.epoch()
    assert int(skip_gram.state.step) - before == skip_gram.steps > stack
    np.testing.assert_array_equal(np.sort(np.concatenate(seen)), dataset.parts["train"])


def test_a_small_share_is_not_rounded_away():
    row = {
        "experiment": "a",
        "changed": {},
        "batch": 8,
        "ids": 1,
        "gather": 1,
        "step": 1,
        "infer": 1,
        "together": 1,
        "share": 5e-5,
    }
    assert table.pipelines([row]).endswith(" 0.005 %")
