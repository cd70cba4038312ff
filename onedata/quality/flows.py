"""The SQL of balances from one table to another: what went in equals what came out and what is excluded by reason.
Pure."""

from collections.abc import Mapping

from onedata.contracts.totals import AMOUNT, exact
from onedata.quality.reconcile_lake import excluded
from onedata.sql import quote_text

COUNTED = "counted"
UNEXPLAINED = "excluded for no known reason"
LEFT_OUT = "select distinct source_system, order_id from dwd.dwd_unsettled where not is_held"
"""SQL: the documents that are half read and not held at an earlier state."""
UNITS = {"lines": "rows", "orders": "orders", "parcels": "rows", "snapshots": "rows"}


def side(relation: str, currency: str, measures: Mapping[str, str]) -> str:
    """SQL: measure, unit, amount of one side of a flow, in one pass over it."""
    parts = (
        f"{{'measure': {quote_text(name)}, 'unit': {quote_text(UNITS.get(name, currency))}, 'amount': {exact(total)}}}"
        for name, total in measures.items()
    )
    return f"select unnest([{', '.join(parts)}], recursive := true) from {relation}"


def flow(layer: str, source: str, target: str, entered: str, left: str, outside: tuple[str, str] | None = None) -> str:
    """SQL: totals of `source` equal totals of `target`; `outside` is the reason of an excluded part, and the SQL of
    that part."""
    zero = f"0::{AMOUNT}"
    parts = [
        f"select measure, unit, amount as total_in, {zero} as total_out, {zero} as outside from ({entered})",
        f"select measure, unit, {zero}, amount, {zero} from ({left})",
    ]
    if outside:
        parts.append(f"select measure, unit, {zero}, {zero}, amount from ({outside[1]})")
    reasons = excluded((outside[0], "sum(outside)")) if outside else excluded()
    return (
        f"{head(layer, source, target)} sum(total_in) as total_in, sum(total_out) as total_out, {reasons} as excluded "
        f"from ({' union all '.join(parts)}) group by measure, unit"
    )


def head(layer: str, source: str, target: str) -> str:
    return (
        f"select {quote_text(layer)} as layer, {quote_text(target)} as model, {quote_text(f'{source} -> {target}')} as "
        "subject, null as ds, null as path, measure, unit,"
    )


def by_reason(source: str, target: str, cte: str, entered: str, told: str) -> str:
    """SQL: `entered` equals the part of `told` that counts, plus the exclusions by known reason."""
    counted = exact(f"sum(amount) filter (where reason = '{COUNTED}')")
    named = f"reason not in ('{COUNTED}', '{UNEXPLAINED}') and amount <> 0"
    return (
        f"with {cte}, entered as ({entered}), told as (select measure, unit, {counted} as total_out, "
        f"coalesce(map_from_entries(list({{'k': reason, 'v': amount}} order by reason) filter (where {named})), "
        f"{excluded()}) as excluded from ({told}) group by measure, unit) "
        f"{head('dws', source, target)} coalesce(total_in, 0) as total_in, coalesce(total_out, 0) as total_out, "
        f"coalesce(excluded, {excluded()}) as excluded "
        "from entered full outer join told using (measure, unit)"
    )
