"""Rules of dbt models: `config.meta.quality` in the YAML beside each model, read from dbt's manifest."""

from collections.abc import Mapping
from typing import Any

from onedata.contracts.model import Rule
from onedata.contracts.rules import parse_rules


def model_rules(manifest: Mapping[str, Any], layer: str) -> dict[str, tuple[str, tuple[Rule, ...]]]:
    """Model name to its relation (`schema.table`) and rules, for every model of `layer`.

    Raises:
        ContractError: a rule is not in the vocabulary.
    """
    found = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model" and node["schema"] == layer:
            quality = (node["config"].get("meta") or {}).get("quality") or []
            found[node["name"]] = (f"{node['schema']}.{node['name']}", parse_rules(quality, node["original_file_path"]))
    return dict(sorted(found.items()))
