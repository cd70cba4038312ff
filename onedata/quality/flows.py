"""The SQL of balances from one table to another: what went in equals what came out and what is excluded by reason.
Pure."""

from collections.abc import Iterable, Sequence

from onedata.contracts.totals import AMOUNT, currency_code, exact
from onedata.quality.balances import Placed
from onedata.quality.reconcile_lake import excluded
from onedata.sql import quote_text

COUNTED = "counted"
Total = tuple[str, str | None, str]
"""Name, unit (None: money) and SQL of a measure."""


def side(relation: str, money: str, measures: Iterable[Total], period: tuple[str, str] | None = None) -> str:
    """SQL: measure, unit, amount of one side of a flow, in one pass over it.

    Args:
        relation: The table or subquery.
        money: The unit of a measure without one.
        measures: The totals.
        period: SQL of a period, which is part of the measures' names, and what to group by.
    """
    name, grouped = (f" || ', ' || {period[0]}", f" group by {period[1]}") if period else ("", "")
    parts = (
        f"{{'measure': {quote_text(measure)}{name}, 'unit': {quote_text(unit or money)}, 'amount': {exact(total)}}}"
        for measure, unit, total in measures
    )
    return (
        f"select unnest(told, recursive := true) from (select unnest([{', '.join(parts)}]) as told "
        f"from {relation}{grouped})"
    )


def side_by_currency(relation: str, currency: str, measures: Sequence[Total]) -> str:
    """SQL: as `side`, with money in the currency of this column: a total for each currency that has one."""
    counts = [total for total in measures if total[1]]
    parts = (
        f"case when {total} is not null then {{'measure': {quote_text(measure)}, 'unit': of_money, "
        f"'amount': {exact(total)}}} end"
        for measure, unit, total in measures
        if unit is None
    )
    money = (
        f"select unnest(told, recursive := true) from (select unnest([{', '.join(parts)}]) as told from "
        f"(select *, {currency_code(currency)} as of_money from {relation}) group by of_money) where told is not null"
    )
    return f"{side(relation, '', counts)} union all {money}" if counts else money


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
        f"{_head(layer, source, target)} sum(total_in) as total_in, sum(total_out) as total_out, {reasons} as excluded "
        f"from ({' union all '.join(parts)}) group by measure, unit"
    )


def flow_by_reason(
    layer: str, source: str, target: str, relation: str, rows: str, unit: str, measures: Iterable[Placed]
) -> str:
    """SQL: totals of the table `relation` equal those of the `rows` that count, plus the exclusions by reason. A row
    without a reason is in neither, and so is a difference.

    Args:
        layer: The layer of the target.
        source: The model that the rows come from.
        target: The model that places them.
        relation: The source's table.
        rows: SQL of the rows as the target places them, each with its `reason`.
        unit: SQL of the unit of money, over both.
        measures: The totals.
    """
    entered, told = [], []
    for item in measures:
        head = f"select {quote_text(item.name)} as measure, {quote_text(item.unit) if item.unit else unit} as unit"
        counts = f"coalesce({item.counted}, false)"
        entered.append(
            f"{head}, {exact(item.entered)} as total_in from {'placed' if item.given else relation} group by all"
        )
        told += [
            f"{head}, {quote_text(reason)} as reason, {exact(total)} as amount from placed where {counts} group by all"
            for reason, total in ((COUNTED, item.left), *item.parts)
        ]
        told.append(
            f"{head}, reason, {exact(item.left_out)} as amount from placed "
            f"where not {counts} and reason is not null group by all"
        )
    return (
        f"with placed as ({rows}), entered as ({' union all '.join(entered)}), told as (select measure, unit, "
        f"{exact(f'sum(amount) filter (where reason = {quote_text(COUNTED)})')} as total_out, "
        "coalesce(map_from_entries(list({'k': reason, 'v': amount} order by reason) "
        f"filter (where reason <> {quote_text(COUNTED)} and amount <> 0)), {excluded()}) as excluded "
        f"from ({' union all '.join(told)}) group by measure, unit) "
        f"{_head(layer, source, target)} coalesce(total_in, 0) as total_in, coalesce(total_out, 0) as total_out, "
        f"coalesce(excluded, {excluded()}) as excluded "
        "from entered full outer join told using (measure, unit)"
    )


def _head(layer: str, source: str, target: str) -> str:
    return (
        f"select {quote_text(layer)} as layer, {quote_text(target)} as model, {quote_text(f'{source} -> {target}')} as "
        "subject, null as ds, null as path, measure, unit,"
    )
