"""Every row and cent of three nights is reconciled from file to ADS; the gate detects any removal from any layer."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support import NIGHTS, Story, ask

from onedata.quality.reconcile import LAYERS, Scope, reconcile, reconciled_models
from onedata.retailer import Retailer

Spoil = Callable[..., dict[str, str]]
CHAIN = (
    "ods_order_line -> dwd_order_line",
    "dwd_order_line -> dws_order_line",
    "dws_order_line -> dws_order_movement",
    "dws_order_movement -> dws_order",
    "dws_order -> dws_channel_day",
    "dws_channel_day -> ads_channel_day",
)


def test_every_balance_of_every_night_closes(one_by_one: Story) -> None:
    open_ones = ask(
        one_by_one.warehouse, "select subject, measure, unit, difference from ops.reconciliation where difference <> 0"
    )
    assert open_ones == []


def test_every_file_has_its_balance(one_by_one: Story) -> None:
    question = (
        "select feed, path from ops.file except select subject, path from ops.reconciliation "
        "where layer = 'landing' and measure = 'rows'"
    )
    assert ask(one_by_one.warehouse, question) == []


def test_every_feed_and_night_has_its_balance_in_the_lake(one_by_one: Story) -> None:
    question = (
        "select feed, ds from ops.delivery except select subject, ds from ops.reconciliation "
        "where layer = 'ods' and measure = 'rows'"
    )
    assert ask(one_by_one.warehouse, question) == []


def test_every_layer_is_drawn_every_night(one_by_one: Story) -> None:
    drawn = ask(
        one_by_one.warehouse,
        "select night, list(distinct layer order by layer) from ops.reconciliation group by 1 order by 1",
    )
    assert drawn == [(night, ["ads", "dim", "dwd", "dws", "landing", "ods"]) for night in NIGHTS]


def test_every_table_of_dim_and_dwd_that_keeps_versions_is_drawn(one_by_one: Story, scope: Scope) -> None:
    kept = ask(
        one_by_one.warehouse,
        "select table_name from duckdb_columns() where schema_name in ('dim', 'dwd') and column_name = '_row' "
        "order by 1",
    )
    assert sorted(name for layer in ("dim", "dwd") for name in reconciled_models(scope, layer)) == [
        name for (name,) in kept
    ]


def test_every_total_is_a_column_where_the_latest_version_lies(one_by_one: Story, scope: Scope) -> None:
    columns = set(
        ask(
            one_by_one.warehouse,
            "select table_name, column_name from duckdb_columns() where schema_name in ('dim', 'dwd')",
        )
    )
    named = {f"dwd_{entity.name}".replace("sales_order", "order"): entity for entity in scope.entities.values()}
    missing = [
        (table, total.name)
        for table, entity in named.items()
        for total in entity.totals
        if table in {t for t, _ in columns}
    ]
    assert missing
    assert [item for item in missing if item not in columns] == []


def test_lines_are_carried_from_ods_to_ads_without_a_gap(one_by_one: Story) -> None:
    """What comes out of one step goes into the next."""
    last = f"layer in ('dwd', 'dws', 'ads') and night = date '{NIGHTS[-1]}' and unit = 'rows'"
    steps = {
        subject: (i, o)
        for subject, i, o in ask(
            one_by_one.warehouse, f"select subject, total_in, total_out from ops.reconciliation where {last}"
        )
    }
    assert [steps[later][0] for later in CHAIN[1:]] == [steps[earlier][1] for earlier in CHAIN[:-1]]
    assert steps[CHAIN[-1]][1] == ask(one_by_one.published, "select sum(line_count) from ads_channel_day")[0][0] > 0


def test_what_does_not_count_is_named(one_by_one: Story) -> None:
    reasons = {
        reason
        for (reason,) in ask(one_by_one.warehouse, "select distinct unnest(map_keys(excluded)) from ops.reconciliation")
    }
    assert reasons >= {
        "quarantined",
        "duplicate",
        "superseded versions",
        "lines of cancelled orders",
        "cancelled orders",
    }


def test_analysts_see_each_balance_of_a_night_once(one_by_one: Story) -> None:
    twice = (
        "select night, layer, subject, ds, path, measure, unit from ops_reconciliation group by all having count(*) > 1"
    )
    assert ask(one_by_one.published, twice) == []
    assert ask(one_by_one.published, "select count(*) > 100, sum(abs(difference)) from ops_reconciliation") == [
        (True, 0)
    ]


@pytest.fixture(scope="module")
def scope(one_by_one: Story, retailer: Retailer, manifest: dict[str, Any]) -> Scope:
    return Scope(one_by_one.settings, retailer.feeds, retailer.entities, manifest)


@pytest.fixture
def spoil(one_by_one: Story, scope: Scope, tmp_path: Path) -> Spoil:
    """Spoils a copy of the home after its three nights, draws one layer's balances anew and returns subject and rule to
    message, of what is open."""

    def spoiled(layer: str, sql: str) -> dict[str, str]:
        home = tmp_path / "home"
        shutil.copytree(one_by_one.settings.lake, home / "lake")
        warehouse = Path(shutil.copy(one_by_one.warehouse, tmp_path / "warehouse.duckdb"))
        with duckdb.connect(str(warehouse)) as con:
            con.execute(sql.replace("{lake}", str(home / "lake")))
            results = reconcile(
                con, replace(scope, settings=replace(scope.settings, home=home)), layer, NIGHTS[-1], "spoiled"
            )
        return {
            f"{result.subject}, {result.rule}": result.message
            for of_model in results.values()
            for result in of_model
            if result.blocks
        }

    return spoiled


@pytest.mark.parametrize("layer", LAYERS)
def test_an_unspoiled_layer_closes_again(spoil: Spoil, layer: str) -> None:
    assert spoil(layer, "update ops.delivery set status = 'accepted'") == {}


ONE = "rowid = (select min(rowid) from {table} where {where})"
LOST = "delete from {table} where " + ONE
CENT = "update {table} set {column} = {column} + 0.01 where " + ONE


@pytest.mark.parametrize(
    ("layer", "sql", "subject", "told"),
    [
        (
            "dim",
            LOST.format(table="dim.dim_customer", where="true"),
            "ods_customer -> dim_customer, rows_reconciled",
            "difference 1",
        ),
        (
            "dwd",
            LOST.format(table="dwd.dwd_web_event", where="true"),
            "ods_web_event -> dwd_web_event, rows_reconciled",
            "difference 1",
        ),
        (
            "dwd",
            CENT.format(table="dwd.dwd_order_line", column="net_amount", where="true"),
            f"{CHAIN[0]}, money_reconciled",
            "difference -0.01",
        ),
        (
            "dws",
            CENT.format(table="dwd.dwd_order_line", column="net_amount", where="true"),
            f"{CHAIN[1]}, money_reconciled",
            "difference 0.01",
        ),
        (
            "dws",
            LOST.format(table="dws.dws_order_movement", where="is_counted"),
            f"{CHAIN[2]}, rows_reconciled",
            "lines",
        ),
        (
            "dws",
            LOST.format(table="dws.dws_refund", where="true"),
            "dwd_refund -> dws_refund, rows_reconciled",
            "difference 1",
        ),
        (
            "dws",
            CENT.format(table="dws.dws_order", column="net_amount_base", where="true"),
            f"{CHAIN[3]}, money_reconciled",
            "difference -0.01",
        ),
        (
            "dws",
            CENT.format(table="dws.dws_order", column="net_amount_base", where="true"),
            f"{CHAIN[4]}, money_reconciled",
            "difference 0.01",
        ),
        (
            "dws",
            LOST.format(table="dws.dws_order", where="line_count > 0 and is_order"),
            "dwd_order -> dws_order, rows_reconciled",
            "orders",
        ),
        (
            "dws",
            CENT.format(table="dws.dws_customer", column="net_revenue_base", where="true"),
            "dws_order -> dws_customer, money_reconciled",
            "-0.01",
        ),
        (
            "dws",
            CENT.format(table="dws.dws_fulfilment_day", column="cost_base", where="true"),
            "dwd_shipment -> dws_fulfilment_day, money_reconciled",
            "-0.01",
        ),
        (
            "dws",
            LOST.format(table="dws.dws_inventory_day", where="true"),
            "dwd_inventory_snapshot -> dws_inventory_day, rows_reconciled",
            "snapshots",
        ),
        (
            "ads",
            CENT.format(table="ads.ads_channel_day", column="net_revenue_base", where="true"),
            f"{CHAIN[5]}, money_reconciled",
            "difference -0.01",
        ),
        (
            "ads",
            LOST.format(table="ads.ads_customer_360", where="order_count > 0"),
            "dws_customer -> ads_customer_360, rows_reconciled",
            "difference",
        ),
        (
            "ads",
            "update ads.ads_customer_360 set order_count = order_count - 1 where oneid = 'unknown'",
            "dws_customer -> ads_customer_360, rows_reconciled",
            "orders: ",
        ),
        (
            "dws",
            "update dws.dws_customer set web_event_count = web_event_count + 1 where oneid = 'unknown'",
            "dwd_web_event -> dws_customer, rows_reconciled",
            "web_events: ",
        ),
        (
            "dws",
            "update dws.dws_fulfilment_day set on_time_count = on_time_count - 1 where rowid = (select min(rowid) "
            "from dws.dws_fulfilment_day where on_time_count > 0)",
            "dwd_shipment -> dws_fulfilment_day, rows_reconciled",
            "on_time: ",
        ),
        (
            "dws",
            LOST.format(table="dws.dws_order_tie", where="true"),
            "dwd_order -> dws_order_tie, rows_reconciled",
            "documents: ",
        ),
        *(
            (
                "ads",
                f"update ads.ads_kpi set {part} = {part} + 0.01 where kpi_id = '{kpi}' and period = '{period}'",
                f"{source} -> ads_kpi, {rule}_reconciled",
                f"{kpi} {part}, {period}",
            )
            for kpi, part, period, source, rule in (
                ("net_revenue", "numerator", "all", "dws_order_movement", "money"),
                ("net_revenue", "numerator", "2026-01", "dws_order_movement", "money"),
                ("return_rate", "denominator", "2026-01", "dws_order_movement", "money"),
                ("orders", "numerator", "all", "dws_order", "rows"),
                ("cross_channel_order_share_by_count", "numerator", "2026-01", "dws_order", "rows"),
                ("on_time_delivery_rate", "numerator", "all", "dwd_shipment", "rows"),
                ("stockout_rate", "denominator", "2026-01", "dwd_inventory_snapshot", "rows"),
                ("customer_satisfaction", "numerator", "all", "dwd_survey_response", "rows"),
            )
        ),
        (
            "ads",
            "delete from ads.ads_kpi where kpi_id = 'customer_satisfaction' and period = '2026-01'",
            "dwd_survey_response -> ads_kpi, rows_reconciled",
            "customer_satisfaction numerator, 2026-01",
        ),
    ],
)
def test_what_is_taken_from_a_layer_is_told_with_layer_subject_night_and_difference(
    spoil: Spoil, layer: str, sql: str, subject: str, told: str
) -> None:
    messages = spoil(layer, sql)
    assert messages[subject].startswith(f"layer {layer}, night {NIGHTS[-1]}: ")
    assert told in messages[subject]


def test_a_line_left_out_without_a_reason_is_a_difference(spoil: Spoil) -> None:
    """The model's own flag is not believed: a line that counts for nothing must stand on a cancelled or test order, or
    be a test line."""
    messages = spoil(
        "dws",
        "update dws.dws_order_line set is_counted = false where rowid = (select min(rowid) "
        "from dws.dws_order_line where is_counted)",
    )
    assert f"{CHAIN[1]}, rows_reconciled" in messages
    assert f"{CHAIN[1]}, money_reconciled" in messages


def test_a_wrong_exchange_rate_in_the_movements_is_a_difference(spoil: Spoil) -> None:
    messages = spoil(
        "dws",
        "update dws.dws_order_movement set net_amount = net_amount + 1, gross_amount = gross_amount + 1 "
        "where currency = 'EUR'",
    )
    assert "EUR" in messages[f"{CHAIN[2]}, money_reconciled"]
    assert "CNY" in messages[f"{CHAIN[3]}, money_reconciled"]


def test_a_row_lost_from_the_lake_is_told_with_feed_and_night(spoil: Spoil, one_by_one: Story) -> None:
    (path,) = (one_by_one.settings.lake / "ods/order_line/source=shop_order_lines" / f"ds={NIGHTS[-1]}").glob(
        "*.parquet"
    )
    file = "{lake}/" + path.relative_to(one_by_one.settings.lake).as_posix()
    lose = (
        f"create table kept as select * from read_parquet('{file}') offset 1; copy kept to '{file}' (format "
        "parquet); drop table kept"
    )
    messages = spoil("ods", f"update ops.delivery set status = 'accepted' where ds = date '{NIGHTS[-1]}'; {lose}")
    assert list(messages) == ["shop_order_lines, rows_reconciled"]
    assert f"rows for {NIGHTS[-1]}: " in messages["shop_order_lines, rows_reconciled"]
    assert messages["shop_order_lines, rows_reconciled"].endswith("difference 1")


def test_nothing_new_is_as_before_without_reading_the_lake(spoil: Spoil) -> None:
    """An entity of which nothing arrived, and whose table holds what it held, keeps its balance: the lake is not
    read."""
    assert spoil("dwd", "drop view ods.ods_web_event; drop view ods.ods_order_line") == {}


def test_sums_of_money_are_exact_decimals(one_by_one: Story) -> None:
    kinds = ask(
        one_by_one.published,
        "select distinct data_type from duckdb_columns() where table_name = 'ops_reconciliation' "
        "and column_name like 'total%'",
    )
    assert kinds == [("DECIMAL(38,4)",)]
    assert isinstance(
        ask(one_by_one.published, "select max(total_in) from ops_reconciliation where unit = 'CNY'")[0][0], Decimal
    )
