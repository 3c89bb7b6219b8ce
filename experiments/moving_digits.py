"""Pictures in time: a digit that moves, its next frame and which it is, by two ConvLSTM 32. 185,882 parameters.

python -m seqjax.main --experiment=moving_digits
python -m seqjax.main --experiment=moving_digits --set=memory=false --workdir=runs/moving_digits_frames

mse: of a pixel, 0 to 1, of the frames that come after two or more. `memory=false`: the same layers, which forget
after every frame. last_frame and last_step need no model: the frame before, and that frame moved on as it has moved.
"""

from seqjax.data import moving_digits
from seqjax.experiment import Experiment
from seqjax.layers.composite import Stacked
from seqjax.layers.conv_lstm import ConvLSTMCell
from seqjax.layers.recurrent import RNN
from seqjax.models.pictures import FrameReader, read_frames
from seqjax.training.frames import frames_and_digit
from seqjax.training.optimizers import optimizer


def experiment(
    *,
    memory: bool = True,
    filters: int = 32,
    layers: int = 2,
    kernel_size: int = 3,
    patch: int = 4,
    frames: int = 10,
    paths: int = 4,
    digit_weight: float = 0.1,
    learning_rate: float = 2e-3,
    epochs: int = 12,
    batch_size: int = 16,
    seed: int = 0,
) -> Experiment:
    cells = [ConvLSTMCell(filters, kernel_size, padding="same") for _ in range(layers)]
    return Experiment(
        source=moving_digits.MovingDigits(frames, paths),
        model=FrameReader(Stacked([RNN(cell, return_sequences=True) for cell in cells]), 10, patch, memory),
        **frames_and_digit(moving_digits.KNOWN, digit_weight),
        optimizer=optimizer("adam", learning_rate, clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        answer=read_frames,
    )
