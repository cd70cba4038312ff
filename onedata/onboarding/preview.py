"""What a dry run shows of a landed file: its first rows as they would land, each column's profile, blocked identifiers,
the money, and the fields of a document that nobody reads.

No raw personal value leaves this module: identifiers are their keyed hash, attributes of a person and free texts their
shape.
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb

from onedata.contracts.identifiers import IdentifierPolicy, blocked_values, usable_sql
from onedata.contracts.model import Column, Feed
from onedata.landing.rows import typed_rows
from onedata.masking import mask, shown
from onedata.normalise.identifiers import normalised_sql
from onedata.readers import READERS, SourceFile
from onedata.readers.xml_drift import leaves_of, unknown_leaves

ROWS = 3
DOCUMENTS = 1_000
MOST_CHARACTERS = 28
HASH_CHARACTERS = 8
DOCUMENT_FORMATS = ("json", "jsonl")


@dataclass(frozen=True)
class ColumnShown:
    """One mapped column of the accepted rows: shares and counts over all of them, and the first rows' values, as they
    may be shown; `least` and `most` are empty for values that may name a person."""

    name: str
    null_share: float
    distinct: int
    least: str
    most: str
    first: Sequence[str]


@dataclass(frozen=True)
class Money:
    """One total of the file in one currency."""

    total: str
    currency: str
    received: Decimal
    accepted: Decimal


@dataclass(frozen=True)
class Preview:
    """What would be in the lake. `blocked` counts accepted rows by identifier column whose value identifies nobody, and
    gets no token or no person; `unread` holds the fields of documents that no property reads and `unmapped` does not
    name."""

    columns: Sequence[ColumnShown]
    blocked: Sequence[tuple[str, int]]
    money: Sequence[Money]
    unread: Sequence[str]


def preview(
    con: duckdb.DuckDBPyConnection,
    feed: Feed,
    policy: IdentifierPolicy,
    region: str,
    landed: str,
    files: Sequence[SourceFile],
) -> Preview:
    """The preview of a landing.

    Args:
        con: The warehouse that the file landed in.
        feed: Its feed.
        policy: Identifier values that identify nobody.
        region: ISO 3166 code of the country of phone numbers without a country code.
        landed: SQL of the relation of its accepted rows.
        files: The file as the readers take it.
    """
    columns = [_column(con, item.column, landed) for item in feed.fields]
    money = con.execute(
        "select total_name, currency, sum(received), sum(accepted) from ops.control_total where feed = ? "
        "group by all order by 1, 2",
        [feed.name],
    ).fetchall()
    blocked = list(_blocked(con, feed, policy, region, files))
    unread = [mask(name) for file in files for name in _unread(feed, file)]
    return Preview(columns, blocked, [Money(*row) for row in money], list(dict.fromkeys(unread)))


def _column(con: duckdb.DuckDBPyConnection, column: Column, landed: str) -> ColumnShown:
    name = column.name
    found = con.execute(
        f"select count(*), count({name}), count(distinct {name}), min({name})::varchar, max({name})::varchar "
        f"from {landed}"
    ).fetchone()
    assert found is not None
    rows, filled, distinct, least, most = found
    first = con.execute(f"select {name}::varchar from {landed} order by _file, _row limit {ROWS}").fetchall()
    ends = ("", "") if _is_personal(column) else (_cell(column, least), _cell(column, most))
    return ColumnShown(
        name, 1 - filled / rows if rows else 0.0, distinct, *ends, [_cell(column, value) for (value,) in first]
    )


def _is_personal(column: Column) -> bool:
    is_free_text = column.classification == "sensitive" and column.type == "text"
    return bool(column.identifier or column.profile or column.classification == "core" or is_free_text)


def _cell(column: Column, value: str | None) -> str:
    """The value as it may be shown."""
    if value is None:
        return "-"
    if column.classification == "core":
        return f"hash {value[:HASH_CHARACTERS]}"
    if column.profile and column.classification != "public":
        text = "".join("9" if letter.isdigit() else "x" if letter.isalpha() else letter for letter in value)
    elif _is_personal(column) and column.classification != "public":
        text = shown(value).strip('"')
    else:
        text = mask(value)
    text = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 3]}..."


def _blocked(
    con: duckdb.DuckDBPyConnection, feed: Feed, policy: IdentifierPolicy, region: str, files: Sequence[SourceFile]
) -> Iterator[tuple[str, int]]:
    """Identifier columns with the number of valid rows whose value identifies nobody."""
    columns = [item.column for item in feed.fields if item.column.identifier]
    if not columns or not files:
        return
    reading = READERS[feed.location.format](con, feed, files)
    general = blocked_values(policy)
    counts = []
    for column in columns:
        assert column.identifier is not None
        kind = policy.types[column.identifier.type]
        normal = normalised_sql(kind.normalise, column.name, region)
        usable = f"{usable_sql(column.name, general)} and {usable_sql(normal, general, kind)}"
        counts.append(f"count(*) filter (where {column.name} is not null and not ({usable}))")
    total = [0] * len(columns)
    for part in reading.parts:
        rows = typed_rows(feed, part)
        found = con.execute(f"select {', '.join(counts)} from ({rows}) where _rule is null").fetchone()
        total = [sum(pair) for pair in zip(total, found or total, strict=True)]
    yield from ((column.name, count) for column, count in zip(columns, total, strict=True) if count)


def _unread(feed: Feed, file: SourceFile) -> list[str]:
    """The fields of the first records that the contract neither reads nor leaves out on purpose."""
    if feed.location.format == "xml":
        return unknown_leaves(feed, leaves_of([feed], file)[0])
    if feed.location.format not in DOCUMENT_FORMATS:
        return []
    known = {_plain(name) for name in feed.known_fields}
    known |= {_plain(f"{found[1]}.{found[2]}") for name in feed.known_fields for found in KEYED.finditer(name)}
    return [leaf for leaf in _leaves_of_documents(file.path) if not _is_known(leaf, known)]


KEYED = re.compile(r"^(.*?)\[(\w+)=")


def _plain(path: str) -> str:
    return re.sub(r"\[[^\]]*\]", "", path)


def _is_known(leaf: str, known: Collection[str]) -> bool:
    plain = _plain(leaf)
    return any(plain == name or plain.startswith(f"{name}.") for name in known)


def _leaves_of_documents(path: Path) -> list[str]:
    """The paths of the scalars of the first documents of a file of JSON lines."""
    found: dict[str, None] = {}
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for line in islice(lines, DOCUMENTS):
            try:
                document = json.loads(line)
            except (ValueError, RecursionError):
                continue  # the landing has quarantined it
            found |= dict.fromkeys(_leaves(document, ""))
    return sorted(found)


def _leaves(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _leaves(member, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for member in value:
            yield from _leaves(member, f"{path}[]")
    elif path and value is not None:
        yield path
