"""A home keeps to the identifier policy that its rows landed by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from small_retailer import identifier_policy

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.identity.policy_held import PolicyChanged, hold_policy
from onedata.ledger import create_ledger
from onedata.ledger.log import LogDamaged, log_folder


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    create_ledger(con)
    con.execute("create or replace table ops.file as select 'a.csv' as path")
    return con


def with_phone(**changes: object) -> IdentifierPolicy:
    policy = identifier_policy()
    return replace(policy, types={**policy.types, "phone": replace(policy.types["phone"], **changes)})


def test_the_same_policy_goes_on(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    hold_policy(con, tmp_path, identifier_policy())
    hold_policy(con, tmp_path, identifier_policy())


def test_another_policy_is_refused_where_rows_have_landed(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    hold_policy(con, tmp_path, identifier_policy())
    with pytest.raises(PolicyChanged, match=r"types: phone: limit is 3, was 8.*set `home` to a new folder"):
        hold_policy(con, tmp_path, with_phone(limit=3))
    hold_policy(con, tmp_path, identifier_policy())


def test_a_blocked_value_is_not_repeated(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    hold_policy(con, tmp_path, identifier_policy())
    with pytest.raises(PolicyChanged, match="types: phone: blocked") as caught:
        hold_policy(con, tmp_path, with_phone(blocked=("+493012345678",)))
    assert "493012345678" not in str(caught.value)


def test_where_nothing_has_landed_the_policy_may_change(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    hold_policy(con, tmp_path, identifier_policy())
    con.execute("delete from ops.file")
    hold_policy(con, tmp_path, with_phone(limit=3))
    con.execute("insert into ops.file (path) values ('b.csv')")
    with pytest.raises(PolicyChanged, match="limit is 8, was 3"):
        hold_policy(con, tmp_path, identifier_policy())


def test_another_order_of_the_kinds_is_another_policy(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    policy = identifier_policy()
    hold_policy(con, tmp_path, policy)
    turned = replace(policy, types=dict(reversed(policy.types.items())))
    with pytest.raises(PolicyChanged, match="the order of its kinds"):
        hold_policy(con, tmp_path, turned)


def test_a_damaged_policy_is_told_by_its_file(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    hold_policy(con, tmp_path, identifier_policy())
    (file,) = log_folder(tmp_path, "policy").iterdir()
    file.write_text(file.read_text(encoding="utf-8").replace('"limit": 8', '"limit": 9', 1), encoding="utf-8")
    with pytest.raises(LogDamaged, match=file.name) as caught:
        hold_policy(con, tmp_path, identifier_policy())
    assert caught.value.__cause__ is None, "a run tells the first cause of an error"
