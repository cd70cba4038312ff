"""The assets only wire: what they show and select comes from onedata."""

from support import REPOSITORY

ASSETS = sorted((REPOSITORY / "assets").glob("*.py"))


def test_no_asset_speaks_sql() -> None:
    assert ASSETS
    spoken = [
        f"{path.name} calls {call}"
        for path in ASSETS
        for call in (".execute(", ".sql(")
        if call in path.read_text(encoding="utf-8")
    ]
    assert spoken == []
