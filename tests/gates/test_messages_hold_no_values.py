"""An e-mail, a phone, a card and a name in every column of a feed, through the real job: no message, log or page
contains any of them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from support import NIGHTS, Outcome, ask, home_at, run

from onedata.settings import Settings

PLANTED = {
    "e-mail": "ann.miller@shop-mail.cn",
    "phone": "138 0013 8000",
    "card": "4111 1111 1111 1111",
    "name": "Ann Marie Miller",
    "家": "欧阳小明明",
}
COLUMNS = ("id", "order", "channel", "score", "title", "note", "answered")
GOOD = ("A{}", "{}", "online", "5", "fine", "all good", "2026-01-05T10:00:00Z")
PARTS = [*PLANTED.values(), "ann.miller", "13800138000", "4111111111111111", "Miller", "小明"]
CHANNELS = {"metric": "invalidValues", "arguments": {"validValues": ["online", "store"]}, "mustBe": 0}
ORDER_RULE = {"logicalType": "string", "logicalTypeOptions": {"pattern": "^[0-9]{1,4}$"}}
TEXT_RULE = {"logicalType": "string", "logicalTypeOptions": {"pattern": "^[A-Za-z]{1,6}[0-9]{0,4}$"}}


@dataclass(frozen=True)
class Told:
    """A home after runs, and what each run said at the terminal."""

    settings: Settings
    outcomes: Sequence[Outcome]


def contract(tolerance: float, *quality: dict[str, Any], order_rule: dict[str, Any] = ORDER_RULE) -> str:
    properties: list[dict[str, Any]] = [
        {"name": "response_id", "physicalName": "id", **TEXT_RULE},
        {"name": "order_id", "physicalName": "order", **order_rule},
        {"name": "channel", "physicalName": "channel", "quality": [CHANNELS]},
        {
            "name": "satisfaction",
            "physicalName": "score",
            "logicalType": "number",
            "logicalTypeOptions": {"minimum": 1, "maximum": 5},
        },
        {"name": "title", "physicalName": "title", **TEXT_RULE},
        {"name": "comment", "physicalName": "note"},
        {"name": "answered_at", "physicalName": "answered"},
    ]
    custom = [
        {"property": "entity", "value": "survey_response"},
        {"property": "quarantineTolerance", "value": tolerance},
    ]
    content = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "survey",
        "version": "1.0.0",
        "status": "active",
        "dataProduct": "desk",
        "description": {"purpose": "Answers, for a test."},
        "servers": [{"server": "landing", "type": "local", "path": "survey/*_{ds}.csv", "format": "csv"}],
        "schema": [{"name": "survey", "customProperties": custom, "properties": properties, "quality": list(quality)}],
    }
    return yaml.safe_dump(content, sort_keys=False)


def rows() -> list[tuple[str, ...]]:
    """A good row, and for every column and every planted value one that has it there."""
    planted = [
        [value if name == column else given for name, given in zip(COLUMNS, GOOD, strict=True)]
        for column in COLUMNS
        for value in PLANTED.values()
    ]
    return [tuple(cell.format(number) for cell in row) for number, row in enumerate([GOOD, *planted])]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Four nights: one that passes, one in which a rule fails on a value, one in which dbt does, and one whose gate
    closes with samples."""
    folder = tmp_path_factory.mktemp("messages")
    settings = home_at(folder, folder / "source", contracts=folder / "contracts")
    settings.contracts.mkdir()
    (settings.source / "survey").mkdir(parents=True)
    sampled = {
        "name": "sampled",
        "type": "sql",
        "query": "select response_id, order_id, title, comment from {object} where comment <> 'all good'",
        "mustBe": 0,
    }
    fails = {
        "name": "days",
        "type": "sql",
        "query": "select order_id from {object} where comment::date < current_date",
        "mustBe": 0,
    }
    nights = [*NIGHTS, NIGHTS[-1] + timedelta(days=1)]
    contracts = [
        contract(1, sampled | {"severity": "warning"}),
        contract(1, fails),
        contract(1, order_rule={}),
        contract(0.01, sampled),
    ]
    outcomes = []
    for number, (night, text) in enumerate(zip(nights, contracts, strict=True)):
        (settings.contracts / "survey.odcs.yaml").write_text(text, encoding="utf-8")
        lines = [",".join(row).replace("A0", f"A{number}") for row in rows()]
        deliver(settings, f"answers_{night}.csv", [",".join(COLUMNS), *lines])
        if night == NIGHTS[2]:  # what is text by the contract will not go into DWD
            with duckdb.connect(str(settings.warehouse)) as con:
                con.execute("alter table dwd.dwd_survey_response alter order_id type integer using 0")
        if (
            night == nights[3]
        ):  # without its header, with a quote that is open, with a row too short, and with names that come twice
            deliver(settings, f"bare_{night}.csv", [",".join(PLANTED.values()) + ",x,1", *lines])
            deliver(settings, f"quote_{night}.csv", [f'id,"{PLANTED["name"]},{PLANTED["e-mail"]}', *lines])
            deliver(settings, f"short_{night}.csv", [",".join(COLUMNS), f"{PLANTED['name']},{PLANTED['phone']}"])
            deliver(settings, f"twice_{night}.csv", [",".join([PLANTED["name"], PLANTED["e-mail"]] * 2), *lines])
        outcomes.append(run(settings, [night]))
    return Told(settings, outcomes)


def deliver(settings: Settings, name: str, lines: Sequence[str]) -> None:
    (settings.source / "survey" / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def leaks(text: str) -> list[str]:
    return [part for part in PARTS if part in text or json.dumps(part)[1:-1] in text]


def test_the_nights_went_as_planted(told: Told) -> None:
    assert [outcome.succeeded for outcome in told.outcomes] == [True, False, False, False], [
        outcome.said for outcome in told.outcomes
    ]
    raw = "".join(raw or "" for (raw,) in ask(told.settings.warehouse, "select raw from ops.quarantine"))
    assert set(leaks(raw)) >= set(PLANTED.values()), "the raw rows are kept, so that they can be mended"


def test_the_terminal_says_what_is_wrong_and_no_value(told: Told) -> None:
    said = "\n".join(outcome.said for outcome in told.outcomes)
    assert all(f": {label} " in said for label in ("[e-mail]", "[phone]", "[card]"))
    assert "rule sampled" in said and "comment=(hidden)" in said
    assert "survey, rule days: Conversion Error" in said
    assert re.search(
        r'dwd_survey_response.sql\)\n  Conversion Error: Could not convert string (\[|"Aaa Aaaaa Aaaaaa"|"xxxxx")', said
    )
    assert "answers_2026-01-08.csv" in said and "bare_2026-01-08.csv" in said
    assert leaks(said) == []


def test_no_reason_message_or_count_holds_a_value(told: Told) -> None:
    reasons = [reason for (reason,) in ask(told.settings.warehouse, "select reason from ops.quarantine")]
    assert any('"Aaa Aaaaa Aaaaaa" breaks' in reason for reason in reasons) and any(
        "[card]" in reason for reason in reasons
    )
    assert len(reasons) >= 2 * (len(COLUMNS) - 1) * len(PLANTED)
    with duckdb.connect(str(told.settings.warehouse), read_only=True) as con:
        tables = con.execute("select table_name from duckdb_tables() where schema_name = 'ops' order by 1").fetchall()
        assert {"gate", "quarantine", "file", "drift"} <= {name for (name,) in tables}
        for (name,) in tables:
            columns = "* exclude (raw)" if name in ("quarantine", "released") else "*"
            assert leaks(str(con.execute(f"select {columns} from ops.{name}").fetchall())) == [], name


def test_dagsters_log_holds_no_value(told: Told) -> None:
    text = "".join(dagster_says(told.settings.dagster_home))
    assert "[e-mail] is not a whole number" in text and "Conversion Error" in text and "STEP_FAILURE" in text
    assert leaks(text) == []


def dagster_says(folder: Path) -> Iterator[str]:
    """Every row of Dagster's databases, and every other file of its home."""
    databases = set(folder.rglob("*.db"))
    assert databases
    for path in sorted(databases):
        with closing(sqlite3.connect(path)) as con:
            for (table,) in con.execute("select name from sqlite_master where type = 'table'").fetchall():
                yield from (f"{row}\n" for row in con.execute(f'select * from "{table}"').fetchall())
    for path in sorted(set(folder.rglob("*")) - databases):
        if path.is_file():
            yield path.read_text(encoding="utf-8", errors="replace")


def test_what_dbt_writes_holds_no_value(told: Told) -> None:
    texts = {
        path: path.read_text(encoding="utf-8", errors="replace")
        for path in told.settings.dbt_target.rglob("*")
        if path.is_file()
    }
    assert {path: leaks(text) for path, text in texts.items() if leaks(text)} == {}


def test_no_table_and_no_page_that_is_published_holds_a_value(told: Told) -> None:
    published = told.settings.published
    pages = [path for path in published.rglob("*") if path.suffix in (".html", ".json", ".svg")]
    assert pages
    assert {
        path: leaks(path.read_text(encoding="utf-8")) for path in pages if leaks(path.read_text(encoding="utf-8"))
    } == {}
    with duckdb.connect(str(told.settings.published_database), read_only=True) as con:
        tables = con.execute("select table_name from duckdb_tables() order by 1").fetchall()
        assert len(tables) > 10
        for (name,) in tables:
            assert leaks(str(con.execute(f"from {name}").fetchall())) == [], name
