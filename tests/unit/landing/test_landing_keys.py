"""Keys of many rows: whether one occurs twice, the range they lie in, and what of it the ledger keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from small_retailer import NEXT, SmallRetailer, canonical

from onedata.contracts.model import Column
from onedata.landing import keys
from onedata.ledger.lake import KeyRange

MANY = keys.FEW_ROWS + 5
ANSWER = canonical()["survey_response"]
PUBLIC = Column("order_id", "text", "An order.", "public")


@pytest.mark.parametrize("rows", [10, MANY])
@pytest.mark.parametrize(("twice", "distinct"), [("", True), ("union all select 'o3', 'l7'", False)])
def test_a_key_that_occurs_twice_is_found(rows: int, twice: str, distinct: bool) -> None:
    with duckdb.connect() as con:
        given = f"select 'o' || i // 2 as a, 'l' || i as b from range({rows}) t(i) {twice}"
        con.execute(f"create table thing as {given}")
        assert keys.are_distinct(con, ["a", "b"], "thing", rows + bool(twice)) is distinct
        assert keys.are_distinct(con, ["a"], "thing", rows + bool(twice)) is False


def test_more_hashes_than_memory_takes_are_counted_by_duckdb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MOST_HASHES", MANY - 1)
    with duckdb.connect() as con:
        con.execute(f"create table thing as select i as a from range({MANY}) t(i)")
        assert keys.are_distinct(con, ["a"], "thing", MANY)


@pytest.mark.parametrize(
    ("least", "greatest", "kind", "classification", "kept"),
    [
        ("A1", "A99", "text", "public", True),
        ("2026-01", "2026-12", "text", "public", True),
        ("A1", "A99", "text", "core", False),
        ("ann", "zoe", "text", "public", False),
        ("A1", "zoe@example.com", "text", "public", False),
        ("1", "13800138000", "text", "public", False),
        ("4111111111111111", "4111111111111111", "text", "public", False),
        ("2026-01-05", "2026-01-06", "date", "public", True),
    ],
)
def test_the_ledger_keeps_ranges_that_name_nobody(
    least: str, greatest: str, kind: str, classification: str, kept: bool
) -> None:
    column = replace(PUBLIC, type=kind, classification=classification)
    assert keys.names_nobody(KeyRange("order_id", "varchar", least, greatest), column) is kept


@pytest.mark.parametrize(
    "texts",
    [
        "select 'l' || i as k from range(250000) t(i)",
        "select unnest(['z', 'zz', 'é', '客户', '']) as k",
        "select unnest(['a', null, 'b']) as k",
        "select unnest(['x', 'y', repeat('客', 9000)]) as k",
        "select unnest(['b', 'a' || chr(0)]) as k",
    ],
)
def test_the_range_by_the_statistics_of_a_file_is_that_of_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: str
) -> None:
    monkeypatch.setattr(keys, "STATISTICS_BYTES", 1)
    file = tmp_path / "a.parquet"
    entity = replace(ANSWER, key=("response_id",))
    with duckdb.connect() as con:
        con.execute(f"copy (select k as response_id from ({texts})) to '{file}' (format parquet, row_group_size 20000)")
        ends = con.execute(f"select min(k), max(k) from ({texts})").fetchall()
        (found,) = keys.key_ranges(con, entity, f"read_parquet('{file}')", [file])
    assert [(found.least, found.greatest)] == ends


def test_the_range_of_a_delivery_leaves_repeated_rows_out(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,", "A2,O1,5,fine,")
    survey.take()
    survey.csv("A1,O1,5,fine,", "A3,O2,4,,", "A5,O3,4,,", night=NEXT)
    assert survey.take(NEXT).counts == (3, 2, 0, 1)
    ranges = survey.con.execute(
        "select d.ds, k.column_name, k.least, k.greatest from ops.key_range k join ops.delivery d using (batch_id) "
        "where column_name = 'response_id' order by all"
    ).fetchall()
    assert [ends for _, *ends in ranges] == [["response_id", "A1", "A2"], ["response_id", "A3", "A5"]]
