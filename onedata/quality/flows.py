"""The SQL of balances from one table to another: what went in equals what came out and what is excluded by reason.
Pure."""

from collections.abc import Iterable

from onedata.contracts.totals import AMOUNT, exact
from onedata.quality.reconcile_lake import excluded
from onedata.sql import quote_text

COUNTED = "counted"
UNEXPLAINED = "excluded for no known reason"
COPIES = (
    "case copies.basis when 'found' then ' found in another system too' when 'decided' then ' that are another "
    "system''s by a decision' else ' that another system has too' end"
)
"""SQL: why an order of dws_order_copy (`copies`) counts elsewhere, as the end of a reason."""
LEFT_OUT = "select distinct source_system, order_id from dwd.dwd_unsettled where not is_held"
"""SQL: the documents that are half read and not held at an earlier state."""


def side(
    relation: str,
    currency: str,
    measures: Iterable[tuple[str, str | None, str]],
    period: tuple[str, str] | None = None,
) -> str:
    """SQL: measure, unit, amount of one side of a flow, in one pass over it.

    Args:
        relation: The table or subquery.
        currency: The unit of a measure without one.
        measures: Name, unit and total of each.
        period: SQL of a period, which is part of the measures' names, and what to group by.
    """
    name, grouped = (f" || ', ' || {period[0]}", f" group by {period[1]}") if period else ("", "")
    parts = (
        f"{{'measure': {quote_text(measure)}{name}, 'unit': {quote_text(unit or currency)}, 'amount': {exact(total)}}}"
        for measure, unit, total in measures
    )
    return (
        f"select unnest(told, recursive := true) from (select unnest([{', '.join(parts)}]) as told "
        f"from {relation}{grouped})"
    )


def flow(layer: str, source: str, target: str, entered: str, left: str, *outside: tuple[str, str]) -> str:
    """SQL: totals of `source` equal totals of `target`; `outside` are the excluded parts: reason, and the SQL of the
    part."""
    zero = f"0::{AMOUNT}"
    parts = [
        f"select measure, unit, amount as total_in, {zero} as total_out, {zero} as outside, '' as reason "
        f"from ({entered})",
        f"select measure, unit, {zero}, amount, {zero}, '' from ({left})",
        *(
            f"select measure, unit, {zero}, {zero}, amount, {quote_text(reason)} from ({part})"
            for reason, part in outside
        ),
    ]
    reasons = excluded(
        *((reason, f"coalesce(sum(outside) filter (where reason = {quote_text(reason)}), 0)") for reason, _ in outside)
    )
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
