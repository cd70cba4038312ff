"""Headers as concepts: the words of a header in any language, by the table words.yaml.

`Bestellnummer`, `order_no` and `订单编号` all mean (order, id). A word that the table does not know stands for itself.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

TABLE = Path(__file__).with_name("words.yaml")
EAST_ASIAN = re.compile(r"[\u3005\u3040-\u30ff\u3400-\u9fff]+")
REMARK = re.compile(r"\s*\(([^()]*)\)$")
RUN = re.compile(r"[\u3005\u3040-\u30ff\u3400-\u9fff]+|[a-z0-9²]+|%|€|£")
LINKS = ("s", "n", "en", "e", "es")
"""What German and Dutch put between the parts of a compound."""
SHORTEST_PART = 3
SHORT_ENDS = frozenset(("id", "no", "nr"))
LONGEST_COMPOUND = 40


@dataclass(frozen=True)
class Phrase:
    """How headers call a column, as concepts; not `sure` where other columns are called so too."""

    concepts: frozenset[str]
    sure: bool


@dataclass(frozen=True)
class Words:
    """The table: word sequences to concepts, columns to their phrases (`entity.column` before `column`), and the words
    of units, currencies, booleans and of columns with few values."""

    concepts: Mapping[tuple[str, ...], tuple[str, ...]]
    drop: frozenset[str]
    ends: Mapping[str, str]
    context: Mapping[str, frozenset[str]]
    named: Mapping[str, frozenset[str]]
    masters: Mapping[str, str]
    only: Mapping[str, str]
    telling: Mapping[str, frozenset[str]]
    columns: Mapping[str, Sequence[Phrase]]
    values: Mapping[str, frozenset[str]]
    booleans: Sequence[tuple[str, str]]
    units: Mapping[str, Mapping[str, str]]
    currencies: Mapping[str, str]


@dataclass(frozen=True)
class Header:
    """What a header says: its concepts in order, and the unit and the currency that it names."""

    concepts: tuple[str, ...]
    unit: str | None = None
    currency: str | None = None


@cache
def words() -> Words:
    """The table of words.yaml, read once."""
    content: dict[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    concepts: dict[tuple[str, ...], tuple[str, ...]] = {}
    for concept, others in content["words"].items():
        meant = tuple(concept.split())
        for text in (concept, *others):
            concepts[tuple(_runs(text))] = meant
    found = Words(
        concepts=concepts,
        drop=frozenset(_plain(str(word)) for word in content["drop"]),
        ends=content["ends"],
        context={entity: frozenset(texts) for entity, texts in content["context"].items()},
        named={entity: frozenset(texts) for entity, texts in content["named"].items()},
        masters=content["masters"],
        only=content["only"],
        telling={entity: frozenset(texts) for entity, texts in content["telling"].items()},
        columns={},
        values={name: frozenset(map(_plain, map(str, texts))) for name, texts in content["values"].items()},
        booleans=[(yes, no) for yes, no in content["booleans"]],
        units={measure: {_plain(u): str(f) for u, f in units.items()} for measure, units in content["units"].items()},
        currencies={_plain(word): code for word, code in content["currencies"].items()},
    )
    columns = {
        name: tuple(
            Phrase(frozenset(_concepts(found, _runs(text.rstrip("~")))), not text.endswith("~")) for text in texts
        )
        for name, texts in content["columns"].items()
    }
    return Words(**(vars(found) | {"columns": columns}))


@cache
def header(text: str) -> Header:
    """What a header, or one step of a path, says."""
    table = words()
    runs = list(_runs(_without_remark(table, text)))
    unit = currency = None
    while len(runs) > 1 and (runs[-1] in table.currencies or any(runs[-1] in units for units in table.units.values())):
        last = runs.pop()
        currency = table.currencies.get(last, currency)
        unit = unit if last in table.currencies else last
    said = [*runs, unit] if unit and (unit,) in table.concepts else runs  # grams are a weight
    return Header(tuple(dict.fromkeys(_concepts(table, said))), unit, currency)


def _without_remark(table: Words, text: str) -> str:
    """The text without a remark in parentheses at its end, such as (not editable); a unit or a known word stays."""
    remark = REMARK.search(text)
    if remark is None or not remark.start():
        return text
    said = list(_runs(remark[1]))
    tells = any(run in table.currencies or any(run in units for units in table.units.values()) for run in said)
    return text if tells or any(map(is_known, _concepts(table, said))) else text[: remark.start()]


def is_known(concept: str) -> bool:
    """Whether the concept is one of the table, not a word that it does not know."""
    return concept in _known()


@cache
def _known() -> frozenset[str]:
    return frozenset(concept for meant in words().concepts.values() for concept in meant)


def folded(text: str) -> str:
    """Lower case, without accents."""
    return _plain(text)


def _plain(text: str) -> str:
    spread = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).replace("ß", "ss").replace("²", "2"))
    return "".join(letter for letter in spread if not unicodedata.combining(letter)).lower()


def _runs(text: str) -> Iterator[str]:
    """The words of a text: Latin ones between other signs and at capitals, East Asian ones as they stand."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    for found in RUN.finditer(_plain(parted)):
        yield found[0]


def _concepts(table: Words, runs: Sequence[str] | Iterator[str]) -> list[str]:
    """The concepts of words: the longest known sequence first, then one word, then the parts of a compound."""
    found: list[str] = []
    given, at = list(runs), 0
    while at < len(given):
        for length in range(min(4, len(given) - at), 0, -1):
            meant = table.concepts.get(tuple(given[at : at + length]))
            if meant:
                found += meant
                at += length
                break
        else:
            word = given[at]
            found += [] if word in table.drop or (word.isdigit() and len(word) < 4) else _parts(table, word)
            at += 1
    return found


def _parts(table: Words, word: str) -> list[str]:
    """The concepts of one word that the table does not know whole."""
    if EAST_ASIAN.fullmatch(word):
        return _east_asian(table, word)
    bare = re.sub(r"(?<=[a-z])1?$", "", word).strip("0123456789") if not word.isdigit() else word
    for known in (bare, bare.removesuffix("s"), bare.removesuffix("en"), bare.removesuffix("e")):
        if (known,) in table.concepts and not re.search("[2-9]$", word):
            return list(table.concepts[known,])
    cut = _compound(table, word) if len(word) <= LONGEST_COMPOUND else None
    if cut is None:
        return [word]
    last = cut.pop()
    ends = (table.ends[last],) if last in table.ends else table.concepts[last,]
    return [*(concept for part in cut for concept in table.concepts[part,]), *ends]


def _compound(table: Words, word: str) -> list[str] | None:
    """The fewest known words that the word is made of, with the letters that link them; None if there are none."""
    best: dict[int, list[str]] = {0: []}
    for end in range(SHORTEST_PART, len(word) + 1):
        for start in range(end - 1):
            if start not in best:
                continue
            piece = word[start:end]
            linked = [piece.removesuffix(link) for link in LINKS if end < len(word) and piece.endswith(link)]
            parts = [part for part in (piece, *linked) if len(part) >= SHORTEST_PART or part in SHORT_ENDS]
            known = next((part for part in parts if (part,) in table.concepts), None)
            if known in SHORT_ENDS and end < len(word):
                continue
            if known and (end not in best or len(best[end]) > len(best[start]) + 1):
                best[end] = [*best[start], known]
    found = best.get(len(word))
    return found if found and len(found) > 1 else None


def _east_asian(table: Words, text: str) -> list[str]:
    """The text cut into known words so that as few characters as possible are left, and then into few words."""
    best: list[tuple[int, int, list[str]]] = [(0, 0, [])]
    for end in range(1, len(text) + 1):
        options = [(best[end - 1][0] + 1, best[end - 1][1], [*best[end - 1][2], text[end - 1]])]
        for start in range(end):
            meant = table.concepts.get((text[start:end],))
            if meant:
                left, count, before = best[start]
                options.append((left, count + 1, [*before, *meant]))
            elif text[start:end] in table.drop:
                options.append(best[start])
        best.append(min(options, key=lambda option: option[:2]))
    return best[-1][2]
