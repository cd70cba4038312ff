"""The commands `onedata contracts` after a change, and `onedata feed new|check|list`, with their output."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_retailer import ANSWERS, HEADER, NIGHT, contract, write_contracts
from typer.testing import CliRunner

from onedata.contracts import load_entities, load_feeds
from onedata.ledger import create_ledger, tick
from onedata.ledger.contracts import remember
from onedata.settings import Settings
from onedata.warehouse import open_warehouse
from onedata_assets.cli import main

GOOD, BAD = "r1,o1,5,fine,2026-01-05T10:00:00", "r2,o2,eleven,bad,2026-01-05T10:00:00"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A retailer of one feed with an onedata.toml."""
    (tmp_path / "onedata.toml").write_text('home = "home"\nsource = "source"\ncontracts = "contracts"\n')
    write_contracts(tmp_path / "contracts", contract(quarantineTolerance=0.5))
    return tmp_path


def typed(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and all that was printed."""
    outcome = CliRunner().invoke(main, [*arguments, "--settings", str(folder / "onedata.toml")])
    return outcome.exit_code, outcome.output


def deliver(folder: Path, *rows: str) -> Path:
    path = folder / "source" / "survey" / f"{NIGHT}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def landed_by(folder: Path) -> None:
    """Rows have landed by the contract as it is now."""
    settings = Settings(home=folder / "home", source=folder / "source", contracts=folder / "contracts")
    with open_warehouse(settings) as con:
        create_ledger(con)
        for feed in load_feeds(settings.contracts, load_entities(settings.canonical)):
            remember(con, feed, tick(con))


def test_contracts_lists_feeds_and_is_content_before_anything_has_landed(home: Path) -> None:
    code, said = typed(home, "contracts")
    assert code == 0
    assert said.startswith("survey ")


def test_contracts_tells_a_change_and_exits_with_1_where_it_is_refused(home: Path) -> None:
    landed_by(home)
    assert typed(home, "contracts")[0] == 0
    write_contracts(home / "contracts", contract(properties=ANSWERS[:-1], quarantineTolerance=0.5))
    code, said = typed(home, "contracts")
    assert code == 1
    assert "REFUSED survey" in said
    assert "breaking: column answered_at: from answered -> dropped" in said
    write_contracts(
        home / "contracts", contract(properties=ANSWERS[:-1], quarantineTolerance=0.5) | {"version": "2.0.0"}
    )
    code, said = typed(home, "contracts")
    assert (code, "CHANGED survey" in said) == (0, True)


def test_contracts_works_with_a_warehouse_that_knows_no_contracts(home: Path) -> None:
    settings = Settings(home=home / "home")
    with open_warehouse(settings) as con:
        con.execute("create schema ops")
    assert typed(home, "contracts")[0] == 0


def test_feed_check_exits_with_0_where_all_is_clean(home: Path) -> None:
    code, said = typed(home, "feed", "check", str(deliver(home, GOOD)))
    assert code == 0, said
    assert "received 1 = accepted 1 + quarantined 0 + duplicate 0" in said
    assert "the gate stays open" in said


def test_feed_check_exits_with_1_and_shows_each_bad_row(home: Path) -> None:
    code, said = typed(home, "feed", "check", str(deliver(home, GOOD, BAD)))
    assert code == 1
    assert "quarantined by satisfaction_type: 1" in said
    assert 'row 2: satisfaction (source field score): "eleven" is not a whole number' in said


def test_feed_check_exits_with_2_where_it_is_not_told_what_to_do(home: Path) -> None:
    code, said = typed(home, "feed", "check", str(home / "onedata.toml"))
    assert code == 2
    assert "give --feed NAME" in said


def test_feed_list_shows_feeds_with_their_version(home: Path) -> None:
    code, said = typed(home, "feed", "list")
    assert code == 0
    assert said.splitlines()[1].split() == [
        "survey",
        "survey_response",
        "csv",
        "survey/{ds}.csv",
        "survey.odcs.yaml",
        "1.0.0",
    ]


def test_feed_new_needs_no_contract_to_be_there_and_says_what_to_do_next(home: Path) -> None:
    (home / "contracts" / "survey.odcs.yaml").unlink()
    sample = home / "source" / "app" / "reviews_2026-01-05.csv"
    sample.parent.mkdir(parents=True)
    sample.write_text("review_id,order_id,satisfaction,mood\nr1,o1,5,glad\n")
    code, said = typed(home, "feed", "new", str(sample), "--name", "app_reviews")
    assert code == 0, said
    assert "3 of 4 fields of reviews_2026-01-05.csv mapped to survey_response, files at app/reviews_{ds}.csv" in said
    assert f"onedata feed check {sample} --feed app_reviews --settings" in said
    assert typed(home, "contracts")[0] == 0
    again, said = typed(home, "feed", "new", str(sample), "--name", "app_reviews")
    assert (again, "is never overwritten" in said) == (2, True)


def test_a_draft_beside_good_contracts_is_told_and_checked_and_stops_nothing(home: Path) -> None:
    sample = home / "source" / "app" / "reviews_2026-01-05.csv"
    sample.parent.mkdir(parents=True)
    sample.write_text("review_id,order_id,satisfaction,created\nr1,o1,5,2026-01-05 10:00:00\n")
    code, said = typed(home, "feed", "new", str(sample), "--name", "app_reviews")
    assert (code, "write `status: active` for `status: draft`: until then nights skip it" in said) == (0, True)
    code, said = typed(home, "contracts")
    assert (code, "DRAFT app_reviews.odcs.yaml, which nights skip: it loads" in said) == (0, True)
    assert "app_reviews" not in typed(home, "feed", "list")[1]
    assert "accepted 1" in typed(home, "feed", "check", str(sample), "--feed", "app_reviews")[1]
    (home / "home").mkdir()
    assert "DRAFTS, which nights skip" in typed(home, "status")[1]


def test_feed_new_tells_what_is_needed_and_contracts_names_it(home: Path) -> None:
    sample = home / "reviews.csv"
    sample.write_text("review_id,satisfaction,comment\nr1,5,fine\n")
    code, said = typed(home, "feed", "new", str(sample), "--name", "app_reviews", "--entity", "survey_response")
    assert code == 0
    assert "NEEDED, and no field was found: order_id" in said
    code, said = typed(home, "contracts")
    assert "DRAFT app_reviews.odcs.yaml, which nights skip" in said
    assert (code, "survey_response requires order_id, and no property maps it" in said) == (0, True)
    code, said = typed(home, "feed", "check", str(sample), "--feed", "app_reviews")
    assert (code, "app_reviews is a draft that does not load yet" in said) == (2, True)
