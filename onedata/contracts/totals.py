"""The money of an entity that is reconciled to the cent from file to ADS: declared once, with the entity. Pure:
contract in, SQL out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from onedata.contracts.boundary import Boundary
from onedata.contracts.model import Column, ContractError, Entity, Total
from onedata.sql import quote_text

AMOUNT = "decimal(38, 4)"
CURRENCY = "currency"
# Money of a line to four digits; NULL if it is too large for money. The wide product, forty times slower, is for
# amounts that may need it.
MACROS = """
create or replace macro exact_product(a, b) as case when a between -99999 and 99999 and b between -99999 and 99999
    then cast(a * b as decimal(18, 4)) else try_cast(cast(a as decimal(38, 4)) * b as decimal(18, 4)) end
"""
LARGEST = "99999999999999.9999"


def parse_totals(
    content: Sequence[Mapping[str, Any]] | None, columns: Sequence[Column], file: Path
) -> tuple[Total, ...]:
    """The totals of one entity's YAML; none if it has no money.

    Raises:
        ContractError: one has no name or amount, or its amount is not an exact number computed only from the entity's
            public columns (totals are published), or fails on large values.
    """
    totals = []
    for item in content or ():
        if not isinstance(item, dict) or set(item) != {"name", "amount"}:
            raise ContractError(
                f"{file}: totals takes entries {{name: ..., amount: an SQL expression over the entity's columns}}, not "
                f"{item}"
            )
        totals.append(Total(str(item["name"]), str(item["amount"])))
    if totals and CURRENCY not in [column.name for column in columns]:
        raise ContractError(
            f"{file}: totals needs a column {CURRENCY}: money of different currencies is never added up"
        )
    public = [column for column in columns if column.classification == "public"]
    largest = ", ".join(
        f"{LARGEST if column.type == 'decimal' else 'null'}::{column.sql_type} as {column.name}" for column in public
    )
    if not totals:
        return ()
    with duckdb.connect() as con:
        names = [column.name for column in public]
        for total in totals:
            Boundary(con).check_expression(
                total.amount, f"{file}: total {total.name}: {total.amount!r}", names, ["exact_product"]
            )
            con.execute(f"{MACROS}; create or replace table largest as select {largest}")
            try:
                kind = str(con.execute(f"select {total.amount} from largest").description[0][1])
            except duckdb.OutOfRangeException as error:
                raise ContractError(
                    f"{file}: total {total.name}: {total.amount!r} overflows on large values; widen it and use "
                    f"try_cast: {error}"
                ) from None
            except duckdb.Error as error:
                raise ContractError(
                    f"{file}: total {total.name}: {total.amount!r} is not SQL over the entity's public columns: {error}"
                ) from None
            if not kind.startswith("DECIMAL"):
                raise ContractError(
                    f"{file}: total {total.name}: {total.amount!r} is {kind.lower()}; money is decimal, so that sums "
                    "are exact"
                )
    return tuple(totals)


def sums_by_currency(entity: Entity, rows: str, by: Sequence[str]) -> str:
    """SQL: `by`, measure, unit (the currency), amount; one row per total and currency that occurs.

    A missing or too large amount counts as zero (`parse_totals` ensures that none fails), and an invalid currency as
    XXX, ISO 4217's code for no currency: invalid rows have both.

    Args:
        entity: The entity of the totals; has at least one.
        rows: A relation with the entity's columns and `by`.
        by: Columns to group by.
    """
    keys = "".join(f"{name}, " for name in by)
    sums = ", ".join(f"sum({total.amount}) as {total.name}" for total in entity.totals)
    # Sum by the raw currency text first: the code is computed for the few distinct texts, not for every row.
    written = f"select {keys}{CURRENCY} as written, {sums} from {rows} group by all"
    names = ", ".join(quote_text(total.name) for total in entity.totals)
    amounts = ", ".join(exact(f"sum({total.name})") for total in entity.totals)
    return (
        f"select {keys}unnest([{names}]) as measure, unit, unnest(amounts) as amount from ("
        f"select {keys}{currency_code('written')} as unit, [{amounts}] as amounts from ({written}) group by all)"
    )


def exact(total: str) -> str:
    """SQL: a sum as exact money, 0 for NULL."""
    return f"coalesce({total}, 0)::{AMOUNT}"


def currency_code(column: str) -> str:
    """SQL: a currency as DWD writes it, or XXX."""
    return f"case when regexp_full_match(upper({column}), '[A-Z]{{3}}') then upper({column}) else 'XXX' end"
