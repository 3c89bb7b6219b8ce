"""seqjax.analogies: neighbours, analogies, the picture, runs and files; on GloVe's own vectors where they are."""

import sys

import numpy as np
import pytest

from places import DATA
from seqjax import analogies
from seqjax.analogies import RELATIONS, analogy, draw, neighbours, plane, read
from seqjax.data.text.vectors import Vectors, write_text
from seqjax.errors import UserError
from seqjax.runs import commands
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir

GLOVE = DATA / "glove" / "glove.6B.100d.top50k.txt.gz"

SQUARE = Vectors(["man", "woman", "king", "queen", "far"], np.float32([[1, 0], [1, 0.2], [1, 1], [1, 1.3], [-3, 0]]))


def test_neighbours_are_ordered_by_cosine_whatever_the_length():
    found = neighbours(SQUARE, "man", 3)
    assert [word for word, _ in found] == ["woman", "king", "queen"]
    np.testing.assert_allclose([cosine for _, cosine in found], 1 / np.sqrt([1.04, 2, 2.69]), rtol=1e-5)
    assert [word for word, _ in neighbours(SQUARE, "man", 99)] == ["woman", "king", "queen", "far"]


def test_an_analogy_leaves_its_own_words_out():
    assert analogy(SQUARE, "man", "king", "woman", 1)[0][0] == "queen"
    assert [word for word, _ in analogy(SQUARE, "man", "king", "woman", 9)] == ["queen", "far"]
    with pytest.raises(UserError, match=r"^'dog' has no vector among these 5 words$"):
        analogy(SQUARE, "man", "dog", "woman")


def relations(noise=0.0):
    """A vector for each word of the relations: one random point for each pair, and one offset for each relation."""
    rng = np.random.default_rng(0)
    words, rows = [], []
    for number, pairs in enumerate(RELATIONS.values()):
        for pair in pairs:
            point = rng.normal(size=20) * noise
            words += pair
            rows += [point, point + 5 * np.eye(20)[number]]
    return Vectors(words, np.float32(rows) + np.float32([0] * 19 + [5]))


def test_the_plane_shows_the_offset_that_the_pairs_share():
    known = relations(0.3)
    for pairs in RELATIONS.values():
        offsets = np.diff(plane(known, pairs), axis=1)[:, 0]
        directions = offsets / np.linalg.norm(offsets, axis=1, keepdims=True)
        assert (directions @ directions[0] > 0.9).all()


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_picture(tmp_path, kind):
    known = relations()
    drawn = draw(known, tmp_path / f"relations.{kind}")
    assert drawn == {"gender": 5, "tense": 5, "country - capital": 5}
    assert (tmp_path / f"relations.{kind}").stat().st_size > 5000
    some = Vectors(known.words[:-7], known.table[:-7])
    with pytest.raises(UserError, match="fewer than two pairs of the relation country - capital"):
        draw(some, tmp_path / "none.png")
    with pytest.raises(UserError, match="cannot be written"):
        draw(known, tmp_path / "no folder" / "relations.png")


def call(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["analogies", *arguments])
    code = 0
    try:
        analogies.run()
    except SystemExit as stop:
        code = stop.code
    finally:
        analogies.FLAGS.unparse_flags()
        for flag in analogies.FLAGS:
            analogies.FLAGS[flag].unparse()
    return code, *capsys.readouterr()


def test_the_command_line(tmp_path, monkeypatch, capsys):
    path = tmp_path / "v.txt"
    write_text(path, SQUARE)
    code, out, _ = call(monkeypatch, capsys, str(path), "--near=man", "--analogy=man:king:woman", "--count=1")
    assert code == 0
    assert out.splitlines()[0].endswith("v.txt: 5 words, vectors of 2 numbers")
    assert out.splitlines()[1:] == ["man: woman 0.981", "king - man + woman: queen 1.000"]
    for arguments, message in (
        ([], "give one run's folder or one file of vectors, not 0"),
        ([str(path), "--near=dog"], "'dog' has no vector"),
        ([str(path), "--analogy=man:king"], "--analogy=man:king is not of the form man:king:woman"),
        ([str(tmp_path)], "no run"),
        ([str(path), "--neer=dog"], "neer"),
    ):
        code, _, err = call(monkeypatch, capsys, *arguments)
        assert code == 2
        assert message in err
        assert err.count("\n") == 1
    code, out, _ = call(monkeypatch, capsys, "--help")
    assert code == 0
    assert "--near" in out


@pytest.mark.parametrize("config", [True, False])
def test_a_folder_of_several_runs_names_them(tmp_path, config):
    if config:  # that of --seeds itself
        (tmp_path / "config.json").write_text('{"kind": "members", "experiment": "word2vec", "options": {}}')
    for seed in ("seed_0", "window=3/seed_1"):
        (tmp_path / seed).mkdir(parents=True)
        (tmp_path / seed / "config.json").write_text("{}")
    named = f"{tmp_path}/seed_0, {tmp_path}/window=3/seed_1"
    with pytest.raises(UserError, match=f"^{tmp_path} holds several runs: give one of them, {named}$"):
        read(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["word2vec", "glove"])
def test_vectors_of_a_run_are_read_and_start_another(name, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    knobs = ["vocabulary_size=300", "embedding_size=8", "batch_size=64", "epochs=1"]
    workdir = Workdir(tmp_path / "run")
    commands.train(name, workdir, options=knobs, data="sample", data_dir=tmp_path, settings=Settings(1))
    known = read(workdir.path)
    words = (workdir.path / "vocabulary.txt").read_text().split()
    assert known.words == words
    assert known.table.shape == (182, 8)
    assert (known.table.std(axis=0) > 0).all()
    write_text(tmp_path / "v.txt", known)
    np.testing.assert_array_equal(read(tmp_path / "v.txt", ["film"]).table[0], known.table[words.index("film")])

    from seqjax import experiment as experiments

    function = experiments.load(experiments.find("imdb_word2vec"))
    experiment = function(vectors=str(workdir.path), embedding_size=8, vocabulary_size=300)
    dataset = experiment.source.load("sample", tmp_path)
    assert "run: vectors for 182 of 182 words" in dataset.description
    np.testing.assert_array_equal(dataset.initial["Embedding_0/embedding"][2:184], known.table)
    with pytest.raises(UserError, match="no such file or run"):
        function(vectors=str(tmp_path / "none")).source.load("sample", tmp_path)


def test_a_run_of_another_kind_has_no_vectors(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    knobs = ["epochs=0", "vocabulary_size=300"]
    commands.train(
        "imdb_unigram", Workdir(tmp_path / "run"), options=knobs, data="sample", data_dir=tmp_path, settings=Settings(1)
    )
    with pytest.raises(UserError, match=r"is a run of imdb_unigram, which has no word vectors to give$"):
        read(tmp_path / "run")


@pytest.mark.slow
@pytest.mark.skipif(not GLOVE.is_file(), reason=f"no GloVe at {GLOVE}")
def test_gloves_own_vectors_know_the_lectures_relations(tmp_path):
    known = read(GLOVE)
    assert analogy(known, "man", "king", "woman", 1)[0][0] == "queen"
    np.testing.assert_allclose(analogy(known, "man", "king", "woman", 1)[0][1], 0.770, atol=0.02)
    assert analogy(known, "france", "paris", "italy", 1)[0][0] == "rome"
    assert {"toad", "frogs"} <= {word for word, _ in neighbours(known, "frog", 5)}
    assert min(draw(known, tmp_path / "relations.png").values()) == 5
