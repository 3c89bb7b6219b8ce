"""Knobs of an experiment moved one at a time, several seeds each: which of them matters more than the seed?

Every value is a set of runs as --seeds and --sweep make it (`seqjax.runs.members`), in OUTPUT/KNOB/KNOB=VALUE/seed_N,
beside those of the experiment as it stands in OUTPUT/base/seed_N. What has diverged or failed counts as that.

An effect is the mean difference to the base, seed by seed, with Student's 95 % interval. The spread is one deviation
between seeds, of the base and of all values together. An effect is

    more than the seed    the interval is without 0, and the effect larger than the spread
    less than the seed    the whole interval lies within one spread of 0
    undecided             neither: more seeds tell
"""

import dataclasses
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import numpy as np

from seqjax import experiment as experiments
from seqjax.errors import RunStoppedError, UserError
from seqjax.runs import commands, members, statistics
from seqjax.runs.lines import quoted
from seqjax.runs.members import Member
from seqjax.training.workdir import Workdir

LECTURE = (
    "units=4,8,32",
    "layers=2",
    "dropout=0.2,0.5",
    "recurrent_dropout=0.25",
    "dense_layers=1,2",
    "sequence_length=48,240",
    "optimizer=adam,sgd",
    "learning_rate=0.0003,0.003",
)
"""What the lecture lists, around jena_recurrent as it stands."""
MORE, LESS, UNDECIDED, FAILED = "more than the seed", "less than the seed", "undecided", "no run finished"
REMEDIES = (
    "activation=relu,softsign",
    "initializer=flax,torch",
    "clip_norm=1",
    "clip_value=0.5",
    "batch_norm=true",
    "layer_norm=true",
    "optimizer=adam,sgd",
)
"""The lecture's remedies against vanishing and exploding gradients, around jena_recurrent; its gates are a `cell`."""
LISTS = {"lecture": LECTURE, "remedies": REMEDIES, "cells": ("cell=simple_rnn,gru,mingru,minlstm,lru",)}
Scores = Mapping[int, float]


@dataclasses.dataclass(frozen=True)
class Effect:
    """Of one value of a knob."""

    knob: str
    value: str
    scores: Mapping[str, Scores]
    """Part -> seed -> score, of the runs that finished."""
    difference: statistics.Difference | None
    """Of the validation score, to the base's; None where no run finished."""
    verdict: str


@dataclasses.dataclass(frozen=True)
class Effects:
    """What moving the knobs comes to."""

    metric: str
    base: Mapping[str, Scores]
    """As `Effect.scores`."""
    spread: float | None
    """A deviation between seeds, of the validation score; None for one seed."""
    each: Sequence[Effect]

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        effects = [dataclasses.asdict(effect) for effect in self.each]
        return {"metric": self.metric, "spread": self.spread, "base": self.base, "effects": effects}


@dataclasses.dataclass(frozen=True)
class MovedKnobs:
    """What is to be trained."""

    experiment: str
    options: Sequence[str]
    """`knob=value` each, of the base and of all others."""
    moves: Sequence[str]
    """`knob=value,value,...` each."""
    seeds: int
    output: Path
    data: str = "real"

    def plan(self) -> dict[str, list[Member]]:
        """The members of each folder, `base` first.

        Raises:
          UserError: an unknown knob, a wrong value, one that is the base's own, or a knob that is moved twice.
        """
        function = self._function()
        base = experiments.options(function, self.options)
        planned = {"base": members.plan(function, self.options, self.seeds, None)}
        for move in self.moves:
            knob = move.partition("=")[0]
            if knob in planned:
                raise UserError(f"--move={move}: {knob} is moved twice")
            planned[knob] = members.plan(function, self.options, self.seeds, move)
            for member in planned[knob]:
                if experiments.options(function, [*self.options, f"{knob}={member.value}"])[knob] == base[knob]:
                    raise UserError(f"--move={move}: {knob}={member.value} is the base's own value")
        return planned

    def check(self, data_dir: Path) -> None:
        """Build the model of every value, in a process of its own as `members.check` does.

        Raises:
          UserError: a value that the experiment, its data or its model refuses; nothing has been touched.
        """
        planned = [member for those in self.plan().values() for member in those]
        settings = {(member.knob, member.value): [*self.options, *member.settings] for member in planned}
        with futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            pool.submit(commands.check, self.experiment, list(settings.values()), self.data, data_dir).result()

    def train(self, run_in: Callable[[Path], Callable[[Sequence[Member]], Mapping[str, int]]]) -> None:
        """Train or resume all; run_in: a folder -> what trains the members in it, see `members.train`.

        Raises:
          UserError: a folder holds something else.
          RunStoppedError: a signal came; the same call resumes.
        """
        function, planned = self._function(), self.plan()
        for folder, those in planned.items():
            path = self.output / folder
            try:
                members.train(
                    self.experiment,
                    function,
                    Workdir(path),
                    those,
                    options=self.options,
                    data=self.data,
                    run=run_in(path),
                )
            except RunStoppedError as error:
                if error.exit_code != 1:  # a signal; with 1 some runs have failed, and the others are there
                    raise
                print(f"{folder}: {error}", flush=True)

    def effects(self) -> Effects:
        """What the finished runs say. Raises UserError: no run of the base has finished."""
        planned = self.plan()
        base, metric = self._scores("base", planned.pop("base"))
        if not base["validation"]:
            raise UserError(f"no run in {self.output / 'base'} has finished")
        found = {}
        for knob, those in planned.items():
            for value in dict.fromkeys(member.value for member in those):
                found[knob, str(value)] = self._scores(knob, [m for m in those if m.value == value])[0]
        spread = _spread([base["validation"], *(own["validation"] for own in found.values())])
        each = [_effect(knob, value, own, base["validation"], spread) for (knob, value), own in found.items()]
        return Effects(metric, base, spread, each)

    def _function(self) -> Any:
        return experiments.load(experiments.find(self.experiment))

    def _scores(self, folder: str, those: Sequence[Member]) -> tuple[dict[str, dict[int, float]], str]:
        """Of the runs that finished, with the metric's name. Raises UserError: one is of other options."""
        found: dict[str, dict[int, float]] = {"validation": {}, "test": {}}
        metric, function = "", self._function()
        asked = {"experiment": self.experiment, "data": self.data, "defaults": experiments.options(function, [])}
        for member in those:
            workdir = Workdir(self.output / folder / member.folder)
            workdir.check({**asked, "options": experiments.options(function, [*self.options, *member.settings])})
            results = workdir.results()
            if results is not None:
                metric = quoted(results)
                for part in found:
                    found[part][member.seed] = float(results[part][metric])
        return found, metric


def _spread(groups: Sequence[Scores]) -> float | None:
    """One deviation within groups, of all together."""
    several = [np.array(list(group.values())) for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in several)
    return float(np.sqrt(sum(((g - g.mean()) ** 2).sum() for g in several) / freedom)) if freedom else None


def _effect(knob: str, value: str, scores: Mapping[str, Scores], base: Scores, spread: float | None) -> Effect:
    own = scores["validation"]
    if not own:
        return Effect(knob, value, scores, None, FAILED)
    found = statistics.difference(own, base)
    verdict = UNDECIDED
    if found.low is not None and found.high is not None and spread is not None:
        if found.decided and abs(found.mean) > spread:
            verdict = MORE
        elif max(-found.low, found.high) <= spread:
            verdict = LESS
    return Effect(knob, value, scores, found, verdict)
