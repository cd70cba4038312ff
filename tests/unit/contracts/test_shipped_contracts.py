"""Shipped files are valid: the contracts, the examples, the entities, the identifier policy and all derived files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
import yaml
from jinja2 import Environment
from jsonschema.validators import validator_for
from open_data_contract_standard.model import OpenDataContractStandard
from small_retailer import canonical, identifier_policy
from support import REPOSITORY

from onedata.contracts import ContractError, load_entities, load_feeds
from onedata.contracts.derive import (
    LINEAGE,
    derived_files,
    ensure_lake,
    identity_keys,
    lake_columns,
    usable_in_models,
    write_derived,
)
from onedata.contracts.identifiers import load_identifier_policy, usable_by_kind
from onedata.contracts.model import Identifier
from onedata.contracts.odcs import check_odcs, contract_schema

DBT = REPOSITORY / "dbt_project"
FOLDERS = [REPOSITORY / "data_contracts", *sorted((REPOSITORY / "examples").glob("*/contracts"))]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(REPOSITORY)))
def test_every_shipped_contract_loads(folder: Path) -> None:
    feeds = load_feeds(folder, canonical())
    assert {feed.contract for feed in feeds} == set(folder.glob("*.odcs.yaml"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(REPOSITORY)))
def test_every_shipped_feed_says_whose_it_is_and_what_it_is_for(folder: Path) -> None:
    assert [
        feed.name for feed in load_feeds(folder, canonical()) if not (feed.description and feed.owner and feed.title)
    ] == []


def test_there_are_at_least_two_examples() -> None:
    assert {folder.parent.name for folder in FOLDERS[1:]} >= {"online_retail", "olist_sample"}


def test_the_files_of_the_dbt_project_are_what_onedata_derive_writes() -> None:
    stale = [
        name
        for name, content in derived_files(canonical(), identifier_policy()).items()
        if not (DBT / name).exists() or (DBT / name).read_text(encoding="utf-8") != content
    ]
    assert stale == [], "run `onedata derive`"


def test_no_ods_model_of_an_entity_that_is_no_more_is_left() -> None:
    wanted = {DBT / name for name in derived_files(canonical(), identifier_policy())}
    assert set((DBT / "models" / "ods").glob("ods_*")) <= wanted


def test_writing_derived_files_twice_changes_nothing_and_those_of_an_entity_that_is_no_more_go(tmp_path: Path) -> None:
    (tmp_path / "macros").mkdir()
    first = write_derived(tmp_path, canonical(), identifier_policy())
    assert len(first) == 2 + 2 * len(canonical())
    models = tmp_path / "models" / "ods"
    gone = [models / f"ods_gone.{ending}" for ending in ("sql", "yml")]
    for file in gone:
        file.write_bytes((models / f"ods_payment{file.suffix}").read_bytes())
    assert write_derived(tmp_path, canonical(), identifier_policy()) == gone
    assert not any(file.exists() for file in gone)


def test_what_somebody_else_wrote_is_neither_removed_nor_overwritten(tmp_path: Path) -> None:
    (tmp_path / "macros").mkdir()
    write_derived(tmp_path, canonical(), identifier_policy())
    own = tmp_path / "models" / "ods" / "ods_own.sql"
    own.write_text("select 1")
    assert write_derived(tmp_path, canonical(), identifier_policy()) == []
    taken = tmp_path / "models" / "ods" / "ods_payment.sql"
    taken.write_text("select 2")
    said = r"ods_payment.sql was not written by `onedata derive`, as its head says, and is not overwritten"
    with pytest.raises(ContractError, match=said):
        write_derived(tmp_path, canonical(), identifier_policy())
    assert (own.read_text(), taken.read_text()) == ("select 1", "select 2")


def test_derived_yaml_describes_every_column_and_requires_what_the_entity_requires() -> None:
    text = derived_files(canonical(), identifier_policy())["models/ods/ods_customer.yml"]
    (model,) = yaml.safe_load(text)["models"]
    names = [column["name"] for column in model["columns"]]
    assert names == [*[column.name for column in canonical()["customer"].columns], "identity_key", *LINEAGE, "ds"]
    assert all(column["description"] for column in model["columns"])
    assert [rule["column"] for rule in model["config"]["meta"]["quality"]] == ["customer_id"]


def test_every_entity_has_an_empty_file_with_its_columns(tmp_path: Path) -> None:
    with duckdb.connect() as con:
        ensure_lake(con, tmp_path, canonical())
        for entity in canonical().values():
            found = con.execute(
                f"describe select * exclude (ds, source) from '{tmp_path}/ods/{entity.name}/*/*/*.parquet'"
            ).fetchall()
            assert {row[0]: row[1].lower() for row in found} == lake_columns(entity)


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"customer_id": "C1", "loyalty_id": "M1", "social_union_id": "S1", "email": "t"}, "account:desk:C1"),
        ({"customer_id": "0000", "loyalty_id": "M1", "social_union_id": "S1", "email": "t"}, "loyalty:M1"),
        ({"customer_id": "Guest", "loyalty_id": "N/A", "social_union_id": "S1", "email": "t"}, "social:S1"),
        ({"email": "t"}, "email:t"),
        ({"phone": "t", "payment_token": "CARD1"}, "phone:t"),
        ({"payment_token": "CARD1"}, "payment:CARD1"),
        ({"customer_id": "0", "payment_token": "Cash"}, None),
        ({}, None),
    ],
)
def test_a_rows_identity_key_is_its_strongest_usable_identifier(row: dict[str, str], key: str | None) -> None:
    names = ("customer_id", "loyalty_id", "social_union_id", "email", "phone", "payment_token")
    values = ", ".join(f"{repr(row[name]) if name in row else 'null'}::varchar as {name}" for name in names)
    keys = ", ".join(sql for _, sql in identity_keys(canonical()["sales_order"], identifier_policy()))
    found = duckdb.execute(f"select coalesce({keys}) from (select 'desk' as source_system, {values})").fetchone()
    assert found == (key,)


@pytest.mark.parametrize(
    ("entity", "kinds"),
    [
        ("sales_order", ["account", "loyalty", "social", "email", "phone", "payment"]),
        ("web_event", ["account", "cookie"]),
    ],
)
def test_identifiers_are_ordered_strongest_first_whatever_the_entitys_order(entity: str, kinds: list[str]) -> None:
    types = [
        column.identifier.type
        for column, _ in identity_keys(canonical()[entity], identifier_policy())
        if column.identifier
    ]
    assert types == kinds


def test_a_value_that_only_its_kind_blocks_is_an_identifier_of_another_kind() -> None:
    keys = ", ".join(sql for _, sql in identity_keys(canonical()["web_event"], identifier_policy()))
    found = duckdb.execute(
        f"select {keys} from (select 'web' as source_system, '(not set)' as customer_id, '(not set)' as visitor_id)"
    ).fetchone()
    assert found == ("account:web:(not set)", None)


def test_an_identifier_of_a_type_that_the_policy_does_not_know_is_named() -> None:
    order = canonical()["sales_order"]
    columns = tuple(
        replace(column, identifier=Identifier("paymnt", "retailer")) if column.name == "payment_token" else column
        for column in order.columns
    )
    with pytest.raises(
        ContractError,
        match=r"sales_order.yaml:\d+: column payment_token: identifier: type: 'paymnt' is not known; did you mean "
        r"payment\?",
    ):
        identity_keys(replace(order, columns=columns), identifier_policy())


def test_the_shipped_kinds_are_ordered_and_weighed() -> None:
    kinds = {name: (kind.strong, kind.weight, kind.normalise) for name, kind in identifier_policy().types.items()}
    assert kinds == {
        **dict.fromkeys(("account", "loyalty", "social"), (True, 10, "id")),
        "email": (True, 10, "email"),
        "phone": (False, 3, "phone"),
        "payment": (False, 3, "id"),
        **dict.fromkeys(("device", "cookie"), (False, 1, "id")),
    }
    assert identifier_policy().strong == ("account", "loyalty", "social", "email")


POLICY = """
types:
  email: {strength: strong, weight: 10, links: always, limit: 5, degree: 6, normalise: email}
  phone: {strength: weak, weight: 3, links: never, limit: 8, degree: 2, normalise: phone, blocked: [Nobody,
  {pattern: '[0-]+'}]}
blocked_values: [GUEST]
"""


def test_blocked_values_are_compared_in_lower_case(tmp_path: Path) -> None:
    (tmp_path / "identifiers.yaml").write_text(POLICY)
    policy = load_identifier_policy(tmp_path / "identifiers.yaml")
    assert (policy.blocked_values, policy.types["phone"].blocked, policy.types["phone"].blocked_patterns) == (
        ("guest",),
        ("nobody",),
        ("[0-]+",),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (" limit: 5,", "", "types: email: limit is missing"),
        ("limit: 5", "limit: few", "types: email: limit is a whole number from 1, not 'few'"),
        ("degree: 6", "degree: 0", "types: email: degree is a whole number from 1, not 0"),
        ("weight: 10", "weight: much", "types: email: weight is a number, not 'much'"),
        ("weight: 10", "weight: -1", "types: email: weight is a number above 0, not -1"),
        ("strength: strong", "strength: strog", "types: email: strength: 'strog' is not known; did you mean strong?"),
        ("normalise: email", "normalise: mail", "types: email: normalise: 'mail' is not known; did you mean email?"),
        ("strength: strong", "strenght: strong", "types: email: 'strenght' is not known; did you mean strength?"),
        (
            "strength: strong",
            "strength: weak",
            "types: phone is strong and stands after email, which is weak; put the strongest first",
        ),
        ("[Nobody,", "[-1,", "types: phone: blocked: -1 is no text; write it in quotes"),
        ("'[0-]+'", "'[0-'", "types: phone: blocked: pattern '[0-' is no regular expression of RE2"),
        ("{pattern: ", "{patern: ", "types: phone: blocked takes values and {pattern: ...}, not {'patern': '[0-]+'}"),
        ("[GUEST]", "guest", "blocked_values is a list of values and {pattern: ...}, not 'guest'"),
        (
            "[GUEST]",
            "[{pattern: x}]",
            "blocked_values takes values; give a pattern to the kind it is for, under blocked",
        ),
        ("blocked_values", "blocked_value", "'blocked_value' is not known; did you mean blocked_values?"),
        ("types:", "types: [", "is not YAML"),
    ],
)
def test_a_mistake_in_the_identifier_policy_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = POLICY.replace("strength: weak", "strength: strong") if "stands after" in message else POLICY
    (tmp_path / "identifiers.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(ContractError) as caught:
        load_identifier_policy(tmp_path / "identifiers.yaml")
    assert "identifiers.yaml" in str(caught.value)
    assert message in str(caught.value)


ENTITY = """
entity: thing
title: Things
grain: one thing
owner: nobody
key: [thing_id]
columns:
  - {name: thing_id, type: text, required: true, classification: public, description: "Its id."}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("type: text", "type: txt", "column thing_id: 'txt' is not known; did you mean text?"),
        ("classification: public", "classification: secret", "column thing_id: 'secret' is not known"),
        ("key: [thing_id]", "key: [thing]", "key, version: 'thing' is not known; did you mean thing_id?"),
        ("owner: nobody", "owner:", "owner is missing"),
        ('description: "Its id."', 'description: ""', "column thing_id: description is missing"),
        ("required: true", "requird: true", "column thing_id: 'requird' is not known; did you mean required?"),
        (
            "required: true",
            "profile: fullname",
            "column thing_id: profile: 'fullname' is not known; did you mean full_name?",
        ),
        (
            "required: true",
            "identifier: {type: account, scope: sys}",
            "column thing_id: identifier: scope: 'sys' is not known; did you mean system?",
        ),
        ("required: true", "identifier: {scope: system}", "column thing_id: identifier: type is missing"),
        ("key: [thing_id]", "key: [thing_id]\nversion: updated", "key, version: 'updated' is not known"),
    ],
)
def test_a_mistake_in_an_entity_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "thing.yaml").write_text(ENTITY)
    assert list(load_entities(tmp_path)) == ["thing"]
    (tmp_path / "thing.yaml").write_text(ENTITY.replace(old, new))
    with pytest.raises(ContractError) as caught:
        load_entities(tmp_path)
    assert "thing.yaml" in str(caught.value)
    assert message in str(caught.value)


def test_models_hold_no_blocked_value_of_a_kind_whose_values_are_tokens() -> None:
    macro = derived_files(canonical(), identifier_policy())["macros/usable.sql"]
    assert "'cash'" in macro
    assert "13800138000" not in macro
    assert set(usable_in_models(canonical(), identifier_policy())) == {
        *("every kind", "account", "loyalty", "social", "payment", "cookie")
    }


@pytest.mark.parametrize("kind", ["account", "payment", "cookie"])
def test_the_macro_says_what_the_policy_says(kind: str) -> None:
    """Rendered by Jinja as dbt does: without a policy of the retailer's own, with one, and by hand."""
    policy = identifier_policy()
    macro = Environment().from_string(
        derived_files(canonical(), policy)["macros/usable.sql"] + f"{{{{ usable('v', '{kind}') }}}}"
    )
    own = replace(policy, blocked_values=("walk-in",))

    def sql(**variables: str) -> str:
        return macro.render(
            env_var=variables.get, fromjson=json.loads, exceptions=SimpleNamespace(raise_compiler_error=pytest.fail)
        ).strip()

    assert sql(ONEDATA_IDENTIFIERS="") == usable_by_kind(policy)[kind].replace("{value}", "v")
    passed = json.dumps(usable_in_models(canonical(), own))
    assert sql(ONEDATA_IDENTIFIERS="x.yaml", ONEDATA_USABLE=passed) == usable_by_kind(own)[kind].replace("{value}", "v")
    with pytest.raises(pytest.fail.Exception, match="run the models by onedata"):
        sql()


OWN = """
types:
  phone: {limit: 3, blocked: ["+493012345678", {pattern: '\\+49800.*'}]}
blocked_values: [Walk-in]
"""


def test_a_retailers_own_policy_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    shipped, own = tmp_path / "shipped.yaml", tmp_path / "identifiers.yaml"
    shipped.write_text(POLICY)
    own.write_text(OWN)
    before, after = load_identifier_policy(shipped), load_identifier_policy(shipped, own)
    assert after.types["email"] == before.types["email"]
    assert list(after.types) == list(before.types)
    phone = after.types["phone"]
    assert (phone.limit, phone.degree, phone.weight, phone.links) == (3, 2, 3, "never")
    assert (phone.blocked, phone.blocked_patterns) == (("nobody", "+493012345678"), ("[0-]+", r"\+49800.*"))
    assert after.blocked_values == ("guest", "walk-in")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("types: {fone: {limit: 3}}", "types: 'fone' is not known; did you mean phone?"),
        ("types: {phone: {strength: strong}}", "types: phone: strength is the same for every retailer"),
        ("types: {phone: {normalise: id}}", "types: phone: normalise is the same for every retailer"),
        ("types: {phone: {limt: 3}}", "types: phone: 'limt' is not known; did you mean limit?"),
        ("types: {phone: {limit: 0}}", "types: phone: limit is a whole number from 1, not 0"),
        (
            "types: {phone: {blocked: ['+49 30 12345678']}}",
            "types: phone: blocked: '+49 30 12345678' would never match, the normal form is compared: write the number",
        ),
        ("types: {phone: {blocked: [{pattern: [a]}]}}", "types: phone: blocked: pattern ['a'] is no text"),
        ("types: {phone: 3}", "types: phone is a mapping with weight, links, limit, degree, blocked, not 3"),
        ("types: [phone]", "types is a mapping of a kind to what holds for it"),
        ("blocked: [x]", "'blocked' is not known; did you mean blocked_values?"),
    ],
)
def test_a_mistake_in_a_retailers_own_policy_is_named(tmp_path: Path, text: str, message: str) -> None:
    shipped, own = tmp_path / "shipped.yaml", tmp_path / "identifiers.yaml"
    shipped.write_text(POLICY)
    own.write_text(text)
    with pytest.raises(ContractError) as caught:
        load_identifier_policy(shipped, own)
    assert str(caught.value).startswith(str(own))
    assert message in str(caught.value)


PLACES = ("data_contracts", "examples/*/contracts", "onedata/onboarding/retailer/contracts")
SHIPPED = sorted(file for place in PLACES for file in REPOSITORY.glob(f"{place}/*.odcs.yaml"))


def test_every_shipped_contract_round_trips_through_the_official_models() -> None:
    assert len(SHIPPED) > 24
    for file in SHIPPED:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        parsed = OpenDataContractStandard.model_validate(content)
        assert parsed.model_dump(by_alias=True, exclude_unset=True) == content, file
        check_odcs(content, file)


def test_an_editors_schema_takes_every_shipped_contract_and_refuses_a_misspelt_one() -> None:
    schema = contract_schema(canonical())
    validator = validator_for(schema)(schema)
    for file in SHIPPED:
        content = json.loads(json.dumps(yaml.safe_load(file.read_text(encoding="utf-8")), default=str))
        assert [error.message for error in validator.iter_errors(content)] == [], file
    for old, new in (
        ("property: entity, value: customer", "property: entity, value: custmer"),
        ("property: entity", "property: entitty"),
        ("format: csv", "format: cvs"),
        ("quarantineTolerance, value: 0.25", "quarantineTolerance, value: 25"),
    ):
        text = (REPOSITORY / "data_contracts" / "shop_customers.odcs.yaml").read_text(encoding="utf-8")
        assert old in text
        assert not validator.is_valid(yaml.safe_load(text.replace(old, new))), new


def test_a_mistake_in_a_retailers_own_policy_names_its_line(tmp_path: Path) -> None:
    shipped, own = tmp_path / "shipped.yaml", tmp_path / "identifiers.yaml"
    shipped.write_text(POLICY)
    own.write_text("types:\n  email: {limit: 4}\n  phone:\n    limit: 3\n    limt: 4\n")
    with pytest.raises(ContractError, match=rf"^{own}:5: types: phone: 'limt' is not known"):
        load_identifier_policy(shipped, own)
    own.write_text("types:\n  email: {limit: 4}\n  fone: {limit: 3}\n")
    with pytest.raises(ContractError, match=rf"^{own}:3: types: 'fone' is not known; did you mean phone"):
        load_identifier_policy(shipped, own)
