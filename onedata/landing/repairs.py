"""The SQL of repairs: what landing mends in a text before it is typed, and the record of it (`_repaired`).

Blanks around a text are always taken off; every other repair is declared in the contract. Each is counted for each row
it changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from onedata.contracts.model import Repair
from onedata.sql import quote_text

# What a letter of Latin-1 looks like once its UTF-8 bytes were read as Latin-1 or as Windows' version of it.
_LETTERS = [chr(code) for code in range(0xA0, 0x100)]

# A column of each row, so that the usual row is looked at once and not for each of its texts.
PADDED = "_padded"


@dataclass(frozen=True)
class Mended:
    """SQL of the mended value, and for each kind of repair SQL that is true where it changed the row's value."""

    value: str
    changed: tuple[tuple[str, str], ...]


def may_be_padded(texts: Sequence[str]) -> str:
    """SQL of `PADDED`: one of the text expressions may be empty or have blanks around it. Nothing printed sorts before
    '!' but the blank."""
    return " or ".join(f"{text} < '!' or ends_with({text}, ' ')" for text in texts) or "false"


def mended(text: str, repairs: Sequence[Repair], suspect: str | None = None) -> Mended:
    """The value of a text expression: trimmed, an empty text missing, then each repair in its order.

    `suspect` is SQL that is true wherever the text is empty or has blanks around it: the others are taken as they are.
    """
    padded = f"(starts_with({text}, ' ') or ends_with({text}, ' '))"
    suspect = suspect or f"{text} = '' or {padded}"
    value = f"case when {suspect} then nullif(trim({text}), '') else {text} end"
    changed = [("trim", padded)]
    for repair in repairs:
        before, value = value, f"({_applied(repair, f'({value})')})"
        changed.append((repair.kind, f"{value} is distinct from ({before})"))
    return Mended(value, tuple(changed))


def repaired(changes: Sequence[tuple[str, str, str]]) -> str:
    """SQL of `_repaired`: 'column:repair' for each of (column, repair, predicate) that holds, comma between; NULL for
    the usual row.

    Only where `PADDED` holds is it looked for what was trimmed.
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
    if repair.kind == "unit":
        return _in_unit(repair, value)
    return _unspoilt(value)


def _in_unit(repair: Repair, value: str) -> str:
    """A number with a unit as the number alone; a number without one, or with another, goes on as it stands."""
    whens = []
    for unit, factor in repair.arguments.items():
        number = f"try_cast(trim(left({value}, length({value}) - {len(unit)})) as decimal(24, 8))"
        whens.append(
            f"when ends_with({value}, {quote_text(unit)}) and {number} is not null then ({number} * "
            f"{factor})::decimal(24, 8)::varchar"
        )
    return f"case when try_cast({value} as double) is not null then {value} {' '.join(whens)} else {value} end"


def _unspoilt(value: str) -> str:
    """Latin letters whose UTF-8 bytes were read as Latin-1 or Windows-1252, put right."""
    sql = value
    for letter in _LETTERS:
        for codec in ("latin-1", "cp1252"):
            spoilt = letter.encode("utf-8").decode(codec, "ignore")
            if len(spoilt) == 2:
                sql = f"replace({sql}, {quote_text(spoilt)}, {quote_text(letter)})"
    return f"case when contains({value}, 'Ã') or contains({value}, 'Â') then {sql} else {value} end"
