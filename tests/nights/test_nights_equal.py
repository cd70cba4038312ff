"""Any sequence of nights produces the same tables.

The comparison covers all of dim, dwd, dws and ads. For the lake it excludes `_arrived_at`, which is the machine's
clock.
"""

import duckdb
from support import NIGHTS, Story, ask, differences, rows

from onedata.settings import Settings

LATER_STEPS = 22
"""Ops of the graph after landing: five layers with a gate and a reconciliation each, the contract gate, OneID with its
gate and review queue, and publication in two steps with its gate."""


def test_nights_one_by_one_equal_one_backfill(one_by_one: Story, backfill: Story) -> None:
    assert differences(one_by_one.warehouse, backfill.warehouse) == {}


def test_nights_one_by_one_with_late_and_corrected_files_equal_a_full_refresh(corrected: Story, rebuilt: Story) -> None:
    assert differences(corrected.warehouse, rebuilt.warehouse) == {}


def test_the_comparison_covers_tables_with_rows(one_by_one: Story) -> None:
    filled = ask(
        one_by_one.warehouse,
        "select schema_name from duckdb_tables() where schema_name in ('dim', 'dwd', 'dws', 'ads') "
        "and estimated_size > 0 group by 1 having count(*) >= 3",
    )
    assert sorted(filled) == [("ads",), ("dim",), ("dwd",), ("dws",)]


def test_the_comparison_sees_one_changed_value(one_by_one: Story, backfill: Story) -> None:
    changed = backfill.warehouse.with_name("changed.duckdb")
    changed.write_bytes(backfill.warehouse.read_bytes())
    with duckdb.connect(str(changed)) as con:
        con.execute("update dwd.dwd_order_line set quantity = quantity + 1 where rowid = 0")
    assert differences(one_by_one.warehouse, changed) == {
        "dwd.dwd_order_line": "1 rows only in nights.duckdb, 1 only in changed.duckdb"
    }


def test_the_same_identifiers_are_one_person_from_nights_and_from_a_backfill(
    one_by_one: Story, backfill: Story
) -> None:
    question = (
        "select list(identity_key order by identity_key) as person from oneid.oneid_map where valid_to is null "
        "group by oneid order by all"
    )
    assert ask(one_by_one.warehouse, question) == ask(backfill.warehouse, question)


def test_the_lake_is_the_same_from_nights_and_from_a_backfill(one_by_one: Story, backfill: Story) -> None:
    assert _lake_differences(one_by_one.settings, backfill.settings) == {}


def test_running_again_with_nothing_new_changes_no_table(one_by_one: Story, again: Story) -> None:
    assert differences(one_by_one.warehouse, again.warehouse) == {}


def test_running_again_with_nothing_new_adds_nothing_to_the_ledger(one_by_one: Story, again: Story) -> None:
    question = (
        "select (select count(*) from ops.file), (select count(*) from ops.delivery), (select count(*) "
        "from ops.quarantine)"
    )
    assert ask(one_by_one.warehouse, question) == ask(again.warehouse, question)


def test_running_again_publishes_the_same_rows(one_by_one: Story, again: Story) -> None:
    assert {
        table: text
        for table, text in differences(one_by_one.published, again.published, ["main"]).items()
        if table not in ("main.ops_cost", "main.ops_gate")
    } == {}


def test_every_step_of_a_night_notes_what_it_took(one_by_one: Story) -> None:
    noted = ask(
        one_by_one.warehouse,
        "select count(distinct run_id), count(*) filter (where subject = ''), min(cpu_seconds) > 0, "
        "count(*) filter (where step = 'start'), count(distinct step) filter (where step like 'landing%'), "
        "sum(rows_read) filter (where step like 'landing%')::bigint, sum(rows_written) filter (where step like "
        "'landing%')::bigint from ops.cost",
    )
    runs, steps, is_positive, starts, feeds, read, accepted = noted[0]
    assert (runs, starts, is_positive) == (len(NIGHTS), len(NIGHTS), True)
    assert steps == runs * (1 + feeds + LATER_STEPS)
    assert [(read, accepted)] == ask(
        one_by_one.warehouse, "select sum(received)::bigint, sum(accepted)::bigint from ops.file"
    )


def test_what_the_tables_of_a_night_took_is_noted_with_their_rows(one_by_one: Story) -> None:
    tables = ask(
        one_by_one.warehouse,
        "select arg_max(rows_written, noted_at), count(*), bool_and(wall_seconds > 0), count(cpu_seconds) "
        "from ops.cost where subject = 'dws.dws_order'",
    )
    orders = ask(one_by_one.warehouse, "select count(*) from dws.dws_order")[0][0]
    assert tables == [(orders, len(NIGHTS), True, 0)]


def test_the_costs_of_earlier_steps_are_published(one_by_one: Story) -> None:
    assert ask(one_by_one.published, "select count(distinct run_id) from ops_cost") == [(len(NIGHTS),)]


def test_running_again_leaves_one_id_as_it_was(one_by_one: Story, again: Story) -> None:
    assert differences(one_by_one.warehouse, again.warehouse, ["oneid"]) == {}


def test_a_file_delivered_again_under_another_name_changes_no_table(again: Story, redelivered: Story) -> None:
    assert differences(again.warehouse, redelivered.warehouse) == {}


def test_a_file_delivered_again_is_counted_as_duplicates(redelivered: Story) -> None:
    counts = ask(
        redelivered.warehouse,
        "select feed, status, received > 0, accepted, quarantined, received = duplicate from ops.file "
        "where path like '%orders_2026-01-08%' order by feed",
    )
    assert counts == [("shop_order_lines", "repeated", True, 0, 0, True), ("shop_orders", "repeated", True, 0, 0, True)]


def test_a_night_without_files_changes_no_table(redelivered: Story, empty: Story) -> None:
    assert differences(redelivered.warehouse, empty.warehouse) == {}


def test_a_night_without_files_is_published_as_that_night(empty: Story) -> None:
    assert ask(empty.published, "select night::varchar from published_night") == [("2026-01-09",)]


def test_a_night_without_files_says_which_feeds_are_missing(empty: Story) -> None:
    late = ask(
        empty.warehouse,
        "select distinct subject from ops.gate where rule = 'file_delivered' and night = date '2026-01-09' "
        "and not passed",
    )
    assert ("shop_orders",) in late


def _lake_differences(first: Settings, second: Settings) -> dict[str, int]:
    found = {}
    with duckdb.connect() as con:
        for entity in sorted(path.name for path in (first.lake / "ods").iterdir()):
            lakes = [
                f"(select * exclude (_arrived_at) from read_parquet('{settings.lake}/ods/{entity}/*/*/*.parquet', "
                "union_by_name = true))"
                for settings in (first, second)
            ]
            count = sum(rows(con, f"select count(*) from ({a} except all {b})")[0][0] for a, b in (lakes, lakes[::-1]))
            found |= {entity: count} if count else {}
    return found
