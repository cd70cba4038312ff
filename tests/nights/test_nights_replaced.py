"""A night is replaced through the real job: rows no longer in its files are removed everywhere, and nothing else is."""

import duckdb
from support import Story, ask, rows, unbalanced_files


def test_a_row_that_the_file_no_longer_holds_is_gone_to_the_last_layer(corrected: Story, replaced: Story) -> None:
    (order,) = _gone(corrected, replaced, "dwd.dwd_order", "order_id")
    for table in ("dwd.dwd_order", "dwd.dwd_order_line", "dws.dws_order"):
        assert ask(corrected.warehouse, f"select count(*) from {table} where order_id = '{order[0]}'") != [(0,)]
        assert ask(replaced.warehouse, f"select count(*) from {table} where order_id = '{order[0]}'") == [(0,)]


def test_only_that_order_is_gone_and_nothing_is_new(rebuilt: Story, replaced: Story) -> None:
    key = "source_system, order_id, line_id, quantity, unit_price, sold_at"
    gone = _gone(rebuilt, replaced, "dwd.dwd_order_line", key)
    assert len({row[1] for row in gone}) == 1
    assert _gone(replaced, rebuilt, "dwd.dwd_order_line", key) == []
    assert (
        _gone(replaced, rebuilt, "dwd.dwd_web_event", "*") == _gone(rebuilt, replaced, "dwd.dwd_web_event", "*") == []
    )


def test_the_ledger_knows_the_night_as_it_is_now(replaced: Story) -> None:
    assert unbalanced_files(replaced.warehouse) == []
    twice = "select feed, path, content_hash from ops.file group by all having count(*) > 1"
    assert ask(replaced.warehouse, twice) == []
    assert ask(replaced.warehouse, "select count(*) from ops.delivery where applied_at is null") == [(0,)]


def test_every_balance_closes_after_a_night_was_taken_anew(replaced: Story) -> None:
    drawn = ask(
        replaced.warehouse,
        "select count(*), count(*) filter (where difference <> 0) from ops.reconciliation "
        "where run_id = (select arg_max(run_id, checked_at) from ops.reconciliation)",
    )
    assert drawn[0][0] > 50
    assert drawn[0][1] == 0


def test_the_lake_holds_each_night_once(replaced: Story) -> None:
    folder = replaced.settings.lake / "ods"
    lake = f"read_parquet('{folder}/*/*/*/*.parquet', union_by_name = true)"
    with duckdb.connect() as con:
        batches = {row[0] for row in rows(con, f"select distinct _batch from {lake}")}
    known = {row[0] for row in ask(replaced.warehouse, "select batch_id from ops.delivery where status = 'applied'")}
    assert batches <= known


def _gone(first: Story, second: Story, table: str, columns: str) -> list[tuple[object, ...]]:
    """Rows of the first that are not in the second."""
    with duckdb.connect() as con:
        con.execute(f"attach '{first.warehouse}' as a (read_only); attach '{second.warehouse}' as b (read_only)")
        return rows(
            con,
            f"select {columns} from (select {columns} from a.{table} except all select {columns} from b.{table}) "
            "order by all",
        )
