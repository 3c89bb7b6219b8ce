"""Reviews with word vectors: initial values, coverage, fingerprint; GloVe's file found or downloaded; frozen tables."""

import dataclasses
import functools
import http.server
import io
import threading
import zipfile

import jax
import numpy as np
import pytest

from places import DATA
from seqjax import experiment as experiments
from seqjax import folders
from seqjax.data.text import glove
from seqjax.data.text.encodings import Vocabulary
from seqjax.data.text.imdb import Reviews
from seqjax.data.text.pretrained import PretrainedReviews
from seqjax.data.text.vectors import Vectors, read, write_text
from seqjax.errors import UserError
from seqjax.training.program import Program, Settings
from seqjax.training.state import count_parameters, create_state


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(folders, "cache_dir", lambda: tmp_path / "cache")


def vectors_file(path, words=("film", "the", "superb", "unheard"), size=4):
    table = np.random.default_rng(0).normal(size=(len(words), size)).astype(np.float32)
    write_text(path, Vectors(list(words), table))
    return path


def test_the_vectors_lie_at_their_words(tmp_path):
    path = vectors_file(tmp_path / "v.txt")
    plain = Reviews(300).load("sample", tmp_path)
    dataset = PretrainedReviews(Reviews(300), 4, str(path)).load("sample", tmp_path)
    assert dataset.description == f"{plain.description}; v.txt: vectors for 3 of 182 words"
    table = dataset.initial["Embedding_0/embedding"]
    assert table.shape == (300, 4)
    vocabulary = Vocabulary.from_text(dataset.assets["vocabulary.txt"])
    found = read(path)
    for row, vector in enumerate(table):
        (word,) = vocabulary.decode([row]) if 1 <= row < vocabulary.size else [None]
        np.testing.assert_array_equal(vector, found.table[found.places[word]] if word in found.places else np.zeros(4))


def test_the_fingerprint_includes_the_vectors(tmp_path):
    one, two = vectors_file(tmp_path / "one.txt"), vectors_file(tmp_path / "two.txt")
    load = lambda file: PretrainedReviews(Reviews(300), 4, file).load("sample", tmp_path).fingerprint
    assert load(str(one)) == load(str(two))
    two.write_text(two.read_text().replace("film 0.", "film 1."))
    prints = {load(str(one)), load(str(two)), load(None), Reviews(300).load("sample", tmp_path).fingerprint}
    assert len(prints) == 4


def test_the_wrong_size_is_refused(tmp_path):
    path = vectors_file(tmp_path / "v.txt")
    with pytest.raises(UserError, match=r"^v.txt has vectors of 4 numbers, not of 5$"):
        PretrainedReviews(Reviews(300), 5, str(path)).load("sample", tmp_path)
    with pytest.raises(UserError, match=r"^embedding_size must be at least 1, not 0$"):
        PretrainedReviews(Reviews(300), 0).load("sample", tmp_path)


def test_initial_values_that_fit_no_parameter_are_refused(toy_experiment, toy_dataset):
    inputs = toy_dataset.example()
    state = create_state(toy_experiment, inputs, {"Dense_0/bias": np.float32([5])})
    plain = create_state(toy_experiment, inputs)
    assert state.params["Dense_0"]["bias"].tolist() == [5]
    np.testing.assert_array_equal(state.params["Dense_0"]["kernel"], plain.params["Dense_0"]["kernel"])
    for path, value in ("Dense_0/bias", np.zeros(2)), ("Dense_1/bias", np.zeros(1)):
        with pytest.raises(UserError, match=rf"^the initial values of {path} have shape "):
            create_state(toy_experiment, inputs, {path: value})


def trained(dataset, experiment, steps=3):
    """The parameters before and after some steps."""
    program = Program(experiment, dataset, Settings(steps_per_dispatch=1))
    state = create_state(experiment, dataset.example(), dataset.initial)
    before = jax.device_get(state.params)
    state = program.place(state)
    for batch in program.batches("train", 0, steps, seed=0):
        state, _ = program.train(state, batch)
    return before, jax.device_get(state.params)


@pytest.mark.parametrize("fine_tune", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_frozen_vectors_do_not_move_by_one_bit_and_fine_tuned_ones_do(tmp_path, fine_tune):
    path = vectors_file(tmp_path / "v.txt")
    function = experiments.load(experiments.find("imdb_glove"))
    experiment = function(vectors=str(path), embedding_size=4, vocabulary_size=300, units=3, fine_tune=fine_tune)
    dataset = experiment.source.load("sample", tmp_path)
    before, after = trained(dataset, experiment)
    table = dataset.initial["Embedding_0/embedding"]
    np.testing.assert_array_equal(before["Embedding_0"]["embedding"], table)
    moved = after["Embedding_0"]["embedding"].view(np.uint32) != table.view(np.uint32)
    assert moved.any() == fine_tune
    others = [(before[name], after[name]) for name in before if name != "Embedding_0"]
    assert all(np.any(a != b) for a, b in zip(*map(jax.tree.leaves, zip(*others, strict=True)), strict=True))


def test_what_imdb_glove_trains():
    experiment = experiments.load(experiments.find("imdb_glove"))()
    params = jax.eval_shape(lambda x: create_state(experiment, x).params, np.zeros((1, 600), np.int32))
    assert count_parameters(params) == 2_034_113
    assert count_parameters({k: v for k, v in params.items() if k != "Embedding_0"}) == 34_113


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A local server of an archive in GloVe's form; its folder."""
    folder = tmp_path / "served"
    folder.mkdir()
    with zipfile.ZipFile(folder / "glove.6B.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for size in (50, 100):
            row = " ".join(f"0.{k:03d}" for k in range(size))
            archive.writestr(f"glove.6B.{size}d.txt", f"the {row}\nfilm {row}\n")
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/glove.6B.zip"
        monkeypatch.setattr(glove, "ADDRESSES", (address,))
        yield folder
        server.shutdown()


def test_glove_is_downloaded_once_and_only_the_size_asked_for_is_taken_out(server, tmp_path):
    data = tmp_path / "data"
    source = PretrainedReviews(Reviews(300), 50)
    assert glove.find(data, 50) is None
    path = glove.download_vectors(data, 50)
    assert path == glove.find(data, 50) == data / "glove" / "glove.6B.50d.txt"
    assert sorted(file.name for file in path.parent.iterdir()) == ["glove.6B.50d.txt", "glove.6B.zip"]
    (server / "glove.6B.zip").unlink()
    assert glove.download_vectors(data, 100).name == "glove.6B.100d.txt"
    assert read(glove.find(data, 100)).table.shape == (2, 100)
    assert "generated vectors" in source.load("sample", data).description  # a sample needs no files


def test_a_whole_file_is_found_before_an_extract(tmp_path):
    (tmp_path / "glove").mkdir()
    extract = vectors_file(tmp_path / "glove" / "glove.6B.50d.top2.txt")
    assert glove.find(tmp_path, 50) == extract
    assert glove.find(tmp_path, 100) is None
    whole = vectors_file(tmp_path / "glove" / "glove.6B.50d.txt")
    assert glove.find(tmp_path, 50) == whole


def test_an_archive_without_the_member_or_a_size_that_does_not_exist(server, tmp_path):
    with pytest.raises(UserError, match=r"glove.6B.zip holds no glove.6B.300d.txt$"):
        glove.download_vectors(tmp_path, 300)
    assert [file.name for file in (tmp_path / "glove").iterdir()] == ["glove.6B.zip"]
    with pytest.raises(UserError, match=r"^GloVe 6B has vectors of 50, 100, 200, 300 numbers, not 64$"):
        glove.download_vectors(tmp_path, 64)


def test_requests_need_no_vectors(tmp_path):
    dataset = PretrainedReviews(Reviews(300), 5).load("sample", tmp_path)
    for name, content in dataset.assets.items():
        (tmp_path / name).write_text(content)
    source = PretrainedReviews(Reviews(300), 5, str(tmp_path / "gone"))
    requests = source.requests(tmp_path, io.StringIO("The film was superb\n"), "-")
    assert requests.gather(requests.arrays, requests.ids).shape == dataset.example().shape
    assert dataclasses.asdict(source)["reviews"]["vocabulary_size"] == 300


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "glove").is_dir(), reason=f"no GloVe in {DATA}")
def test_the_real_vectors_cover_the_real_vocabulary():
    dataset = PretrainedReviews(Reviews(), 100).load("real", DATA)
    table = dataset.initial["Embedding_0/embedding"]
    assert table.shape == (20_000, 100)
    covered = np.any(table != 0, axis=1)
    assert not covered[:2].any()
    assert 0.8 < covered.mean() < 0.95
    assert f"vectors for {covered.sum():,} of 19,998 words" in dataset.description


def test_a_word_that_has_a_vector_is_known_though_no_training_text_holds_it(tmp_path):
    from seqjax.data.text.labelled import LabelledTexts
    from seqjax.data.text.own_texts import OwnTexts
    from seqjax.data.text.pretrained import pretrained

    rows = [f"seen {chr(97 + k) * 3},{'xy'[k % 2]},train" for k in range(20)] + ["unseen,x,test", "unheard,y,test"]
    (tmp_path / "f.csv").write_text("text,label,part\n" + "\n".join(rows) + "\n")
    (tmp_path / "v.txt").write_text("unseen 1 2\nseen 3 4\nmore 5 6\n")
    texts = LabelledTexts(OwnTexts("f.csv", "text", "label", "part"), vocabulary_size=50)
    assert pretrained(texts, 2, "") is texts
    dataset = pretrained(texts, 2, str(tmp_path / "v.txt")).load("real", tmp_path)
    words = dataset.assets["vocabulary.txt"].split()
    assert words[0] == "seen"
    assert words[-2:] == ["unseen", "more"]
    table = dataset.initial["Embedding_0/embedding"]
    place = {word: k for k, word in enumerate(words, 2)}
    np.testing.assert_array_equal(table[[place["seen"], place["unseen"], place["more"]]], [[3, 4], [1, 2], [5, 6]])
    tested = {tuple(row[row > 0]) for row in dataset.arrays["tokens"][dataset.parts["test"]]}
    assert tested == {(place["unseen"],), (1,)}
    assert "vectors for 3 of" in dataset.description
