"""Tables of what shops sold, as files of the kind that `csv_forecast` reads."""

import io

import numpy as np
import pytest

from seqjax.data.series.csv_panel import Columns, CsvPanel
from seqjax.data.series.csv_table import Form
from seqjax.data.series.panel_windows import Windows

LEVELS = (0.1, 0.5, 0.9)
DAY = np.datetime64("2024-01-01")


def rows(shop, count, first=DAY, *, every=1, known=0):
    """Lines of a shop: rising sales, a price that is known `known` days ahead, the shop's size."""
    dates = [first + every * k for k in range(count + known)]
    sales = [f"{100 + 10 * k + len(shop)}" if k < count else "" for k in range(count + known)]
    return [
        f"{date},{shop},{own},{1 + k % 3},{len(shop)}" for k, (date, own) in enumerate(zip(dates, sales, strict=True))
    ]


def text(*pieces):
    return "\n".join(["date,shop,sales,price,size", *(line for own in pieces for line in own)]) + "\n"


def source(path, columns=None, **options):
    columns = columns or Columns("sales", known="price", static="size")
    return CsvPanel(str(path), columns, Windows(7, 3, LEVELS), Form(series="shop"), **options)


@pytest.fixture
def shops(tmp_path):
    """A source, its dataset and the folder of its assets."""
    path = tmp_path / "shops.csv"
    path.write_text(text(rows("b", 60), rows("aaa", 40, DAY + 5), rows("cc", 50)))
    made = source(path)
    dataset = made.load("real", tmp_path)
    for name, content in dataset.assets.items():
        (tmp_path / name).write_text(content)
    return made, dataset, tmp_path


def requests(shops, *pieces):
    made, _, assets = shops
    return made.requests(assets, io.StringIO(text(*pieces)), "new.csv")


def lines(found, output=None):
    """All that predict would print: naive forecasts unless others are given."""
    outputs = np.zeros((len(found.ids), 3, 3)) if output is None else output
    return [line for k in range(len(found.ids)) for line in found.line(k, outputs[k]).split("\n")]
