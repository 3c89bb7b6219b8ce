"""Texts: from words to numbers, the reviews of IMDB, and vectors of words."""
