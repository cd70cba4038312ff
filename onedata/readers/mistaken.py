"""Tell a text file that is in another encoding than its contract, or its own declaration, says.

Method: one pass counts the bytes and characters that speak for UTF-8, or for Chinese text in GB18030. Every byte of a
wrong file may have a meaning in the encoding that is said, so that no decoder notices.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = 1 << 20
_WIDE = (
    ("UTF-32", codecs.BOM_UTF32_LE),
    ("UTF-32", codecs.BOM_UTF32_BE),
    ("UTF-16", codecs.BOM_UTF16_LE),
    ("UTF-16", codecs.BOM_UTF16_BE),
)
"""Byte order marks; that of UTF-16 begins that of UTF-32."""
_LATIN = frozenset(
    (*(f"iso8859-{number}" for number in (1, 2, 3, 4, 9, 10, 13, 14, 15, 16)), "cp1250", "cp1252", "cp1254", "cp1257")
)
_MULTIBYTE = re.compile(r"gb|big5|shift_jis|euc_|cp932|cp949|cp950|johab")
_ASCII = bytes(range(0x80))
_NO_LETTER = re.compile(rb"[\x80-\x9f]")
_HIGH_RUN = re.compile(rb"[\x80-\xff]{4,}")
_PAIRS = re.compile(rb"(?:[\xa1-\xa3\xb0-\xf7][\xa1-\xfe])+")
_SIGNS = b"\xa1\xa2\xa3"
"""Lead bytes of punctuation in GB2312."""
_LONG_RUN = 8
_EAST_ASIAN_IN_UTF8 = re.compile(rb"[\xe3-\xe9][\x80-\xbf]{2}")
_NOT_IN_GB2312 = re.compile(rb"[\xc2-\xdf][\x80-\xa0]|[\xe0-\xef](?:[\x80-\xa0][\x80-\xbf]|[\x80-\xbf][\x80-\xa0])")
"""UTF-8 characters with a byte that no character of GB2312, Big5 and the EUC encodings has in second place."""
_OTHER_TEXT = re.compile("[^\x00-\x7f]")
_LATIN_TEXT = re.compile("[\xa0-\xbf\xc0-\u024f\u2010-\u203a\u20ac\u2122]")
_LATIN_BESIDE = re.compile("(?<=[A-Za-z])[\xc0-\u024f]|[\xc0-\u024f](?=[A-Za-z])|[\u2010-\u203a\u20ac\u2122]")
_LATIN_WITHIN = re.compile("(?<=[A-Za-z])[\xc0-\u024f](?=[a-z])")
_HANZI = re.compile("[\u4e00-\u9fff]")
_OTHER_LINE = re.compile(rb"[\x80-\xff][^\n]*")
_BROKEN_LINE = re.compile("[\udc80-\udcff][^\n]*")
_NO_CHARACTER = "\ufffd"
_LEAST_OF_GB2312, _MOST_BROKEN = 0.75, 0.01
"""Shares of the characters of a Chinese text. Of a text in Big5 that is read as GB18030, about half are of GB2312."""


@dataclass(frozen=True)
class _Mistake:
    """What a file is instead, as the beginning of a sentence, and the encoding that it may have."""

    found: str
    better: str


def mistaken(source: Path, encoding: str) -> str | None:
    """Why the file is not in the encoding that its contract says; None if nothing speaks against it.

    Text in UTF-8 is taken for no other encoding, and Chinese text for no European one.
    """
    mistake = _mistake(source, encoding)
    if mistake is None:
        return None
    if mistake.found.startswith("the file is no "):
        return f"{mistake.found}. Set encoding in the contract, for example {mistake.better}."
    return f"{mistake.found}, the contract says {encoding}. Set encoding: {mistake.better} in the contract."


def misdeclared(source: Path, encoding: str) -> str | None:
    """Why the file is not in the encoding that it declares itself; None if nothing speaks against it, or if Python does
    not know the encoding."""
    try:
        mistake = _mistake(source, encoding)
    except LookupError:
        return None
    if mistake is None:
        return None
    told = "" if mistake.found.startswith("the file is no ") else f", and declares {encoding}"
    return f"{mistake.found}{told}. Ask for the file with the right declaration, or in UTF-8."


def wide(source: Path) -> str | None:
    """UTF-16 or UTF-32, if the file begins with a byte order mark of it."""
    with source.open("rb") as stream:
        start = stream.read(4)
    return next((name for name, mark in _WIDE if start.startswith(mark)), None)


def is_chinese(source: Path) -> bool:
    """Whether a file that should be UTF-8 and has lines that are not is Chinese text in GB18030 instead: most lines
    with other bytes than ASCII are no UTF-8, and the whole file reads as GB18030, mostly with characters of GB2312.

    Some of its lines are valid UTF-8 by chance, and mean something else there.
    """
    return _is_mostly_broken(source) and _reads_as_chinese(source)


def _is_mostly_broken(source: Path) -> bool:
    """Whether most lines with other bytes than ASCII are no UTF-8, but some are: if none is, none can land wrong."""
    others = broken = 0
    for block in _blocks(source):
        if not block.isascii():
            others += len(_OTHER_LINE.findall(block))
            broken += len(_BROKEN_LINE.findall(block.decode("utf-8", "surrogateescape")))
    return 2 * broken > others > broken


def _reads_as_chinese(source: Path) -> bool:
    decoder = codecs.getincrementaldecoder("gb18030")("replace")
    characters = usual = hanzi = lost = 0
    for block in _blocks(source):
        if not block.isascii():
            text = decoder.decode(block)
            known = text.encode("gb2312", "ignore").decode("gb2312")
            characters += len(_OTHER_TEXT.findall(text))
            usual += len(_OTHER_TEXT.findall(known))
            hanzi += len(_HANZI.findall(known))
            lost += text.count(_NO_CHARACTER)
    is_text = lost <= _MOST_BROKEN * characters and usual >= _LEAST_OF_GB2312 * characters
    return hanzi > 0 and is_text


def _blocks(source: Path) -> Iterator[bytes]:
    """The file in parts that end with a line, as far as lines are shorter than a block."""
    with source.open("rb") as stream:
        while block := stream.read(BLOCK):
            yield block if block.endswith(b"\n") else block + stream.readline(BLOCK)


@dataclass
class _Evidence:
    """What one pass over a file counts."""

    is_utf8: bool = True
    high: int = 0
    """Bytes above 0x7F."""
    characters: int = 0
    """Characters of more than one byte, if the file is UTF-8, and of those: of Latin text, beside ASCII letters,
    between them, and with a byte that most Asian encodings do not have there."""
    latin: int = 0
    beside: int = 0
    within: int = 0
    odd: int = 0
    east_asian: bool = False
    unused: bytes = b""
    in_pairs: int = 0
    pairs: dict[bytes, None] = field(default_factory=dict)
    """Different runs of high bytes that are pairs of GB2312, a few of them."""

    def add(self, block: bytes, text: str | None) -> None:
        """Count a block with high bytes, and its text if the file is UTF-8 so far."""
        self.high += len(block.translate(None, _ASCII))
        self.unused = self.unused or _first(_NO_LETTER, block)
        for run in _HIGH_RUN.findall(block):
            hanzi = len(run[::2].translate(None, _SIGNS))
            if hanzi > 1 and len(run) % 2 == 0 and len(set(run)) > 1 and _PAIRS.fullmatch(run):
                self.in_pairs += len(run)
                if len(self.pairs) < 100:
                    self.pairs[run] = None
        if text is not None:
            self.east_asian = self.east_asian or _EAST_ASIAN_IN_UTF8.search(block) is not None
            self.characters += len(_OTHER_TEXT.findall(text))
            self.latin += len(_LATIN_TEXT.findall(text))
            self.beside += len(_LATIN_BESIDE.findall(text))
            self.within += len(_LATIN_WITHIN.findall(text))
            self.odd += len(_NOT_IN_GB2312.findall(block))

    def is_utf8_instead(self, name: str) -> bool:
        """Whether the file is UTF-8 and not in the encoding. By chance, a short text in a multi-byte encoding may be
        UTF-8 too."""
        if not self.is_utf8 or not self.characters:
            return False
        if self.east_asian or not _MULTIBYTE.match(name):
            return True
        is_latin = self.latin == self.characters and (
            self.within > 0 or (self.characters > 1 and 2 * self.beside > self.characters)
        )
        return is_latin or (self.characters > 3 and 8 * self.odd >= self.characters)

    def chinese_run(self, encoding: str) -> bytes:
        """The bytes that show a European text to be Chinese; none if it is not: most of the high bytes stand in pairs
        of GB2312, and these are many, different, or no word in the encoding."""
        if 2 * self.in_pairs <= self.high:
            return b""
        runs = list(self.pairs)
        long = [run for run in runs if len(run) >= _LONG_RUN]
        strange = [run for run in runs if not _may_be_word(run.decode(encoding, "replace"))]
        if long or strange or len(runs) > 1:
            return (strange or long or runs)[0][:4]
        return b""


def _may_be_word(text: str) -> bool:
    """Whether a text is signs alone, or letters of one case (the first may be a capital) between signs."""
    word = text.strip("".join(set(text) - {letter for letter in text if letter.isalpha()}))
    cased = word.replace("ß", "")
    return not word or (word.isalpha() and (cased.islower() or cased.isupper() or cased.istitle() or not cased))


def _mistake(source: Path, encoding: str) -> _Mistake | None:
    name = codecs.lookup(encoding).name
    if name.startswith(("utf-8", "ascii")):
        return None
    if marked := _marked(source, name):
        return _Mistake(f"the file is {marked}", marked.lower())
    if name.startswith("utf"):
        return None
    evidence = _evidence(source)
    if evidence.is_utf8_instead(name):
        return _Mistake("the file is UTF-8", "utf-8")
    if name in _LATIN and (run := evidence.chinese_run(name)):
        found = f"the file is no {encoding}: it has the bytes {run.hex(' ')} in a row, as Chinese text in GB18030 has"
        return _Mistake(found, "gb18030")
    if name.startswith("iso8859") and evidence.unused:
        found = f"the file is no {encoding}: the byte 0x{evidence.unused.hex()} is no character there"
        return _Mistake(found, "cp1252")
    return None


def _marked(source: Path, name: str) -> str | None:
    """The encoding of the byte order mark that the file begins with, if it is not the one of that name."""
    found = wide(source)
    if found is None:
        with source.open("rb") as stream:
            found = "UTF-8" if stream.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else None
    return found if found and not name.startswith(found.lower()) else None


def _evidence(source: Path) -> _Evidence:
    """What speaks for another encoding; a run of bytes is not cut between two blocks."""
    evidence, decoder = _Evidence(), codecs.getincrementaldecoder("utf-8")()
    for block in _blocks(source):
        text = _text(decoder, block) if evidence.is_utf8 else None
        evidence.is_utf8 = text is not None
        if not block.isascii():
            evidence.add(block, text)
    evidence.is_utf8 = evidence.is_utf8 and not decoder.getstate()[0]
    return evidence


def _text(decoder: codecs.IncrementalDecoder, block: bytes) -> str | None:
    try:
        return decoder.decode(block)
    except UnicodeDecodeError:
        return None


def _first(pattern: re.Pattern[bytes], block: bytes) -> bytes:
    found = pattern.search(block)
    return found[0] if found else b""
