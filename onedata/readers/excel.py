"""Excel workbooks (.xlsx): one sheet, converted to a Parquet file of text columns for the Parquet reader.

Method: openpyxl's read-only mode streams the sheet's rows. DuckDB's own reader returns days as serial numbers if every
column is text, and other readers hold a whole sheet in memory. A formula has the value saved with the workbook; nothing
is calculated or executed.
"""

import codecs
import errno
import re
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

import pyarrow as pa
import pyarrow.parquet as pq
from lxml.etree import XMLSyntaxError

from onedata.masking import shown
from onedata.readers.excel_told import KINDS, NO_RESULT

if TYPE_CHECKING:
    from onedata.readers.excel_rows import Bounds, Row

BATCH_ROWS = 20_000
MAX_BYTES = 8 << 30
MAX_RATIO = 500
RATIO_FROM_BYTES = 256 << 20
_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_CANNOT = "the file cannot be read as an Excel workbook (.xlsx)"
_DAMAGED = f"{_CANNOT}: it is cut off or damaged. Ask for it again, saved as .xlsx without a password."
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


def to_parquet(
    source: Path, target: Path, sheet: str | None, cells: str | None, mapped: Collection[str] | None = None
) -> None:
    """Write a sheet's rows as text columns, named by its header row; rows without any value are dropped.

    Args:
        source: The workbook.
        target: The Parquet file.
        sheet: The sheet's name; None for the first.
        cells: Range of the table, as A3, A3:J or A3:J500, including the header row; None: from the first row with a
            value.
        mapped: The columns that the contract reads. With them the file has the columns of `excel_told` too; without
            them all columns count as read, and cells that cannot be read keep the text that they show.

    Raises:
        NotASheet: it is not a workbook, the sheet does not exist, or its header has missing or duplicate names.
    """
    # Loaded where a feed is a workbook: a tenth of a second of every command's start.
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        _refuse_others(source)
        _refuse_bomb(source)
        # openpyxl's warnings quote values; what matters of them is told of the cell.
        with warnings.catch_warnings(action="ignore"):
            book = openpyxl.load_workbook(source, read_only=True, data_only=True, keep_links=False)
            rows = _table(book, sheet, cells)
            first = next(rows, None)
            header = _header(first)
            _write(target, header, _checked(rows, header, first.number if first else 0, mapped), mapped is not None)
    except NotASheet:
        raise
    except (*_BROKEN, InvalidFileException) as error:
        # Errors of our own disk are not the file's fault; an offset before the start of an archive is.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise NotASheet(_DAMAGED) from error


def _refuse_others(source: Path) -> None:
    """Refuse a file of another kind by its first bytes, and an archive by its members."""
    with source.open("rb") as stream:
        head = stream.read(1 << 10)
    if head.startswith(_OLD):
        raise NotASheet(
            f"{_CANNOT}: it is an old workbook (.xls), or one with a password. Ask for it saved as .xlsx, without a "
            "password."
        )
    if not head.startswith(b"PK"):
        kind = "a web page or XML" if head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"<") else "no workbook"
        raise NotASheet(f"{_CANNOT}: it is {kind}. Ask for it saved as .xlsx, or change the format in the contract.")
    if not zipfile.is_zipfile(source):
        raise NotASheet(_DAMAGED)
    with zipfile.ZipFile(source) as archive:
        names = set(archive.namelist())
    if "[Content_Types].xml" not in names or "xl/workbook.bin" in names:
        kind = "a binary workbook (.xlsb)" if "xl/workbook.bin" in names else "an archive of another kind"
        raise NotASheet(f"{_CANNOT}: it is {kind}. Ask for it saved as .xlsx.")


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


def _table(book: Any, name: str | None, cells: str | None) -> Iterator["Row"]:
    """Rows of the sheet, within `cells`; rows before the first value are skipped."""
    from onedata.readers.excel_rows import Row, rows_of

    bounds = _bounds(cells)
    begun = False
    for row in rows_of(book, _chosen(book, name), bounds):
        if not begun and cells is not None and row.number > bounds.first_row:
            yield Row(bounds.first_row, [], [])  # an empty row where the range has its names
        begun = begun or cells is not None or not row.is_empty
        if begun:
            yield row


def _chosen(book: Any, name: str | None) -> Any:
    if name is not None and name not in book.sheetnames:
        raise NotASheet(
            f"there is no sheet {name!r}; the workbook has {', '.join(map(repr, book.sheetnames))}. Set `sheet` in the "
            "contract."
        )
    return book[name] if name is not None else book.worksheets[0]


def _bounds(cells: str | None) -> "Bounds":
    from openpyxl.utils.cell import column_index_from_string

    from onedata.readers.excel_rows import Bounds

    match = re.fullmatch(r"([A-Z]+)(\d+)(?::([A-Z]+)(\d+)?)?", cells or "A1")
    assert match is not None
    return Bounds(
        column_index_from_string(match[1]),
        int(match[2]),
        column_index_from_string(match[3]) if match[3] else None,
        int(match[4]) if match[4] else None,
    )


def _header(row: "Row | None") -> list[str | None]:
    """The column names; a column without a name is not read if it is empty (see `_checked`)."""
    for cell in row.told if row else ():
        if cell.kind == NO_RESULT:
            raise _uncalculated(cell.words)
    names = [name.strip() if name else None for name in (row.texts if row else ())]
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


def _uncalculated(cell: str) -> NotASheet:
    return NotASheet(
        f"cell {cell} has a formula whose result is not saved in the file. Open it in Excel and save it again, or have "
        "the values written."
    )


def _checked(
    rows: Iterator["Row"], header: list[str | None], top: int, mapped: Collection[str] | None
) -> Iterator["Row"]:
    """The rows with a value. A formula without a result in a mapped column (None: in any), which would be read as
    empty, and a value in a column without a name refuse the sheet."""
    for row in rows:
        for cell in row.told:
            name = header[cell.position] if cell.position < len(header) else None
            if cell.kind == NO_RESULT and (mapped is None or name in mapped):
                raise _uncalculated(cell.words)
        for position, text in enumerate(row.texts):
            if text is not None and (position >= len(header) or not header[position]):
                raise NotASheet(
                    f"row {row.number - top} below the header has {shown(text)} in a column without a name. Name it, "
                    "or set `range` in the contract."
                )
        if any(text is not None for text in row.texts):
            yield row


def _write(target: Path, header: list[str | None], rows: Iterator["Row"], is_told: bool) -> None:
    names = [(position, name) for position, name in enumerate(header) if name]
    fields = [pa.field(name, pa.string()) for _, name in names]
    kinds = KINDS if is_told else ()
    schema = pa.schema([*fields, *[pa.field(kind, pa.map_(pa.string(), pa.string())) for kind in kinds]])
    with pq.ParquetWriter(target, schema, compression="snappy") as writer:
        while batch := list(islice(rows, BATCH_ROWS)):
            columns: list[list[Any]] = [
                [row.texts[position] if position < len(row.texts) else None for row in batch] for position, _ in names
            ]
            columns += [[_told(row, kind, header) for row in batch] for kind in kinds]
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def _told(row: "Row", kind: str, header: list[str | None]) -> list[tuple[str, str]] | None:
    """What is told of a row's cells, by column."""
    if not row.told:
        return None
    return [(str(header[cell.position]), cell.words) for cell in row.told if cell.kind == kind] or None
