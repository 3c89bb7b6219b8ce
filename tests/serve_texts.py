"""Texts of different lengths, some of words that nobody knows."""

TEXTS = [
    "good film",
    "a bad and dull plot",
    "very very good",
    "nothing that is known",
    "not bad not good not dull not fine film",
]
