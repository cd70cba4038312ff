"""The home that unit tests copy is one that a first night prepares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from small_retailer import SmallRetailer, contract, settings_in, small_retailer

from onedata.quality.gx import Gatekeeper
from onedata.warehouse import open_warehouse

PEOPLE = tuple({"name": name, "physicalName": name} for name in ("customer_id", "email"))
CONTRACTS = (contract(), contract("people", entity="customer", path="people/{ds}.csv", properties=PEOPLE))


def described(world: SmallRetailer) -> tuple[list[tuple[object, ...]], set[str]]:
    """Every column, view and constraint of the warehouse, and every file beside it but the log's, whose names are
    times."""
    found = world.con.execute(
        "select schema_name, table_name, column_name, data_type, is_nullable, column_default from duckdb_columns() "
        "where database_name = current_database() union all select schema_name, view_name, sql, '', null, null from "
        "duckdb_views() where not internal union all select schema_name, table_name, constraint_text, '', null, null "
        "from duckdb_constraints() order by all"
    ).fetchall()
    home = world.settings.home
    files = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.parent.name != "policy"}
    return found, {name for name in files if not name.startswith("warehouse/")}


def test_a_copied_home_is_one_that_was_prepared(retail: Callable[..., SmallRetailer], tmp_path: Path) -> None:
    copied = described(retail(*CONTRACTS))
    with open_warehouse(settings_in(tmp_path / "new")) as con:
        assert described(small_retailer(tmp_path / "new", con, Gatekeeper(con), *CONTRACTS)) == copied
    assert len(copied[0]) > 200
    assert {"vault/token.key", "lake/ods/customer"} < copied[1]
