"""Pairs of sentences: ids, vocabularies, lengths, references, what predict reads."""

import dataclasses
import io

import numpy as np
import pytest

from seqjax.data.text.pairs import ASSET, Pairs
from seqjax.data.text.words import SPECIAL, Words
from seqjax.errors import UserError

READ = {
    "train": [("Ein Hund.", "A dog."), ("Ein Hund bellt.", "A dog barks."), ("Eine Katze", "A cat")],
    "validation": [("Ein Vogel.", "A bird.")],
    "test": [("Ein Hund.", "The dog."), ("ein  hund.", "One dog."), ("Zwei Hunde.", "Two dogs.")],
}


@dataclasses.dataclass(frozen=True)
class Given(Pairs):
    """Pairs that are there."""

    def read(self, data, data_dir):
        return "given", READ


def load(**options):
    return Given(**options).load("real", None)


def test_ids_are_those_of_the_training_part_between_start_and_end():
    dataset = load()
    assert dataset.words.learned == ("a", "dog", "￭.", "barks", "cat")
    inputs, targets = dataset.gather(dataset.arrays, np.array([1, 3]))
    np.testing.assert_array_equal(inputs[1], [[2, 4, 5, 7, 6], [2, 4, 1, 6, 3]])
    np.testing.assert_array_equal(targets, [[4, 5, 7, 6, 3], [4, 1, 6, 3, 0]])
    assert inputs[0][0].tolist()[-1] == 3
    assert [dataset.words.decode(row) for row in targets] == ["a dog barks.", "a [UNK]."]
    assert {part: len(ids) for part, ids in dataset.parts.items()} == {"train": 3, "validation": 1, "test": 3}


def test_rare_words_and_all_beyond_the_size_are_unknown():
    assert load(least=2).words.learned == ("a", "dog", "￭.")
    assert load(target_size=6).words.learned == ("a", "dog")


def test_lengths_hold_source_and_target():
    dataset = load()
    inputs, targets = dataset.gather(dataset.arrays, np.arange(7))
    for row, length in enumerate(dataset.lengths):
        assert not inputs[0][row, length:].any()
        assert not targets[row, length:].any()
    cut = load(length=3)
    assert [leaf.shape[1] for leaf in (*cut.gather(cut.arrays, np.arange(7))[0],)] == [3, 3]


def test_a_source_has_all_the_translations_of_its_part_as_references():
    dataset = load()
    assert dataset.references[4:] == (("the dog.", "one dog."), ("one dog.", "the dog."), ("two dogs.",))
    assert dataset.references[0] == ("a dog.",)
    assert dataset.sources[4] == dataset.sources[5] == "ein hund."
    assert dataset.sources[4] in dataset.seen
    assert dataset.sources[6] not in dataset.seen


def test_baselines_need_no_model():
    found = load().baselines
    assert set(found) == {"the source itself", "always the most frequent"}
    assert all(0 <= own[part]["bleu"] < 100 for own in found.values() for part in ("validation", "test"))


def test_what_tells_two_data_sets_apart():
    prints = {load(**options).fingerprint for options in ({}, {"least": 2}, {"length": 3}, {"tokens": "book"})}
    assert len(prints) == 4
    assert load().fingerprint == load().fingerprint


def test_requests_are_read_as_the_examples_were(tmp_path):
    dataset = load()
    (tmp_path / ASSET).write_text(dataset.assets[ASSET], encoding="utf-8")
    text = io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfEin Hund bellt.\r\n\nEine Katze"), encoding="utf-8", newline="\n")
    requests = Given().requests(tmp_path, text, "new.txt")
    source, first = requests.gather(requests.arrays, requests.ids)
    np.testing.assert_array_equal(source[0], dataset.arrays["source"][1])
    np.testing.assert_array_equal(source[1], [3, 0, 0, 0, 0])
    np.testing.assert_array_equal(first, [[2]] * 3)
    one = {"tokens": np.array([[4, 5, 6, 3, 0]]), "scores": np.array([-1.5])}
    assert requests.line(0, one) == "a dog."
    assert requests.line(1, one) == ""
    two = {"tokens": np.array([[4, 5, 6, 3], [4, 8, 3, 0]]), "scores": np.array([-0.25, -2])}
    assert requests.line(0, two) == "-0.2500\ta dog.\n-2.0000\ta cat"
    assert requests.line(1, two) == "0.0000\t\n0.0000\t"
    weights = np.arange(20).reshape(4, 5) / 20
    read, written, shown = requests.alignment(2, {**two, "attention": weights})
    assert (read, written) == (["eine", "katze", "[end]"], ["a", "dog", "￭.", "[end]"])
    np.testing.assert_array_equal(shown, weights[:, :3])


def test_wrong_requests_and_damaged_files_are_named(tmp_path):
    (tmp_path / ASSET).write_text(load().assets[ASSET], encoding="utf-8")
    with pytest.raises(UserError, match=r"new\.txt, line 2: byte 0xff is not UTF-8"):
        Given().requests(tmp_path, io.TextIOWrapper(io.BytesIO(b"a\n\xff"), encoding="utf-8", newline="\n"), "new.txt")
    for damage, said in (("{}", "damaged: 'way'"), ("[", "is damaged")):
        (tmp_path / ASSET).write_text(damage)
        with pytest.raises(UserError, match=said):
            Given().requests(tmp_path, io.StringIO("a"), "new.txt")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tokens": "bpe"}, "tokens='bpe'"),
        ({"least": 0}, "min_count must be at least 1"),
        ({"length": 1}, "length must be at least 2"),
        ({"target_size": 4}, "target_size must be at least 5"),
    ],
)
def test_wrong_options_are_named(options, said):
    with pytest.raises(UserError, match=said):
        Given(**options)


def test_special_tokens_are_not_learned_from_texts():
    words = Words.fit([["[start]", "[UNK]", "a", "[end]"]], "book")
    assert words.learned == ("a",)
    assert words.encode(["[end]", "a"]) == [1, len(SPECIAL)]
