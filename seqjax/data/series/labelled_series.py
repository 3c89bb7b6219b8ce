"""A source of series that belong to one of two or more classes, of any length and any number of dimensions.

Legend: B batch, N series, L steps of the longest, D dimensions, K classes.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TextIO

import numpy as np

from seqjax.data.dataset import Dataset, Requests
from seqjax.data.lengths import group_lengths
from seqjax.data.series import class_baselines, missing_values, sample_series, series_requests
from seqjax.data.series.ragged import Ragged
from seqjax.data.series.series_arrays import Scale, arrays_of, labelled, weighted
from seqjax.data.series.series_files import SeriesForm
from seqjax.data.text import classes as labels_of
from seqjax.data.text import splits
from seqjax.errors import UserError, check_least

NORMALIZATIONS = ("training", "series", "none")


class Examples(NamedTuple):
    """What a collection holds."""

    train: Ragged
    test: Ragged | None
    """None: to be drawn from the former."""
    name: str
    optimum: Mapping[str, float] = {}
    """As `Dataset.optimum`."""


class Collection(Protocol):
    """A frozen dataclass of options that knows how to read labelled series."""

    @property
    def form(self) -> SeriesForm:
        """How more of them are read."""
        ...

    def examples(self, data_dir: Path) -> Examples:
        """-> the real ones. Raises UserError: missing, damaged or malformed."""
        ...


@dataclasses.dataclass(frozen=True)
class LabelledSeries:
    """A `Source`: inputs are values [B, L, D] float32 with zeros behind the end, and where they are real [B, L] bool;
    values alone where all series are equally long. Targets are the numbers of the classes: of two float32 0 or 1, for
    one logit; of more int32.

    Validation is drawn from the training file by seed, of each class one series in `share`; so is a test part where
    there is no file of it. Equal series go into one part. Series as ragged come in batches of like length.

    Raises:
      UserError: options that are unknown or out of range.
    """

    collection: Collection
    classes: int | None = None
    """K; None: as many as there are, which is told to the experiment (`Dataset.knobs`)."""
    normalize: str = "training"
    """`training`: each dimension by its mean and deviation over the training part. `series`: by its own over the
    series. `none`: as it is."""
    missing: str = "interpolate"
    """One of `missing_values.CHOICES`."""
    weighted: bool = False
    """Targets are pairs: the class [B], and its `classes.balanced` weight [B]."""
    split_seed: int = 0
    share: int = splits.FIFTH

    def __post_init__(self):
        for name, choices in (("normalize", NORMALIZATIONS), ("missing", missing_values.CHOICES)):
            if getattr(self, name) not in choices:
                raise UserError(f"{name}={getattr(self, name)!r}: choose {', '.join(choices)}")
        check_least("split_seed", self.split_seed, 0)
        check_least("share", self.share, 2)
        check_least("classes", self.classes or 2, 2)

    def load(self, data: str, data_dir: Path) -> Dataset:
        """See `Source.load`; the sample is `sample_series`."""
        if data == "sample":
            made = sample_series.series()
            optimum = {"accuracy": float(made.certainty.mean())}
            examples = Examples(made.train, made.test, "generated series", optimum)
        elif data == "real":
            examples = self.collection.examples(data_dir)
        else:
            raise UserError(f"data={data!r}: choose 'real' or 'sample'")
        series = _together(examples)
        assert series.labels is not None
        names = labels_of.ordered(series.labels)
        labels_of.check(names, self.classes, len(series.labels), examples.name)
        numbers = np.array([names.index(label) for label in series.labels], np.int32)
        test = None if examples.test is None else len(examples.train.values)
        parts, notes = self._parts(series, numbers, test, examples.name)
        _check_known(numbers, parts, names, examples.name)
        return self._dataset(series, numbers, names, parts, examples, [*series.notes, *notes])

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """See `Source.requests` and `series_requests`."""
        return series_requests.requests(assets, text, name)

    def _parts(
        self, series: Ragged, numbers: np.ndarray, test: int | None, name: str
    ) -> tuple[dict[str, np.ndarray], list[str]]:
        """-> (the ids of each part, notes). test: the first id of the test file."""
        keys: dict[bytes, int] = {}
        alike = np.array([keys.setdefault(own.tobytes(), len(keys)) for own in series.values])
        rng, ids = np.random.default_rng(self.split_seed), np.arange(len(numbers), dtype=np.int32)
        tested = splits.drawn(ids, numbers, alike, rng, self.share) if test is None else ids[test:]
        rest = np.setdiff1d(ids, tested)
        validation = splits.drawn(rest, numbers, alike, rng, self.share)
        notes = []
        if crossing := len(np.intersect1d(alike[tested], alike[rest])):
            notes.append(f"{crossing:,} of the test series stand in the training file too")
        if not len(validation):
            validation = rest
            notes.append("too few to draw a validation part: it is the training part itself")
        if not len(tested):
            raise UserError(f"{name}: too few series: of a class three are needed to draw a test part")
        train = rest if validation is rest else np.setdiff1d(rest, validation)
        return {"train": train, "validation": validation, "test": tested}, notes

    def _dataset(
        self,
        series: Ragged,
        numbers: np.ndarray,
        names: tuple[str, ...],
        parts: dict[str, np.ndarray],
        examples: Examples,
        notes: list[str],
    ) -> Dataset:
        scale = Scale.of([series.values[k] for k in parts["train"]], self.normalize, self.missing)
        arrays = arrays_of(series, scale, examples.name)
        lengths, two = series.lengths, len(names) == 2
        longest = int(lengths.max())
        equal = bool((lengths == longest).all())
        flat = arrays["values"].reshape(len(numbers), -1) if equal else None
        arrays["labels"] = numbers.astype(np.float32) if two else numbers
        if self.weighted:
            arrays["weights"] = labels_of.balanced(numbers[parts["train"]], len(names))[numbers]
        facts = {"classes": names, "form": dataclasses.asdict(self.collection.form), **dataclasses.asdict(scale)}
        facts["lines"] = series.form == "lines"
        return Dataset(
            arrays=arrays,
            gather=weighted if self.weighted else labelled,
            parts=parts,
            description=self._said(series, names, parts, examples.name, notes),
            fingerprint=self._fingerprint(series, names, parts),
            assets={series_requests.ASSET: json.dumps(facts, indent=1) + "\n"},
            optimum=examples.optimum,
            baselines=class_baselines.baselines(numbers, parts, flat),
            knobs={"classes": len(names), "examples": len(parts["train"])},
            classes=names,
            lengths=None if equal else group_lengths(lengths, longest),
        )

    def _said(
        self, series: Ragged, names: Sequence[str], parts: Mapping[str, np.ndarray], name: str, notes: list[str]
    ) -> str:
        """One line."""
        assert series.labels is not None
        least, most = series.lengths.min(), series.lengths.max()
        steps = f"{most:,} steps" if least == most else f"{least:,} to {most:,} steps"
        said = [", ".join(f"{len(ids):,} {part}" for part, ids in parts.items())]
        said += [f"{steps} of {len(series.dimensions)} dimension{'s' * (len(series.dimensions) > 1)}"]
        said += labels_of.notes(series.labels, names)
        if series.missing:
            said.append(f"{series.missing:,} values missing ({self.missing})")
        return f"{name}: {'; '.join([*said, *notes])}"

    def _fingerprint(self, series: Ragged, names: Sequence[str], parts: Mapping[str, np.ndarray]) -> str:
        options = {name: getattr(self, name) for name in ("normalize", "missing", "weighted", "split_seed", "share")}
        content = hashlib.sha256(json.dumps([options, names, list(series.labels or ())]).encode())
        content.update(series.lengths.astype("<i8").tobytes())
        for own in series.values:
            content.update(np.ascontiguousarray(own, "<f8").tobytes())
        for part in splits.PARTS:
            content.update(parts[part].astype("<i4").tobytes() + b"\0")
        return content.hexdigest()


def _together(examples: Examples) -> Ragged:
    """The series of both files, those for test behind the others. Raises UserError: of unlike dimensions."""
    train, test = examples.train, examples.test
    if test is None:
        return train
    if len(train.dimensions) != len(test.dimensions) or (train.dimensions != test.dimensions):
        said = [", ".join(own.dimensions) if any(own.dimensions) else len(own.dimensions) for own in (train, test)]
        raise UserError(f"{examples.name}: dimensions of the training file: {said[0]}; of the test file: {said[1]}")
    return dataclasses.replace(
        train,
        values=[*train.values, *test.values],
        labels=[*(train.labels or ()), *(test.labels or ())],
        rows=[*train.rows, *test.rows],
        notes=tuple(dict.fromkeys([*train.notes, *test.notes])),
    )


def _check_known(numbers: np.ndarray, parts: Mapping[str, np.ndarray], names: Sequence[str], file: str) -> None:
    """Raise UserError: a class has no series to learn from."""
    for part in ("validation", "test"):
        unknown = np.setdiff1d(numbers[parts[part]], numbers[parts["train"]])
        if len(unknown):
            raise UserError(f"{file}: class {names[unknown[0]]!r} is in the {part} part, but not in the training part")
