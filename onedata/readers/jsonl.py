"""JSON lines, nested: one document per line, or one row for each member of an array in it (`records`).

Method: DuckDB splits and parses the lines; one structure built from the contract's paths extracts all wanted values of
a document at once. DuckDB returns NULL for a line that is not JSON; its raw text is fetched from the file.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np

from onedata.contracts.model import NUMBERS, Feed, placeholders, references
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
from onedata.readers.json_keys import KeysTwice
from onedata.readers.json_paths import Step, Tree, json_path, member_steps, nested_object, pointer
from onedata.readers.long_lines import long_lines
from onedata.readers.pieces import pieces
from onedata.sql import quote_name, quote_text

MAX_DOCUMENT_BYTES = 1 << 25
SAMPLE_DOCUMENTS = 100_000
MAX_DEPTH = 10_000
DIGITS_IN_DOUBLE = 15
_LOST = (
    f"when _lost is not null then _lost || ': is a number with more than {DIGITS_IN_DOUBLE} digits, of which not all "
    "survive; send it as a text'"
)
_TWICE = "when _twice then 'a key stands twice in one object of the document; which value is meant cannot be told'"
SHALLOW_BYTES = 1 << 16
"""A shorter line cannot be nested so deep that it does harm."""
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_OPENING, _CLOSING = (np.frombuffer(brackets, np.uint8) for brackets in (b"[{", b"]}"))


class JsonLines(Reading):
    """A reading whose invalid lines are fetched from the file by line number."""

    def raw_of(self, file: SourceFile, places: Sequence[int]) -> Iterator[tuple[int, str]]:
        """See `Reading.raw_of`; bytes that are not UTF-8 are shown as \\x.., so that they can be decoded again."""
        wanted, number = set(places), 0
        with file.path.open("rb") as stream:
            for line in stream:
                # DuckDB counts only lines that contain more than white space.
                number += bool(line.strip())
                if number in wanted:
                    wanted.discard(number)
                    yield number, line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
                if not wanted:
                    return


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
        documents = f"select json from {_scan(file)} limit {SAMPLE_DOCUMENTS}"
        refused = feed.duplicate_keys == "refuse"
        sound = con.execute(KeysTwice(feed).sound_sql(documents)).fetchall() if refused else []
        read_documents(feed, file, members, "", reading, [hashed for (hashed,) in sound])
    return reading


def _harmful(path: Path) -> str | None:
    """Why DuckDB must not read the file: it reads a file of one byte as empty, and a document nested 200,000 levels
    deep crashes the process."""
    if path.stat().st_size == 1 and path.read_bytes().strip():
        return "the file is one byte long and no document (truncated?). Ask for it again."
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
    documents = f"select json from {_scan(file)} limit {SAMPLE_DOCUMENTS}"
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
) -> None:
    """Add one file's documents to a reading, from another format.

    Args:
        feed: The feed of the documents.
        file: The file that contains them.
        members: Names of their members, and of the exploded members as `records[].name`.
        documents: SQL that yields `_json` and `_document`, its number in the file.
        reading: Receives the part, or the problem that refuses the file.
        sound: Hashes of key lists without a repeated key; None if no key can stand twice.
    """
    added = _unknown(feed, members)
    if note_members(feed, file, members, added, reading):
        kept = added if feed.drift["added"] == "keep" else []
        reading.parts.append(_part(feed, file, kept, documents, sound=sound))


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
    twice = "false" if sound is None or feed.duplicate_keys == "first" else KeysTwice(feed).predicate("_json", sound)
    taken = f"select *, {tree.taken_from('_json')} as _v, {twice} as _twice from "
    numbers = [_Number(name, tree.field("_v", name), "_json", _steps(name), *_of_number(feed, name)) for name in outer]
    if not feed.records:
        broken = f"case when _json is null then 'the line is not valid JSON' {_TWICE} {_LOST} end"
        flat = f"select _json, _document, _twice, _document as _row{_fields(numbers)} from ({taken}"

        def cut(most: int) -> Sequence[Piece]:
            return (
                ()
                if documents
                else pieces(file.path, most, "", 0, lambda source, before: f"{flat}({_numbered(source, before)}))")
            )

        return Part(
            file, f"{flat}({numbered}))", "_json::varchar", "_document", broken, _extra(added, "_json"), cut=cut
        )
    member = f"json_extract(_json, {quote_text(json_path(feed.records))} || '[' || _member || ']')"
    for name in inner:
        path = below(name, _prefix(feed))
        numbers.append(_Number(name, members.field("_w", path), member, _steps(path), *_of_number(feed, name)))
    array = tree.list_at("_v", member_steps(feed.records))
    # Unlike AND, CASE evaluates this only for documents without an array.
    # An invalid line has no members, nor does a line with another type in their place: it stays one row, so that it is
    # counted and kept.
    exploded = (
        f"select *, unnest(case when _odd then [null] else {array} end) as _w, unnest(case when _odd then [0] else "
        f"range(len({array})) end) as _member from (select *, case when {array} is null then "
        f"{_no_list(feed.records, feed.empty_ok)} else false end as _odd from ({taken}({numbered})))"
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
    query = f"select _json, _document, _member, _odd, _twice, {row} as _row{_fields(numbers)} from ({exploded})"
    own = [name for name in added if not name.startswith(_prefix(feed))]
    of_member = [name for name in added if name not in own]
    return Part(file, query, raw, "_document", broken, _extra(own, "_json", of_member, member, len(_prefix(feed))))


def _steps(name: str) -> Sequence[Step] | None:
    return None if summed(name) else member_steps(name)


def _of_number(feed: Feed, name: str) -> tuple[bool, bool]:
    """Whether all digits of the field count, if it is a number: not where only columns of type double read it, or
    rounded ones. And whether its text counts as it is written: not where only columns of numbers read it, for which
    '12.0' is 12."""
    readers = [item for item in feed.fields if name in references(item)]
    is_exact = not all(
        item.column.type == "double" or any(repair.kind == "round" for repair in item.repairs) for item in readers
    )
    is_text = bool(feed.content_key or feed.location.options.get("decimal")) or not all(
        item.column.type in NUMBERS and item.logic is None and not item.repairs for item in readers
    )
    return is_exact, is_text or name in placeholders(feed.condition or "")


class _Number(NamedTuple):
    """A field whose value may be a JSON number: SQL of its text, and where it stands, as a path below a JSON value."""

    name: str
    text: str
    within: str
    steps: Sequence[Step] | None
    """None for a sum."""
    is_exact: bool
    is_text: bool

    @property
    def is_double(self) -> str | None:
        """SQL: the value is a number with a point or an exponent, which DuckDB parses through a double. None where a
        filter is on the path."""
        if self.steps is None or not all(isinstance(step, str | int) for step in self.steps):
            return None
        return f"json_type({self.within}, {quote_text(json_path(self.steps))}) = 'DOUBLE'"


def _fields(numbers: Sequence[_Number]) -> str:
    """The fields, a whole number among them without the `.0` that a double adds, and `_lost`: the name of the first
    whose number has more digits than a double holds. Only texts that look so are looked up in the document."""
    fields, lost = [], []
    for number in numbers:
        text, is_double = number.text, number.is_double
        if is_double is None:
            fields.append(f"{text} as {quote_name(number.name)}")
            continue
        # Every number begins with a sign or a digit, and most texts do not.
        whole = f"{text} < ':' and ends_with({text}, '.0') and {is_double}"
        value = f"case when {whole} then left({text}, -2) else {text} end" if number.is_text else text
        fields.append(f"{value} as {quote_name(number.name)}")
        if not number.is_exact:
            continue
        digits = f"strlen(replace(ltrim({text}, '-0.'), '.', '')) - if(ends_with({text}, '.0'), 1, 0)"
        # Unlike AND, CASE counts the digits of long texts only; those that begin with a digit are mostly times.
        is_long = f"strlen({text}) > {DIGITS_IN_DOUBLE} and not contains({text}, ':')"
        many = f"contains({text}, 'e+') or case when {is_long} then {digits} > {DIGITS_IN_DOUBLE} else false end"
        lost.append(f"when {text} < ':' and ({many}) and {is_double} then {_any_text(number.name)}")
    found = f"case {' '.join(lost)} end" if lost else "null::varchar"
    return "".join(f", {field}" for field in [*fields, f"{found} as _lost"])


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
    found = [(name, f"json_extract({document}, {_any_text(pointer(name))})") for name in added]
    found += [(name, f"json_extract({member}, {_any_text(pointer(name[skip:]))})") for name in of_member]
    if not found:
        return None
    present = " or ".join(f"{value} is not null" for _, value in found)
    pairs = ", ".join(f"{_any_text(name)}, {value}" for name, value in found)
    return f"case when {present} then json_object({pairs})::varchar end"


def _any_text(text: str) -> str:
    """An SQL string of a member name chosen by the sender: a NUL character is not allowed in a literal."""
    return f"({' || chr(0) || '.join(map(quote_text, text.split(chr(0))))})"
