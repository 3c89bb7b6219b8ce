"""Vectorising reviews beside Keras and scikit-learn, and an epoch of word2vec beside gensim, in this process.

Peers are imported where they are made: not all are installed.
"""

import functools
import statistics
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import seqjax
from seqjax.benchmark.process import threads
from seqjax.benchmark.worker import OURS
from seqjax.data.pipeline import import_tensorflow, steps_per_epoch
from seqjax.data.text import imdb_files, sample_reviews
from seqjax.data.text.imdb import LENGTH
from seqjax.data.text.tokens import Tokenizer
from seqjax.data.text.vectorizer import Vectorizer

VOCABULARY = 20_000
BATCH = 1000
"""Texts that Keras is given at once; the book's 32 take twice as long."""
WARM_UP = 100
"""Texts that everyone vectorises before the clock runs."""


class Kind(NamedTuple):
    """What is timed."""

    title: str
    peers: tuple[str, ...]
    encoding: str = ""
    """Of the vectorizer; none: word2vec."""
    ngrams: int = 1


KINDS = {
    "int": Kind("ids of words, 600 a review", ("keras",), "int"),
    "multi_hot": Kind("bags of words", ("keras", "sklearn"), "multi_hot"),
    "tf_idf": Kind("weighted bags of words", ("keras", "sklearn"), "tf_idf"),
    "bigrams": Kind("bags of words and pairs of words", ("keras", "sklearn"), "multi_hot", 2),
    "word2vec": Kind("an epoch of skip-gram with negative sampling", ("gensim",)),
}
PEERS = {"keras": ("keras", "tensorflow"), "sklearn": ("sklearn",), "gensim": ("gensim",)}
"""What each imports, the one that names its version first."""


class Row(TypedDict):
    """One implementation on one kind."""

    kind: str
    implementation: str
    """Ours is there twice: as one call, and (`seqjax-apart`) as `fit` followed by `encode`."""
    data: str
    items: int
    """Texts or words."""
    seconds: float
    """The median over blocks, as are those of all threads on the CPU."""
    cpu_seconds: float
    per_second: float
    """Items in a second of the clock."""
    blocks: list[list[float]]
    """Seconds and CPU seconds of each; block k of all implementations was run in turn."""
    threads: int
    version: str


class Task(NamedTuple):
    """Implementations of the same work."""

    items: int
    runs: dict[str, Callable[[], Any]]


def measure(kinds: Sequence[str], data: str, data_dir: Path, peers: Collection[str], blocks: int) -> list[Row]:
    """Run the blocks of all implementations of a kind in turn, kind after kind.

    Args:
      kinds: of `KINDS`.
      data: `real` or `sample`.
      data_dir: where real data are.
      peers: of `PEERS`, those that are installed.
      blocks: how often each is run.

    Raises:
      UserError: no data.
    """
    texts = training_texts(data, data_dir) if any(KINDS[kind].encoding for kind in kinds) else []
    rows: list[Row] = []
    for kind in kinds:
        beside = [peer for peer in KINDS[kind].peers if peer in peers]
        task = vectorizers(KINDS[kind], texts, beside) if KINDS[kind].encoding else word2vec(data, data_dir, beside)
        taken: dict[str, list[list[float]]] = {name: [] for name in task.runs}
        for _ in range(blocks):
            for name, run in task.runs.items():
                taken[name].append(_timed(run))
        rows += [_row(kind, name, data, task.items, seconds) for name, seconds in taken.items()]
    return rows


def _timed(run: Callable[[], Any]) -> list[float]:
    clock, cpu = time.perf_counter(), time.process_time()
    run()
    return [round(time.perf_counter() - clock, 4), round(time.process_time() - cpu, 4)]


def _row(kind: str, name: str, data: str, items: int, blocks: list[list[float]]) -> Row:
    seconds, cpu_seconds = (statistics.median(column) for column in zip(*blocks, strict=True))
    module = sys.modules[PEERS[name][0]] if name in PEERS else seqjax
    return Row(
        kind=kind,
        implementation=name,
        data=data,
        items=items,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        per_second=round(items / seconds, 1),
        blocks=blocks,
        threads=threads(),
        version=module.__version__,
    )


def training_texts(data: str, data_dir: Path) -> list[str]:
    """The 25,000 reviews for training, or those of the sample."""
    if data == "sample":
        return sample_reviews.reviews().train_texts
    found = imdb_files.find(data_dir) or imdb_files.download(data_dir)
    return [text for _, text in imdb_files.read(found)["train"]]


def vectorizers(kind: Kind, texts: list[str], peers: Collection[str]) -> Task:
    """Fit to the texts and transform them."""
    options: dict[str, Any] = {"tokenizer": Tokenizer(ngrams=kind.ngrams), "encoding": kind.encoding}
    options |= {"vocabulary_size": VOCABULARY, "length": LENGTH if kind.encoding == "int" else None}
    runs: dict[str, Callable[[list[str]], Any]] = {
        OURS: lambda texts: Vectorizer.fit_encode(texts, **options),
        f"{OURS}-apart": lambda texts: Vectorizer.fit(texts, **options).encode(texts),
    }
    made = {"keras": _keras, "sklearn": _sklearn}
    runs |= {peer: made[peer](kind) for peer in peers}
    for run in runs.values():
        run(texts[:WARM_UP])
    return Task(len(texts), {name: functools.partial(run, texts) for name, run in runs.items()})


def _keras(kind: Kind) -> Callable[[list[str]], Any]:
    """`adapt`, then `map`; what comes out is dropped batch by batch (multi-hot, 2 GB altogether)."""
    tf = import_tensorflow()
    import keras

    def run(texts: list[str]) -> None:
        layer = keras.layers.TextVectorization(
            max_tokens=VOCABULARY,
            output_mode=kind.encoding,
            ngrams=kind.ngrams if kind.ngrams > 1 else None,
            output_sequence_length=LENGTH if kind.encoding == "int" else None,
        )
        batches = tf.data.Dataset.from_tensor_slices(texts).batch(BATCH)
        layer.adapt(batches)
        for _ in batches.map(layer):
            pass

    return run


def _sklearn(kind: Kind) -> Callable[[list[str]], Any]:
    """`fit_transform` into a sparse matrix; its tokens are words of two and more characters."""
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer  # pyright: ignore[reportMissingImports]

    weighted = kind.encoding == "tf_idf"
    vectorizer = TfidfVectorizer if weighted else CountVectorizer
    options: Any = {"max_features": VOCABULARY, "ngram_range": (1, kind.ngrams), "binary": not weighted}
    return lambda texts: vectorizer(**options).fit_transform(texts)


def word2vec(data: str, data_dir: Path, peers: Collection[str]) -> Task:
    """Epoch after epoch of the experiment `word2vec`; gensim with its numbers, on the same blocks of known words."""
    from seqjax import experiment as experiments

    experiment = experiments.load(experiments.find("word2vec"))()
    dataset = experiment.source.load(data, data_dir)
    blocks = dataset.arrays["blocks"][dataset.parts["train"]]
    words = [[str(token) for token in block if token > 1] for block in blocks]  # 0 is padding, 1 an unknown word
    runs: dict[str, Callable[[], Any]] = {OURS: SkipGram(experiment, dataset).epoch}
    if "gensim" in peers:
        runs["gensim"] = _gensim(experiment, words)
    return Task(sum(map(len, words)), runs)


class SkipGram:
    """Trains as `fit` does."""

    def __init__(self, experiment: Any, dataset: Any):
        """Compiles, for full stacks and for the last one of an epoch."""
        from seqjax.training.program import Program, Settings
        from seqjax.training.state import create_state

        import_tensorflow()  # or a run begins to after some seconds, while it is timed
        self.program = Program(experiment, dataset, Settings())
        self.state = self.program.place(create_state(experiment, dataset.example(), None, dataset.target()))
        self.steps = steps_per_epoch(len(dataset.parts["train"]), experiment.batch_size)
        stack = self.program.steps_per_dispatch
        for start in dict.fromkeys((0, (self.steps - 1) // stack * stack)):
            self.train(start, min(start + stack, self.steps))

    def epoch(self) -> None:
        """The first one's batches."""
        self.train(0, self.steps)

    def train(self, start: int, stop: int) -> None:
        """Batches `start` to `stop` of an epoch."""
        import jax

        for batch in self.program.batches("train", start, stop, self.program.experiment.seed):
            self.state, _ = self.program.train(self.state, batch)
        jax.block_until_ready(self.state.params)


def _gensim(experiment: Any, words: list[list[str]]) -> Callable[[], Any]:
    """A worker for each core; the vocabulary is made before the clock runs, as ours is."""
    from gensim.models import Word2Vec  # pyright: ignore[reportMissingImports]

    model = Word2Vec(
        vector_size=experiment.model.embedding_size,
        window=experiment.model.window,
        negative=experiment.model.negatives,
        sample=experiment.source.sample,
        sg=1,
        hs=0,
        min_count=1,
        workers=threads(),
    )
    model.build_vocab(words)
    return lambda: model.train(words, total_examples=len(words), epochs=1)
