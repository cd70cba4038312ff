"""The balances of documents that the models' YAML declares close on right tables, and find a row or a cent that a model
loses."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import duckdb
import pytest

from onedata.quality.reconcile_layers import layer_balances

# One order of each fate. `shop 1`: goods of 100.00 less 10.00 of the whole order, and a gift card of 20.00; 30.00 were
# paid back, of which 5.00 postage. The others count nowhere, each for a reason of its own.
WORLD = """
create schema dwd; create schema dws; create schema dim;
create table dwd.dwd_order as from (values
    ('shop', '1', false, false, null, 120.00, null::timestamp), ('shop', 'test', true, false, null, 1, null),
    ('shop', 'cancelled', false, true, null, 1, null), ('shop', 'unread', false, false, null, 1, null),
    ('mkt', 'found', false, false, null, 1, null), ('mkt', 'decided', false, false, null, 1, null),
    ('mkt', 'declared', false, false, 's', 1, null))
    as t (source_system, order_id, is_test, is_cancelled, external_order_id, total_amount, updated_at);
create table dwd.dwd_unsettled as from (values ('shop', 'unread', false)) as t (source_system, order_id, is_held);
create table dwd.dwd_refund_unread (source_system varchar, order_id varchar, refund_id varchar);
create table dws.dws_order_copy as from (values
    ('mkt', 'found', 'found'), ('mkt', 'decided', 'decided'), ('mkt', 'declared', 'declared'))
    as t (document_system, document_id, basis);
create table dws.dws_order_copy_cancelled (source_system varchar, order_id varchar);
create table dwd.dwd_order_line as
    select source_system, order_id, '1' as line_id, 'EUR' as currency, 100.00::decimal(18, 4) as gross_amount,
    100.00::decimal(18, 4) as net_amount, 'sale' as line_type, null::varchar as parent_line_id,
    null::timestamp as updated_at, false as is_test, 1 as quantity, null::integer as current_quantity from dwd.dwd_order
    union all select 'shop', '1', 'card', 'EUR', 20, 20, 'gift_card', null, null, false, 1, null;
create table dws.dws_order_line as
    select source_system as document_system, order_id as document_id, source_system, order_id, line_id, line_type,
    currency, gross_amount, (net_amount - if(order_id = '1' and line_id = '1', 10, 0))::decimal(18, 4) as net_amount,
    if(order_id = '1' and line_id = '1', 10, 0)::decimal(18, 4) as order_discount_amount,
    15.00::decimal(18, 4) as tax_amount, order_id = '1' as is_counted from dwd.dwd_order_line;
create table dwd.dwd_refund as from (values
    ('shop', 'r1', '1', 'EUR', 30.00::decimal(18, 4), 'success', 'online', 'shop', '1', null::varchar),
    ('shop', 'r2', '1', 'EUR', 7.00, 'failed', 'online', 'shop', '1', null))
    as t (source_system, refund_id, line_id, currency, amount, status, channel, order_system, order_id, order_line_id);
create table dws.dws_refund as
    select source_system as refund_system, refund_id, line_id, order_system as source_system, order_id, currency,
    amount, refund_id = 'r1' as is_counted, (5 - amount)::decimal(18, 4) as net_amount, -4.00::decimal(18, 4) as
    tax_amount, 5.00::decimal(18, 4) as shipping_refunded_amount, 0.00::decimal(18, 4) as returned_elsewhere_amount,
    0.00::decimal(18, 4) as not_goods_amount, 0.00::decimal(18, 4) as gift_card_amount,
    0.00::decimal(18, 4) as tax_of_lines, 0.00::decimal(18, 4) as tax_of_added from dwd.dwd_refund;
create table dwd.dwd_order_line_lowered (source_system varchar, order_id varchar);
create table dws.dws_order as select 'shop' as source_system, '1' as order_id;
create table dws.dws_order_movement as from (values
    (true, false, 2, 'EUR', 100.00::decimal(18, 4), 90.00::decimal(18, 4), 15.00::decimal(18, 4), 0::decimal(18, 4),
        20.00::decimal(18, 4)),
    (true, true, 0, 'EUR', 0, -25.00, -4.00, -5.00, 0))
    as t (is_counted, is_refund, line_count, currency, gross_amount, net_amount, tax_amount, shipping_amount,
        gift_card_amount);
"""


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute(WORLD)
        yield opened


def balances(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str, Decimal, dict[str, Decimal]]]:
    """Flow, measure with its unit, difference and exclusions, of the flows between documents."""
    flows = [
        query
        for query in layer_balances("dws", "EUR")
        if any(
            f"'{flow}' as subject" in query
            for flow in (
                "dwd_order -> dws_order",
                "dwd_order_line -> dws_order_line",
                "dwd_refund -> dws_refund",
                "dws_order_line -> dws_order_movement",
                "dws_refund -> dws_order_movement",
            )
        )
    ]
    assert len(flows) == 5
    return [
        (subject.partition(" -> ")[2], f"{measure} {unit}", entered - left - sum(excluded.values()), excluded)
        for query in flows
        for subject, measure, unit, entered, left, excluded in con.execute(
            f"select subject, measure, unit, total_in, total_out, excluded from ({query})"
        ).fetchall()
    ]


def test_they_close_and_each_exclusion_has_its_reason(con: duckdb.DuckDBPyConnection) -> None:
    found = balances(con)
    assert [item for item in found if item[2]] == []
    reasons = {(model, measure): excluded for model, measure, _, excluded in found if excluded}
    ends = ("found in another system too", "that are another system's by a decision", "that another system has too")
    others = ("cancelled orders", "test orders", *(f"orders {end}" for end in ends), "unsettled orders")
    assert reasons == {
        ("dws_order", "orders orders"): dict.fromkeys(others, Decimal(1)),
        ("dws_order_line", "lines rows"): dict.fromkeys(LINES, Decimal(1)),
        ("dws_order_line", "gross_amount EUR"): dict.fromkeys(LINES, Decimal(100)) | {NO_GOODS: Decimal(20)},
        ("dws_order_line", "net_amount EUR"): dict.fromkeys(LINES, Decimal(100))
        | {NO_GOODS: Decimal(20), "discount of the whole order, spread over its lines": Decimal(10)},
        ("dws_refund", "refund_lines rows"): {"refunds that failed": Decimal(1)},
        ("dws_refund", "refunded EUR"): {"refunds that failed": Decimal(7), "postage paid back": Decimal(5)},
    }


NO_GOODS = "gift cards, deposits, rounding and postage: no revenue of goods"
LINES = (
    "lines of cancelled orders",
    "lines of orders found in another system too",
    "lines of orders that another system has too",
    "lines of orders that are another system's by a decision",
    "lines of test orders",
    "lines of unsettled documents",
)


@pytest.mark.parametrize(
    ("mistake", "differing"),
    [
        ("delete from dws.dws_order", {"dws_order: orders orders"}),
        ("delete from dws.dws_order_copy where basis = 'found'", {
            "dws_order_line: lines rows", "dws_order_line: gross_amount EUR",
            "dws_order_line: net_amount EUR"}),
        ("delete from dws.dws_order_line where order_id = 'test'", {
            "dws_order_line: lines rows", "dws_order_line: gross_amount EUR", "dws_order_line: net_amount EUR"}),
        ("update dws.dws_order_line set net_amount = net_amount - 0.01 where order_id = '1' and line_id = '1'", {
            "dws_order_line: net_amount EUR", "dws_order_movement: net_amount EUR"}),
        ("update dws.dws_order_line set is_counted = false where line_id = 'card'", {
            "dws_order_line: lines rows", "dws_order_line: gross_amount EUR", "dws_order_line: net_amount EUR",
            "dws_order_movement: lines rows", "dws_order_movement: gift_card_amount EUR"}),
        ("update dws.dws_order_line set is_counted = true where order_id = 'test'", {
            "dws_order_movement: lines rows", "dws_order_movement: gross_amount EUR",
            "dws_order_movement: net_amount EUR", "dws_order_movement: tax_amount EUR"}),
        ("delete from dws.dws_refund where refund_id = 'r2'", {"dws_refund: refund_lines rows"}),
        ("update dws.dws_refund set net_amount = net_amount + 0.01 where refund_id = 'r1'", {
            "dws_refund: refunded EUR", "dws_order_movement: net_amount EUR"}),
        ("update dws.dws_refund set is_counted = false where refund_id = 'r1'", {
            "dws_refund: refund_lines rows", "dws_refund: refunded EUR", "dws_order_movement: net_amount EUR",
            "dws_order_movement: tax_amount EUR", "dws_order_movement: shipping_amount EUR"}),
        ("delete from dws.dws_order_movement where not is_refund", {
            "dws_order_movement: lines rows", "dws_order_movement: gross_amount EUR",
            "dws_order_movement: net_amount EUR", "dws_order_movement: tax_amount EUR",
            "dws_order_movement: gift_card_amount EUR"}),
        ("update dws.dws_order_movement set gross_amount = gross_amount + 0.01 where not is_refund", {
            "dws_order_movement: gross_amount EUR"}),
        ("update dws.dws_order_movement set shipping_amount = 0 where is_refund", {
            "dws_order_movement: shipping_amount EUR"}),
        ("update dws.dws_order_movement set currency = 'USD' where is_refund", {
            "dws_order_movement: net_amount EUR", "dws_order_movement: net_amount USD",
            "dws_order_movement: tax_amount EUR", "dws_order_movement: tax_amount USD",
            "dws_order_movement: shipping_amount EUR", "dws_order_movement: shipping_amount USD"}),
    ],
)  # fmt: skip
def test_a_row_or_a_cent_that_a_model_loses_is_a_difference(
    con: duckdb.DuckDBPyConnection, mistake: str, differing: set[str]
) -> None:
    con.execute(mistake)
    assert {f"{model}: {measure}" for model, measure, difference, _ in balances(con) if difference} == differing
