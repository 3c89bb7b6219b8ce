# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
#   kernelspec:
#     name: python3
#     display_name: Python 3
#     language: python
# ---

# %% [markdown]
# # Texts: a bag of words and a sequence
#
# Generated reviews. A bag of words does not see the order of words; a recurrent network does.

# %%
import seqjax

bag = seqjax.train("imdb_unigram", data="sample", workdir="runs/bag", epochs=2)
sequence = seqjax.train("imdb_bilstm_masked", data="sample", workdir="runs/sequence", epochs=2, units=16)

# %%
texts = ["A wonderful film. I loved every minute.", "I loved every wonderful minute. A film."]
for name, run in {"bag of words": bag, "sequence": sequence}.items():
    print(name, run.results["test"]["accuracy"], run.predict(texts).outputs)

# %% [markdown]
# The two texts hold the same words: the bag says the same of both, to the last bit.

# %%
first, second = bag.predict(texts).outputs
assert first == second

# %% [markdown]
# What a vectorizer does, without any network:

# %%
from seqjax.data.text.vectorizer import Vectorizer

fitted = Vectorizer.fit(texts, encoding="int", vocabulary_size=20)
fitted(texts)
