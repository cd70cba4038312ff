"""What a sample file is: its format, reader options, and the fields a contract may name, each with values. Looks at the sample's start only."""

import codecs
import csv
import io
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from lxml import etree

from onedata.sql import quote_text

HEAD_BYTES = 1 << 20
SAMPLE_ROWS = 200
MOST_XML_BYTES = 64 << 20
PACKED = {b"\x1f\x8b": "gzip", b"PK": "a zip archive (an Excel workbook is one)", b"\x28\xb5\x2f\xfd": "zstd"}
NOT_IN_A_NAME = frozenset(".[]=")


class SniffError(ValueError):
    """The sample is not something a reader takes; the text says what to do."""


@dataclass(frozen=True)
class SourceField:
    """A field by the name a contract gives it (`physicalName`), with the values of the sample that are not empty."""

    name: str
    values: Sequence[str]


@dataclass(frozen=True)
class Rows:
    """One way to take rows out of the file: each document (or line), or each member of the array or repeated element `records`."""

    records: str | None
    fields: Sequence[SourceField]


@dataclass(frozen=True)
class Sniffed:
    """A sample's format, reader options that differ from the defaults, ways to take rows out of it, and what a person should know."""

    format: str
    options: Mapping[str, str]
    rows: Sequence[Rows]
    notes: Sequence[str] = field(default_factory=tuple)


def sniff(file: Path) -> Sniffed:
    """Look at a sample.

    Raises:
        SniffError: it is empty, packed, or nothing that a reader takes.
        FileNotFoundError: there is no such file.
    """
    with file.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if head.startswith(b"PAR1"):
        return _parquet(file)
    for magic, kind in PACKED.items():
        if head.startswith(magic):
            raise SniffError(f"{file.name} is {kind}; give an unpacked sample")
    encoding, text = _decoded(head)
    start = text.lstrip()[:1]
    if not start:
        raise SniffError(f"{file.name} is empty; give a sample with rows")
    if start == "<":
        return _xml(file)
    if start in "{[":
        return _json_lines(file, text)
    return _csv(file, encoding, text)


def _decoded(head: bytes) -> tuple[str, str]:
    """Encoding and text of the start of a file; a character cut off at its end is left out."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", head.decode("utf-16", "ignore")
    try:
        return "utf-8", codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return "latin-1", head.decode("latin-1")


def _csv(file: Path, encoding: str, text: str) -> Sniffed:
    """DuckDB's sniffer tells the dialect; it works on the decoded start, so that encoding and file name cannot disturb it."""
    whole = text if len(text) < HEAD_BYTES // 4 else text[: text.rindex("\n") + 1] if "\n" in text else text
    with tempfile.TemporaryDirectory(prefix="onedata-sniff-") as folder, duckdb.connect() as con:
        copy = Path(folder) / "sample.csv"
        copy.write_text(whole, encoding="utf-8", newline="")
        try:
            dialect = con.execute(f"select Delimiter, Quote from sniff_csv({quote_text(str(copy))}, ignore_errors = true)").fetchone()
        except duckdb.Error as error:
            raise SniffError(f"{file.name} does not read as CSV: {str(error).splitlines()[0]}") from None
        delimiter, quote = (dialect[0] or ",", dialect[1] if dialect[1] not in ("", "\x00", "(empty)") else '"') if dialect else (",", '"')
        header = [name.strip() for name in next(csv.reader(io.StringIO(whole, newline=""), delimiter=delimiter, quotechar=quote))]
        if len(header) == 1 and not header[0].isidentifier() and not any(letter.isalpha() for letter in header[0]):
            raise SniffError(f"{file.name}: the first line {header[0]!r} is no header")
        _plain_header(file, header)
        columns = ", ".join(f"{quote_text(name)}: 'VARCHAR'" for name in header)
        rows = con.execute(
            f"from read_csv({quote_text(str(copy))}, auto_detect = false, header = true, columns = {{{columns}}}, delim = {quote_text(delimiter)}, "
            f"quote = {quote_text(quote)}, escape = {quote_text(quote)}, nullstr = '', ignore_errors = true) limit {SAMPLE_ROWS}"
        ).fetchall()
    given = {"delimiter": delimiter, "quote": quote, "encoding": encoding}
    defaults = {"delimiter": ",", "quote": '"', "encoding": "utf-8"}
    notes = ["It is not UTF-8; latin-1 is a guess that takes every byte. Look at the accents."] if encoding == "latin-1" else []
    return Sniffed("csv", {name: value for name, value in given.items() if value != defaults[name]}, [Rows(None, _columns(header, rows))], notes)


def _plain_header(file: Path, header: Sequence[str]) -> None:
    """A CSV's first line must name its columns: readers find them by name."""
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise SniffError(f"{file.name}: {twice[0]!r} stands twice in the first line; every column needs a name of its own")
    if any(not name or name.replace(".", "").replace("-", "").isdigit() for name in header):
        raise SniffError(f"{file.name}: the first line ({', '.join(header)}) is no header; ask for a file with one")


def _parquet(file: Path) -> Sniffed:
    with duckdb.connect() as con:
        literal = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(file))
        try:
            cursor = con.execute(f"select columns(*)::varchar from read_parquet({quote_text(literal)}, hive_partitioning = false) limit {SAMPLE_ROWS}")
        except duckdb.Error as error:
            raise SniffError(f"{file.name} does not read as Parquet: {str(error).splitlines()[0]}") from None
        names = [item[0] for item in cursor.description or []]
        return Sniffed("parquet", {}, [Rows(None, _columns(names, cursor.fetchall()))])


def _columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[SourceField]:
    return [SourceField(name, [row[index].strip() for row in rows if row[index] and row[index].strip()]) for index, name in enumerate(names)]


def _json_lines(file: Path, text: str) -> Sniffed:
    documents = []
    lines = text.splitlines()
    for number, line in enumerate(lines[:SAMPLE_ROWS], 1):
        try:
            documents.append(json.loads(line)) if line.strip() else None
        except ValueError:
            if number == len(lines) > 1:  # cut off at the end of what was read
                break
            raise SniffError(f"{file.name}: line {number} is no JSON document. Readers take one document a line (jsonl)") from None
    if not documents or not all(isinstance(document, dict) for document in documents):
        raise SniffError(f"{file.name}: every line must be a JSON object, {{...}}")
    own: dict[str, list[str]] = {}
    arrays: dict[str, dict[str, list[str]]] = {}
    skipped: set[str] = set()
    for document in documents:
        _walk(document, "", own, arrays, skipped)
    outer = _scalars("", own)
    inner = {path: _scalars(f"{path}[].", members) for path, members in arrays.items()}
    notes = [f"No contract can name these fields, for . [ ] or = in them: {', '.join(sorted(skipped))}"] if skipped else []
    return Sniffed("jsonl", {}, [Rows(None, outer), *(Rows(path, [*outer, *fields]) for path, fields in inner.items())], notes)


def _scalars(prefix: str, found: Mapping[str, Sequence[str]]) -> list[SourceField]:
    """The fields that hold values; what is null in one document and an object in another is none."""
    parents = {name[:end] for name in found for end in range(len(name)) if name[end] in ".["}
    return [SourceField(prefix + name, values) for name, values in found.items() if values or name not in parents]


def _walk(value: Any, path: str, own: dict[str, list[str]], arrays: dict[str, dict[str, list[str]]], skipped: set[str]) -> None:
    """Collect the values of a JSON value by the path a contract gives them; members of arrays of objects apart, by the array's path."""
    if isinstance(value, dict):
        for name, member in value.items():
            if NOT_IN_A_NAME & set(name):
                skipped.add(name)
            else:
                _walk(member, f"{path}.{name}" if path else name, own, arrays, skipped)
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        key = next((name for name in ("key", "name") if all(name in item and "value" in item for item in value)), None)
        if key:
            for item in value:
                _walk({name: member for name, member in item.items() if name != key}, f"{path}[{key}={item[key]}]", own, arrays, skipped)
        else:
            members = arrays.setdefault(path, {})
            for item in value:
                _walk(item, "", members, {}, skipped)
    elif isinstance(value, list):
        if value and not isinstance(value[0], list):
            _walk(value[0], f"{path}[0]", own, arrays, skipped)
    else:
        values = own.setdefault(path, [])
        if value not in (None, ""):
            values.append(json.dumps(value) if isinstance(value, bool | int | float) else str(value).strip())


def _xml(file: Path) -> Sniffed:
    if file.stat().st_size > MOST_XML_BYTES:
        raise SniffError(f"{file.name} has more than {MOST_XML_BYTES >> 20} MB; give a smaller sample")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True)
    try:
        element = etree.parse(str(file), parser).getroot()
    except etree.XMLSyntaxError as error:
        raise SniffError(f"{file.name} is not well-formed XML: {error}") from None
    records = [element]
    while len(children := list(element)) > 0:
        names = [_local(child) for child in children]
        most = max(names, key=names.count)
        if len(set(names)) > 1 and names.count(most) == 1:
            break  # this is a record itself: its children are its fields
        records = [child for child in children if _local(child) == most][:SAMPLE_ROWS]
        if len(records) > 1:
            break
        element = records[0]
    own: dict[str, list[str]] = {}
    repeated: dict[str, None] = {}
    for record in records:
        repeated |= dict.fromkeys(_repeated(record, ""))
        for path, text in _leaves(record, ""):
            own.setdefault(path, []).extend([text] if text else [])
    fields = [SourceField(path, values) for path, values in own.items()]
    outer = [item for item in fields if not any(item.name.startswith(f"{path}/") for path in repeated)]
    ways = [Rows(path, [*outer, *(item for item in fields if item.name.startswith(f"{path}/"))]) for path in repeated]
    return Sniffed("xml", {"recordTag": _local(records[0])}, [Rows(None, outer), *ways])


def _local(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


def _leaves(element: etree._Element, path: str) -> Iterator[tuple[str, str]]:
    """Path and text of every attribute and every element without children below `element`."""
    for name, value in element.attrib.items():
        yield f"{path}@{etree.QName(str(name)).localname}", str(value).strip()
    for child in element:
        below = f"{path}{_local(child)}"
        if len(child):
            yield from _leaves(child, f"{below}/")
        else:
            yield below, (child.text or "").strip()
            yield from _leaves(child, f"{below}/")


def _repeated(element: etree._Element, path: str) -> Iterator[str]:
    """Paths of elements with children that stand several times beside each other, outermost only."""
    names = [_local(child) for child in element]
    for child in element:
        if len(child) and names.count(_local(child)) > 1:
            yield f"{path}{_local(child)}"
        elif len(child):
            yield from _repeated(child, f"{path}{_local(child)}/")
