"""seqjax.data.text.imdb_files: three ways to hold the same reviews, and what becomes of damaged ones."""

import gzip
import shutil

import pytest

from review_files import EXPECTED, cut, ordered, pack, prepare, tf, unpack, warned
from seqjax.data.text import imdb_files
from seqjax.errors import UserError

__all__ = ["tf", "warned"]


def test_three_ways_to_hold_the_same_reviews(tf, tmp_path, warned):
    paths = [prepare(tf, tmp_path / "a"), pack(tmp_path / "b"), unpack(tmp_path / "c")]
    for path in paths:
        assert ordered(imdb_files.read(path)) == EXPECTED
    assert len(warned) == 3
    assert "6 in train/neg, 6 in train/pos, 6 in test/neg, 6 in test/pos" in warned[0]


def test_where_the_reviews_are_looked_for(tmp_path):
    def prepared(*parts):
        folder = tmp_path.joinpath(*parts)
        folder.mkdir(parents=True)
        (folder / "dataset_info.json").touch()
        return folder

    assert imdb_files.find(tmp_path / "nowhere") is None
    assert imdb_files.find(tmp_path) is None
    archive = tmp_path / "aclImdb_v1.tar.gz"
    archive.touch()
    assert imdb_files.find(tmp_path) == archive
    unpacked = unpack(tmp_path)
    assert imdb_files.find(tmp_path) == unpacked
    prepared("tensorflow_datasets", "imdb_reviews", "plain_text", "incomplete.ABCDEF_1.0.0")
    (tmp_path / "imdb_reviews" / "plain_text" / "3.0.0").mkdir(parents=True)  # without its dataset_info.json
    assert imdb_files.find(tmp_path) == unpacked
    below = prepared("tensorflow_datasets", "imdb_reviews", "plain_text", "1.0.0")
    assert imdb_files.find(tmp_path) == below
    prepared("imdb_reviews", "plain_text", "2.0.0")
    newest = prepared("imdb_reviews", "plain_text", "10.0.0")
    assert imdb_files.find(tmp_path) == newest


@pytest.mark.parametrize("make", [pack, unpack])
def test_the_content_names_the_files_wherever_they_are(tmp_path, make):
    path = make(tmp_path / "one")
    digest = imdb_files.content(path)
    (tmp_path / "one").rename(tmp_path / "two")
    path = tmp_path / "two" / path.name
    assert imdb_files.content(path) == digest
    changed = path if path.is_file() else path / "test" / "pos" / "3_1.txt"
    changed.write_bytes(changed.read_bytes()[:-1] + b"x")
    assert imdb_files.content(path) != digest


def test_the_content_of_a_prepared_folder(tf, tmp_path):
    folder = prepare(tf, tmp_path)
    digest = imdb_files.content(folder)
    shard = folder / "imdb_reviews-test.tfrecord-00000-of-00001"
    shard.rename(folder / "imdb_reviews-test.tfrecord-00000-of-00002")
    assert imdb_files.content(folder) != digest


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder, shard: cut(shard, shard.stat().st_size - 7),
        lambda folder, shard: cut(shard, shard.stat().st_size // 12 * 5),  # all records are of one size
        lambda folder, shard: cut(shard, 0),
        lambda folder, shard: flip(shard, 40),
        lambda folder, shard: shard.unlink(),
        lambda folder, shard: cut(folder / "dataset_info.json", 100),
        lambda folder, shard: cut(folder / "features.json", 100),
        lambda folder, shard: (folder / "features.json").unlink(),
    ],
    ids=["cut", "fewer", "empty", "flipped", "no shard", "cut info", "cut features", "no features"],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_damaged_prepared_folder_is_named(tf, tmp_path, damage, split):
    folder = prepare(tf, tmp_path)
    damage(folder, folder / f"imdb_reviews-{split}.tfrecord-00000-of-00001")
    with pytest.raises(UserError, match=f"^{folder} is damaged ") as caught:
        imdb_files.read(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.9, -9, -1])
def test_a_damaged_archive_is_named(tmp_path, keep):
    path = pack(tmp_path)
    cut(path, keep if isinstance(keep, int) else int(keep * path.stat().st_size))
    with pytest.raises(UserError, match=f"^{path} is (damaged|incomplete)") as caught:
        imdb_files.read(path)
    assert "\n" not in str(caught.value)


def test_something_else_under_the_archives_name(tmp_path):
    path = tmp_path / "aclImdb_v1.tar.gz"
    path.write_text("<html>404</html>")
    with pytest.raises(UserError, match=f"^{path} is damaged"):
        imdb_files.read(path)


def test_a_flipped_bit_in_an_archive_is_found(tmp_path):
    """By the checksum at the archive's end, where deflate itself does not notice: stored, not compressed."""
    path = pack(tmp_path)
    tar = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(tar, 0))
    imdb_files.read(path)
    flip(path, path.read_bytes().index(b"train pos 3"))
    with pytest.raises(UserError, match=f"^{path} is damaged .*CRC"):
        imdb_files.read(path)


def test_an_incomplete_or_foreign_folder_is_named(tmp_path):
    folder = unpack(tmp_path)
    (folder / "train" / "pos" / "0_1.txt").write_bytes(b"  \xff")
    with pytest.raises(UserError, match=f"^{folder}/train/pos/0_1.txt: byte 0xff at 2 is not UTF-8.*convert a copy"):
        imdb_files.read(folder)
    shutil.rmtree(folder / "train" / "pos")
    with pytest.raises(UserError, match=f"^{folder} is incomplete: .*0 in train/pos"):
        imdb_files.read(folder)
