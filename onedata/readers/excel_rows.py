"""The rows of an Excel sheet: each cell's value as text, and what is to be told of a cell whose text is not its value.

Loads openpyxl, so that it is imported only where a workbook is read.
"""

import math
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from openpyxl.cell.read_only import ReadOnlyCell
from openpyxl.utils.cell import get_column_letter
from openpyxl.worksheet._reader import FORMULA_TAG, VALUE_TAG, WorkSheetParser

from onedata.readers.digits import WHOLE_IN_DOUBLE
from onedata.readers.excel_formats import leaves_values, shown_by, text_shown_by
from onedata.readers.excel_told import NO_RESULT, SHOWN, UNREAD, WRONG


class Told(NamedTuple):
    """Something of the cell at a position of its row: its kind (`excel_told`, or `NO_RESULT`), and the words."""

    position: int
    kind: str
    words: str


class Row(NamedTuple):
    """A row: its number in the sheet, the text of each cell, and what is told of some of them."""

    number: int
    texts: list[str | None]
    told: list[Told]

    @property
    def is_empty(self) -> bool:
        return not self.told and all(text is None for text in self.texts)


class Bounds(NamedTuple):
    """The table's cells; None: up to the last."""

    first_column: int
    first_row: int
    last_column: int | None
    last_row: int | None


class _Parser(WorkSheetParser):
    """openpyxl's, which also tells a formula without a saved result from an empty cell."""

    def parse_cell(self, element: Any) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        # An empty result is one only where the cell says that its result is a text.
        if cell["value"] is None and element.find(FORMULA_TAG) is not None:
            is_empty_text = element.get("t") == "str" and element.find(VALUE_TAG) is not None
            cell["data_type"] = cell["data_type"] if is_empty_text else NO_RESULT
        return cell


class Formats:
    """The number formats of a workbook, by the style of a cell."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._known: dict[int, str | None] = {}

    def of(self, style: int) -> str | None:
        """The format; None for one that leaves numbers and texts as they are."""
        if style not in self._known:
            cell = ReadOnlyCell(self._book.worksheets[0], 1, 1, None, style_id=style)
            number_format = cell.number_format or "General"
            self._known[style] = None if leaves_values(number_format) else number_format
        return self._known[style]

    def is_day(self, style: int) -> bool:
        return style in self._book._date_formats


def rows_of(book: Any, sheet: Any, bounds: Bounds) -> Iterator[Row]:
    """The rows of the sheet that stand in the file, within the bounds."""
    formats = Formats(book)
    with sheet._get_source() as source:
        parser = _Parser(
            source,
            sheet._shared_strings,
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )
        for number, cells in parser.parse():
            if bounds.last_row is not None and number > bounds.last_row:
                break
            if number >= bounds.first_row:
                yield _row(number, cells, bounds, formats)


def _row(number: int, cells: list[dict[str, Any]], bounds: Bounds, formats: Formats) -> Row:
    texts: list[str | None] = []
    told: list[Told] = []
    for cell in cells:
        position = cell["column"] - bounds.first_column
        if position < 0 or (bounds.last_column is not None and cell["column"] > bounds.last_column):
            continue
        texts.extend([None] * (position + 1 - len(texts)))
        texts[position] = text = _text(cell["value"])
        kind, words = _told(cell, text, formats)
        is_code = kind == SHOWN and words.isascii() and words.isdigit()
        if is_code and cell["value"] == int(words):
            texts[position] = words  # zeros before a number are no other number
        elif kind:
            told.append(Told(position, kind, words))
    return Row(number, texts, told)


def _told(cell: dict[str, Any], text: str | None, formats: Formats) -> tuple[str, str]:
    """What is to be told of a cell: the kind and the words, both empty for most."""
    value, kind = cell["value"], cell["data_type"]
    if kind == NO_RESULT:
        return NO_RESULT, _place(cell)
    if kind == "e" and text is not None:
        is_day = value == "#VALUE!" and formats.is_day(cell["style_id"])
        what = "a number that is shown as a day and is none" if is_day else f"Excel's error {value}"
        return WRONG, f"cell {_place(cell)} holds {what}; correct it and send the workbook again"
    if isinstance(value, float) and not math.isfinite(value):
        return WRONG, f"cell {_place(cell)} holds a number too large for Excel; correct it and send the workbook again"
    number_format = formats.of(cell["style_id"])
    if text is None or number_format is None or isinstance(value, bool) or not isinstance(value, str | int | float):
        return "", ""
    if isinstance(value, str):
        shown: str | None = text_shown_by(number_format, value)
    else:
        shown = text if abs(value) > WHOLE_IN_DOUBLE else shown_by(number_format, value, text)
    if shown is None:
        return UNREAD, (
            f"cell {_place(cell)} is shown by the number format {number_format}, which is not read; send the column as "
            "text"
        )
    return (SHOWN, shown) if shown != text else ("", "")


def _place(cell: dict[str, Any]) -> str:
    return f"{get_column_letter(cell['column'])}{cell['row']}"


def _text(value: object) -> str | None:
    """A cell's value as text that DuckDB casts back: ISO days and times, plain decimals, true and false. A number that
    a double no longer tells from its neighbours has an exponent, so that nothing takes it for an id."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        if not math.isfinite(value):
            return str(value)
        if abs(value) > WHOLE_IN_DOUBLE:
            return format(Decimal(repr(float(value))).normalize(), "e")
        return str(int(value)) if value == int(value) else format(Decimal(repr(value)), "f")
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return str(value)
