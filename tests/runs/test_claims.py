"""Claims on a folder: one of many gets each, the living keep theirs, the dead lose theirs, whatever clocks say."""

import errno
import os
import random
import threading

import pytest

from seqjax.runs.claims import Claims, create_once

LEASE = 60.0


class Hand:
    """A clock that the test sets; `offset`: workers' clocks have nothing in common."""

    def __init__(self, offset=0.0):
        self.now, self.offset = 0.0, offset

    def __call__(self):
        return self.now + self.offset


@pytest.fixture
def hand():
    return Hand()


def worker(folder, name, hand, offset=0.0):
    return Claims(folder, name, LEASE, lambda: hand() + offset)


def test_one_gets_it_and_keeps_it_while_it_beats(tmp_path, hand):
    a, b = worker(tmp_path, "a", hand), worker(tmp_path, "b", hand, 1e6)
    claim = a.take("seed_0")
    assert claim is not None
    assert b.holder("seed_0") == "a"
    for _ in range(20):
        hand.now += LEASE / 2
        assert b.take("seed_0") is None
        assert a.beat(claim)
    assert b.take("seed_1") is not None


def test_what_is_released_is_free_at_once(tmp_path, hand):
    a, b = worker(tmp_path, "a", hand), worker(tmp_path, "b", hand)
    claim = a.take("seed_0")
    a.release(claim)
    assert b.holder("seed_0") == ""
    assert b.take("seed_0") is not None
    assert not a.beat(claim)
    assert a.take("seed_0") is None


@pytest.mark.parametrize("offset", [-1e9, -3600.0, 0.0, 86_400.0])
def test_a_dead_workers_claim_is_taken_over_after_the_lease(tmp_path, hand, offset):
    a, b = worker(tmp_path, "a", hand), worker(tmp_path, "b", hand, offset)
    claim = a.take("seed_0")
    hand.now += 10 * LEASE  # b looks for the first time: how long the beat is old, no clock tells
    assert b.take("seed_0") is None
    hand.now += LEASE
    assert b.take("seed_0") is None
    hand.now += 0.1
    taken = b.take("seed_0")
    assert taken is not None
    assert not a.is_held(claim)
    assert not a.beat(claim)
    a.release(claim)  # changes nothing
    assert b.is_held(taken)
    assert b.holder("seed_0") == "b"


def test_a_worker_that_slept_trusts_itself_for_less_long_than_others_wait(tmp_path, hand):
    a, b = worker(tmp_path, "a", hand), worker(tmp_path, "b", hand)
    claim = a.take("seed_0")
    assert b.take("seed_0") is None
    hand.now += LEASE
    assert not a.is_held(claim)  # nobody has taken it over, and a stops all the same
    assert b.take("seed_0") is None
    assert not a.beat(claim)


def test_of_two_who_take_over_one_does(tmp_path, hand):
    a = worker(tmp_path, "a", hand)
    a.take("seed_0")
    others = [worker(tmp_path, f"w{number}", hand) for number in range(8)]
    assert not any(other.take("seed_0") for other in others)
    hand.now += LEASE + 1
    found, start = [], threading.Barrier(len(others))

    def take(other):
        start.wait()
        found.append(other.take("seed_0"))

    threads = [threading.Thread(target=take, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(claim is not None for claim in found) == 1


def test_a_claim_that_was_half_written_is_taken_over_too(tmp_path, hand):
    for number, text in enumerate(["", "{", "[1]", "null", '{"released"']):
        (tmp_path / f"seed_{number}.1").write_text(text)
        b = worker(tmp_path, "b", hand)
        assert b.take(f"seed_{number}") is None
        assert b.holder(f"seed_{number}") == "somebody"
        hand.now += LEASE + 1
        assert b.take(f"seed_{number}") is not None


def test_names_with_slashes_stay_in_the_folder(tmp_path, hand):
    folder = tmp_path / "claims"
    a = worker(folder, "a", hand)
    assert a.take("file=../../x/seed_0") is not None
    assert a.take("../y") is not None
    assert {path.parent for path in tmp_path.rglob("*.1")} == {folder}


def test_where_there_are_no_links_a_file_is_made_all_the_same(tmp_path, monkeypatch):
    def no_link(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_link)
    assert create_once(tmp_path / "x", "first", "a")
    assert not create_once(tmp_path / "x", "second", "b")
    assert (tmp_path / "x").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_link_whose_answer_was_lost_counts(tmp_path, monkeypatch):
    real = os.link

    def twice(source, target):
        real(source, target)
        raise FileExistsError(errno.EEXIST, "as NFS says of its second try")

    monkeypatch.setattr(os, "link", twice)
    assert create_once(tmp_path / "x", "mine", "a")
    monkeypatch.setattr(os, "link", real)
    assert not create_once(tmp_path / "x", "other", "b")


def test_whatever_workers_do_nobody_holds_what_another_holds(tmp_path, hand):
    """A thousand steps of four workers that beat, sleep, die and come back; each clock has an offset of its own."""
    draw = random.Random(0)
    workers = {name: worker(tmp_path, name, hand, draw.uniform(-1e6, 1e6)) for name in "abcd"}
    held, holders = {}, 0
    for step in range(1000):
        name = draw.choice("abcd")
        hand.now += draw.choice([0.1, 1.0, 5.0, LEASE / 2 if step % 7 else 2 * LEASE])
        claims = workers[name]
        mine = held.get(name)
        if mine is None:
            held[name] = claims.take("seed_0")
        elif draw.random() < 0.1:
            workers[name], held[name] = worker(tmp_path, name + str(step), hand, draw.uniform(-1e6, 1e6)), None
        elif draw.random() < 0.1:
            claims.release(mine)
            held[name] = None
        elif not claims.beat(mine):
            held[name] = None
        living = [name for name, claim in held.items() if claim is not None and workers[name].is_held(claim)]
        assert len(living) <= 1
        holders += len(living)
    assert holders > 200
