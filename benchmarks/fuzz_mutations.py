"""Seeded mutations of a file's bytes: transmission errors, exporter mistakes, and deliberate attacks."""

import re
from collections.abc import Callable, Sequence
from random import Random

MAX_BYTES = 1 << 17
SPECIAL = (
    b"\x00",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b'"',
    b'""',
    b"'",
    b",",
    b";",
    b"\t",
    b"|",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\\",
    b'\\"',
    b"\\u0000",
    b"\\ud800",
    b"\x0b",
    b"\x0c",
    b"\x1a",
    b"\x1d",
    b"\x1f",
    b"\x85",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xff",
    b"\xc3(",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\x80",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"<",
    b">",
    b"</",
    b"&",
    b"&x;",
    b"<!--",
    b"]]>",
    b"<![CDATA[",
    b"<!DOCTYPE a [<!ENTITY x 'y'>]>",
    b"#",
    b"=1+1",
    b"'); drop table ops.file; --",
    b"../../../etc/passwd",
    b"%s%n",
    b" ",
    b"\xc2\xa0",
)
VALUES = (
    b"1e999",
    b"-1e999",
    b"9" * 400,
    b"-" + b"9" * 40,
    b"0.000000000000000000000000000000000001",
    b"99999999999999.99999",
    b"18446744073709551616",
    b"NaN",
    b"inf",
    b"-0",
    b"0x10",
    b"1_000",
    b"1,5",
    b"null",
    b"NULL",
    b"true",
    b"[]",
    b"{}",
    b'{"a": 1}',
    b"[[[]]]",
    b'"text"',
    b"''",
    b"0000-00-00",
    b"2026-02-30T25:61:61Z",
    b"9999-12-31T23:59:59.999999999Z",
    b"294247-01-10 04:00:54.775807",
    b"290309-12-22 (BC) 00:00:00",
    b"2026-01-05T10:00:00+99:99",
    b"infinity",
    b"epoch",
)
Mutation = Callable[[Random, bytes], bytes]


def mutate(random: Random, content: bytes, binary: bool = False) -> bytes:
    """Apply one to four mutations in sequence; to a binary format only those that need no text."""
    kinds = ON_BYTES if binary else (*ON_BYTES, *ON_TEXT, *ON_TEXT)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        content = random.choice(kinds)(random, content)[:MAX_BYTES]
    return content


def _span(random: Random, content: bytes, longest: int = 200) -> tuple[int, int]:
    start = random.randrange(len(content) + 1)
    return start, min(len(content), start + random.choice((1, 1, 2, 4, 16, longest)))


def _flip_bits(random: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8)) if changed else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _other_bytes(random: Random, content: bytes) -> bytes:
    start, end = _span(random, content, 32)
    return content[:start] + random.randbytes(end - start) + content[end:]


def _cut_end(random: Random, content: bytes) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def _cut_start(random: Random, content: bytes) -> bytes:
    return content[random.randrange(min(len(content), 64) + 1) :]


def _drop(random: Random, content: bytes) -> bytes:
    start, end = _span(random, content)
    return content[:start] + content[end:]


def _double(random: Random, content: bytes) -> bytes:
    start, end = _span(random, content)
    return content[:end] + content[start:end] * random.choice((1, 1, 2, 50)) + content[end:]


def _swap(random: Random, content: bytes) -> bytes:
    (a, b), (c, d) = sorted((_span(random, content, 60), _span(random, content, 60)))
    return content if c < b else content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def _insert_special(random: Random, content: bytes) -> bytes:
    at = random.choice((0, len(content), *[random.randrange(len(content) + 1)] * 6))
    return content[:at] + random.choice(SPECIAL) + content[at:]


def _zeros(random: Random, content: bytes) -> bytes:
    start, end = _span(random, content, 64)
    return content[:start] + b"\x00" * (end - start) + content[end:]


def _nothing(random: Random, content: bytes) -> bytes:
    return random.choice((b"", b"", b"\n", b" ", b"\x00", b"\xef\xbb\xbf", content, content))


def _other_value(random: Random, content: bytes) -> bytes:
    """Replace a number, word or quoted text by a value of another type or size."""
    found = list(re.finditer(rb'"[^"\n]*"|[\w.+-]+', content))
    if not found:
        return content
    match = random.choice(found)
    return content[: match.start()] + random.choice(VALUES) + content[match.end() :]


def _line(random: Random, content: bytes) -> bytes:
    """Drop, duplicate, move, empty, or join one line with the next."""
    lines = content.split(b"\n")
    at = random.randrange(len(lines))
    what = random.randrange(5)
    if what == 0:
        del lines[at]
    elif what == 1:
        lines.insert(random.randrange(len(lines)), lines[at])
    elif what == 2:
        lines.insert(random.randrange(len(lines)), lines.pop(at))
    elif what == 3:
        lines[at] = b""
    else:
        lines[at : at + 2] = [b"".join(lines[at : at + 2])]
    return b"\n".join(lines)


def _swap_columns(random: Random, content: bytes) -> bytes:
    """Swap two fields in every line, or in all but the header."""
    mark = random.choice((b",", b";"))
    lines = [line.split(mark) for line in content.split(b"\n")]
    width = max(map(len, lines))
    if width < 2:
        return content
    a, b = random.sample(range(width), 2)
    for cells in lines[random.randrange(2) :]:
        if max(a, b) < len(cells):
            cells[a], cells[b] = cells[b], cells[a]
    return b"\n".join(mark.join(cells) for cells in lines)


def _column(random: Random, content: bytes) -> bytes:
    """Add or remove one field in one line or all."""
    mark = random.choice((b",", b";"))
    lines = content.split(b"\n")
    chosen = range(len(lines)) if random.randrange(2) else [random.randrange(len(lines))]
    for at in chosen:
        if mark in lines[at]:
            lines[at] = lines[at].rpartition(mark)[0] if random.randrange(2) else lines[at] + mark + b"x"
    return b"\n".join(lines)


def _line_ends(random: Random, content: bytes) -> bytes:
    return content.replace(b"\n", random.choice((b"\r\n", b"\r", b"\n\r", b"\x0b", b"\n\n", b" ")))


def _deep(random: Random, content: bytes) -> bytes:
    """Replace a value by deep nesting."""
    depth = random.choice((50, 300, 5000))
    opened, closed = random.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"<a>", b"</a>"), (b'"', b'"')))
    at = random.choice([match.start() for match in re.finditer(rb"[:,>]", content)] or [0]) + 1
    return content[:at] + opened * depth + b"1" + closed * random.choice((depth, depth, 0, depth - 1)) + content[at:]


def _long(random: Random, content: bytes) -> bytes:
    """Insert a very long value or line."""
    at = random.randrange(len(content) + 1)
    return (
        content[:at]
        + random.choice((b"x", b" ", b",", b"\xc3\xa9", b"0", b"\n")) * random.choice((300, 5000, 40_000))
        + content[at:]
    )


def _encoded(random: Random, content: bytes) -> bytes:
    """Convert the text to another encoding."""
    return content.decode("utf-8", "replace").encode(
        random.choice(("utf-16", "utf-16-le", "utf-8-sig", "latin-1", "utf-32", "cp1252")), "replace"
    )


ON_BYTES: Sequence[Mutation] = (
    _flip_bits,
    _other_bytes,
    _cut_end,
    _cut_start,
    _drop,
    _double,
    _swap,
    _insert_special,
    _zeros,
    _nothing,
)
ON_TEXT: Sequence[Mutation] = (
    _other_value,
    _other_value,
    _line,
    _swap_columns,
    _column,
    _line_ends,
    _deep,
    _long,
    _encoded,
    _insert_special,
)
