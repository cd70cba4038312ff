"""Stock, row by row: opening + movements = closing on every night, and goods seen in transit equal the movements."""

from __future__ import annotations

from collections import Counter

import duckdb
import pytest
from read_back import delivered, micros, number, rows

from onedata.simulate import DefectRates, SimulationSettings, SimulationSummary, simulate

Cell = tuple[str, str]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> SimulationSummary:
    """Twelve nights without any defect."""
    settings = SimulationSettings(customers=1_000, days=12, defects=DefectRates.none())
    return simulate(settings, tmp_path_factory.mktemp("clean") / "out")


@pytest.fixture(scope="module")
def stock(clean: SimulationSummary) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"threads": 2})
    con.execute(f"create view closing as from read_parquet('{clean.source}/logistics/inventory/*.parquet')")
    con.execute(f"create view moves as from read_parquet('{clean.source}/logistics/movements/*.parquet')")
    con.execute(f"create view demand as from read_parquet('{clean.truth}/demand/*.parquet')")
    con.execute(f"create view lines as from read_parquet('{clean.truth}/lines/*.parquet')")
    return con


def test_there_are_no_defects_where_none_were_asked_for(clean: SimulationSummary) -> None:
    assert clean.defects == {}
    assert not list(clean.truth.glob("files/*/*"))


def test_closing_is_opening_and_what_moved(stock: duckdb.DuckDBPyConnection) -> None:
    moved = "select movement_date as d, node_id, sku, sum(quantity) as moved from moves group by all"
    before = "select snapshot_date + 1 as d, node_id, sku, on_hand as opening from closing"
    checked = (
        f"from (select snapshot_date::date as d, node_id, sku, on_hand from closing) c join ({before}) b using (d, "
        f"node_id, sku) left join ({moved}) m using (d, node_id, sku) "
    )
    assert number(stock, f"select count(*) {checked}") > 4_000
    assert rows(stock, f"select * {checked} where on_hand <> opening + coalesce(moved, 0)") == []
    # A cell that first shows up later was empty before; one that moved is in the count of its night.
    gone = (
        f"select * from ({moved}) m anti join closing c on c.snapshot_date = m.d and c.node_id = m.node_id "
        "and c.sku = m.sku where moved <> 0"
    )
    assert rows(stock, gone) == []


def test_no_more_is_held_or_reserved_than_there_is(stock: duckdb.DuckDBPyConnection) -> None:
    assert (
        rows(
            stock,
            "select * from closing where on_hand < 0 or reserved < 0 or reserved > on_hand or in_transit < 0 "
            "or safety_stock < 0",
        )
        == []
    )
    assert number(stock, "select sum(reserved) from closing") > 0
    assert (
        number(
            stock,
            "select count(*) from (select snapshot_date, node_id, sku from closing group by all having count(*) > 1)",
        )
        == 0
    )


def test_stock_moves_for_every_reason_with_the_right_sign(stock: duckdb.DuckDBPyConnection) -> None:
    found = {
        kind: (low, high)
        for kind, low, high in rows(stock, "select movement_type, min(quantity), max(quantity) from moves group by 1")
    }
    assert found.keys() == {"receipt", "transfer_in", "transfer_out", "sale", "return", "write_off", "adjustment"}
    assert all(low > 0 for kind, (low, _) in found.items() if kind in ("receipt", "transfer_in", "return"))
    assert all(
        high < 0 for kind, (_, high) in found.items() if kind in ("sale", "transfer_out", "write_off", "adjustment")
    )


def test_what_leaves_a_warehouse_reaches_its_store(stock: duckdb.DuckDBPyConnection) -> None:
    ways = (
        "select reference, sku, abs(sum(quantity)) as q, min(movement_date) as d from moves "
        "where movement_type = '{}' group by all"
    )
    both = f"({ways.format('transfer_out')}) o full join ({ways.format('transfer_in')}) i using (reference, sku)"
    last = "(select max(movement_date) from moves)"
    assert number(stock, f"select count(*) from {both} where i.q = o.q and i.d = o.d + 2") > 100
    assert (
        number(
            stock,
            f"select count(*) from {both} where i.q is distinct from o.q and not (i.q is null and o.d > {last} - 2)",
        )
        == 0
    )


def test_what_is_sold_and_taken_back_moves(stock: duckdb.DuckDBPyConnection) -> None:
    sold = (
        "select document as reference, sku, -quantity as q from lines where not is_return and not is_test and sku is "
        "not null and cancelled_us is null and of_version is distinct from 1 and source <> 'marketplace'"
    )
    moved = "select reference, sku, sum(quantity)::bigint as q from moves where movement_type = 'sale' group by all"
    sold = f"select reference, sku, sum(q)::bigint as q from ({sold}) group by all"
    assert rows(stock, f"({moved}) except ({sold})") == []
    # What was ordered late is sent the next day.
    last = "(select max(night) from lines)"
    waits = f"select document from lines where source = 'shop' and night = {last}"
    assert rows(stock, f"select * from (({sold}) except ({moved})) where reference not in ({waits})") == []
    back = "select original, sku, -sum(quantity)::bigint from lines where is_return and sku is not null group by all"
    returned = "select reference, sku, sum(quantity)::bigint from moves where movement_type = 'return' group by all"
    assert rows(stock, f"(({back}) except ({returned})) union all (({returned}) except ({back}))") == []


def test_nothing_is_sold_that_was_not_there(stock: duckdb.DuckDBPyConnection) -> None:
    short = "select night, node_id, sku, wanted - served as lacking from demand where wanted > served"
    opening = "select snapshot_date + 1 as night, node_id, sku, on_hand - reserved as free from closing"
    came = (
        "select movement_date as night, node_id, sku, sum(quantity) as came from moves "
        "where movement_type in ('receipt', 'transfer_in') group by all"
    )
    cells = (
        f"({short}) join demand using (night, node_id, sku) join ({opening}) using (night, node_id, sku) "
        f"left join ({came}) using (night, node_id, sku)"
    )
    assert number(stock, f"select count(*) from {cells}") > 50
    assert rows(stock, f"select * from {cells} where wanted <= free + coalesce(came, 0)") == []
    assert rows(stock, f"select * from demand join ({opening}) using (night, node_id, sku) "
                       f"left join ({came}) using (night, node_id, sku) "
                       "where served > free + coalesce(came, 0)") == []  # fmt: skip


def test_observed_events_are_the_movements(clean: SimulationSummary) -> None:
    seen: Counter[tuple[object, ...]] = Counter()
    moved: Counter[tuple[object, ...]] = Counter()
    words = {"receipt": "receiving", "transfer_in": "receiving", "transfer_out": "shipping", "sale": "retail_selling",
    "return": "returning",
             "write_off": "destroying", "adjustment": "stock_taking"}  # fmt: skip
    parcels = set()
    for _, _, document in delivered(clean.source, "logistics_epcis"):
        for event in document["epcisBody"]["eventList"]:
            paper = event["bizTransactionList"][0]["bizTransaction"] if event["bizTransactionList"] else None
            if event["type"] == "AggregationEvent":
                parcels.add(paper)
                continue
            step = event["bizStep"].replace("-", ":").split(":")[-1]
            [goods] = event["quantityList"]
            node, sku = event["readPoint"]["id"].split(":")[-1], goods["epcClass"].split("/")[-1]
            seen[step, node, sku, goods["quantity"], micros(event["eventTime"]), paper] += 1
            assert event["eventTime"].endswith(event["eventTimeZoneOffset"])
    for _, _, row in delivered(clean.source, "logistics_movements"):
        moved[
            words[row["movement_type"]],
            row["node_id"],
            row["sku"],
            abs(row["quantity"]),
            micros(row["moved_at"]),
            row["reference"],
        ] += 1
    assert seen == moved
    sent = {record["shipment_id"] for _, _, record in delivered(clean.source, "logistics_shipments")}
    assert parcels == sent
