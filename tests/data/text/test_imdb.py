"""seqjax.data.text.imdb: the split, the arrays, the options."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from places import DATA
from seqjax.data.text import imdb
from seqjax.data.text.encodings import UNKNOWN, Vocabulary
from seqjax.data.text.imdb import Reviews
from seqjax.errors import UserError
from stand_in_reviews import generated, load, same, stand_in

__all__ = ["generated"]

REAL = DATA / "tensorflow_datasets" / "imdb_reviews"


def words(dataset):
    return dataset.assets["vocabulary.txt"].split("\n")[:-1]


def decoded(dataset, example):
    vocabulary = Vocabulary.from_text(dataset.assets["vocabulary.txt"])
    return vocabulary.decode(dataset.arrays["tokens"][example])


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
