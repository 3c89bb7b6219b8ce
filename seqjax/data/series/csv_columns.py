"""The quick road through a CSV: pyarrow reads the columns; what it refuses, or what looks odd, is left to `csv_cells`.

Legend: N rows, F columns.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqjax.data.series import arrays, date_columns
from seqjax.data.series.cells import EMPTY, Numbers, is_missing, series_name
from seqjax.data.series.csv_text import Text
from seqjax.data.series.rows import Rows

NUMBER, TEXT, NOTHING, UNKNOWN = "number", "text", "empty", "unknown"
"""What a column holds; unknown where the first rows have no value."""
NULLS = sorted({w for word in EMPTY for w in (word, word.upper(), word.capitalize())} | {"NaN", "N/a", "NaT", "-NaN"})
"""What pyarrow is told of `EMPTY`; the rest of the ways to write it, such as nUlL, is for the slow road."""
MISSING = f"^(?i:{'|'.join(map(re.escape, EMPTY))})$"


def read(text: Text, times: Sequence[int], series: Sequence[int], asked: Sequence[int]) -> Rows | None:
    """The columns at the places asked for, or all that hold numbers; None where a second look is needed.

    Args:
      text: of the file.
      times: where the dates are, without which nothing is read.
      series: where the names of the series are, if there are several.
      asked: places.
    """
    import pyarrow as pa

    numbers = Numbers(text.form.decimal, text.form.thousands)
    kinds = dict.fromkeys(asked, NUMBER) or _kinds(text, {*times, *series}, numbers)
    known = {k: found for k, found in kinds.items() if found is not None}
    if len(known) < len(kinds):
        return None
    try:
        batches = _batches(text, [*times, *series], known)
        return None if batches is None else _rows(text, batches, times, series, known, numbers)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def kind(cell: str | None, numbers: Numbers) -> str | None:
    """What a column holds by its first cell that is not missing; None for a number but for its comma."""
    if cell is None:
        return NOTHING
    if numbers.is_number(cell):
        return NUMBER
    return None if numbers.advice(cell) else TEXT


def texts(text: Text, taken: set[int]) -> list[str]:
    """The columns of text by their first rows, those that are taken aside."""
    kinds = _kinds(text, taken, Numbers(text.form.decimal, text.form.thousands))
    return [text.header[k] for k, found in kinds.items() if found == TEXT]


def _kinds(text: Text, taken: set[int], numbers: Numbers) -> dict[int, str | None]:
    """By the first rows."""
    found, head = {}, text.head()
    for k in range(len(text.header)):
        if k not in taken:
            first = next((cells[k] for cells in head if not is_missing(cells[k])), None)
            found[k] = UNKNOWN if first is None else kind(first, numbers)
    return found


def _batches(text: Text, names: list[int], kinds: dict[int, str]) -> Any:
    """The rows of all columns but texts, called by their places, some thousand at a time; None for odd quotes."""
    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    body: Any = memoryview(text.data)[text.body :]
    if text.form.comment:
        mark = re.escape(text.form.comment.encode())
        body = re.sub(rb"(?:\A|(?<=[\r\n]))[ \t]*" + mark + rb"[^\r\n]*(?:\r\n|\r|\n|\Z)", b"", body)
    quoted = text.data.find(b'"', text.body) >= 0
    if quoted and not _tidy(body, text.delimiter):
        return None
    number = pa.string() if text.form.thousands else pa.float64()
    types = {str(k): number if kind == NUMBER else pa.string() for k, kind in kinds.items() if kind != TEXT}
    types |= {str(k): pa.string() for k in names}
    # In this thread: of pyarrow's own, one that still runs when the process ends was seen to abort it (1 time in 300).
    read = arrow_csv.ReadOptions(column_names=[str(k) for k in range(len(text.header))], use_threads=False)
    table = arrow_csv.read_csv(
        pa.BufferReader(pa.py_buffer(body)),
        read_options=read,
        parse_options=arrow_csv.ParseOptions(delimiter=text.delimiter, quote_char='"' if quoted else False),
        convert_options=arrow_csv.ConvertOptions(
            check_utf8=False,  # `csv_text` has
            column_types=types,
            include_columns=list(types),
            null_values=NULLS,
            decimal_point=text.form.decimal,
        ),
    )
    return table.to_batches()


def _tidy(body: Any, delimiter: str) -> bool:
    """Whether quotes are where they belong, around whole cells, and all cells end in the line that they begin in."""
    content = np.frombuffer(body, np.uint8)
    quotes = np.flatnonzero(content == ord('"'))
    if len(quotes) % 2:
        return False
    starts, ends = quotes[::2], quotes[1::2]
    edge = np.zeros(256, bool)
    edge[[ord(delimiter), ord("\n"), ord("\r")]] = True
    twice = np.concatenate([starts[1:] == ends[:-1] + 1, [False]])  # "" within a cell
    before = (starts == 0) | edge[content[starts - 1]] | np.concatenate([[False], twice[:-1]])
    after = (ends == len(content) - 1) | edge[content[np.minimum(ends + 1, len(content) - 1)]] | twice
    if not (before.all() and after.all()):
        return False
    lines = np.flatnonzero((content == ord("\n")) | (content == ord("\r")))
    return not (np.searchsorted(quotes, lines) % 2).any()


def _rows(
    text: Text, batches: Any, times: Sequence[int], series: Sequence[int], kinds: dict[int, str], numbers: Numbers
) -> Rows | None:
    most = _line_ends(text.data) + 1
    places = [k for k, found in kinds.items() if found != TEXT]
    values, moments = np.empty((most, len(places))), np.empty(most, "datetime64[us]")
    codes, names = np.empty(most if series else 0, np.int32), {}
    found, zoned, cut, start = dict(kinds), set(), False, 0
    for batch in batches:
        rows = slice(start, start + batch.num_rows)
        read = date_columns.read(joined([batch.column(str(k)) for k in times]), text.form.format)
        if read is None:
            return None
        moments[rows], cut, start = read.times, cut | read.cut, rows.stop
        zoned.add(read.zoned)
        for place, k in enumerate(places):
            found[k], column = numeric(batch.column(str(k)), found[k], numbers)
            if column is None or np.isinf(column).any():
                return None
            values[rows, place] = column
        if series and not number_names([batch.column(str(k)) for k in series], codes[rows], names):
            return None
    kept = [k for k in places if found[k] == NUMBER]
    if not kept or not start or len(zoned) > 1:
        return None
    values = values[:start]
    return Rows(
        time="+".join(text.header[k] for k in times),
        columns=[text.header[k] for k in kept],
        times=moments[:start],
        values=values if len(kept) == len(places) else values[:, [places.index(k) for k in kept]],
        line=text.line,
        series=codes[:start] if series else None,
        names=list(names),
        left_out=[(text.header[k], why.replace(UNKNOWN, NOTHING)) for k, why in found.items() if why != NUMBER],
        zoned=zoned.pop(),
        cut=cut,
    )


def _line_ends(data: bytes) -> int:
    """As many as there are, or more: CRLF counts as two."""
    content, block = np.frombuffer(data, np.uint8), 1 << 18
    ends = [ord(end) for end in "\n\r" if end.encode() in data]
    return sum(
        int(np.count_nonzero(content[k : k + block] == end)) for end in ends for k in range(0, len(content), block)
    )


def joined(columns: list[Any]) -> Any:
    """Columns of text as one, a space between."""
    if len(columns) == 1:
        return columns[0]
    import pyarrow.compute as pc  # 50 ms

    compute: Any = pc
    return compute.binary_join_element_wise(*[compute.utf8_trim_whitespace(column) for column in columns], " ")


def numeric(column: Any, found: str, numbers: Numbers) -> tuple[str, np.ndarray | float | None]:
    """A column's numbers.

    Args:
      column: of pyarrow, text or float64.
      found: what it has held before.
      numbers: how they are written.

    Returns:
      what it holds; its numbers [N], NaN where missing; None for the latter if a cell that should be a number is none.
    """
    import pyarrow as pa

    if found == UNKNOWN:
        first = next((cell.as_py() for cell in column if not is_missing(cell.as_py())), None)
        known = UNKNOWN if first is None else kind(first, numbers)
        if known is None:
            return found, None
        found = known
    if found != NUMBER:
        return found, np.nan
    if not pa.types.is_floating(column.type):
        column = parsed(column, numbers)
        return found, None if column is None else arrays.numbers(column)
    values = arrays.numbers(column)
    if np.count_nonzero(np.isnan(values)) > column.null_count:
        return found, None  # `nAn`, or `nan(1)`, which pyarrow takes for one
    return found, values


def parsed(column: Any, numbers: Numbers) -> Any:
    """A column of text as one of float64; None if a cell is no number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    compute: Any = pc  # its functions are made when it is imported: pyright sees none
    text = compute.utf8_trim_whitespace(column)
    text = compute.replace_substring_regex(text, MISSING, "nan")
    if not compute.all(compute.match_substring_regex(text, f"^(?:{numbers.pattern}|nan)$")).as_py():
        return None
    if numbers.thousands:
        text = compute.replace_substring_regex(text, numbers.grouping, "")
    if numbers.decimal != ".":
        text = compute.replace_substring(text, numbers.decimal, ".")
    return compute.cast(text, pa.float64())


def number_names(columns: list[Any], codes: np.ndarray, names: dict[str, int]) -> bool:
    """Number the names of series in columns of text, in the order in which they come.

    Args:
      columns: of pyarrow; of several, the parts are joined as by `series_name`.
      codes: [N], which is filled.
      names: their numbers, which grows.

    Returns:
      False if a row has no name.
    """
    import pyarrow as pa

    encoded = columns[0].dictionary_encode()
    parts = [(part,) for part in encoded.dictionary.to_pylist()]
    for column in columns[1:]:
        own = column.dictionary_encode()
        words = own.dictionary.to_pylist()
        pairs = arrays.numbers(encoded.indices).astype(np.int64) * len(words) + arrays.numbers(own.indices)
        encoded = pa.array(pairs).dictionary_encode()
        before = [divmod(pair, len(words)) for pair in encoded.dictionary.to_pylist()]
        parts = [(*parts[first], words[second]) for first, second in before]
    numbers = [names.setdefault(series_name(each), len(names)) for each in parts]
    codes[:] = np.array(numbers, np.int32)[arrays.numbers(encoded.indices)]
    return "" not in names
