"""The tokens that a translator knows, on one side, with those that begin and end a sentence. Standard library only."""

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterable, Sequence

from seqjax.data.text import sentences

PADDING, UNKNOWN, START, END = range(4)
SPECIAL = ("", "[UNK]", "[start]", "[end]")


@dataclasses.dataclass(frozen=True)
class Words:
    """Learned tokens; a token's id is its place behind the `SPECIAL` ones."""

    learned: tuple[str, ...]
    """Most frequent first, equally frequent ones in the order of their characters."""
    way: str
    """How a sentence becomes tokens: see `seqjax.data.text.sentences`."""

    @property
    def size(self) -> int:
        """How many ids there are, the special ones included."""
        return len(SPECIAL) + len(self.learned)

    @classmethod
    def fit(
        cls, texts: Iterable[Sequence[str]], way: str = "words", least: int = 1, most: int | None = None
    ) -> "Words":
        """Learn the tokens of some sentences.

        Args:
          texts: the tokens of each sentence of the training part.
          way: see the class.
          least: a token is learned that occurs so often.
          most: at most so many ids, the special ones included; None is no limit.
        """
        counts = Counter(token for text in texts for token in text)
        ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        learned = [token for token, count in ordered if count >= least and token not in SPECIAL]
        return cls(tuple(learned[: None if most is None else max(0, most - len(SPECIAL))]), way)

    @functools.cached_property
    def _ids(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.learned, len(SPECIAL))}

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """The ids of a sentence's tokens, without its start and end."""
        return [self._ids.get(token, UNKNOWN) for token in tokens]

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The tokens behind ids, up to the first end; padding and start are left out."""
        found = []
        for number in map(int, ids):
            if number == END:
                break
            if number not in (PADDING, START):
                found.append(SPECIAL[UNKNOWN] if number == UNKNOWN else self.learned[number - len(SPECIAL)])
        return found

    def decode(self, ids: Iterable[int]) -> str:
        """The sentence behind ids."""
        return sentences.join(self.tokens(ids), self.way)
