"""A source of visits that belong to one of two classes: the page of every click, and how long after the one before.

Legend: B batch, N visitors, T clicks.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data import packed
from seqjax.data.clicks import simulator, visits
from seqjax.data.clicks.click_stream import ClickStream
from seqjax.data.clicks.visits import Visits
from seqjax.data.dataset import Arrays, Dataset, Requests
from seqjax.data.lengths import group_lengths
from seqjax.data.series import csv_table
from seqjax.errors import UserError, check_least

ASSET = "clicks.json"
OTHER, FIRST = 1, 2
"""Numbers of a page that training has not seen, and of the first that it has; 0 is padding."""
MOST_PAGES = 5000
"""Those that most clicks are of; the rest are `OTHER`."""
LEAST_SECONDS = 1e-3
"""Shorter times are taken for this long."""
PARTS = {"train": 0.6, "validation": 0.2, "test": 0.2}
HEADER = "visitor,clicks,verdict,probability"


@dataclasses.dataclass(frozen=True)
class Known:
    """What a run knows of clicks."""

    pages: Sequence[str]
    """From number `FIRST` on."""
    mean: float
    """Of the logarithm of seconds, and ..."""
    deviation: float
    """... its deviation."""
    classes: Sequence[str]

    def page(self, name: str) -> int:
        """Its number."""
        return self.numbers.get(name, OTHER)

    @property
    def numbers(self) -> dict[str, int]:
        """Of the pages."""
        return {page: k for k, page in enumerate(self.pages, FIRST)}

    def times(self, seconds: Any) -> np.ndarray:
        """Seconds since the click before -> what the model reads."""
        logarithm = np.log(np.maximum(seconds, LEAST_SECONDS))
        return ((logarithm - self.mean) / self.deviation).astype(np.float32)

    def arrays(self, found: Visits, length: int) -> dict[str, np.ndarray]:
        """`pages` [N, length] int32 and `times` [N, length], 0 at the first click and behind the last."""
        numbers = self.numbers
        table = np.array([numbers.get(name, OTHER) for name in found.names] + [0], np.int32)
        later = (found.pages >= 0) & (np.arange(found.pages.shape[1]) > 0)
        times = np.where(later, self.times(found.seconds), np.float32(0))
        return {"pages": table[found.pages][:, :length], "times": times[:, :length]}


@dataclasses.dataclass(frozen=True)
class LabelledVisits:
    """A `Source`: inputs are (pages [B, T], times [B, T]); targets [B, T] say the class at every click, from 1 on.

    Raises:
      UserError: options out of range.
    """

    file: str = ""
    """A table as `visits.read` takes it: a path, or one below the data folder."""
    imitation: float = 0.5
    """Of the sample's bots, as `Simulator`'s."""
    visitors: int = 20_000
    """Of the sample."""
    length: int = 256
    """Clicks of a visit that are read in training and scored, at most."""
    split_seed: int = 0
    """Of the parts, and of the sample's visitors."""

    def __post_init__(self):
        simulator.Simulator(self.imitation)
        for name, least in {"visitors": 20, "length": 2, "split_seed": 0}.items():
            check_least(name, getattr(self, name), least)

    def load(self, data: str, data_dir: Path) -> Dataset:
        """See `Source.load`: the file, or visitors that `Simulator` makes."""
        if data == "sample":
            made = simulator.Simulator(self.imitation).visits(self.visitors, self.split_seed)
            return self.dataset(made, f"generated visitors, imitation {self.imitation:g}")
        if data != "real":
            raise UserError(f"data={data!r}: choose 'real' or 'sample'")
        if not self.file:
            raise UserError(
                "file is missing: --set=file=clicks.csv with the columns visitor, time, page and label (there is none "
                "to be downloaded), or --data=sample for generated visitors"
            )
        for path in (Path(self.file).expanduser(), data_dir.expanduser() / self.file):
            if path.is_file():
                return self.dataset(visits.read(path.read_bytes(), str(path), True), str(path))
        raise UserError(f"file={self.file} is neither here nor in {data_dir}")

    def dataset(self, found: Visits, name: str) -> Dataset:
        """The data of labelled visits. Raises UserError: not two classes, or too few visitors."""
        assert found.labels is not None
        if len(found.classes) != 2:
            raise UserError(f"{name}: two labels are needed, and there are {len(found.classes)}")
        parts = _parted(found.labels, self.split_seed, name)
        lengths = np.minimum(found.lengths, self.length).astype(np.int32)
        width, known = int(lengths.max()), _known(found, parts["train"])
        arrays = known.arrays(found, width)
        arrays |= {"labels": found.labels, "lengths": lengths}
        best: dict[str, float] = {}
        if found.log_odds is not None:
            arrays["log_odds"] = found.log_odds[:, :width].astype(np.float32)
            last = found.log_odds[parts["test"], lengths[parts["test"]] - 1]
            best = {"accuracy": float(np.mean(1 / (1 + np.exp(-np.abs(last)))))}
        content = hashlib.sha256(json.dumps([list(found.classes), known.pages, self.length, self.split_seed]).encode())
        for array in (found.pages, found.seconds, found.lengths, found.labels):
            content.update(np.ascontiguousarray(array).tobytes())
        each = ", ".join(f"{len(ids):,} {part}" for part, ids in parts.items())
        cut = int((found.lengths > self.length).sum())
        longer = f"; {cut:,} visits cut at {self.length} clicks" if cut else ""
        return Dataset(
            arrays=arrays,
            gather=_gather,
            parts=parts,
            description=f"{name}: {each} visitors, {int(lengths.sum()):,} clicks on {len(found.names):,} pages{longer}",
            fingerprint=content.hexdigest(),
            assets={ASSET: json.dumps(dataclasses.asdict(known), indent=1) + "\n"},
            optimum=best,
            baselines=_baselines(arrays, parts),
            knobs={"pages": len(known.pages) + FIRST},
            classes=tuple(found.classes),
            lengths=group_lengths(lengths, width, groups=3),
        )

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """See `Source.requests`: a line for every visitor of a table without labels, after all clicks."""
        known = read_known(assets)
        found = visits.read(packed.unpacked(csv_table.content(text), name), name, False)
        width = int(found.lengths.max())
        last = found.lengths - 1

        def line(position: int, output: np.ndarray) -> str:
            said = verdict(known, float(output[last[position]]))
            return f"{_cell(found.visitors[position])},{found.lengths[position]},{said}"

        return Requests(
            arrays=known.arrays(found, width),
            gather=lambda arrays, ids: (arrays["pages"][ids], arrays["times"][ids]),
            ids=np.arange(len(found.visitors), dtype=np.int32),
            line=line,
            header=HEADER,
        )

    def stream(self, assets: Path, name: str) -> ClickStream:
        """See `dataset.Stream`: a verdict after every click of every visitor."""
        known = read_known(assets)
        return ClickStream(known, lambda logit: verdict(known, logit), name)


def read_known(assets: Path) -> Known:
    """What a run knows. Raises UserError: its file is missing or damaged."""
    try:
        return Known(**json.loads((assets / ASSET).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{assets / ASSET} is missing or damaged: restore it from a copy") from error


def verdict(known: Known, logit: float) -> str:
    """`bot,0.9731`: the likelier class, and how probable it is."""
    return f"{_cell(known.classes[int(logit > 0)])},{1 / (1 + np.exp(-abs(logit))):.4f}"


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if {",", '"', "\n"} & set(text) else text


def _gather(arrays: Arrays, ids: Any) -> tuple[Any, Any]:
    pages = arrays["pages"][ids]
    targets = (pages != 0) * (1 + arrays["labels"][ids][:, None])
    return (pages, arrays["times"][ids]), targets


def _parted(labels: np.ndarray, seed: int, name: str) -> dict[str, np.ndarray]:
    """Parts in which the classes have their share. Raises UserError: too few of one."""
    rng, found = np.random.default_rng([seed, 1]), {part: [] for part in PARTS}
    for k in range(2):
        ids = rng.permutation(np.flatnonzero(labels == k))
        if len(ids) < 5:
            raise UserError(f"{name}: of one label there are only {len(ids)} visitors, and 5 are needed")
        edges = np.rint(np.cumsum([0, *PARTS.values()]) * len(ids)).astype(int)
        for part, start, stop in zip(PARTS, edges[:-1], edges[1:], strict=True):
            found[part].append(ids[start:stop])
    return {part: np.sort(np.concatenate(own)).astype(np.int32) for part, own in found.items()}


def _known(found: Visits, train: np.ndarray) -> Known:
    """From the training part."""
    pages, seconds = found.pages[train], found.seconds[train]
    counts = np.bincount(pages[pages >= 0], minlength=len(found.names))
    order = [int(k) for k in np.argsort(-counts, kind="stable")[:MOST_PAGES] if counts[k]]
    later = np.log(np.maximum(seconds[:, 1:][pages[:, 1:] >= 0], LEAST_SECONDS))
    mean, deviation = (float(later.mean()), float(later.std())) if len(later) else (0.0, 1.0)
    return Known([found.names[k] for k in order], mean, deviation or 1.0, list(found.classes))


def _baselines(arrays: Arrays, parts: Mapping[str, np.ndarray]) -> dict[str, dict[str, dict[str, float]]]:
    """The largest class, and logistic regression on how often each page was clicked, and on this and the times."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels, train = arrays["labels"], parts["train"]
    pages, real = arrays["pages"], arrays["pages"] != 0
    counts = np.stack([(pages == k).sum(axis=1) for k in range(1, min(pages.max(), 200) + 1)], axis=1)
    counts = np.concatenate([counts, real.sum(axis=1, keepdims=True)], axis=1)
    later = np.maximum(real.sum(axis=1) - 1, 1)
    mean = arrays["times"].sum(axis=1) / later
    spread = np.sqrt(np.maximum((arrays["times"] ** 2).sum(axis=1) / later - mean**2, 0))

    def judge(guess: Callable[[np.ndarray], np.ndarray]) -> dict[str, dict[str, float]]:
        return {part: {"accuracy": float((guess(parts[part]) == labels[parts[part]]).mean())} for part in tried}

    tried, found = ("validation", "test"), {}
    largest = np.bincount(labels[train]).argmax()
    found["largest_class"] = judge(lambda ids: np.full(len(ids), largest))
    for name, features in (("counts", counts), ("counts and times", np.column_stack([counts, mean, spread]))):
        fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(features[train], labels[train])
        found[f"logistic regression on {name}"] = judge(lambda ids, f=fitted, x=features: f.predict(x[ids]))
    return found
