"""Dates, one cell at a time, by the standard library.

The quick road (`date_columns`) must agree with this; here are also the words for a malformed cell.
"""

import datetime
import re
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

from seqjax.errors import UserError

USUAL = (
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y-%m",
)
"""Besides ISO 8601. Not 01/02/2014, which is two dates."""
UNIX = {"unix": 6, "unix_s": 6, "unix_ms": 3, "unix_us": 0, "unix_ns": -3}
"""The `format` of seconds, milli-, micro- and nanoseconds since 1970: the power of ten that makes microseconds."""
SECONDS = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,2})?")
FINER = re.compile(r":\d\d[.,]\d{6}\d*[1-9]", re.ASCII)
"""A time with parts below a microsecond."""
MIDNIGHT = re.compile(r"([T ])24(:?00(?::?00(?:[.,]0+)?)?)(?=$|Z|[+-])")
"""The end of a day, which Python reads since 3.14."""
EPOCH, DAY = datetime.datetime(1970, 1, 1), datetime.timedelta(days=1)


class Moment(NamedTuple):
    """A date, read."""

    time: datetime.datetime
    """Without a zone; UTC if there was one."""
    zoned: bool = False
    cut: bool = False
    """There were parts below a microsecond."""


def check(form: str | None) -> None:
    """Raises UserError: no cell can be read by such a form, whatever is in it."""
    if not form or form in UNIX:
        return
    said = "" if "%" in form else "it names no part of a date"
    try:
        datetime.datetime.strptime("", form)
    except (ValueError, LookupError, re.error) as error:
        if "does not match" not in str(error):  # as nothing does not match a right one
            said = (str(error).splitlines() or ["?"])[0][:80]
    if said:
        choices = ", ".join(UNIX)
        raise UserError(
            f"format={form!r} is no form of dates ({said}); choose one such as '%d.%m.%Y %H:%M', or {choices}"
        )


def read(text: str, form: str | None) -> Moment:
    """One cell.

    Args:
      text: of the cell.
      form: as `strptime` takes it, one of `UNIX`, or None for ISO 8601 or one of `USUAL`.

    Raises:
      UserError: not a date; the message is the rest of a sentence.
    """
    try:
        if not all(c.isascii() for c in text if c.isdigit()):
            raise ValueError(text)
        if form in UNIX:
            return _unix(text, UNIX[form])
        moment, cut = (datetime.datetime.strptime(text, form), False) if form else _usual(text)
        if moment.tzinfo is None:
            return Moment(moment, cut=cut)
        return Moment(moment.astimezone(datetime.UTC).replace(tzinfo=None), True, cut)
    except (ValueError, OverflowError) as error:
        asked = f"not a date of the form {form}" if form else "not a date that is known: set format"
        raise UserError(f"is {asked} (such as --set='format=%m/%d/%Y %H:%M', unix or unix_ms)") from error


def _unix(text: str, power: int) -> Moment:
    if not SECONDS.fullmatch(text):
        raise ValueError(text)
    exact = Decimal(text).scaleb(power)
    whole = exact.to_integral_value(ROUND_FLOOR)
    return Moment(EPOCH + datetime.timedelta(microseconds=int(whole)), cut=whole != exact)


def _usual(text: str) -> tuple[datetime.datetime, bool]:
    late = MIDNIGHT.search(text)
    plain = text[: late.start()] + late.expand(r"\g<1>00\g<2>") + text[late.end() :] if late else text
    try:
        moment = datetime.datetime.fromisoformat(plain)
    except ValueError:
        moment = _first_of_usual(plain)
    return (moment + DAY if late else moment), bool(FINER.search(text))


def _first_of_usual(text: str) -> datetime.datetime:
    for form in USUAL:
        try:
            return datetime.datetime.strptime(text, form)
        except ValueError:
            continue
    raise ValueError(text)
