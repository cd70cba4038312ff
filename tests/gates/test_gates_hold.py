"""A closed gate stops everything after it, leaves the published night unchanged and names the cause."""

from gate_story import INVENTORY, LEAK, ORDERS, Closed
from support import NIGHTS, Story, ask, differences, unbalanced_files


def test_a_broken_file_fails_the_night(broken_files: Closed) -> None:
    assert not broken_files.outcome.succeeded


def test_a_broken_file_leaves_the_published_database_byte_for_byte(broken_files: Closed) -> None:
    assert broken_files.published_after == broken_files.published_before


def test_the_message_names_feed_and_gate(broken_files: Closed) -> None:
    assert "GATE CLOSED after contract: shop_order_lines, rule quarantine_tolerance" in broken_files.outcome.said


def test_the_message_names_the_file_and_the_rule_that_rows_break(broken_files: Closed) -> None:
    assert f"{ORDERS}, rule quantity_type:" in broken_files.outcome.said


def test_the_message_names_rows_and_what_is_wrong_with_them(broken_files: Closed) -> None:
    assert (
        'row 1: quantity (source field line_items[].quantity): "one" is not a number of at most 14 digits before the '
        "point and 4 behind it" in broken_files.outcome.said
    )


def test_a_file_that_cannot_be_read_closes_its_gate_by_name(broken_files: Closed) -> None:
    assert "GATE CLOSED after contract: logistics_inventory, rule readable_files" in broken_files.outcome.said
    assert INVENTORY in broken_files.outcome.said


def test_the_status_page_shows_the_closed_gates_and_the_failed_run(broken_files: Closed) -> None:
    assert "<h1>2 rules closed a gate</h1>" in broken_files.status
    assert "<h3>shop_order_lines</h3>" in broken_files.status
    assert "<h3>logistics_inventory</h3>" in broken_files.status
    assert f"Night {NIGHTS[1]} failed: " in broken_files.status
    assert f"Night {NIGHTS[0]}, publication 1, built" in broken_files.status


def test_the_status_page_quotes_no_row_and_no_message(broken_files: Closed, leaked: Closed) -> None:
    assert "is not a number of at most 14 digits before the point and 4 behind it" in broken_files.outcome.said
    assert "is not a number of at most 14 digits before the point and 4 behind it" not in broken_files.status
    assert "<h3>dim_product</h3>" in leaked.status
    assert LEAK not in leaked.status


def test_a_closed_contract_gate_lets_nothing_into_the_tables_behind_it(
    first_night: Story, broken_files: Closed
) -> None:
    assert differences(first_night.warehouse, broken_files.story.warehouse, ["dim", "dwd", "oneid", "dws", "ads"]) == {}


def test_a_closed_contract_gate_lets_no_file_of_the_night_into_the_lake(broken_files: Closed) -> None:
    assert (
        ask(
            broken_files.story.warehouse,
            f"select feed from ops.delivery where ds = date '{NIGHTS[1]}' and status in ('accepted', 'applied')",
        )
        == []
    )


def test_a_broken_file_is_counted_to_the_row(broken_files: Closed) -> None:
    assert unbalanced_files(broken_files.story.warehouse) == []


def test_the_gate_opens_once_the_file_is_mended(mended: Story) -> None:
    assert mended.outcome.succeeded


def test_a_mended_night_ends_in_the_tables_of_an_undisturbed_one(one_by_one: Story, mended: Story) -> None:
    assert differences(one_by_one.warehouse, mended.warehouse) == {}


def test_a_mended_night_forgets_the_quarantine_of_the_broken_file(one_by_one: Story, mended: Story) -> None:
    question = "select feed, path, row, rule from ops.quarantine order by all"
    assert ask(mended.warehouse, question) == ask(one_by_one.warehouse, question)


def test_a_broken_rule_in_dwd_fails_the_night(planted: Closed) -> None:
    assert not planted.outcome.succeeded


def test_a_broken_rule_in_dwd_stops_before_one_id(planted: Closed) -> None:
    stages = (
        "select distinct stage from ops.gate where run_id = (select arg_max(run_id, checked_at) from ops.gate) "
        "order by stage"
    )
    assert ask(planted.story.warehouse, stages) == [("contract",), ("dim",), ("dwd",), ("ods",)]


def test_a_broken_rule_in_dwd_leaves_the_summaries_as_they_were(mended: Story, planted: Closed) -> None:
    assert differences(mended.warehouse, planted.story.warehouse, ["oneid", "dws", "ads"]) == {}


def test_a_broken_rule_in_dwd_leaves_the_published_database_byte_for_byte(planted: Closed) -> None:
    assert planted.published_after == planted.published_before


def test_a_broken_rule_in_dwd_is_told_with_model_rule_and_row(planted: Closed) -> None:
    assert "GATE CLOSED after dwd: dwd_order_line, rule returns_are_negative" in planted.outcome.said
    assert "1 rows break it" in planted.outcome.said
    assert "line_id=PL-1" in planted.outcome.said


def test_a_row_that_no_file_delivered_is_told_with_layer_subject_night_and_difference(planted: Closed) -> None:
    assert "GATE CLOSED after dwd: ods_order_line -> dwd_order_line, rule rows_reconciled" in planted.outcome.said
    assert f"layer dwd, night {NIGHTS[2]}: rows: " in planted.outcome.said
    assert "difference -1" in planted.outcome.said


def test_an_e_mail_in_a_published_column_fails_the_night(leaked: Closed) -> None:
    assert not leaked.outcome.succeeded


def test_an_e_mail_in_a_published_column_is_told_with_table_and_column(leaked: Closed) -> None:
    assert "GATE CLOSED after published: dim_product, rule no_raw_identifier" in leaked.outcome.said
    assert "column product_name holds 1 e-mail addresses" in leaked.outcome.said


def test_the_message_of_the_last_gate_repeats_no_raw_e_mail(leaked: Closed) -> None:
    assert LEAK not in leaked.outcome.said


def test_an_e_mail_in_a_published_column_leaves_the_published_database_byte_for_byte(leaked: Closed) -> None:
    assert leaked.published_after == leaked.published_before


def test_a_night_after_a_mended_rule_passes_that_gate_again(leaked: Closed) -> None:
    last = (
        "select passed from ops.gate where subject = 'dwd_order_line' and rule = 'returns_are_negative' "
        "order by checked_at desc limit 1"
    )
    assert ask(leaked.story.warehouse, last) == [(True,)]


def test_the_history_of_the_gates_tells_the_whole_story(leaked: Closed) -> None:
    closed = ask(
        leaked.story.warehouse,
        "select stage, subject from ops.gate where severity = 'error' and not passed group by all "
        "order by min(checked_at), subject",
    )
    assert closed == [
        ("contract", "logistics_inventory"),
        ("contract", "shop_order_lines"),
        ("dwd", "dwd_order_line"),
        ("dwd", "ods_order_line -> dwd_order_line"),
        ("published", "dim_product"),
        ("published", "dws_product"),
    ]


def test_the_history_of_the_gates_covers_every_stage(leaked: Closed) -> None:
    stages = {row[0] for row in ask(leaked.story.warehouse, "select distinct stage from ops.gate where passed")}
    assert stages == {"contract", "ods", "dim", "dwd", "oneid", "dws", "ads", "published"}
