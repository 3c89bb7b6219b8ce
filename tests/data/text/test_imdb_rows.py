"""Every row of "Sentiment: IMDB" learns the generated reviews better than chance, in seconds."""

import re

import numpy as np
import pytest

from seqjax import experiment as experiments
from seqjax.data.text import sample_reviews
from seqjax.data.text.vectors import Vectors, write_text
from seqjax.runs import commands
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir

SMALL = ("vocabulary_size=300", "learning_rate=0.01")
ROWS = {  # knobs that make it quick, and the least accuracy: what a bag of words can know is 0.73, words in order 0.96
    "imdb_unigram": (("epochs=4",), 0.68),
    "imdb_bigram": (("epochs=4", "vocabulary_size=1000"), 0.75),
    "imdb_bigram_tfidf": (("epochs=4", "vocabulary_size=1000"), 0.7),
    "imdb_onehot_bilstm": (("epochs=8", "units=8"), 0.68),
    "imdb_bilstm": (("epochs=8", "units=8", "embedding_size=16"), 0.68),
    "imdb_bilstm_masked": (("epochs=5", "units=8", "embedding_size=16", "group_lengths=false"), 0.8),
    "imdb_conv1d": (("epochs=3", "embedding_size=16"), 0.75),
    "imdb_transformer": (("epochs=4", "group_lengths=false", "embedding_size=16", "learning_rate=0.003"), 0.68),
    "imdb_word2vec": (("epochs=8", "units=8", "embedding_size=16", "vectors=vectors.txt"), 0.68),
    "imdb_glove": (("epochs=8", "units=8", "embedding_size=20", "group_lengths=false"), 0.68),
}


QUICK = "imdb_bilstm_masked"  # the parts of the others are tested elsewhere


@pytest.mark.parametrize("name", [n if n == QUICK else pytest.param(n, marks=pytest.mark.slow) for n in ROWS])
def test_a_row_learns_the_sample(name, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    words = sorted(set(re.findall(r"[a-z]+", " ".join(sample_reviews.reviews().train_texts).lower())))
    table = np.random.default_rng(0).normal(size=(len(words), 16)).astype(np.float32)
    write_text(tmp_path / "vectors.txt", Vectors(words, table))  # for the row that starts from a file
    knobs, least = ROWS[name]
    workdir = Workdir(tmp_path / "run")
    results = commands.train(
        name, workdir, options=(*SMALL, *knobs), data="sample", data_dir=tmp_path, settings=Settings(1)
    )
    assert results["test"]["accuracy"] >= least
    assert results["test"]["accuracy"] <= results["optimum"]["accuracy"] + 0.02
    (tmp_path / "reviews.txt").write_text("The acting was superb.\nThe acting was dull.\n")
    with (tmp_path / "reviews.txt").open() as text:
        lines = list(commands.predict(workdir, text, "reviews.txt"))
    assert [line.partition("\t")[0] for line in lines] == ["positive", "negative"]


def test_every_imdb_row_is_trained_here():
    assert {name for name in experiments.names() if name.startswith("imdb_")} == set(ROWS)
