"""The generated requests: the optimum that the result line prints must be the true one."""

from collections import defaultdict

import numpy as np
import pytest

from seqjax.data.text import sample_requests, slots
from seqjax.data.text.sample_requests import requests


@pytest.fixture(scope="module")
def made():
    return requests()


def readings(some):
    """The different taggings of every sentence."""
    found = defaultdict(set)
    for request in some:
        found[request.words].add(request.tags)
    return found


def test_only_bare_requests_can_be_read_in_two_ways(made):
    several = {words: found for words, found in readings(made.train + made.test).items() if len(found) > 1}
    for words, found in several.items():
        assert len(found) == 2, words
        first, second = (tuple(tag.replace("fromloc", "toloc") for tag in tags) for tags in found)
        assert first == second, words
    tests = readings(made.test)
    assert sum(len(found) for found in tests.values() if len(found) > 1) >= 50


def test_the_optimum_is_that_of_whoever_knows_every_sentence(made):
    """The best answers to the test part itself: of twins one, of the others their only tagging."""
    known = {words: min(found) for words, found in readings(made.test).items()}
    true, best = [r.tags for r in made.test], [known[r.words] for r in made.test]
    assert slots.f1(true, best) == pytest.approx(made.optimum["slot_f1"], abs=1e-12)
    equal = [a == b for pair in zip(true, best, strict=True) for a, b in zip(*pair, strict=True)]
    assert np.mean(equal) == pytest.approx(made.optimum["token_accuracy"], abs=1e-12)
    assert 0.97 < made.optimum["slot_f1"] < 0.99


def test_to_leave_the_doubtful_out_is_no_better(made):
    known = {words: min(found) for words, found in readings(made.test).items() if len(found) == 1}
    true = [r.tags for r in made.test]
    silent = [known.get(r.words, ["O"] * len(r.words)) for r in made.test]
    assert slots.f1(true, silent) < made.optimum["slot_f1"]


def test_a_word_alone_does_not_tell_its_slot(made):
    names = defaultdict(set)
    for request in made.train:
        for word, tag in zip(request.words, request.tags, strict=True):
            names[word].add(tag[2:])
    assert names["boston"] >= {"fromloc.city_name", "toloc.city_name", "stoploc.city_name"}
    assert names["monday"] >= {"depart_date.day_name", "arrive_date.day_name"}


def test_the_same_seed_gives_the_same_requests(made):
    assert requests() == made
    assert requests(1) != made
    assert (len(made.train), len(made.test)) == (sample_requests.TRAIN, sample_requests.TEST)
    assert {word for r in made.test for word in r.words if not word.isdigit()} <= {
        w for r in made.train for w in r.words
    }
