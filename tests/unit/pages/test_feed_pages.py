"""The feeds' pages agree with the contracts, and are current; the contracts are valid by the standard's own schema."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import jsonschema
import open_data_contract_standard
import pytest
import yaml
from small_retailer import ANSWERS, canonical, contract, custom, write_contracts
from support import REPOSITORY

from onedata.contracts import Feed, load_feeds
from onedata.onboarding.new_feed import scaffold
from onedata.pages.feeds import feed_pages, write_pages
from onedata.settings import Settings

PAGES = REPOSITORY / "docs" / "feeds"
SCHEMA = files(open_data_contract_standard) / "schema.json"
CONTRACTS = sorted(
    [*(REPOSITORY / "data_contracts").glob("*.odcs.yaml"), *(REPOSITORY / "examples").glob("*/contracts/*.odcs.yaml")]
)


def validator() -> jsonschema.Draft201909Validator:
    return jsonschema.Draft201909Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def shipped() -> tuple[Feed, ...]:
    return load_feeds(Settings().contracts, canonical())


def page_of(folder: Path, content: dict[str, object]) -> str:
    return feed_pages(load_feeds(write_contracts(folder, content), canonical()))["survey.md"]


def test_the_pages_are_what_onedata_derive_writes() -> None:
    stale = [
        name
        for name, text in feed_pages(shipped()).items()
        if not (PAGES / name).exists() or (PAGES / name).read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run `onedata derive`"
    assert {file.name for file in PAGES.iterdir()} == set(feed_pages(shipped()))


def test_writing_pages_twice_changes_nothing_and_the_page_of_a_feed_that_is_no_more_goes(tmp_path: Path) -> None:
    assert len(write_pages(tmp_path, shipped())) == 1 + len(shipped())
    (tmp_path / "gone.md").write_bytes((tmp_path / f"{shipped()[0].name}.md").read_bytes())
    (tmp_path / "notes.md").write_text("what we agreed with the desk")
    assert write_pages(tmp_path, shipped()) == [tmp_path / "gone.md"]
    assert not (tmp_path / "gone.md").exists()
    assert (tmp_path / "notes.md").exists()


def test_the_index_links_every_feed_and_every_link_leads_somewhere() -> None:
    assert set(re.findall(r"\]\((\w+)\.md\)", (PAGES / "README.md").read_text(encoding="utf-8"))) == {
        feed.name for feed in shipped()
    }
    for page in PAGES.iterdir():
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            assert (PAGES / link).exists(), f"{page.name}: {link}"


@pytest.mark.parametrize(
    "line",
    [
        "Purpose: For the desk.",
        "**Limitations.** None of them is new.",
        "| source system | desk |",
        "| owner | the-desk |",
        "| files | `survey/{ds}.csv` below the source folder, every 2 days |",
        "| format | csv (delimiter `;`) |",
        "| key | `response_id`, `order_id` |",
        "| time zone | Europe/Berlin, where a time has no offset |",
        "| kept for | 3 years |",
        "| where fields differ | missing: empty, added: refuse, retyped: report |",
        "| tolerance | 25.0% of a night's rows in quarantine |",
        "| `comment` | text | `note` by `upper({value}) \\|\\| '.'` | upper; values OK to FINE | sensitive |  | one of "
        "a, b (warning) |",
        "| `satisfaction` | integer | `score` |  | public |  | at least `1`, at most `5` |",
        "| `rowCount` | warning | at least 1 row |",
        "Fields that no column is filled from, on purpose: `mood`.",
    ],
)
def test_a_page_says_what_the_contract_says(tmp_path: Path, line: str) -> None:
    warning = {"metric": "invalidValues", "arguments": {"validValues": ["a", "b"]}, "mustBe": 0, "severity": "warning"}
    note = {
        "name": "comment",
        "physicalName": "note",
        "transformLogic": "upper({value}) || '.'",
        "quality": [warning],
        "customProperties": custom({"repairs": ["upper", {"values": {"OK": "FINE"}}]}),
    }
    content = contract(
        options={"delimiter": ";"},
        properties=[*(item for item in ANSWERS if item["name"] != "comment"), note],
        quality=[{"metric": "rowCount", "mustBeGreaterThan": 0, "severity": "warning"}],
        timezone="Europe/Berlin",
        quarantineTolerance=0.25,
        onDrift={"added": "refuse"},
    )
    content["schema"][0]["description"] = "Answers."
    content |= {
        "description": {"purpose": "For the desk.", "limitations": "None of them\nis new."},
        "team": {"name": "the-desk"},
        "customProperties": custom({"unmapped": ["mood"]}),
        "slaProperties": [
            {"property": "frequency", "value": 2, "unit": "d"},
            {"property": "retention", "value": 3, "unit": "y"},
        ],
    }
    assert line in page_of(tmp_path, content)


def test_a_page_says_it_where_a_contract_leaves_something_open(tmp_path: Path) -> None:
    page = page_of(tmp_path, contract())
    assert "| owner | customer-service |" in page
    assert "| kept for | ever: the contract sets no end |" in page
    assert "whenever it comes" in page


@pytest.mark.parametrize("file", CONTRACTS, ids=lambda file: file.name.removesuffix(".odcs.yaml"))
def test_a_contract_is_what_the_standard_says(file: Path) -> None:
    assert [
        f"{error.json_path}: {error.message}"
        for error in validator().iter_errors(yaml.safe_load(file.read_text(encoding="utf-8")))
    ] == []


def test_the_standards_schema_refuses_what_is_none() -> None:
    content = yaml.safe_load(CONTRACTS[0].read_text(encoding="utf-8"))
    content["schema"][0]["quality"] = [{"metric": "rowCount", "mustBe": "many"}]
    content["servers"][0].pop("type")
    assert not validator().is_valid(content)


def test_a_scaffold_is_what_the_standard_says(tmp_path: Path) -> None:
    sample = tmp_path / "reviews_2026-01-05.csv"
    sample.write_text("review_id;order_id;satisfaction;mood\nr1;o1;5;glad\n")
    settings = Settings(home=tmp_path / "home", source=tmp_path, contracts=tmp_path / "contracts")
    written = scaffold(settings, sample, "app_reviews", None, None, None).file
    assert [
        error.message for error in validator().iter_errors(yaml.safe_load(written.read_text(encoding="utf-8")))
    ] == []
