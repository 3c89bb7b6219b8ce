"""Reviews as tensorflow-datasets, the publisher's folder and the publisher's archive hold them."""

import json
import shutil
import tarfile
import warnings

import pytest
from absl import logging

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


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])
