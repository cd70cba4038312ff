"""Mark the comment lines of a CSV file, so that nothing else of it is taken for a comment.

DuckDB cuts a line at the comment character wherever that stands outside quotes. The reader is therefore told another
character, which begins the comment lines of a copy of the file and stands nowhere else in it. Lines and bytes keep
their numbers as long as the comment character is one byte.
"""

import codecs
import re
from collections.abc import Mapping
from pathlib import Path

from onedata.readers.csv_raw import MAX_RECORD_BYTES
from onedata.readers.encoding import has_mark

BLOCK = 1 << 20
MARK = "\x02"
_MARK = MARK.encode()
_LINE_END = re.compile(rb"[\r\n]")


def mark_comments(source: Path, target: Path, options: Mapping[str, str]) -> str | None:
    """Copy a UTF-8 file without its byte order mark, and with `MARK` for the comment character that begins a line.

    Returns:
        The reason why that cannot be done; None on success.
    """
    comment = options["comment"].encode()
    content = _content(options)
    with source.open("rb") as stream, target.open("wb") as file:
        # DuckDB sees no comment behind a byte order mark.
        stream.seek(len(codecs.BOM_UTF8) if has_mark(source) else 0)
        # Every part begins with the line end before it: that of the first is none of the file.
        rest, begun = b"\n", False
        while True:
            block = stream.read(BLOCK)
            block += b"" if block.endswith(b"\n") else stream.readline(MAX_RECORD_BYTES)
            if _MARK in block:
                return (
                    "the file has the control character 0x02, which is no text. Ask for the file without it, or drop "
                    "`comment` from the contract."
                )
            text, is_whole = rest + block, not block.endswith(b"\n") or len(rest) > MAX_RECORD_BYTES
            parts, at = _marked(text, content, comment, is_whole)
            file.write(b"".join(parts)[0 if begun else 1 :])
            rest, begun = text[at:], begun or at > 0
            if not block:
                return None


def _marked(text: bytes, content: re.Pattern[bytes], comment: bytes, is_whole: bool) -> tuple[list[bytes], int]:
    """The text with its comments marked, in parts, and where it ends: before the last line end, or a field whose quotes
    are open, unless `is_whole`."""
    parts, start, at = [], 0, 0
    last = len(text) if is_whole else len(text) - 1
    while at < last:
        found = content.match(text, at, last)
        at = found.end() if found else at
        if not text.startswith(comment, at + 1) or _LINE_END.match(text, at) is None:
            break
        parts += [text[start : at + 1], _MARK]
        start = at + 1 + len(comment)
        end = _LINE_END.search(text, start)
        at = end.start() if end else len(text)
    at = len(text) if is_whole else max(min(at, last), start)
    return [*parts, text[start:at]], at


def _content(options: Mapping[str, str]) -> re.Pattern[bytes]:
    """All up to a line end before a comment, or up to what begins a field whose quotes are open."""
    delimiter, quote = options.get("delimiter", ","), options.get("quote", '"')
    escape = options.get("escape", quote)
    d, q, e, c = (re.escape(text.encode()) for text in (delimiter, quote, escape, options["comment"]))
    qs, es, ds = (_first_byte(text) for text in (quote, escape, delimiter))
    inside = rb"[^%b]*+(?:%b%b[^%b]*+)*+" % (qs, q, q, qs)
    if escape != quote:
        inside = rb"[^%b%b]*+(?:%b.[^%b%b]*+)*+" % (qs, es, e, qs, es)
    blanks = b"" if delimiter == " " else b" *+"
    separator = rb"(?:%b|[\r\n](?!%b))" % (d, c)
    quoted = rb"%b%b%b%b%b" % (separator, blanks, q, inside, q)
    plain = rb"[^%b%b\r\n]++" % (qs, ds)
    other = rb"%b(?!%b%b)|(?!%b|[\r\n])." % (separator, blanks, q, d)
    return re.compile(rb"(?:%b|%b|%b)*+" % (plain, quoted, other), re.DOTALL)


def _first_byte(text: str) -> bytes:
    return re.escape(text.encode()[:1])
