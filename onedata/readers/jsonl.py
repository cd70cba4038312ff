"""JSON lines, nested: one document a line, or one row for each member of an array in it (`records`).

Method: lines are read as text by DuckDB's CSV scanner with a delimiter that JSON text cannot hold, then each is parsed once.
"""

import re
from collections.abc import Sequence

import duckdb

from onedata.contracts.model import Feed
from onedata.readers.base import Reading, SourceFile, file_number, path_list
from onedata.sql import quote_name, quote_text

REJECTS = "jsonl_rejects"
NOWHERE = "(no member has this name)"
_KEYED = re.compile(r"^(?P<array>[^\[]+)\[(?P<key>\w+)=(?P<value>[^\]]+)\]\.(?P<rest>.+)$")


def read_jsonl(con: duckdb.DuckDBPyConnection, feed: Feed, files: Sequence[SourceFile]) -> Reading:
    """See `Reading`. An empty file is a day without rows; a line that is not a JSON object is broken."""
    con.execute(f"drop table if exists {REJECTS}; drop table if exists {REJECTS}_scans")
    lines = (
        f"select {file_number(files)} as _file_number, line from read_csv({path_list(files)}, auto_detect=false, header=false, "
        f"columns={{'line': 'VARCHAR'}}, delim='\\x01', quote='', escape='', filename=true, hive_partitioning=false, max_line_size=16000000, "
        f"strict_mode=true, store_rejects=true, rejects_table='{REJECTS}', rejects_scan='{REJECTS}_scans', rejects_limit=0) "
        f"where trim(line) <> ''"
    )
    query = _exploded(feed, lines) if feed.records else _documents(feed, lines)
    return Reading(query, rejects_table=REJECTS)


def _documents(feed: Feed, lines: str) -> str:
    names = feed.source_fields
    return (
        f"select _file_number, line as _raw, {_broken('v')} as _broken, {_picked(names, 'v', 'line')} "
        f"from (select *, {_extract(names, 'line')} as v from ({lines}))"
    )


def _exploded(feed: Feed, lines: str) -> str:
    prefix = f"{feed.records}[]."
    inner = [name for name in feed.source_fields if name.startswith(prefix)]
    outer = [name for name in feed.source_fields if not name.startswith(prefix)]
    members = f"json_extract(line, {quote_text(_path(f'{feed.records}[*]'))})"
    fields = ", ".join(part for part in (_picked(outer, "v", "line"), _picked(inner, "w", "member", len(prefix))) if part)
    # A broken line has no members: it stays one row, so that it is counted and kept.
    exploded = f"select *, unnest(case when v is null then [null] else {members} end) as member from (select *, {_extract(outer, 'line')} as v from ({lines}))"
    return (
        f"select _file_number, line as _raw, {_broken('v')} as _broken, {fields} "
        f"from (select *, {_extract([name[len(prefix) :] for name in inner], 'member')} as w from ({exploded}))"
    )


def _broken(values: str) -> str:
    return f"case when {values} is null then 'the line is not valid JSON' end"


def _extract(names: Sequence[str], document: str) -> str:
    """All plain paths of one document in one parse; NULL where the document is not JSON."""
    plain = [name for name in names if not _KEYED.match(name)]
    # Where nothing is wanted of the document itself, a path that no document has tells a valid one all the same: the whole document
    # would be copied for every member.
    paths = ", ".join(quote_text(_path(name)) for name in plain) or quote_text(_path(NOWHERE))
    return f"try(json_extract_string({document}, [{paths}]))"


def _picked(names: Sequence[str], values: str, document: str, skip: int = 0) -> str:
    """Select list that names each path's value."""
    plain = [name for name in names if not _KEYED.match(name[skip:])]
    return ", ".join(
        f"{values}[{plain.index(name) + 1}] as {quote_name(name)}" if name in plain else f"{_keyed(name[skip:], values, document)} as {quote_name(name)}"
        for name in names
    )


def _keyed(name: str, values: str, document: str) -> str:
    """`array[key=value].path`: the member of an array of objects that has this key (GA4 event_params)."""
    match = _KEYED.match(name)
    assert match is not None
    members = f"json_extract({document}, {quote_text(_path(match['array'] + '[*]'))})"
    chosen = f"list_filter({members}, lambda e: e->>{quote_text(match['key'])} = {quote_text(match['value'])})[1]"
    return f"case when {values} is not null then {chosen}->>{quote_text(_path(match['rest']))} end"


def _path(name: str) -> str:
    """A contract's dotted path as DuckDB's JSONPath."""
    parts = re.findall(r"[^.\[\]]+|\[[^\]]*\]", name)
    return "$" + "".join(part if part.startswith("[") else f'."{part}"' for part in parts)
