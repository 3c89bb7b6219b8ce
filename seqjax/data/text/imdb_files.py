"""Find, download and read the files of the IMDB reviews. Only `download` and `read` import TensorFlow.

All readers give the same texts: tensorflow-datasets strips white space off both ends, so all do.
"""

import contextlib
import gzip
import hashlib
import os
import re
import sys
import tarfile
import urllib.request
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from absl import logging

from seqjax.data.pipeline import import_tensorflow
from seqjax.errors import UserError

ARCHIVE = "http://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
CLASSES = ("neg", "pos")
PUBLISHED = 12_500  # reviews of each class, for training and for testing
LEAST = 5  # of each class, or none would be left for validation

Examples = dict[str, list[tuple[int, str]]]
"""`train` and `test`: (label, text) of each review; label 1 is positive."""


def find(data_dir: Path) -> Path | None:
    """The reviews in a folder, or None.

    Returns:
      The first that exists of: the newest version below `imdb_reviews/plain_text` or
      `tensorflow_datasets/imdb_reviews/plain_text`, `aclImdb`, `aclImdb_v1.tar.gz`.
    """
    for folder in (data_dir / "imdb_reviews", data_dir / "tensorflow_datasets" / "imdb_reviews"):
        versions = [info.parent for info in folder.glob("plain_text/*/dataset_info.json")]
        # An interrupted preparation leaves `incomplete.XXXXXX_1.0.0`, which is no version.
        versions = [path for path in versions if re.fullmatch(r"\d+\.\d+\.\d+", path.name)]
        if versions:
            return max(versions, key=lambda path: [int(number) for number in path.name.split(".")])
    published = (data_dir / "aclImdb", data_dir / "aclImdb_v1.tar.gz")
    return next((path for path in published if path.exists()), None)


def content(found: Path) -> str:
    """sha256 (hex) of all the files behind a result of `find`: 0.1 s, or 2 s for the 50,000 of `aclImdb`."""
    if found.is_file():
        files: Iterable[Path] = [found]
    elif found.name == "aclImdb":
        files = [path for _, _, path in _texts(found)]
    else:
        files = [path for path in found.iterdir() if path.is_file()]
    digest = hashlib.sha256()
    try:
        for path in sorted(files):
            with path.open("rb") as stream:
                digest.update(f"{path.relative_to(found)}\n".encode())
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    return digest.hexdigest()


def read(found: Path) -> Examples:
    """Every review behind a result of `find`, in no particular order.

    Raises:
      UserError: damaged or incomplete; or TensorFlow is needed and not installed.
    """
    reader = _archive if found.is_file() else _folder if found.name == "aclImdb" else _prepared
    examples: Examples = {"train": [], "test": []}
    try:
        for split, label, name, text in reader(found):
            examples[split].append((label, _decoded(text, name)))
    except UserError:
        raise
    except Exception as error:  # what tensorflow-datasets raises for damaged files is nowhere promised
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(
            f"{found} is damaged ({reason}): give a whole copy, or another --data_dir, where it is downloaded"
        ) from error
    counts = Counter((split, label) for split, reviews in examples.items() for label, _ in reviews)
    counted = {f"{split}/{CLASSES[k]}": counts[split, k] for split in examples for k in range(len(CLASSES))}
    listed = ", ".join(f"{number:,} in {name}" for name, number in counted.items())
    if min(counted.values()) < LEAST:
        raise UserError(f"{found} is incomplete: reviews: {listed}")
    if set(counted.values()) != {PUBLISHED}:
        logging.warning("%s: published are %s reviews each, but here are %s", found, f"{PUBLISHED:,}", listed)
    return examples


def _decoded(text: bytes, name: str) -> str:
    """A review without white space at its ends. Raises UserError: it is not UTF-8."""
    try:
        return text.strip().decode()
    except UnicodeDecodeError:
        place = _first_bad_byte(text)
        raise UserError(
            f"{name}: byte 0x{text[place]:02x} at {place} is not UTF-8, as the published reviews are; convert a copy "
            "of it (iconv -f LATIN1 -t UTF-8 for Latin-1), or give another --data_dir"
        ) from None


def _first_bad_byte(text: bytes) -> int:
    """Its place, counted from 0."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _prepared(folder: Path) -> Iterator[tuple[str, int, str, bytes]]:
    """From a version's folder of tensorflow-datasets; TensorFlow compares the checksums of its records."""
    tfds = _tensorflow_datasets()
    builder = tfds.builder_from_directory(folder)
    for split in ("train", "test"):
        count = 0
        for batch in builder.as_dataset(split=split, batch_size=1000).as_numpy_iterator():
            count += len(batch["label"])
            for label, text in zip(batch["label"], batch["text"], strict=True):
                yield split, int(label), f"{folder}, a review for {split}", text
        if count != builder.info.splits[split].num_examples:  # cut off between two records
            raise ValueError(f"{count} of {builder.info.splits[split].num_examples} reviews for {split}")


def _texts(folder: Path) -> Iterator[tuple[str, int, Path]]:
    for split in ("train", "test"):
        for label, name in enumerate(CLASSES):
            yield from ((split, label, path) for path in (folder / split / name).glob("*.txt"))


def _folder(folder: Path) -> Iterator[tuple[str, int, str, bytes]]:
    yield from ((split, label, str(path), path.read_bytes()) for split, label, path in _texts(folder))


def _archive(path: Path) -> Iterator[tuple[str, int, str, bytes]]:
    with gzip.open(path) as whole, tarfile.open(fileobj=whole, mode="r|") as archive:
        for member in archive:
            place = re.fullmatch(r"(?:\./)?aclImdb/(train|test)/(neg|pos)/[^/]+\.txt", member.name)
            stream = archive.extractfile(member) if place else None
            if place and stream:
                yield place[1], CLASSES.index(place[2]), f"{path}, {member.name}", stream.read()
        while whole.read(1 << 20):  # the checksum, behind the last file, is compared on reaching the end
            pass


def download(data_dir: Path) -> Path:
    """Let tensorflow-datasets download and prepare the reviews below `data_dir/tensorflow_datasets`.

    Returns:
      What `find` finds then.

    Raises:
      UserError: the publisher cannot be reached, the download fails, or the folder cannot be written.
    """
    missing = f"no IMDB reviews in {data_dir}"
    advice = f"download {ARCHIVE} by hand and put it into {data_dir}, or use --data=sample"
    try:
        urllib.request.urlopen(ARCHIVE, timeout=10).close()  # tensorflow-datasets would retry for minutes
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UserError(f"{missing}, and no connection ({reason}): {advice}") from error
    tfds = _tensorflow_datasets()
    try:
        builder = tfds.builder("imdb_reviews/plain_text", data_dir=data_dir / "tensorflow_datasets")
        with contextlib.redirect_stdout(sys.stderr):  # our own standard output is for results
            builder.download_and_prepare()
    except Exception as error:  # network, disk, checksum: each of its many parts has its own
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"{missing}, and their download failed ({reason}): {advice}") from error
    found = find(data_dir)
    if found is None:
        raise UserError(f"{missing}, though tensorflow-datasets has prepared them: {advice}")
    return found


def _tensorflow_datasets() -> ModuleType:
    """Import it quietly, with TensorFlow kept off the accelerators, whose memory it would take."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside other people's packages
            tf = import_tensorflow()
            import tensorflow_datasets as tfds
    except ImportError as error:
        raise UserError(
            f"the IMDB reviews need {error.name}, which is not installed: install it, or put the publisher's "
            f"archive ({ARCHIVE}) into the data folder, or use --data=sample"
        ) from error
    try:
        tf.config.set_visible_devices([], "GPU")
        tf.config.set_visible_devices([], "TPU")
    except RuntimeError:  # already in use by the program around us, and past hiding
        logging.warning("TensorFlow had started before its devices could be hidden")
    return tfds
