"""What the feeds look like, and that the truth beside them is true."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from collections import Counter
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from onedata.simulate import SimulationSettings, SimulationSummary, simulate
from onedata.simulate.feeds import PAGE_OVERLAP

ARTS = "{http://www.nrf-arts.org/IXRetail/namespace/}"


def lines(folder: Path, pattern: str) -> list[str]:
    return [line for path in sorted(folder.glob(pattern)) for line in path.read_text(encoding="utf-8").splitlines()]


def number(query: str) -> float:
    row = duckdb.execute(query).fetchone()
    assert row is not None
    return float(row[0])


def test_row_counts_are_those_of_the_files(retailer: SimulationSummary) -> None:
    assert len(lines(retailer.source, "shop/orders/*.jsonl")) == retailer.rows["shop_orders"]
    assert len(lines(retailer.source, "shop/events/*.jsonl")) == retailer.rows["shop_events"]
    assert len(lines(retailer.source, "social/engagements/*.jsonl")) == retailer.rows["social_engagements"]
    with_header = [list(csv.reader(path.open(encoding="utf-8", newline=""))) for path in retailer.source.glob("service/surveys/*.csv")]
    assert sum(len(rows) - 1 for rows in with_header) == retailer.rows["service_surveys"]


def test_an_order_comes_again_as_an_update_with_a_later_time(retailer: SimulationSummary) -> None:
    seen: dict[int, str] = {}
    again = 0
    for line in lines(retailer.source, "shop/orders/*.jsonl"):
        order = json.loads(line)
        if order["id"] in seen:
            again += 1
            assert order["updated_at"] > seen[order["id"]]
            assert order["cancelled_at"] or order["fulfillment_status"] == "fulfilled"
        seen[order["id"]] = order["updated_at"]
    assert again > 20


def test_an_order_adds_up(retailer: SimulationSummary) -> None:
    for line in lines(retailer.source, "shop/orders/orders_2026-01-05.jsonl"):
        order = json.loads(line)
        goods = sum(Decimal(item["price"]) * item["quantity"] - Decimal(item["total_discount"]) for item in order["line_items"])
        assert Decimal(order["total_price"]) == goods + Decimal(order["shipping_lines"][0]["price"])
        assert order["created_at"].endswith("+08:00")


def test_the_tills_write_poslog(retailer: SimulationSummary) -> None:
    kinds: Counter[str] = Counter()
    for path in retailer.source.glob("pos/transactions/*.xml"):
        for transaction in ET.parse(path).getroot().iter(f"{ARTS}Transaction"):
            kinds[transaction[-1].tag.removeprefix(ARTS)] += 1
            for kind in ("Sale", "Return"):
                kinds[kind] += len(list(transaction.iter(ARTS + kind)))
            paid = sum(Decimal(amount.text or "") for amount in transaction.iter(f"{ARTS}Amount"))
            sold = sum(
                Decimal(item.findtext(f"*/{ARTS}ExtendedAmount") or "0") for item in transaction.iter(f"{ARTS}LineItem") if item.get("VoidFlag") != "true"
            )
            assert paid == sold
    assert kinds["RetailTransaction"] == retailer.rows["pos_transactions"]
    assert kinds["Sale"] + kinds["Return"] == retailer.rows["pos_transaction_lines"]
    assert kinds["ControlTransaction"] == 5 * 3 * 5
    assert kinds["Return"] > 0


def test_pages_overlap(retailer: SimulationSummary) -> None:
    first = lines(retailer.source, "social/engagements/page_2026-01-05_1.jsonl")
    second = lines(retailer.source, "social/engagements/page_2026-01-05_2.jsonl")
    assert first[-PAGE_OVERLAP:] == second[:PAGE_OVERLAP]


def test_comments_span_lines(retailer: SimulationSummary) -> None:
    comments = [row["comment"] for path in retailer.source.glob("service/surveys/*.csv") for row in csv.DictReader(path.open(encoding="utf-8", newline=""))]
    assert any("\n" in comment for comment in comments)


def test_the_truth_adds_up(retailer: SimulationSummary) -> None:
    totals = json.loads((retailer.truth / "totals.json").read_text(encoding="utf-8"))
    told = duckdb.execute(f"select channel, sum(net_revenue)::text from '{retailer.truth}/orders.parquet' group by channel").fetchall()
    assert dict(told) == totals["net_revenue"]
    assert {feed: entry["rows"] for feed, entry in totals["feeds"].items()} == retailer.rows
    assert len(totals["defects"]) == len(retailer.defects) == 5


def test_every_account_and_card_has_one_owner(retailer: SimulationSummary) -> None:
    shared = duckdb.execute(
        f"select type, value from '{retailer.truth}/persons.parquet' where type <> 'phone' group by all having count(distinct person_id) > 1"
    ).fetchall()
    assert shared == []
    members = lines(retailer.source, "pos/members/members_2026-01-05.csv")
    delivered = {row["member_id"] for row in csv.DictReader(members, delimiter=";")}
    owned = duckdb.execute(f"select value from '{retailer.truth}/persons.parquet' where type = 'loyalty'").fetchall()
    assert delivered <= {value for (value,) in owned}


def test_defects_lie_where_the_truth_says(retailer: SimulationSummary) -> None:
    found = {defect.feed: defect for defect in retailer.defects}
    for feed, text in {
        "shop_order_lines": '"quantity":"two"',
        "social_spend": ",douyin,,members-week-2,",
        "logistics_shipments": ",2026-02-30T",
    }.items():
        defect = found[feed]
        records = lines(retailer.source, defect.file)[(0 if defect.file.endswith("jsonl") else 1) :]
        assert [number for number, record in enumerate(records, start=1) if text in record] == [defect.row]
    broken = lines(retailer.source, found["shop_events"].file)[found["shop_events"].row - 1]
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken)
    stock = found["logistics_inventory"]
    counts = duckdb.execute(f"select on_hand from '{retailer.source}/{stock.file}'").fetchall()
    assert [row for row, (count,) in enumerate(counts, start=1) if count < 0] == [stock.row]


def test_defects_stay_below_the_tolerance(retailer: SimulationSummary) -> None:
    totals = json.loads((retailer.truth / "totals.json").read_text(encoding="utf-8"))
    for defect in retailer.defects:
        assert totals["feeds"][defect.feed]["nights"][1] >= 40


def test_the_retailer_is_believable(tmp_path: Path) -> None:
    summary = simulate(SimulationSettings(customers=3_000, days=14), tmp_path / "out")
    persons = f"'{summary.truth}/persons.parquet'"
    shares = duckdb.execute(
        f"select segment, count(distinct person_id) / (select count(distinct person_id) from {persons}) from {persons} group by segment"
    ).fetchall()
    share = dict(shares)
    # Store customers without card and social account have no identifier and do not stand in the table.
    assert share["online"] == pytest.approx(0.33, abs=0.05)
    assert share["omni"] == pytest.approx(0.33, abs=0.05)
    weekend = number(
        f"select avg(n) filter (where isodow(d) >= 6) / avg(n) filter (where isodow(d) < 5) from "
        f"(select business_date as d, count(*) as n from '{summary.truth}/orders.parquet' "
        "where not is_return group by d)"
    )
    assert 1.15 < weekend < 1.5
    late = (
        f"select avg((delivered_at::timestamptz > promised_at::timestamptz)::int) "
        f"from read_csv('{summary.source}/logistics/shipments/*.csv', ignore_errors = true) "
        "where status = 'delivered' and delivered_at not like '2026-02-30%' and distance_km "
    )
    assert number(f"{late} < 300") < 0.06
    assert 0.15 < number(f"{late} > 900") < 0.5
    best_seller = number(
        f"select max(n) / median(n) from (select line.sku, count(*) as n from (select unnest(line_items) as line "
        f"from read_json('{summary.source}/shop/orders/*.jsonl', ignore_errors = true)) group by all)"
    )
    assert best_seller > 8
