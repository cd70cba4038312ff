"""A file's record elements, some megabytes at a time; memory depends on the block and the largest record, not on the
file.

Method: the content from the start of the first record to the end of the last one is cut after records, and each piece
is parsed as a separate document. A piece that parses is well-formed content, and a sequence of such pieces means the
same as the whole: a wrong cut (a closing tag in a comment or CDATA, a parent that ends) cannot parse. From the first
piece that does not parse, and for documents that cannot be cut (a document type, UTF-16), libxml2's push parser reads
the document unchanged. Nothing is fetched, no entity is resolved, and libxml2's limits on depth, text and amplification
apply.
"""

import codecs
import copy
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from lxml import etree

from onedata.readers.xml_paths import ANY_NAMESPACE

BLOCK_BYTES = 1 << 20
MAX_RECORD_BYTES = 32 << 20
_PROBE_BYTES = 4096
_NEAR_BYTES = 1 << 16
_OPTIONS = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
# The first bytes of a document in UTF-32, with and without a byte order mark.
_UTF_32 = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    "<".encode("utf-32-le"): "utf-32-le",
    "<".encode("utf-32-be"): "utf-32-be",
}
# Encodings in which the ASCII characters of markup are single bytes and never parts of other characters.
_CUT_ENCODINGS = re.compile(r"utf-?8|(us-)?ascii|iso-8859-\d+|windows-125\d", re.IGNORECASE)

_DECLARATION = re.compile(rb"""<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z][\w.:-]*)["']""")


class Unreadable(Exception):
    """A document that is refused for its content; the message gives the reason and the fix."""


@dataclass(frozen=True)
class Batch:
    """Some records of a file, in file order, somewhere below `root`; and whether all elements are in
    `ANY_NAMESPACE`."""

    root: etree._Element
    one_namespace: bool


def record_batches(path: Path, tags: Sequence[str]) -> Iterator[Batch]:
    """The file's outermost elements with one of the local names `tags`.

    Raises:
        etree.XMLSyntaxError: the file is not well-formed to its end.
        Unreadable: it declares or uses its own entities, or a record is larger than `MAX_RECORD_BYTES`.
    """
    root_name = _root_name(path)
    with path.open("rb") as stream:
        rest = stream.read(BLOCK_BYTES)
        head = b""
        if frame := _frame(rest, tags):
            head, rest = rest[: frame.head], _more(stream, rest[frame.head :], frame)
            while piece := _whole_records(rest, frame):
                parser = etree.XMLParser(encoding=frame.encoding, **_OPTIONS)
                try:
                    root = etree.fromstring(b"".join((frame.start, piece, frame.end)), parser)
                except etree.XMLSyntaxError:
                    break
                # A declaration inside the records may put elements into other namespaces.
                yield Batch(root, b"xmlns" not in piece)
                rest = _more(stream, rest[len(piece) :], frame)
        for records in _pushed(chain([head + rest], _blocks(stream)), tags, root_name):
            yield Batch(records, one_namespace=False)


def records_as_sent(path: Path, tags: Sequence[str]) -> Iterator[etree._Element]:
    """The same records in the document's own namespaces, as children of elements. Raises as `record_batches`."""
    root_name = _root_name(path)
    with path.open("rb") as stream:
        yield from _pushed(_blocks(stream), tags, root_name)


def declared_encoding(path: Path) -> str | None:
    """The encoding in the XML declaration of a file whose markup is ASCII; None without one, or with a byte order mark,
    which libxml2 believes."""
    with path.open("rb") as stream:
        found = _DECLARATION.match(stream.read(_PROBE_BYTES))
    return found[1].decode() if found else None


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    while block := stream.read(BLOCK_BYTES):
        yield block


def _root_name(path: Path) -> str:
    """The root's local name, after the document type has been checked.

    Raises:
        etree.XMLSyntaxError: there is no root element.
        Unreadable: the document declares entities, which no till or partner needs but an attacker does; or it is not
            text.
    """
    _refuse_broken_utf32(path)
    parser = etree.XMLPullParser(events=("start",), **_OPTIONS)
    root = None
    with path.open("rb") as stream:
        while root is None and (some := stream.read(_PROBE_BYTES)):
            _feed(parser, some)
            _, root = next(parser.read_events(), (None, None))
    if root is None:
        root = parser.close()
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and any(True for _ in declared.iterentities()):
        raise Unreadable("it declares entities of its own, which are never resolved. Ask for the file without them.")
    return str(etree.QName(root).localname)


def _refuse_broken_utf32(path: Path) -> None:
    """libxml2 puts a replacement character for bytes that UTF-32 does not have, and refuses them in every other
    encoding (2.14.6)."""
    with path.open("rb") as stream:
        start, encoding = 0, _UTF_32.get(stream.read(4), "")
        if not encoding:
            return
        decoder = codecs.getincrementaldecoder(encoding)()
        stream.seek(0)
        for block in _blocks(stream):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                raise Unreadable(
                    f"it is UTF-32, and near byte {start + error.start:,} there are bytes of no character. Ask for it "
                    "again."
                ) from None
            start += len(block)


def _feed(parser: etree.XMLPullParser, data: bytes) -> None:
    """Feed the parser, and raise errors that it only records: it would start a new document with the next data."""
    parser.feed(data)
    for entry in parser.feed_error_log:
        if entry.type == etree.ErrorTypes.WAR_UNDECLARED_ENTITY:
            raise Unreadable(
                "it uses an entity that only a document type elsewhere could declare, which is never fetched. Ask for "
                "the file without it."
            )
        if entry.level >= etree.ErrorLevels.ERROR:
            raise etree.XMLSyntaxError(
                f"{entry.message}, line {entry.line}, column {entry.column}", entry.type, entry.line, entry.column
            )


@dataclass(frozen=True)
class _Frame:
    """Where the first record starts, and the text around a piece of records that makes it a document in one namespace.

    Paths use local names. In one namespace libxml2 compares names instead of calling local-name(), which halves the
    work.
    """

    head: int
    encoding: str
    start: bytes
    end: bytes
    record_end: re.Pattern[bytes]


def _frame(start: bytes, tags: Sequence[str]) -> _Frame | None:
    """The frame of a document with this start; None if it cannot be cut, or if that cannot be determined."""
    names = b"|".join(re.escape(tag.encode()) for tag in tags)
    first = re.search(rb"""<(?:[^\s<>/:!?="']+:)?(?:%b)(?=[\s/>])""" % names, start)
    if first is None:
        return None
    head = start[: first.start()]
    parser = etree.XMLPullParser(events=("start", "end"), **_OPTIONS)
    above: list[etree._Element] = []
    try:
        # The parser waits for more after four bytes; a blank may follow in content.
        parser.feed(head + b" ")
        for event, element in parser.read_events():
            if event == "start":
                above.append(element)
            else:
                above.pop()
        # Does the head end where content is allowed, with these elements open?
        ends = b"".join(f"</{_as_written(element)}>".encode() for element in reversed(above))
        document = etree.fromstring(head + ends, etree.XMLParser(**_OPTIONS)).getroottree().docinfo
    except etree.XMLSyntaxError:
        return None
    if not above:
        return None
    encoding = document.encoding or "UTF-8"
    if document.doctype or not _CUT_ENCODINGS.fullmatch(encoding):
        return None
    prefixes = "".join(f' xmlns:{prefix}="{ANY_NAMESPACE}"' for prefix in above[-1].nsmap if prefix)
    record_end = re.compile(rb"""</(?:[^\s<>/:!?="']+:)?(?:%b)\s*>""" % names)
    return _Frame(
        len(head), encoding, f'<records xmlns="{ANY_NAMESPACE}"{prefixes}>'.encode(), b"</records>", record_end
    )


def _as_written(element: etree._Element) -> str:
    name = etree.QName(element).localname
    return f"{element.prefix}:{name}" if element.prefix else name


def _whole_records(data: bytes, frame: _Frame) -> bytes:
    """`data` up to the end of its last record; nothing if no record ends in it."""
    for start in (max(0, len(data) - _NEAR_BYTES), 0):
        ends = [match.end() for match in frame.record_end.finditer(data, start)]
        if ends:
            return data[: ends[-1]]
    return b""


def _more(stream: BinaryIO, rest: bytes, frame: _Frame) -> bytes:
    """`rest` and as many blocks as needed until a record ends in it, up to the limit of a record."""
    parts, size, tail = [rest], len(rest), rest
    while not frame.record_end.search(tail) and size <= MAX_RECORD_BYTES and (block := stream.read(BLOCK_BYTES)):
        # A closing tag may span two blocks.
        tail = tail[-_PROBE_BYTES:] + block
        parts.append(block)
        size += len(block)
    return b"".join(parts)


def _pushed(blocks: Iterable[bytes], tags: Sequence[str], root_name: str) -> Iterator[etree._Element]:
    """Records as children of elements, by the push parser, of any document."""
    found = _Records(tags, root_name)
    for block in blocks:
        if (records := found.feed(block)) is not None:
            yield records
    found.close()


class _Records:
    """Takes the complete records out of the tree that a push parser builds."""

    def __init__(self, tags: Sequence[str], root_name: str) -> None:
        self._tags = tags
        self._parser = etree.XMLPullParser(
            events=("start", "end"), tag=[f"{{*}}{name}" for name in {*tags, root_name}], **_OPTIONS
        )
        self._root: etree._Element | None = None
        self._open: etree._Element | None = None
        self._open_bytes = 0

    def feed(self, block: bytes) -> etree._Element | None:
        """The records that `block` completes, as children of one element; None if there are none."""
        _feed(self._parser, block)
        done = []
        for event, element in self._parser.read_events():
            if self._root is None:
                self._root = element
            if self._open is None and event == "start" and etree.QName(element).localname in self._tags:
                self._open = element
            elif element is self._open and event == "end":
                done.append(element)
                self._open = None
        self._open_bytes = self._open_bytes + len(block) if self._open is not None and not done else 0
        if self._open_bytes > MAX_RECORD_BYTES:
            name = "|".join(self._tags)
            raise Unreadable(
                f"one {name} element is larger than {MAX_RECORD_BYTES >> 20} MB. Let recordTag name the element that "
                "is one record."
            )
        records = _taken(done)
        self._forget()
        return records

    def close(self) -> None:
        """Raises etree.XMLSyntaxError if the document is incomplete."""
        self._parser.close()

    def _forget(self) -> None:
        """Free complete elements, except the last child of each open element, after which the parser writes."""
        node = self._root
        while node is not None and node is not self._open and len(node):
            del node[:-1]
            node = node[-1]


def _taken(done: Sequence[etree._Element]) -> etree._Element | None:
    if not done:
        return None
    records = etree.Element("records")
    # Copies: the parser may still write after the last one, and a moved element loses its prefix.
    records.extend(copy.deepcopy(record) for record in done)
    return records
