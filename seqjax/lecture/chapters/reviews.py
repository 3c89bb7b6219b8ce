"""The reviews: a bag of words against a sequence."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.data.text import sample_reviews
from seqjax.data.text.tokens import Tokenizer
from seqjax.data.text.vectorizer import Vectorizer
from seqjax.layers import Embedding
from seqjax.layers.tokens import project
from seqjax.lecture.known import Known
from seqjax.lecture.pictures import scores
from seqjax.lecture.section import SO, TASTE, Exercise, Judged, Section
from seqjax.models.classifiers import BagOfWordsClassifier, RecurrentClassifier
from seqjax.report import comparisons

TITLE = "Reviews: bag of words against sequence"
LENGTH, WORDS = 600, 20_000
ROWS = ("imdb_unigram", "imdb_bigram", "imdb_bigram_tfidf", "imdb_onehot_bilstm", "imdb_bilstm", "imdb_bilstm_masked")


def taken_apart(words: int = 50, width: int = 8) -> float:
    """How far a product with one-hot rows is from rows taken out of the kernel, at most."""
    ids = jax.random.randint(jax.random.key(0), (20,), 0, words)
    kernel = jax.random.normal(jax.random.key(1), (words, width))
    product = jnp.matmul(jax.nn.one_hot(ids, words), kernel, precision="highest")
    return float(jnp.abs(product - jnp.take(kernel, ids, axis=0)).max())


def sections(known: Known) -> list[Section]:
    """See `seqjax.lecture.section`."""
    cat = "The cat sat on the mat"
    pairs = ", ".join(f"`{token.decode()}`" for token in dict.fromkeys(Tokenizer(ngrams=2)(cat)))
    bag = Vectorizer.fit([cat], encoding="multi_hot")
    mixed = " ".join(reversed(cat.split()))
    same = bool(np.array_equal(bag([cat]), bag([mixed])))
    optimum = sample_reviews.reviews(train=200, test=200).optimum
    picture = scores.rows(known, ROWS, "", "Bags and sequences on the reviews")
    return [
        Section(
            "Two ways to see a text",
            ("groups", "history", "imdb", "text-naive", "bag-dense", "unigram", "unigram-score"),
            f"A bag holds which words there are: `{cat}` and `{mixed}` are {'one' if same else 'not one'} row. "
            f"Half of the "
            f"reviews are positive, so without reading one is right half of the time. Single words: "
            f"{known.score('imdb_unigram')} (lecture {known.lecture('imdb_unigram')}). On generated reviews, in "
            f"which order "
            f"decides some labels, no bag can be better than {optimum['bag_of_words_accuracy']:.0%}, and a perfect "
            f"reader "
            f"has {optimum['accuracy']:.0%}.",
            Judged(SO, "A bag does not change when words are mixed."),
            BagOfWordsClassifier,
            "tests/lecture/test_book.py::test_a_bag_of_words_is_blind_to_order",
            r"x \in \text{0~or~1~for~each~word}, \quad p = \sigma(w \cdot \relu(W x + b) + c)",
            picture,
        ),
        Section(
            "Pairs of words",
            ("bigram", "bigram-score"),
            f"A little order: {pairs}. {known.score('imdb_bigram')} (lecture {known.lecture('imdb_bigram')}).",
            known.judged(("imdb_bigram", "imdb_unigram")),
            Tokenizer.__call__,
            "tests/data/text/test_ngrams.py",
            table=known.table(ROWS[:3]),
        ),
        Section(
            "Weights",
            ("bigram-tf-idf", "tf-idf-score"),
            f"TF-IDF: {known.score('imdb_bigram_tfidf')} (lecture {known.lecture('imdb_bigram_tfidf')}).",
            known.judged(("imdb_bigram", "imdb_bigram_tfidf")),
            Vectorizer.fit_encode,
            "tests/data/text/test_vectorizer.py::test_each_encoding_of_a_small_corpus",
        ),
        Section(
            "Sequences of one-hot vectors",
            ("sequence-approach", "one-hot", "one-hot-score", "one-hot-slow", "one-hot-vectors"),
            f"A review of {LENGTH} words is {LENGTH * WORDS:,} numbers, nearly all zero, if they are written down. "
            f"They need "
            "not be: a one-hot row times a kernel is a row of the kernel. The largest difference between the two: "
            f"{taken_apart():.1g}. So the lecture's slow model trains here like any other: "
            f"{known.score('imdb_onehot_bilstm')}.",
            known.judged(("imdb_bigram", "imdb_onehot_bilstm")),
            taken_apart,
            "tests/layers/test_vocabulary.py",
            r"\text{onehot}(k) W = W_k",
            table=known.table(ROWS[3:]),
        ),
        Section(
            "Word embeddings",
            ("word-embedding", "embedding", "embedding-vectors", "embedding-score", "embedding-faster", "own-space"),
            "A short dense vector for each word, learned with the rest. Trained together with the labels: "
            f"{known.score('imdb_bilstm')} (lecture {known.lecture('imdb_bilstm')}).",
            known.judged(("imdb_bilstm", "imdb_onehot_bilstm"), ("imdb_bigram", "imdb_bilstm")),
            Embedding,
            "tests/layers/test_vocabulary.py",
            r"x_t = E_{w_t}, \quad E \in R^{V \times d}",
            table=known.compared(comparisons.COMPARISONS[1].title),
        ),
        Section(
            "Masks",
            ("masks",),
            f"Padding is no word. A mask holds the state still: {known.score('imdb_bilstm_masked')} (lecture "
            f"{known.lecture('imdb_bilstm_masked')}).",
            known.judged(("imdb_bilstm_masked", "imdb_bilstm"), ("imdb_bigram", "imdb_bilstm_masked")),
            RecurrentClassifier,
            "tests/layers/test_recurrent.py::test_extra_padding_changes_nothing",
            r"h_t = m_t \cdot f(x_t, h_{t-1}) + (1 - m_t) \cdot h_{t-1}",
            table=known.compared(comparisons.COMPARISONS[0].title),
        ),
        Section(
            "Before and after",
            (),
            "Both approaches stay: bags for what is quick, sequences where the order says it.",
            Judged(TASTE, "A matter of the task."),
            project,
            "tests/layers/test_vocabulary.py",
        ),
    ]


EXERCISES = (
    Exercise(
        "bigrams",
        "words",
        "All runs of one or two words of the list `words`, first the single ones and then the pairs (joined by a "
        "space), "
        "in their order, each as often as it stands there.",
        lambda rng: {"words": [str(rng.choice(["cat", "sat", "mat", "the"])) for _ in range(int(rng.integers(1, 7)))]},
        lambda words: [*words, *(f"{a} {b}" for a, b in itertools.pairwise(words))],
    ),
)
