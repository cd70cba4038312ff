"""Landed and published data equals the simulator's ground truth."""

from decimal import Decimal
from typing import Any

import duckdb
from support import (
    NIGHTS,
    Simulated,
    Story,
    ask,
    counted,
    expected,
    published_by_channel,
    published_money,
    rows,
    true_money,
    unbalanced_files,
)

from onedata.warehouse.publications import damage, publications


def test_every_row_delivered_was_received(simulated: Simulated, one_by_one: Story) -> None:
    assert counted(one_by_one, "received") == expected(simulated, "rows")


def test_every_broken_row_was_quarantined_and_no_other(simulated: Simulated, one_by_one: Story) -> None:
    assert counted(one_by_one, "quarantined") == expected(simulated, "quarantined")


def test_every_repeated_row_was_counted_as_duplicate(simulated: Simulated, one_by_one: Story) -> None:
    assert counted(one_by_one, "duplicate") == expected(simulated, "duplicates")


def test_the_simulation_repeats_delays_and_breaks_rows(simulated: Simulated) -> None:
    assert sum(expected(simulated, "duplicates").values()) > 0
    assert sum(expected(simulated, "quarantined").values()) >= 4
    assert simulated.truth["defects"]["late"] > 0


def test_each_broken_record_is_found_in_its_file(simulated: Simulated, one_by_one: Story) -> None:
    found = ask(one_by_one.warehouse, "select feed, path from ops.quarantine order by all")
    assert found == _broken(simulated, "broken_feed, file")


def test_each_broken_record_is_found_at_its_row(simulated: Simulated, one_by_one: Story) -> None:
    # A line item is its own record: its row counts items, where the simulator counts documents. A record of another
    # encoding is counted in lines.
    lines = "('marketplace_order_lines', 'shop_order_lines', 'pos_transaction_lines')"
    found = ask(
        one_by_one.warehouse,
        f"select feed, row from ops.quarantine where feed not in {lines} and rule <> 'unreadable_record' order by all",
    )
    assert found == _broken(simulated, "broken_feed, row", f"broken_feed not in {lines} and defect <> 'bad_encoding'")


def test_each_defect_is_kept_with_its_reason_and_its_raw_row(one_by_one: Story) -> None:
    assert (
        ask(one_by_one.warehouse, "select feed, path from ops.quarantine where reason = '' or coalesce(raw, '') = ''")
        == []
    )


def test_received_is_accepted_plus_quarantined_plus_duplicate_in_every_file(one_by_one: Story) -> None:
    assert unbalanced_files(one_by_one.warehouse) == []


def test_published_money_by_channel_and_day_is_the_truth(simulated: Simulated, one_by_one: Story) -> None:
    true = true_money(simulated.truth)
    assert published_money(one_by_one) == true
    # Of each kind there is some: tax, gift cards, postage.
    as_priced, untaxed, gift_cards, postage, _ = (sum(column) for column in zip(*true.values(), strict=True))
    assert untaxed < as_priced and gift_cards > 0 and postage > 0
    assert {channel for channel, _ in true} == {"marketplace", "online", "social", "store"}


def test_published_orders_by_channel_are_the_truth(simulated: Simulated, one_by_one: Story) -> None:
    assert published_by_channel(one_by_one, "order_count") == simulated.truth["orders_delivered"]


def test_published_net_revenue_metric_is_the_sum_of_the_channels(one_by_one: Story) -> None:
    total = ask(one_by_one.published, "select value from ads_kpi where kpi_id = 'net_revenue' and period = 'all'")[0][0]
    assert Decimal(str(total)).quantize(Decimal("0.0001")) == sum(
        published_by_channel(one_by_one, "net_revenue_base").values()
    )


ANSWERED = (
    "count(*), sum(satisfaction), count(recommend_score), "
    "count(*) filter (recommend_score >= 9) - count(*) filter (recommend_score <= 6)"
)


def test_satisfaction_and_nps_of_each_customer_are_the_truth(simulated: Simulated, one_by_one: Story) -> None:
    told = {
        oneid: (count, round(count * average), recommend, round(recommend * score / 100))
        for oneid, count, average, recommend, score in ask(
            one_by_one.published,
            "select oneid, satisfaction_count, satisfaction_average, recommend_count, net_promoter_score "
            "from ads_customer_360 where satisfaction_count > 0 and is_known",
        )
    }
    # Of the answers that came: which of its order's documents is whose, the warehouse says without the answers.
    truth = simulated.records.parent / "answers"
    true = ask(
        one_by_one.warehouse,
        f"select orders.oneid, {ANSWERED} from (select response_id, document, csat as satisfaction, nps as "
        f"recommend_score from read_parquet('{truth}/*.parquet')) left join dws.dws_order_copy as copy "
        "on copy.document_id = document join dws.dws_order as orders "
        "on orders.order_id = coalesce(copy.order_id, document) "
        "where response_id in (select response_id from dwd.dwd_survey_response "
        "where order_id = document) and orders.oneid is not null group by 1",
    )
    assert len(true) > 8
    assert told == {oneid: tuple(figures) for oneid, *figures in true}


def test_a_promise_is_kept_to_the_second(simulated: Simulated, one_by_one: Story) -> None:
    truth = simulated.records.parent / "parcels"
    found = ask(
        one_by_one.warehouse,
        "select is_on_time, delivered_us // 1000000 <= promised_us // 1000000, count(*) from dws.dws_order "
        f"join read_parquet('{truth}/*.parquet') as parcel on dws_order.order_id = parcel.order_id::varchar "
        "where source_system = 'shop' and is_on_time is not null group by all order by all",
    )
    # No parcel of these nights is late; benchmarks/money.py compares those of a month.
    assert [(told, true) for told, true, _ in found] == [(True, True)]
    assert found[0][2] > 15


def test_customers_add_up_to_sales(one_by_one: Story) -> None:
    sums = "sum(net_revenue_base), sum(order_count)::bigint"
    (customers,) = ask(one_by_one.published, f"select {sums} from ads_customer_360")
    assert customers == ask(one_by_one.published, f"select {sums} from ads_channel_day")[0]
    unknown = ask(one_by_one.published, "select order_count, recency_days from ads_customer_360 where not is_known")
    assert unknown == ask(one_by_one.published, "select count(*), null from dws_order where oneid is null and is_order")
    assert unknown[0][0] > 0


SOCIAL_TOUCHES = "('social_view', 'social_click', 'live_watch')"


def test_an_online_order_after_a_social_touch_of_its_journey_was_browsed_on_social(
    simulated: Simulated, one_by_one: Story
) -> None:
    truth = simulated.records.parent
    found = ask(
        one_by_one.warehouse,
        f"select distinct o.order_id, o.browse_channel from read_parquet('{truth}/touches/*.parquet') as t "
        "join dws.dws_order as o on o.order_id = t.document and o.channel = 'online' "
        # Of those whose touch came, and is of the order's person.
        f"join read_parquet('{truth}/records/social_engagements/*.parquet') as r on r.person_no = t.person_no "
        "join dwd.dwd_social_engagement as s on s.event_id = r.key "
        "and date_trunc('second', s.occurred_at) = date_trunc('second', make_timestamp(t.at_us)) "
        "join oneid.oneid_map as m on m.identity_key = s.identity_key and m.valid_to is null and m.oneid = o.oneid "
        f"where t.kind in {SOCIAL_TOUCHES}",
    )
    assert len(found) > 3
    assert {browsed for _, browsed in found} == {"social"}


def test_no_order_of_a_person_who_never_touched_social_was_browsed_there(
    simulated: Simulated, one_by_one: Story
) -> None:
    truth = simulated.records.parent
    found = ask(
        one_by_one.warehouse,
        "select o.channel, count(*), count(*) filter (o.browse_channel = 'social') from dws.dws_order as o "
        f"join (select document, any_value(person_no) as person_no from read_parquet('{truth}/lines/*.parquet', "
        "union_by_name = true) where not is_return group by 1) as l on l.document = o.order_id "
        f"anti join read_parquet('{truth}/records/social_engagements/*.parquet') as r on r.person_no = l.person_no "
        "where o.is_order and o.channel in ('online', 'store') group by all order by all",
    )
    assert [(channel, count > 20, browsed) for channel, count, browsed in found] == [
        ("online", True, 0),
        ("store", True, 0),
    ]


def test_what_a_store_sold_from_the_warehouse_is_cross_channel(simulated: Simulated, one_by_one: Story) -> None:
    lines = f"read_parquet('{simulated.records.parent}/lines/*.parquet', union_by_name = true)"
    sold = f"select document from {lines} where source = 'shop' and channel = 'store'"
    true = ask(
        one_by_one.warehouse,
        f"select order_id, 'warehouse', true from dws.dws_order where order_id in ({sold}) and parcel_count > 0 "
        "order by all",
    )
    assert true
    assert true == ask(
        one_by_one.published,
        "select order_id, fulfil_channel, is_cross_channel from dws_order where fulfil_channel = 'warehouse' "
        "order by all",
    )


def test_every_declared_join_matches_every_row_once(one_by_one: Story, manifest: dict[str, Any]) -> None:
    joins = [
        (node["name"], join["to"], join["by"])
        for node in manifest["nodes"].values()
        for join in node["config"].get("meta", {}).get("joins", [])
    ]
    assert {("dws_order", "dws_node"), ("dws_order", "ads_customer_360"), ("dws_inventory_day", "dws_node")} <= {
        (table, other) for table, other, _ in joins
    }
    for table, other, by in joins:
        on = " and ".join(f"a.{mine} = b.{theirs}" for mine, theirs in by.items())
        key = ", ".join(by.values())
        assert ask(one_by_one.published, f"select count(*) from {table} a anti join {other} b on {on}") == [(0,)], table
        assert ask(one_by_one.published, f"select {key} from {other} group by all having count(*) > 1") == [], other
        assert ask(one_by_one.published, f"select count(*) > 0 from {table}") == [(True,)], table


def test_the_published_database_shows_the_last_night(one_by_one: Story) -> None:
    assert ask(one_by_one.published, "select night from published_night") == [(NIGHTS[-1],)]


def test_every_published_table_and_column_has_a_comment(one_by_one: Story) -> None:
    bare = ask(
        one_by_one.published,
        "select table_name, '' from duckdb_tables() where coalesce(comment, '') = '' union all "
        "select table_name, column_name from duckdb_columns() where not internal and coalesce(comment, '') = ''",
    )
    assert bare == []


def test_the_nights_published_before_lie_beside(one_by_one: Story) -> None:
    kept = publications(one_by_one.settings)
    assert sorted({publication.night for publication in kept})[: len(NIGHTS)] == NIGHTS
    assert [damage(publication) for publication in kept] == [[]] * len(kept)


def test_each_publication_has_the_pages_of_its_own_gates(one_by_one: Story) -> None:
    first = publications(one_by_one.settings)[0]
    folder = first.folder / "quality"
    pages = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html"))
    stages = ("ads", "contract", "dim", "dwd", "dws", "ods", "oneid", "published")
    assert pages == [*(f"{first.night}/{stage}.html" for stage in stages), "index.html"]


def _broken(simulated: Simulated, columns: str, where: str = "true") -> list[tuple[object, ...]]:
    """Of the records that should be quarantined."""
    with duckdb.connect() as con:
        return rows(
            con,
            f"select {columns} from read_parquet('{simulated.records}/*/*.parquet') where expected = 'quarantine' "
            f"and {where} order by all",
        )
