"""Rows that are small enough to be trained anew for the book, on generated sample data, some minutes on two cores."""

import subprocess
import sys
from pathlib import Path

from seqjax.errors import UserError

ROWS = ("jena_naive", "jena_dense", "jena_conv1d", "jena_simple_rnn", "jena_lstm", "imdb_unigram", "imdb_bigram")
SEEDS = 3


def train(folder: Path) -> Path:
    """Train what is not trained yet, a folder a row below `folder`; returns it.

    Raises:
      UserError: a training has failed; the message is its last line.
    """
    for name in ROWS:
        print(f"{name}: sample data, {1 if 'naive' in name else SEEDS} seeds", flush=True)
        command = [sys.executable, "-m", "seqjax.main", f"--experiment={name}", "--data=sample"]
        command += [f"--workdir={folder / name}", *([] if "naive" in name else [f"--seeds={SEEDS}"])]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UserError(f"--fresh: {name} could not be trained: {last}")
    return folder
