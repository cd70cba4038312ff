"""Counting rule violations: exact for either method, and without reading what the files' metadata proves."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from onedata.contracts.model import Rule
from onedata.landing.keys import FEW_ROWS
from onedata.quality import measure
from onedata.quality.measure import count_bad_rows

MANY = FEW_ROWS + 5_000
KEY = Rule("key", "duplicateValues", ("a", "b"), {}, 0, 0)


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def rows(con: duckdb.DuckDBPyConnection, select: str, more: str = "") -> str:
    con.execute(f"create or replace table thing as {select} {f'union all {more}' if more else ''}")
    return "thing"


def count(con: duckdb.DuckDBPyConnection, relation: str, *rules: Rule) -> list[int]:
    return count_bad_rows(con, "thing", relation, rules)


def test_a_key_of_many_rows_that_never_comes_twice_has_no_duplicates(con: duckdb.DuckDBPyConnection) -> None:
    assert count(con, rows(con, f"select i // 2 as a, i % 2 as b from range({MANY}) t(i)"), KEY) == [0]


def test_a_key_of_many_rows_with_one_telling_column_has_no_duplicates(con: duckdb.DuckDBPyConnection) -> None:
    assert count(con, rows(con, f"select i as a, 1 as b from range({MANY}) t(i)"), KEY) == [0]


def test_one_duplicate_among_many_rows_is_found(con: duckdb.DuckDBPyConnection) -> None:
    assert count(con, rows(con, f"select i as a, 1 as b from range({MANY}) t(i)", "select 7, 1"), KEY) == [1]


def test_a_repeated_telling_column_is_no_duplicate_key(con: duckdb.DuckDBPyConnection) -> None:
    assert count(con, rows(con, f"select i as a, 1 as b from range({MANY}) t(i)", "select 7, 2"), KEY) == [0]


def test_a_key_with_a_column_missing_is_no_key_among_many_rows(con: duckdb.DuckDBPyConnection) -> None:
    assert count(
        con, rows(con, f"select i as a, 1 as b from range({MANY}) t(i)", "select null, 1 union all select null, 1"), KEY
    ) == [0]


def test_hashes_that_collide_are_decided_by_the_keys(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "_is_unique", lambda *_: False)
    assert count(con, rows(con, f"select i as a, 1 as b from range({MANY}) t(i)"), KEY) == [0]


@pytest.mark.parametrize(
    ("rule", "bad"),
    [
        (Rule("r", "nullValues", ("a",), {}, 0, 0), 2),
        (Rule("r", "nullValues", ("a", "b"), {}, 0, 0), 2),
        (Rule("r", "invalidValues", ("b",), {"minimum": 2}, 0, 0), 1),
        (Rule("r", "invalidValues", ("b",), {"maximum": 2}, 0, 0), 2),
        (Rule("r", "invalidValues", ("b",), {"minimum": 1, "maximum": 3}, 0, 0), 0),
        (Rule("r", "invalidValues", ("t",), {"pattern": "^[0-9]$"}, 0, 0), 3),
        (Rule("r", "rowCount", (), {}, 1, None), 5),
        (Rule("r", "sql", (), {"query": "select a from {object} where a > 1"}, 0, 0), 2),
    ],
)
def test_rows_that_break_a_rule_are_counted(con: duckdb.DuckDBPyConnection, rule: Rule, bad: int) -> None:
    values = "values (1, 1, '10'), (2, 2, '9'), (3, 3, '8'), (null, 3, '11'), (null, null, '12')"
    assert count(
        con, rows(con, f"select * from ({values}) v(a, b, t)"), rule, Rule("other", "rowCount", (), {}, 1, None)
    ) == [bad, 5]


def test_what_is_not_a_number_is_not_within_bounds(con: duckdb.DuckDBPyConnection) -> None:
    relation = rows(con, "select 'nan'::double as a union all select 1.0")
    assert count(con, relation, Rule("r", "invalidValues", ("a",), {"minimum": 0, "maximum": 5}, 0, 0)) == [1]


def staged(con: duckdb.DuckDBPyConnection, file: Path, rows: int) -> str:
    """A relation of one Parquet file of which every value is gone and the metadata is whole."""
    con.execute(f"copy (select i as a, i::varchar as b from range({rows}) t(i)) to '{file}' (format parquet)")
    content = bytearray(file.read_bytes())
    size = int.from_bytes(content[-8:-4], "little")
    content[4 : len(content) - size - 8] = b"\0" * (len(content) - size - 12)
    file.write_bytes(content)
    return f"read_parquet('{file}')"


def test_required_columns_and_bounds_of_parquet_files_are_proven_without_reading_their_values(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    rules = (
        Rule("a", "nullValues", ("a",), {}, 0, 0),
        Rule("b", "nullValues", ("b",), {}, 0, 0),
        Rule("c", "invalidValues", ("a",), {"minimum": 0, "maximum": 200000}, 0, 0),
        Rule("d", "rowCount", (), {}, 1, None),
    )
    one, other = staged(con, tmp_path / "one.parquet", 200_000), staged(con, tmp_path / "other.parquet", 7)
    assert count(con, one, *rules) == [0, 0, 0, 200_000]
    both = f"read_parquet('{tmp_path}/*.parquet')"
    assert count_bad_rows(con, "thing", both, rules, [one, other]) == [0, 0, 0, 200_007]


def test_a_value_out_of_bounds_in_one_file_of_several_is_counted(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.parquet" for number in range(3)]
    for number, file in enumerate(files):
        con.execute(f"copy (select {number} as a, nullif({number}, 2) as b) to '{file}' (format parquet)")
    rules = (
        Rule("a", "invalidValues", ("a",), {"maximum": 1}, 0, 0),
        Rule("b", "nullValues", ("b",), {}, 0, 0),
        Rule("c", "rowCount", (), {}, 1, None),
    )
    parts = [f"read_parquet('{file}')" for file in files]
    assert count_bad_rows(con, "thing", f"read_parquet('{tmp_path}/*.parquet')", rules, parts) == [1, 1, 3]
