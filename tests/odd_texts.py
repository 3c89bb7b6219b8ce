"""Texts of every awkward character."""

from hypothesis import strategies as st

# Every kind of space, dash, quote, case and mark that could part us from Keras; few letters, so words repeat.
ODD = "aAbBİıßÉéé'’-–_.<>/\\ \t\n\r\x0b\x0c\x00\x1c\x1f\x85\xa0\u2003\u2028\u3000\u200b\ufeff日🎬"
oddities = st.text(st.sampled_from(ODD), max_size=40)
texts = st.lists(st.one_of(oddities, st.text(max_size=30)), min_size=1, max_size=8)
