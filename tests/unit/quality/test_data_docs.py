"""The pages on what the gates found open with no network, quote no row, and say what did not hold."""

from __future__ import annotations

import re
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest
from small_retailer import NIGHT, settings_in
from typer.testing import CliRunner

from onedata.cli import app
from onedata.ledger import create_ledger
from onedata.quality import CheckResult, record
from onedata.quality.data_docs import build_data_docs, docs_folder
from onedata.settings import Settings
from onedata.warehouse import open_warehouse

SECRET = "order_id=77, email=ann@mail.cn"
FAILED = CheckResult("dwd", "dwd_order", "total_adds_up", "error", False, "3", f"3 rows break it, first: {SECRET}", "0", "the total is <net> & tax, ^[A-Z]+$")
HELD = CheckResult("contract", "shop_orders", "order_id_required", "error", True, "0", "", "0", "order_id is never missing")
WARNED = CheckResult("contract", "till", "rowCount", "warning", False, "0", SECRET, "at least 1", "number of rows")


class References(HTMLParser):
    """What a page loads or links to, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 (the signature is HTMLParser's)
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: Path) -> References:
    references = References()
    references.feed(page.read_text(encoding="utf-8"))
    return references


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    create_ledger(con)
    return con


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


def pages(con: duckdb.DuckDBPyConnection, settings: Settings, *results: CheckResult, night: date = NIGHT) -> Path:
    record(con, "r1", night, results)
    return build_data_docs(con, settings, night)


def test_no_page_loads_anything_from_a_network(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    folder = pages(con, settings, FAILED, HELD, WARNED).parent
    written = sorted(folder.rglob("*.html"))
    assert [str(page.relative_to(folder)) for page in written] == [f"{NIGHT}/contract.html", f"{NIGHT}/dwd.html", "index.html"]
    for page in written:
        assert [target for target in read(page).found if re.match(r"(https?:)?//", target)] == []
        assert re.findall(r"<script|@import|url\(", page.read_text(encoding="utf-8")) == []


def test_every_link_leads_to_a_page_that_is_there(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    folder = pages(con, settings, FAILED, HELD, WARNED).parent
    for page in folder.rglob("*.html"):
        content = page.read_text(encoding="utf-8")
        for target in read(page).found:
            if target.startswith("#"):
                assert f'id="{target[1:]}"' in content
            elif not target.startswith("data:"):
                assert (page.parent / target).resolve().exists()


def test_no_page_quotes_a_row(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    folder = pages(con, settings, FAILED, HELD, WARNED).parent
    assert [page for page in folder.rglob("*.html") if "ann@mail.cn" in page.read_text(encoding="utf-8")] == []


def test_the_index_says_what_did_not_hold(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    text = read(pages(con, settings, FAILED, HELD, WARNED)).text
    assert "✗ 1 errors" in text
    assert "! 1 warnings" in text
    assert "total_adds_up" in text


def test_a_page_says_rule_words_observed_and_expected(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    text = " ".join(read(pages(con, settings, FAILED).parent / str(NIGHT) / "dwd.html").text.split())
    assert "dwd_order" in text
    assert "total_adds_up: the total is <net> & tax, ^[A-Z]+$ 3 (expected 0)" in text


def test_the_last_check_of_a_night_counts(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    pages(con, settings, FAILED)
    text = read(pages(con, settings, CheckResult("dwd", "dwd_order", "total_adds_up", "error", True, "0", "", "0"))).text
    assert "Every rule held." in text


def test_writing_one_night_leaves_the_pages_of_the_others(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    first = pages(con, settings, HELD).parent / str(NIGHT) / "contract.html"
    before = first.stat().st_mtime_ns
    pages(con, settings, HELD, night=NIGHT + timedelta(days=1))
    assert first.stat().st_mtime_ns == before


def test_no_more_nights_are_kept_than_published_ones(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    for day in range(settings.published_nights_kept + 2):
        pages(con, settings, HELD, night=NIGHT + timedelta(days=day))
    nights = sorted(folder.name for folder in docs_folder(settings).iterdir() if folder.is_dir())
    assert (len(nights), nights[0]) == (settings.published_nights_kept, str(NIGHT + timedelta(days=2)))


def test_all_pages_can_be_written_again(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    record(con, "r1", NIGHT, [HELD])
    record(con, "r2", NIGHT + timedelta(days=1), [HELD])
    folder = build_data_docs(con, settings).parent
    assert len(list(folder.glob("*/contract.html"))) == 2


def test_the_command_writes_the_pages_and_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_in(tmp_path)
    with open_warehouse(settings) as warehouse:
        create_ledger(warehouse)
        record(warehouse, "r1", NIGHT, [FAILED])
    monkeypatch.setenv("ONEDATA_HOME", str(settings.home))
    said = CliRunner().invoke(app, ["quality", "docs"])
    assert (said.exit_code, said.output.strip()) == (0, str(docs_folder(settings) / "index.html"))
    assert "total_adds_up" in read(docs_folder(settings) / "index.html").text


def test_the_command_says_so_where_no_night_has_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDATA_HOME", str(tmp_path))
    said = CliRunner().invoke(app, ["quality", "docs"])
    assert (said.exit_code, f"no night has run yet below {tmp_path}" in said.output) == (2, True)
