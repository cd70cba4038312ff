"""Refuse a file that should be UTF-8 and is Chinese text in GB18030.

Most of its lines are no UTF-8 and are quarantined; but some are valid UTF-8 by chance, and would land with other
characters. Only a file in which the reader met an invalid line is looked at, so that a usual file costs no further
pass.
"""

from pathlib import Path

import duckdb

from onedata.contracts.model import Feed
from onedata.readers import Reading
from onedata.readers.base import FileProblem, Part
from onedata.readers.encoding import is_utf8
from onedata.readers.mistaken import is_chinese
from onedata.sql import quote_text

_JSON = ("json", "jsonl")


def in_chinese(con: duckdb.DuckDBPyConnection, feed: Feed, reading: Reading, bad: Path) -> list[FileProblem]:
    """The files of a reading that are no UTF-8, but GB18030. The rows must have been written.

    Args:
        con: The connection that read the files.
        feed: The feed of the files.
        reading: What was read.
        bad: The folder of the invalid rows.
    """
    return [FileProblem(part.file, _reason(feed)) for part in _suspects(con, feed, reading, bad)]


def _suspects(con: duckdb.DuckDBPyConnection, feed: Feed, reading: Reading, bad: Path) -> list[Part]:
    location = feed.location
    if location.format == "csv" and reading.rejects_table and is_utf8(location.options.get("encoding", "utf-8")):
        query = (
            f"select distinct s.file_path from {reading.rejects_table} e join {reading.rejects_table}_scans s "
            "using (scan_id, file_id) where e.error_type = 'INVALID ENCODING'"
        )
        paths = {path for (path,) in con.execute(query).fetchall()}
        found = [part for part in reading.parts if str(part.file.path) in paths]
    elif location.format in _JSON and bad.exists():
        query = (
            f"select distinct _file from read_parquet({quote_text(str(bad / '*.parquet'))}, hive_partitioning=false) "
            "where _extra ->> 'rule' = 'unreadable_record'"
        )
        names = {name for (name,) in con.execute(query).fetchall()}
        found = [part for part in reading.parts if part.file.relative in names]
    else:
        found = []
    return [part for part in found if is_chinese(part.file.path)]


def _reason(feed: Feed) -> str:
    if feed.location.format in _JSON:
        return "the file is no UTF-8, the one encoding of JSON; it reads as GB18030. Ask for UTF-8."
    return (
        "the file is no UTF-8; it reads as GB18030. Set encoding: gb18030 in the contract if its text is right then, "
        "or ask for UTF-8."
    )
