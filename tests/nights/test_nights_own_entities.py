"""A retailer adds an entity and two columns to a home that has a night: rows land, ODS has them, OneID links them,
and verify, rebuild, release, restore and a removed file are as with any other entity."""

from __future__ import annotations

import hashlib
import hmac
import shutil
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import KEY, NIGHTS, CommandLine, Outcome, ask, home_at, run, run_well

from onedata.backup.restore import restore
from onedata.backup.take import back_up
from onedata.retailer import load_retailer
from onedata.settings import Settings
from onedata.verify.home import verify_home

VISIT = """\
entity: store_visit
title: Visits to the lounge
grain: one visit of one guest
owner: lounge
key: [visit_id]
version: updated_at
totals:
  - {name: spent, amount: spent}
columns:
  - {name: visit_id, type: text, required: true, classification: public, description: Number of the visit.}
  - {name: email, type: text, classification: core, identifier: {type: email, scope: retailer},
     description: "The guest's e-mail; keyed hash."}
  - {name: spent, type: decimal, minimum: 0, classification: public, description: Money spent.}
  - {name: currency, type: text, classification: public, description: ISO 4217 code.}
  - {name: updated_at, type: timestamp, classification: public, description: When it was recorded (UTC).}
""" + "".join(
    f"  - {{name: {name}, type: text, classification: public, description: A name that onedata's SQL has too.}}\n"
    for name in ("amount", "batch_id", "delivered", "feed", "keys", "measure", "n", "said", "strong", "unit", "written")
)
CARD = """\
extends: customer
columns:
  - {name: lounge_card, type: text, classification: sensitive, description: Number of the lounge card.}
  - {name: second_email, type: text, classification: core, identifier: {type: email, scope: retailer},
     description: "Another e-mail address; keyed hash."}
"""
MEMBERS = {
    NIGHTS[0]: "customer_id,city,updated_at\nc1,Bonn,2026-01-05 08:00:00\nc2,Ulm,2026-01-05 08:00:00\n",
    NIGHTS[1]: "customer_id,city,updated_at,card,mail\n"
    "c1,Köln,2026-01-06 08:00:00,L-1, Ann@Teehaus-Linden.de \nc3,Jena,2026-01-06 08:00:00,,\n",
}
VISITS = (
    "visit_id,guest,spent,currency,updated_at\n"
    "V-1,ann@teehaus-linden.de,12.50,EUR,2026-01-06 09:00:00\n"
    "V-2,,-3,EUR,2026-01-06 10:00:00\n"
    "V-3,,8,EUR,2026-01-06 11:00:00\n"
)
ANN = hmac.new(KEY, b"ann@teehaus-linden.de", hashlib.sha256).hexdigest()[:32]
ODS_VISITS = "select visit_id, email, spent, ds from ods.ods_store_visit order by 1"
FIRST_VISITS = [("V-1", ANN, Decimal("12.5"), NIGHTS[1]), ("V-3", None, Decimal(8), NIGHTS[1])]
ODS_CUSTOMERS = "select customer_id, ds, lounge_card, second_email from ods.ods_customer order by 1, 2"
CUSTOMERS = [
    ("c1", NIGHTS[0], None, None),
    ("c1", NIGHTS[1], "L-1", ANN),
    ("c2", NIGHTS[0], None, None),
    ("c3", NIGHTS[1], None, None),
]
DIM = "select customer_id, city, identity_key from dim.dim_customer order by 1"
PERSONS = (
    "select list(identity_key order by identity_key) from oneid.oneid_map where valid_to is null group by oneid "
    "order by 1"
)


@dataclass
class Told:
    """What the home held, and what commands said, at each step."""

    settings: Settings
    asked: dict[str, dict[str, list[tuple[Any, ...]]]]
    differences: dict[str, list[str]]
    gates: list[tuple[Any, ...]]
    released: Outcome
    without: dict[str, Outcome]


def write_contract(folder: Path, name: str, entity: str, version: str, columns: dict[str, str], **more: Any) -> None:
    properties = [
        {"name": column, "physicalName": source}
        if "{" not in source
        else {"name": column, "physicalName": column, "transformLogic": source}
        for column, source in columns.items()
    ]
    content = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": name,
        "version": version,
        "status": "active",
        "dataProduct": "crm",
        "description": {"purpose": f"Rows of {name}, for a test."},
        "servers": [{"server": "landing", "type": "local", "path": f"{name}/{{ds}}.csv", "format": "csv"}],
        "schema": [
            {
                "name": name,
                "customProperties": [
                    {"property": key, "value": value} for key, value in ({"entity": entity} | more).items()
                ],
                "properties": properties,
            }
        ],
    }
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.odcs.yaml").write_text(yaml.dump(content, sort_keys=False), encoding="utf-8")


def deliver(source: Path, feed: str, night: date, text: str) -> None:
    path = source / feed / f"{night}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def state(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    return {query: ask(settings.warehouse, query) for query in (ODS_VISITS, ODS_CUSTOMERS, DIM, PERSONS)}


def differences(settings: Settings) -> list[str]:
    return [text for area in verify_home(load_retailer(settings)) for text in area.differences]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("own_entities")
    contracts, own = folder / "contracts", folder / "canonical"
    member = {name: name for name in ("customer_id", "city", "updated_at")}
    visit = {"visit_id": "visit_id", "email": "guest", "currency": "currency", "updated_at": "updated_at"}
    write_contract(contracts, "members", "customer", "1.0.0", member)
    plain = home_at(folder, folder / "source", contracts=contracts)
    deliver(plain.source, "members", NIGHTS[0], MEMBERS[NIGHTS[0]])
    run_well(plain, [NIGHTS[0]])
    # The home goes on with an entity and two columns of the retailer's own.
    settings = replace(plain, own_entities=own)
    own.mkdir()
    (own / "visit.yaml").write_text(VISIT, encoding="utf-8")
    (own / "customer.yaml").write_text(CARD, encoding="utf-8")
    write_contract(contracts, "members", "customer", "1.1.0", member | {"lounge_card": "card", "second_email": "mail"})
    write_contract(contracts, "visits", "store_visit", "1.0.0", visit | {"spent": "spent"}, quarantineTolerance=1)
    deliver(settings.source, "members", NIGHTS[1], MEMBERS[NIGHTS[1]])
    deliver(settings.source, "visits", NIGHTS[1], VISITS)
    run_well(settings, [NIGHTS[1]])
    asked, unequal = {"second night": state(settings)}, {"second night": differences(settings)}
    gates = ask(
        settings.warehouse,
        "select stage, rule, passed from ops.gate where subject = 'ods_store_visit' and stage = 'ods'",
    )
    # A back-up, restored into another folder: the next night there parses a project that has moved.
    back_up(settings, folder / "backup", folder / "key", lambda _: None)
    moved = replace(settings, home=folder / "moved" / "home")
    restore(moved, folder / "backup", folder / "key", None, lambda _: None)
    shutil.copytree(settings.home / "dbt", moved.home / "dbt", dirs_exist_ok=True)
    shutil.rmtree(settings.home)
    asked["restored"], unequal["restored"] = state_of_copy(moved), differences(moved)
    write_contract(
        contracts, "visits", "store_visit", "1.1.0", visit | {"spent": "abs({spent}::decimal)"}, quarantineTolerance=1
    )
    released = CommandLine(moved, "release", "--feed", "visits", command="quarantine").finish()
    run_well(moved, [NIGHTS[1]])
    asked["released"], unequal["released"] = state(moved), differences(moved)
    moved.warehouse.unlink()
    rebuilt = CommandLine(moved, command="rebuild").finish()
    assert rebuilt.succeeded, rebuilt.said
    asked["rebuilt"], unequal["rebuilt"] = state(moved), differences(moved)
    return Told(moved, asked, unequal, gates, released, without_them(moved, folder, member))


def state_of_copy(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """Before its next night a restored home's ODS views name files of the home they were made in."""
    return {query: ask(settings.warehouse, query) for query in (DIM, PERSONS)}


def without_them(settings: Settings, folder: Path, member: dict[str, str]) -> dict[str, Outcome]:
    """Runs after a column, then the entity has gone, of which no contract speaks any more; then both are back."""
    own, contracts, found = settings.own_entities, settings.contracts, {}
    assert own
    write_contract(contracts, "members", "customer", "2.0.0", member)
    deliver(settings.source, "members", NIGHTS[2], MEMBERS[NIGHTS[0]])
    card = CARD.splitlines(keepends=True)
    (own / "customer.yaml").write_text("".join(card[:2] + card[3:]), encoding="utf-8")
    found["column"] = run(settings, [NIGHTS[2]])
    (own / "customer.yaml").write_text(CARD, encoding="utf-8")
    (contracts / "visits.odcs.yaml").unlink()
    (own / "visit.yaml").rename(folder / "visit.yaml")
    found["entity"] = run(settings, [NIGHTS[2]])
    (folder / "visit.yaml").rename(own / "visit.yaml")
    found["back"] = run(settings, [NIGHTS[2]])
    return found


def test_the_entity_and_the_columns_reach_ods_and_the_older_rows_have_none(told: Told) -> None:
    after = told.asked["second night"]
    assert after[ODS_VISITS] == FIRST_VISITS
    assert after[ODS_CUSTOMERS] == CUSTOMERS


def test_oneid_links_a_guest_by_an_identifier_of_either(told: Told) -> None:
    assert told.asked["second night"][PERSONS] == [
        (["account:crm:c1", f"email:{ANN}"],),
        (["account:crm:c2"],),
        (["account:crm:c3"],),
    ]


def test_dim_is_what_it_is_without_them(told: Told) -> None:
    assert told.asked["second night"][DIM] == [
        ("c1", "Köln", "account:crm:c1"),
        ("c2", "Ulm", "account:crm:c2"),
        ("c3", "Jena", "account:crm:c3"),
    ]


def test_the_gate_of_ods_judges_the_entity(told: Told) -> None:
    assert ("ods", "visit_id_required", True) in told.gates


def test_a_row_is_released_from_quarantine_into_ods(told: Told) -> None:
    assert "visits: 1 rows accepted" in told.released.said
    assert told.asked["released"][ODS_VISITS] == sorted([*FIRST_VISITS, ("V-2", None, Decimal(3), NIGHTS[1])])


@pytest.mark.parametrize("step", ["second night", "restored", "released", "rebuilt"])
def test_verify_finds_no_difference(told: Told, step: str) -> None:
    assert told.differences[step] == []


def test_a_restored_and_a_rebuilt_home_hold_the_same(told: Told) -> None:
    assert told.asked["restored"].items() <= told.asked["second night"].items()
    assert told.asked["rebuilt"] == told.asked["released"]


def test_neither_a_column_nor_the_entity_goes_while_rows_have_it(told: Told) -> None:
    said = {step: outcome.said for step, outcome in told.without.items()}
    assert "column lounge_card of customer any more, and rows of the lake have it: put it back" in said["column"]
    assert "entity store_visit any more, and the lake has rows of it: put its file back" in said["entity"]
    assert {step: outcome.succeeded for step, outcome in told.without.items()} == {
        "column": False,
        "entity": False,
        "back": True,
    }


def test_no_raw_address_is_in_the_project_the_lake_or_what_is_published(told: Told) -> None:
    home = told.settings.home
    written = [file for name in ("lake", "published", "dbt") for file in (home / name).rglob("*") if file.is_file()]
    assert len(written) > 100
    assert [file for file in written if b"teehaus" in file.read_bytes().lower()] == []
