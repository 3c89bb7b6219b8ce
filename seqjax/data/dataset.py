"""What every data source returns: arrays that stay on the device, and a pure gather from them.

An example is an integer id; a batch is a vector of ids. The arrays go to the device once, and the jitted step
gathers its batch from them, so that windows are never materialised and almost nothing crosses to the device.

Legend: B batch, N rows of the arrays.
"""

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TextIO

import numpy as np

Arrays = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Examples with targets, in three parts."""

    arrays: Mapping[str, np.ndarray]
    """Shared by all the parts, each [N, ...]."""
    gather: Callable[[Arrays, Any], tuple[Any, Any]]
    """(arrays, ids [B]) -> (inputs [B, ...], targets [B]). Plain indexing: traced by jit, and the same on NumPy."""
    parts: Mapping[str, np.ndarray]
    """`train`, `validation` and `test`: the example ids of each, int32."""
    description: str
    """One line for people: what the data are, and of what size."""
    fingerprint: str
    """sha256 (hex) of content and options: two runs with the same fingerprint saw the same examples."""
    assets: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """File name -> text: all that `Source.requests` needs later, written into the workdir."""
    optimum: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Generated data only: name -> the best score that any model can expect on the test part."""
    baselines: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    """Name -> part -> metric -> score of what needs no model (`naive`, ...), on the same examples."""
    initial: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    """Path of a parameter ("Embedding_0/embedding") -> what it starts from, instead of the model's own initial values.
    The fingerprint includes them."""
    lengths: np.ndarray | None = None
    """[examples] int32, by id: to how many steps on axis 1 inputs and targets may be cut without changing a score,
    in few different values (`seqjax.data.lengths`). Batches then hold examples of like length and are cut: every leaf
    of inputs and targets that has two axes or more. None: whole."""
    ordered: bool = False
    """Training takes its batches in the order of `parts`: row b of each goes on where row b of the one before ended, so
    that a model can hand its state on."""
    knobs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Values of the experiment's knobs that only the data can tell, such as the number of classes; a knob that is None
    takes them."""
    classes: tuple[str, ...] = ()
    """Names of the classes that targets number from 0, if they do."""
    kept: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What scores need to know of the examples, in float64 and in the targets' own units: it stays on the host."""

    def cut(self, length: int | None) -> Callable[[Arrays, Any], tuple[Any, Any]]:
        """`gather` with whatever has steps, in inputs and targets, cut to `length` of them; None: whole."""
        return cut(self.gather, length)

    def example(self) -> Any:
        """Inputs of one example, [1, ...], for the shapes."""
        return self.gather(self.arrays, self.parts["train"][:1])[0]

    def target(self) -> Any:
        """Targets of that example."""
        return self.gather(self.arrays, self.parts["train"][:1])[1]


@dataclasses.dataclass(frozen=True)
class Answers:
    """The answers to all examples of a part, for scores that are no means over examples."""

    outputs: Any
    """A tree of NumPy arrays [N, ...]: what `Experiment.answer` gives. Where batches are cut to their lengths, padded
    with zeros along axis 1 to the longest."""
    targets: Any
    """A tree of NumPy arrays [N, ...], padded likewise."""
    ids: np.ndarray
    """[N], ascending."""
    dataset: Dataset


@dataclasses.dataclass(frozen=True)
class Requests:
    """Examples without targets, for predict."""

    arrays: Mapping[str, np.ndarray]
    gather: Callable[[Arrays, Any], Any]
    """(arrays, ids [B]) -> inputs [B, ...]: the inputs that `Dataset.gather` would give."""
    ids: np.ndarray
    line: Callable[[int, Any], str]
    """(position in `ids`, the model's output for it) -> the line to print."""
    header: str | None = None
    alignment: Callable[[int, Any], tuple[list[str], list[str], Any]] | None = None
    """Of translators: (position, output) -> tokens of the source [S] and of the translation [T], weights [T, S]."""
    lengths: np.ndarray | None = None
    """As in `Dataset`: a batch, in the order of `ids`, is cut to what its longest example needs."""


def cut(gather: Callable[[Arrays, Any], Any], length: int | None) -> Callable[[Arrays, Any], Any]:
    """What is gathered, every leaf of two axes or more cut to `length` steps along axis 1; None: whole."""
    if length is None:
        return gather
    import jax  # not for those who only read data

    shorten = lambda leaf: leaf[:, :length] if leaf.ndim > 1 else leaf
    return lambda arrays, ids: jax.tree.map(shorten, gather(arrays, ids))


class Source(Protocol):
    """A frozen dataclass of options that knows how to load its data."""

    def load(self, data: str, data_dir: Path) -> Dataset:
        """Read the `real` data below `data_dir` (or download them there), or generate the `sample`.

        Raises:
          UserError: files missing, damaged or malformed, or options that do not fit the data.
        """
        ...

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """Read the user's own examples from `text` (called `name` in messages).

        Args:
          assets: the folder that holds the files of `Dataset.assets`.

        Raises:
          UserError: malformed input, with its line and column.
        """
        ...


class Step(NamedTuple):
    """One step of a stream."""

    inputs: Any
    """A tree of arrays without axes of batch and time: what the model reads at this step, or a whole window."""
    note: Any = None
    """What `Stream.line` wants to know besides the model's output."""
    key: Hashable = ""
    """Steps of one key are a sequence of its own (a visitor's clicks, say); it is text or a number."""


class Stream(Protocol):
    """A user's stream: its bytes become steps, and a model's outputs lines. What `Source.stream` gives, if it has one.

    It is fed in pieces of any length, and what it gives does not depend on where these end.
    """

    carried: bool
    """The model's method `run` (inputs [1, 1, ...], state) -> (outputs [1, 1, ...], state) answers a step, and its
    state is handed on, from zeros; otherwise each step is an example by itself, such as the window that ends there."""
    example: Any
    """Inputs of a step, for the shapes."""
    header: str
    """The first line, or nothing."""

    def read(self, data: bytes) -> Iterable[Step]:
        """The steps that are complete with these bytes, one by one; a step that is given out is part of `state`.

        Raises:
          UserError: malformed input, with its row; the steps before it have been given.
        """
        ...

    def end(self) -> Iterable[Step]:
        """The steps that are complete because nothing follows. Raises as `read`."""
        ...

    def line(self, step: Step, output: Any) -> str | None:
        """What to print of the output, a tree of NumPy arrays [...]; None: nothing. Called for every step, in order."""
        ...

    def state(self) -> dict[str, Any]:
        """All that reading and printing remember, as JSON takes it."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave. Raises LookupError, TypeError or ValueError: it did not give this."""
        ...
