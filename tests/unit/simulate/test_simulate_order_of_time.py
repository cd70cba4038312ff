"""Documents refer to existing documents, and nothing happens before its cause."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import polars as pl
import pytest
from read_back import delivered, micros, number, rows, tables

from onedata.simulate import SimulationSummary


@pytest.fixture(scope="module")
def feeds(retailer: SimulationSummary, known: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """CSV feeds as text, orders as ``orders``, and the true lines' documents as ``documents``."""
    with duckdb.connect(config={"threads": 2}) as con:
        tables(
            con,
            retailer.source,
            "logistics_shipments",
            "logistics_returns",
            "service_surveys",
            "shop_customers",
            "pos_members",
            "customer_consents",
        )
        found = [
            {
                "order_id": str(order["id"]),
                "created_us": micros(order["created_at"]),
                "updated_us": micros(order["updated_at"]),
                "cancelled_us": micros(order["cancelled_at"]) if order["cancelled_at"] else None,
                "test": order["test"],
                "fulfilled": order["fulfillment_status"],
                "way": order["shipping_lines"][0]["title"],
                "account": str(order["customer"]["id"]) if order["customer"] else None,
            }
            for _, _, order in delivered(retailer.source, "shop_orders")
        ]
        con.register("orders", pl.from_dicts(found, infer_schema_length=None).to_arrow())
        documents = known.execute(
            "select source, document, min(at_us) as at_us, bool_and(is_test) as is_test from lines group by all"
        ).to_arrow_table()
        con.register("documents", documents)
        yield con


def us(column: str) -> str:
    return f"epoch_us({column}::timestamptz)"


def test_parcels_follow_their_orders(feeds: duckdb.DuckDBPyConnection) -> None:
    parcels = "logistics_shipments p left join documents o on o.source = 'shop' and o.document = p.order_id"
    assert rows(feeds, f"select p.order_id from {parcels} where o.document is null or o.is_test") == []
    good = "p.delivered_at is null or p.delivered_at not like '2026-02-30%'"
    late = (
        f"{us('created_at')} // 1000000 <> o.at_us // 1000000 or {us('picked_up_at')} < o.at_us or "
        f"{us('promised_at')} <= {us('picked_up_at')}"
    )
    assert rows(feeds, f"select * from {parcels} where {late}") == []
    assert (
        rows(
            feeds,
            f"select * from {parcels} where ({good}) and delivered_at is not null "
            f"and {us('delivered_at')} <= {us('picked_up_at')}",
        )
        == []
    )
    assert rows(feeds, f"select * from {parcels} where (status = 'delivered') <> (delivered_at is not null)") == []
    picked = "select order_id from logistics_shipments where status = 'picked_up'"
    done = (
        f"select distinct order_id from logistics_shipments where status = 'delivered' and order_id not in ({picked})"
    )
    assert number(feeds, f"select count(*) from ({done})") < 0.01 * number(
        feeds, f"select count(*) from ({picked})"
    )  # held back: late


def test_orders_change_after_they_are_placed(feeds: duckdb.DuckDBPyConnection) -> None:
    assert (
        rows(
            feeds,
            "select * from orders where updated_us < created_us or cancelled_us <= created_us "
            "or cancelled_us <> updated_us",
        )
        == []
    )
    assert number(feeds, "select count(*) from orders where cancelled_us is not null") > 50
    # What is cancelled is not sent, what is collected has no parcel, and what was sent has one.
    sent = "select order_id from logistics_shipments"
    assert (
        rows(
            feeds,
            f"select * from orders where (cancelled_us is not null or way = 'pickup' or test) and order_id in ({sent})",
        )
        == []
    )
    lost = f"select count(*) from orders where fulfilled is not null and way <> 'pickup' and order_id not in ({sent})"
    assert number(feeds, lost) < 0.01 * number(feeds, "select count(*) from orders")


def test_what_comes_back_was_delivered_before(feeds: duckdb.DuckDBPyConnection) -> None:
    good = "status = 'delivered' and delivered_at not like '2026-02-30%'"
    came = f"(select order_id, max({us('delivered_at')}) as came from logistics_shipments where {good} group by 1)"
    back = f"logistics_returns r join {came} using (order_id)"
    assert number(feeds, f"select count(*) from {back}") > 500
    assert (
        rows(
            feeds,
            f"select * from {back} where {us('requested_at')} <= came or {us('received_at')} <= {us('requested_at')}",
        )
        == []
    )
    assert (
        rows(
            feeds,
            "select order_id from logistics_returns where order_id not in (select document from documents "
            "where source = 'shop')",
        )
        == []
    )


def test_answers_are_about_documents_that_exist(
    feeds: duckdb.DuckDBPyConnection, known: duckdb.DuckDBPyConnection
) -> None:
    invented = {
        key
        for (key,) in rows(known, "select key from records where feed = 'service_surveys' and defect = 'broken_key'")
    }
    answers = "service_surveys s left join documents d on d.document = s.order_id"
    unknown = rows(feeds, f"select response_id from {answers} where d.document is null or d.is_test")
    assert {answer for (answer,) in unknown} <= invented
    assert (
        rows(
            feeds,
            f"select * from {answers} where {us('asked_at')} <= d.at_us or {us('answered_at')} <= {us('asked_at')}",
        )
        == []
    )


def test_accounts_and_cards_keep_the_day_they_began(feeds: duckdb.DuckDBPyConnection) -> None:
    for table, key, began in (("shop_customers", "id", "created_at"), ("pos_members", "member_id", "joined_at")):
        assert (
            number(feeds, f"select max(n) from (select count(distinct updated_at) as n from {table} group by {key})")
            > 1
        )
        assert rows(feeds, f"select {key} from {table} group by 1 having count(distinct {began}) > 1") == []
        assert rows(feeds, f"select * from {table} where updated_at::timestamptz < {began}::timestamptz") == []


def test_only_known_accounts_buy_signed_in(feeds: duckdb.DuckDBPyConnection, known: duckdb.DuckDBPyConnection) -> None:
    accounts = f"(select id, min({us('created_at')}) as began from shop_customers group by 1)"
    bought = f"orders left join {accounts} a on a.id = account where account is not null"
    held = number(
        known,
        "select count(*) from records where feed = 'shop_customers' and expected = 'quarantine' or defect = 'late'",
    )
    assert number(feeds, f"select count(distinct account) from {bought} and a.id is null") <= held
    assert rows(feeds, f"select * from {bought} and began // 1000000 > created_us // 1000000") == []


def test_consent_is_withdrawn_after_it_was_given(feeds: duckdb.DuckDBPyConnection) -> None:
    decisions = "(select *, coalesce(email, member_id) as who from customer_consents where purpose = 'marketing')"
    given = f"(select who, source, min(recorded_at) as at from {decisions} where granted = 'true' group by all)"
    gone = f"{decisions} c join {given} g using (who, source) where c.granted = 'false'"
    assert number(feeds, f"select count(*) from {gone}") > 10
    # Members of a household may share an e-mail: one's decision may come before another's.
    assert number(feeds, f"select count(*) from {gone} and c.recorded_at <= g.at") <= 0.2 * number(
        feeds, f"select count(*) from {gone}"
    )


def test_purchases_on_the_web_are_orders(
    retailer: SimulationSummary, feeds: duckdb.DuckDBPyConnection, known: duckdb.DuckDBPyConnection
) -> None:
    wrong = {
        (file, row)
        for file, row in rows(
            known, "select file, row from records where feed = 'shop_events' and defect in ('clock_skew', 'bad_type')"
        )
    }
    orders = dict(rows(feeds, "select document, at_us from documents where source = 'shop' and not is_test"))
    bought: dict[str, int] = {}
    for file, row, event in delivered(retailer.source, "shop_events"):
        order = event.get("ecommerce", {}).get("transaction_id")
        assert (order is not None) == (event.get("event_name") == "purchase")
        if order and (file, row) not in wrong:
            bought[order] = event["event_timestamp"]
    assert len(bought) > 5_000
    assert {order: orders.get(order) for order in bought} == bought
    in_store = {
        order
        for (order,) in rows(known, "select distinct document from lines where source = 'shop' and channel = 'store'")
    }
    # A gift card is bought without a visit of its own.
    mailed = {order for (order,) in rows(known, "select distinct document from lines where is_gift_card")}
    assert len(mailed) > 20
    missing = orders.keys() - bought.keys() - in_store - mailed
    assert len(missing) < 0.01 * len(orders)
    assert not bought.keys() & in_store


def test_engagements_are_with_posts_that_exist(retailer: SimulationSummary, known: duckdb.DuckDBPyConnection) -> None:
    posts = {
        (post["platform"], post["post_id"]): micros(post["created_at"])
        for _, _, post in delivered(retailer.source, "social_posts")
    }
    held = number(
        known,
        "select count(*) from records where feed = 'social_posts' and (defect = 'late' or expected = 'quarantine')",
    )
    assert held < 10
    acts = [act for _, _, act in delivered(retailer.source, "social_engagements") if act["created_at"] != "yesterday"]
    assert {(act["platform"], act["post_id"]) for act in acts} <= posts.keys()
    assert all(posts[act["platform"], act["post_id"]] < micros(act["created_at"]) for act in acts[:5_000])
    replies = {
        (post["platform"], post["reply_to"])
        for _, _, post in delivered(retailer.source, "social_mentions")
        if post and post["reply_to"]
    }
    assert replies
    assert replies <= posts.keys()
