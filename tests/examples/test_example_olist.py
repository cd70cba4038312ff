"""Olist, nine files of a Brazilian marketplace: online, logistics and survey feeds, by contracts only."""

import csv
from datetime import date
from pathlib import Path

import duckdb
import pytest
from example_checks import feeds_of, home_of
from support import Story, ask, rows, run_well, shared_data, story, unbalanced_files

NIGHT = date(2026, 1, 5)


@pytest.fixture(scope="module")
def source() -> Path:
    return shared_data("olist_sample")


@pytest.fixture(scope="module")
def olist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    settings = home_of("olist_sample", source, tmp_path_factory.mktemp("olist"))
    return story(settings, "olist", run_well(settings, [NIGHT]))


@pytest.fixture(scope="module")
def delivered(source: Path) -> list[dict[str, str]]:
    """Orders that arrived and were not cancelled, by Python's own CSV reader."""
    with (source / "olist_orders_dataset.csv").open(encoding="utf-8", newline="") as stream:
        return [
            row
            for row in csv.DictReader(stream)
            if row["order_status"] != "canceled" and row["order_delivered_customer_date"]
        ]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("dwd_order", 8_135),
        ("dwd_order_line", 8_365),
        ("dwd_payment", 8_924),
        ("dwd_survey_response", 8_225),
        ("dwd_postcode_location", 45_928),
    ],
)
def test_every_row_of_the_source_is_there(olist: Story, table: str, expected: int) -> None:
    assert ask(olist.warehouse, f"select count(*) from dwd.{table}") == [(expected,)]


def test_no_row_is_quarantined(olist: Story) -> None:
    assert ask(olist.warehouse, "select feed, count(*) from ops.quarantine group by feed") == []


def test_the_ledger_balances(olist: Story) -> None:
    assert unbalanced_files(olist.warehouse) == []


def test_every_feed_landed(olist: Story) -> None:
    assert {row[0] for row in ask(olist.warehouse, "select feed from ops.file where received > 0")} == feeds_of(
        olist.settings
    )


def test_reviews_over_several_lines_are_read_whole(olist: Story, source: Path) -> None:
    # Python's own CSV reader is the other opinion.
    with (source / "olist_order_reviews_dataset.csv").open(encoding="utf-8", newline="") as stream:
        expected = sorted(text for row in csv.DictReader(stream) if (text := row["review_comment_message"].strip()))
    lake = olist.settings.lake / "ods" / "survey_response" / "source=olist_reviews"
    with duckdb.connect() as con:
        comments = sorted(
            text
            for (text,) in rows(
                con, f"select comment from read_parquet('{lake}/*/*.parquet') where comment is not null"
            )
        )
    assert sum("\n" in text for text in expected) == 324
    assert comments == expected


def test_every_delivery_of_the_source_is_in_fulfilment(olist: Story, delivered: list[dict[str, str]]) -> None:
    assert ask(olist.published, "select sum(delivered_count)::bigint from dws_fulfilment_day") == [(len(delivered),)]


def test_deliveries_against_promises_are_a_published_metric(olist: Story) -> None:
    on_time = ask(olist.published, "select sum(on_time_count) / sum(due_count) from dws_fulfilment_day")[0][0]
    metric = ask(
        olist.published,
        "select is_available, value from ads_kpi where kpi_id = 'on_time_delivery_rate' and period = 'all'",
    )[0]
    assert metric[0]
    assert float(metric[1]) == pytest.approx(float(on_time), abs=1e-4)


def test_on_time_is_by_the_end_of_the_day_promised(olist: Story, delivered: list[dict[str, str]]) -> None:
    on_time = sum(
        row["order_delivered_customer_date"][:10] <= row["order_estimated_delivery_date"][:10] for row in delivered
    )
    assert ask(olist.published, "select sum(on_time_count)::bigint from dws_fulfilment_day") == [(on_time,)]


def test_figures_are_told_as_of_the_data_and_not_of_the_load(olist: Story, source: Path) -> None:
    # Loaded years later, in one night: recency counts to the day of the last order placed, which was cancelled.
    with (source / "olist_orders_dataset.csv").open(encoding="utf-8", newline="") as stream:
        last = max(row["order_purchase_timestamp"] for row in csv.DictReader(stream))
    assert ask(olist.published, "select as_of_date::varchar from dws_as_of where entity = 'sales_order'") == [
        (last[:10],)
    ]
    # The last orders of all were cancelled: nobody's recency counts from them.
    with (source / "olist_orders_dataset.csv").open(encoding="utf-8", newline="") as stream:
        kept = [row for row in csv.DictReader(stream) if row["order_status"] != "canceled"]
    bought = max(row["order_purchase_timestamp"] for row in kept)
    recency = (date.fromisoformat(last[:10]) - date.fromisoformat(bought[:10])).days
    assert ask(olist.published, "select min(recency_days) from ads_customer_360") == [(recency,)]


def test_every_balance_closes_and_what_was_cancelled_is_named(olist: Story) -> None:
    assert ask(olist.published, "select count(*) from ops_reconciliation where difference <> 0") == [(0,)]
    cancelled = "select excluded['cancelled orders'] from ops_reconciliation where subject = 'dwd_order -> dws_order'"
    assert ask(olist.published, cancelled) == ask(
        olist.warehouse, "select count(*)::decimal(38, 4) from dwd.dwd_order where is_cancelled"
    )
