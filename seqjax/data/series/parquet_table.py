"""A table from Parquet, whose columns have types.

Rows are counted from 1: there is no header.
"""

from seqjax.data.series.rows import Rows

MARK = b"PAR1"


def is_parquet(data: bytes) -> bool:
    """Whether a file's content is."""
    return data[:4] == MARK


def read(data, name, form, columns) -> Rows:
    raise NotImplementedError
