"""seqjax.data.text.atis: the split, the ids, the requests of a user."""

import gzip
import io
import json
import math

import jax
import numpy as np
import pytest

from places import DATA
from seqjax.data.text import atis, atis_files
from seqjax.data.text.atis import Atis
from seqjax.errors import UserError

TRAIN = [f"BOS fly to city{k} at {k}00 EOS\tO O O B-to O B-time atis_flight" for k in range(30)]
TEST = ["BOS fly from city1 to nowhere EOS\tO O O B-from O B-to x", "BOS at 777 EOS\tO O B-time x"]


def write(folder, train=TRAIN, test=TEST):
    folder.mkdir(parents=True, exist_ok=True)
    for part, lines in (("train", train), ("test", test)):
        path = folder / f"atis.{part}.w-intent.iob"
        path.write_text("".join(line + "\n" for line in lines))
    return folder


def load(folder, **options):
    return Atis(**options).load("real", folder)


@pytest.fixture
def asked(tmp_path):
    """What `requests` makes of a text, in a run of these files."""
    (tmp_path / "run").mkdir()

    def ask(text, **options):
        dataset = load(write(tmp_path / "data"), **options)
        for name, content in dataset.assets.items():
            (tmp_path / "run" / name).write_text(content, encoding="utf-8")
        return dataset, Atis(**options).requests(tmp_path / "run", io.StringIO(text), "mine.txt")

    return ask


def test_words_and_tags_are_those_of_the_training_part_alone(tmp_path):
    dataset = load(write(tmp_path), mask_digits=False)
    learned = json.loads(dataset.assets["atis.json"])
    held_out = {f"city{k}" for k in range(30)} - set(learned["words"])
    assert len(held_out) == len(dataset.parts["validation"]) == 3
    assert learned["words"][0] == "at"  # as frequent as fly and to, and the first of them
    assert dataset.classes == ("", "O", "B-time", "B-to", "B-from")  # the last one has no example
    assert dataset.description.endswith("3 tags; 1 words for testing have a tag without an example, and count as wrong")
    words, tags = dataset.gather(dataset.arrays, dataset.parts["test"])
    assert tags.tolist() == [[1, 1, 4, 1, 3], [1, 2, 0, 0, 0]]
    assert words[0].tolist()[4] == 1, "a word that is not known"
    assert words[1].tolist()[2:] == [0, 0, 0]


def test_digits_read_alike(tmp_path):
    folder = write(tmp_path)
    masked, plain = (json.loads(load(folder, mask_digits=m).assets["atis.json"])["words"] for m in (True, False))
    assert "###" in masked
    assert "777" not in plain
    ids = lambda **options: load(folder, **options).arrays["words"][31, 1]
    assert (ids() > 1, ids(mask_digits=False)) == (True, 1)


def test_copies_stay_in_one_part(tmp_path):
    copies = [line for line in TRAIN[:20] for _ in range(3)]
    dataset = load(write(tmp_path, train=copies))
    rows = lambda part: {tuple(row) for row in dataset.arrays["tags"][dataset.parts[part]].tolist()}
    texts = lambda part: {copies[k] for k in dataset.parts[part]}
    assert rows("train") == rows("validation")
    assert not texts("train") & texts("validation")
    assert len(dataset.parts["validation"]) == 6
    other = load(tmp_path, split_seed=1)
    assert set(other.parts["validation"]) != set(dataset.parts["validation"])
    assert other.fingerprint != dataset.fingerprint


@pytest.mark.parametrize("place", ["", "atis"])
@pytest.mark.parametrize("packed", [False, True])
def test_files_are_found_plain_or_packed(tmp_path, place, packed):
    folder = write(tmp_path / place)
    if packed:
        for path in list(folder.iterdir()):
            (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    assert load(tmp_path).fingerprint == load(write(tmp_path / "other")).fingerprint


def test_files_are_downloaded(tmp_path, monkeypatch):
    published = write(tmp_path / "published")
    monkeypatch.setattr(atis_files, "ADDRESS", published.as_uri() + "/")
    fetched = load(tmp_path / "here")
    assert fetched.fingerprint == load(published).fingerprint
    assert (tmp_path / "here/atis/atis.test.w-intent.iob").is_file()
    (published / "atis.test.w-intent.iob").write_text("<html>Not found</html>\n")
    with pytest.raises(UserError, match=r"cannot download atis.test.w-intent.iob \(.*damaged: line 1: not of the form"):
        load(tmp_path / "there")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("BOS a b EOS", "line 31: 3 words with BOS, but 0 tags"),
        ("BOS a b EOS\tO O x", "line 31: 3 words with BOS, but 2 tags"),
        ("a b\tO O", "line 31: not of the form BOS word"),
        ("BOS a EOS\tO S-to x", "line 31: the tag 'S-to' is none of O, B-NAME and I-NAME"),
        ("BOS a EOS\tO B- x", "line 31: the tag 'B-' is none of"),
    ],
)
def test_a_line_of_another_form_is_named(tmp_path, line, said):
    with pytest.raises(UserError, match=said):
        load(write(tmp_path, train=[*TRAIN, line]))


def test_damaged_files_are_named(tmp_path):
    folder = write(tmp_path)
    path = folder / "atis.test.w-intent.iob"
    path.unlink()
    whole = gzip.compress("\n".join(TEST * 99).encode())
    for content, said in (
        (whole[:-9], "damaged"),
        (b"no gzip at all", "damaged"),
        (gzip.compress(b"\n"), "no request"),
    ):
        path.with_name(path.name + ".gz").write_bytes(content)
        with pytest.raises(UserError, match=rf"atis.test.w-intent.iob.gz.*{said}"):
            load(folder)


def test_options_that_do_not_fit_say_so(tmp_path):
    with pytest.raises(UserError, match="tags=4: the requests have 4 tags, so give 5"):
        load(write(tmp_path), tags=4)
    with pytest.raises(UserError, match="vocabulary_size must be at least 3"):
        Atis(vocabulary_size=2)
    with pytest.raises(UserError, match="data='other'"):
        Atis().load("other", tmp_path)
    small = load(tmp_path, vocabulary_size=5)
    assert small.arrays["words"].max() == 4


def test_requests_are_columns_as_conll_has_them(asked):
    dataset, requests = asked("Fly to City7, at 700!\n\nBOS fly to city8 EOS\n")
    words = requests.gather(requests.arrays, requests.ids)
    expected = dataset.arrays["words"]
    assert words[0].tolist() == expected[7].tolist(), "capitals and punctuation are read over"
    assert words[1].tolist() == [0] * 5
    assert words[2].tolist()[:3] == expected[8].tolist()[:3]
    assert requests.line(0, np.array([1, 1, 3, 1, 2])) == "Fly\tO\nto\tO\nCity7,\tB-to\nat\tO\n700!\tB-time\n"
    assert requests.line(1, np.zeros(5, int)) == ""
    assert requests.line(2, np.array([1, 0, 99, 5, 5])) == "fly\tO\nto\tO\ncity8\tO\n"


def test_marks_that_stand_alone_are_no_words(asked):
    _, requests = asked("fly , to « city3 » !\n...\n")
    words = requests.gather(requests.arrays, requests.ids)
    assert (words[0] > 1).all()
    assert words.tolist()[1] == [0, 0, 0]
    printed = "fly\tO\n,\tO\nto\tB-time\n«\tO\ncity3\tB-to\n»\tO\n!\tO\n"
    assert requests.line(0, np.array([1, 2, 3])) == printed
    assert requests.line(1, np.array([0, 0, 0])) == "...\tO\n"


def test_requests_of_any_length_are_gathered_as_they_are(asked):
    """One very long among many short ones: packed, not padded, and the same."""
    long = "fly to city3 at 300 " * 60_000
    _, requests = asked("\n".join(["fly to city5"] * 40 + [long]))
    assert set(requests.arrays) > {"words", "starts"}
    gather = jax.jit(requests.gather)(dict(requests.arrays), np.array([0, 40], np.int32))
    assert (gather[0] != 0).sum() == 3
    assert (gather[1] != 0).all()
    assert gather.shape == (2, 300_000)


def test_requests_that_cannot_be_read_say_where(asked, tmp_path):
    with pytest.raises(UserError, match=r"mine.txt, line 2: there is a tab"):
        asked("fly to city1\nBOS fly EOS\tO O x\n")
    bad = io.TextIOWrapper(io.BytesIO(b"fly\nto \xff\n"), encoding="utf-8")
    with pytest.raises(UserError, match=r"bad.txt, line 2: byte 0xff is not UTF-8"):
        Atis().requests(tmp_path / "run", bad, "bad.txt")
    _, nothing = asked("")
    assert len(nothing.ids) == 0
    (tmp_path / "run/atis.json").write_text('{"words": ')
    with pytest.raises(UserError, match=r"atis.json is damaged"):
        Atis().requests(tmp_path / "run", io.StringIO("fly"), "mine.txt")


def test_the_sample_knows_its_optimum():
    dataset = Atis().load("sample", DATA)
    assert dataset.optimum["slot_f1"] > dataset.baselines["usual_tag_of_the_word"]["test"]["slot_f1"] + 0.3
    assert math.isclose(sum(len(ids) for ids in dataset.parts.values()), 3000)
    assert (dataset.lengths >= (dataset.arrays["words"] != 0).sum(axis=1)).all()


def test_the_files_at_hand_are_the_published_ones():
    if not (DATA / "atis").is_dir():
        pytest.skip(f"no ATIS in {DATA}")
    dataset = load(DATA)
    assert {part: len(ids) for part, ids in dataset.parts.items()} == {"train": 4472, "validation": 506, "test": 893}
    assert len(dataset.classes) == 128
    assert dataset.baselines["usual_tag_of_the_word"]["test"]["slot_f1"] == pytest.approx(0.6032, abs=1e-4)
    assert atis.Atis(split_seed=3).load("real", DATA).fingerprint != dataset.fingerprint
