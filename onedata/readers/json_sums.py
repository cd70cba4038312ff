"""What the sums of a contract add up, where no document of a file has it: nothing to add is 0, and looks right."""

from collections.abc import Iterator

import duckdb

from onedata.contracts.model import Feed, placeholders, references
from onedata.contracts.sums import below, inside, summed
from onedata.readers.base import Drift, FileProblem, Reading, SourceFile
from onedata.readers.json_paths import json_path
from onedata.sql import quote_text


def note_sums(con: duckdb.DuckDBPyConnection, feed: Feed, file: SourceFile, documents: str, reading: Reading) -> bool:
    """Record the sums of which a file has no list, or no member of a list, in a reading; False if they refuse it.

    Args:
        con: Any connection.
        feed: The feed.
        file: The file.
        documents: SQL that yields its documents as `json`.
        reading: Receives the drifts, or the problem that refuses the file.
    """
    for name, place, is_list in _missing(con, feed, documents):
        readers = [item.column.name for item in feed.fields if name in references(item)]
        required = [item.column.name for item in feed.fields if item.required and name in references(item)]
        required += ["where"] if name in placeholders(feed.condition or "") else []
        said = f"nothing stands at {place!r} in any document, and {name!r} adds it up"
        if (required and not feed.empty_ok) or feed.drift["missing"] == "refuse":
            why = f"{', '.join(required)} needs it" if required else "onDrift says missing: refuse"
            message = (
                f"{said}; {why}. Was it renamed? Ask for the file again, or change physicalName in "
                f"{feed.contract.name}; if it may be missing, say emptyOk: true there."
            )
            reading.problems.append(FileProblem(file, message))
            return False
        # Senders leave out a list with nothing in it: of a small file no document has it, on many nights.
        if is_list:
            continue
        reading.drifts.append(Drift(file, "missing", name, f"{said}; {', '.join(readers)} is 0"))
    return True


def _missing(con: duckdb.DuckDBPyConnection, feed: Feed, documents: str) -> Iterator[tuple[str, str, bool]]:
    """The sums of which a document's list is missing, or the member of a list; the place at which nothing stands, and
    whether it is the list's."""
    prefix = f"{feed.records}[]." if feed.records else ""
    for name in feed.source_fields:
        within = inside(name, prefix)
        total = summed(below(name, prefix) if within else name)
        if total is None:
            continue
        above = [f"{json_path(feed.records or '')}[*]" if within else "$"]
        for array in total.arrays:
            above.append(f"{above[-1]}{json_path(array)[1:]}[*]")
        lists = [place.removesuffix("[*]") for place in above[1:]]
        for wanted in total.needed():
            places = [*lists, above[-1] + json_path(wanted)[1:]]
            if _stands(con, documents, places[-1]):
                continue
            gone = next(
                (
                    place
                    for place, around in zip(places, above, strict=True)
                    # A list within a member of another may always be left out.
                    if (place not in lists or around == "$")
                    and _stands(con, documents, around)
                    and not _stands(con, documents, place)
                ),
                None,
            )
            if gone:
                yield name, gone.removeprefix("$.").replace('"', "").replace("[*]", "[]"), gone in lists
                break


def _stands(con: duckdb.DuckDBPyConnection, documents: str, place: str) -> bool:
    """Whether a document has a value at the place, null too; the first one ends the search."""
    value = quote_text(place)
    there = f"len(json_extract(json, {value})) > 0" if "[*]" in place else f"json_exists(json, {value})"
    return con.execute(f"select 1 from ({documents}) where {there} limit 1").fetchone() is not None
