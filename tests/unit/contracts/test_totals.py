"""The money totals of an entity: allowed declarations, and their sums."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from small_retailer import canonical

from onedata.contracts import ContractError, load_entities
from onedata.contracts.totals import MACROS, sums_by_currency

COLUMNS = [
    {"name": "id", "type": "text", "required": True, "classification": "public", "description": "Id."},
    {"name": "price", "type": "decimal", "classification": "public", "description": "Price."},
    {"name": "weight", "type": "double", "classification": "public", "description": "Weight."},
    {"name": "cost", "type": "decimal", "classification": "sensitive", "description": "Cost."},
    {"name": "currency", "type": "text", "classification": "public", "description": "Currency."},
]


def declared(folder: Path, *totals: Any, columns: list[dict[str, Any]] = COLUMNS) -> tuple[str, ...]:
    content = {
        "entity": "thing",
        "title": "Things",
        "grain": "one thing",
        "owner": "sales",
        "key": ["id"],
        "totals": list(totals),
        "columns": columns,
    }
    (folder / "thing.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return tuple(total.name for total in load_entities(folder)["thing"].totals)


def test_a_total_is_a_name_and_an_amount_over_the_columns(tmp_path: Path) -> None:
    assert declared(tmp_path, {"name": "value", "amount": "price - 2"}) == ("value",)


@pytest.mark.parametrize(
    ("total", "what"),
    [
        ({"name": "value"}, "takes entries"),
        ({"name": "value", "amount": "price", "unit": "kg"}, "takes entries"),
        ("price", "takes entries"),
        ({"name": "value", "amount": "prise"}, "total value: 'prise' is not SQL over the entity's public columns"),
        ({"name": "value", "amount": "cost"}, "total value: 'cost' is not SQL over the entity's public columns"),
        ({"name": "value", "amount": "price - [1]"}, "'price - [1]' is not SQL over the entity's public columns: Bind"),
        (
            {"name": "value", "amount": "(select 1.0 from read_text('/etc/hostname'))"},
            "has a query in it. Allowed is one expression over the entity's",
        ),
        ({"name": "value", "amount": "price + getvariable('token_inner')"}, "calls getvariable()"),
        ({"name": "value", "amount": "price from read_text('/etc/hostname') --"}, "is more than one expression"),
        (
            {"name": "value", "amount": "price * price"},
            "'price * price' overflows on large values; widen it and use try_cast",
        ),
        ({"name": "value", "amount": "weight"}, "total value: 'weight' is double; money is decimal"),
    ],
)
def test_a_mistake_in_a_total_is_told_by_file_and_place(tmp_path: Path, total: Any, what: str) -> None:
    with pytest.raises(ContractError, match=r"thing\.yaml") as caught:
        declared(tmp_path, total)
    assert what in str(caught.value)


def test_money_needs_a_currency(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="totals needs a column currency"):
        declared(tmp_path, {"name": "value", "amount": "price"}, columns=COLUMNS[:-1])


def sums(*values: str, line_amount: str = "null") -> dict[tuple[str, str], Decimal]:
    """Measure and currency to amount, of order lines: quantity, price, discount, currency."""
    rows = (
        f"(select *, null::decimal(18, 4) as tax_amount, {line_amount}::decimal(18, 4) as line_amount "
        f"from (values {', '.join(values)}) t(quantity, unit_price, "
        "discount_amount, currency))"
    )
    with duckdb.connect() as con:
        con.execute(MACROS)
        found = con.execute(
            f"select measure, unit, amount from ({sums_by_currency(canonical()['order_line'], rows, [])})"
        ).fetchall()
    return {(measure, unit): amount for measure, unit, amount in found}


PLAIN = "(2::decimal(18, 4), 10.005::decimal(18, 4), 0.5::decimal(18, 4), 'CNY')"


def test_totals_are_exact_sums_by_currency() -> None:
    found = sums(PLAIN, PLAIN, "(1, 3, null, 'eur')")
    assert {key: found[key] for key in (("gross_amount", "CNY"), ("net_amount", "CNY"), ("net_amount", "EUR"))} == {
        ("gross_amount", "CNY"): Decimal("40.02"),
        ("net_amount", "CNY"): Decimal("39.02"),
        ("net_amount", "EUR"): Decimal(3),
    }


def test_an_amount_that_no_row_has_comes_to_nothing() -> None:
    assert sums(PLAIN)["tax_amount", "CNY"] == 0


def test_broken_rows_are_counted_with_what_they_have() -> None:
    """No currency, text in its place (which may name a person), no amount, an amount beyond every type."""
    wild = "(99999999999999::decimal(18, 4), 99999999999999::decimal(18, 4), null, 'CNY')"
    found = sums(PLAIN, wild, "(null, 3, null, null)", "(1, 3, null, 'jane@example.com')")
    assert found["gross_amount", "CNY"] == Decimal("20.01")
    assert found["gross_amount", "XXX"] == 3
    assert {unit for _, unit in found} == {"CNY", "XXX"}


@pytest.mark.parametrize(
    "factors", ["2, 99999999999999", "99999999999999, 2", "-2, 99999999999999", "99999999999999, -2"]
)
def test_an_amount_beyond_money_counts_as_nothing_whichever_factor_is_large(factors: str) -> None:
    one, other = factors.split(", ")
    wild = f"({one}::decimal(18, 4), {other}::decimal(18, 4), null, 'CNY')"
    assert sums(PLAIN, wild)["gross_amount", "CNY"] == Decimal("20.01")


def test_large_amounts_that_are_money_count() -> None:
    large = "(2::decimal(18, 4), 40000000000000::decimal(18, 4), null, 'CNY')"
    assert sums(PLAIN, large)["gross_amount", "CNY"] == Decimal("80000000000020.01")


def test_the_amount_that_the_source_gives_counts() -> None:
    """Net 20.00 as given, gross that and the discount of 0.50; quantity x price would be 20.01."""
    found = sums(PLAIN, line_amount="20")
    assert (found["net_amount", "CNY"], found["gross_amount", "CNY"]) == (20, Decimal("20.50"))


def test_totals_are_summed_by_what_is_asked() -> None:
    rows = (
        "(select *, null::decimal(18, 4) as tax_amount, null::decimal(18, 4) as line_amount from "
        "(values (1, 2::decimal(18, 4), 0::decimal(18, 4), 'CNY', "
        "'a', 1), (1, 3, 0, 'CNY', 'a', 1), (1, 5, 0, 'CNY', 'a', 2), (1, 7, 0, 'CNY', 'b', 1)) "
        "t(quantity, unit_price, discount_amount, currency, k, n))"
    )
    with duckdb.connect() as con:
        con.execute(MACROS)
        found = con.execute(
            f"select k, n, amount from ({sums_by_currency(canonical()['order_line'], rows, ['k', 'n'])}) "
            "where measure = 'gross_amount' order by all"
        ).fetchall()
    assert found == [("a", 1, 5), ("a", 2, 5), ("b", 1, 7)]


def test_an_entity_without_totals_has_none(tmp_path: Path) -> None:
    assert declared(tmp_path, columns=COLUMNS[:-1]) == ()
