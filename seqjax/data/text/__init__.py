"""Texts: from words to numbers, the reviews of IMDB, and vectors of words."""

from seqjax.old_names import attributes

__getattr__ = attributes(
    "seqjax.data.text",
    "seqjax.data.text.encodings",
    "UNKNOWN Corpus Tokenizer Vocabulary encode_count encode_int encode_multi_hot inverse_document_frequencies",
)
