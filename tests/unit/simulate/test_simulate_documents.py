"""Line by line: deliveries of shop and tills equal the ground truth, and every document adds up."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from read_back import Record, delivered, micros, number, rows

from onedata.simulate import SimulationSummary

VALUES = ("bad_type", "impossible", "bad_encoding", "broken_key", "truncated", "correction")
Line = tuple[Any, ...]


def cents(amount: str) -> int:
    value = Decimal(amount.replace(",", ".")) * 100
    assert value == int(value)
    return int(value)


def sound(known: duckdb.DuckDBPyConnection, source: SimulationSummary, feed: str) -> list[Record]:
    """Records without a defect in a value, each once."""
    told = {
        (file, row): key
        for file, row, key, defect in rows(
            known, f"select file, row, key, coalesce(defect, '') from records where feed = '{feed}'"
        )
        if defect not in VALUES
    }
    once: dict[str, Record] = {}
    for file, row, record in delivered(source.source, feed):
        if (file, row) in told:
            once.setdefault(told[file, row], record)
    return list(once.values())


@pytest.fixture(scope="module")
def orders(small: SimulationSummary, known_small: duckdb.DuckDBPyConnection) -> list[Record]:
    return sound(known_small, small, "shop_orders")


@pytest.fixture(scope="module")
def tills(small: SimulationSummary, known_small: duckdb.DuckDBPyConnection) -> list[Record]:
    return [record for record in sound(known_small, small, "pos_transactions") if not record["is_control"]]


@pytest.fixture(scope="module")
def tickets_eu(small: SimulationSummary, known_small: duckdb.DuckDBPyConnection) -> list[Record]:
    return sound(known_small, small, "pos_tickets_eu")


@pytest.fixture(scope="module")
def lines_eu(small: SimulationSummary, known_small: duckdb.DuckDBPyConnection) -> list[Record]:
    return sound(known_small, small, "pos_ticket_lines_eu")


def true_lines(
    known: duckdb.DuckDBPyConnection, source: str, only: str = "true", discount: str = "discount"
) -> dict[tuple[str, int], Line]:
    found = rows(
        known,
        f"select document, line_no, sku, quantity, unit, {discount}, original, currency, at_us from lines "
        f"where source = '{source}' and {only}",
    )
    assert len({place[:2] for place in found}) == len(found)
    return {(document, line): tuple(values) for document, line, *values in found}


@pytest.fixture(scope="module")
def euro(small: SimulationSummary, known_small: duckdb.DuckDBPyConnection) -> dict[str, Decimal]:
    """The euro's rate on each day that banks set one, as far as it can be read."""
    rates = sound(known_small, small, "finance_exchange_rates")
    return {record["rate_date"]: Decimal(record["rate"]) for record in rates if record["currency"] == "EUR"}


def bank_day(day: str) -> str:
    """Banks set rates from Monday to Friday."""
    at = date.fromisoformat(day)
    return str(at - timedelta(days=max(0, at.weekday() - 4)))


def test_orders_add_up(orders: list[Record], euro: dict[str, Decimal]) -> None:
    assert len(orders) > 1_000
    compared, kinds = 0, Counter[str]()
    for order in orders:
        goods = sum(cents(item["price"]) * item["quantity"] for item in order["line_items"])
        off = sum(cents(item["total_discount"]) for item in order["line_items"])
        postage = sum(cents(line["price"]) for line in order["shipping_lines"])
        by_code = any(code["code"] == "THANKS7" for code in order["discount_codes"])
        off += (goods - off) * 7 // 100 if by_code else 0
        assert cents(order["total_discounts"]) == off == sum(cents(code["amount"]) for code in order["discount_codes"])
        assert cents(order["subtotal_price"]) == goods - off
        tax, total = cents(order["total_tax"]), goods - off + postage
        percent = 19 if order["presentment_currency"] == "EUR" else 13
        if order["taxes_included"]:
            assert 0 <= tax - Decimal(total) * percent / (100 + percent) + 1 <= 1
        else:
            assert 0 <= tax - Decimal(total) * percent / 100 + 1 <= 1
            total += tax
        kinds["code"] += by_code
        kinds["tax on top"] += not order["taxes_included"]
        assert cents(order["total_price"]) == total == cents(order["total_price_set"]["shop_money"]["amount"])
        shown = order["total_price_set"]["presentment_money"]
        assert shown["currency_code"] == order["presentment_currency"]
        rate = euro.get(bank_day(order["created_at"][:10])) if shown["currency_code"] == "EUR" else Decimal(1)
        compared += rate is not None and rate != 1
        assert rate is None or abs(cents(shown["amount"]) - total / rate) <= Decimal("0.5")
        assert order["shipping_lines"][0]["title"] != "pickup" or (postage == 0 and order["shipping_address"] is None)
    assert compared > 100
    assert kinds["code"] > 40 and kinds["tax on top"] > 30


def test_order_lines_are_the_true_ones(orders: list[Record], known_small: duckdb.DuckDBPyConnection) -> None:
    before = true_lines(known_small, "shop", "of_version <> 2", "discount - off")
    after = true_lines(known_small, "shop", "of_version <> 1", "discount - off")
    seen, changed, gift_cards = set(), 0, 0
    for order in orders:
        is_second = order["fulfillment_status"] == "fulfilled" or order["cancelled_at"]
        true = after if is_second else before
        lines = {place for place in true if place[0] == str(order["id"])}
        assert {item["id"] % 10 for item in order["line_items"]} == {line for _, line in lines}
        changed += bool(is_second) and any(before[place] != after.get(place) for place in before if place in lines)
        gift_cards += any(item["gift_card"] for item in order["line_items"])
        placed = micros(order["created_at"])
        for item in order["line_items"]:
            place = str(order["id"]), item["id"] % 10
            sku, quantity, unit, discount, original, currency, at = true[place]
            assert (item["sku"], item["quantity"], cents(item["price"]), cents(item["total_discount"])) == (
                sku,
                quantity,
                unit,
                discount,
            )
            assert (original, currency, at // 1_000_000) == (None, "CNY", placed // 1_000_000)
            seen.add(place)
    broken = {
        key.split("/")[0]
        for (key,) in rows(known_small, f"select key from records where feed = 'shop_orders' and defect in {VALUES}")
    }
    assert {document for document, _ in before.keys() - seen} <= broken | late_documents(
        known_small, "shop", "shop_orders"
    ) | {document for document, _ in before.keys() - after.keys()}
    assert changed > 3 and gift_cards > 5


def late_documents(known: duckdb.DuckDBPyConnection, source: str, feed: str) -> set[str]:
    """Documents of which no record has come yet."""
    name = "split_part(key, '/', 1)" if feed != "pos_transactions" else "key"
    found = rows(
        known,
        f"select distinct document from lines where source = '{source}' except select distinct {name} from records "
        f"where feed = '{feed}'",
    )
    held = {document for (document,) in found}
    assert len(held) < 0.03 * number(known, f"select count(distinct document) from lines where source = '{source}'")
    return held


def test_poslogs_add_up_and_tell_the_true_lines(tills: list[Record], known_small: duckdb.DuckDBPyConnection) -> None:
    true = true_lines(known_small, "pos")
    kinds: Counter[str] = Counter()
    assert len(tills) > 500
    for record in tills:
        parts = ("RetailStoreID", "WorkstationID", "SequenceNumber", "BusinessDayDate")
        document = "-".join(str(record[part]) for part in parts)
        sign = -1 if record["refund"] else 1
        assert cents(record["paid"]) == sum(
            cents(line["ExtendedAmount"]) for line in record["lines"] if not line["void"]
        )
        assert cents(record["total"]) == sign * cents(record["paid"])
        assert {line["kind"] for line in record["lines"]} == {"Return" if record["refund"] else "Sale"}
        for line in record["lines"]:
            sku, quantity, unit, discount, original, currency, _ = true[document, int(line["no"])]
            given = (
                line["ItemID"],
                sign * int(line["Quantity"]),
                cents(line["RegularSalesUnitPrice"]),
                sign * cents(line["DiscountAmount"]),
            )
            assert (*given, line["original"], "CNY") == (sku, quantity, unit, discount, original, currency)
            assert cents(line["ExtendedAmount"]) == int(line["Quantity"]) * unit - abs(discount)
        kinds.update(
            [
                *record["flags"],
                "return" if record["refund"] else "sale",
                *("void" for line in record["lines"] if line["void"]),
            ]
        )
    assert {"sale", "return", "void", "CancelFlag", "SuspendFlag", "TrainingModeFlag"} <= kinds.keys()


def test_flat_tickets_add_up_and_tell_the_true_lines(
    tickets_eu: list[Record], lines_eu: list[Record], known_small: duckdb.DuckDBPyConnection
) -> None:
    true = true_lines(known_small, "pos")
    totals: Counter[str] = Counter()
    many: Counter[str] = Counter()
    for line in lines_eu:
        day, month, year = line["BusinessDate"].split(".")
        document = f"{line['StoreID']}-{line['Till']}-{line['ReceiptNo']}-{year}-{month}-{day}"
        sign = -1 if line["Kind"] == "R" else 1
        sku, quantity, unit, discount, original, currency, _ = true[document, int(line["Line"])]
        given = (
            line["ArticleNo"],
            sign * int(line["Quantity"]),
            cents(line["UnitPrice"]),
            sign * cents(line["Discount"]),
        )
        assert (*given, line["OrigReceipt"] or None, line["Currency"]) == (
            sku,
            quantity,
            unit,
            discount,
            original,
            currency,
        )
        assert cents(line["Amount"]) == int(line["Quantity"]) * unit - abs(discount)
        totals[document] += cents(line["Amount"]) * (line["Voided"] == "0")
        many[document] += 1
    wanted = dict(
        rows(known_small, "select document, count(*) from lines where source = 'pos' and currency = 'EUR' group by 1")
    )
    whole = {document for document in many if many[document] == wanted[document]}
    assert len(whole) > 100
    told = {}
    for ticket in tickets_eu:
        day, month, year = ticket["BusinessDate"].split(".")
        told[f"{ticket['StoreID']}-{ticket['Till']}-{ticket['ReceiptNo']}-{year}-{month}-{day}"] = cents(
            ticket["Total"]
        )
    assert {document: told[document] for document in whole & told.keys()} == {
        document: totals[document] for document in whole & told.keys()
    }
    assert len(whole & told.keys()) > 0.9 * len(whole)
    broken = rows(known_small, "select key from records where feed = 'pos_tickets_eu' and expected = 'quarantine'")
    assert wanted.keys() - {key for (key,) in broken} == told.keys() - {key for (key,) in broken}


def test_parcels_that_came_back_are_the_true_ones(
    small: SimulationSummary, known_small: duckdb.DuckDBPyConnection
) -> None:
    true = true_lines(known_small, "logistics")
    found = sound(known_small, small, "logistics_returns")
    assert len(found) > 30
    for record in found:
        sku, quantity, unit, discount, original, currency, at = true[record["rma_id"], int(record["rma_line"])]
        assert (record["sku"], -int(record["quantity"]), cents(record["unit_price"]), -cents(record["discount"])) == (
            sku,
            quantity,
            unit,
            discount,
        )
        assert (record["order_id"], record["currency"], micros(record["received_at"])) == (original, currency, at)


def test_no_more_comes_back_than_was_sold(known: duckdb.DuckDBPyConnection) -> None:
    shipped = "not is_return and not is_test and cancelled_us is null and of_version is distinct from 1"
    sold = f"select document, sku, sum(quantity) as q from lines where {shipped} group by all"
    back = (
        "select original as document, sku, -sum(quantity) as q, min(at_us) as at from lines where is_return "
        "and source <> 'refund' group by all"
    )
    assert number(known, f"select count(*) from ({back})") > 500
    assert (
        rows(
            known,
            f"select * from ({back}) b left join ({sold}) s using (document, sku) where s.q is null or b.q > s.q "
            "or b.q <= 0",
        )
        == []
    )
    bought = "select document, min(at_us) as bought from lines where not is_return group by 1"
    assert rows(known, f"select * from ({back}) b join ({bought}) using (document) where b.at <= bought") == []
    # Paid back at what was paid, in the currency of the till.
    paid = f"select document, sku, unit, currency from lines where {shipped}"
    wrong = (
        f"select * from lines b join ({paid}) s on s.document = b.original and s.sku = b.sku where b.is_return "
        "and b.currency = s.currency and b.unit <> s.unit"
    )
    assert rows(known, wrong) == []


def test_refunds_give_back_what_was_cancelled_or_returned(
    small: SimulationSummary, known_small: duckdb.DuckDBPyConnection
) -> None:
    true = true_lines(known_small, "shop", "of_version <> 1")
    units = "select original, sku, -sum(quantity)::bigint from lines where source = 'logistics' group by all"
    returned = {(original, sku): quantity for original, sku, quantity in rows(known_small, units)}
    cancelled = dict(
        rows(
            known_small,
            "select distinct document, cancelled_us from lines where source = 'shop' and cancelled_us is not null",
        )
    )
    came: Counter[str] = Counter()
    for refund in sound(known_small, small, "shop_refunds"):
        items = refund["refund_line_items"]
        if not items:
            alone = -sum(cents(part["amount"]) for part in refund["order_adjustments"])
            assert [cents(payment["amount"]) for payment in refund["transactions"]] == [alone] != [0]
            came[refund["order_adjustments"][0]["kind"]] += 1
            continue
        taxes = [cents(item["total_tax"] or "0") for item in items]
        beside = -sum(cents(part["amount"]) + cents(part["tax_amount"]) for part in refund["order_adjustments"])
        assert [cents(payment["amount"]) for payment in refund["transactions"]] == [
            sum(cents(item["subtotal"]) for item in items) + sum(taxes) + beside
        ]
        assert beside == 0 or items[0]["restock_type"] == "cancel"
        came["with postage"] += beside > 0
        came["taxed"] += any(taxes)
        order = str(refund["order_id"])
        kind = items[0]["restock_type"]
        came[kind] += 1
        back: Counter[str] = Counter()
        for item in items:
            sku, quantity, unit, discount, *_ = true[order, item["line_item_id"] % 10]
            assert item["line_item_id"] // 10 == refund["order_id"]
            assert (item["line_item"]["sku"], item["quantity"], cents(item["line_item"]["price"])) == (
                sku,
                quantity,
                unit,
            )
            assert cents(item["subtotal"]) == quantity * unit - discount
            back[sku] += quantity
        if kind == "cancel":
            assert cancelled[order] == micros(refund["created_at"])
            assert back == sum(
                (Counter({sku: quantity}) for (document, _), (sku, quantity, *_) in true.items() if document == order),
                Counter(),
            )
        else:
            assert order not in cancelled
            assert all(back[sku] == returned[order, sku] for sku in back)
    assert came["cancel"] > 5 and came["taxed"] > 2 and came["with postage"] > 2
    assert came["return"] > 20
    assert came["refund_discrepancy"] > 5
    until = number(known_small, "select max(at_us) from lines where source = 'logistics'")
    due = {
        original
        for (original,) in rows(
            known_small,
            f"select distinct original from lines where source = 'logistics' and at_us < {until} - 2 * 86_400_000_000",
        )
    }
    refunds = sound(known_small, small, "shop_refunds")
    seen = {str(record["order_id"]) for record in refunds if record["refund_line_items"]}
    assert due <= seen


def test_a_tracking_number_begins_as_its_carrier_writes_it_and_is_the_same_in_the_order(
    small: SimulationSummary, orders: list[Record]
) -> None:
    parcels = [parcel for _, _, parcel in delivered(small.source, "logistics_shipments")]
    begins = {(parcel["carrier"], parcel["shipment_id"].rstrip("0123456789")) for parcel in parcels}
    assert begins == {("SF Express", "SF"), ("DHL", "JJD")}
    told = {str(order["id"]): order["fulfillments"][0]["tracking_number"] for order in orders if order["fulfillments"]}
    both = {parcel["order_id"]: parcel["shipment_id"] for parcel in parcels if parcel["order_id"] in told}
    assert len(both) > 100
    assert both == {order: told[order] for order in both}
