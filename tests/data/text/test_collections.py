"""seqjax.data.text.trec and sms_spam: files of the publishers' form; whole ones where they are at hand."""

import gzip
import io
import zipfile

import numpy as np
import pytest

from file_server import server
from places import DATA
from seqjax import folders
from seqjax.data.text import sms_spam, trec
from seqjax.data.text.labelled import LabelledTexts
from seqjax.data.text.sms_spam import SmsMessages
from seqjax.data.text.trec import TrecQuestions
from seqjax.errors import UserError

__all__ = ["server"]

QUESTIONS = "DESC:manner How did {k} develop ?\nENTY:animal What {k} is a sister\xadcity ?\n"
MESSAGES = 'ham\tOk "lar{k}... x\nspam\tWIN {k}0 pounds! Call 0{k}: prize {k}\n'


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setattr(folders, "cache_dir", lambda: tmp_path / "seqjax")


def words(count, form):
    return "".join(form.replace("{k}", chr(97 + k) * 3) for k in range(count))


@pytest.mark.parametrize(
    ("train", "test"), [("train_5500.label", "TREC_10.label"), ("TREC.train.gz", "trec/TREC.test")]
)
def test_questions_are_found_under_every_name(tmp_path, train, test):
    (tmp_path / "trec").mkdir()
    for name, count in ((train, 5), (test, 3)):
        content = words(count, QUESTIONS).encode("latin-1")
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    found, _ = TrecQuestions().examples(tmp_path)
    assert list(found.labels) == ["DESC", "ENTY"] * 8
    assert list(found.parts) == ["train"] * 10 + ["test"] * 6
    assert found.texts[1] == "What aaa is a sister\xadcity ?"
    assert set(TrecQuestions("fine").examples(tmp_path)[0].labels) == {"DESC:manner", "ENTY:animal"}


def test_lines_that_are_no_questions_are_refused(tmp_path):
    (tmp_path / "TREC.train").write_text("DESC:manner How ?\nWhat is this ?\n")
    with pytest.raises(UserError, match=r"TREC\.train: row 2: 'What is this \?' is not `COARSE:fine question`"):
        TrecQuestions().examples(tmp_path)
    (tmp_path / "TREC.train").write_text("\n")
    with pytest.raises(UserError, match=r"TREC\.train: the file is empty"):
        TrecQuestions().examples(tmp_path)
    with pytest.raises(UserError, match="labels='both': choose 'coarse' or 'fine'"):
        TrecQuestions("both")


def test_questions_are_downloaded(server, tmp_path, monkeypatch):
    monkeypatch.setattr(trec, "ADDRESS", server.url("QC"))
    server.content = words(5, QUESTIONS).encode("latin-1")
    found, _ = TrecQuestions().examples(tmp_path)
    assert [path for path, _ in server.requests] == ["/QC/train_5500.label", "/QC/TREC_10.label"]
    assert len(found.texts) == 20
    assert (tmp_path / "trec" / "TREC_10.label").read_bytes() == server.content
    (tmp_path / "trec" / "TREC_10.label").unlink()
    server.content = b"<html>moved</html>"
    with pytest.raises(UserError, match=r"cannot download TREC_10\.label .* no questions"):
        TrecQuestions().examples(tmp_path)


@pytest.mark.parametrize("name", ["SMSSpamCollection", "sms_spam/SMSSpamCollection.tsv.gz"])
def test_messages_keep_their_quotes_and_near_duplicates_together(tmp_path, name):
    content = (words(10, MESSAGES) + words(10, MESSAGES).replace("Call 0", "Call 07")).encode()
    (tmp_path / "sms_spam").mkdir()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    found, _ = SmsMessages().examples(tmp_path)
    assert found.texts[0] == 'Ok "laraaa... x'
    assert found.notes == ("10 messages repeat another to the letter and 10 nearly: all of a kind in one part",)
    dataset = LabelledTexts(SmsMessages()).load("real", tmp_path)
    assert dataset.classes == ("ham", "spam")
    tested = dataset.arrays["tokens"][dataset.parts["test"]]
    assert len(tested) == 8
    assert (tested == 1).any(axis=1).all()  # the word that a message shares with its twin is unknown: both are here
    assert "another part" not in dataset.description


def test_messages_are_downloaded(server, tmp_path, monkeypatch):
    monkeypatch.setattr(sms_spam, "ADDRESS", server.url("sms.zip"))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("readme", "read me")
        archive.writestr("SMSSpamCollection", words(5, MESSAGES))
    server.content = stream.getvalue()
    assert len(SmsMessages().examples(tmp_path)[0].texts) == 10
    assert len(SmsMessages().examples(tmp_path)[0].texts) == 10
    assert len(server.requests) == 1


def test_lines_that_are_no_messages_are_refused(tmp_path):
    (tmp_path / "SMSSpamCollection").write_text("ham\tHello\neggs\tHello\n")
    with pytest.raises(UserError, match=r"SMSSpamCollection: row 2: 'eggs\\tHello' is not `ham` or `spam`, a tab,"):
        SmsMessages().examples(tmp_path)


@pytest.mark.skipif(not (DATA / "trec").is_dir(), reason="no TREC here")
def test_the_published_counts():
    found, _ = TrecQuestions().examples(DATA)
    train = [label for label, part in zip(found.labels, found.parts or (), strict=True) if part == "train"]
    assert np.unique(train, return_counts=True)[1].tolist() == [86, 1162, 1250, 1223, 835, 896]
    assert len(found.labels) - len(train) == 500
    assert len(set(TrecQuestions("fine").examples(DATA)[0].labels)) == trec.CLASSES["fine"]
    messages = SmsMessages().examples(DATA)[0]
    assert (len(messages.labels), list(messages.labels).count("spam")) == (5574, 747)
