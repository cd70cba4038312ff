"""A small warehouse in memory, and a home with two nights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from publishing import warehouse
from small_retailer import settings_in

from onedata.settings import Settings


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    return warehouse()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(settings_in(tmp_path), published_nights_kept=2)
