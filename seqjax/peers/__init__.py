"""Several processes, one run: which of them this is, and how they wait for and agree with one another.

Without `seqjax.peers.start` there is one process, and everything here answers at once, without JAX. JAX's own
coordination service carries the rest: keys and values, and barriers with a limit.
"""

import dataclasses
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from seqjax.errors import RunStoppedError, UserError

SECONDS = 300.0
"""That processes wait for one another, if nobody says otherwise."""


@dataclasses.dataclass(frozen=True)
class Here:
    """This process among those of the run."""

    index: int = 0
    count: int = 1
    seconds: float = SECONDS
    """That it waits for the others at a place where all meet."""
    address: str = ""
    """HOST:PORT of process 0's coordination service."""


_here = Here()
_meetings = itertools.count()


def here() -> Here:
    """This process."""
    return _here


def settle(found: Here) -> None:
    """This process is `found` from now on."""
    global _here
    _here = found


def count() -> int:
    """Processes of this run."""
    return _here.count


def is_first() -> bool:
    """Whether this process is the one that writes the run's folder and speaks for all."""
    return _here.index == 0


def client() -> Any:
    """JAX's client of the coordination service, for which it has no public name (orbax takes it from there too)."""
    from jax._src import distributed

    return distributed.global_state.client


def named(processes: Sequence[int]) -> str:
    """`process 1`, `processes 1, 3`."""
    numbers = ", ".join(map(str, processes[:8])) + (", ..." if len(processes) > 8 else "")
    return f"process{'' if len(processes) == 1 else 'es'} {numbers}"


def meet(place: str) -> None:
    """Wait until all processes have come here.

    Args:
      place: for the message: what they are about to do.

    Raises:
      RunStoppedError: some have not come within `Here.seconds`; the message names them.
    """
    if _here.count == 1:
        return
    key = f"{next(_meetings)} {place}"
    client().key_value_set(f"seqjax/at/{key}/{_here.index}", "here")
    try:
        client().wait_at_barrier(f"seqjax/{key}", int(_here.seconds * 1000))
    except Exception as error:  # JaxRuntimeError, whatever the reason: the list says who is missing
        missing = sorted(set(range(_here.count)) - _told(f"seqjax/at/{key}/").keys())
        if not missing:
            raise
        raise RunStoppedError(
            f"{named(missing)} of {_here.count} did not come within {_here.seconds:g} s to {place}; "
            "the same command resumes"
        ) from error


def agree(place: str, facts: Mapping[str, str]) -> None:
    """Wait for all processes, and compare what each says of itself.

    Args:
      place: as for `meet`.
      facts: what is to be the same everywhere, under names for people.

    Raises:
      UserError: something differs; the message names the process and the first thing.
      RunStoppedError: as `meet`.
    """
    if _here.count == 1:
        return
    folder = f"seqjax/facts/{place}/"
    client().key_value_set(f"{folder}{_here.index}", json.dumps(facts))
    meet(place)
    compare({index: json.loads(text) for index, text in _told(folder).items()})
    meet(f"{place} (agreed)")


def compare(said: Mapping[int, Mapping[str, str]]) -> None:
    """Compare the facts of each process with those of the first. Raises UserError: as `agree`."""
    for index, facts in sorted(said.items()):
        for name in {**said[0], **facts}:
            first, own = (mine.get(name, "nothing") for mine in (said[0], facts))
            if first != own:
                raise UserError(
                    f"process {index} differs from process 0 in {name}: {own:.200} there, {first:.200} here; all "
                    "processes of a run need the same command, program and data"
                )


def _told(folder: str) -> dict[int, str]:
    """Process -> value, of the keys `folder`N."""
    return {int(key.rpartition("/")[2]): value for key, value in client().key_value_dir_get(folder)}
