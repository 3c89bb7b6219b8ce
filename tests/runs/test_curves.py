"""The curves of a run."""

import numpy as np
from matplotlib.image import imread

from report_folders import row
from seqjax.runs import curves


def test_curves_are_drawn(tmp_path):
    curves.draw([row(1, 3.0), row(2, 2.0), row(3, 2.5)], 2, "mae", tmp_path / "curves.png")
    curves.draw([], 0, "mae", tmp_path / "empty.png")
    drawn, empty = imread(tmp_path / "curves.png"), imread(tmp_path / "empty.png")
    assert drawn.shape[0] > 300
    assert np.mean(drawn[..., :3].min(axis=-1) < 0.9) > np.mean(empty[..., :3].min(axis=-1) < 0.9)
