"""Pictures in time: a digit that moves in a frame and bounces off its edges.

An image of `seqjax.data.digits`, twice as large, moves by up to FASTEST pixels a frame along each axis, never by none
along both, and turns round where its ink meets an edge. So a frame and the one before it say what comes next, to the
last pixel, and the best possible squared error is 0 from the third frame on; before it nobody knows the direction.

Frames are made when a batch is gathered, from the image, the first place and the velocity of an example.

Legend: B batch, N images, M examples, T frames that are shown, P = 32 pixels along an edge of a frame; y and x places.
"""

import dataclasses
import hashlib
import io
import json
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data import digits
from seqjax.data.dataset import Arrays, Dataset, Requests
from seqjax.errors import UserError, check_least

EDGE, SCALE, SIDE, FASTEST = 32, 2, 8, 2
NAMES = tuple(map(str, range(10)))
KNOWN = 1
"""The first prediction that is scored: that after the second frame."""
SAMPLE = 150
"""Images of the sample."""


@dataclasses.dataclass(frozen=True)
class MovingDigits:
    """A `Source` of frames [T, P, P] in 0 to 1, and of {"frames": the next of each [T, P, P], "digit": which}.

    Parts have different images: a fifth of each digit's is for testing, a fifth for validation.

    Raises:
      UserError: options out of range.
    """

    frames: int = 10
    """T."""
    paths: int = 4
    """On so many each image of the training part moves; of the others on one."""
    split_seed: int = 0
    """Which images are for what, and all the paths."""

    def __post_init__(self):
        check_least("frames", self.frames, KNOWN + 1)
        check_least("paths", self.paths, 1)
        check_least("split_seed", self.split_seed, 0)

    def load(self, data: str, data_dir: Path) -> Dataset:
        """See `Source.load`; nothing is read from `data_dir`."""
        del data_dir
        found = digits.load(data)
        certainty = found.certainty
        if certainty is not None:
            found, certainty = found._replace(images=found.images[:SAMPLE], digits=found.digits[:SAMPLE]), certainty
        of_images = digits.parts(found.digits, self.split_seed)
        shown = np.concatenate([np.repeat(ids, self._paths(part)) for part, ids in of_images.items()])
        counts = [len(ids) * self._paths(part) for part, ids in of_images.items()]
        ids = np.split(np.arange(len(shown), dtype=np.int32), np.cumsum(counts)[:-1])
        parts = dict(zip(of_images, ids, strict=True))
        arrays = {**pictures(found.images), "digit": found.digits, "shown": shown}
        arrays |= paths(arrays, shown, np.random.default_rng((self.split_seed, 1)))
        identity = json.dumps(dataclasses.asdict(self)).encode() + found.images.tobytes() + found.digits.tobytes()
        optimum = {}
        if certainty is not None:
            optimum = {"mse": 0.0, "digit_accuracy": float(certainty[shown[parts["test"]]].mean())}
        dataset = Dataset(
            arrays=arrays,
            gather=self._gather,
            parts=parts,
            description=f"{found.name} moving in {EDGE} x {EDGE} pixels, {self.frames} frames: {digits.sizes(parts)}",
            fingerprint=hashlib.sha256(identity).hexdigest(),
            optimum=optimum,
            classes=NAMES,
        )
        largest = digits.largest_class(found.digits[shown], parts, "digit_accuracy")
        return dataclasses.replace(dataset, baselines={**_baselines(dataset), "largest_class": largest})

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """See `Source.requests`: a .npy file of frames, [examples, frames, 32, 32] or those of one, 0 to 1 or bytes.

        An output is {"frames": the next of each [T, P, P], "digit": probabilities [10]}; its line is JSON: the digit,
        its probability, and the pixels of the frame that comes after the last, in 0 to 1.
        """
        del assets
        frames = read(getattr(text, "buffer", text), name)
        return Requests({"frames": frames}, lambda arrays, ids: arrays["frames"][ids], np.arange(len(frames)), _line)

    def _paths(self, part: str) -> int:
        return self.paths if part == "train" else 1

    def _gather(self, arrays: Arrays, ids: Any) -> tuple[Any, Any]:
        moving = moved(arrays, ids, self.frames + 1)
        return moving[:, :-1], {"frames": moving[:, 1:], "digit": arrays["digit"][arrays["shown"][ids]]}


def pictures(images: np.ndarray) -> dict[str, np.ndarray]:
    """Images [N, 64], 0 to 16 -> `picture` [N, 10, 10], 0 to 1 with a border, and of their ink: `first` [N, 2], its
    first row and column, and `room` [N, 2], over how many pixels of a frame it can move.
    """
    square = images.reshape(-1, SIDE, SIDE) / digits.BLACK
    first, size = np.zeros((2, len(images), 2), np.int32)
    for axis in range(2):
        inked = np.any(square > 0, axis=2 - axis)  # [N, 8]
        first[:, axis] = inked.argmax(axis=1)
        size[:, axis] = SIDE - inked[:, ::-1].argmax(axis=1) - first[:, axis]
    border = np.pad(square, ((0, 0), (1, 1), (1, 1))).astype(np.float32)
    return {"picture": border, "first": first, "room": (EDGE - SCALE * size).astype(np.int32)}


def paths(arrays: Arrays, shown: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """For each example, of image `shown` [M]: `place` [M, 2] at the start, and `velocity` [M, 2], never 0, 0."""
    place = rng.integers(0, arrays["room"][shown] + 1, dtype=np.int32)
    steps = np.array([(y, x) for y in range(-FASTEST, FASTEST + 1) for x in range(-FASTEST, FASTEST + 1) if y or x])
    return {"place": place, "velocity": steps[rng.integers(len(steps), size=len(shown))].astype(np.int32)}


def moved(arrays: Arrays, ids: Any, count: int) -> Any:
    """The first `count` frames of examples, [B, count, P, P]. Plain indexing, of NumPy's arrays or of JAX's."""
    image = arrays["shown"][ids]
    room = arrays["room"][image][:, None, :]
    far = arrays["place"][ids][:, None, :] + np.arange(count)[None, :, None] * arrays["velocity"][ids][:, None, :]
    place = room - abs(far % (2 * room) - room)  # a wave between 0 and `room`: [B, count, 2]
    # Of every row (column) of a frame the row (column) of the picture that is seen there; outside it is its border.
    seen = (np.arange(EDGE)[None, None, None, :] - place[..., None]) // SCALE + arrays["first"][image][:, None, :, None]
    seen = seen.clip(-1, SIDE) + 1
    return arrays["picture"][image[:, None, None, None], seen[:, :, 0, :, None], seen[:, :, 1, None, :]]


def last_step(frames: np.ndarray) -> np.ndarray:
    """[B, T, P, P] -> [B, T - 1, P, P]: each frame but the first, moved as it has moved since the one before.

    Places are those of the ink, to be read off the frames alone; at an edge it moves on, and out.
    """
    corner = np.stack([(frames > 0).any(axis=axis).argmax(axis=2) for axis in (3, 2)], axis=-1)  # [B, T, 2]
    step = np.diff(corner, axis=1)[..., None]
    row, column = (np.arange(EDGE)[None, None, :] - step[:, :, axis] for axis in range(2))
    border = np.pad(frames[:, 1:], ((0, 0), (0, 0), (1, 1), (1, 1)))
    row, column = (seen.clip(-1, EDGE) + 1 for seen in (row, column))
    example, frame = np.ogrid[: len(frames), : frames.shape[1] - 1]
    return border[example[..., None, None], frame[..., None, None], row[:, :, :, None], column[:, :, None, :]]


def _baselines(dataset: Dataset) -> dict[str, dict[str, dict[str, float]]]:
    """The squared error of the frame before, and of that moved on as it has moved."""
    found: dict[str, dict[str, dict[str, float]]] = {"last_frame": {}, "last_step": {}}
    for part in ("validation", "test"):
        shown, targets = dataset.gather(dataset.arrays, dataset.parts[part])
        true = targets["frames"][:, KNOWN:]
        for name, guess in {"last_frame": shown[:, KNOWN:], "last_step": last_step(shown)}.items():
            found[name][part] = {"mse": float(np.square(guess - true).mean(dtype=np.float64))}
    return found


def read(file: Any, name: str) -> np.ndarray:
    """Frames [B, T, P, P] float32, in 0 to 1, from a .npy file of bytes or floats, of one example or of several.

    Raises:
      UserError: it is none, or holds something else.
    """
    wanted = f"wanted is a .npy file of frames [examples, frames, {EDGE}, {EDGE}], 0 to 1, or 0 to 255 as bytes"
    try:
        found = np.load(io.BytesIO(file.read()), allow_pickle=False)
    except (ValueError, OSError, EOFError, TypeError, UnicodeDecodeError) as error:
        raise UserError(f"{name} is no .npy file that can be read; {wanted}") from error
    if (
        not isinstance(found, np.ndarray)
        or found.dtype.kind not in "fu"
        or (found.dtype.kind == "u" and found.itemsize > 1)
    ):
        kind = found.dtype if isinstance(found, np.ndarray) else "several arrays"
        raise UserError(f"{name} holds {kind}; {wanted}")
    found = found[None] if found.ndim == 3 else found
    if found.ndim != 4 or found.shape[2:] != (EDGE, EDGE) or found.shape[1] == 0:
        raise UserError(f"{name} holds an array of shape {found.shape}; {wanted}")
    frames = found / np.float32(255) if found.dtype.kind == "u" else found.astype(np.float32)
    if not np.all((frames >= 0) & (frames <= 1)):
        place = tuple(map(int, np.argwhere(~((frames >= 0) & (frames <= 1)))[0]))
        raise UserError(f"{name} holds {found[place]} at {list(place)}; {wanted}")
    return frames.astype(np.float32)


def _line(position: int, output: Any) -> str:
    del position
    digit = int(np.argmax(output["digit"]))
    frame = [[round(float(pixel), 3) for pixel in row] for row in output["frames"][-1]]
    return json.dumps({"digit": NAMES[digit], "probability": round(float(output["digit"][digit]), 4), "frame": frame})
