"""The lecture's measurements that are kept: each is still read by what made it, and says what is said of it."""

import json

import pytest

from places import ROOT
from seqjax.lecture import memorisation, memory, remedies, remedy_table
from seqjax.runs.moved_knobs import LISTS

KEPT = ROOT / "experiments" / "results" / "lecture"


def kept(name):
    return json.loads((KEPT / f"{name}.json").read_text())


def test_the_table_of_remedies_is_of_todays_rows():
    facts = kept("remedies")
    assert facts["rows"] == remedies.ROWS
    assert facts["common"] == remedies.COMMON
    solved = {row: all(run["solved"] for run in runs) for row, runs in facts["cells"]["adding_100"].items()}
    assert solved["gru"]
    assert solved["lru_relu"]
    assert not solved["tanh"]
    assert not solved["lru"], "it is linear: it cannot multiply"
    assert "| gru | 3/3* (0.29 to 1.00) | 400 +- 0 |" in remedy_table.markdown(facts)


def test_a_bag_of_words_does_not_change_when_words_are_shuffled_and_a_sequence_model_does():
    looks = {memory._label(facts): facts["looks"] for facts in kept("memory")}
    assert all(row["same"] for row in looks["imdb_unigram"]["shuffled"])
    first = looks["imdb_bilstm_masked"]["shuffled"][0]
    assert first["kept"] == 0
    assert first["change"] + first["half"] < 0 < first["moved"]


@pytest.mark.parametrize(("name", "moves"), [("cells", "cells"), ("jena_remedies", "remedies"), ("knobs", "lecture")])
def test_moved_knobs_are_those_of_the_list(name, moves):
    found = [(effect["knob"], effect["value"]) for effect in kept(name)["effects"]]
    assert found == [(m.split("=")[0], value) for m in LISTS[moves] for value in m.split("=")[1].split(",")]


def test_gaps_are_read():
    assert set(memorisation.gaps(kept("memorisation"))) == {"base", "fresh=true", "recurrent_dropout=0"}
