"""Series in time: tables from files, windows over them, and the sources that forecast from them."""

from seqjax.old_names import attributes

__getattr__ = attributes(
    "seqjax.data.series",
    "seqjax.data.series.sources",
    "date describe fingerprint text_of read_facts count_requests check_step lines",
)
