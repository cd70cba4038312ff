"""JSON lines, nested: one document per line, or one row for each member of an array in it (`records`).

Method: DuckDB splits and parses the lines; one structure built from the contract's paths extracts all wanted values of
a document at once. DuckDB returns NULL for a line that is not JSON; its raw text is fetched from the file.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import numpy as np

from onedata.contracts.model import Feed
from onedata.contracts.sums import below, inside, summed
from onedata.readers.base import (
    FileProblem,
    Part,
    Piece,
    Reading,
    SourceFile,
    file_literal,
    note_members,
)
from onedata.readers.json_keys import MAX_SOUND, KeysTwice
from onedata.readers.json_paths import Tree, json_path, member_steps, nested_object, pointer
from onedata.readers.json_strict import StrictLines
from onedata.readers.json_sums import note_sums
from onedata.readers.json_values import MAX_DOCUMENT_BYTES, any_text, fields_sql, of_field
from onedata.readers.lines import lines_at, long_lines
from onedata.readers.mistaken import wide
from onedata.readers.pieces import least_bytes, pieces
from onedata.sql import quote_text

SAMPLE_DOCUMENTS = 100_000
MAX_DEPTH = 10_000
_LOST = "when _lost is not null then _lost"
_TWICE = "when _twice then 'a key stands twice in one object of the document; which value is meant cannot be told'"
_READ = "(_json is not null and json_type(_json) = 'OBJECT' and not _twice)"
SHALLOW_BYTES = 1 << 16
"""A shorter line cannot be nested so deep that it does harm."""
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_OPENING, _CLOSING = (np.frombuffer(brackets, np.uint8) for brackets in (b"[{", b"]}"))


class JsonLines(Reading):
    """A reading whose invalid lines are fetched from the file by line number."""

    def raw_of(self, file: SourceFile, places: Sequence[int]) -> Iterator[tuple[int, str]]:
        """See `Reading.raw_of`; bytes that are not UTF-8 are shown as \\x.., so that they can be decoded again."""
        for number, line in lines_at(file.path, places):
            yield number, line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")


def read_jsonl(con: duckdb.DuckDBPyConnection, feed: Feed, files: Sequence[SourceFile]) -> Reading:
    """See `Reading`. An empty file is a day without rows; a line that is not a JSON object is invalid.

    Members unknown to the contract are searched in the first documents of a file (`SAMPLE_DOCUMENTS`).
    """
    reading = JsonLines()
    for file in files:
        if harmful := _harmful(file.path):
            reading.problems.append(FileProblem(file, harmful))
            continue
        try:
            members = _members(con, feed, file)
        except duckdb.Error as error:
            message = (
                f"the file cannot be read as JSON lines: {str(error).splitlines()[0]}. Check its format in "
                f"{feed.contract.name}, or ask for it again."
            )
            reading.problems.append(FileProblem(file, message))
            continue
        if not note_sums(con, feed, file, f"select json from {_scan(file)}", reading):
            continue
        documents = _first_documents(file)
        refused = feed.duplicate_keys == "refuse"
        sound = con.execute(KeysTwice(feed).sound_sql(documents)).fetchall() if refused else []
        strict = _strict(con, feed, file, members, [keys for _, keys in sound])
        read_documents(feed, file, members, "", reading, [hashed for hashed, _ in sound], strict)
    return reading


def _strict(
    con: duckdb.DuckDBPyConnection,
    feed: Feed,
    file: SourceFile,
    members: Sequence[str],
    lists: Sequence[Sequence[Sequence[str] | None]],
) -> StrictLines | None:
    """How the file's documents are read in one parse, if it is large enough to be cut and they seem usual.

    Args:
        con: Any connection.
        feed: The feed.
        file: The file.
        members: The names of the members of its first documents.
        lists: The lists of keys without a repeated one that they have, of each object that the contract looks into.
    """
    adds_up = any(summed(name) for name in feed.source_fields)
    if feed.records or adds_up or len(lists) == MAX_SOUND or file.path.stat().st_size < 2 * least_bytes():
        return None
    objects = KeysTwice(feed)
    keys = {
        steps: {name for found in lists for name in (found[place] if found else None) or ()}
        for place, steps in enumerate(objects.objects)
    }
    for steps in objects.in_lists:
        names = f"select distinct unnest(flatten(json_keys(json, {quote_text(json_path(steps))}))) from "
        keys[steps] = {name for (name,) in con.execute(f"{names} ({_first_documents(file)})").fetchall()}
    strict = StrictLines(feed, {steps: sorted(names) for steps, names in keys.items()} | {(): members})
    return strict if strict.is_possible and strict.takes(con, file) else None


def _harmful(path: Path) -> str | None:
    """Why DuckDB must not read the file: it reads a file of one byte as empty, and a document nested 200,000 levels
    deep crashes the process."""
    if path.stat().st_size == 1 and path.read_bytes().strip():
        return "the file is one byte long and no document (truncated?). Ask for it again."
    if found := wide(path):
        return f"the file is {found} and not UTF-8, the one encoding of JSON. Ask for UTF-8."
    with path.open("rb") as stream:
        if b"\x00" in stream.read(4):
            return "the file is not UTF-8, the one encoding of JSON: it holds zero bytes. Ask for UTF-8."
    for start, line in long_lines(path, SHALLOW_BYTES):
        brackets = np.frombuffer(_STRING.sub(b"", line), np.uint8)
        depth = np.cumsum(np.isin(brackets, _OPENING).astype(np.int32) - np.isin(brackets, _CLOSING)).max(initial=0)
        if depth > MAX_DEPTH:
            return (
                f"the document at byte {start:,} is nested {depth:,} deep, which no honest sender needs. Nothing "
                "of the file was read."
            )
    return None


def _members(con: duckdb.DuckDBPyConnection, feed: Feed, file: SourceFile) -> list[str]:
    """Names of the members of the first documents, and of their exploded members as `records[].name`, sorted."""
    documents = _first_documents(file)
    names = f"select unnest(json_keys(json)) as name from ({documents})"
    if feed.records:
        members = (
            f"select unnest(json_extract(json, {quote_text(json_path(feed.records) + '[*]')})) as json "
            f"from ({documents})"
        )
        names += f" union all select {quote_text(_prefix(feed))} || unnest(json_keys(json)) from ({members})"
    return [name for (name,) in con.execute(f"select distinct name from ({names}) order by 1").fetchall()]


def _unknown(feed: Feed, members: Sequence[str]) -> list[str]:
    known = {_first(feed, name) for name in feed.known_fields} | set(member_steps(feed.records or "")[:1])
    return [name for name in members if name not in known]


def _first(feed: Feed, name: str) -> str:
    """The first member of a path, below the document or the exploded record."""
    prefix = _prefix(feed) if feed.records and inside(name, _prefix(feed)) else ""
    return f"{prefix}{member_steps(below(name, prefix))[0]}"


def _prefix(feed: Feed) -> str:
    return f"{feed.records}[]."


def _first_documents(file: SourceFile) -> str:
    return f"select json from {_scan(file)} limit {SAMPLE_DOCUMENTS}"


def _scan(file: SourceFile) -> str:
    return _scan_of(file_literal(file.path))


def _scan_of(source: str) -> str:
    return f"read_ndjson_objects({source}, ignore_errors=true, maximum_object_size={MAX_DOCUMENT_BYTES})"


def _numbered(source: str, before: int = 0) -> str:
    return f"select json as _json, row_number() over () + {before} as _document from {_scan_of(source)}"


def read_documents(
    feed: Feed,
    file: SourceFile,
    members: Sequence[str],
    documents: str,
    reading: Reading,
    sound: Sequence[int] | None = None,
    strict: StrictLines | None = None,
) -> None:
    """Add one file's documents to a reading, from another format.

    Args:
        feed: The feed of the documents.
        file: The file that contains them.
        members: Names of their members, and of the exploded members as `records[].name`.
        documents: SQL that yields `_json` and `_document`, its number in the file.
        reading: Receives the part, or the problem that refuses the file.
        sound: Hashes of key lists without a repeated key; None if no key can stand twice.
        strict: How usual documents are read in one parse, if they can be.
    """
    added = _unknown(feed, members)
    if note_members(feed, file, members, added, reading):
        kept = added if feed.drift["added"] == "keep" else []
        reading.parts.append(_part(feed, file, kept, documents, sound=sound, strict=None if kept else strict))


def documents_part(feed: Feed, file: SourceFile, documents: str) -> Part:
    """Documents kept with their row number, one row each, read again.

    Args:
        feed: The feed of the documents.
        file: The file that contained them.
        documents: SQL that yields `json` and `row`.
    """
    return _part(feed, file, [], f"select json as _json, row as _document from ({documents})", "_document")


def _part(
    feed: Feed,
    file: SourceFile,
    added: Sequence[str],
    documents: str = "",
    row: str = "row_number() over ()",
    sound: Sequence[int] | None = (),
    strict: StrictLines | None = None,
) -> Part:
    tree = Tree()
    inner = [name for name in feed.source_fields if feed.records and inside(name, _prefix(feed))]
    outer = [name for name in feed.source_fields if name not in inner]
    for name in outer:
        tree.want_field(name)
    members = Tree()
    for name in inner:
        members.want_field(below(name, _prefix(feed)))
    if feed.records:
        tree.put_list(member_steps(feed.records), members)
    numbered = documents or _numbered(file_literal(file.path))

    def taken(documents: str) -> str:
        parsed = f"{tree.taken_from('_json')} as _v"
        if sound is None or feed.duplicate_keys == "first":
            return f"select *, {parsed}, false as _twice from ({documents})"
        keys = KeysTwice(feed)
        known = f"select *, {parsed}, {keys.keys('_json')} as _keys from ({documents})"
        # The keys stay behind: what stands beside a list is copied for each of its members.
        return f"select _json, _document, _v, {keys.predicate('_keys', sound)} as _twice from ({known})"

    values = [of_field(feed, name, tree, "_v", "_json") for name in outer]
    if not feed.records:
        broken = (
            "case when _json is null then 'the line is not valid JSON' "
            f"when json_type(_json) not in ('OBJECT', 'NULL') then 'the line is no JSON object' {_TWICE} {_LOST} end"
        )

        def flat(documents: str) -> str:
            fields = f"_json, _document, _twice, _document as _row{fields_sql(values)}"
            return f"select {fields} from ({taken(documents)})"

        def cut(most: int) -> Sequence[Piece]:
            return [
                Piece(
                    flat(_numbered(span.source, span.before)),
                    span.rows,
                    strict.query(span.source, span.before) if strict else "",
                )
                for span in ([] if documents else pieces(file.path, most, "", 0))
            ]

        return Part(
            file,
            flat(numbered),
            "_json::varchar",
            "_document",
            broken,
            _extra(added, "_json"),
            cut=cut,
            strict=strict.part(file) if strict else None,
            is_told=_READ,
        )
    member = f"json_extract(_json, {quote_text(json_path(feed.records))} || '[' || _member || ']')"
    values += [of_field(feed, name, members, "_w", member, _prefix(feed)) for name in inner]
    array = tree.list_at("_v", member_steps(feed.records))
    # Unlike AND, CASE evaluates this only for documents without an array.
    # An invalid line has no members, nor does a line with another type in their place: it stays one row, so that it is
    # counted and kept.
    exploded = (
        f"select *, unnest(case when _odd then [null] else {array} end) as _w, unnest(case when _odd then [0] else "
        f"range(len({array})) end) as _member from (select *, case when {array} is null then "
        f"{_no_list(feed.records, feed.empty_ok)} else false end as _odd from ({taken(numbered)}))"
    )
    no_array = quote_text(f"what stands at {feed.records} is no array")
    nothing = quote_text(
        f"there is nothing at {feed.records}: is it a document of another kind? If members may be missing, say "
        f"emptyOk: true in {feed.contract.name}"
    )
    broken = (
        "case when _json is null then 'the line is not valid JSON' "
        f"when _odd then case when json_type(_json) <> 'OBJECT' then 'the line is no JSON object' "
        f"when json_type(_json, {quote_text(json_path(feed.records))}) is null then {nothing} else {no_array} end "
        f"{_TWICE} {_LOST} end"
    )
    raw = (
        "case when _odd then _json::varchar else json_merge_patch(_json, "
        f"{nested_object(feed.records, f'json_array({member})')})::varchar end"
    )
    query = f"select _json, _document, _member, _odd, _twice, {row} as _row{fields_sql(values)} from ({exploded})"
    own = [name for name in added if not name.startswith(_prefix(feed))]
    of_member = [name for name in added if name not in own]
    extra = _extra(own, "_json", of_member, member, len(_prefix(feed)))
    return Part(file, query, raw, "_document", broken, extra, is_told=_READ)


def _no_list(records: str, empty_ok: bool) -> str:
    """SQL: whether the document is invalid, or has something other than an array as its members. Null counts as an
    empty array, and so do missing members where the contract says `emptyOk`; else such a document is of another
    kind."""
    steps = member_steps(records)
    places = [quote_text(json_path(steps[: number + 1])) for number in range(len(steps))]
    wrong = ["json_type(_json) <> 'OBJECT'"]
    wrong += [f"json_type(_json, {place}) not in ('OBJECT', 'NULL')" for place in places[:-1]]
    wrong.append(f"json_type(_json, {places[-1]}) not in ('ARRAY', 'NULL')")
    if not empty_ok:
        wrong.append(f"json_type(_json, {places[-1]}) is null")
    return f"(_json is null or coalesce({' or '.join(wrong)}, false))"


def _extra(
    added: Sequence[str], document: str, of_member: Sequence[str] = (), member: str = "", skip: int = 0
) -> str | None:
    """SQL of a JSON object of the members unknown to the contract; NULL if a row has none."""
    found = [(name, f"json_extract({document}, {any_text(pointer(name))})") for name in added]
    found += [(name, f"json_extract({member}, {any_text(pointer(name[skip:]))})") for name in of_member]
    if not found:
        return None
    present = " or ".join(f"{value} is not null" for _, value in found)
    pairs = ", ".join(f"{any_text(name)}, {value}" for name, value in found)
    return f"case when {present} then json_object({pairs})::varchar end"
