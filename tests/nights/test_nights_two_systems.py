"""Orders of a marketplace that the shop has too, and that change in one of the two systems alone: each order is a case
of its own, worked out by hand. What counts, counts on the marketplace's order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from shop_documents import (
    DAYS,
    FIRST,
    SECOND,
    back,
    item,
    order,
    parcel,
    refund,
    shipped_contracts,
    write,
    write_marketplace,
    write_returns,
    write_shop,
)
from support import Story, ask, differences, home_at, run_well, story

SHIPPED = ("shop_orders", "shop_refunds", "logistics_returns")
HEAD = "id,at,updated,line,sku,qty,price\n"
COMPLETE = {"property": "documents", "value": "complete"}
MARKETPLACE = (
    {"name": "line_id", "physicalName": "line"},
    {"name": "currency", "transformLogic": "'CNY'"},
    {"name": "sold_at", "physicalName": "at"},
    {"name": "updated_at", "physicalName": "updated"},
)
NAMED = {"tags": "Marketplace"}


def placed(number: int, prices: list[str], updated: str = FIRST, **more: Any) -> dict[str, Any]:
    """The shop's version of an order, with the marketplace's id as its name."""
    lines = [item(number, line, price) for line, price in enumerate(prices, 1)]
    total = {"name": f"#MP-{number}", "total_price": str(sum(map(Decimal, prices)))}
    return order(number, lines, updated, **(total | more))


def sold(number: int, prices: list[str], updated: str = FIRST) -> str:
    """The marketplace's version of it."""
    return "".join(
        f"MP-{number},{FIRST}T10:00:00,{updated}T10:30:00,{line},P{line},1,{price}\n"
        for line, price in enumerate(prices, 1)
    )


def second_line_back(number: int, price: str) -> dict[str, Any]:
    return refund(number + 100, number, [back(number + 100, number, 2, 1, price, "cancel")], price)


CANCELLED = {"cancelled_at": f"{SECOND}T11:00:00+08:00"}
# Order: the shop's versions and refunds, the marketplace's versions; net revenue by day, and what the gate warns of.
Case = tuple[list[dict[str, Any]], list[dict[str, Any]], list[str], dict[str, str], str]
CASES: dict[int, Case] = {
    # The shop cancels it, and the marketplace tells of no cancellations.
    81: (
        [placed(81, ["100.00"], **NAMED), placed(81, ["100.00"], SECOND, **(NAMED | CANCELLED))],
        [], [sold(81, ["100.00"])], {}, "cancelled",
    ),
    # The same, all paid back.
    82: (
        [placed(82, ["100.00"], **NAMED), placed(82, ["100.00"], SECOND, **(NAMED | CANCELLED))],
        [refund(182, 82, [back(182, 82, 1, 1, "100.00", "cancel")], "100.00")],
        [sold(82, ["100.00"])], {}, "cancelled",
    ),
    # The shop takes a line off, and pays it back: the marketplace has it still.
    83: (
        [placed(83, ["100.00", "50.00"], **NAMED), placed(83, ["100.00"], SECOND, **NAMED)],
        [second_line_back(83, "50.00")], [sold(83, ["100.00", "50.00"])], {FIRST: "150", SECOND: "-50"}, "differs",
    ),
    # The shop takes a line off, and pays nothing back: it counts as the marketplace has it, and the gate warns.
    84: (
        [placed(84, ["100.00", "50.00"], **NAMED), placed(84, ["100.00"], SECOND, **NAMED)],
        [], [sold(84, ["100.00", "50.00"])], {FIRST: "150"}, "differs",
    ),
    # Both take it off, and the shop pays it back.
    85: (
        [placed(85, ["100.00", "50.00"], **NAMED), placed(85, ["100.00"], SECOND, **NAMED)],
        [second_line_back(85, "50.00")],
        [sold(85, ["100.00", "50.00"]), sold(85, ["100.00"], SECOND)], {FIRST: "100"}, "",
    ),
    # The marketplace alone takes it off; the shop pays it back.
    86: (
        [placed(86, ["100.00", "50.00"], **NAMED)], [refund(186, 86, [], "50.00")],
        [sold(86, ["100.00", "50.00"]), sold(86, ["100.00"], SECOND)], {FIRST: "100"}, "differs",
    ),
    # Nobody names the other one: the pair is found, and stays one when the shop takes a line off and pays it back.
    91: (
        [placed(91, ["10.00", "5.00"]), placed(91, ["10.00"], SECOND)],
        [second_line_back(91, "5.00")], [sold(91, ["10.00", "5.00"])], {FIRST: "15", SECOND: "-5"}, "differs",
    ),
    # The same, and the shop cancels it.
    92: (
        [placed(92, ["11.00"]), placed(92, ["11.00"], SECOND, **CANCELLED)],
        [], [sold(92, ["11.00"])], {}, "cancelled",
    ),
    # The same, and the marketplace edits it.
    93: (
        [placed(93, ["12.00", "7.00"])], [],
        [sold(93, ["12.00", "7.00"]), sold(93, ["12.00"], SECOND)], {FIRST: "12"}, "differs",
    ),
    # The marketplace is silent on tax: all of its 100 is paid back, whatever tax the shop names in it.
    96: (
        [placed(96, ["100.00"], **NAMED, taxes_included=True, total_tax="11.50")],
        [refund(196, 96, [back(196, 96, 1, 1, "100.00", "no_restock") | {"total_tax": "11.50"}], "100.00")],
        [sold(96, ["100.00"])], {FIRST: "100", SECOND: "-100"}, "",
    ),
}  # fmt: skip
# Other orders of the marketplace that have ids of the shop's. A parcel brings 100.00 of P1 back of 94, which the
# marketplace's order never sold: it is of the shop's, as is the refund of it. Both orders 95 sold P1.
SHOP_ALONE = [order(94, [item(94, 1, "100.00")]), order(95, [item(95, 1, "100.00")])]
SHOP_BACK = [refund(194, 94, [back(194, 94, 1, 1, "100.00", "return")], "100.00")]
MARKETPLACE_ALONE = "".join(
    f"{number},{FIRST}T09:00:00,{FIRST}T10:30:00,1,{sku},1,40.00\n" for number, sku in ((94, "P9"), (95, "P1"))
)
PARCELS = [parcel(94, 1, 1, "100.00"), parcel(95, 1, 1, "60.00")]


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("two_systems")
    contracts, source = shipped_contracts(folder, SHIPPED), folder / "source"
    write_marketplace(contracts, MARKETPLACE, COMPLETE)
    write_shop(source, [*((case[0], case[1], {}) for case in CASES.values()), (SHOP_ALONE, SHOP_BACK, {})])
    write_returns(source, PARCELS)
    for day in (FIRST, SECOND):
        versions = [version for case in CASES.values() for version in case[2] if f",{day}T10:30" in version]
        write(source / f"mkt/orders_{day}.csv", HEAD + "".join(versions) + (MARKETPLACE_ALONE if day == FIRST else ""))
    settings = home_at(
        folder, source, contracts=contracts, reporting_currency="CNY", order_match_confidence=Decimal("0.70")
    )
    return story(settings, "two nights", run_well(settings, DAYS))


def counted(warehouse: Story, number: int) -> dict[tuple[str, str], Decimal]:
    found = ask(
        warehouse.warehouse,
        "select source_system, business_date::varchar, sum(net_revenue_base) from dws.dws_order_movement "
        f"where order_id in ('{number}', 'MP-{number}') and is_counted group by all",
    )
    return {(system, day): amount for system, day, amount in found if amount}


@pytest.mark.parametrize("number", CASES)
def test_an_order_counts_once_as_what_is_left_of_it(nights: Story, number: int) -> None:
    amounts = CASES[number][3]
    assert counted(nights, number) == {("mkt", day): Decimal(amount) for day, amount in amounts.items()}


def test_the_gate_names_each_pair_that_is_changed_in_one_system_alone(nights: Story) -> None:
    cancelled = ask(nights.warehouse, "select order_id, other_id from dws.dws_order_copy_cancelled order by all")
    assert cancelled == [(f"MP-{n}", f"{n}") for n, case in CASES.items() if case[4] == "cancelled"]
    differing = ask(nights.warehouse, "select document_id, order_id from dws.dws_order_copy_difference order by all")
    assert differing == [(f"{n}", f"MP-{n}") for n, case in CASES.items() if case[4] == "differs"]
    told = ask(
        nights.warehouse,
        "select rule, severity, passed from ops.gate where rule in ('cancelled_in_both_systems', "
        "'one_order_has_the_same_goods_in_both_systems') and not passed order by all",
    )
    assert told == [
        ("cancelled_in_both_systems", "warning", False),
        ("one_order_has_the_same_goods_in_both_systems", "warning", False),
    ]


def test_a_return_that_names_an_id_of_two_systems_is_of_the_order_that_sold_its_product(nights: Story) -> None:
    assert counted(nights, 94) == {("mkt", FIRST): Decimal(40)}
    found = ask(
        nights.warehouse,
        "select source_system, order_id, returned_elsewhere_amount from dws.dws_refund where refund_id = '194' and "
        "line_id <> 'rest'",
    )
    assert found == [("shop", "94", Decimal(100))]


def test_a_return_of_which_two_orders_sold_the_product_stands_for_itself_once_and_the_gate_warns(nights: Story) -> None:
    assert counted(nights, 95) == {("mkt", FIRST): Decimal(40), ("shop", FIRST): Decimal(100)}
    found = ask(nights.warehouse, "select source_system, net_amount from dws.dws_order_movement where is_return")
    assert sorted(found) == [("logistics", Decimal(-60)), ("shop", Decimal(-100))]
    ((message,),) = ask(
        nights.warehouse, "select message from ops.gate where rule = 'return_is_of_one_order' and not passed limit 1"
    )
    assert ": 1 rows break it" in message


def test_every_balance_closes(nights: Story) -> None:
    assert ask(nights.warehouse, "select subject, measure, unit from ops.reconciliation where difference <> 0") == []


def test_a_rebuild_says_the_same(nights: Story) -> None:
    rebuilt = story(nights.settings, "rebuilt", run_well(nights.settings, DAYS[-1:], full_refresh=True))
    assert differences(nights.warehouse, rebuilt.warehouse) == {}
