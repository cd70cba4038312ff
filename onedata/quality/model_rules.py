"""Rules of dbt models: `config.meta.quality` in the YAML beside each model, read from dbt's manifest."""

from collections.abc import Mapping
from typing import Any

import duckdb

from onedata.contracts.boundary import Boundary
from onedata.contracts.model import Rule
from onedata.contracts.rules import parse_rules


def model_rules(manifest: Mapping[str, Any], layer: str) -> dict[str, tuple[str, tuple[Rule, ...]]]:
    """Model name to its relation (`schema.table`) and rules, for every model of `layer`.

    A rule's query reads its model (`{object}`), and the models, seeds and sources of the project.

    Raises:
        ContractError: a rule is not in the vocabulary, or its query does something forbidden; the text names file,
            model and rule.
    """
    found = {}
    with duckdb.connect() as con:
        boundary, tables = Boundary(con), _tables(manifest)
        for node in manifest["nodes"].values():
            if node["resource_type"] == "model" and node["schema"] == layer:
                quality = (node["config"].get("meta") or {}).get("quality") or []
                file = str(node.get("patch_path") or node["original_file_path"]).split("://")[-1]
                rules = parse_rules(quality, file)
                for rule in rules:
                    if rule.metric == "sql":
                        place = f"{file}: model {node['name']}: quality rule {rule.name}: query"
                        boundary.check_query(str(rule.arguments["query"]), place, tables)
                found[node["name"]] = (f"{node['schema']}.{node['name']}", rules)
    return dict(sorted(found.items()))


def models_of(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The models of dbt's manifest; none of an empty one."""
    return [node for node in manifest.get("nodes", {}).values() if node["resource_type"] == "model"]


def sensitive_columns(manifest: Mapping[str, Any], model: str) -> set[str]:
    """The columns of a model that its YAML does not classify as public: no message and no preview repeats their
    values."""
    columns = [
        column
        for node in manifest["nodes"].values()
        if node["name"] == model
        for column in node.get("columns", {}).values()
    ]
    return {column["name"] for column in columns if _classification(column) != "public"}


def _classification(column: Mapping[str, Any]) -> str:
    meta = column.get("meta") or (column.get("config") or {}).get("meta") or {}
    return str(meta.get("classification", "public"))


def check_model_rules(manifest: Mapping[str, Any]) -> None:
    """Read the rules of every layer, so that a mistake in one stops a run before it starts.

    Raises:
        ContractError: as `model_rules`.
    """
    for layer in sorted({node["schema"] for node in manifest["nodes"].values() if node["resource_type"] == "model"}):
        model_rules(manifest, layer)


def _tables(manifest: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """Schema and name of everything that the project builds or reads, except the ledger: quarantine holds raw rows."""
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "seed", "snapshot")]
    relations = [*nodes, *manifest.get("sources", {}).values()]
    named = {
        (str(item["schema"]).lower(), str(item.get("identifier") or item.get("alias") or item["name"]).lower())
        for item in relations
    }
    return frozenset(item for item in named if item[0] not in ("ops", "vault"))
