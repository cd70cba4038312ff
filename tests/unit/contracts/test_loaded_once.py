"""A process loads files of the same content once, and files that changed anew."""

import shutil
from pathlib import Path

import pytest

from onedata.contracts import ContractError, load_entities, load_feeds
from onedata.contracts.identifiers import load_identifier_policy
from onedata.shipped import shipped


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped("data_contracts"), tmp_path / "data_contracts"))


def test_entities(contracts: Path) -> None:
    folder = contracts / "canonical"
    before = load_entities(folder)
    assert load_entities(folder)["customer"] is before["customer"]
    replace(folder / "customer.yaml", "title:", "title: Another")
    assert load_entities(folder)["customer"].title.startswith("Another")
    (folder / "customer.yaml").unlink()
    assert "customer" not in load_entities(folder)


def test_a_caller_changes_only_its_own_mapping(contracts: Path) -> None:
    load_entities(contracts / "canonical").clear()
    assert load_entities(contracts / "canonical")


def test_policy(contracts: Path, tmp_path: Path) -> None:
    file, own = contracts / "identifiers.yaml", tmp_path / "own.yaml"
    own.write_text("types:\n  phone: {limit: 3}\n", encoding="utf-8")
    before = load_identifier_policy(file, own)
    assert load_identifier_policy(file, own) is before
    replace(own, "3", "4")
    assert (before.types["phone"].limit, load_identifier_policy(file, own).types["phone"].limit) == (3, 4)
    assert load_identifier_policy(file).types["phone"] != before.types["phone"]


def test_feeds(contracts: Path) -> None:
    entities = load_entities(contracts / "canonical")
    before = load_feeds(contracts, entities)
    assert load_feeds(contracts, entities) is before
    file = before[0].contract
    replace(file, f"version: {before[0].version}", "version: 99.0.0")
    assert next(feed.version for feed in load_feeds(contracts, entities) if feed.contract == file) == "99.0.0"
    replace(file, "version: 99.0.0", "version: none")
    for _ in range(2):
        with pytest.raises(ContractError, match=r"MAJOR\.MINOR\.PATCH"):
            load_feeds(contracts, entities)
