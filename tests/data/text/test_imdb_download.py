"""seqjax.data.text.imdb_files: prepared by tensorflow-datasets from a publisher on this machine, or not at all."""

import functools
import http.server
import shutil
import socket
import sys
import threading
import time
import warnings

import pytest

from review_files import EXPECTED, cut, ordered, pack, prepare, tf, warned
from seqjax.data.text import imdb_files
from seqjax.errors import UserError

__all__ = ["tf", "warned"]


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
