"""A new retailer's folder."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import yaml
from jsonschema.validators import validator_for

from onedata.onboarding.new_retailer import FolderNotEmpty, new_retailer
from onedata.retailer import load_retailer
from onedata.settings import load_settings


def test_the_new_folder_loads_and_has_one_feed_with_its_files_in_place(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    new_retailer(folder)
    retailer = load_retailer(load_settings(folder / "onedata.toml", {}))
    assert [feed.name for feed in retailer.feeds] == ["own_exchange_rates", "shop_sales"]
    assert retailer.settings.home == folder / "data"
    assert len(list(retailer.settings.source.glob("sales/sales_*.csv"))) == 2
    assert (folder / ".gitignore").read_text(encoding="utf-8") == "/data/\n"


def test_an_editor_finds_the_schemas_of_both_files(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    new_retailer(folder)
    assert (folder / "onedata.toml").read_text().startswith("#:schema schemas/settings.json\n")
    contract = folder / "contracts" / "shop_sales.odcs.yaml"
    assert contract.read_text().startswith("# yaml-language-server: $schema=../schemas/contract.json\n")
    for name, content in (
        ("settings", tomllib.loads((folder / "onedata.toml").read_text())),
        ("contract", yaml.safe_load(contract.read_text())),
    ):
        schema = json.loads((folder / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
        plain = json.loads(json.dumps(content, default=str))
        assert [error.message for error in validator_for(schema)(schema).iter_errors(plain)] == []


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FolderNotEmpty, match="holds something"):
        new_retailer(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_the_folders_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("mine")
    with pytest.raises(FolderNotEmpty):
        new_retailer(tmp_path / "shop")
    assert (tmp_path / "shop").read_text() == "mine"
