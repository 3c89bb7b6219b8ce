"""All processes of a run have to see one folder."""

import pytest

from seqjax import peers
from seqjax.runs import agreement
from seqjax.training.workdir import Workdir


@pytest.fixture
def two(monkeypatch):
    """The first of two processes; what it says of itself."""
    said = []
    monkeypatch.setattr(peers, "_here", peers.Here(0, 2, 0.5))
    monkeypatch.setattr(peers, "meet", lambda place: None)
    monkeypatch.setattr(peers, "agree", lambda place, facts: said.append(facts))
    return said


def test_the_first_leaves_a_word_and_the_others_read_it(two, monkeypatch, tmp_path):
    words = []
    monkeypatch.setattr(peers, "meet", lambda place: words.append((tmp_path / "meeting").read_text()))
    agreement.share(Workdir(tmp_path))
    assert [*two[0].values()] == words
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "meeting").write_text("as it came over NFS")
    monkeypatch.setattr(peers, "_here", peers.Here(1, 2, 0.5))
    agreement.share(Workdir(tmp_path))
    assert [*two[1].values()] == ["as it came over NFS"]
    assert (tmp_path / "meeting").exists(), "the first takes it away"


def test_who_sees_another_folder_has_nothing_to_say(two, monkeypatch, tmp_path):
    monkeypatch.setattr(peers, "_here", peers.Here(1, 2, 0.5))
    agreement.share(Workdir(tmp_path / "elsewhere"))
    assert [*two[0].values()] == ["nothing"]


def test_alone_nothing_is_written(tmp_path):
    agreement.share(Workdir(tmp_path))
    assert list(tmp_path.iterdir()) == []
