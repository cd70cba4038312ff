"""XML, streamed: one row for each `recordTag` element, or for each repeated element in it (`records`).

Namespaces are ignored: paths use local names, so a vendor's namespaces and extra elements do no harm. DuckDB has no XML
reader: libxml2 parses (`xml_stream`), a stylesheet compiled from the contract's paths extracts the rows (`xml_paths`),
and Arrow splits them into columns.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence

import duckdb
import pyarrow as pa
from lxml import etree

from onedata.contracts.model import Feed
from onedata.readers.base import (
    FileProblem,
    Part,
    Reading,
    SourceFile,
    no_records,
    note_members,
)
from onedata.readers.mistaken import misdeclared
from onedata.readers.xml_batches import FeedRows
from onedata.readers.xml_beside import Beside, RowsWriter
from onedata.readers.xml_drift import kept_leaves, leaves_of, unknown_leaves
from onedata.readers.xml_paths import FLOOD, members_xpath, record_tags, stylesheet, xpath
from onedata.readers.xml_stream import Unreadable, declared_encoding, record_batches, records_as_sent
from onedata.sql import json_of, quote_name


class XmlRecords(Reading):
    """A reading whose invalid records are fetched from the file by row number."""

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self._feed = feed

    def raw_of(self, file: SourceFile, places: Sequence[int]) -> Iterator[tuple[int, str]]:
        """See `Reading.raw_of`."""
        return raw_records(self._feed, file, places)


def read_xml(
    con: duckdb.DuckDBPyConnection, feed: Feed, files: Sequence[SourceFile], beside: Beside | None = None
) -> Reading:
    """See `Reading`; a missing path is NULL, an empty element is ''. Rows that another feed kept in `beside` are taken
    from there; else those of its feeds are kept there.

    A file that is not well-formed to its end, or is refused for its content, is a problem that is found while the query
    runs.

    Raises:
        ContractError: a path of the contract is invalid.
    """
    stylesheet(feed, "any namespace")  # report an error in a path now, not while the query runs
    reading = XmlRecords(feed)
    for file in files:
        kept = beside.rows_of(feed, file) if beside else None
        declared = None if kept else declared_encoding(file.path)
        if declared and (problem := misdeclared(file.path, declared)):
            reading.problems.append(FileProblem(file, problem))
            continue
        others = beside.feeds if beside and not kept else ()
        leaves, *leaves_of_others = [kept.leaves] if kept else leaves_of((feed, *others), file)
        unknown = unknown_leaves(feed, leaves)
        if not note_members(feed, file, leaves, unknown, reading):
            continue
        added = kept_leaves(feed, leaves)
        rows = FeedRows(feed, added)
        if kept:
            batches = kept.batches(rows.schema)
        else:
            # Records without rows are usual (a till's sign-on); beside fields that nobody knows, they look like renamed
            # ones.
            may_be_empty = feed.empty_ok or not feed.records or bool(feed.where) or not unknown
            writers = beside.writers(file, leaves_of_others) if beside else []
            batches = _rows(feed, file, rows, may_be_empty, reading.problems, writers)
        reading.parts.append(_part(con, feed, file, added, pa.RecordBatchReader.from_batches(rows.schema, batches)))
    return reading


def _part(
    con: duckdb.DuckDBPyConnection, feed: Feed, file: SourceFile, added: Sequence[str], rows: pa.RecordBatchReader
) -> Part:
    table = f"xml_rows_{file.number}"
    con.register(table, rows)
    fields = ", ".join(quote_name(name) for name in (*feed.source_fields, *added))
    present = " or ".join(f"{quote_name(name)} is not null" for name in added)
    extra = f"case when {present} then {json_of(added)} end" if added else None
    return Part(file, f"select _row, {fields} from {table}", extra=extra)


def records_part(con: duckdb.DuckDBPyConnection, feed: Feed, file: SourceFile, records: Iterable[str]) -> Part:
    """Read raw records of `raw_records` again: they are first written to the file's path, one after the other."""
    file.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file.path.open("w", encoding="utf-8") as stream:
        stream.write("<Records>")
        stream.writelines(records)
        stream.write("</Records>")
    return read_xml(con, feed, [file]).parts[0]


def raw_records(feed: Feed, file: SourceFile, rows: Sequence[int]) -> Iterator[tuple[int, str]]:
    """The wanted rows' records as XML, with their numbers, in file order.

    Each text is the whole record with the namespaces that it needs; for an exploded feed, only the member of that row
    is kept. Within any root element, the same contract reads it as that one row.

    Raises:
        etree.XMLSyntaxError, Unreadable: the file cannot be read up to the last wanted row.
    """
    wanted = set(rows)
    where = etree.XPath(xpath(feed, feed.where, "any namespace")) if feed.where else None
    members = etree.XPath(members_xpath(feed, "any namespace")) if feed.records else None
    number = 0
    for records in records_as_sent(file.path, record_tags(feed)):
        for record in records:
            count = 0 if where is not None and not where(record) else len(members(record)) if members is not None else 1
            for index in range(count):
                if number + index + 1 in wanted:
                    kept = record if members is None else _only(record, members, index)
                    yield number + index + 1, etree.tostring(kept, encoding="unicode", with_tail=False)
            number += count
        if number >= max(wanted, default=0):
            return


def _only(record: etree._Element, members: etree.XPath, index: int) -> etree._Element:
    """A copy of the record with only one of its members."""
    kept = copy.deepcopy(record)
    for other, member in enumerate(members(kept)):
        if other != index:
            member.getparent().remove(member)
    return kept


def _rows(
    feed: Feed,
    file: SourceFile,
    rows: FeedRows,
    may_be_empty: bool,
    problems: list[FileProblem],
    writers: Sequence[RowsWriter],
) -> Iterator[pa.RecordBatch]:
    """Batches of rows; a truncated file, or one without records, is added to `problems`, and its rows must not land."""
    has_records, is_whole = False, False
    try:
        for batch in record_batches(file.path, record_tags(feed)):
            has_records = True
            yield rows.take(batch)
            for writer in writers:
                writer.write(batch)
        if not has_records and not feed.empty_ok:
            name = feed.location.options["recordTag"]
            problems.append(FileProblem(file, no_records(feed, f"no element {name!r} (recordTag)")))
        elif not rows.number and not may_be_empty:
            problems.append(FileProblem(file, no_records(feed, f"nothing at {feed.records!r} (records) in any record")))
        is_whole = True
    except etree.XMLSyntaxError as error:
        problems.append(FileProblem(file, f"the file is not well-formed XML (truncated?): {error}. Ask for it again."))
    except etree.XSLTApplyError as error:
        if str(error) != FLOOD:
            raise
        problems.append(
            FileProblem(
                file,
                "the file is refused: a record says so much that its rows, which each repeat it, would flood the lake.",
            )
        )
    except Unreadable as error:
        problems.append(FileProblem(file, f"the file is refused: {error}"))
    finally:
        for writer in writers:
            if is_whole:
                writer.keep()
            else:
                writer.drop()
