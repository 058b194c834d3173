"""Workbooks: sheets of texts, numbers and formulas, as the bytes of an .xlsx file, by XlsxWriter.

What is written as a text stays one, whatever it starts with, also after it was edited; nothing becomes a link.
"""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

from neuralgebra.errors import MissingExtra

__all__ = ["Book", "Sheet"]

LONGEST = 1000
"""Characters of a text that are written at most."""

_STYLES: dict[str, dict[str, Any]] = {
    "title": {"bold": True, "font_size": 14},
    "note": {"italic": True, "font_color": "#595959"},
    "head": {"bold": True, "bottom": 1, "bg_color": "#E8EEF7", "align": "right", "indent": 1},
    "first": {"bold": True, "bottom": 1, "bg_color": "#E8EEF7"},
    "name": {"bold": True},
    "count": {"italic": True, "font_color": "#595959", "align": "center"},
    "input": {"bg_color": "#FFF2CC", "border": 1, "border_color": "#BF9000", "align": "right", "indent": 1},
    "number": {"align": "right", "indent": 1},
    "result": {"bg_color": "#E9F5E9", "align": "right", "indent": 1},
    "verdict": {"bold": True, "align": "left"},
}
_TEXTS = {"num_format": "@", "quote_prefix": True}


class _Bits(float):
    """A number that is written with all its digits, where XlsxWriter would write 16 of them."""

    def __format__(self, spec: str) -> str:
        return repr(float(self))


class Sheet:
    """One sheet.

    Parameters
    ----------
    sheet : object
        That of XlsxWriter.
    styles : dict of str to tuple
        Formats for texts and for numbers, by name.
    """

    def __init__(self, sheet: Any, styles: dict[str, tuple[Any, Any]]) -> None:
        self._sheet, self._styles = sheet, styles

    def text(self, row: int, column: int, text: str, style: str) -> None:
        """Write a text."""
        shown = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
        clean = shown.encode("utf-8", "replace").decode("utf-8")
        if clean:
            self._sheet.write_string(row, column, clean, self._styles[style][0])

    def number(self, row: int, column: int, value: float, style: str = "number") -> None:
        """Write a number, bit for bit."""
        self._sheet.write_number(row, column, _Bits(value), self._styles[style][1])

    def formula(self, row: int, column: int, text: str, value: float | str, style: str = "number") -> None:
        """Write a formula, and what it gives until somebody computes it anew."""
        known = value if isinstance(value, str) or abs(value) < float("inf") else "#NUM!"
        self._sheet.write_formula(row, column, f"={text}", self._styles[style][1], known)

    def columns(self, first: int, last: int, width: float) -> None:
        """Set the width of some columns, in characters."""
        self._sheet.set_column(first, last, width)

    def freeze(self, rows: int, columns: int) -> None:
        """Keep the first rows and columns in sight, also in print."""
        self._sheet.freeze_panes(rows, columns)
        if rows:
            self._sheet.repeat_rows(0, rows - 1)


class Book:
    """A workbook.

    Parameters
    ----------
    title : str
        What it says it is.
    names : sequence of str
        Its sheets, in order.
    """

    def __init__(self, title: str, names: list[str]) -> None:
        try:
            import xlsxwriter
        except ImportError:
            raise MissingExtra("workbooks need XlsxWriter, which is missing: pip install xlsxwriter") from None
        self._data = io.BytesIO()
        options = {"in_memory": True, "strings_to_urls": False, "strings_to_formulas": False}
        self._book = xlsxwriter.Workbook(self._data, options)
        # The same network gives the same bytes: no time of writing.
        self._book.set_properties({"title": title, "author": "neuralgebra", "created": datetime(1980, 1, 1)})
        styles = {
            name: (self._book.add_format(style | _TEXTS), self._book.add_format(style))
            for name, style in _STYLES.items()
        }
        self.sheets: dict[str, Sheet] = {}
        for name in names:
            sheet = self._book.add_worksheet(name)
            sheet.set_landscape()
            sheet.set_paper(9)
            sheet.fit_to_pages(1, 0)
            sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
            self.sheets[name] = Sheet(sheet, styles)

    def data(self) -> bytes:
        """Return the file; nothing can be written after this."""
        self._book.close()
        return self._data.getvalue()
