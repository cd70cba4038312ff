"""Stream text of any encoding that Python knows as UTF-8."""

import codecs
import re
import shutil
from pathlib import Path

BLOCK = 1 << 20
_ERRORS = "onedata_mark"
_MARKED = {"utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)}
MARK = "\udcff"
"""Becomes the byte 0xFF, which no UTF-8 text holds: a line with a byte that the encoding does not have stays a broken
line, and is not repaired."""


_LATIN = frozenset(
    (*(f"iso8859-{number}" for number in (1, 2, 3, 4, 9, 10, 13, 14, 15, 16)), "cp1250", "cp1252", "cp1254", "cp1257")
)
_ASIAN_RUN = re.compile(rb"[\x81-\xfe]{4}")
"""Four letters with accents in a row occur in no European text, and in any Chinese one read as such."""
_NO_LETTER = re.compile(rb"[\x80-\x9f]")
_HANZI_IN_UTF8 = re.compile(rb"[\xe3-\xe9][\x80-\xbf]{2}")


def is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"


def has_mark(source: Path) -> bool:
    """Whether the file begins with the UTF-8 byte order mark."""
    with source.open("rb") as stream:
        return stream.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8


def without_mark(source: Path, target: Path) -> None:
    """Copy a file without its byte order mark."""
    with source.open("rb") as stream, target.open("wb") as file:
        stream.seek(len(codecs.BOM_UTF8))
        shutil.copyfileobj(stream, file, BLOCK)


def to_utf8(source: Path, target: Path, encoding: str) -> None:
    """Convert a file to UTF-8; a byte that is invalid in `encoding` becomes 0xFF and its hexadecimal escape,
    `\\xNN`."""
    codecs.register_error(_ERRORS, _mark)
    name = codecs.lookup(encoding).name
    with source.open("rb") as stream, target.open("wb") as file:
        block = stream.read(BLOCK)
        if name in _MARKED and not block.startswith(_MARKED[name]):
            name = _unmarked(name, block)
        decoder = codecs.getincrementaldecoder(name)(_ERRORS)
        while block:
            file.write(decoder.decode(block).encode("utf-8", "surrogateescape"))
            block = stream.read(BLOCK)
        file.write(decoder.decode(b"", True).encode("utf-8", "surrogateescape"))


def mistaken(source: Path, encoding: str) -> str | None:
    """Why the file is not in the encoding that its contract says, although every byte of it has a meaning there; None
    if nothing speaks against it.

    Text in UTF-8 is taken for no other encoding (nothing else decodes as UTF-8 by chance), and Chinese text for no
    European one.
    """
    name = codecs.lookup(encoding).name
    if name.startswith(("utf", "ascii")):
        return None
    decoder = codecs.getincrementaldecoder("utf-8")()
    utf8, high, hanzi, asian, unused = True, False, False, b"", b""
    with source.open("rb") as stream:
        while block := stream.read(BLOCK):
            try:
                utf8 = utf8 and decoder.decode(block) is not None
            except UnicodeDecodeError:
                utf8 = False
            high = high or not block.isascii()
            hanzi = hanzi or _HANZI_IN_UTF8.search(block) is not None
            asian = asian or _first(_ASIAN_RUN, block)
            unused = unused or _first(_NO_LETTER, block)
    if utf8 and high and (name in _LATIN or hanzi):
        return f"the file is UTF-8, the contract says {encoding}. Set encoding: utf-8 in the contract."
    if name in _LATIN and asian:
        return (
            f"the file is no {encoding}: it has the bytes {asian.hex(' ')} in a row, as Chinese text in GB18030 has. "
            "Set encoding in the contract, for example gb18030."
        )
    if name.startswith("iso8859") and unused:
        return (
            f"the file is no {encoding}: the byte 0x{unused.hex()} is no character there. Set encoding in the "
            "contract, for example cp1252."
        )
    return None


def _first(pattern: re.Pattern[bytes], block: bytes) -> bytes:
    found = pattern.search(block)
    return found[0] if found else b""


def _unmarked(name: str, start: bytes) -> str:
    """The byte order of a text without a mark: in little-endian text, the ASCII characters that every file has end in
    zero bytes."""
    return f"{name}-le" if start[1::2].count(0) >= start[::2].count(0) else f"{name}-be"


def _mark(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    escaped = "".join(f"\\x{byte:02x}" for byte in error.object[error.start : error.end])
    return MARK + escaped, error.end
