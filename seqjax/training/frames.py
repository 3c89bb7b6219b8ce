"""Loss, metrics and scores of a model that says the next frame, and which digit moves.

Outputs are logits {"frames": [B, T, H, W], "digit": [B, T, K]}; targets the next frames, 0 to 1, and the classes [B].
Answers have probabilities of the frames, and of the digit [B, K] after the last.

Legend: B batch, N examples, T frames, H height, W width, K classes.
"""

import base64
import dataclasses
import zlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.data.dataset import Answers
from seqjax.training import classification, metrics

STRIP = 2
"""Examples of a strip."""


def frames_and_digit(known: int, digit_weight: float) -> dict[str, Any]:
    """`Experiment`'s loss, metrics and scores.

    Args:
      known: the first prediction that counts: what comes after fewer frames cannot be known.
      digit_weight: of the digit's loss, the mean over all frames, beside that of a pixel.
    """

    def of_pixels(error: Callable[[jax.Array, jax.Array], jax.Array]) -> Callable[[Any, Any], jax.Array]:
        cut = lambda tree: tree["frames"][:, known:]
        return lambda outputs, targets: error(cut(outputs), cut(targets)).mean(axis=(1, 2, 3))

    nats = of_pixels(metrics.binary_cross_entropy)
    squared = of_pixels(lambda logits, targets: jnp.square(jax.nn.sigmoid(logits) - targets))

    def loss(outputs: Any, targets: Any) -> jax.Array:
        digit = jnp.broadcast_to(targets["digit"][:, None], outputs["digit"].shape[:2])
        return nats(outputs, targets) + digit_weight * metrics.cross_entropy(outputs["digit"], digit).mean(axis=1)

    hit = lambda outputs, targets: metrics.accuracy(outputs["digit"][:, -1], targets["digit"])
    scores = {"confusion": confusion, "mse_after": mse_after, "strip": strip}
    return {
        "loss": loss,
        "metrics": {"mse": squared, "digit_accuracy": hit, "pixel_nats": nats},
        "scores": scores,
    }


def confusion(answers: Answers) -> dict[str, Any]:
    """As `classification.confusion`, of the digits."""
    outputs, targets = answers.outputs["digit"], answers.targets["digit"]
    return classification.confusion(dataclasses.replace(answers, outputs=outputs, targets=targets))


def mse_after(answers: Answers) -> dict[str, float]:
    """How many frames were seen -> the mean squared error of the next one's pixels."""
    errors = np.square(answers.outputs["frames"] - answers.targets["frames"]).mean(axis=(0, 2, 3), dtype=np.float64)
    return {str(k): float(error) for k, error in enumerate(errors, 1)}


def strip(answers: Answers) -> dict[str, Any]:
    """The first examples, for a picture: `shape` [E, T, H, W], and `true` and `predicted`, bytes by zlib and base64."""
    kinds = {"true": answers.targets["frames"][:STRIP], "predicted": answers.outputs["frames"][:STRIP]}
    # In 16 shades, as the images have them: so a strip takes a third of the room in results.json.
    packed = {kind: (17 * np.round(15 * np.asarray(array))).astype(np.uint8) for kind, array in kinds.items()}
    texts = {kind: base64.b64encode(zlib.compress(array.tobytes(), 9)).decode() for kind, array in packed.items()}
    return {"shape": list(packed["true"].shape), **texts}


def unpacked(strip: Any) -> tuple[np.ndarray, np.ndarray]:
    """The true and the predicted frames of a `strip`, each [E, T, H, W] uint8. Raises ValueError: it is damaged."""
    try:
        flat = (zlib.decompress(base64.b64decode(strip[kind])) for kind in ("true", "predicted"))
        examples, steps, height, width = strip["shape"]
        true, predicted = (np.frombuffer(each, np.uint8).reshape(examples, steps, height, width) for each in flat)
    except (KeyError, TypeError, zlib.error) as error:
        raise ValueError(f"the strip of frames is damaged ({error})") from error
    return true, predicted
