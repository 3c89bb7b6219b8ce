"""seqjax.data.text.imdb: the split, the arrays, the cache and the requests."""

import dataclasses
import hashlib
import io
import os
import random
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from places import DATA
from seqjax import folders
from seqjax.data.text import imdb, imdb_files
from seqjax.data.text.encodings import UNKNOWN, Vocabulary
from seqjax.data.text.imdb import Reviews
from seqjax.errors import UserError

REAL = DATA / "tensorflow_datasets" / "imdb_reviews"


@dataclasses.dataclass(frozen=True)
class StandIn:
    """The same fields as the embedded sample."""

    train_texts: list[str]
    train_labels: np.ndarray
    test_texts: list[str]
    test_labels: np.ndarray
    optimum: dict[str, float]


def stand_in(seed=0):
    """Every review holds a word of its own, `train3` or `test3`, and three others; `seed` orders them."""
    rng = random.Random(seed)
    parts = []
    for part, number in ("train", 40), ("test", 20):
        rows = [(f"{part}{k} The FILM was {'good' if k % 2 else 'bad'}!", k % 2) for k in range(number)]
        rows[3] = ("good " * 17 + "train3" if part == "train" else "good test3", 1)
        rng.shuffle(rows)
        parts += [[text for text, _ in rows], np.array([label for _, label in rows], np.int32)]
    return StandIn(*parts, optimum={"accuracy": 0.97, "bag_of_words_accuracy": 0.8})


@pytest.fixture(autouse=True)
def generated(monkeypatch, tmp_path):
    monkeypatch.setattr(imdb.sample_reviews, "reviews", stand_in)
    monkeypatch.setattr(folders, "cache_dir", lambda: tmp_path / "seqjax")


def load(**options):
    return Reviews(**options).load("sample", Path("/nowhere"))


def words(dataset):
    return dataset.assets["vocabulary.txt"].split("\n")[:-1]


def decoded(dataset, example):
    vocabulary = Vocabulary.from_text(dataset.assets["vocabulary.txt"])
    return vocabulary.decode(dataset.arrays["tokens"][example])


def unpack(data_dir, seed=0):
    """The stand-in as an unpacked archive, its files named in the order of `seed`."""
    examples = stand_in(seed)
    for part in ("train", "test"):
        for label in ("neg", "pos"):
            (data_dir / "aclImdb" / part / label).mkdir(parents=True)
        texts, labels = getattr(examples, f"{part}_texts"), getattr(examples, f"{part}_labels")
        for k, (text, label) in enumerate(zip(texts, labels, strict=True)):
            (data_dir / "aclImdb" / part / ("neg", "pos")[label] / f"{k}_1.txt").write_text(text)
    return data_dir


def test_a_fifth_of_each_class_is_for_validation():
    dataset = load()
    sizes = {part: len(ids) for part, ids in dataset.parts.items()}
    assert sizes == {"train": 32, "validation": 8, "test": 20}
    for part, ids in dataset.parts.items():
        assert ids.dtype == np.int32
        assert dataset.arrays["labels"][ids].mean() == 0.5, part
    every = np.concatenate([dataset.parts[part] for part in ("train", "validation", "test")])
    assert sorted(every) == list(range(60))
    assert all(word == UNKNOWN or "test" not in word for k in range(60) for word in decoded(dataset, k))


def test_labels_stay_with_their_texts():
    dataset = load()
    for example, label in enumerate(dataset.arrays["labels"]):
        tokens = decoded(dataset, example)
        assert ("good" in tokens) == bool(label)
        assert ("bad" in tokens) != bool(label)


def test_the_vocabulary_is_that_of_the_training_part_alone():
    dataset = load()
    own = lambda tokens: {word for word in tokens if word.startswith("train")}
    assert own(words(dataset)) == set().union(*(own(decoded(dataset, k)) for k in dataset.parts["train"]))
    assert len(own(words(dataset))) == 32
    held_out = [decoded(dataset, k) for part in ("validation", "test") for k in dataset.parts[part]]
    assert all(UNKNOWN in tokens for tokens in held_out)


def test_nothing_depends_on_the_order_on_disk(monkeypatch):
    first = load()
    monkeypatch.setattr(imdb.sample_reviews, "reviews", lambda: stand_in(seed=1))
    assert stand_in(0).train_texts != stand_in(1).train_texts
    same(first, load())


def same(one, other):
    assert one.fingerprint == other.fingerprint
    assert one.assets == other.assets
    for name in ("arrays", "parts"):
        mine, yours = getattr(one, name), getattr(other, name)
        assert set(mine) == set(yours)
        for key in mine:
            assert mine[key].dtype == yours[key].dtype
            np.testing.assert_array_equal(mine[key], yours[key])


def test_another_seed_is_another_split():
    first, second = load(), load(split_seed=1)
    assert set(first.parts["validation"]) != set(second.parts["validation"])
    np.testing.assert_array_equal(first.parts["test"], second.parts["test"])
    assert first.fingerprint != second.fingerprint


def test_few_labels_are_balanced_nested_and_leave_the_rest_alone():
    whole, half, few = load(), load(train_fraction=0.5), load(train_fraction=0.01)
    assert [len(d.parts["train"]) for d in (whole, half, few)] == [32, 16, 2]
    for dataset in (half, few):
        assert dataset.arrays["labels"][dataset.parts["train"]].mean() == 0.5
        assert dataset.assets == whole.assets  # the vocabulary is that of all
        for part in ("validation", "test"):
            np.testing.assert_array_equal(dataset.parts[part], whole.parts[part])
    assert set(few.parts["train"]) < set(half.parts["train"]) < set(whole.parts["train"])
    assert len({d.fingerprint for d in (whole, half, few)}) == 3


def test_the_fingerprint_follows_content_and_options(monkeypatch):
    options = [{}, {"length": 8}, {"vocabulary_size": 10}, {"ngrams": 2}, {"encoding": "multi_hot"}]
    prints = [load(**given).fingerprint for given in options]
    changed = stand_in()
    changed.test_texts[0] += "!"
    monkeypatch.setattr(imdb.sample_reviews, "reviews", lambda: changed)
    prints.append(load().fingerprint)
    flipped = stand_in()
    flipped.test_labels[:2] = 1 - flipped.test_labels[:2]
    monkeypatch.setattr(imdb.sample_reviews, "reviews", lambda: flipped)
    prints.append(load().fingerprint)
    assert len(set(prints)) == len(prints)
    assert all(len(bytes.fromhex(value)) == 32 for value in prints)


def test_int_arrays():
    dataset = load()
    tokens, labels = dataset.arrays["tokens"], dataset.arrays["labels"]
    assert (tokens.shape, tokens.dtype) == ((60, 32), np.uint16)  # the longest review has 18 words
    assert (labels.shape, labels.dtype) == ((60,), np.float32)
    assert load(length=3).arrays["tokens"].tolist() == tokens[:, :3].tolist()
    assert load(vocabulary_size=5).arrays["tokens"].max() == 4
    assert len(words(load(vocabulary_size=5))) == 3
    assert load(ngrams=2).arrays["tokens"].shape == (60, 48)  # 18 words and 17 pairs
    assert "the film" in words(load(ngrams=2))


def test_multi_hot_arrays_hold_distinct_columns():
    dataset = load(encoding="multi_hot", vocabulary_size=9)
    tokens, learned = dataset.arrays["tokens"], words(dataset)
    assert len(learned) == 8
    assert (tokens.shape, tokens.dtype) == ((60, 5), np.uint16)
    for example, row in enumerate(tokens):
        columns = row[row < 9]
        assert (np.diff(columns.astype(int)) > 0).all()
        assert (row[len(columns) :] == 9).all()
        good = "good" in [learned[column - 1] for column in columns if column]
        assert good == dataset.arrays["labels"][example]


def test_weights_are_counts_times_the_training_parts_idf():
    counted, weighed = load(encoding="count"), load(encoding="tf_idf")
    assert counted.arrays["counts"].dtype == np.uint8
    assert counted.arrays["counts"].max() == 17  # `good` in train3
    example = np.arange(60)
    (tokens, counts), (same_tokens, weights) = (each.gather(each.arrays, example)[0] for each in (counted, weighed))
    np.testing.assert_array_equal(tokens, same_tokens)
    learned = words(weighed)
    train = tokens[weighed.parts["train"]]
    idf = np.log1p(32 / (1 + (train == 1 + np.arange(len(learned))[:, None, None]).any(axis=2).sum(axis=1)))
    table = np.concatenate([[idf.mean()], idf, np.zeros(20_000 - len(learned))])
    np.testing.assert_allclose(weights, counts * table[tokens], rtol=1e-6)
    assert (weights[tokens == 20_000] == 0).all()


def test_stems_accents_and_special_characters_are_options(monkeypatch):
    accented = stand_in()
    accented.train_texts[:] = [text.replace("FILM", "séance") + " filming “so”" for text in accented.train_texts]
    monkeypatch.setattr(imdb.sample_reviews, "reviews", lambda: accented)
    assert {"séance", "filming"} <= set(words(load()))
    assert "seance" in words(load(fold_accents=True))
    assert "“so”" in words(load())
    assert "so" in words(load(strip_special=True))
    assert len({load().fingerprint, *(load(**{o: True}).fingerprint for o in ("fold_accents", "strip_special"))}) == 3
    pytest.importorskip("snowballstemmer")
    assert "film" in words(load(stem="english"))
    assert "filming" not in words(load(stem="english"))
    with pytest.raises(UserError, match="stem='klingon': choose one of arabic, "):
        load(stem="klingon")


@pytest.mark.parametrize("encoding", ["int", "multi_hot"])
def test_gather_is_the_same_in_numpy_and_traced(encoding):
    dataset = load(encoding=encoding)
    ids = np.array([[5, 59, 0], [7, 7, 30]], np.int32)[0]
    inputs, targets = dataset.gather(dataset.arrays, ids)
    assert (inputs.dtype, targets.dtype) == (np.int32, np.float32)
    np.testing.assert_array_equal(inputs, dataset.arrays["tokens"][[5, 59, 0]])
    np.testing.assert_array_equal(targets, dataset.arrays["labels"][[5, 59, 0]])
    traced = jax.jit(dataset.gather)(jax.device_put(dict(dataset.arrays)), ids)
    for ours, theirs in zip((inputs, targets), traced, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_the_sample_says_what_it_is():
    dataset = load()
    assert "generated" in dataset.description
    assert "not the lecture's" in dataset.description
    assert "32 train, 8 validation, 20 test" in dataset.description
    assert dataset.optimum == {"accuracy": 0.97, "bag_of_words_accuracy": 0.8}


def test_the_embedded_sample_loads(monkeypatch):
    monkeypatch.undo()
    dataset = load()
    number = len(dataset.parts["train"]) + len(dataset.parts["validation"])
    assert len(dataset.parts["validation"]) == number // 5
    assert dataset.arrays["tokens"].shape[1] % 16 == 0
    longest = (dataset.arrays["tokens"] != 0).sum(axis=1).max()
    assert dataset.arrays["tokens"].shape[1] - 16 < longest
    assert 0.5 < dataset.optimum["bag_of_words_accuracy"] < dataset.optimum["accuracy"] <= 1
    held_out = dataset.arrays["tokens"][dataset.parts["test"]]
    assert (held_out == 1).mean() < 0.02


def test_real_files_of_the_same_reviews_give_the_same_examples(tmp_path):
    real = Reviews(length=32).load("real", unpack(tmp_path))
    same(real, load(length=32))
    assert real.optimum == {}
    assert real.description.startswith("IMDB movie reviews: 32 train")
    assert Reviews().load("real", tmp_path).arrays["tokens"].shape == (60, 600)


def test_the_second_start_reads_the_cache(tmp_path, monkeypatch):
    first = Reviews().load("real", unpack(tmp_path / "a"))
    bags = Reviews(encoding="multi_hot").load("real", tmp_path / "a")
    reads = []
    read = imdb_files.read
    monkeypatch.setattr(imdb_files, "read", lambda found: reads.append(found) or read(found))
    same(first, Reviews().load("real", tmp_path / "a"))
    same(bags, Reviews(encoding="multi_hot").load("real", tmp_path / "a"))
    (tmp_path / "a").rename(tmp_path / "b")
    same(first, Reviews().load("real", tmp_path / "b"))
    assert reads == []


def test_other_content_options_or_code_are_read_anew(tmp_path, monkeypatch):
    first = Reviews().load("real", unpack(tmp_path))
    reads = []
    read = imdb_files.read
    monkeypatch.setattr(imdb_files, "read", lambda found: reads.append(found) or read(found))
    Reviews(strip_special=True).load("real", tmp_path)
    assert len(reads) == 1
    (tmp_path / "changed.py").write_text("pass")
    monkeypatch.setattr(imdb.text, "__file__", str(tmp_path / "changed.py"))
    same(first, Reviews().load("real", tmp_path))
    assert len(reads) == 2
    path = next((tmp_path / "aclImdb" / "test" / "pos").iterdir())
    path.write_text(path.read_text() + " again")
    assert Reviews().load("real", tmp_path).fingerprint != first.fingerprint
    assert len(reads) == 3


def test_a_damaged_cache_is_rebuilt(tmp_path):
    first = Reviews().load("real", unpack(tmp_path))
    (entry,) = (tmp_path / "seqjax" / "arrays").iterdir()
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 4
    entry.write_bytes(content)
    same(first, Reviews().load("real", tmp_path))


def test_no_files_and_no_network(tmp_path, monkeypatch):
    monkeypatch.setattr(imdb_files, "ARCHIVE", "http://127.0.0.1:9/aclImdb_v1.tar.gz")
    with pytest.raises(UserError, match=r"^no IMDB reviews in .*http://127.0.0.1:9/.*--data=sample$"):
        Reviews().load("real", tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoding": "tfidf"}, "encoding='tfidf': choose 'int', 'one_hot', 'multi_hot', 'count', 'tf_idf'$"),
        ({"encoding": "multi_hot", "length": 5}, "length=5: only encoding='int'"),
        ({"vocabulary_size": 2}, "vocabulary_size=2"),
        ({"length": 0}, "length=0"),
        ({"ngrams": 0}, "ngrams=0"),
        ({"split_seed": -1}, "split_seed=-1"),
        ({"train_fraction": 0.0}, r"train_fraction=0.0 is not in \(0, 1\]"),
    ],
)
def test_unfit_options_are_errors(options, message):
    with pytest.raises(UserError, match=f"^{message}"):
        Reviews(**options)


def test_unknown_data_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"^data='fake': choose 'real' or 'sample'$"):
        Reviews().load("fake", tmp_path)


@pytest.fixture
def workdir(tmp_path):
    def write(**options):
        dataset = load(**options)
        for name, content in dataset.assets.items():
            (tmp_path / name).write_text(content, encoding="utf-8")
        return dataset, tmp_path

    return write


@pytest.mark.parametrize("encoding", ["count", "tf_idf"])
def test_weighted_requests_are_vectorised_as_in_training(workdir, encoding):
    dataset, assets = workdir(encoding=encoding, ngrams=2, vocabulary_size=30)
    texts = stand_in().test_texts
    requests = Reviews().requests(assets, io.StringIO("".join(text + "\n" for text in texts)), "reviews.txt")
    place = lambda k: (stand_in().test_labels[k], hashlib.sha256(texts[k].encode()).digest())
    order = sorted(range(len(texts)), key=place)
    found = requests.gather(requests.arrays, requests.ids)
    expected, _ = dataset.gather(dataset.arrays, dataset.parts["test"])
    traced = jax.jit(requests.gather)(jax.device_put(dict(requests.arrays)), requests.ids)
    width = found[0].shape[1]
    for ours, theirs, compiled in zip(found, expected, traced, strict=True):
        np.testing.assert_array_equal(ours[order], theirs[:, :width])
        np.testing.assert_array_equal(ours, compiled)
        assert ours.dtype == compiled.dtype


@pytest.mark.parametrize(
    "options", [{}, {"length": 4}, {"ngrams": 2}, {"encoding": "multi_hot"}, {"vocabulary_size": 9}]
)
def test_requests_are_vectorised_as_in_training(workdir, options):
    dataset, assets = workdir(**options)
    texts = stand_in().test_texts
    requests = Reviews().requests(assets, io.StringIO("".join(text + "\n" for text in texts)), "reviews.txt")
    inputs = requests.gather(requests.arrays, requests.ids)
    assert inputs.dtype == np.int32
    place = lambda k: (stand_in().test_labels[k], hashlib.sha256(texts[k].encode()).digest())
    order = sorted(range(len(texts)), key=place)
    expected, _ = dataset.gather(dataset.arrays, dataset.parts["test"])
    width = inputs.shape[1]  # a batch of bags is as wide as its own richest
    np.testing.assert_array_equal(inputs[order], expected[:, :width])
    if options.get("encoding") == "multi_hot":
        assert (expected[:, width:] == 20_000).all()
    else:
        assert width == expected.shape[1]
    np.testing.assert_array_equal(jax.jit(requests.gather)(requests.arrays, requests.ids), inputs)


def test_one_line_of_output_for_each_line_of_input(workdir):
    _, assets = workdir()
    requests = Reviews().requests(assets, io.StringIO("good\n\n  \nbad\u2028good\x85bad"), "-")
    assert requests.ids.tolist() == [0, 1, 2, 3]
    assert (requests.gather(requests.arrays, requests.ids) != 0).sum(axis=1).tolist() == [1, 0, 0, 1]
    assert len(Reviews().requests(assets, io.StringIO(""), "-").ids) == 0
    assert requests.header is None


@pytest.mark.parametrize(
    ("logit", "line"),
    [
        (0.0, "negative\t0.5000"),  # as metrics.binary_accuracy decides
        (np.log(3), "positive\t0.7500"),
        (-np.log(3), "negative\t0.2500"),
        (800.0, "positive\t1.0000"),
        (-800.0, "negative\t0.0000"),
    ],
)
def test_the_line_is_the_label_and_the_probability_of_positive(workdir, logit, line):
    _, assets = workdir()
    requests = Reviews().requests(assets, io.StringIO("good\n"), "-")
    assert requests.line(0, np.float32(logit)) == line
    assert requests.line(0, jax.numpy.float32(logit)) == line


def test_input_that_is_not_utf8_names_the_line(workdir, tmp_path):
    _, assets = workdir()
    path = tmp_path / "latin.txt"
    path.write_bytes(b"good\nbad\ncaf\xe9 noir\n")
    message = "^latin, line 3: byte 0xe9 is not UTF-8"
    with path.open(encoding="utf-8") as stream, pytest.raises(UserError, match=message):
        Reviews().requests(assets, stream, "latin")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.json", None, "text.json: No such file"),
        ("text.json", "{", "text.json is damaged"),
        ("text.json", "[]", "text.json is damaged"),
        ("text.json", '{"encoding": "int", "length": null, "padding": 9}', "text.json is damaged: no length"),
        ("text.json", '{"encoding": "int", "length": 3, "padding": "9"}', "text.json is damaged: padding='9'"),
        ("text.json", '{"encoding": "int", "length": 3, "padding": 9}', "text.json is damaged: .*tokenizer"),
        ("text.json", '{"encoding": "bag", "length": 3, "padding": 9}', "text.json is damaged: encoding='bag'"),
        ("vocabulary.txt", None, "vocabulary.txt: No such file"),
        ("vocabulary.txt", "a\na\n", "vocabulary.txt, line 2: 'a' is repeated"),
        ("vocabulary.txt", "".join(f"w{k}\n" for k in range(8)), "vocabulary.txt: 10 ids, more than the 9"),
    ],
)
def test_a_damaged_workdir_names_the_file(workdir, name, content, message):
    _, assets = workdir(vocabulary_size=9)
    (assets / name).unlink()
    if content is not None:
        (assets / name).write_text(content)
    with pytest.raises(UserError, match=f"^{assets}/{message}"):
        Reviews().requests(assets, io.StringIO("good\n"), "-")


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason=f"no IMDB reviews at {REAL}")
def test_the_real_reviews(tmp_path):
    dataset = Reviews(length=3000).load("real", DATA)
    sizes = [len(dataset.parts[part]) for part in ("train", "validation", "test")]
    assert sizes == [20_000, 5_000, 25_000]
    assert all(dataset.arrays["labels"][ids].mean() == 0.5 for ids in dataset.parts.values())
    assert len(words(dataset)) == 19_998
    assert words(dataset)[:4] == ["the", "and", "a", "of"]
    tokens = dataset.arrays["tokens"]
    lengths = (tokens[:25_000] != 0).sum(axis=1)
    assert 228 < lengths.mean() < 238  # the lecture's 233
    assert 0.04 < (lengths > 600).mean() < 0.06  # and 5 %
    # A second start, in a process of its own, finds all this in the cache and needs no TensorFlow.
    code = f"""if True:
        import sys, pathlib
        from seqjax.data.text.imdb import Reviews
        print(Reviews(length=3000).load("real", pathlib.Path({str(DATA)!r})).fingerprint)
        print("tensorflow" in sys.modules)"""
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True)
    assert done.stdout.decode().split() == [dataset.fingerprint, "False"]
