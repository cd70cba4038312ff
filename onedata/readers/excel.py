"""Excel workbooks (.xlsx): one sheet, converted to a Parquet file of text columns for the Parquet reader.

Method: openpyxl's read-only mode streams the sheet's rows. DuckDB's own reader returns days as serial numbers if every
column is text, and other readers hold a whole sheet in memory. A formula has the value saved with the workbook; nothing
is calculated or executed.
"""

import errno
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import pyarrow as pa
import pyarrow.parquet as pq
from lxml.etree import XMLSyntaxError

from onedata.masking import shown
from onedata.readers.digits import WHOLE_IN_DOUBLE

BATCH_ROWS = 20_000
MAX_BYTES = 8 << 30
MAX_RATIO = 500
RATIO_FROM_BYTES = 256 << 20
_ZEROS = re.compile("00+")
# An empty result is one only where the cell says that its result is a text.
_NO_RESULT = re.compile(
    rb"""<c (?![^>]*\bt="str")[^>]*?\br="([A-Z]+[0-9]+)"[^>]*>\s*"""
    rb"<f(?:[^>]*/>|[^>]*>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>"
)
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    ValueError,
    TypeError,
    IndexError,
    AttributeError,
    EOFError,
    ParseError,
    XMLSyntaxError,
    NotImplementedError,
    RuntimeError,
    OSError,
)


class NotASheet(ValueError):
    """The workbook cannot be read according to the contract; the message gives the reason and the fix."""


def to_parquet(source: Path, target: Path, sheet: str | None, cells: str | None) -> None:
    """Write a sheet's rows as text columns, named by its header row; rows without any value are dropped.

    Args:
        source: The workbook.
        target: The Parquet file.
        sheet: The sheet's name; None for the first.
        cells: Range of the table, as A3, A3:J or A3:J500, including the header row; None: from the first row with a
            value.

    Raises:
        NotASheet: it is not a workbook, the sheet does not exist, or its header has missing or duplicate names.
    """
    # Loaded where a feed is a workbook: a tenth of a second of every command's start.
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        _refuse_bomb(source)
        book = openpyxl.load_workbook(source, read_only=True, data_only=True, keep_links=False)
        _refuse_uncalculated(source, _chosen(book, sheet))
        rows = _table(book, sheet, cells)
        header = _header(next(rows, []))
        _write(target, header, rows)
    except NotASheet:
        raise
    except (*_BROKEN, InvalidFileException) as error:
        # Errors of our own disk are not the file's fault; an offset before the start of an archive is.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise NotASheet(
            f"the file cannot be read as an Excel workbook (.xlsx): {error}. Save it again as .xlsx, without a "
            "password."
        ) from None


def _refuse_bomb(source: Path) -> None:
    """Refuse a zip bomb. A workbook is a zip whose declared sizes can be trusted, since Python's reader enforces
    them."""
    with zipfile.ZipFile(source) as archive:
        size = sum(info.file_size for info in archive.infolist())
    packed = source.stat().st_size
    if size > MAX_BYTES or (size > RATIO_FROM_BYTES and size > packed * MAX_RATIO):
        raise NotASheet(
            f"{packed:,} bytes unpack to {size:,}, as a zip bomb does; deliver the rows as CSV if this is meant."
        )


def _table(book: Any, name: str | None, cells: str | None) -> Iterator[list[str | None]]:
    """Rows of the sheet as text, within `cells`; rows before the first value are skipped."""
    chosen = _chosen(book, name)
    chosen.reset_dimensions()  # the size that a sheet declares is often wrong
    first_column, first_row, last_column, last_row = _bounds(cells)
    begun = cells is not None
    for row in chosen.iter_rows(min_row=first_row, max_row=last_row, min_col=first_column, max_col=last_column):
        texts = [_text(cell.value, cell) for cell in row]
        begun = begun or any(text is not None for text in texts)
        if begun:
            yield texts


def _chosen(book: Any, name: str | None) -> Any:
    if name is not None and name not in book.sheetnames:
        raise NotASheet(
            f"there is no sheet {name!r}; the workbook has {', '.join(map(repr, book.sheetnames))}. Set `sheet` in the "
            "contract."
        )
    return book[name] if name is not None else book.worksheets[0]


def _refuse_uncalculated(source: Path, sheet: Any) -> None:
    """Refuse a sheet with a formula whose result was not saved with it: its cell would be read as empty."""
    with zipfile.ZipFile(source) as archive, archive.open(sheet._worksheet_path) as stream:
        rest = b""
        while block := stream.read(1 << 20):
            text = rest + block
            if found := _NO_RESULT.search(text):
                raise NotASheet(
                    f"cell {found[1].decode('ascii', 'replace')} has a formula whose result is not saved in the file. "
                    "Open it in Excel and save it again, or have the values written."
                )
            rest = text[max(text.rfind(b"<c "), 0) :]


def _bounds(cells: str | None) -> tuple[int, int, int | None, int | None]:
    from openpyxl.utils.cell import column_index_from_string

    match = re.fullmatch(r"([A-Z]+)(\d+)(?::([A-Z]+)(\d+)?)?", cells or "A1")
    assert match is not None
    return (
        column_index_from_string(match[1]),
        int(match[2]),
        column_index_from_string(match[3]) if match[3] else None,
        int(match[4]) if match[4] else None,
    )


def _header(row: list[str | None]) -> list[str | None]:
    """The column names; a column without a name is not read if it is empty (see `_write`)."""
    names = [name.strip() if name else None for name in row]
    twice = sorted(name for name, count in Counter(filter(None, names)).items() if count > 1)
    if twice:
        raise NotASheet(
            f"column {twice[0]!r} stands twice in the header. Set `range` in the contract to the table's own cells."
        )
    if not any(names):
        raise NotASheet(
            "the sheet has no header: it is empty, or `range` in the contract does not begin at the header row."
        )
    return names


def _write(target: Path, header: list[str | None], rows: Iterator[list[str | None]]) -> None:
    schema = pa.schema([pa.field(name, pa.string()) for name in header if name])
    with pq.ParquetWriter(target, schema, compression="snappy") as writer:
        batch: list[list[str | None]] = []
        for number, row in enumerate(rows, 1):
            if not any(text is not None for text in row):
                continue
            extra = [
                text
                for position, text in enumerate(row)
                if text is not None and (position >= len(header) or not header[position])
            ]
            if extra:
                raise NotASheet(
                    f"row {number} below the header has {shown(extra[0])} in a column without a name. Name it, or set "
                    "`range` in the contract."
                )
            batch.append(
                [row[position] if position < len(row) else None for position, name in enumerate(header) if name]
            )
            if len(batch) == BATCH_ROWS:
                writer.write_batch(_batch(batch, schema))
                batch = []
        writer.write_batch(_batch(batch, schema))


def _batch(rows: list[list[str | None]], schema: pa.Schema) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.RecordBatch.from_arrays([pa.array(column, pa.string()) for column in columns], schema=schema)


def _text(value: object, cell: Any) -> str | None:
    """A cell's value as text that DuckDB casts back: ISO days and times, plain decimals, true and false. A number that
    a double no longer tells from its neighbours has an exponent, so that nothing takes it for an id; zeros that the
    cell's format shows before a number are kept."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer() and abs(value) <= WHOLE_IN_DOUBLE):
        digits = str(int(value))
        shown_as = cell.number_format if value >= 0 else ""
        return digits.zfill(len(shown_as)) if _ZEROS.fullmatch(shown_as) else digits
    if isinstance(value, float):
        return repr(value) if abs(value) > WHOLE_IN_DOUBLE else format(Decimal(repr(value)), "f")
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return str(value)
