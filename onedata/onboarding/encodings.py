"""The encoding of a sample that is not UTF-8: those in which all of it is plausible text, the likeliest first. Pure.

Most encodings give any bytes some meaning, so a text counts as plausible only if nearly all of its letters are common
ones of the script.
"""

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

PLAUSIBLE = 0.7
MOST_LETTERS = 1 << 20
"""How many bytes of lines with letters that are not English are judged."""
FEWEST_FOR_KOREAN = 8
MOST_BROKEN = 10
"""Of so many letters that are not English one may be broken in UTF-8: nothing else reads as UTF-8 by chance."""
_BROKEN = "\ufffd"
_FOREIGN = re.compile(r"[^\x00-\x7f]")
_LONG_RUN = re.compile(rb"[\x81-\xfe]{4}")
"""Four letters with accents in a row are no European text; landing refuses such (`onedata.readers.encoding`)."""
_SIGNS = frozenset("€£¥°§²³µ½¼«»–—‘’“”„…™®©·ºª¿¡\u00a0")
_KATAKANA_RUN = re.compile("[\uff61-\uff9f]{4}")


@dataclass(frozen=True)
class _Candidate:
    """An encoding by its name in a contract, and how plausible a text is that was read in it, from 0 to 1."""

    name: str
    plausible: Callable[[bytes, str], float]


def is_utf8(content: bytes) -> bool:
    """Whether the content is UTF-8, but for a few broken letters among many."""
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(content)
    broken = text.count(_BROKEN)
    return not broken or broken * MOST_BROKEN <= len(_FOREIGN.findall(text)) - broken


def plausible_encodings(content: bytes) -> list[str]:
    """Encodings in which all of the content has a meaning and is plausible text, the likeliest first. A character cut
    off at its end does not count."""
    told = b"\n".join(line for line in content.split(b"\n") if not line.isascii())[:MOST_LETTERS]
    found: list[tuple[float, str]] = []
    for candidate in _CANDIDATES:
        text = _read(told, candidate.name)
        score = candidate.plausible(told, text) if text else 0.0
        if score >= PLAUSIBLE and _read(content, candidate.name) is not None:
            found.append((score, candidate.name))
    return [name for _, name in sorted(found, key=lambda item: -item[0])]


def _read(content: bytes, encoding: str) -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(content)
    except UnicodeDecodeError:
        return None


def _foreign(text: str) -> list[str]:
    return [letter for letter in text if letter > "\x7f"]


def _leads(text: str, encoding: str) -> Iterator[int]:
    """The first bytes of the letters of two bytes; 0 for other letters."""
    for letter in _foreign(text):
        code = letter.encode(encoding, "replace")
        yield code[0] if len(code) == 2 else 0


def _east(encoding: str, *common: tuple[int, int]) -> _Candidate:
    """An encoding of East Asia, whose common letters begin with bytes in these ranges."""

    def plausible(head: bytes, text: str) -> float:
        leads = list(_leads(text, encoding))
        is_common = [any(first <= lead <= last for first, last in common) for lead in leads]
        share = sum(is_common) / len(leads) if leads else 0.0
        # Without any run of such letters it is a European text: `Äpfel` is a letter of Big5 too.
        return share if _LONG_RUN.search(head) else share * 0.85

    return _Candidate(encoding, plausible)


def _japanese(head: bytes, text: str) -> float:
    """Shift-JIS, in which old tills write half-width kana of one byte."""
    share = _east("cp932", (0x81, 0x83), (0x88, 0x98)).plausible(head, text)
    foreign = _foreign(text)
    if share < PLAUSIBLE and foreign and _KATAKANA_RUN.search(text):
        half = sum("\uff61" <= letter <= "\uff9f" for letter in foreign) / len(foreign)
        return min(share + half, 1.0) * 0.85
    return share


def _korean(head: bytes, text: str) -> float:
    """Hangul lies where Chinese has its commonest letters: only of more letters can it be told."""
    share = _east("euc_kr", (0xB0, 0xC8)).plausible(head, text)
    return share * (1.1 if share == 1 and len(set(_foreign(text))) >= FEWEST_FOR_KOREAN else 0.9)


def _script(name: str, capitals: str, small: str, weight: float = 1.0) -> _Candidate:
    """An encoding of one script, whose words are mostly small letters; `weight` is less for a rare one."""
    run = re.compile(f"[{small}]{{3}}")
    letters = re.compile(f"[{capitals}{small}]")
    smalls = re.compile(f"[{small}]")

    def plausible(_: bytes, text: str) -> float:
        foreign = "".join(_foreign(text))
        known = len(letters.findall(foreign)) + sum(letter in _SIGNS for letter in foreign)
        is_written = run.search(text) is not None and len(smalls.findall(foreign)) * 2 >= len(foreign)
        return weight * known / len(foreign) if is_written else 0.0

    return _Candidate(name, plausible)


def _latin(head: bytes, text: str) -> float:
    if _LONG_RUN.search(head):
        return 0.0
    foreign = _foreign(text)
    return sum(letter.isalpha() or letter in _SIGNS for letter in foreign) / max(len(foreign), 1)


def _central(head: bytes, text: str) -> float:
    return _latin(head, text) * 0.95


_CANDIDATES = (
    _Candidate("cp1252", _latin),
    _script("cp1251", "А-ЯЁ", "а-яё"),
    _script("koi8-r", "А-ЯЁ", "а-яё", 0.8),
    _script("cp1253", "Ά-Ϋ", "ά-ώ", 0.95),
    _east("gb18030", (0xA1, 0xA3), (0xB0, 0xD7)),
    _Candidate("cp932", _japanese),
    _east("euc_jp", (0xA1, 0xA5), (0xB0, 0xCF)),
    _east("big5", (0xA1, 0xA1), (0xA4, 0xC6)),
    _Candidate("euc_kr", _korean),
    _Candidate("cp1250", _central),
)
