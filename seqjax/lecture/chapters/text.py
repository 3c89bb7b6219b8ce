"""From text to numbers."""

import numpy as np

from seqjax.data.text import sample_reviews
from seqjax.data.text.encodings import Vocabulary, document_weights
from seqjax.data.text.tokens import Corpus, Tokenizer
from seqjax.data.text.vectorizer import Vectorizer
from seqjax.lecture.known import Known
from seqjax.lecture.pictures import text as pictures
from seqjax.lecture.section import SO, TASTE, Exercise, Judged, Section

TITLE = "Text as numbers"
CAT = "The cat sat on the mat."
TEXTS = (CAT, "The dog sat on the cat!", "A mat, a dog, a cat...")


def said(tokens: list[bytes]) -> str:
    """Tokens for people."""
    return ", ".join(f"`{token.decode()}`" for token in tokens)


def sections(known: Known) -> list[Section]:
    """See `seqjax.lecture.section`."""
    reviews = sample_reviews.reviews().train_texts
    shouted, unknown = "  Don't SHOUT -- it's a *film*! ", "The platypus sat"
    ids = Vectorizer.fit(TEXTS, length=8)
    bags = {name: Vectorizer.fit(TEXTS, encoding=name) for name in ("multi_hot", "count", "tf_idf")}
    columns, weights = bags["tf_idf"]([CAT])
    known_words = len(bags["tf_idf"].decode(columns[0]))
    counts = bags["count"]([CAT])[1][0][:known_words]
    table = [["encoding of", *(f"`{word}`" for word in bags["tf_idf"].decode(columns[0]))]]
    table += [["multi-hot", *("1" for _ in counts)], ["count", *(f"{count:.0f}" for count in counts)]]
    table += [["TF-IDF", *(f"{weight:.2f}" for weight in weights[0][:known_words])]]
    test = "tests/data/text/test_vectorizer.py::test_each_encoding_of_a_small_corpus"
    return [
        Section(
            "Language, natural and made",
            (
                "title-text",
                "human-machine",
                "nlp",
                "rules",
                "sentiment",
                "translation",
                "filtering",
                "text-classification",
            ),
            "The tasks that the lecture names are rows here: sentiment `imdb_bilstm_masked` "
            f"({known.score('imdb_bilstm_masked')}), translation `multi30k_gru` ({known.score('multi30k_gru')}), "
            f"content "
            f"filtering `sms_spam` ({known.score('sms_spam')}), kinds of questions `trec_bilstm` "
            f"({known.score('trec_bilstm')}).",
            Judged(TASTE, "History, and a list of tasks."),
            known.score,
            "tests/test_experiments.py",
        ),
        Section(
            "Standardise",
            ("vectorization", "standardization", "stemming", "feature-engineering", "generalize"),
            f"`{shouted.strip()}` becomes {said(Tokenizer()(shouted))}: lower case, no punctuation, as Keras has it. "
            "Accents, special characters and stems are switches.",
            Judged(SO, "Equal to Keras on any text, and on the whole of the lecture's reviews."),
            Tokenizer.standardise,
            "tests/data/text/test_tokens.py::test_tokens",
        ),
        Section(
            "Tokenise",
            ("tokenization", "n-grams", "characters", "two-kinds"),
            f"`{CAT}` in words: {said(Tokenizer()(CAT))}; in pairs besides: {said(Tokenizer(ngrams=2)(CAT))}; in "
            f"characters: {said(Tokenizer(split='characters')(CAT)[:7])}, and so on.",
            Judged(SO, "As Keras splits them."),
            Tokenizer,
            "tests/data/text/test_tokens.py::test_tokens",
        ),
        Section(
            "Index",
            ("indexing", "most-common", "special-tokens"),
            f"The most frequent words get the numbers from {ids.vocabulary.unknown + 1} on. `{CAT}` is "
            f"{list(map(int, ids([CAT])[0]))}, and `{unknown}` {list(map(int, ids([unknown])[0]))}: "
            f"{ids.vocabulary.unknown} is a word that is not known, and a zero is padding, which a mask hides.",
            Judged(SO, "Mask and unknown have the lecture's numbers."),
            Vocabulary.fit,
            "tests/data/text/test_encodings.py::test_order_is_count_then_reverse_lexicographic",
            picture=pictures.coverage(Corpus.of(reviews, Tokenizer())),
        ),
        Section(
            "Encode",
            ("encoding", "tf-idf"),
            f"`{CAT}` as a row of {bags['count'].vocabulary.size} columns, of which those that are not zero are "
            f"shown. A "
            "word that stands in every text weighs little.",
            Judged(SO, "Equal to Keras."),
            document_weights,
            test,
            r"w = n \ln(1 + \frac{N}{1 + d})",
            table=table,
        ),
    ]


def _tf_idf(counts: np.ndarray) -> np.ndarray:
    return counts * np.log(1 + len(counts) / (1 + (counts > 0).sum(0)))[None]


EXERCISES = (
    Exercise(
        "tf_idf",
        "counts",
        "From how often each word stands in each text (`counts`, $[N, V]$) to TF-IDF weights $[N, V]$: the count times "
        "$\\ln(1 + N / (1 + d))$, $d$ being the number of texts that hold the word.",
        lambda rng: {"counts": rng.integers(0, 4, size=(4, 6))},
        _tf_idf,
    ),
)
