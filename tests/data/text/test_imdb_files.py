"""seqjax.data.text.imdb_files: three ways to hold the same reviews, and what becomes of damaged ones."""

import functools
import gzip
import http.server
import json
import shutil
import socket
import sys
import tarfile
import threading
import time
import warnings

import pytest
from absl import logging

from seqjax.data.text import imdb_files
from seqjax.errors import UserError

CLASSES = [(split, label) for split in ("train", "test") for label in ("neg", "pos")]
TEXTS = {place: [f"{' '.join(place)} {k} é<br />" for k in range(6)] for place in CLASSES}
NAMES = "tensorflow_datasets.core.features"
LABEL = {"pythonClassName": f"{NAMES}.class_label_feature.ClassLabel", "classLabel": {"numClasses": "2"}}
TEXT = {"pythonClassName": f"{NAMES}.text_feature.Text", "text": {}}
FEATURES = {
    "pythonClassName": f"{NAMES}.features_dict.FeaturesDict",
    "featuresDict": {"features": {"label": LABEL, "text": TEXT}},
}
INFO = {"name": "imdb_reviews", "configName": "plain_text", "version": "1.0.0", "fileFormat": "tfrecord"}
SPLIT = {"shardLengths": ["12"], "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"}


@pytest.fixture(scope="module")
def tf():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensorflow = pytest.importorskip("tensorflow")
        pytest.importorskip("tensorflow_datasets")
    return tensorflow


@pytest.fixture
def warned(monkeypatch) -> list[str]:
    lines = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: lines.append(text % values))
    return lines


def prepare(tf, data_dir):
    """A folder as tensorflow-datasets prepares it."""
    folder = data_dir / "imdb_reviews" / "plain_text" / "1.0.0"
    folder.mkdir(parents=True)
    for split in ("train", "test"):
        with tf.io.TFRecordWriter(str(folder / f"imdb_reviews-{split}.tfrecord-00000-of-00001")) as writer:
            for k, label in enumerate(("neg", "pos")):
                for text in TEXTS[split, label]:
                    writer.write(record(tf, text.encode(), k))
    info = INFO | {"splits": [SPLIT | {"name": split} for split in ("train", "test")]}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    (folder / "features.json").write_text(json.dumps(FEATURES))
    (folder / "label.labels.txt").write_text("neg\npos\n")
    return folder


def record(tf, text, label):
    feature = {
        "text": tf.train.Feature(bytes_list=tf.train.BytesList(value=[text])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def unpack(data_dir):
    """The archive's folders, with the white space that tensorflow-datasets strips."""
    for (split, label), texts in TEXTS.items():
        folder = data_dir / "aclImdb" / split / label
        folder.mkdir(parents=True)
        for k, text in enumerate(texts):
            (folder / f"{k}_1.txt").write_bytes(b" " + text.encode() + b"\n")
    (data_dir / "aclImdb" / "train" / "unsup").mkdir()
    (data_dir / "aclImdb" / "train" / "unsup" / "0_0.txt").write_text("no label")
    (data_dir / "aclImdb" / "README").write_text("Large Movie Review Dataset v1.0")
    return data_dir / "aclImdb"


def pack(data_dir):
    folder = unpack(data_dir)
    path = data_dir / "aclImdb_v1.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, "aclImdb")
    shutil.rmtree(folder)
    return path


def ordered(examples):
    return {split: sorted(reviews) for split, reviews in examples.items()}


EXPECTED = {
    split: sorted((k, t) for k, label in enumerate(("neg", "pos")) for t in TEXTS[split, label])
    for split in ("train", "test")
}


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


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


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


@pytest.mark.parametrize("missing", ["tensorflow", "tensorflow_datasets"])
def test_without_tensorflow_the_error_says_what_to_do(tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UserError, match=rf"need {missing}, .*aclImdb_v1.tar.gz.*--data=sample"):
        imdb_files.read(tmp_path)


def test_tensorflow_is_kept_off_accelerators(tf, tmp_path, monkeypatch, warned):
    hidden = []
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *asked: hidden.append(asked))
    imdb_files.read(prepare(tf, tmp_path / "a"))
    assert ([], "GPU") in hidden

    def started(devices, kind):
        raise RuntimeError("Visible devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "set_visible_devices", started)
    imdb_files.read(prepare(tf, tmp_path / "b"))
    assert any("TensorFlow had started" in line for line in warned)


@pytest.fixture
def publisher(tf, tmp_path, monkeypatch):
    """A server on this machine in the publisher's place; the value is its folder."""
    from tensorflow_datasets.datasets.imdb_reviews import imdb_reviews_dataset_builder as builder

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    folder = tmp_path / "publisher"
    folder.mkdir()
    handler = functools.partial(Silent, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/aclImdb_v1.tar.gz"
        monkeypatch.setattr(imdb_files, "ARCHIVE", url)
        monkeypatch.setattr(builder, "_DOWNLOAD_URL", url)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield folder
        server.shutdown()
        thread.join()


def test_tensorflow_datasets_downloads_and_prepares(publisher, tmp_path, capsys):
    data_dir = tmp_path / "data"
    path = pack(publisher)
    whole = path.read_bytes()
    cut(path, len(whole) // 2)
    with pytest.raises(UserError, match=f"^no IMDB reviews in {data_dir}, and their download failed"):
        imdb_files.download(data_dir)
    assert imdb_files.find(data_dir) is None
    # tensorflow-datasets knows the real archive's checksum and would not keep a damaged one.
    shutil.rmtree(data_dir / "tensorflow_datasets" / "downloads")
    path.write_bytes(whole)
    found = imdb_files.download(data_dir)
    assert found == data_dir / "tensorflow_datasets" / "imdb_reviews" / "plain_text" / "1.0.0"
    assert imdb_files.find(data_dir) == found
    assert ordered(imdb_files.read(found)) == EXPECTED
    assert capsys.readouterr().out == ""


def test_a_folder_that_cannot_be_written(publisher, tmp_path):
    pack(publisher)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^no IMDB reviews in .*file, and their download failed"):
        imdb_files.download(tmp_path / "file")


def test_offline_fails_at_once_and_leaves_nothing(tmp_path, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/aclImdb_v1.tar.gz"
        monkeypatch.setattr(imdb_files, "ARCHIVE", url)
        started = time.monotonic()
        with pytest.raises(UserError) as caught:
            imdb_files.download(tmp_path / "data")
    assert time.monotonic() - started < 5
    message = str(caught.value)
    assert message.startswith(f"no IMDB reviews in {tmp_path / 'data'}, and no connection (")
    assert url in message
    assert "--data=sample" in message
    assert not (tmp_path / "data").exists()


def test_the_archives_address():
    assert imdb_files.ARCHIVE == "http://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
