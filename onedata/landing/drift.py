"""Differences between a file's fields and those of the feed's previous file: order, type, and missing members of
documents."""

from collections.abc import Mapping
from typing import NamedTuple

import duckdb

from onedata.contracts.model import Feed, references
from onedata.readers import Drift, FileProblem, Reading, SourceFile
from onedata.readers.xml_paths import member_path


class Shape(NamedTuple):
    """A file's fields in file order, and their types for typed formats."""

    columns: tuple[str, ...]
    types: Mapping[str, str]


def compare_with_before(con: duckdb.DuckDBPyConnection, feed: Feed, reading: Reading) -> None:
    """Add the drifts of each file of the reading, or turn it into a problem if the contract says refuse."""
    before = _shape_before(con, feed)
    for part in list(reading.parts):
        columns = reading.columns.get(part.file.number)
        if not columns:
            continue
        shape = Shape(columns, reading.column_types.get(part.file.number, {}))
        if before is not None:
            found = [
                *_order(part.file, before, shape),
                *_retyped(part.file, before, shape),
                *_gone(feed, part.file, before, shape),
            ]
            refused = [drift for drift in found if feed.drift.get(drift.kind) == "refuse"]
            if refused:
                reading.parts.remove(part)
                why = (
                    f"{refused[0].message}, and onDrift says {refused[0].kind}: refuse. Ask for the file as agreed, "
                    f"or change {feed.contract.name}."
                )
                reading.problems.append(FileProblem(part.file, why))
                continue
            reading.drifts += found
        before = shape


def _shape_before(con: duckdb.DuckDBPyConnection, feed: Feed) -> Shape | None:
    row = con.execute(
        "select columns, column_types from ops.file where feed = ? and columns is not null order by ds desc, "
        "arrived_at desc, path desc limit 1",
        [feed.name],
    ).fetchone()
    return Shape(tuple(row[0]), row[1] or {}) if row else None


def _order(file: SourceFile, before: Shape, now: Shape) -> list[Drift]:
    if now.columns == before.columns or sorted(now.columns) != sorted(before.columns):
        return []
    return [
        Drift(
            file,
            "order",
            "",
            f"the columns stand in another order than before ({', '.join(now.columns)}); they are read by name",
        )
    ]


def _retyped(file: SourceFile, before: Shape, now: Shape) -> list[Drift]:
    changed = [
        (name, before.types[name], kind) for name, kind in now.types.items() if before.types.get(name, kind) != kind
    ]
    return [
        Drift(
            file,
            "retyped",
            name,
            f"column {name!r} is {kind} and was {old} before; its values are cast, those that cannot be quarantined",
        )
        for name, old, kind in changed
    ]


def _gone(feed: Feed, file: SourceFile, before: Shape, now: Shape) -> list[Drift]:
    """Documents have no header: a member is missing if the previous file had it. (Formats with a header are compared
    with the contract itself.) XML, whose members are compared at every depth, often lacks optional ones: there only
    those count that a required column reads, in a file that has rows."""
    is_xml = feed.location.format == "xml"
    if not is_xml and feed.location.format not in ("jsonl", "json"):
        return []
    members = f"{member_path(feed)}/" if is_xml and feed.records else ""
    if not any(name.startswith(members) for name in now.columns):
        return []
    fields = [name for item in feed.fields if item.required or not is_xml for name in references(item)]
    gone = [
        name for name in before.columns if name not in now.columns and any(_begins(field, name) for field in fields)
    ]
    return [
        Drift(file, "missing", name, f"member {name!r} is in no document any more; what is read from it stays empty")
        for name in gone
    ]


def _begins(field: str, member: str) -> bool:
    return field == member or field.startswith((f"{member}.", f"{member}["))
