"""Download a file: resumed after a cut, checked, and under its final name only when whole.

While it arrives it is called `NAME.part`; `NAME.lock` keeps a second process waiting meanwhile.
"""

import contextlib
import hashlib
import http.client
import os
import re
import sys
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from seqjax.errors import UserError

if sys.platform != "win32":
    import fcntl

CHUNK = 1 << 16
Check = Callable[[Path], None] | None
RETRIED = (408, 425, 429)  # of the HTTP codes 4xx, those that pass; and all of 5xx


def download(
    urls: str | Sequence[str],
    destination: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    check: Check = None,
    attempts: int = 3,
    pause: float = 1.0,
    timeout: float = 30.0,
) -> Path:
    """Fetch `destination` from the first of `urls` that delivers it; a file already there is left alone.

    What an earlier try left in `destination.part` is resumed only if a `sha256` or a `check` will judge the
    whole: nothing else could tell it from the beginning of another file.

    Args:
      urls: one address, or mirrors in the order of preference.
      sha256: of the whole file, hex, if known.
      size: bytes of the whole file, if known; otherwise what the server announces is believed.
      check: called with the complete `.part`; raises ValueError if its content is damaged (see `check_zip`).
      attempts: how often each address is tried.
      pause: seconds before the second round, doubled before each further one.
      timeout: seconds without a byte after which a connection counts as cut.

    Returns:
      `destination`.

    Raises:
      UserError: no address delivered, or the folder cannot be written. The final name is free then.
    """
    addresses = [urls] if isinstance(urls, str) else list(urls)
    part = destination.with_name(destination.name + ".part")

    try:
        if destination.exists():
            return destination
        destination.parent.mkdir(parents=True, exist_ok=True)
        with _locked(destination.with_name(destination.name + ".lock")):
            if not destination.exists():  # or else the process that we waited for has brought it
                attempt = lambda url: _attempt(url, part, sha256, size, check, timeout)
                failures = _rounds(attempt, addresses, attempts, pause)
                if failures:
                    raise UserError(
                        f"cannot download {destination.name} ({failures}): download it by hand and put it at "
                        f"{destination}, or use --data=sample"
                    )
                os.replace(part, destination)
    except OSError as error:  # the network's own errors have become failures: this is the disk
        where = error.filename or destination
        raise UserError(
            f"{where}: {error.strerror or error}: {destination.name} cannot be saved there; choose another "
            f"--data_dir, or use --data=sample"
        ) from error
    return destination


def check_zip(path: Path) -> None:
    """Read every member of a zip archive against its checksum.

    Raises:
      ValueError: it is not a zip archive, or is truncated or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ValueError(f"not a whole zip archive: {error}") from error
    if damaged is not None:
        raise ValueError(f"{damaged} in the archive is damaged")


class _AttemptError(Exception):
    """An attempt at an address that did not deliver. `final`: there is no point in trying it again."""

    def __init__(self, reason: object, final: bool = False):
        text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        super().__init__(" ".join(text.split()))
        self.final = final


def _rounds(attempt: Callable[[str], None], addresses: list[str], attempts: int, pause: float) -> str:
    """Try the addresses in turn, round after round. Returns "" or, for each address, why it failed."""
    failures: dict[str, str] = {}
    remaining = list(addresses)
    for number in range(attempts):
        if number and remaining:
            time.sleep(pause * 2 ** (number - 1))
        for url in list(remaining):
            try:
                attempt(url)
                return ""
            except _AttemptError as failed:
                failures[url] = str(failed)
                if failed.final:
                    remaining.remove(url)
    return "; ".join(f"{url}: {reason}" for url, reason in failures.items())


def _attempt(url: str, part: Path, sha256: str | None, size: int | None, check: Check, timeout: float) -> None:
    """Make `part` whole from one address, or raise _AttemptError."""
    judged = sha256 is not None or check is not None
    have = part.stat().st_size if part.exists() else 0
    if have and not judged:
        part.unlink()
        have = 0
    if have != size:
        _transfer(url, part, have, size, timeout)
    try:
        _verify(part, sha256, check)
    except ValueError as error:
        part.unlink()
        # After a resume the beginning may be at fault; a file that came in one piece will not get better.
        raise _AttemptError(f"what arrived is damaged: {error}", final=have == 0) from error


def _verify(part: Path, sha256: str | None, check: Check) -> None:
    if sha256 is not None:
        with part.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != sha256.lower():
            raise ValueError(f"its sha256 is {found}, not {sha256}")
    if check is not None:
        check(part)


def _transfer(url: str, part: Path, have: int, size: int | None, timeout: float) -> None:
    """Append what follows the first `have` bytes, or all if the server cannot resume."""
    headers = {"User-Agent": "seqjax", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and have:  # nothing follows: the part is the whole file already, or longer
                if error.headers.get("Content-Range") != f"bytes */{have}":
                    part.unlink()
                    _transfer(url, part, 0, size, timeout)
                return
            final = 400 <= error.code < 500 and error.code not in RETRIED
            raise _AttemptError(f"HTTP {error.code} {error.reason}", final) from error
    except (OSError, http.client.HTTPException) as error:
        raise _AttemptError(getattr(error, "reason", error)) from error
    except ValueError as error:  # not an address at all
        raise _AttemptError(error, final=True) from error
    with response:
        start, total = _extent(response)
        if start not in (0, have):  # a server that counts otherwise: do without resuming
            part.unlink(missing_ok=True)
            raise _AttemptError("the server resumed at another byte than asked")
        if size is not None and total is not None and total != size:
            raise _AttemptError(f"the file there has {total:,} bytes instead of {size:,}", final=True)
        _append(response, part, start, size if total is None else total)


def _extent(response: http.client.HTTPResponse) -> tuple[int | None, int | None]:
    """Where the body begins in the file, and the file's bytes; None: not said."""
    if response.status != 206:  # the server sends all, whatever was asked for
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if found is None:
        return None, None
    return int(found[1]), None if found[2] == "*" else int(found[2])


def _append(response: http.client.HTTPResponse, part: Path, have: int, total: int | None) -> None:
    """Write the body behind the first `have` bytes of `part`; a body that ends early is a failure."""
    name = part.name.removesuffix(".part")
    bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=name, disable=None)  # None: terminals only
    with part.open("ab" if have else "wb") as stream, bar:
        while True:
            try:
                chunk = response.read1(CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise _AttemptError(error) from error
            if not chunk:
                break
            have += stream.write(chunk)
            bar.update(len(chunk))
        stream.flush()
        os.fsync(stream.fileno())
    if total is not None and have != total:
        raise _AttemptError(f"cut off after {have:,} of {total:,} bytes")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file; a killed holder loses it too. Windows has no flock and goes without."""
    if sys.platform == "win32":
        yield
        return
    while True:
        with path.open("ab") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"waiting for another process: {path}", file=sys.stderr)
                fcntl.flock(stream, fcntl.LOCK_EX)
            except OSError:
                pass  # a file system without locks: better unlocked than not at all
            if _is_at(stream, path):
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return


def _is_at(stream: BinaryIO, path: Path) -> bool:
    """Whether the lock held is still the file's: the holder before us removed its own."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False
