"""The rules beside the dbt models use the vocabulary, and none has a misspelt word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from support import REPOSITORY

from onedata.contracts import ContractError
from onedata.contracts.rules import parse_rules
from onedata.quality.gates import LAYERS
from onedata.quality.model_rules import check_model_rules, model_rules

MODELS = REPOSITORY / "dbt_project" / "models"
FILES = sorted(file for file in MODELS.rglob("*.yml") if file.parent.name in LAYERS)


def models(file: Path) -> list[dict[str, Any]]:
    return yaml.safe_load(file.read_text(encoding="utf-8")).get("models") or []


def test_every_layer_has_models() -> None:
    assert {file.parent.name for file in FILES} == set(LAYERS) - {"oneid"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_models_rules_parse_and_look_at_its_own_columns(file: Path) -> None:
    for model in models(file):
        known = {column["name"] for column in model.get("columns", [])}
        rules = parse_rules(model["config"]["meta"].get("quality") or [], str(file))
        assert rules, f"{model['name']} has no gate"
        assert {name for rule in rules for name in rule.columns} <= known
        names = [rule.name for rule in rules]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_model_has_a_key_a_grain_and_an_owner(file: Path) -> None:
    for model in models(file):
        meta = model["config"]["meta"]
        assert meta["key"] and meta["grain"] and meta["owner"]
        assert (file.parent / f"{model['name']}.sql").exists()


def manifest(**meta: Any) -> dict[str, Any]:
    node = {
        "name": "b",
        "schema": "dwd",
        "resource_type": "model",
        "original_file_path": "models/b.yml",
        "config": {"meta": meta},
    }
    return {
        "nodes": {
            "b": node,
            "a": node | {"name": "a"},
            "t": node | {"name": "t", "resource_type": "test"},
            "x": node | {"name": "x", "schema": "ads"},
        }
    }


def test_rules_come_by_model_of_the_layer_in_order() -> None:
    found = model_rules(manifest(quality=[{"metric": "rowCount", "mustBeGreaterThan": 0}]), "dwd")
    assert [(name, relation, len(rules)) for name, (relation, rules) in found.items()] == [
        ("a", "dwd.a", 1),
        ("b", "dwd.b", 1),
    ]


@pytest.mark.parametrize(
    "query",
    [
        "select a from {object}",
        "select a from dwd.a as other where a not in (select b from {object} as own)",
        "select a from ads.x full outer join {object} as own using (a)",
    ],
)
def test_a_query_reads_its_model_and_others(query: str) -> None:
    found = model_rules(manifest(quality=[{"name": "q", "type": "sql", "query": query, "mustBe": 0}]), "dwd")
    assert found["b"][1][0].arguments["query"] == query


@pytest.mark.parametrize(
    ("query", "what"),
    [
        (
            "select raw from ops.quarantine",
            "reads 'ops.quarantine', which is no table a rule may read; there are {object}, ads.x, dwd.a, dwd.b",
        ),
        ("select value from vault.token", "reads 'vault.token'"),
        ("select 1 from {object}, 'orders.parquet'", "reads 'orders.parquet'"),
        ("select getvariable('token_inner') from {object}", "calls getvariable()"),
        ("select 1 from dwd.t", "reads 'dwd.t'"),
    ],
)
def test_a_query_that_reads_more_is_refused_before_a_run(query: str, what: str) -> None:
    given = manifest(quality=[{"name": "q", "type": "sql", "query": query, "mustBe": 0}])
    given["sources"] = {"s": {"name": "quarantine", "schema": "ops"}}
    with pytest.raises(ContractError, match=r"models/b.yml: model \w: quality rule q: query ") as caught:
        check_model_rules(given)
    assert what in str(caught.value)


def test_the_rules_beside_the_shipped_models_keep_to_their_boundary() -> None:
    """The manifest's part of the models' YAML; persons and their map are tables that Python builds."""
    nodes = {
        model["name"]: {
            "name": model["name"],
            "schema": file.parent.name,
            "resource_type": "model",
            "original_file_path": str(file),
            "config": model["config"],
        }
        for file in FILES
        for model in models(file)
    }
    sources = {name: {"name": name, "schema": "oneid"} for name in ("person", "oneid_map")}
    check_model_rules({"nodes": nodes, "sources": sources})
    queries = [
        rule
        for layer in LAYERS
        for _, rules in model_rules({"nodes": nodes, "sources": sources}, layer).values()
        for rule in rules
        if rule.metric == "sql"
    ]
    assert len(queries) >= 17


def test_a_model_without_rules_has_none() -> None:
    assert model_rules(manifest(), "dwd")["b"] == ("dwd.b", ())


def test_a_rule_that_is_not_in_the_vocabulary_names_the_file() -> None:
    with pytest.raises(ContractError, match=r"models/b.yml, quality rule 1: metric 'sum' is not known"):
        model_rules(manifest(quality=[{"metric": "sum", "mustBe": 0}]), "dwd")
