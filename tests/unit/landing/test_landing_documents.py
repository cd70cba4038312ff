"""The document of a quarantined header or line is known where its id can be read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest
from small_retailer import NIGHT, SmallRetailer, canonical, contract, write_contracts

from onedata.contracts import ContractError, load_feeds
from onedata.landing import land
from onedata.landing.release import Selection
from onedata.ledger.promote import promote
from onedata.ledger.rebuild import rebuild_ledger
from onedata.ledger.schema import create_ledger
from onedata.quality.gates import contract_gate
from onedata.quality.release import release

Retail = Callable[..., SmallRetailer]
HEADER = "ticket,day,time,ended,total,card"
PROPERTIES: tuple[dict[str, Any], ...] = (
    {"name": "order_id", "transformLogic": "'S1-' || {ticket}"},
    {"name": "channel", "transformLogic": "'store'"},
    {"name": "business_date", "physicalName": "day"},
    {"name": "ordered_at", "physicalName": "time"},
    {"name": "updated_at", "physicalName": "ended"},
    {"name": "total_amount", "physicalName": "total"},
)
LINE_HEADER = "ticket,line,sku,quantity,price,ended"
LINES: tuple[dict[str, Any], ...] = (
    PROPERTIES[0],
    {"name": "line_id", "physicalName": "line"},
    {"name": "line_type", "transformLogic": "'sale'"},
    {"name": "channel", "transformLogic": "'store'"},
    {"name": "product_id", "physicalName": "sku"},
    {"name": "quantity", "physicalName": "quantity"},
    {"name": "unit_price", "physicalName": "price"},
    {"name": "currency", "transformLogic": "'EUR'"},
    {"name": "updated_at", "physicalName": "ended"},
)
T1 = "2026-01-05,2026-01-05T10:00:00Z,2026-01-05T10:02:00Z"


def tills(retail: Retail, **feed: Any) -> SmallRetailer:
    more = {"properties": PROPERTIES, "path": "till/{ds}.csv", "quarantineTolerance": 1, **feed}
    return retail(contract("heads", entity="sales_order", **more))


def till_lines(retail: Retail, **feed: Any) -> SmallRetailer:
    more = {"properties": LINES, "path": "till/{ds}.csv", "quarantineTolerance": 1, **feed}
    return retail(contract("lines", entity="order_line", **more))


def put(shop: SmallRetailer, *rows: str, header: str = HEADER) -> None:
    shop.put(f"till/{NIGHT}.csv", "\n".join([header, *rows]) + "\n")


def unread(shop: SmallRetailer, columns: str = "order_id, line_id, entity, version, rule, policy, is_whole") -> Any:
    return shop.con.execute(f"select {columns} from ops.unread_document order by ds, row").fetchall()


def test_the_id_and_version_of_a_bad_header_are_kept(retail: Retail) -> None:
    shop = tills(retail)
    put(shop, f"1,{T1},abc,", f"2,{T1},5,")
    assert shop.take().counts == (2, 1, 1, 0)
    version = datetime(2026, 1, 5, 10, 2)
    assert unread(shop) == [("S1-1", None, "sales_order", version, "total_amount_type", "hold", False)]


def test_a_line_is_known_by_its_document_and_its_number(retail: Retail) -> None:
    shop = till_lines(retail, unsettled="leave_out")
    put(shop, "1,1,A,two,5,2026-01-05T10:02:00Z", "1,,B,1,5,2026-01-05T10:02:00Z", "1,3,C,1,5,soon", header=LINE_HEADER)
    assert shop.take().counts == (3, 0, 3, 0)
    assert unread(shop, "order_id, line_id, version is null, rule, policy") == [
        ("S1-1", "1", False, "quantity_type", "leave_out"),
        ("S1-1", None, False, "line_id_required", "leave_out"),
        ("S1-1", "3", True, "updated_at_type", "leave_out"),
    ]


def test_its_money_is_told_where_it_can_be_read(retail: Retail) -> None:
    shop = till_lines(retail)
    put(shop, "1,1,A,2,5,soon", "1,2,B,two,5,soon", header=LINE_HEADER)
    shop.take()
    assert [str(amount) for (amount,) in unread(shop, "net_amount")] == ["10.0000", "0.0000"]


def test_a_version_out_of_its_range_is_none(retail: Retail) -> None:
    shop = tills(retail)
    put(shop, "1,2026-01-05,2026-01-05T10:00:00Z,2099-01-05T10:02:00Z,5,")
    shop.take()
    assert unread(shop, "order_id, version, rule") == [("S1-1", None, "updated_at_range")]


def test_where_the_id_cannot_be_read_no_document_is_known(retail: Retail) -> None:
    shop = tills(retail)
    put(shop, f",{T1},5,", "3,2026-01-05")
    assert shop.take().counts == (2, 0, 2, 0)
    assert unread(shop) == []
    assert len(shop.quarantine()) == 2


def test_a_parcel_is_known_by_its_id_and_the_system_of_its_order(retail: Retail) -> None:
    """The rest of the row says nothing of what became of it."""
    properties = (
        {"name": "shipment_id", "physicalName": "parcel"},
        {"name": "order_id", "physicalName": "order"},
        {"name": "order_system", "transformLogic": "'shop'"},
        {"name": "delivered_at", "physicalName": "delivered"},
        {"name": "updated_at", "physicalName": "ended"},
    )
    desk = retail(
        contract("parcels", entity="shipment", properties=properties, path="till/{ds}.csv", quarantineTolerance=1)
    )
    rows = ("P1,O1,30.02.2026,2026-01-05T10:02:00Z", "P2,O2,2026-01-05T09:00:00Z,2026-01-05T10:02:00Z", "P3,O3,x,soon")
    put(desk, *rows, header="parcel,order,delivered,ended")
    assert desk.take().counts == (3, 1, 2, 0)
    assert unread(desk, "source_system, order_id, line_id, entity, version") == [
        ("shop", "O1", "P1", "shipment", datetime(2026, 1, 5, 10, 2)),
        ("shop", "O3", "P3", "shipment", None),
    ]


def test_a_payment_is_known_by_its_order_and_the_system_of_that(retail: Retail) -> None:
    properties = [
        {"name": "order_id", "physicalName": "order"},
        {"name": "order_system", "physicalName": "system"},
        {"name": "payment_id", "physicalName": "number"},
        {"name": "amount", "physicalName": "amount"},
        {"name": "currency", "transformLogic": "'EUR'"},
    ]
    shop = retail(
        contract("pays", entity="payment", properties=properties, path="till/{ds}.csv", quarantineTolerance=1)
    )
    put(shop, "O1,,1,abc", "O1,shop,2,abc", "O1,shop,,5", "O1,,3,5", header="order,system,number,amount")
    assert shop.take().counts == (4, 1, 3, 0)
    assert unread(shop, "source_system, order_id, line_id, entity, rule") == [
        ("desk", "O1", "1", "payment", "amount_type"),
        ("shop", "O1", "2", "payment", "amount_type"),
        ("shop", "O1", None, "payment", "payment_id_required"),
    ]


def test_a_row_of_another_entity_has_no_document(retail: Retail) -> None:
    survey = retail(contract(quarantineTolerance=1))
    survey.csv("A1,O1,9,,")
    survey.take()
    assert survey.quarantine("document") == [(None,)]


def test_a_refused_delivery_unsettles_nothing(retail: Retail) -> None:
    shop = tills(retail, quarantineTolerance=0)
    put(shop, f"1,{T1},abc,", f"2,{T1},5,")
    assert "quarantine_tolerance" in shop.take().closed
    assert len(shop.quarantine()) == 1
    assert unread(shop) == []


def test_a_released_row_is_unread_no_more(retail: Retail) -> None:
    wrong = {"logicalType": "number", "logicalTypeOptions": {"maximum": 3}}
    shop = tills(retail, properties=[*PROPERTIES[:-1], PROPERTIES[-1] | wrong])
    put(shop, f"1,{T1},5,")
    shop.take()
    assert unread(shop, "order_id") == [("S1-1",)]
    assert rebuilt(shop) == [("S1-1",)]
    fixed = contract("heads", entity="sales_order", properties=PROPERTIES, path="till/{ds}.csv")
    (feed,) = load_feeds(write_contracts(shop.settings.contracts, fixed | {"version": "1.1.0"}), canonical())
    outcome = release(shop.con, shop.settings, feed, shop.retailer.policy, Selection())
    assert (outcome.found.accepted, outcome.is_refused) == (1, False)
    assert unread(shop) == []
    assert rebuilt(shop) == []


def rebuilt(shop: SmallRetailer) -> list[tuple[Any, ...]]:
    """What a ledger that is rebuilt from the lake knows."""
    with duckdb.connect() as fresh:
        create_ledger(fresh)
        rebuild_ledger(fresh, shop.settings)
        return fresh.execute("select order_id from ops.unread_document order by 1").fetchall()


def test_a_row_of_a_night_that_is_loaded_again_is_replaced(retail: Retail) -> None:
    shop = tills(retail)
    put(shop, f"1,{T1},abc,")
    shop.take()
    put(shop, f"1,{T1},5,")
    land(shop.con, shop.settings, shop.feed(), shop.retailer.policy, NIGHT, again=[NIGHT])
    contract_gate(shop.con, shop.gatekeeper, shop.settings, shop.feed(), NIGHT)
    promote(shop.con, shop.settings)
    assert unread(shop) == []
    assert len(shop.rows("order_id")) == 1


def test_a_row_that_takes_back_what_was_unread_is_no_duplicate(retail: Retail) -> None:
    shop = tills(retail)
    nights = [NIGHT + timedelta(days=day) for day in range(4)]
    bad = f"1,{T1},abc,"
    good = f"1,{T1},5,"
    # A file that is repeated as a whole is one of duplicates: each has another row beside.
    for night, row in zip(nights, [good, bad, good, good], strict=True):
        shop.put(f"till/{night}.csv", f"{HEADER}\n{row}\n2,{night},soon,,,\n")
    counts = [shop.take(night).counts for night in nights]
    assert [(accepted, duplicate) for _, accepted, _, duplicate in counts] == [(1, 0), (0, 0), (1, 0), (0, 1)]


def test_only_headers_and_lines_can_be_unsettled(retail: Retail) -> None:
    with pytest.raises(ContractError, match="unsettled is for sales_order and order_line, not survey_response"):
        retail(contract(unsettled="hold"))


def test_an_unknown_policy_is_refused(retail: Retail) -> None:
    with pytest.raises(ContractError, match="unsettled is 'half'; it takes hold or leave_out"):
        tills(retail, unsettled="half")
