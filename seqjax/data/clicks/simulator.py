"""Visitors of a shop, people and bots, made by seed; how likely each is a bot is known after every click.

A person reads or rushes, a hidden mode that changes from click to click; the mode says which page follows which, and
how long it is looked at (log-normal). A bot is of one of three kinds, with pages and times of its own; but it imitates:
with probability `imitation` a click is one that a person in some mode would have made. So at 0 a few clicks give a bot
away, and at 1 nothing does. Both leave after a click with the same probability, so a visit's length tells nothing.

A person, and a bot of a known kind, is a hidden Markov model of two modes. Its likelihood is the forward sum (Rabiner
1989, section III A), and Bayes's rule over person and kinds is the best that any judge can do who knows all of this.

Legend: N visitors, T clicks, P pages, M modes, K kinds of bots.
"""

import dataclasses

import numpy as np

from seqjax.data.clicks.visits import Visits
from seqjax.errors import UserError, check_least

PAGES = ("home", "list", "search", "product", "reviews", "cart", "help", "account")
LABELS = ("human", "bot")
LONGEST, SHORTEST, LEAVES = 64, 2, 1 / 16
"""Clicks of a visit; the probability that it ends after one."""
START = np.array([0.45, 0.15, 0.15, 0.2, 0.0, 0.02, 0.02, 0.01])
"""Of the first page, whoever it is."""
MODE_START = np.array([0.7, 0.3])
MODES = np.array([[0.85, 0.15], [0.3, 0.7]])
"""From reading or rushing to reading or rushing."""
READING = [
    [0.02, 0.35, 0.25, 0.2, 0.0, 0.05, 0.08, 0.05],
    [0.05, 0.15, 0.1, 0.6, 0.0, 0.05, 0.03, 0.02],
    [0.03, 0.15, 0.22, 0.55, 0.0, 0.01, 0.03, 0.01],
    [0.03, 0.2, 0.07, 0.15, 0.35, 0.16, 0.03, 0.01],
    [0.02, 0.15, 0.05, 0.48, 0.1, 0.18, 0.01, 0.01],
    [0.1, 0.1, 0.05, 0.2, 0.05, 0.15, 0.1, 0.25],
    [0.3, 0.1, 0.2, 0.1, 0.0, 0.1, 0.1, 0.1],
    [0.3, 0.15, 0.1, 0.05, 0.0, 0.25, 0.1, 0.05],
]
RUSHING = [
    [0.05, 0.55, 0.2, 0.15, 0.0, 0.03, 0.01, 0.01],
    [0.05, 0.4, 0.1, 0.4, 0.0, 0.03, 0.01, 0.01],
    [0.05, 0.2, 0.4, 0.3, 0.0, 0.03, 0.01, 0.01],
    [0.05, 0.45, 0.1, 0.3, 0.05, 0.03, 0.01, 0.01],
    [0.05, 0.3, 0.05, 0.5, 0.05, 0.03, 0.01, 0.01],
    [0.1, 0.2, 0.1, 0.3, 0.0, 0.2, 0.02, 0.08],
    [0.4, 0.2, 0.2, 0.1, 0.0, 0.02, 0.05, 0.03],
    [0.4, 0.2, 0.1, 0.1, 0.0, 0.1, 0.02, 0.08],
]
SLIPS = 0.02
HUMAN = (1 - SLIPS) * np.array([READING, RUSHING]) + SLIPS / len(PAGES)
"""[M, P, P] the probability of a page after a page; people slip, so no click is impossible."""
HUMAN_TIMES = np.log([12.0, 1.5]), np.array([0.9, 0.6])
"""[M] mean and deviation of ln seconds, ..."""
LONGER = np.array([0.0, 0.0, -0.2, 0.4, 0.7, 0.1, 0.5, 0.2])
"""... and what is added to the mean on a page [P]."""


def _favouring(*pages: str) -> np.ndarray:
    """[P, P]: mostly these pages, whatever was before; each other one now and then."""
    favoured = np.isin(PAGES, pages)
    row = np.where(favoured, 0.88 / favoured.sum(), 0.12 / (~favoured).sum())
    return np.tile(row, (len(PAGES), 1))


BOTS = np.array([_favouring("list", "product"), _favouring("search", "product"), _favouring("product", "cart")])
"""[K, P, P]: one crawls, one scrapes prices, one watches the stock."""
BOT_TIMES = np.log([2.0, 5.0, 8.0]), np.array([0.25, 0.3, 0.35])
"""[K]."""


@dataclasses.dataclass(frozen=True)
class Simulator:
    """Makes visitors, half of them bots.

    Raises:
      UserError: options out of range.
    """

    imitation: float = 0.5
    """The probability that a bot's click is a person's."""

    def __post_init__(self):
        if not 0 <= self.imitation <= 1:
            raise UserError(f"imitation={self.imitation} is not in [0, 1]")

    def visits(self, count: int, seed: int) -> Visits:
        """N = `count` visitors.

        Raises:
          UserError: too few to learn and to judge.
        """
        check_least("visitors", count, 20)
        rng = np.random.default_rng(seed)
        labels = rng.permutation(np.arange(count) % 2).astype(np.int32)
        kinds = rng.integers(0, len(BOTS), count)
        lengths = np.clip(SHORTEST + rng.geometric(LEAVES, count) - 1, SHORTEST, LONGEST)
        pages = np.full((count, LONGEST), -1, np.int32)
        seconds = np.zeros((count, LONGEST))
        pages[:, 0] = rng.choice(len(PAGES), count, p=START)
        modes = (rng.random(count) > MODE_START[0]).astype(int)
        for t in range(1, LONGEST):
            modes = _drawn(rng, MODES[modes])
            imitating = (labels == 0) | (rng.random(count) < self.imitation)
            before = pages[:, t - 1]
            chosen = np.where(imitating[:, None], HUMAN[modes, before], BOTS[kinds, before])
            pages[:, t] = _drawn(rng, chosen)
            mean = np.where(imitating, HUMAN_TIMES[0][modes] + LONGER[before], BOT_TIMES[0][kinds])
            deviation = np.where(imitating, HUMAN_TIMES[1][modes], BOT_TIMES[1][kinds])
            seconds[:, t] = np.exp(mean + deviation * rng.standard_normal(count))
        beyond = np.arange(LONGEST) >= lengths[:, None]
        pages[beyond], seconds[beyond] = -1, 0
        names = [f"visitor {k}" for k in range(count)]
        return Visits(names, PAGES, pages, seconds, lengths, labels, LABELS, self.log_odds(pages, seconds))

    def log_odds(self, pages: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        """ln P(bot | clicks so far) / P(human | clicks so far) after each click [N, T].

        Args:
          pages: [N, T], -1 behind the end of a visit.
          seconds: [N, T] since the click before; the first one's count for nothing.
        """
        count, steps = pages.shape
        shares = np.tile(MODE_START, (count, 1 + len(BOTS), 1))  # [N, 1 + K, M] of the modes, given the clicks so far
        likelihood = np.zeros((count, 1 + len(BOTS)))
        found = np.zeros((count, steps))
        for t in range(1, steps):
            real = pages[:, t] >= 0
            before, page, time = (np.where(real, what, 1) for what in (pages[:, t - 1], pages[:, t], seconds[:, t]))
            human = HUMAN[:, before, page].T * _density(
                time[:, None], HUMAN_TIMES[0] + LONGER[before, None], HUMAN_TIMES[1]
            )
            own = BOTS[:, before, page].T * _density(time[:, None], *BOT_TIMES)
            bots = self.imitation * human[:, None] + (1 - self.imitation) * own[:, :, None]  # [N, K, M]
            joint = (shares @ MODES) * np.concatenate([human[:, None], bots], axis=1)
            total = joint.sum(axis=2)
            shares = np.where(real[:, None, None], joint / total[:, :, None], shares)
            likelihood += np.where(real[:, None], np.log(total), 0)
            of_bots = np.logaddexp.reduce(likelihood[:, 1:], axis=1) - np.log(len(BOTS))
            found[:, t] = of_bots - likelihood[:, 0]
        return found


def _drawn(rng: np.random.Generator, shares: np.ndarray) -> np.ndarray:
    """[N] one of the columns of each row of probabilities [N, C]."""
    return np.minimum((rng.random(len(shares))[:, None] > shares.cumsum(axis=1)).sum(axis=1), shares.shape[1] - 1)


def _density(seconds: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Of a log-normal, but for the factor 1 / seconds that all have."""
    z = (np.log(seconds) - mean) / deviation
    return np.exp(-z * z / 2) / (deviation * np.sqrt(2 * np.pi))
