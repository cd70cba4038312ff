"""The asset graph reads from left to right, and each asset shows its meaning and owner."""

import os

import dagster as dg
import pytest
from support import environment_kept

from onedata.retailer import Retailer

STAGES = {"landing": 0, "ods": 1, "ref": 2, "dim": 2, "dwd": 2, "oneid": 3, "dws": 4, "ads": 5, "published": 6}


def test_the_definitions_that_a_deployment_loads_are_valid(retailer: Retailer) -> None:
    from onedata_assets.definitions import defs

    with environment_kept():
        os.environ |= retailer.settings.environment()
        dg.Definitions.validate_loadable(defs())


def test_every_asset_stands_in_a_known_stage(graph: dg.Definitions) -> None:
    assert {key.path[0] for key in _keys(graph)} == STAGES.keys()


def test_an_asset_depends_only_on_its_own_or_an_earlier_stage(graph: dg.Definitions) -> None:
    nodes = graph.resolve_asset_graph()
    backwards = [
        f"{key.to_user_string()} reads {parent.to_user_string()}"
        for key in _keys(graph)
        for parent in nodes.get(key).parent_keys
        if STAGES[parent.path[0]] > STAGES[key.path[0]]
    ]
    assert backwards == []


def test_groups_sort_as_the_stages_do(graph: dg.Definitions) -> None:
    nodes = graph.resolve_asset_graph()
    groups = sorted({(nodes.get(key).group_name, STAGES[key.path[0]]) for key in _keys(graph)})
    assert [stage for _, stage in groups] == sorted(stage for _, stage in groups)


def test_nothing_is_published_without_passing_every_stage(graph: dg.Definitions) -> None:
    nodes = graph.resolve_asset_graph()
    upstream = {key.path[0] for key in _ancestors(nodes, dg.AssetKey(["published", "onedata"]))}
    assert upstream >= {"landing", "ods", "dim", "dwd", "oneid", "dws", "ads", "published"}


def test_one_id_waits_for_all_of_dim_and_dwd(graph: dg.Definitions) -> None:
    nodes = graph.resolve_asset_graph()
    layers = {key for key in _keys(graph) if key.path[0] in ("dim", "dwd")}
    assert layers <= nodes.get(dg.AssetKey(["oneid", "oneid_map"])).parent_keys


def test_a_feeds_asset_says_what_its_contract_says(graph: dg.Definitions, retailer: Retailer) -> None:
    feed = next(feed for feed in retailer.feeds if feed.name == "shop_orders")
    metadata = graph.resolve_asset_graph().get(dg.AssetKey(["landing", "shop_orders"])).metadata
    assert (metadata["purpose"], metadata["owner"], metadata["kept for"], metadata["comes"]) == (
        feed.purpose,
        "online-shop",
        "7 years",
        "every night",
    )
    columns = {column.name: column.tags for column in metadata["dagster/column_schema"].columns}
    assert columns["email"] == {"classification": "core", "identifier": "email"}
    assert columns["currency"] == {"classification": "public"}


def test_every_feed_is_an_asset_that_its_entity_reads(graph: dg.Definitions, retailer: Retailer) -> None:
    nodes = graph.resolve_asset_graph()
    unread = [
        feed.name
        for feed in retailer.feeds
        if dg.AssetKey(["landing", feed.name])
        not in nodes.get(dg.AssetKey(["ods", f"ods_{feed.entity.name}"])).parent_keys
    ]
    assert unread == []


@pytest.mark.parametrize("what", ["description", "owners", "group_name"])
def test_every_asset_says(graph: dg.Definitions, what: str) -> None:
    specs = {spec.key: spec for spec in graph.resolve_all_asset_specs()}
    assert [key.to_user_string() for key in _keys(graph) if not getattr(specs[key], what)] == []


def test_every_table_names_its_grain_and_key(graph: dg.Definitions) -> None:
    specs = [
        spec
        for spec in graph.resolve_all_asset_specs()
        if spec.key.path[0] in ("ods", "dim", "dwd", "oneid", "dws", "ads")
    ]
    assert [spec.key.to_user_string() for spec in specs if not {"grain", "key"} <= spec.metadata.keys()] == []


def test_landing_assets_are_daily_and_backfilled_in_one_run(graph: dg.Definitions) -> None:
    nodes = graph.resolve_asset_graph()
    landing = [nodes.get(key) for key in _keys(graph) if key.path[0] == "landing"]
    assert landing
    assert {type(node.partitions_def) for node in landing} == {dg.DailyPartitionsDefinition}
    assert {node.backfill_policy for node in landing} == {dg.BackfillPolicy.single_run()}


def test_each_layer_is_one_step_of_its_own(graph: dg.Definitions) -> None:
    layers = [
        sorted({key.path[0] for key in definition.keys} - {"ref"})
        for definition in graph.resolve_asset_graph().assets_defs
        if definition.keys and next(iter(definition.keys)).path[0] in ("ods", "dim", "ref", "dwd", "dws", "ads")
    ]
    assert sorted(layers) == [["ads"], ["dim"], ["dwd"], ["dws"], ["ods"]]


def test_the_nightly_job_holds_every_asset(graph: dg.Definitions) -> None:
    assert graph.resolve_job_def("nightly").asset_layer.executable_asset_keys == set(_keys(graph))


def _keys(graph: dg.Definitions) -> list[dg.AssetKey]:
    return sorted(graph.resolve_asset_graph().executable_asset_keys)


def _ancestors(nodes: object, key: dg.AssetKey) -> set[dg.AssetKey]:
    found: set[dg.AssetKey] = set()
    waiting = [key]
    while waiting:
        parents = nodes.get(waiting.pop()).parent_keys - found  # type: ignore[attr-defined]
        found |= parents
        waiting += parents
    return found
