"""File names are not interpreted: a file lands under any name; a link out of the source folder is reported, never
followed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from small_retailer import HEADER, SmallRetailer, contract

Retail = Callable[..., SmallRetailer]
ROWS = f"{HEADER}\nA1,O1,5,fine,2026-01-05T10:00:00Z\n"
NAMES = {
    "quotes": '2026-01-05-it\'s "it".csv',
    "globs": "2026-01-05-[a-z]*?{b}.csv",
    "line break": "2026-01-05-a\nb\r.csv",
    "sql": "2026-01-05'); drop table ops.file; --.csv",
    "formula": "2026-01-05=cmd|' C'!A0.csv",
    "dots": "2026-01-05-..csv",
    "unicode": "2026-01-05-订单 \u202e\u0000.csv".replace("\u0000", ""),
    "very long": f"2026-01-05-{'x' * 240}.csv",
    "escape": "2026-01-05-\x1b[31m.csv",
    "percent": "2026-01-05-%00%s.csv",
    "exclamation": "2026-01-05.zip!a.csv",
}


@pytest.fixture
def shop(retail: Retail) -> SmallRetailer:
    return retail(contract(path="survey/{ds}*.csv"))


@pytest.mark.parametrize("kind", NAMES)
def test_a_file_lands_under_its_name_whatever_it_is(shop: SmallRetailer, kind: str) -> None:
    shop.put(f"survey/{NAMES[kind]}", ROWS)
    assert shop.take().counts == (1, 1, 0, 0)
    assert shop.files("path") == [(f"survey/{NAMES[kind]}",)]


@pytest.mark.parametrize("kind", NAMES)
def test_a_broken_file_is_kept_whatever_its_name(shop: SmallRetailer, kind: str) -> None:
    shop.put(f"survey/{NAMES[kind]}", b"")
    assert shop.take().counts == (1, 0, 1, 0)
    assert shop.quarantine("path, rule") == [(f"survey/{NAMES[kind]}", "unreadable_file")]


def test_a_name_that_is_no_text_lands_and_stays_legible(shop: SmallRetailer) -> None:
    folder = shop.settings.source / "survey"
    folder.mkdir()
    with open(os.fsencode(folder) + b"/2026-01-05-caf\xe9.csv", "wb") as file:  # noqa: PTH123 - a Path holds text
        file.write(ROWS.encode())
    assert shop.take().counts == (1, 1, 0, 0)
    assert shop.files("path") == [("survey/2026-01-05-caf\\xe9.csv",)]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "outside" / "2026-01-05.csv"
    file.parent.mkdir()
    file.write_text(ROWS)
    return file


def test_a_link_out_of_the_source_folder_is_reported_and_not_followed(
    shop: SmallRetailer, secret: Path, tmp_path: Path
) -> None:
    (shop.settings.source / "survey").mkdir()
    (shop.settings.source / "survey" / "2026-01-05.csv").symlink_to(secret)
    assert shop.take().counts == (1, 0, 1, 0)
    reason = shop.quarantine("reason")[0][0]
    assert "a symbolic link that leads out of the source folder" in reason
    kept = [path for path in (tmp_path / "home" / "quarantine").rglob("*") if path.is_file()]
    assert all("A1" not in path.read_text() for path in kept)


def test_a_folder_that_is_a_link_out_of_the_source_is_not_followed(shop: SmallRetailer, secret: Path) -> None:
    (shop.settings.source / "survey").symlink_to(secret.parent)
    assert shop.take().counts == (1, 0, 1, 0)


def test_a_link_within_the_source_folder_is_a_file_like_any(shop: SmallRetailer) -> None:
    target = shop.put("elsewhere/a.csv", ROWS)
    (shop.settings.source / "survey").mkdir()
    (shop.settings.source / "survey" / "2026-01-05.csv").symlink_to(target)
    assert shop.take().counts == (1, 1, 0, 0)


def test_a_contract_path_with_brackets_means_brackets(retail: Retail) -> None:
    shop = retail(contract(path="survey[1]/{ds}?.csv"))
    shop.put("survey[1]/2026-01-05?.csv", ROWS)
    shop.put("survey1/2026-01-05x.csv", ROWS)
    assert shop.take().landed.files == 1


@pytest.mark.parametrize(
    "value",
    [
        "=1+1",
        "=cmd|' /C calc'!A0",
        "@SUM(A1)",
        "'); drop table ops.file; --",
        "${jndi:ldap://x}",
        "<script>alert(1)</script>",
    ],
)
def test_a_hostile_value_is_a_value(shop: SmallRetailer, value: str) -> None:
    shop.put("survey/2026-01-05.csv", f'{HEADER}\nA1,O1,5,"{value}",2026-01-05T10:00:00Z\n')
    shop.take()
    assert shop.rows("comment") == [(value,)]
