"""A home keeps to the identifier policy that its rows landed by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from small_retailer import identifier_policy

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.identity.policy_held import PolicyChanged, hold_policy


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("create schema ops; create table ops.file as select 'a.csv' as path")
    return con


def with_phone(**changes: object) -> IdentifierPolicy:
    policy = identifier_policy()
    return replace(policy, types={**policy.types, "phone": replace(policy.types["phone"], **changes)})


def test_the_same_policy_goes_on(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    hold_policy(con, tmp_path / "p.json", identifier_policy())
    hold_policy(con, tmp_path / "p.json", identifier_policy())


def test_another_policy_is_refused_where_rows_have_landed(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    hold_policy(con, tmp_path / "p.json", identifier_policy())
    before = (tmp_path / "p.json").read_bytes()
    with pytest.raises(PolicyChanged, match=r"types: phone: limit is 3, was 8.*set `home` to a new folder"):
        hold_policy(con, tmp_path / "p.json", with_phone(limit=3))
    assert (tmp_path / "p.json").read_bytes() == before


def test_a_blocked_value_is_not_repeated(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    hold_policy(con, tmp_path / "p.json", identifier_policy())
    with pytest.raises(PolicyChanged, match="types: phone: blocked") as caught:
        hold_policy(con, tmp_path / "p.json", with_phone(blocked=("+493012345678",)))
    assert "493012345678" not in str(caught.value)


def test_where_nothing_has_landed_the_policy_may_change(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    hold_policy(con, tmp_path / "p.json", identifier_policy())
    con.execute("delete from ops.file")
    hold_policy(con, tmp_path / "p.json", with_phone(limit=3))
    con.execute("insert into ops.file values ('b.csv')")
    with pytest.raises(PolicyChanged, match="limit is 8, was 3"):
        hold_policy(con, tmp_path / "p.json", identifier_policy())
