"""Tables of DIM and DWD that an earlier version of their models built."""

from collections.abc import Mapping
from typing import Any

import duckdb


def outdated_models(con: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any], layer: str) -> list[str]:
    """The incremental models of `layer` whose tables have other columns than their YAML describes, by name.

    A night would fail on them: rows that are there already have no value for a new column, so the layer is built anew
    from the lake. A model without a table is not outdated.
    """
    rows = con.execute(
        "select table_name, list(column_name) from duckdb_columns() where schema_name = ? "
        "and database_name = current_database() group by 1",
        [layer],
    ).fetchall()
    built = {table: set(columns) for table, columns in rows}
    return sorted(
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        and node["schema"] == layer
        and node["config"]["materialized"] == "incremental"
        and built.get(node["name"], set(node["columns"])) != set(node["columns"])
    )
