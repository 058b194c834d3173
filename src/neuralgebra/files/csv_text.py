"""Text of CSV files: what the bytes say, what separates columns, and the rows of cells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from neuralgebra.errors import LoadError, shown

__all__ = ["Look", "decoded", "look_of", "rows_of"]

DELIMITERS = ("\t", ";", ",")  # a comma may be a decimal comma between semicolons


def decoded(data: bytes, where: str) -> str:
    """Return the text of UTF-8 bytes, without a byte order mark."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise LoadError(f"{where}: UTF-16 text received; UTF-8 expected.\nSave the table as CSV UTF-8.")
    if b"\0" in data:
        raise LoadError(f"{where}: a binary file received; CSV or Parquet expected.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LoadError(f"{where}: line {line} is no UTF-8 text.\nSave the table as CSV UTF-8.") from None


_QUOTED = r' *+"(?:[^"]|"")*+"'
_CELL = rf"(?:{_QUOTED}|[^\t;,\r\n]*+)"
_ROW = re.compile(rf"(?:[ \t]*+[\r\n])*+({_CELL}(?:[\t;,]{_CELL})*+)")
_QUOTED_CELL = re.compile(rf"(^|[\t;,]){_QUOTED}")


@dataclass(frozen=True)
class Look:
    """What the first rows look like: the separator, cells in quotes, and whether quotes make the first one a header."""

    delimiter: str
    quotes: bool
    header: bool


def look_of(text: str) -> Look:
    """Look at the first two rows; the separator is the first known one outside of quotes."""
    bare, count, end = _unquoted(text, 0)
    header = _all_quoted(bare, count) and not _all_quoted(*_unquoted(text, end)[:2])
    return Look(next((d for d in DELIMITERS if d in bare), ","), count > 0, header)


def _unquoted(text: str, start: int) -> tuple[str, int, int]:
    """Return the next row without its quoted cells, how many these are, and where the row ends."""
    match = _ROW.match(text, start)
    assert match is not None  # it may be empty
    return *_QUOTED_CELL.subn(r"\1", match[1]), match.end()


def _all_quoted(bare: str, count: int) -> bool:
    return not bare.strip("".join(DELIMITERS)) and count == len(bare) + 1


def rows_of(text: str, look: Look, where: str) -> Iterator[tuple[int, list[str]]]:
    """Yield number of the line and cells of each row that is not empty; `""` alone is a header, an empty name."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=look.delimiter, skipinitialspace=True, strict=True)
    first = look.header
    try:
        for row in reader:
            if len(row) > 1 or any(map(str.strip, row)) or (first and row):
                first = False
                yield reader.line_num, row
    except csv.Error as error:
        raise LoadError(f"{where}: line {reader.line_num}: {shown(error)}; CSV expected.") from None
