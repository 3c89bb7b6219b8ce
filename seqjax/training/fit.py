"""The training loop over epochs: progress, checkpoints, signals, the finished run's results.

    main -> fit -> train.Program.train -> train_step

A run asks for its computations one by one (`Training.work`) and does not care who answers: its own program, or one
that computes the same for other seeds in the same call (`seqjax.runs.together`).

Legend: S steps in an epoch.
"""

import time
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqjax import peers
from seqjax.data.dataset import Dataset
from seqjax.data.pipeline import Batches, steps_per_epoch
from seqjax.errors import RunStoppedError, UserError
from seqjax.experiment import Experiment
from seqjax.peers.watch import WATCH
from seqjax.training.best import best_epoch, is_enough
from seqjax.training.block_program import BlockProgram
from seqjax.training.checkpoint import Checkpoints
from seqjax.training.interrupt import Interrupt
from seqjax.training.program import Program, Settings
from seqjax.training.progress import Progress, scores
from seqjax.training.scores import add_scores
from seqjax.training.state import Tally, TrainState, count_parameters, float_means
from seqjax.training.votes import Votes
from seqjax.training.workdir import Row, Workdir, check_rows

Report = tuple[int, dict[str, jax.Array]]  # step, what the device says of it
Place = tuple[int, int]  # epochs finished, steps done


class Train(NamedTuple):
    """Wanted next: `Program.train`."""

    place: Place
    state: TrainState
    batch: Batches


class Evaluate(NamedTuple):
    """Wanted next: `Program.evaluate`."""

    place: Place
    params: Any
    part: str
    tally: Tally


class Answer(NamedTuple):
    """Wanted next: `Program.answers`."""

    place: Place
    params: Any
    part: str


Request = Train | Evaluate | Answer
Work = Generator[Request, Any, Row]


def fit(experiment: Experiment, dataset: Dataset, workdir: Workdir, settings: Settings) -> Row:
    """Train, or resume, in a claimed workdir, then test the best epoch; returns what results.json says of it.

    Raises:
      RunStoppedError: a signal came and the run was saved, or the loss became infinite or NaN and the last good
        checkpoint is kept.
      UserError: the workdir's checkpoints are damaged.
    """
    with Interrupt() as interrupt:
        kind = BlockProgram if settings.deterministic else Program
        training = Training(experiment, kind(experiment, dataset, settings), workdir, interrupt)
        try:
            with WATCH.guarded():  # an error in one process ends all: to close, they would wait for one another
                return training.run()
        finally:
            training.close()


@jax.jit
def _is_finite(state: TrainState) -> jax.Array:
    finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(state.params)]
    return jnp.all(jnp.asarray([*finite, state.bad_step == 0]))


class Training:
    """One run in one workdir."""

    def __init__(
        self,
        experiment: Experiment,
        program: Program,
        workdir: Workdir,
        interrupt: Interrupt,
        progress: Callable[[int, int], Any] = Progress,
    ):
        """Restores the newest checkpoint, or creates and saves the initial state.

        Args:
          experiment: the run's; its seed may be another than that of the program's.
          program: what computes.
          workdir: claimed.
          interrupt: asked after each dispatch whether to leave.
          progress: makes what the run reports to, a `Progress` or alike, from its examples in all and done.
        """
        self.experiment, self.program, self.workdir, self.interrupt = experiment, program, workdir, interrupt
        dataset = program.dataset
        self.shown = ("loss", *experiment.metrics)
        self.examples = len(dataset.parts["train"])
        self.epoch_steps = steps_per_epoch(self.examples, experiment.batch_size)
        self.latest = Checkpoints(workdir.path / "checkpoints" / "latest")
        self.best = Checkpoints(workdir.path / "checkpoints" / "best")
        initial = program.initial(experiment)
        step, self.state = self.latest.restore(initial) or (None, initial)
        self.rows = check_rows(workdir, workdir.keep_rows(int(self.state.epoch)))
        peers.agree("the first step", {"the checkpoint to resume from": f"{step}", "epochs": f"{len(self.rows)}"})
        self.votes = Votes()
        self.saved_at = time.monotonic()
        if step is None:
            self._save(0)
        self.progress = progress(self.examples * experiment.epochs, self._examples_in(step or 0))

    def run(self) -> Row:
        """All of it, answered by the run's own program; returns what results.json says of it."""
        work = self.work()
        answer: Any = None
        while True:
            try:
                request = work.send(answer)
            except StopIteration as finished:
                return finished.value
            if isinstance(request, Train):
                answer = self.program.train(request.state, request.batch)
            elif isinstance(request, Evaluate):
                answer = self.program.evaluate(request.params, request.part, request.tally)
            else:
                answer = self.program.answers(request.params, request.part)

    def work(self) -> Work:
        """Epochs until done, then the best one's test: yields what it wants computed, is sent the answers."""
        if step := int(self.state.step):
            self.progress.line(f"resuming at step {step} of {self.epoch_steps * self.experiment.epochs}")
        while (epoch := int(self.state.epoch)) < self.experiment.epochs and not is_enough(self.experiment, self.rows):
            started = time.monotonic()
            rate = yield from self._train_epoch(epoch)
            yield from self._finish_epoch(epoch, started, rate)
        return (yield from self._results())

    def close(self) -> None:
        """Finish writing checkpoints. Raises UserError: one cannot be written."""
        self.progress.close()
        try:
            self.latest.close()
        finally:
            self.best.close()

    def _train_epoch(self, epoch: int) -> Generator[Request, Any, float]:
        """The rest of an epoch; returns examples per second. The host never waits for the steps just dispatched."""
        start, stop = int(self.state.step), (epoch + 1) * self.epoch_steps
        title = f"epoch {epoch + 1}/{self.experiment.epochs}"
        began = time.monotonic()
        unread: Report | None = None
        for batch in self.program.batches("train", start, stop, self.experiment.seed):
            self.state, report = yield Train((epoch, batch.step), self.state, batch)
            step = batch.step + len(batch.ids)
            self._read(unread, title)  # of the dispatch before: the device is busy with this one
            unread = (step, report)
            if step < stop:
                self._pause(step)
        self._read(unread, title)
        return (self._examples_in(stop) - self._examples_in(start)) / max(time.monotonic() - began, 1e-9)

    def _pause(self, step: int) -> None:
        """Within an epoch: save if it is time, leave if a signal came; to any process."""
        due = time.monotonic() - self.saved_at >= self.program.settings.checkpoint_seconds
        asked = self.votes.lately(2 * (self.interrupt.signal or 0) + due)
        if asked:
            self._save(step)
        self._leave_if_asked(step, asked // 2)

    def _leave_if_asked(self, step: int, signal: int) -> None:
        if signal:
            self.latest.wait()
            raise self.interrupt.error(step, signal)

    def _save(self, step: int) -> None:
        if not _is_finite(self.state):
            raise self._not_finite(int(self.state.bad_step) or step)
        self.latest.save(step, self.state)
        self.saved_at = time.monotonic()

    def _read(self, report: Report | None, title: str) -> None:
        if report is None:
            return
        step, device_values = report
        values = jax.device_get(device_values)
        if bad_step := int(values.pop("bad_step")):
            raise self._not_finite(bad_step)
        self.progress.update(self._examples_in(step), title, {name: float(values[name]) for name in self.shown})

    def _not_finite(self, step: int) -> RunStoppedError:
        self.latest.wait()
        return RunStoppedError(
            f"the loss is not finite at step {step}; the last good checkpoint is that of step "
            f"{self.latest.steps()[0]} in {self.latest.folder}; try a lower learning rate"
        )

    def _finish_epoch(self, epoch: int, started: float, rate: float) -> Generator[Request, Any, None]:
        """Evaluate; write the row, then the best checkpoint, then the latest: each refers only to what is on disk."""
        step = (epoch + 1) * self.epoch_steps
        train = float_means(jax.device_get(self.state.sums))
        validation = yield Evaluate((epoch, step), self.state.params, "validation", self.state.tally())
        if not np.isfinite(validation["loss"]):
            raise self._not_finite(step)
        row = {"epoch": epoch + 1, "step": step, "train": train, "validation": validation}
        row |= {"seconds": round(time.monotonic() - started, 3), "examples_per_second": round(rate, 1)}
        self.workdir.append_row(row)
        self.rows.append(row)
        if best_epoch(self.rows) == epoch + 1:
            self.best.save(step, self.state.params)
            self.best.wait()
        sums = self.program.place(self.state.tally().sums)
        self.state = self.state.replace(epoch=self.state.epoch + 1, sums=sums)
        self._save(step)
        self.progress.line(
            f"epoch {epoch + 1}/{self.experiment.epochs}  {scores(train)}  validation {scores(validation)}  "
            f"{rate:,.0f} examples/s  {row['seconds']:.1f} s"
        )
        self._leave_if_asked(step, self.votes.now(self.interrupt.signal or 0))

    def _results(self) -> Work:
        """Restore the best epoch's parameters and test them. Without epochs these are the initial ones."""
        best = best_epoch(self.rows)
        if best == 0:
            self.best.save(0, self.state.params)
        self.best.wait()
        restored = self.best.restore(self.state.params, best * self.epoch_steps)
        if restored is None:
            raise UserError(
                f"no checkpoint in {self.best.folder} is left of epoch {best} or before: choose another --workdir"
            )
        step, params = restored
        tested = step // self.epoch_steps
        instead = {} if tested == best else {"instead_of_epoch": best}
        if instead:
            self.progress.line(
                f"the checkpoint of the best epoch, {best}, is damaged: tested is that of epoch {tested}"
            )
        place = (self.experiment.epochs, int(self.state.step))
        rates = [row["examples_per_second"] for row in self.rows]
        return {
            "parameters": count_parameters(params),
            "best_epoch": tested,
            **instead,
            **(yield from self._scores(place, params)),
            "seconds": round(sum(row["seconds"] for row in self.rows), 3),
            "examples_per_second": float(np.median(rates)) if rates else None,
        }

    def _scores(self, place: Place, params: Any) -> Generator[Request, Any, Row]:
        """Means and scores of the validation and the test part, and the scores' details."""
        found: Row = {}
        for part in ("validation", "test"):
            means = yield Evaluate(place, params, part, self.state.tally())
            answers = (yield Answer(place, params, part)) if self.experiment.scores else None
            add_scores(found, part, means, self.experiment, answers)
        return found

    def _examples_in(self, step: int) -> int:
        """Examples seen in the first `step` steps: the last batch of an epoch may be short."""
        epochs, steps = divmod(step, self.epoch_steps)
        return epochs * self.examples + min(steps * self.experiment.batch_size, self.examples)
