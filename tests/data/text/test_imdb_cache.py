"""seqjax.data.text.imdb: where the reviews come from, and the cache."""

import pytest

from seqjax.data.text import imdb, imdb_files
from seqjax.data.text.imdb import Reviews
from seqjax.errors import UserError
from stand_in_reviews import generated, load, same, stand_in

__all__ = ["generated"]


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
