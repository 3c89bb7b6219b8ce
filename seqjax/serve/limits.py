"""What one request, one client and all of them together may ask for; and how that is refused."""

import dataclasses
import time
from collections import OrderedDict

from seqjax.errors import UserError

MOST_CLIENTS = 10_000
"""Addresses whose rate is followed at once."""


class RefusedError(Exception):
    """A request that is not answered: with which status, why, and in how many seconds to try again."""

    def __init__(self, status: int, message: str, retry: int | None = None):
        """Args: status: of HTTP. message: one line. retry: seconds; None: never."""
        super().__init__(message)
        self.status, self.message, self.retry = status, message, retry


@dataclasses.dataclass(frozen=True)
class Limits:
    """Raises UserError: a number out of range."""

    max_body: int = 4 << 20
    """Bytes of a request."""
    max_rows: int = 5_000
    """Texts, or lines of a file, in one request."""
    max_characters: int = 20_000
    """Of one text; a tenth of it may be drawn at once."""
    max_seconds: float = 120.0
    """Of a recording."""
    rate: float = 2_000.0
    """Requests a second of one address; 0: any. Twice as many may come at once."""
    concurrent: int = 256
    """Requests that are being answered at once."""
    queue: int = 1_024
    """Examples that wait for the model."""
    batch: int = 16
    """Examples that the model answers in one call."""
    timeout: float = 20.0
    """Seconds in which a request must have come."""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value, least = getattr(self, field.name), 0 if field.name in ("rate",) else 1
            if not least <= value <= 1 << 40:
                raise UserError(f"--{field.name} must be at least {least}, not {value}")
        if self.queue < self.batch:
            raise UserError(f"--queue={self.queue} is below --batch={self.batch}")


class Rates:
    """A bucket of requests for each address, filled at the rate, of twice its size."""

    def __init__(self, rate: float, now=time.monotonic):
        """Args: rate: requests a second; 0: any. now: the clock."""
        self.rate, self.now = rate, now
        self.most = max(2 * rate, 1)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> None:
        """Raises RefusedError: the bucket is empty."""
        if not self.rate:
            return
        now = self.now()
        left, then = self._left.pop(address, (self.most, now))
        left = min(self.most, left + (now - then) * self.rate)
        self._left[address] = (left - (left >= 1), now)
        if len(self._left) > MOST_CLIENTS:
            self._left.popitem(last=False)
        if left < 1:
            raise RefusedError(429, f"more than {self.rate:g} requests a second: ask again later", 1)
