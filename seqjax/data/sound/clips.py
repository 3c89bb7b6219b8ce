"""Recordings with labels: from a folder, a tar archive (packed or not), or a table of paths.

A folder or archive that holds `labels.csv` is read by it; without one the label of a recording is the name of the
folder that it lies in, as of Speech Commands. Files that are no WAV are not recordings; a WAV file that cannot be read
is an error, not a recording less.

A table has the columns `path` and `label`, and may have `speaker` and `part`; paths are relative to it.

Legend: N samples.
"""

import dataclasses
import io
import lzma
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from seqjax.data.sound import waveforms
from seqjax.data.text import splits, text_table
from seqjax.errors import UserError

Read = Callable[[str], bytes]
"""What a file holds, by its name; KeyError: there is none."""
TABLE = "labels.csv"
SUFFIX = ".wav"


@dataclasses.dataclass(frozen=True)
class Clip:
    """A recording."""

    samples: np.ndarray
    """[N] float32."""
    label: str
    speaker: str = ""
    """"": not known."""
    part: str = ""
    """`train`, `validation`, `test`, or "": to be drawn."""
    name: str = ""
    """Where it lay."""


def read(path: Path, rate: int) -> list[Clip]:
    """All recordings of a folder, an archive or a table, in the order of their names (of a table, in its order).

    Args:
      path: of any of the three.
      rate: Hz of their samples.

    Raises:
      UserError: missing, damaged, or without a recording; a recording without a label.
    """
    try:
        if path.is_dir():
            names = sorted(found.relative_to(path).as_posix() for found in path.rglob("*") if found.is_file())
            return _labelled(_within(path), names, str(path), rate)
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    if waveforms.is_wav(data):
        raise UserError(f"{path} is a single recording: give a folder, an archive or a table of labelled ones")
    if (members := archived(data, str(path))) is not None:
        return _labelled(members.__getitem__, sorted(members), str(path), rate)
    return _of_table(data, _within(path.parent), "", str(path), rate)


def sounds(path: Path, rate: int) -> Iterator[tuple[str, np.ndarray]]:
    """(name, samples [N]) of every WAV file that a path stands for: itself, or in the folder or archive that it is.

    Raises:
      UserError: as `read`.
    """
    try:
        if path.is_dir():
            files = sorted(found for found in path.rglob("*") if found.is_file() and _is_sound(found.as_posix()))
            if not files:
                raise UserError(f"{path}: no {SUFFIX} file is in this folder")
            yield from ((str(file), waveforms.read(file.read_bytes(), str(file), rate)) for file in files)
            return
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    yield from contained(data, str(path), rate)


def contained(data: bytes, name: str, rate: int) -> Iterator[tuple[str, np.ndarray]]:
    """(name, samples [N]) of the WAV file that content is, or of those in the archive that it is."""
    members = None if waveforms.is_wav(data) else archived(data, name)
    if members is None:
        yield name, waveforms.read(data, name, rate)
        return
    found = [member for member in sorted(members) if _is_sound(member)]
    if not found:
        raise UserError(f"{name}: no {SUFFIX} file is in this archive")
    yield from ((f"{name}/{member}", waveforms.read(members[member], f"{name}/{member}", rate)) for member in found)


def archived(data: bytes, name: str) -> dict[str, bytes] | None:
    """The files of a tar archive, plain or packed by gzip, bzip2 or xz; None: it is something else.

    Raises:
      UserError: damaged or truncated.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            files = [member for member in archive if member.isfile()]
            return {file.name: archive.extractfile(file).read() for file in files}  # type: ignore[union-attr]
    except tarfile.ReadError as error:
        if _packed(data) or data[257:262] == b"ustar":
            raise UserError(f"{name}: the archive is damaged or truncated ({error})") from error
        return None
    except (tarfile.TarError, EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        raise UserError(f"{name}: the archive is damaged or truncated ({error})") from error


def _packed(data: bytes) -> bool:
    return data.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"))


def _is_sound(name: str) -> bool:
    """Those whose names begin with a dot are notes that a Mac has put beside the files."""
    return name.lower().endswith(SUFFIX) and not posixpath.basename(name).startswith(".")


def _within(folder: Path) -> Read:
    """What reads a folder's files by their paths in it."""

    def content(name: str) -> bytes:
        try:
            return (folder / name).read_bytes()
        except (OSError, ValueError):  # ValueError: a path with a NUL
            raise KeyError(name) from None

    return content


def _labelled(files: Read, names: Sequence[str], place: str, rate: int) -> list[Clip]:
    """Those of a folder or an archive."""
    tables = [name for name in names if posixpath.basename(name) == TABLE]
    if tables:
        table = min(tables, key=lambda name: name.count("/"))
        return _of_table(files(table), files, posixpath.dirname(table), f"{place}/{table}", rate)
    found = [name for name in names if _is_sound(name)]
    if not found:
        raise UserError(f"{place}: neither {TABLE} nor a {SUFFIX} file is there")
    clips = []
    for name in found:
        label = posixpath.basename(posixpath.dirname(name))
        if not label:
            raise UserError(
                f"{place}: {name} has no label: put the recordings of each class into a folder of its name, "
                f"or {TABLE} (path,label) beside them"
            )
        clips.append(Clip(waveforms.read(files(name), f"{place}/{name}", rate), label, name=name))
    return clips


def _of_table(data: bytes, files: Read, folder: str, place: str, rate: int) -> list[Clip]:
    """Those that a table names; its paths are relative to `folder` of the files."""
    paths, labels = text_table.read(data, place, ["path", "label"]).columns
    others = {column: _optional(data, place, column) or [""] * len(paths) for column in ("speaker", "part")}
    lines = text_table.read(data, place, ["path"]).lines
    parts = splits.named(others["part"], lines, place) if any(others["part"]) else others["part"]
    clips = []
    for line, path, label, speaker, part in zip(lines, paths, labels, others["speaker"], parts, strict=True):
        if not path or not label:
            raise UserError(f"{place}: row {line}: without a {'label' if path else 'path'}")
        where = posixpath.normpath(posixpath.join(folder, path.replace("\\", "/")))
        try:
            content = files(where)
        except KeyError:
            raise UserError(f"{place}: row {line}: there is no file {path!r}") from None
        clips.append(Clip(waveforms.read(content, f"{place}: row {line}: {path}", rate), label, speaker, part, path))
    return clips


def _optional(data: bytes, place: str, column: str) -> list[str] | None:
    """A column, if the table has it."""
    try:
        return text_table.read(data, place, [column]).columns[0]
    except UserError as error:
        if "there is no column" not in str(error):
            raise
        return None
