"""Stream text of any encoding that Python knows as UTF-8."""

import codecs
import shutil
from pathlib import Path

BLOCK = 1 << 20
_ERRORS = "onedata_mark"
_MARKED = {"utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)}
MARK = "\udcff"
"""Becomes the byte 0xFF, which no UTF-8 text holds: a line with a byte that the encoding does not have stays a broken
line, and is not repaired."""


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


def _unmarked(name: str, start: bytes) -> str:
    """The byte order of a text without a mark: in little-endian text, the ASCII characters that every file has end in
    zero bytes."""
    return f"{name}-le" if start[1::2].count(0) >= start[::2].count(0) else f"{name}-be"


def _mark(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    escaped = "".join(f"\\x{byte:02x}" for byte in error.object[error.start : error.end])
    return MARK + escaped, error.end
