"""Every asset has a gate: a new feed or model gets one, by name and blocking."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from support import REPOSITORY

from onedata.contracts import load_entities, load_feeds
from onedata.quality.contract_rules import contract_rules
from onedata.quality.reconcile import LAYERS, Scope, reconciled_models
from onedata.retailer import Retailer

CONTRACT_FOLDERS = [REPOSITORY / "data_contracts", *sorted((REPOSITORY / "examples").glob("*/contracts"))]


def test_every_landing_asset_has_a_blocking_gate(graph: dg.Definitions, retailer: Retailer) -> None:
    wanted = {dg.AssetKey(["landing", feed.name]) for feed in retailer.feeds}
    assert wanted <= _gated(graph)


def test_every_table_of_every_layer_has_a_blocking_gate(graph: dg.Definitions, manifest: dict[str, Any]) -> None:
    models = {
        dg.AssetKey([node["schema"], node["name"]])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }
    assert models <= _gated(graph)


@pytest.mark.parametrize("layer", LAYERS)
def test_every_table_that_balances_are_drawn_at_has_a_blocking_check(
    graph: dg.Definitions, retailer: Retailer, manifest: dict[str, Any], layer: str
) -> None:
    scope = Scope(retailer.settings, retailer.feeds, retailer.entities, manifest)
    wanted = {dg.AssetKey([layer, model]) for model in reconciled_models(scope, layer)}
    assert wanted
    assert wanted <= _gated(graph, "reconciliation")


def test_one_id_has_a_blocking_gate(graph: dg.Definitions) -> None:
    assert {dg.AssetKey(["oneid", table]) for table in ("oneid_map", "person", "household_map")} <= _gated(graph)


def test_what_is_to_be_published_has_a_blocking_gate(graph: dg.Definitions) -> None:
    assert dg.AssetKey(["published", "candidate"]) in _gated(graph)


@pytest.mark.parametrize("folder", CONTRACT_FOLDERS, ids=lambda path: path.parent.name)
def test_every_contract_is_valid_and_every_feed_has_rules_for_its_gate(folder: Path) -> None:
    feeds = load_feeds(folder, load_entities(REPOSITORY / "data_contracts" / "canonical"))
    assert feeds
    assert [feed.name for feed in feeds if not contract_rules(feed)] == []


@pytest.mark.parametrize("layer", ["ods", "dim", "dwd", "dws", "ads"])
def test_every_model_has_rules_or_key_tests(manifest: dict[str, Any], layer: str) -> None:
    tested = {node["attached_node"] for node in manifest["nodes"].values() if node["resource_type"] == "test"}
    models = [
        node for node in manifest["nodes"].values() if node["resource_type"] == "model" and node["schema"] == layer
    ]
    bare = [
        node["name"] for node in models if not node["config"]["meta"].get("quality") and node["unique_id"] not in tested
    ]
    assert bare == []


def _gated(graph: dg.Definitions, check: str = "gate") -> set[dg.AssetKey]:
    nodes = graph.resolve_asset_graph()
    return {key.asset_key for key in nodes.asset_check_keys if key.name == check and nodes.get_check_spec(key).blocking}
