"""What the text of an Excel cell does not tell, in three columns beside the sheet's own: maps from a column's name to
words. Their names begin with a blank, which no name of a header does.

A text column takes a number as the sheet shows it; other columns take the number.
"""

from collections.abc import Iterable, Sequence

from onedata.contracts.model import Feed, placeholders, references
from onedata.sql import quote_name, quote_text

WRONG = " wrong"
"""Why a cell has no value that can be read."""
SHOWN = " shown"
"""A number as its format shows it, where that is not the number."""
UNREAD = " unread"
"""Why it is not known how a number is shown."""
NO_RESULT = "no result"
"""Of a formula whose result is not saved: refused before it is written."""
KINDS = (WRONG, SHOWN, UNREAD)


def shown_columns(feed: Feed, found: Iterable[str]) -> dict[str, str]:
    """SQL of each column that is taken as it is shown: all but those from which the contract reads numbers or days
    only."""
    as_text = _as_text(feed)
    return {
        name: f"coalesce({_of(SHOWN, name)}, {quote_name(name)})"
        for name in found
        if name in as_text or name not in feed.source_fields
    }


def told_sql(feed: Feed, found: Sequence[str]) -> str:
    """SQL of why a row's cells cannot be read as the contract reads them; NULL for most rows."""
    as_text = _as_text(feed)
    voided = _voided(feed)
    words = [(name, _of(WRONG, name)) for name in feed.source_fields if name in found and name not in voided]
    words += [(name, _of(UNREAD, name)) for name in feed.source_fields if name in found and name in as_text]
    told = ", ".join(f"{quote_text(f'{name}: ')} || {word}" for name, word in words)
    some = f"{quote_name(WRONG)} is not null or {quote_name(UNREAD)} is not null"
    return f"case when {some} then nullif(concat_ws('; ', {told}), '') end" if words else "null::varchar"


def _as_text(feed: Feed) -> set[str]:
    """The source fields from which the contract reads texts."""
    names = {name for item in feed.fields if item.column.type == "text" for name in references(item)}
    return names | set(placeholders(feed.condition or ""))


def _voided(feed: Feed) -> set[str]:
    """The source fields of which an error costs the value and not the row: it is no value of their columns' types."""
    kept = [item for item in feed.fields if item.on_invalid != "void" or item.column.type == "text" or item.logic]
    needed = {name for item in kept for name in references(item)} | set(placeholders(feed.condition or ""))
    return set(feed.source_fields) - needed


def _of(kind: str, name: str) -> str:
    return f"{quote_name(kind)}[{quote_text(name)}]"
