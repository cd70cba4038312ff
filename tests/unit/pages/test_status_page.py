"""The status page shows the live state of the build, closed gates first; it quotes no row and never fails a night."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest
from small_retailer import NEXT, NIGHT, settings_in

from onedata.ledger import create_ledger
from onedata.pages.status import BuildState, Run, draw_status, read_build, render, status_page
from onedata.quality import CheckResult, record
from onedata.settings import Settings
from onedata.warehouse.publications import Publication

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
    "the total is <net> & tax",
)
HELD = CheckResult(
    "contract",
    "shop_orders",
    "order_id_required",
    "error",
    True,
    "0",
    "",
    "0",
    "order_id is never missing",
)
WARNED = CheckResult("contract", "till", "rowCount", "warning", False, "0", SECRET, "at least 1", "number of rows")
RUN = Run(NIGHT, "r1", "running")
NOW = datetime(2026, 1, 7, 4, 30, tzinfo=UTC)
PUBLISHED = Publication(Path("/p/000012"), 12, NIGHT, "r0", NOW - timedelta(days=1, hours=2, minutes=29), {}, {})
NOTHING = BuildState([], [], [])


class Page(HTMLParser):
    """The page's text by its headings, its title, and what it loads or links to."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.parts: dict[str, str] = {}
        self.addresses: list[str] = []
        self._tag, self._part = "", ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        if tag in ("h1", "h2"):
            self._part = ""
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]

    def handle_data(self, data: str) -> None:
        if self._tag in ("h1", "h2") and not self._part:
            self._part = data if self._tag == "h2" else "title"
        if self._part:
            self.parts[self._part] = " ".join(f"{self.parts.get(self._part, '')} {data}".split())


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    create_ledger(con)
    return con


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


def fail(text: str) -> None:
    raise AssertionError(text)


def drawn(settings: Settings, con: duckdb.DuckDBPyConnection | None, run: Run = RUN) -> Page:
    draw_status(settings, run, con, fail)
    return Page((settings.published / "status" / "index.html").read_text(encoding="utf-8"))


def test_closed_gates_come_first_with_stage_subject_rule_observed_expected_and_when(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    record(con, "r1", NIGHT, [HELD, FAILED, WARNED])
    con.execute("update ops.gate set checked_at = timestamp '2026-01-06 02:03:04'")
    page = drawn(settings, con)
    assert list(page.parts) == ["title", "Closed gates", "The run", "Published", "Deliveries that wait to be published"]
    assert page.parts["title"].startswith("1 rule closed a gate")
    for words in (
        "dwd_order",
        "after dwd, night 2026-01-05, 2026-01-06 02:03 UTC",
        "the total is <net> & tax total_adds_up",
        "observed 3 expected 0",
    ):
        assert words in page.parts["Closed gates"]
    assert "shop_orders" not in page.parts["Closed gates"]
    assert "till" not in page.parts["Closed gates"]


def test_the_page_quotes_no_row(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    record(con, "r1", NIGHT, [HELD, FAILED, WARNED])
    drawn(settings, con)
    assert "ann@mail.cn" not in status_page(settings).read_text(encoding="utf-8")


def test_a_gate_that_closed_in_an_earlier_run_stays_until_its_subject_is_checked_again(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    record(con, "r0", NIGHT, [FAILED])
    record(con, "r1", NEXT, [HELD])
    assert "dwd_order" in drawn(settings, con).parts["Closed gates"]
    record(con, "r1", NEXT, [replace(FAILED, passed=True)])
    page = drawn(settings, con)
    held = "None: every rule of severity error held when it was last checked."
    assert page.parts["Closed gates"] == f"Closed gates {held}"
    assert page.parts["title"].startswith("Night 2026-01-05 is running")


def test_the_stages_that_the_run_has_passed_stand_in_their_order(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    record(con, "r0", NIGHT, [CheckResult("ads", "ads_kpi", "key", "error", True, "0", "", "0")])
    record(con, "r1", NIGHT, [FAILED])
    record(con, "r1", NIGHT, [HELD, HELD, WARNED])
    text = drawn(settings, con).parts["The run"]
    assert "contract passed, 1 warning 3" in text
    assert "dwd closed by 1 rule 1" in text
    assert text.index("contract") < text.index("dwd")
    assert "ads" not in text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("running", "is running"),
        ("published", "is published"),
        ("failed", "failed: gate_dwd"),
        ("not started", "did not start"),
    ],
)
def test_the_page_says_how_the_run_stands(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    state: str,
    words: str,
) -> None:
    failed = ["gate_dwd"] if state == "failed" else []
    text = drawn(settings, con, Run(NIGHT, "r1", state, failed)).parts["The run"]
    assert f"Night 2026-01-05 {words}" in text


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(days=1, hours=2), "1 d 2 h"),
        (timedelta(hours=3, minutes=5), "3 h 5 min"),
        (timedelta(seconds=59), "0 min"),
    ],
)
def test_what_is_published_is_told_with_night_number_and_age(age: timedelta, words: str) -> None:
    page = Page(render(RUN, NOTHING, replace(PUBLISHED, built_at=NOW - age), NOW))
    assert "Night 2026-01-05, publication 12, built" in page.parts["Published"]
    assert f"{words} before this page was drawn" in page.parts["Published"]
    assert "Drawn 2026-01-07 04:30 UTC" in page.parts["title"]


def test_deliveries_that_wait_are_counted_by_night_and_state(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    rows = [
        ("a", NIGHT, "accepted", None),
        ("b", NIGHT, "accepted", None),
        ("c", NEXT, "refused", None),
        ("d", NIGHT, "applied", NOW),
    ]
    con.executemany(
        "insert into ops.delivery (batch_id, feed, entity, ds, status, rows, landed_at, applied_at, replaces) "
        "values (?, 'f', 'e', ?, ?, 1, now(), ?, [])",
        rows,
    )
    assert read_build(con, "r1").waiting == [(NIGHT, "accepted", 2), (NEXT, "refused", 1)]
    text = drawn(settings, con).parts["Deliveries that wait to be published"]
    assert text.endswith("2026-01-05 accepted 2 2026-01-06 refused 1")


def test_a_warehouse_that_cannot_be_read_is_told_and_not_taken_for_open_gates(settings: Settings) -> None:
    page = drawn(settings, None, Run(NIGHT, "r1", "not started", ["CatalogException"]))
    assert page.parts["title"].startswith("Night 2026-01-05 did not start")
    assert "Unknown: the warehouse cannot be read, or there is none yet" in page.parts["Closed gates"]
    assert "did not start: CatalogException" in page.parts["The run"]


def test_nothing_is_loaded_from_anywhere_and_links_lead_to_pages_that_are_there(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    assert drawn(settings, con).addresses == ["data:,"]
    (settings.published / "quality").mkdir()
    (settings.published / "quality" / "index.html").touch()
    page = drawn(settings, con)
    assert page.addresses == ["data:,", "../quality/index.html"]
    assert (status_page(settings).parent / page.addresses[1]).exists()
    content = status_page(settings).read_text(encoding="utf-8")
    assert [word for word in ("<script", "@import", "url(", "http:", "https:") if word in content] == []


def test_what_comes_from_a_contract_is_text_and_not_html() -> None:
    con = duckdb.connect()
    create_ledger(con)
    record(
        con,
        "r1",
        NIGHT,
        [replace(FAILED, subject="<img src=x>", description="<b>", observed="<i>", expected="<u>", rule="<script>")],
    )
    content = render(Run(NIGHT, "<r>", "failed", ["<s>"]), read_build(con, "r1"), None, NOW, [('"><p>', "<q>")])
    tags = ("<img", "<b>", "<i>", "<u>", "<script", "<r>", "<s>", '"><p>', "<q>")
    assert [tag for tag in tags if tag in content] == []
    assert "&lt;img src=x&gt;" in content


def test_a_page_that_is_drawn_again_replaces_the_old_one_and_leaves_nothing_beside(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    drawn(settings, con)
    (status_page(settings).parent / ".index.html.1.new").write_text("a killed one's", encoding="utf-8")
    drawn(settings, con, Run(NEXT, "r2", "published"))
    assert [path.name for path in status_page(settings).parent.iterdir()] == ["index.html"]


@pytest.mark.parametrize("hindrance", ["status", "status/index.html"])
def test_a_page_that_cannot_be_written_is_told_and_raises_nothing(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    hindrance: str,
) -> None:
    settings.published.mkdir(parents=True)
    if hindrance == "status":
        (settings.published / "status").write_text("somebody's", encoding="utf-8")
    else:
        (settings.published / hindrance / "mine").mkdir(parents=True)
    said: list[str] = []
    draw_status(settings, RUN, con, said.append)
    assert len(said) == 1
    assert said[0].startswith(
        f"the page {status_page(settings)} was not drawn anew, and nothing else of the night is wrong: ",
    )
    assert (settings.published / hindrance).exists()


def test_what_a_rule_says_is_text(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    hostile = "<script>alert('&amp;')</script>"
    record(con, "r1", NIGHT, [CheckResult("dwd", hostile, hostile, "error", False, hostile, "", hostile, hostile)])
    page = drawn(settings, con, Run(NIGHT, hostile, "failed", [hostile]))
    content = status_page(settings).read_text(encoding="utf-8")
    assert "<script" not in content
    assert page.parts["Closed gates"].count(hostile) == 5
    assert page.parts["The run"].count(hostile) == 2
    assert 'class="bars"' not in content
