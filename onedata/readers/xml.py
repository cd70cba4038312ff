"""XML, streamed: one row for each `recordTag` element, or for each repeated element in it (`records`).

Namespaces are ignored: paths go by local names, so a vendor's namespaces and extra elements do no harm. XML has no engine in DuckDB:
libxml2 parses (`xml_stream`), a stylesheet made of the contract's paths takes the rows out (`xml_paths`), Arrow splits them.
"""

import copy
from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from lxml import etree

from onedata.contracts.model import Feed
from onedata.readers.base import FileProblem, Reading, SourceFile
from onedata.readers.xml_paths import FIELD_END, FLOOD, PRESENT, columns, members_xpath, record_tags, stylesheet, xpath
from onedata.readers.xml_stream import Unreadable, record_batches, records_as_sent
from onedata.sql import quote_name


def xml_query(con: duckdb.DuckDBPyConnection, feed: Feed, files: Sequence[SourceFile]) -> Reading:
    """See `Reading`; a path that is not there is NULL, an element that is there and empty is ''.

    A file that is not well-formed to its end, or that is refused for what is in it, is a problem, found while the query runs.

    Raises:
        ContractError: a path of the contract is not understood.
    """
    schema = pa.schema([("_file_number", pa.int32()), ("_row", pa.int64()), *((name, pa.string()) for name in columns(feed))])
    problems: list[FileProblem] = []
    stylesheet(feed, "any namespace")  # a mistake in a path is told now, not while the query runs
    con.register("xml_rows", pa.RecordBatchReader.from_batches(schema, _rows(feed, files, schema, problems)))
    fields = ", ".join(quote_name(name) for name in feed.source_fields)
    return Reading(f"select _file_number, _row, null::varchar as _broken, {fields} from xml_rows", problems)


def raw_records(feed: Feed, file: SourceFile, rows: Sequence[int]) -> Iterator[tuple[int, str]]:
    """The wanted rows' records as XML, with their numbers, in the file's order.

    A text is the whole record with the namespaces it needs; of an exploded feed's members that are rows only the one is left in it. In any
    root element the same contract reads it again as that one row.

    Raises:
        etree.XMLSyntaxError, Unreadable: the file cannot be read to the last wanted row.
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
    """A copy of the record without its members but one."""
    kept = copy.deepcopy(record)
    for other, member in enumerate(members(kept)):
        if other != index:
            member.getparent().remove(member)
    return kept


def _rows(feed: Feed, files: Sequence[SourceFile], schema: pa.Schema, problems: list[FileProblem]) -> Iterator[pa.RecordBatch]:
    """Batches of rows; a file that breaks off is added to `problems`, and what was read of it must not land."""
    sheets = {True: stylesheet(feed, "one namespace"), False: stylesheet(feed, "any namespace")}
    for file in files:
        number = 0
        try:
            for batch in record_batches(file.path, record_tags(feed)):
                fields = _split(bytes(sheets[batch.one_namespace](batch.root)), len(schema) - 2)
                count = len(fields[0])
                numbers = pa.arange(number + 1, number + count + 1)
                yield pa.RecordBatch.from_arrays([pa.repeat(pa.scalar(file.number, pa.int32()), count), numbers, *fields], schema=schema)
                number += count
        except etree.XMLSyntaxError as error:
            problems.append(FileProblem(file, f"the file is not well-formed XML (truncated?): {error}. Ask for it again."))
        except etree.XSLTApplyError as error:
            if str(error) != FLOOD:
                raise
            problems.append(FileProblem(file, "the file is refused: a record says so much that its rows, which each repeat it, would flood the lake."))
        except Unreadable as error:
            problems.append(FileProblem(file, f"the file is refused: {error}"))


def _split(text: bytes, width: int) -> list[pa.Array]:
    """The stylesheet's text as `width` columns."""
    cells = pc.split_pattern(pa.array([text], pa.string()), FIELD_END).flatten()[:-1]
    table = pa.FixedSizeListArray.from_arrays(cells, width)
    fields = [pc.list_element(table, index) for index in range(width)]
    return [pc.if_else(pc.equal(field, ""), pa.scalar(None, pa.string()), pc.ascii_ltrim(field, PRESENT)) for field in fields]


def read_xml(con: duckdb.DuckDBPyConnection, feed: Feed, files: Sequence[SourceFile]) -> Reading:
    """`xml_query` with every row's raw text as `_raw`, for a landing that does not ask for the bad rows' alone."""
    reading = xml_query(con, feed, files)
    schema = pa.schema([("_file_number", pa.int32()), ("_row", pa.int64()), ("_raw", pa.string())])
    con.register("xml_raw", pa.RecordBatchReader.from_batches(schema, _raw_rows(feed, files, schema)))
    return Reading(f"select q.*, r._raw from ({reading.query}) q join xml_raw r using (_file_number, _row) order by _file_number, _row", reading.problems)


def _raw_rows(feed: Feed, files: Sequence[SourceFile], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for file in files:
        try:
            for number, text in raw_records(feed, file, range(1, file.size // 4 + 2)):
                yield pa.RecordBatch.from_pylist([{"_file_number": file.number, "_row": number, "_raw": text}], schema=schema)
        except (etree.XMLSyntaxError, Unreadable):
            continue  # the rows' own reader tells
