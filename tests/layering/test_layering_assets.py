"""The assets only wire: what they show and select comes from onedata."""

from pathlib import Path

import pytest
from support import REPOSITORY

ASSETS = sorted((REPOSITORY / "assets").glob("*.py"))


@pytest.mark.parametrize("path", ASSETS, ids=lambda path: path.name)
def test_no_asset_speaks_sql(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ".execute(" not in text
    assert ".sql(" not in text
