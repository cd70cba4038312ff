"""The pages of gate results open without a network, quote no row, and name the failed rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest
from small_retailer import NIGHT, settings_in
from typer.testing import CliRunner

from onedata.ledger import create_ledger
from onedata.pages import data_docs
from onedata.pages.data_docs import build_data_docs
from onedata.quality import CheckResult, record
from onedata.settings import Settings
from onedata.warehouse import open_warehouse
from onedata_assets.cli import main as app

SECRET = "order_id=77, email=ann@mail.cn"
FAILED = CheckResult(
    "dwd",
    "dwd_order",
    "total_adds_up",
    "error",
    False,
    "3",
    f"3 rows break it, first: {SECRET}",
    "0",
    "the total is <net> & tax, ^[A-Z]+$",
)
HELD = CheckResult(
    "contract", "shop_orders", "order_id_required", "error", True, "0", "", "0", "order_id is never missing"
)
WARNED = CheckResult("contract", "till", "rowCount", "warning", False, "0", SECRET, "at least 1", "number of rows")


class References(HTMLParser):
    """What a page loads or links to, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""

    # The signature is HTMLParser's.
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
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


def pages(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    *results: CheckResult,
    night: date = NIGHT,
    known: Path | None = None,
) -> Path:
    """The index of the pages as of now, in a folder of their own."""
    record(con, "r1", night, results)
    folder = settings.home / f"pages-{len(list(settings.home.glob('pages-*')))}"
    return build_data_docs(con, folder, settings.published_nights_kept, known=known)


def test_no_page_loads_anything_from_a_network(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    folder = pages(con, settings, FAILED, HELD, WARNED).parent
    written = sorted(folder.rglob("*.html"))
    assert [str(page.relative_to(folder)) for page in written] == [
        f"{NIGHT}/contract.html",
        f"{NIGHT}/dwd.html",
        "index.html",
    ]
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
    text = read(
        pages(con, settings, CheckResult("dwd", "dwd_order", "total_adds_up", "error", True, "0", "", "0"))
    ).text
    assert "Every rule held." in text


def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The subjects that are rendered from now on."""
    seen: list[str] = []
    render = data_docs.render_results

    def counted(results: Sequence[CheckResult]) -> str:
        seen.extend(result.subject for result in results)
        return render(results)

    monkeypatch.setattr(data_docs, "render_results", counted)
    return seen


def test_a_page_of_the_same_results_is_copied_and_not_rendered_again(
    con: duckdb.DuckDBPyConnection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pages(con, settings, HELD).parent
    seen = rendered(monkeypatch)
    second = pages(con, settings, FAILED, night=NIGHT + timedelta(days=1), known=first).parent
    assert seen == ["dwd_order"]
    assert (second / str(NIGHT) / "contract.html").read_bytes() == (first / str(NIGHT) / "contract.html").read_bytes()


@pytest.mark.parametrize("harm", [lambda page: page[:-30], lambda page: page.replace("never", "always"), lambda _: ""])
def test_a_damaged_page_and_one_of_other_results_is_rendered_again(
    con: duckdb.DuckDBPyConnection, settings: Settings, monkeypatch: pytest.MonkeyPatch, harm: Callable[[str], str]
) -> None:
    first = pages(con, settings, HELD, FAILED).parent
    whole = (first / str(NIGHT) / "contract.html").read_text(encoding="utf-8")
    (first / str(NIGHT) / "contract.html").write_text(harm(whole), encoding="utf-8")
    seen = rendered(monkeypatch)
    second = pages(con, settings, replace(FAILED, observed="4"), known=first).parent
    assert sorted(seen) == ["dwd_order", "shop_orders"]
    assert (second / str(NIGHT) / "contract.html").read_text(encoding="utf-8") == whole
    assert "4 (expected 0)" in " ".join(read(second / str(NIGHT) / "dwd.html").text.split())


def test_no_more_nights_are_kept_than_published_ones(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    for day in range(settings.published_nights_kept + 2):
        folder = pages(con, settings, HELD, night=NIGHT + timedelta(days=day)).parent
    nights = sorted(folder.name for folder in folder.iterdir() if folder.is_dir())
    assert (len(nights), nights[0]) == (settings.published_nights_kept, str(NIGHT + timedelta(days=2)))


def test_pages_as_of_a_night_show_no_later_one(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    for day in range(3):
        record(con, f"r{day}", NIGHT + timedelta(days=day), [HELD])
    index = build_data_docs(con, settings.home / "as of", settings.published_nights_kept, NIGHT + timedelta(days=1))
    assert sorted(folder.name for folder in index.parent.iterdir() if folder.is_dir()) == ["2026-01-05", "2026-01-06"]
    assert "2026-01-07" not in read(index).text


def test_the_command_writes_the_pages_and_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_in(tmp_path)
    with open_warehouse(settings) as warehouse:
        create_ledger(warehouse)
        record(warehouse, "r1", NIGHT, [FAILED])
    monkeypatch.setenv("ONEDATA_HOME", str(settings.home))
    index = settings.published / "status" / "quality" / "index.html"
    for words in ("total_adds_up", "Every rule held."):
        said = CliRunner().invoke(app, ["quality", "docs"])
        assert (said.exit_code, said.output.strip()) == (0, str(index))
        assert words in read(index).text
        with open_warehouse(settings) as warehouse:
            record(warehouse, "r2", NIGHT, [replace(FAILED, passed=True)])
    assert [path.name for path in index.parent.parent.iterdir()] == ["quality"]


def test_the_command_says_so_where_no_night_has_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDATA_HOME", str(tmp_path))
    said = CliRunner().invoke(app, ["quality", "docs"])
    assert (said.exit_code, f"no night has run yet below {tmp_path}" in said.output) == (2, True)


def test_what_a_rule_says_is_text_on_every_page(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    hostile = "<script>alert('&amp;')</script>"
    result = CheckResult("dwd", hostile, hostile, "error", False, hostile, "", hostile, hostile)
    for page in pages(con, settings, result).parent.rglob("*.html"):
        content = page.read_text(encoding="utf-8")
        assert "<script" not in content
        assert hostile in read(page).text
