"""A source of recordings that belong to one of two or more classes: spoken digits, a collection of one's own, or tones.

A speaker may be left out: what he says is the test part then, and the test recordings of the others, whose voices were
heard in training, are judged beside it. The official split of spoken digits is one of takes, not of speakers.

Legend: B batch, N recordings, F frames of all together, T of the longest, M features, K classes.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data.cache import cached
from seqjax.data.dataset import Answers, Arrays, Dataset, Requests
from seqjax.data.lengths import group_lengths
from seqjax.data.series.sources import read_facts
from seqjax.data.sound import clips as recordings
from seqjax.data.sound import sample_words, spectra, spoken_digits, waveforms
from seqjax.data.sound.clips import Clip
from seqjax.data.sound.spectra import Spectra
from seqjax.data.text import classes as labels_of
from seqjax.data.text import splits
from seqjax.data.text.classified import line_of
from seqjax.errors import UserError, check_least

ASSET = "sounds.json"
"""How a run hears, and the names of its classes."""
LONGEST = 0.995
"""The share of recordings that are never cut."""
GROUPS = 3
"""Different lengths of batches: each is compiled for itself."""
LAST = "last"
VALIDATIONS = ("takes", "speaker")


@dataclasses.dataclass(frozen=True)
class LabelledSounds:
    """A `Source` of (features [T, M], frames) and of (the number of the class, whether the example counts).

    Of two classes the former is float32 0 or 1, for one logit; of more, int32. The latter is 1, but in the test part 0
    for recordings of speakers that training has heard, where one is left out.

    Raises:
      UserError: options that are unknown or out of range.
    """

    file: str | None = None
    """A folder, tar archive or table as in `clips`; None: the Free Spoken Digit Dataset."""
    classes: int | None = None
    """K; None: as many as there are, which is told to the experiment (`Dataset.knobs`)."""
    speaker: str | None = LAST
    """Left out: the test part is what he says. None: nobody, the parts are as given, or drawn. `last`: the last one by
    name, or nobody where no speaker is known or a table gives the parts."""
    validation: str = "takes"
    """`takes`: of the speakers that are trained on. `speaker`: one more speaker is left out, the next by name."""
    spectra: Spectra = dataclasses.field(default_factory=Spectra)
    split_seed: int = 0
    """Of parts that are drawn."""

    def __post_init__(self):
        check_least("classes", self.classes or 2, 2)
        check_least("split_seed", self.split_seed, 0)
        if self.validation not in VALIDATIONS:
            raise UserError(f"validation={self.validation!r}: choose {' or '.join(VALIDATIONS)}")

    def load(self, data: str, data_dir: Path) -> Dataset:
        """See `Source.load`; the sample is `sample_words`."""
        optimum: dict[str, float] = {}
        if data == "sample":
            found, certainty = sample_words.words(self.spectra.rate)
            name, optimum = "generated words", {"accuracy": certainty}
        elif data != "real":
            raise UserError(f"data={data!r}: choose 'real' or 'sample'")
        elif self.file:
            found, name = recordings.read(Path(self.file), self.spectra.rate), Path(self.file).name
        else:
            takes = spoken_digits.read(data_dir, self.spectra.rate)
            found = [dataclasses.replace(one.clip, part=spoken_digits.official(one.take)) for one in takes]
            name = "spoken digits"
        names = spoken_digits.NAMES if data == "real" and not self.file else None
        return self._dataset(found, names, name, optimum)

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        r"""See `Source.requests`: a WAV file or a tar archive, or the paths of such files and of folders, one a line.

        A line of output is the recording's name, the likeliest class and the probability of each, with tabs between.
        """
        facts = read_facts(assets / ASSET, ("classes", "spectra", "frames"))
        hear = Spectra(**facts["spectra"])
        heard = list(asked(text, name, hear.rate))
        found = [hear.of_clip(samples)[: facts["frames"]] for _, samples in heard]
        longest = max(map(len, found), default=1)
        frames = np.zeros((len(found), longest, hear.features), np.float32)
        for row, one in zip(frames, found, strict=True):
            row[: len(one)] = one
        said = line_of(facts["classes"])
        return Requests(
            arrays={"features": frames, "frames": np.array([len(one) for one in found], np.int32)},
            gather=lambda arrays, ids: (arrays["features"][ids], arrays["frames"][ids]),
            ids=np.arange(len(found), dtype=np.int32),
            line=lambda position, output: f"{heard[position][0]}\t{said(position, output)}",
            header="\t".join(["recording", "class", *facts["classes"]]),
        )

    def _dataset(
        self, clips: Sequence[Clip], known: tuple[str, ...] | None, name: str, optimum: Mapping[str, float]
    ) -> Dataset:
        names = known or labels_of.ordered([clip.label for clip in clips])
        labels_of.check(names, self.classes, len(clips), name)
        numbers = np.array([names.index(clip.label) for clip in clips], np.int32)
        parts, heard = self._parts(clips, numbers, name)
        content = hashlib.sha256(json.dumps([dataclasses.asdict(self.spectra), names]).encode())
        for clip in clips:
            content.update(f"{clip.label}\0{len(clip.samples)}\0".encode() + clip.samples.tobytes())
        frames = cached(f"spectra {_code()} {content.hexdigest()}", lambda: self._frames(clips))
        counts = frames["counts"]
        longest = math.ceil(float(np.quantile(counts, LONGEST, method="higher")) / 16) * 16
        for part in splits.PARTS:
            content.update(parts[part].astype("<i4").tobytes() + b"\0")
        content.update(heard.tobytes())
        lengths = np.minimum(counts, longest)
        two = len(names) == 2
        arrays = {"frames": frames["frames"], "start": np.cumsum(counts, dtype=np.int32) - counts, "length": lengths}
        arrays |= {"labels": numbers.astype(np.float32) if two else numbers, "counts": (~heard).astype(np.float32)}
        facts = {"classes": names, "spectra": dataclasses.asdict(self.spectra), "frames": longest}
        return Dataset(
            arrays=arrays,
            gather=Gather(longest),
            parts=parts,
            description=f"{name}: {self._said(clips, names, parts, counts, longest, heard)}",
            fingerprint=content.hexdigest(),
            assets={ASSET: json.dumps(facts, indent=1) + "\n"},
            optimum=optimum,
            baselines=_largest(numbers, parts, heard),
            knobs={"classes": len(names)},
            classes=names,
            lengths=group_lengths(lengths, longest, GROUPS),
        )

    def _frames(self, clips: Sequence[Clip]) -> dict[str, np.ndarray]:
        """Spectra of all recordings, one behind the other, and how many frames each has."""
        found = [self.spectra.of_clip(clip.samples) for clip in clips]
        return {"frames": np.concatenate(found), "counts": np.array([len(one) for one in found], np.int32)}

    def _parts(self, clips: Sequence[Clip], numbers: np.ndarray, name: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """`Dataset.parts`, and which recordings [N] of the test part are of speakers heard in training."""
        given = [clip.part for clip in clips]
        parts = splits.parts(given if any(given) else None, numbers, _distinct(len(clips)), self.split_seed, name)
        speakers = np.array([clip.speaker for clip in clips])
        left = self._left_out(speakers, given, name)
        heard = np.zeros(len(clips), bool)
        if left is None:
            return parts, heard
        found = {part: ids[speakers[ids] != left] for part, ids in parts.items()}
        if self.validation == "speaker":
            others = sorted({*speakers.tolist()} - {"", left})
            if len(others) < 2:
                raise UserError(f"{name}: too few speakers to leave out another one for validation")
            after = next((one for one in others if one > left), others[0])
            train = np.union1d(found["train"], found["validation"])
            found = {part: ids[speakers[ids] != after] for part, ids in {**found, "train": train}.items()}
            found["validation"] = np.flatnonzero(speakers == after)
        heard[found["test"]] = True
        found["test"] = np.union1d(found["test"], np.flatnonzero(speakers == left))
        empty = next((part for part in splits.PARTS if not len(found[part])), None)
        if empty is not None:
            raise UserError(f"{name}: without {left} none is left for {empty}")
        return {part: found[part].astype(np.int32) for part in splits.PARTS}, heard

    def _left_out(self, speakers: np.ndarray, given: Sequence[str], name: str) -> str | None:
        """The speaker. Raises UserError: there is no such one."""
        known = sorted({*speakers.tolist()} - {""})
        if self.speaker == LAST:
            return known[-1] if len(known) > 1 and not (self.file and any(given)) else None
        if self.speaker is not None and self.speaker not in known:
            raise UserError(f"{name}: there is no speaker {self.speaker!r}; choices: {', '.join(known) or 'none'}")
        return self.speaker

    def _said(
        self,
        clips: Sequence[Clip],
        names: tuple[str, ...],
        parts: Mapping[str, np.ndarray],
        counts: np.ndarray,
        longest: int,
        heard: np.ndarray,
    ) -> str:
        """One line: the parts, the classes, who is left out, what is cut."""
        said = [", ".join(f"{len(ids):,} {part}" for part, ids in parts.items())]
        if heard.any():
            left = next(clips[k].speaker for k in parts["test"] if not heard[k])
            said += [f"{left} is left out ({heard.sum():,} of the test are of speakers heard in training)"]
        said += labels_of.notes([clip.label for clip in clips], names)
        cut = int((counts > longest).sum())
        span = longest * self.spectra.seconds
        return "; ".join([*said, f"cut at {span:.2f} s ({cut:,} {'is' if cut == 1 else 'are'} longer)"])


@dataclasses.dataclass(frozen=True)
class Gather:
    """`Dataset.gather`."""

    longest: int
    """T."""

    def __call__(self, arrays: Arrays, ids: Any) -> tuple[Any, Any]:
        """-> ((features [B, T, M], frames [B]), (classes [B], whether they count [B]))."""
        import jax.numpy as jnp

        xp = np if isinstance(ids, np.ndarray) else jnp
        lengths = arrays["length"][ids]
        steps = xp.arange(self.longest)[None, :]
        places = arrays["start"][ids][:, None] + xp.minimum(steps, lengths[:, None] - 1)
        features = xp.where((steps < lengths[:, None])[:, :, None], arrays["frames"][places], 0)
        return (features, lengths), (arrays["labels"][ids], arrays["counts"][ids])


def asked(text: TextIO, name: str, rate: int):
    """(name, samples [N]) of what a user asks about: see `LabelledSounds.requests`.

    Raises:
      UserError: a path that is none, or what is there cannot be read.
    """
    data = text.buffer.read() if hasattr(text, "buffer") else text.read().encode()  # type: ignore[attr-defined]
    if waveforms.is_wav(data) or recordings.archived(data, name) is not None:
        yield from recordings.contained(data, name, rate)
        return
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: neither a WAV file, a tar archive nor paths of such") from error
    for line in lines:
        if line.strip():
            yield from recordings.sounds(Path(line.strip()), rate)


def of_heard_speakers(answers: Answers) -> np.ndarray:
    """[N] bool: which are."""
    return np.asarray(answers.targets[1]) == 0


def _distinct(count: int) -> list[str]:
    """Names that `splits.key` takes for different ones."""
    return [str(k) for k in range(count)]


def _largest(numbers: np.ndarray, parts: Mapping[str, np.ndarray], heard: np.ndarray) -> dict[str, Any]:
    """`Dataset.baselines`: the largest class of the training part, the first of equals."""
    largest = np.bincount(numbers[parts["train"]]).argmax()
    share = lambda ids: {"accuracy": float((numbers[ids[~heard[ids]]] == largest).mean())}
    return {"largest_class": {part: share(parts[part]) for part in ("validation", "test")}}


def _code() -> str:
    """Of what makes the cached arrays."""
    return hashlib.sha256(Path(str(spectra.__file__)).read_bytes()).hexdigest()
