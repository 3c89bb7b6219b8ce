"""seqjax.data.text.labelled on tables of one's own: the same as the IMDB rows, and every oddity counted or refused."""

import csv
import io
import json

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from seqjax import folders
from seqjax.data.text import sample_reviews
from seqjax.data.text.imdb import Reviews
from seqjax.data.text.labelled import LabelledTexts
from seqjax.data.text.own_texts import OwnTexts
from seqjax.errors import UserError

WORDS = {"good": ["fine", "lovely", "great"], "bad": ["dull", "poor", "awful"], "so-so": ["middling", "mixed", "fair"]}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setattr(folders, "cache_dir", lambda: tmp_path / "seqjax")


def rows(classes=("good", "bad"), count=15):
    letters = "abcdefghijklmnopqrst"
    return [(f"{WORDS[name][k % 3]} {letters[k] * 4}", name) for name in classes for k in range(count)]


def write(path, table, header=("text", "label")):
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([header, *table])
    path.write_text(stream.getvalue(), newline="")
    return path


def load(path, classes=2, split="", **options):
    own = OwnTexts(str(path), "text", "label", split)
    return LabelledTexts(own, classes, **{"vocabulary_size": 50, **options}).load("real", path.parent)


def refused(path, classes=2, split="", **options):
    with pytest.raises(UserError) as caught:
        load(path, classes, split, **options)
    return str(caught.value).replace(str(path), "f")


def write_reviews(path, reviews):
    """The sample reviews, with the parts that `Reviews` has drawn, in an order of their own."""
    made = sample_reviews.reviews()
    dataset = reviews.load("sample", path.parent)
    order = np.random.default_rng(5).permutation(3000)
    part = np.array(["test"] * 3000, "U10")
    ranked = sorted(range(2000), key=lambda k: (made.train_labels[k], sha(made.train_texts[k])))
    for name in ("train", "validation"):
        part[np.array(ranked)[dataset.parts[name]]] = name
    texts = [*made.train_texts, *made.test_texts]
    labels = ["positive" if label else "negative" for label in (*made.train_labels, *made.test_labels)]
    write(path, [(texts[k], labels[k], part[k]) for k in order], ("text", "label", "part"))
    return dataset


def sha(text):
    import hashlib

    return hashlib.sha256(text.encode()).digest()


@pytest.mark.parametrize(
    "options",
    [
        {"encoding": "multi_hot", "vocabulary_size": 100},
        {"encoding": "tf_idf", "ngrams": 2, "vocabulary_size": 500},
        {"encoding": "int", "length": 40, "vocabulary_size": 150, "grouped": True},
        {"encoding": "int", "vocabulary_size": 150},
    ],
)
def test_reviews_as_a_csv_are_the_reviews(tmp_path, options):
    """The whole proof but for the training, which is a function of these (tests/test_text_rows.py goes through it)."""
    theirs = write_reviews(tmp_path / "f.csv", Reviews(**options))
    ours = load(tmp_path / "f.csv", split="part", **options)
    assert ours.classes == ("negative", "positive")
    assert ours.assets["vocabulary.txt"] == theirs.assets["vocabulary.txt"]
    assert set(ours.arrays) == set(theirs.arrays)
    for name, values in theirs.arrays.items():
        assert ours.arrays[name].dtype == values.dtype
        np.testing.assert_array_equal(ours.arrays[name], values)
    for part, ids in theirs.parts.items():
        np.testing.assert_array_equal(ours.parts[part], ids)
    np.testing.assert_array_equal(ours.lengths, theirs.lengths)


def test_the_order_of_the_rows_does_not_matter(tmp_path):
    table = rows()
    one = load(write(tmp_path / "a.csv", table))
    other = load(write(tmp_path / "b.csv", table[::-1]))
    assert one.fingerprint == other.fingerprint
    np.testing.assert_array_equal(one.arrays["tokens"], other.arrays["tokens"])
    assert one.fingerprint != load(write(tmp_path / "c.csv", [*table[:-1], ("fine new", "bad")])).fingerprint
    assert one.fingerprint != load(tmp_path / "a.csv", split_seed=1).fingerprint


def test_more_classes_have_integers_and_their_names(tmp_path):
    dataset = load(write(tmp_path / "f.csv", rows(("good", "so-so", "bad"))), classes=3)
    assert dataset.classes == ("bad", "good", "so-so")
    _, targets = dataset.gather(dataset.arrays, np.arange(45))
    assert targets.dtype == np.int32
    assert np.bincount(targets).tolist() == [15, 15, 15]
    assert {part: len(ids) for part, ids in dataset.parts.items()} == {"train": 30, "validation": 6, "test": 9}
    assert dataset.baselines["largest_class"]["test"]["accuracy"] == pytest.approx(1 / 3)


def test_weights_come_beside_the_targets_and_are_scikit_learns(tmp_path):
    table = [*rows(count=20), *rows(("so-so",), count=6)]
    dataset = load(write(tmp_path / "f.csv", table), classes=3, weighted=True)
    train = dataset.parts["train"]
    _, (targets, weights) = dataset.gather(dataset.arrays, train)
    np.testing.assert_allclose(weights, compute_sample_weight("balanced", targets), rtol=1e-6)
    assert weights.mean() == pytest.approx(1, rel=1e-6)
    assert dataset.fingerprint != load(tmp_path / "f.csv", classes=3).fingerprint


def test_the_vocabulary_is_that_of_the_training_part_alone(tmp_path):
    table = [
        ("seen often", "a", "train"),
        ("seen here", "b", "train"),
        ("only here", "a", "dev"),
        ("fresh", "b", "test"),
    ]
    dataset = load(write(tmp_path / "f.csv", table, ("text", "label", "part")), split="part")
    assert set(dataset.assets["vocabulary.txt"].split()) == {"seen", "often", "here"}


def test_rows_without_text_or_label_are_counted(tmp_path):
    dataset = load(write(tmp_path / "f.csv", [("", "good"), *rows(), ("fine", ""), ("poor", " ")]))
    assert "; row 2 left out: no 'text'; 2 rows, row 33 first, left out: no 'label'" in dataset.description
    assert (
        "Namibia" in load(write(tmp_path / "g.csv", [*rows(("bad",)), *((f"{k} x", "Namibia") for k in "abc")])).classes
    )
    found = load(write(tmp_path / "h.csv", [*rows(("bad",)), *((f"NA {k}", "NA") for k in "abc")]))
    assert found.classes == ("NA", "bad")  # no value is missing but the empty one
    said = refused(write(tmp_path / "i.csv", [*rows(count=3), *[("x", "")] * 9]))
    assert said == "f: of 15 rows 6 have a text and a label: 9 rows, row 8 first, left out: no 'label'"


def test_texts_on_both_sides_and_of_two_labels_are_counted(tmp_path):
    table = [(text, label, "train") for text, label in rows()] + [(*rows()[k], "test") for k in (0, 1, 20)]
    table += [("fine aaaa", "bad", "test")]
    dataset = load(write(tmp_path / "f.csv", table, ("text", "label", "part")), split="part")
    assert "; 4 of the test texts also in another part; 1 text has two labels" in dataset.description
    dataset = load(write(tmp_path / "g.csv", [(*row, part) for part in ("train", "test") for row in rows()],
                         ("text", "label", "part")), split="part")  # fmt: skip
    assert "30 of the test texts also in another part" in dataset.description


def test_wrong_tables_are_refused(tmp_path):
    path = tmp_path / "f.csv"
    write(path, rows(("good", "bad", "so-so")))
    assert refused(path) == "f: 3 classes, not 2: bad, good, so-so"
    write(path, [(*row, "train") for row in rows(("good", "bad"))] + [("x", "new", "test")], ("text", "label", "part"))
    assert refused(path, 3, "part") == "f: class 'new' is in the test part, but not in the training part"
    assert refused(path, 2, "path").startswith("f: there is no column 'path'; columns: text, label, part")
    write(path, [("!?", "a"), ("...", "b")] * 9)
    assert "too few rows: none for" in refused(path)  # two texts, again and again
    write(path, [("!" * (k + 1), "ab"[k % 2]) for k in range(20)])
    assert refused(path) == "no training text holds a word: are they in another column?"
    path.write_bytes("text,label\nné,a\n".encode("latin-1"))
    assert refused(path).startswith("f: row 2 is not UTF-8 text")
    with pytest.raises(UserError, match=r"label is missing: --set=file=PATH\.csv --set=text=COLUMN --set=label=COLUMN"):
        LabelledTexts(OwnTexts("x.csv", "text", "")).load("real", tmp_path)
    with pytest.raises(UserError, match=r"file=x\.csv is neither here nor in"):
        LabelledTexts(OwnTexts("x.csv", "text", "label")).load("real", tmp_path)


def test_a_quote_that_swallows_rows_is_found(tmp_path):
    """autolabel 473, torchtext 612: two rows would become one whose label goes over both."""
    path = tmp_path / "f.tsv"
    lines = [f"{text}\t{label}" for text, label in rows()]
    path.write_text("\n".join(["text\tlabel", *lines, 'sure\t"good', 'maybe\tbad"', "well\tgood"]))
    assert refused(path) == (
        "f: row 32, column 'label': 'good\\nmaybe\\tbad' goes over several lines: is a quote left open? "
        "--set=quotes=none reads it as it is"
    )
    table = [*rows(), ("two\nlines", "good")]
    assert "; 1 text goes over several lines" in load(write(tmp_path / "g.csv", table)).description


def test_labels_with_spaces_and_tabs_are_one_class(tmp_path):
    table = [(text, {"good": "very  good", "bad": "not\tso good "}[label]) for text, label in rows()]
    table += [("fine zzzz", "very good\u200b"), ("one", "rare")]
    dataset = load(write(tmp_path / "f.csv", table), classes=3)
    assert dataset.classes == ("not so good", "rare", "very good")
    assert "; no test text of rare" in dataset.description


def test_characters_are_tokens_of_chinese(tmp_path):
    pairs = [(f"{'好' if k % 2 else '坏'}{chr(0x4E00 + k)}电影", "ab"[k % 2]) for k in range(30)]
    path = write(tmp_path / "f.csv", pairs)
    dataset = load(path, split="", encoding="int", vocabulary_size=60)
    assert "words" in dataset.description
    own = OwnTexts(str(path), "text", "label")
    characters = LabelledTexts(own, vocabulary_size=60, split="characters").load("real", tmp_path)
    assert {"好", "坏", "电", "影"} <= set(characters.assets["vocabulary.txt"].split("\n"))
    assert characters.baselines["naive_bayes"]["test"]["accuracy"] == 1


def test_a_long_text_does_not_make_every_text_long(tmp_path):
    table = [*rows(count=20), *((f"{name} word {k} " * 5_000, name) for name in ("good", "bad") for k in "xyz")]
    dataset = load(write(tmp_path / "f.csv", table), length=None, grouped=True)
    assert "cut at 2048 (6 are longer)" in dataset.description
    table = [(f"{WORDS[name][k % 3]} {chr(97 + k % 26)}{chr(97 + k // 26)} x", name) for name in ("good", "bad")
             for k in range(150)]  # fmt: skip
    dataset = load(write(tmp_path / "g.csv", [*table, ("long text " * 10_000, "good")]), grouped=True)
    assert "cut at 256 (1 are longer)" in dataset.description
    assert dataset.lengths.max() == 256


def test_facts_for_predict_are_among_the_assets(tmp_path):
    dataset = load(write(tmp_path / "f.csv", rows()))
    facts = json.loads(dataset.assets["classes.json"])
    assert facts == {"column": "text", "encoding": "", "delimiter": "", "quotes": "double", "classes": ["bad", "good"]}


def test_the_samples_optimum_holds_for_its_test_part():
    from seqjax.data.text.sample_topics import topics

    for classes in (2, 5, 9):
        made = topics(classes)
        contrasts = zip(made.texts[-200:], made.labels[-200:], strict=True)
        assert made.optimum == {"accuracy": 0.96, "bag_of_words_accuracy": 0.73}
        bags = {}
        for text, label in contrasts:
            bags.setdefault(" ".join(sorted(text.lower().strip(".").replace(",", "").split())), []).append(label)
        # a bag of words is right about one of each two
        assert [(len(labels), len(set(labels))) for labels in bags.values()] == [(2, 2)] * 100
        assert len(set(made.texts)) == len(made.texts)
        assert len(set(made.labels)) == classes
