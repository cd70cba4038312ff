"""What was built is what the YAML says: no column without a description."""

from typing import Any

from support import Story, ask


def test_every_column_that_was_built_is_described(one_by_one: Story, manifest: dict[str, Any]) -> None:
    described = {
        (node["schema"], node["name"], name)
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        for name, column in node["columns"].items()
        if column["description"].strip()
    }
    built = set(
        ask(
            one_by_one.warehouse,
            "select schema_name, table_name, column_name from duckdb_columns() where schema_name in ('ods', 'dim', 'dwd', 'dws', 'ads') and not internal",
        )
    )
    assert built
    assert sorted(built - described) == []


def test_every_column_that_is_described_was_built(one_by_one: Story, manifest: dict[str, Any]) -> None:
    built = set(ask(one_by_one.warehouse, "select schema_name, table_name, column_name from duckdb_columns() where not internal"))
    described = {(node["schema"], node["name"], name) for node in manifest["nodes"].values() if node["resource_type"] == "model" for name in node["columns"]}
    assert sorted(described - built) == []
