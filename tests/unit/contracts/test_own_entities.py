"""Entities and columns of a retailer's own: loaded, refused with file, line and fix, and derived as far as ODS."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_retailer import canonical, identifier_policy
from support import REPOSITORY

from onedata.contracts import ContractError, Entity, load_entities
from onedata.contracts.derive import derived_files, lake_columns
from onedata.contracts.project import assembled, wanted_files
from onedata.onboarding.new_feed import scaffold
from onedata.onboarding.new_retailer import Schema, schema_text
from onedata.retailer import load_retailer
from onedata.settings import Settings, load_settings

VISIT = """\
entity: store_visit
title: Visits to the lounge
grain: one visit of one guest
owner: lounge
key: [visit_id]
version: updated_at
columns:
  - {name: visit_id, type: text, required: true, classification: public, description: Number of the visit.}
  - {name: email, type: text, classification: core, identifier: {type: email, scope: retailer},
     description: "The guest's e-mail; keyed hash."}
  - {name: spent, type: decimal, minimum: 0, classification: public, description: Money spent.}
  - {name: updated_at, type: timestamp, classification: public, description: When it was recorded (UTC).}
"""
CARD = """\
extends: customer
columns:
  - {name: lounge_card, type: text, classification: sensitive, description: Number of the lounge card.}
  - {name: second_email, type: text, classification: core, identifier: {type: email, scope: retailer},
     description: "Another e-mail address; keyed hash."}
"""
SHIPPED = Settings().canonical
PROJECT = REPOSITORY / "dbt_project"


def own(folder: Path, **files: str) -> dict[str, Entity]:
    """The entities with those of the files, by name without `.yaml`."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return load_entities(SHIPPED, folder)


def test_an_entity_and_columns_are_added_and_all_else_is_as_shipped(tmp_path: Path) -> None:
    found = own(tmp_path, visit=VISIT, customer=CARD)
    assert found.keys() - canonical().keys() == {"store_visit"}
    assert found["store_visit"].own_columns == ("visit_id", "email", "spent", "updated_at")
    assert found["customer"].own_columns == ("lounge_card", "second_email")
    assert found["customer"].shipped == canonical()["customer"]
    assert {name: found[name] for name in canonical() if name != "customer"} == {
        name: entity for name, entity in canonical().items() if name != "customer"
    }


def test_several_files_may_add_to_one_entity(tmp_path: Path) -> None:
    column = "extends: customer\ncolumns:\n  - {name: %s, type: text, classification: public, description: It.}\n"
    assert own(tmp_path, a=column % "one", b=column % "two")["customer"].own_columns == ("one", "two")


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("extends: customer", "extends: custmer", 1, "extends: 'custmer' is not known; did you mean customer?"),
        ("lounge_card", "city", 3, "column city: customer has this column already, shipped with onedata, which a file"),
        ("second_email", "lounge_card", 4, "column lounge_card: customer has this column already, from another file"),
        (
            "text, classification: sensitive",
            "text, required: true, classification: sensitive",
            3,
            "column lounge_card: a column added to customer cannot be required, since other feeds do not map it; say "
            "`required: true` in the contract",
        ),
        ("columns:", "key: [lounge_card]\ncolumns:", 2, "'key' is not known"),
        ("type: text", "type: txt", 3, "column lounge_card: 'txt' is not known; did you mean text?"),
        ("lounge_card", "Card", 3, "column Card: the name of a column is lower-case letters, digits and _"),
        ("lounge_card", "_feed", 3, "column _feed: the name of a column is lower-case letters"),
        ("lounge_card", "source_system", 3, "column source_system: the lake has a column of this name"),
        ("lounge_card", "order", 3, "column order: order is a word of SQL; choose another name"),
        ("lounge_card", "left", 3, "column left: left is a word of SQL"),
        ("lounge_card", "on", 3, "column True: name is a text, not True; write it in quotes"),
        ("classification: core", "classification: sensitive", 4, "classification is core for such a value"),
        ("scope: retailer", "scope: system", 4, "identifier: scope is retailer for this type, as elsewhere"),
        ("core, identifier: {type: email, scope: retailer}", "core, profile: address", 4, "profile: address is the"),
        ("text, classification: core, id", "integer, classification: core, id", 4, "a core column is text, since"),
        ("identifier: {type: email, scope: retailer}", "identifier: email", 4, "identifier is {type: ..., scope: ...}"),
        ("Number of the lounge card.", "'{{ env_var(1) }}'", 3, "a text of an entity cannot contain {{, {% or {#"),
        ("columns:", "columns: {", 3, "is not YAML"),
        ("  - {name: lounge_card", "  - lounge_card\n  - {name: lounge_card", None, "columns is a list of mappings"),
    ],
)
def test_a_mistake_in_added_columns_is_told_with_file_line_and_fix(
    tmp_path: Path, old: str, new: str, line: int | None, message: str
) -> None:
    assert old in CARD
    with pytest.raises(ContractError) as caught:
        own(tmp_path, card=CARD.replace(old, new, 1))
    assert str(caught.value).startswith(f"{tmp_path / 'card.yaml'}:{line or ' '}")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        (
            "entity: store_visit",
            "entity: customer",
            1,
            "entity customer is shipped with onedata; write `extends: customer` to add columns to it",
        ),
        ("entity: store_visit", "entity: Store-Visit", 1, "'Store-Visit' is no name of an entity"),
        (
            "columns:",
            "totals: [{name: a b, amount: spent}]\ncolumns:\n"
            "  - {name: currency, type: text, classification: public, description: Code.}",
            1,
            "'a b' is no name of a total",
        ),
        ("owner: lounge", "owners: lounge", None, "owner is missing"),
        ("version: updated_at", "versions: updated_at", 6, "'versions' is not known; did you mean version?"),
        ("title: Visits to the lounge", "title: 12", 2, "title is a text, not 12; write it in quotes"),
        ("key: [visit_id]", "key: [visit]", None, "key, version: 'visit' is not known; did you mean visit_id?"),
        ("name: spent", "name: visit_id", 8, "column visit_id: the column stands twice"),
        ("grain: one visit", "grain: one {% visit", 3, "a text of an entity cannot contain"),
        ("title: Visits", "title: V\ntitle: Visits", 3, "title stands twice in one mapping"),
    ],
)
def test_a_mistake_in_an_entity_of_ones_own_is_told_with_file_line_and_fix(
    tmp_path: Path, old: str, new: str, line: int | None, message: str
) -> None:
    assert old in VISIT
    with pytest.raises(ContractError) as caught:
        own(tmp_path, visit=VISIT.replace(old, new, 1))
    assert str(caught.value).startswith(f"{tmp_path / 'visit.yaml'}:{line or ' '}")
    assert message in str(caught.value)


def test_two_files_of_one_entity_and_a_file_that_is_not_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"two.yaml:1: entity store_visit is in .*one.yaml already"):
        own(tmp_path / "twice", one=VISIT, two=VISIT)
    (tmp_path / "visit.yml").write_text(VISIT, encoding="utf-8")
    with pytest.raises(ContractError, match=r"visit.yml is not read: files of entities are \*.yaml; rename it"):
        own(tmp_path)
    with pytest.raises(ContractError, match="nowhere is no folder: create it, or correct the setting own_entities"):
        load_entities(SHIPPED, tmp_path / "nowhere")


def test_an_identifier_of_an_unknown_type_is_told_with_its_line(tmp_path: Path) -> None:
    own(tmp_path / "canonical", visit=VISIT.replace("type: email", "type: e_mail"))
    with pytest.raises(ContractError, match=r"visit.yaml:9: column email: identifier: type: 'e_mail' is not known"):
        load_retailer(replace(Settings(), own_entities=tmp_path / "canonical"))


def test_the_folder_beside_the_settings_is_found_and_passed_to_child_processes(tmp_path: Path) -> None:
    (tmp_path / "onedata.toml").write_text("", encoding="utf-8")
    plain = load_settings(tmp_path / "onedata.toml", {})
    assert (plain.own_entities, plain.dbt_project) == (None, PROJECT)
    (tmp_path / "canonical").mkdir()
    settings = load_settings(tmp_path / "onedata.toml", {})
    assert settings.own_entities == tmp_path / "canonical"
    assert settings.dbt_project == tmp_path / "data" / "dbt" / "project"
    assert load_settings(None, settings.environment()) == settings
    assert load_settings(None, plain.environment()) == plain


def test_editors_know_the_entities(tmp_path: Path) -> None:
    own(tmp_path, visit=VISIT)
    assert "store_visit" in _entities_of(json.loads(schema_text(Schema.contract, tmp_path)))
    assert "store_visit" not in _entities_of(json.loads(schema_text(Schema.contract)))


def _entities_of(schema: Any) -> list[str]:
    """The one list of names that has the shipped entities."""
    if isinstance(schema, dict):
        if {"customer", "sales_order"} <= set(map(str, schema.get("enum") or [])):
            return list(schema["enum"])
        schema = list(schema.values())
    parts = schema if isinstance(schema, list) else []
    return next((found for part in parts if (found := _entities_of(part))), [])


def test_ods_has_the_columns_with_their_meaning_and_secrecy(tmp_path: Path) -> None:
    found = own(tmp_path, visit=VISIT, customer=CARD)
    files = derived_files(found, identifier_policy())
    (visit,) = yaml.safe_load(files["models/ods/ods_store_visit.yml"])["models"]
    assert visit["config"]["meta"]["key"] == ["source_system", "visit_id"]
    assert [rule["column"] for rule in visit["config"]["meta"]["quality"]] == ["visit_id"]
    (customer,) = yaml.safe_load(files["models/ods/ods_customer.yml"])["models"]
    described = {column["name"]: column for column in customer["columns"]}
    assert described["lounge_card"]["description"] == "Number of the lounge card."
    assert described["lounge_card"]["config"]["meta"]["classification"] == "sensitive"
    assert described["second_email"]["config"]["meta"]["classification"] == "core"
    assert "    lounge_card,\n    second_email,\n" in files["models/ods/ods_customer.sql"]
    assert lake_columns(found["customer"])["lounge_card"] == "varchar"


def test_dim_and_dwd_are_built_with_the_shipped_columns_only(tmp_path: Path) -> None:
    """The macros are theirs: an added column can neither hide a name of a model nor stand for the row's person."""
    shipped = derived_files(canonical(), identifier_policy())
    added = derived_files(own(tmp_path, customer=CARD), identifier_policy())
    assert {name for name in added if added[name] != shipped[name]} == {
        "models/ods/ods_customer.sql",
        "models/ods/ods_customer.yml",
    }


def test_the_project_is_the_shipped_one_with_the_derived_files(tmp_path: Path) -> None:
    found, policy, project = own(tmp_path / "own", visit=VISIT), identifier_policy(), tmp_path / "dbt" / "project"
    with assembled(PROJECT, project, found, policy):
        files = {file.relative_to(project).as_posix(): file.read_bytes() for file in _files(project)}
    new = files.keys() - {file.relative_to(PROJECT).as_posix() for file in _files(PROJECT)}
    assert new == {"models/ods/ods_store_visit.sql", "models/ods/ods_store_visit.yml"}
    for name in ("dbt_project.yml", "profiles.yml", "models/dim/dim_customer.sql", "seeds/channel.csv"):
        assert files[name] == (PROJECT / name).read_bytes()


def test_a_half_assembled_project_is_completed_and_what_is_whole_is_left(tmp_path: Path) -> None:
    found, policy, project = own(tmp_path / "own", visit=VISIT), identifier_policy(), tmp_path / "dbt" / "project"
    with assembled(PROJECT, project, found, policy):
        pass
    whole = {file: file.stat().st_mtime_ns for file in _files(project)}
    cut, lost = project / "models" / "ods" / "ods_customer.sql", project / "seeds" / "channel.csv"
    cut.write_bytes(b"select")
    lost.unlink()
    (project / "models" / "ods" / ".ods_price.sql.7.new").write_bytes(b"sel")
    (project / "models" / "ods" / "ods_gone.sql").write_bytes(b"select 1")
    with assembled(PROJECT, project, found, policy):
        now = {file: file.stat().st_mtime_ns for file in _files(project)}
    assert now.keys() == whole.keys()
    assert {file for file in now if now[file] != whole[file]} == {cut, lost}
    assert cut.read_bytes() == wanted_files(PROJECT, found, policy)["models/ods/ods_customer.sql"]
    # What onedata does not know is moved aside.
    assert [file.name for file in _files(tmp_path / "dbt" / "project-aside")] == ["ods_gone.sql"]


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and ".user.yml" not in file.name]


def test_feed_new_proposes_an_entity_of_ones_own(tmp_path: Path) -> None:
    own(tmp_path / "canonical", visit=VISIT)
    sample = tmp_path / "visits_2026-01-05.csv"
    sample.write_text("visit_id,guest_email,spent\nV-1,ann@teehaus-linden.de,12.50\n", encoding="utf-8")
    settings = replace(Settings(), contracts=tmp_path / "contracts", own_entities=tmp_path / "canonical")
    made = scaffold(settings, sample, "visits", None, None, None)
    assert made.fit.entity.name == "store_visit"
    (feed,) = load_retailer(settings, drafts=True).feeds
    assert {item.column.name: item.physical_name for item in feed.fields} == {
        "visit_id": "visit_id",
        "email": "guest_email",
        "spent": "spent",
    }


def test_the_day_of_an_own_entity_may_be_told_by_an_instant(tmp_path: Path) -> None:
    day = "  - {name: visited_on, type: date, classification: public, day_of: updated_at, description: Local day.}\n"
    assert own(tmp_path, visit=VISIT + day)["store_visit"].column("visited_on").day_of == ("updated_at",)
    with pytest.raises(ContractError, match=r"day_of.*spent"):
        own(tmp_path, visit=VISIT + day.replace("updated_at", "spent"))
    with pytest.raises(ContractError, match="day_of is for days, visited_on is text"):
        own(tmp_path, visit=VISIT + day.replace("type: date", "type: text"))
