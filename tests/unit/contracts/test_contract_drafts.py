"""Drafts among the contracts: nights skip them whatever they lack; a broken contract in effect still refuses."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from small_retailer import canonical, contract, settings_in, write_contracts

from onedata.contracts import ContractError, load_drafts, load_feeds
from onedata.retailer import load_retailer, prepare_warehouse

UNFINISHED = contract("reviews", properties=[{"name": "response_id", "physicalName": "id"}])
NO_YAML = "kind: DataContract\nstatus: draft   # not yet\nschema: [\n"


def draft(content: dict[str, object]) -> dict[str, object]:
    return content | {"status": "draft"}


def names(folder: Path, drafts: bool = False) -> list[str]:
    return [feed.name for feed in load_feeds(folder, canonical(), drafts)]


def test_an_unfinished_draft_is_skipped_and_the_others_load(tmp_path: Path) -> None:
    write_contracts(tmp_path, contract(), UNFINISHED)
    with pytest.raises(ContractError, match="survey_response requires order_id"):
        names(tmp_path)
    write_contracts(tmp_path, draft(UNFINISHED))
    (tmp_path / "worse.odcs.yaml").write_text(NO_YAML)
    assert names(tmp_path) == names(tmp_path, drafts=True) == ["survey"]
    found = load_drafts(tmp_path, canonical())
    assert "survey_response requires order_id" in str(found["reviews.odcs.yaml"])
    assert "is not YAML" in str(found["worse.odcs.yaml"])


def test_a_draft_that_loads_is_skipped_too_until_it_is_asked_for(tmp_path: Path) -> None:
    write_contracts(tmp_path, contract(), draft(contract("reviews")), contract("calls") | {"status": "proposed"})
    assert names(tmp_path) == ["survey"]
    assert names(tmp_path, drafts=True) == ["calls", "reviews", "survey"]


def test_a_contract_in_effect_that_is_no_yaml_refuses(tmp_path: Path) -> None:
    write_contracts(tmp_path, contract())
    (tmp_path / "worse.odcs.yaml").write_text(NO_YAML.replace("draft", "active"))
    with pytest.raises(ContractError, match="is not YAML"):
        names(tmp_path)


@pytest.mark.parametrize("status", ["deprecated", "retired"])
def test_a_contract_that_was_in_effect_stays_so(tmp_path: Path, status: str) -> None:
    write_contracts(tmp_path, contract() | {"status": status})
    assert names(tmp_path) == ["survey"]


@pytest.mark.parametrize(("status", "near"), [("drafft", "; did you mean draft"), ("Draft", "did you mean draft")])
def test_a_status_that_the_standard_does_not_know_is_refused(tmp_path: Path, status: str, near: str) -> None:
    write_contracts(tmp_path, contract(), contract("reviews") | {"status": status})
    with pytest.raises(ContractError, match=f"status '{status}' is none of proposed, draft, active.*{near}"):
        names(tmp_path)


def test_a_folder_of_drafts_alone_says_what_they_lack(tmp_path: Path) -> None:
    write_contracts(tmp_path, draft(contract()), draft(UNFINISHED))
    with pytest.raises(
        ContractError, match=r"only drafts: reviews\.odcs\.yaml .*requires order_id.*survey\.odcs\.yaml"
    ):
        names(tmp_path)


def test_a_run_says_which_drafts_it_skips(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    write_contracts(settings.contracts, contract(), draft(UNFINISHED))
    retailer = load_retailer(settings)
    assert [feed.name for feed in retailer.feeds] == ["survey"]
    with duckdb.connect() as con:
        said = prepare_warehouse(con, retailer)
    assert [text for text in said if text.startswith("reviews.odcs.yaml is skipped: it is a draft (")]
