"""Files that aeon brings along, read as aeon's own loaders read them."""

from pathlib import Path

import numpy as np
import pytest

from seqjax.data.series import series_files
from seqjax.data.series.series_files import SeriesForm

datasets = pytest.importorskip("aeon.datasets", reason="pip install 'seqjax[benchmark]'")
FOLDER = Path(datasets.__file__).parent / "data"
NAMES = ("JapaneseVowels", "PickupGestureWiimoteZ", "BasicMotions", "ItalyPowerDemand", "ArrowHead", "UnitTest")
FILES = [f"{name}/{name}_TRAIN.ts" for name in NAMES]
FILES += ["GunPoint/GunPoint_TRAIN.tsv", "ArrowHead/ArrowHead_TRAIN.tsv"]
FILES += ["GunPoint/GunPoint_TRAIN.arff", "BasicMotions/BasicMotions_TRAIN.arff"]
FILES += ["UnitTest/UnitTestTimeStamps_TRAIN.ts"]
LOADERS = {
    ".ts": datasets.load_from_ts_file,
    ".tsv": datasets.load_from_tsv_file,
    ".arff": datasets.load_from_arff_file,
}


@pytest.mark.parametrize("file", FILES)
def test_equal_to_aeons_loaders(file):
    path = FOLDER / file
    if not path.is_file():
        pytest.skip(f"this aeon has no {file}")
    ours = series_files.read(path, SeriesForm())
    values, labels = LOADERS[path.suffix](str(path))
    assert [label.lower() for label in ours.labels or ()] == [
        str(label).lower() for label in labels
    ]  # theirs are lower
    assert len(ours.values) == len(values)
    for own, theirs in zip(ours.values, values, strict=True):
        np.testing.assert_array_equal(own, theirs.T)  # [T, D] and [D, T]
