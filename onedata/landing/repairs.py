"""The SQL of repairs: changes of a text before it is cast, and their record (`_repaired`).

Surrounding blanks are always removed; every other repair is declared in the contract. Each repair is counted for each
row it changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from onedata.contracts.model import Repair
from onedata.sql import quote_text

# A Latin-1 letter whose UTF-8 bytes were read as Latin-1 or as Windows-1252.
_LETTERS = [chr(code) for code in range(0xA0, 0x100)]

# White space, and characters that nobody sees, at the start or the end of a text: exports write a tab behind a long
# number so that Excel keeps it, pages copy no-break spaces, and Chinese texts have blanks of full width.
_BLANK = (
    r"[\s\x{0b}\x{1c}-\x{1f}\x{85}\x{a0}\x{1680}\x{2000}-\x{200b}\x{2028}\x{2029}\x{202f}\x{205f}"
    r"\x{2060}\x{3000}\x{feff}]"
)
_EDGES = f"^{_BLANK}+|{_BLANK}+$"

# A column of each row, so that the usual row is checked once and not for each of its texts.
PADDED = "_padded"


@dataclass(frozen=True)
class Mended:
    """SQL of the repaired value, and for each kind of repair SQL that is true if it changed the row's value."""

    value: str
    changed: tuple[tuple[str, str], ...]


def may_be_padded(texts: Sequence[str], others: Sequence[str] = ()) -> str:
    """SQL of `PADDED`: one of the expressions may be empty or have surrounding blanks. Of ASCII only blanks and control
    characters sort before '!'.

    Args:
        texts: Text expressions that become texts: any blank at their ends makes another value.
        others: Text expressions that are cast, in which blanks other than ' ' are rare, and no cast takes them.
    """
    parts = [f"{text} < '!' or ends_with({text}, ' ')" for text in (*texts, *others)]
    for text in texts:
        parts.append(f"ends_with({text}, chr(9)) or ends_with({text}, chr(10))")
        # Only a text with a character beside ASCII is searched by a pattern.
        parts.append(f"(strlen({text}) <> length({text}) and regexp_matches({text}, {quote_text(_EDGES)}))")
    return " or ".join(parts) or "false"


def mended(text: str, repairs: Sequence[Repair], suspect: str | None = None) -> Mended:
    """The value of a text expression: trimmed, an empty text missing, then each repair in its order.

    `suspect` is SQL that is true if the text may be empty or have surrounding blanks; other texts are left unchanged.
    """
    padded = f"regexp_matches({text}, {quote_text(_EDGES)})"
    suspect = suspect or f"{text} = '' or {padded}"
    trimmed = f"regexp_replace({text}, {quote_text(_EDGES)}, '', 'g')"
    value = f"case when {suspect} then nullif({trimmed}, '') else {text} end"
    changed = [("trim", padded)]
    for repair in repairs:
        before, value = value, f"({_applied(repair, f'({value})')})"
        changed.append((repair.kind, f"{value} is distinct from ({before})"))
    return Mended(value, tuple(changed))


def repaired(changes: Sequence[tuple[str, str, str]]) -> str:
    """SQL of `_repaired`: 'column:repair' for each of (column, repair, predicate) that holds, comma between; NULL for
    the usual row.

    Trimmed columns are only searched if `PADDED` holds.
    """
    if not changes:
        return "null::varchar"
    some = " or ".join(dict.fromkeys(PADDED if kind == "trim" else f"({predicate})" for _, kind, predicate in changes))
    parts = ", ".join(
        f"case when {predicate} then {quote_text(f'{column}:{kind}')} end" for column, kind, predicate in changes
    )
    return f"case when {some} then nullif(concat_ws(',', {parts}), '') end"


def _applied(repair: Repair, value: str) -> str:
    if repair.kind in ("upper", "lower"):
        return f"{repair.kind}({value})"
    if repair.kind == "values":
        whens = " ".join(
            f"when {quote_text(wrong)} then {quote_text(right)}" for wrong, right in repair.arguments.items()
        )
        return f"case {value} {whens} else {value} end"
    if repair.kind == "round":
        number = f"try_cast({value} as decimal(38, 20))"
        return (
            f"case when {number} is null or {number} = round({number}, {repair.arguments['digits']}) then {value} "
            f"else round({number}, {repair.arguments['digits']})::varchar end"
        )
    if repair.kind == "unit":
        return _in_unit(repair, value)
    return _unspoilt(value)


def _in_unit(repair: Repair, value: str) -> str:
    """Convert a number with a unit to a plain number; a number without one, or with another unit, is unchanged."""
    whens = []
    for unit, factor in repair.arguments.items():
        number = f"try_cast(trim(left({value}, length({value}) - {len(unit)})) as decimal(24, 8))"
        whens.append(
            f"when ends_with({value}, {quote_text(unit)}) and {number} is not null then ({number} * "
            f"{factor})::decimal(24, 8)::varchar"
        )
    return f"case when try_cast({value} as double) is not null then {value} {' '.join(whens)} else {value} end"


def _unspoilt(value: str) -> str:
    """Fix Latin letters whose UTF-8 bytes were read as Latin-1 or Windows-1252."""
    sql = value
    for letter in _LETTERS:
        for codec in ("latin-1", "cp1252"):
            spoilt = letter.encode("utf-8").decode(codec, "ignore")
            if len(spoilt) == 2:
                sql = f"replace({sql}, {quote_text(spoilt)}, {quote_text(letter)})"
    return f"case when contains({value}, 'Ã') or contains({value}, 'Â') then {sql} else {value} end"
