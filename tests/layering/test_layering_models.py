"""Models refer only to their own or earlier layers, and each is described beside it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from support import REPOSITORY

from onedata.contracts import load_entities
from onedata.contracts.derive import derived_files
from onedata.retailer import Retailer

ORDER = {"ref": 0, "ops": 0, "ods": 1, "dim": 2, "dwd": 2, "oneid": 3, "dws": 4, "ads": 5}
MODELS = sorted((REPOSITORY / "dbt_project" / "models").glob("*/*.sql"))


def test_a_model_refers_only_to_its_own_or_earlier_layers(manifest: dict[str, Any]) -> None:
    schemas = {name: node["schema"] for part in ("nodes", "sources") for name, node in manifest[part].items()}
    backwards = [
        f"{node['name']} reads {parent}"
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        for parent in node["depends_on"]["nodes"]
        if ORDER[schemas[parent]] > ORDER[node["schema"]]
    ]
    assert backwards == []


def test_every_model_is_in_the_layer_of_its_folder_and_name(manifest: dict[str, Any]) -> None:
    wrong = [
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        and not (node["name"].startswith(node["schema"] + "_") and node["path"].startswith(node["schema"] + "/"))
    ]
    assert wrong == []


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_a_model_is_described_in_a_file_of_its_name(model: Path) -> None:
    entry = _entry(model)
    meta = entry["config"]["meta"]
    assert entry["name"] == model.stem
    assert entry["description"].strip()
    assert all(meta.get(name) for name in ("grain", "key", "owner"))


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_a_model_describes_every_column_it_names(model: Path) -> None:
    columns = _entry(model)["columns"]
    assert columns
    assert [column["name"] for column in columns if not str(column.get("description") or "").strip()] == []


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_the_key_of_a_model_is_among_its_columns(model: Path) -> None:
    entry = _entry(model)
    assert set(entry["config"]["meta"]["key"]) <= {column["name"] for column in entry["columns"]}


def test_the_derived_models_are_current(retailer: Retailer) -> None:
    folder = retailer.settings.dbt_project
    stale = [
        name
        for name, content in derived_files(retailer.entities, retailer.policy).items()
        if (folder / name).read_text(encoding="utf-8") != content
    ]
    assert stale == []


def test_every_feed_fills_an_entity_that_has_a_model(retailer: Retailer) -> None:
    names = {model.stem for model in MODELS}
    assert [feed.name for feed in retailer.feeds if f"ods_{feed.entity.name}" not in names] == []


def test_every_canonical_entity_is_described() -> None:
    entities = load_entities(REPOSITORY / "data_contracts" / "canonical")
    bare = [
        f"{entity.name}.{column.name}"
        for entity in entities.values()
        for column in entity.columns
        if not column.description.strip()
    ]
    assert bare == []
    assert [entity.name for entity in entities.values() if not (entity.grain and entity.owner and entity.key)] == []


def _entry(model: Path) -> dict[str, Any]:
    entries = yaml.safe_load(model.with_suffix(".yml").read_text(encoding="utf-8"))["models"]
    assert len(entries) == 1
    return dict(entries[0])
