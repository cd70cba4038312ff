"""A data home at another path than before: restored from a backup, or mounted elsewhere."""

import shutil
from dataclasses import replace
from pathlib import Path

from support import Story

from onedata.ledger import recover
from onedata.retailer import load_retailer, prepare_warehouse
from onedata.warehouse import open_warehouse


def test_a_moved_home_keeps_its_lake(backfill: Story, tmp_path: Path) -> None:
    settings = replace(backfill.settings, home=tmp_path / "home")
    shutil.copytree(backfill.settings.home, settings.home, ignore=shutil.ignore_patterns("dagster", "dbt", "published"))
    before = _lake_files(settings.lake)
    retailer = load_retailer(settings)
    with open_warehouse(settings) as con:
        prepare_warehouse(con, retailer)
        for feed in retailer.feeds:
            recover(con, settings, feed.name, feed.entity.name)
    assert before
    assert _lake_files(settings.lake) == before


def _lake_files(lake: Path) -> set[Path]:
    return {path.relative_to(lake) for path in lake.rglob("*.parquet")}
