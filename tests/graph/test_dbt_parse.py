"""dbt's parse is kept in the home, and stays good where the home is moved or copied."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dbt.contracts.graph.nodes import SeedNode
from support import environment_kept

from onedata.retailer import Retailer
from onedata_assets.dbt import _seeds_moved, parse_dbt


def parsed(retailer: Retailer) -> Mapping[str, Any]:
    with environment_kept():
        os.environ.update(retailer.environment())
        found = parse_dbt(retailer).manifest
        assert os.environ["ONEDATA_WAREHOUSE"] == str(retailer.settings.warehouse)
    return found


def parsed_at(manifest: Mapping[str, Any], layer: str) -> dict[str, float]:
    nodes = manifest["nodes"].values()
    return {node["name"]: node["created_at"] for node in nodes if node["schema"] == layer}


def told(manifest: Mapping[str, Any]) -> str:
    """The manifest without its times and ids."""
    timeless = json.dumps(manifest | {"metadata": {}}, sort_keys=True)
    return "".join(part for part in timeless.split(", ") if "created_at" not in part)


@pytest.fixture
def copied(retailer: Retailer, graph: dg.Definitions, tmp_path: Path) -> Retailer:
    """The retailer with a copy of dbt's files in another home."""
    assert graph
    there = replace(retailer.settings, home=tmp_path / "home")
    shutil.copytree(retailer.settings.dbt_target, there.dbt_target)
    return replace(retailer, settings=there)


def test_a_copied_home_is_not_parsed_again(retailer: Retailer, copied: Retailer) -> None:
    before, there = parsed(retailer), parsed(copied)
    assert told(there) == told(before)
    assert parsed_at(there, "dws") == parsed_at(before, "dws") != {}


def test_the_seeds_of_a_project_that_has_moved_are_read_where_it_is(copied: Retailer) -> None:
    with environment_kept():
        os.environ.update(copied.environment())
        project = parse_dbt(copied).parsed
    seeds = [node for node in project.nodes.values() if isinstance(node, SeedNode)]
    folder = copied.settings.dbt_project
    assert not _seeds_moved(project, folder)
    seeds[0].root_path = "/before/the/move"
    assert _seeds_moved(project, folder)
    assert {node.root_path for node in seeds} == {str(folder)}


def manifest_file(retailer: Retailer) -> Path:
    return retailer.settings.dbt_target / "target" / "manifest.json"


def test_the_manifest_of_an_unchanged_project_is_not_written_again(copied: Retailer) -> None:
    before = parsed(copied)
    written = manifest_file(copied).stat().st_mtime_ns
    assert parsed(copied) == before
    assert manifest_file(copied).stat().st_mtime_ns == written


def test_a_manifest_that_is_damaged_or_older_than_the_parse_is_written_again(copied: Retailer) -> None:
    before, file = parsed(copied), manifest_file(copied)
    file.write_text(file.read_text(encoding="utf-8")[:1000], encoding="utf-8")
    assert told(parsed(copied)) == told(before)
    file.write_text("{}", encoding="utf-8")
    os.utime(file, (1, 1))
    assert told(parsed(copied)) == told(before)
