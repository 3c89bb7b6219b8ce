"""Multi30k, spa-eng, sums and the made-up language: files, splits, what is generated."""

import gzip
import zipfile

import pytest

from seqjax.data.text import spa_eng, toy_language
from seqjax.data.text.addition import Addition
from seqjax.data.text.multi30k import FILES, Multi30k
from seqjax.data.text.spa_eng import SpaEng
from seqjax.errors import UserError


def write_captions(folder, lines=("Ein Hund.", "Zwei Hunde.")):
    folder.mkdir(exist_ok=True)
    for name in FILES.values():
        (folder / f"{name}.en").write_text("A dog.\r\nTwo dogs.\r\n", encoding="utf-8", newline="")
        (folder / f"{name}.de.gz").write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))


def test_captions_are_found_plain_or_gzipped(tmp_path):
    write_captions(tmp_path / "multi30k")
    dataset = Multi30k().load("real", tmp_path)
    assert dataset.sources[:2] == ("ein hund.", "zwei hunde.")
    assert dataset.references[1] == ("two dogs.",)
    turned = Multi30k(source="en", target="de").load("real", tmp_path)
    assert turned.sources[1] == "two dogs."


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: write_captions(folder, ["Ein Hund."]), "not aligned: 1 and 2 lines"),
        (lambda folder: (folder / "val.de.gz").write_bytes(b"\x1f\x8bx"), "val.de.gz is damaged"),
        (
            lambda folder: (folder / "val.de.gz").write_bytes(gzip.compress(b"a\n\xff\n")),
            "val.de.gz, line 2: byte 0xff",
        ),
    ],
)
def test_damaged_captions_are_named(tmp_path, damage, said):
    write_captions(tmp_path / "multi30k")
    damage(tmp_path / "multi30k")
    with pytest.raises(UserError, match=said):
        Multi30k().load("real", tmp_path)
    with pytest.raises(UserError, match="choose two languages"):
        Multi30k(source="en").load("real", tmp_path)


PAIRS = [(f"s{k // 2}", f"t{k}") for k in range(200)]


def test_a_sentence_is_in_one_part_unless_the_pairs_are_split():
    split = spa_eng.by_sentence(PAIRS, 0)
    sources = {part: {source for source, _ in pairs} for part, pairs in split.items()}
    assert {part: len(found) for part, found in sources.items()} == {"train": 70, "validation": 15, "test": 15}
    assert sorted(pair for pairs in split.values() for pair in pairs) == sorted(PAIRS)
    assert split != spa_eng.by_sentence(PAIRS, 1)
    book = spa_eng.by_pair(PAIRS, 0)
    assert [len(book[part]) for part in ("train", "validation", "test")] == [140, 30, 30]
    seen = {source for source, _ in book["train"]}
    assert any(source in seen for source, _ in book["test"])


def test_sentences_that_differ_in_case_alone_are_one():
    pairs = [*PAIRS, ("S0", "other")]
    place = {target: part for part, those in spa_eng.by_sentence(pairs, 0).items() for _, target in those}
    assert place["other"] == place["t0"] == place["t1"]


def test_spa_eng_is_read_from_its_archive(tmp_path):
    (tmp_path / "spa-eng").mkdir()
    text = "".join(f"{source}.\t¡{target}!\tCC-BY\n" for source, target in PAIRS)
    with zipfile.ZipFile(tmp_path / "spa-eng" / "spa-eng.zip", "w") as archive:
        archive.writestr(spa_eng.MEMBER, text)
    dataset = SpaEng().load("real", tmp_path)
    assert sum(map(len, dataset.parts.values())) == 200
    assert all(len(dataset.references[k]) == 2 for k in range(200))
    assert not {dataset.sources[k] for k in dataset.parts["test"]} & dataset.seen
    with zipfile.ZipFile(tmp_path / "spa-eng" / "spa-eng.zip", "w") as archive:
        archive.writestr(spa_eng.MEMBER, "Go.\tVe.\nno tab\n")
    with pytest.raises(UserError, match=r"spa-eng.zip, line 2: no tab"):
        SpaEng().load("real", tmp_path)


def test_sums_are_right_and_none_is_in_two_parts():
    _, read = Addition(examples=2000).read("sample", None)
    pairs = {}
    for part, sums in read.items():
        for source, target in sums:
            a, b = map(int, source.split("+"))
            assert a + b == int(target)
            assert pairs.setdefault(frozenset((a, b)), part) == part
    assert len(pairs) == 2000
    assert [len(read[part]) for part in ("train", "validation", "test")] == [1800, 100, 100]
    assert read == Addition(examples=2000).read("real", None)[1]
    with pytest.raises(UserError, match="there are 55 pairs"):
        Addition(digits=1, examples=40)
    with pytest.raises(UserError, match="digits=10"):
        Addition(digits=10)


def test_the_made_up_language_is_regular():
    parts = toy_language.parts()
    pairs = [pair for those in parts.values() for pair in those]
    assert len(set(pairs)) == len(pairs) == 7500
    assert len(dict(pairs)) == len(pairs), "a sentence has one translation"
    assert len({target for _, target in pairs}) == len(pairs), "in either direction"
    turned = toy_language.parts(turned=True)
    assert turned["test"] == [(target, source) for source, target in parts["test"]]
    for source, target in parts["test"][:200]:
        words = target.lower().rstrip(".").split()
        plural = words[0] == "some" or source.split()[0].lower() in ("kis", "kias", "mus", "muas")
        assert source.rstrip(".").endswith(("it", "on")[plural])
        assert not any(wrong in f" {target.lower()}" for wrong in (" a a", " a e", " a o", " an b"))
