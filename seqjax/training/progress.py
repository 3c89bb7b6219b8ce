"""Progress of a run: a bar on a terminal, plain lines otherwise, and a line per epoch in both."""

import sys
import time
from collections.abc import Mapping

from tqdm import tqdm

from seqjax import peers

LINE_SECONDS = 30.0
"""Without a terminal: the longest silence within an epoch."""


def scores(values: Mapping[str, float]) -> str:
    """`loss 0.312  accuracy 0.874`."""
    return "  ".join(f"{name} {value:.4g}" for name, value in values.items())


class Progress:
    """Counts training examples of the whole run; shows loss, metric, examples/s and the time left."""

    def __init__(self, examples: int, done: int):
        """Args: examples: of the whole run. done: those of an earlier process that this one resumes."""
        self._said_at = time.monotonic()
        self._bar = tqdm(
            total=examples,
            initial=done,
            unit=" examples",
            unit_scale=True,
            dynamic_ncols=True,
            mininterval=0.5,
            disable=not (peers.is_first() and sys.stderr.isatty()),
            leave=False,
        )

    def update(self, examples: int, title: str, values: Mapping[str, float]) -> None:
        """`examples` of the run are done; `title` and the newest values stand beside the bar."""
        if not self._bar.disable:
            self._bar.set_description_str(title, refresh=False)
            self._bar.set_postfix_str(scores(values), refresh=False)
            self._bar.update(examples - self._bar.n)
        elif time.monotonic() - self._said_at > LINE_SECONDS:
            self.line(f"{title}  {examples:,} of {self._bar.total:,} examples  {scores(values)}")

    def line(self, text: str) -> None:
        """Print a line above the bar."""
        self._said_at = time.monotonic()
        self._bar.write(text, file=sys.stdout)
        sys.stdout.flush()

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()


class Silent:
    """What stands for a `Progress` where nothing is to be said."""

    def __init__(self, examples: int, done: int):
        """As `Progress`."""

    def update(self, examples: int, title: str, values: Mapping[str, float]) -> None:
        """As `Progress.update`."""

    def line(self, text: str) -> None:
        """As `Progress.line`."""

    def close(self) -> None:
        """As `Progress.close`."""
