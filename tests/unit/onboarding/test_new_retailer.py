"""A new retailer's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from onedata.onboarding.new_retailer import FolderNotEmpty, new_retailer
from onedata.retailer import load_retailer
from onedata.settings import load_settings


def test_the_new_folder_loads_and_has_one_feed_with_its_files_in_place(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    new_retailer(folder)
    retailer = load_retailer(load_settings(folder / "onedata.toml", {}))
    assert [feed.name for feed in retailer.feeds] == ["shop_sales"]
    assert retailer.settings.home == folder / "data"
    assert len(list(retailer.settings.source.glob("sales/sales_*.csv"))) == 2
    assert (folder / ".gitignore").read_text(encoding="utf-8") == "/data/\n"


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
