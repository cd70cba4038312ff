"""Why a row is invalid: its row rules, and the words of its reason. Pure: checks in, SQL out.

The pass over all rows only collects what a reason is made of. The words are made of the invalid rows alone, full
vectors of them: DuckDB compiles the patterns inside a lambda again for every vector, at the price of its 2,000 rows.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from onedata.masking import mask_sql, shown_sql
from onedata.sql import quote_text

_CAUSE = '[{"before": "VARCHAR", "after": "VARCHAR", "shown": "BOOLEAN", "value": "VARCHAR", "known": ["VARCHAR"]}]'

_EXPECTED = "regexp_extract(e.error_message, 'Columns: (\\d+)', 1)"
_FOUND = "regexp_extract(e.error_message, 'Found: (\\d+)', 1)"
REJECTED = (
    "lower(e.error_type::varchar) || ': ' || case e.error_type::varchar "
    f"when 'MISSING COLUMNS' then {_FOUND} || ' fields where ' || {_EXPECTED} || ' are expected; is it cut off?' "
    # DuckDB counts to the first field too many.
    f"when 'TOO MANY COLUMNS' then 'more fields than the ' || {_EXPECTED} || ' expected; does a value hold a delimiter "
    "and no quotes?' "
    "when 'UNQUOTED VALUE' then 'a value begins with a quote and does not end with one before the next delimiter' "
    "when 'LINE SIZE OVER MAXIMUM' then 'the record is longer than a record may be; is a quote left open?' "
    "else e.error_message end"
)
"""SQL of why DuckDB's reader rejects a record, of its table of errors `e`."""


@dataclass(frozen=True)
class Check:
    """A row rule: SQL that is true for an invalid row, and its reason: text around SQL of the value to show (None if no
    value is shown)."""

    rule: str
    predicate: str
    before: str
    value: str | None = None
    after: str = ""
    known: Sequence[str] = ()


def causes_sql(checks: Sequence[Check]) -> str:
    """SQL of a JSON array with the words and the value of every rule that a row breaks, put together as a text: lists
    and structures cost as much for one row as for a vector."""
    broken = []
    for check in checks:
        words = {"before": check.before, "after": check.after, "shown": check.value is not None}
        start = json.dumps(words | {"known": [word.lower() for word in check.known]})[:-1]
        value = f"coalesce(to_json({check.value})::varchar, 'null')" if check.value else "'null'"
        text = f"{quote_text(start)} || ', \"value\": ' || {value} || '}}'"
        broken.append(f"case when {check.predicate} then {text} end")
    return f"('[' || concat_ws(', ', {', '.join(broken)}) || ']')::json" if broken else "'[]'::json"


def reason_sql(kept: str) -> str:
    """SQL of the reason of an invalid row: why it could not be parsed, or the reasons of all rules that it breaks.

    Args:
        kept: SQL of a JSON object with `unparsed`, the reason of the first kind, or `causes` (`causes_sql`).
    """
    shown = f"case when lower(_c.value) in _c.known then '\"' || _c.value || '\"' else {shown_sql('_c.value')} end"
    words = f"_c.before || case when _c.shown then {shown} else '' end || _c.after"
    unparsed, causes = f"({kept} ->> 'unparsed')", f"from_json({kept} -> 'causes', {quote_text(_CAUSE)})"
    return f"coalesce({mask_sql(unparsed)}, array_to_string(list_transform({causes}, lambda _c: {words}), '; '))"
