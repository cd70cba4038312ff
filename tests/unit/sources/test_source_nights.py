"""Pending nights are determined from listings only, for every kind of source."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import date
from pathlib import Path

import pytest
from servers import Postgres, Store
from small_retailer import HEADER, contract, settings_in, small_retailer

from onedata.landing import land
from onedata.quality.gx import Gatekeeper
from onedata.retailer import load_retailer
from onedata.settings import Settings
from onedata.warehouse import open_warehouse
from onedata_assets.schedules import listing
from onedata_assets.selection import select_nights

NIGHT = date(2026, 1, 5)
ROWS = f"{HEADER}\nA1,O1,5,fine,2026-01-05T10:00:00Z\n"


def published(folder: Path, content: dict, files: dict[str, bytes]) -> Settings:  # type: ignore[type-arg]
    """A home whose one feed has landed and been published for the night."""
    with open_warehouse(settings_in(folder)) as con:
        shop = small_retailer(folder, con, Gatekeeper(con), content)
        for name, data in files.items():
            shop.put(name, data)
        land(con, shop.settings, shop.feed(), shop.retailer.policy, NIGHT)
        con.execute("update ops.delivery set status = 'applied', applied_at = now()::timestamp")
        return shop.settings


def archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr("a.csv", ROWS)
        packed.writestr("b.csv", ROWS.replace("A1", "B1"))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content"), [("2026-01-05.csv.gz", gzip.compress(ROWS.encode(), mtime=0)), ("2026-01-05.zip", archive())]
)
def test_a_packed_file_that_was_published_is_nothing_to_do(tmp_path: Path, name: str, content: bytes) -> None:
    settings = published(tmp_path, contract(path="survey/{ds}.*"), {f"survey/{name}": content})
    assert select_nights(settings, None, None) == []
    (settings.source / "survey" / "2026-01-06.zip").write_bytes(b"anything")
    assert select_nights(settings, None, None) == [date(2026, 1, 6)]


def test_an_object_that_was_published_is_nothing_to_do(tmp_path: Path, store: Store) -> None:
    store.put("desk/2026-01-05.csv", ROWS)
    settings = published(tmp_path, store.contract("desk/{ds}.csv"), {})
    assert select_nights(settings, None, None) == []
    store.put("desk/2026-01-06.csv", ROWS)
    assert select_nights(settings, None, None) == [date(2026, 1, 6)]
    assert [night for _, night in listing(load_retailer(settings), NIGHT)] == [NIGHT]


def test_a_table_that_has_not_changed_since_is_nothing_to_do(tmp_path: Path, postgres: Postgres) -> None:
    postgres.sql("insert into answers values ('A1', 'O1', 5, null, '2026-01-05 10:00+00', '2026-01-05 10:00+00')")
    settings = published(tmp_path, postgres.contract(watermark="updated_at"), {})
    assert select_nights(settings, None, None) == []
    postgres.sql("insert into answers values ('A2', 'O2', 5, null, '2026-01-05 10:00+00', '2026-01-05 11:00+00')")
    assert select_nights(settings, None, None) == [settings.today()]


def test_a_file_without_a_day_in_its_path_is_tonights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = published(tmp_path, contract(path="survey/answers*.csv"), {"survey/answers.csv": ROWS.encode()})
    assert select_nights(settings, None, None) == []
    (settings.source / "survey" / "answers_more.csv").write_text(ROWS.replace("A1", "A2"), encoding="utf-8")
    assert select_nights(settings, None, None) == [settings.today()]
    assert "later nights" not in capsys.readouterr().err
