"""Pretrained word vectors."""

import numpy as np

from seqjax import analogies
from seqjax.data.text import glove
from seqjax.errors import UserError
from seqjax.lecture.drawing import themed
from seqjax.lecture.known import Known
from seqjax.lecture.pictures import pretrained as pictures
from seqjax.lecture.section import TASTE, Exercise, Judged, Picture, Section
from seqjax.models.glove import GloVe
from seqjax.models.word2vec import Word2Vec
from seqjax.report import plots
from seqjax.report.gallery import WORDS
from seqjax.report.verdicts import UNDECIDED

TITLE = "Pretrained word vectors"
SHARES = (0.01, 0.05, 0.2, 1.0)
START = ("imdb_bilstm_masked", "imdb_word2vec", "imdb_glove")


def few(known: Known) -> list[list[str]]:
    """Scores by the share of the labels that was trained on."""
    options = lambda share: {} if share == 1 else {"train_fraction": share}
    lines = [[f"`{name}`", *(known.score(name, **options(share)) for share in SHARES)] for name in START]
    return [["of the labels", *(f"{share:.0%}" for share in SHARES)], *lines]


def sections(known: Known) -> list[Section]:
    """See `seqjax.lecture.section`."""
    fraction = known.claims(("imdb_word2vec", "imdb_bilstm_masked"), ("imdb_glove", "imdb_bilstm_masked"))
    fraction = [v for v in fraction if v.claim.better_options]
    few_said = " ".join(f"{v.claim.meaning}: {v.verdict}." for v in fraction)
    kinds = {v.verdict for v in fraction}
    kind = kinds.pop() if len(kinds) == 1 else UNDECIDED
    return [
        Section(
            "Little training data",
            ("few-labels", "convnets", "generic"),
            "Vectors learned on other texts, or on the same ones without labels, should help where labels are few.",
            Judged(kind, f"By share of the labels it differs. {few_said}"),
            few,
            "tests/report/test_verdicts.py",
            picture=pictures.few(known, START, SHARES),
            table=few(known),
        ),
        Section(
            "Word2Vec",
            ("word2vec",),
            "Predict the words around a word; tell true neighbours from drawn ones.",
            known.judged(("imdb_word2vec", "imdb_bilstm_masked")),
            Word2Vec,
            "tests/models/test_word2vec.py",
            r"\ln \sigma(u_o \cdot v_c) + \sum_k \ln \sigma(-u_k \cdot v_c)",
        ),
        Section(
            "GloVe",
            ("glove", "word2vec-faster"),
            "Count which words stand together, and fit the logarithms of the counts.",
            known.judged(("word2vec", "glove", "seconds"), ("word2vec", "glove", "seconds_until_best")),
            GloVe,
            "tests/models/test_glove.py",
            r"\sum_{i,j} f(X_{ij}) (w_i \cdot v_j + b_i + c_j - \ln X_{ij})^2",
        ),
        Section(
            "Relations",
            ("relations",),
            "A relation is a direction: what leads from one word to its counterpart leads from others to theirs.",
            Judged(TASTE, "To be seen in the picture; `seqjax.analogies` answers with words."),
            analogies.analogy,
            "tests/test_analogies.py::test_an_analogy_leaves_its_own_words_out",
            r"\text{king} - \text{man} + \text{woman} \approx \text{queen}",
            relations(known),
        ),
    ]


def relations(known: Known) -> Picture | None:
    """Among GloVe's own vectors, where they are at hand; else the picture that the checkout keeps."""
    file = glove.find(known.data_dir, 100)
    if file:
        try:
            found = plots.relations(file.name, analogies.read(file, WORDS))
        except UserError:
            return None
        return Picture("Three relations", f"{found.caption} From {file.name}.", themed(found.svg), wide=True)
    return pictures.kept(known.results and known.results.parent / "pictures/relations_glove.png")


def _analogy(E: np.ndarray, a: int, b: int, c: int) -> int:
    unit = E / np.linalg.norm(E, axis=1, keepdims=True)
    cosines = unit @ (unit[b] - unit[a] + unit[c])
    cosines[[a, b, c]] = -np.inf
    return int(cosines.argmax())


EXERCISES = (
    Exercise(
        "analogy",
        "E, a, b, c",
        "What is to word `c` as `b` is to `a`? Scale the vectors `E` $[V, d]$ to length one; return the number of "
        "the word "
        "with the largest cosine to $b - a + c$, the three left out.",
        lambda rng: {
            "E": rng.normal(size=(12, 4)),
            **dict(zip("abc", map(int, rng.choice(12, 3, replace=False)), strict=True)),
        },
        _analogy,
    ),
)
