"""Every mistake in a contract is reported with file, place and fix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_retailer import ANSWERS, canonical, contract, custom, write_contracts

from onedata.contracts import ContractError, Feed, load_entities, load_feeds

Change = Callable[[dict[str, Any]], None]


def load(folder: Path, *contents: dict[str, Any]) -> tuple[Feed, ...]:
    return load_feeds(write_contracts(folder / "contracts", *contents), canonical())


def mistake(folder: Path, content: dict[str, Any]) -> str:
    """The error's text; it always names the file."""
    with pytest.raises(ContractError) as caught:
        load(folder, content)
    assert f"{content['id']}.odcs.yaml" in str(caught.value)
    return str(caught.value)


def with_property(**changed: Any) -> dict[str, Any]:
    """The survey's contract with one more or another mapping, by `name`."""
    others = [item for item in ANSWERS if item["name"] != changed["name"]]
    return contract(properties=[*others, changed])


def test_the_builders_contract_is_valid(tmp_path: Path) -> None:
    (feed,) = load(tmp_path, contract())
    assert (feed.name, feed.system, feed.entity.name) == ("survey", "desk", "survey_response")


@pytest.mark.parametrize("name", ["apiVersion", "kind", "id", "version", "status", "dataProduct", "servers", "schema"])
def test_a_missing_part_is_named(tmp_path: Path, name: str) -> None:
    content = contract()
    del content[name]
    with pytest.raises(ContractError, match=rf"survey.odcs.yaml: {name} is missing"):
        load_feeds(
            write_contracts(tmp_path, content | {"id": "survey"}) if name != "id" else _without_id(tmp_path, content),
            canonical(),
        )


def _without_id(folder: Path, content: dict[str, Any]) -> Path:
    write_contracts(folder, content | {"id": "survey"})
    file = folder / "survey.odcs.yaml"
    file.write_text("\n".join(line for line in file.read_text().splitlines() if not line.startswith("id:")))
    return folder


@pytest.mark.parametrize(
    ("content", "place", "fix"),
    [
        (with_property(name="coment", physicalName="note"), "schema survey: property coment", "did you mean comment?"),
        (with_property(name="comment"), "property comment", "give physicalName, transformLogic or both"),
        (with_property(name="comment", physicalname="note"), "property comment", "did you mean physicalName?"),
        (
            with_property(name="comment", transformLogic="upper({value})"),
            "property comment",
            "{value} needs a physicalName",
        ),
        (
            with_property(name="order_id", physicalName="order", required=False),
            "property order_id",
            "a contract may be stricter, not looser",
        ),
        (
            with_property(name="comment", physicalName="note", logicalType="number", logicalTypeOptions={"minimun": 1}),
            "property comment: logicalTypeOptions",
            "did you mean minimum?",
        ),
        (
            with_property(name="comment", physicalName="note", logicalTypeOptions={"pattern": "x"}),
            "property comment",
            "logicalType",
        ),
        (
            contract(properties=ANSWERS[1:]),
            "schema survey",
            "survey_response requires response_id, and no property maps it",
        ),
        (contract(properties=[*ANSWERS, ANSWERS[3]]), "schema survey", "comment is mapped twice"),
        (contract(entity="survey_respons"), "schema survey: entity", "did you mean survey_response?"),
        (contract(timezone="Asia/Schanghai"), "schema survey", "timezone 'Asia/Schanghai' is not an IANA time zone"),
        (contract(region="UK"), "schema survey", "region 'UK' is not an ISO 3166 code of a country, for example DE"),
        (contract(tolerance=0.1), "schema survey", "'tolerance' is not known"),
        (
            contract(quarantineTolerance=1.5),
            "schema survey",
            "quarantineTolerance is 1.5; it takes a share from 0",
        ),
        (
            contract(tieTolerance={"lines": 2}),
            "schema survey",
            "tieTolerance is {'lines': 2}; it takes shares from 0 to 1 by tie (lines, payments, net; ledger)",
        ),
        (
            contract(tieTolerance={"line": 0.1}),
            "schema survey",
            "tieTolerance is {'line': 0.1}; it takes shares from 0 to 1 by tie (lines, payments, net; ledger)",
        ),
        (
            contract(tieTolerance={"ledger": 0.1}),
            "schema survey",
            "tieTolerance: ledger is no tie of survey_response; ties are lines, payments, net for sales_order and "
            "ledger for account_balance",
        ),
        (
            with_property(name="comment", transformLogic="{result of satisfactoin} || ''"),
            "property comment",
            "did you mean satisfaction?",
        ),
        (
            with_property(name="comment", transformLogic="{result of comment} || ''"),
            "schema survey",
            "comment need the results of one another: none can be first",
        ),
        (contract(rowKey="content"), "schema survey", "{row_identity} and rowKey: content belong together"),
        (
            with_property(name="comment", transformLogic="{row_identity}"),
            "schema survey",
            "{row_identity} and rowKey: content belong together",
        ),
        (contract(path="../secret/{ds}.csv"), "servers[0]", "must stay below the source folder"),
        (contract(path="/etc/{ds}.csv"), "servers[0]", "must stay below the source folder"),
        (contract(path="a/../../b.csv"), "servers[0]", "must stay below the source folder"),
        (contract(path="a/b_{dx}.csv"), "servers[0]", "has {dx}, which stands for nothing; {ds} is the night"),
        (contract(path="a/b_{ds}_{DS}.csv"), "servers[0]", "has {DS}, which stands for nothing"),
        (contract(path="a/b_{ds.csv"), "servers[0]", "has {ds.csv, which stands for nothing"),
        (contract(path="a/b_ds}.csv"), "servers[0]", "has }, which stands for nothing"),
        (contract(path="{ds}/{ds}.csv"), "servers[0]", "names {ds} more than once"),
        (contract(kind="xls"), "servers[0]", "use one of csv, json, jsonl, parquet, xlsx, xml"),
        (contract(kind="xml"), "servers[0]", "recordTag is missing"),
        (contract(options={"delimeter": ";"}), "servers[0]", "did you mean delimiter?"),
        (contract(kind="jsonl", options={"delimiter": ";"}), "servers[0]", "'delimiter' is not known"),
        (contract(quality=[{"metric": "freshness", "mustBe": 0}]), "quality rule 1", "use one of nullValues"),
        (contract(quality=[{"metric": "rowCount"}]), "quality rule 1", "give exactly one of mustBe"),
        (
            contract(quality=[{"metric": "rowCount", "mustBe": 1, "mustBeLessThan": 2}]),
            "quality rule 1",
            "give exactly one of mustBe",
        ),
        (
            contract(quality=[{"metric": "rowCount", "mustBeGreaterThan": "many"}]),
            "quality rule 1",
            "mustBeGreaterThan is 'many'; ODCS v3.1 takes a number",
        ),
        (
            contract(quality=[{"metric": "rowCount", "mustBeBetween": [1]}]),
            "quality rule 1",
            "mustBeBetween is [1]; ODCS v3.1 takes a list of two",
        ),
        (
            contract(quality=[{"metric": "rowCount", "mustBe": 1, "severity": "fatal"}]),
            "quality rule 1",
            "use error or warning",
        ),
        (
            with_property(name="comment", physicalName="note", quality=[{"metric": "rowCount", "mustBe": 1}]),
            "property comment",
            "rowCount is not a row rule",
        ),
        (
            with_property(name="comment", physicalName="note", quality=[{"metric": "nullValues", "mustBe": 3}]),
            "property comment",
            "a property takes nullValues or invalidValues with mustBe: 0",
        ),
        (contract() | {"customProperties": custom({"unmaped": ["x"]})}, "customProperties", "did you mean unmapped?"),
        (contract() | {"version": "1.0"}, "version '1.0'", "is not MAJOR.MINOR.PATCH, for example 1.0.0"),
        (contract() | {"description": {}}, "description", "purpose is missing; say in a sentence"),
        (contract() | {"description": "For the desk."}, "description", "purpose is missing; say in a sentence"),
        (
            contract() | {"slaProperties": [{"property": "frequency", "value": 1, "unit": "h"}]},
            "frequency: unit",
            "known are d",
        ),
        (
            contract() | {"slaProperties": [{"property": "retention", "value": 3}]},
            "retention: unit",
            "known are d, m, y",
        ),
        (
            contract() | {"slaProperties": [{"property": "retention", "value": "long", "unit": "y"}]},
            "retention",
            "is a number, not 'long'",
        ),
        (contract() | {"servers": contract()["servers"] * 2}, "servers", "exactly one is supported, 2 are given"),
        (
            contract(
                properties=[
                    {"name": "response_id", "transformLogic": "'1'"},
                    {"name": "order_id", "transformLogic": "'1'"},
                ]
            ),
            "schema survey",
            "no property reads a source field",
        ),
    ],
)
def test_a_mistake_names_place_and_fix(tmp_path: Path, content: dict[str, Any], place: str, fix: str) -> None:
    text = mistake(tmp_path, content)
    assert place in text
    assert fix in text


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(contract(options={"encoding": "utf-9"}), id="encoding that no reader knows"),
        pytest.param(contract(options={"delimiter": ""}), id="empty delimiter"),
        pytest.param(contract(options={"quote": "''"}), id="quote of two characters"),
        pytest.param(contract(rowKey="contents"), id="unknown rowKey"),
        pytest.param(contract(quarantineTolerance="a lot"), id="tolerance that is no number"),
        pytest.param(contract(quarantineTolerance=float("nan")), id="tolerance that is not a number"),
        pytest.param(contract("survey-answers"), id="feed name that is no SQL name"),
        pytest.param(
            contract() | {"slaProperties": [{"property": "frequency", "value": "daily", "unit": "d"}]},
            id="frequency in words",
        ),
        pytest.param(contract() | {"servers": {"path": "x.csv", "format": "csv"}}, id="servers without a list"),
        pytest.param(contract() | {"schema": "survey"}, id="schema without a list"),
        pytest.param(
            contract() | {"schema": [contract()["schema"][0] | {"customProperties": [{"entity": "survey_response"}]}]},
            id="custom property",
        ),
        pytest.param(contract(properties=["id"]), id="property without keys"),
        pytest.param(
            with_property(
                name="comment", physicalName="note", logicalType="string", logicalTypeOptions={"pattern": "("}
            ),
            id="pattern",
        ),
        pytest.param(
            with_property(
                name="comment", physicalName="note", logicalType="number", logicalTypeOptions={"minimum": "low"}
            ),
            id="minimum",
        ),
        pytest.param(
            with_property(name="comment", physicalName="note", transformLogic="upper({value}"),
            id="expression that does not parse",
        ),
        pytest.param(
            with_property(
                name="comment",
                physicalName="note",
                quality=[{"metric": "invalidValues", "arguments": {"validvalues": ["a"]}, "mustBe": 0}],
            ),
            id="unknown argument",
        ),
        pytest.param(contract(quality=[{"type": "sql", "mustBe": 0}]), id="sql rule without a query"),
        pytest.param(
            contract(quality=[{"metric": "duplicateValues", "arguments": {"properties": ["order"]}, "mustBe": 0}]),
            id="rule on an unknown column",
        ),
        pytest.param(contract(records="lines"), id="records in a flat format"),
    ],
)
def test_a_value_nobody_can_follow_is_refused_when_it_is_loaded(tmp_path: Path, content: dict[str, Any]) -> None:
    mistake(tmp_path, content)


def test_two_feeds_with_one_name_name_both_files(tmp_path: Path) -> None:
    twice = contract() | {"id": "other"}
    with pytest.raises(ContractError, match=r"survey.odcs.yaml: feed survey is already declared in .*other.odcs.yaml"):
        load(tmp_path, contract(), twice)


def test_a_folder_without_contracts_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"holds no contract \(\*\.odcs\.yaml\)"):
        load_feeds(tmp_path, canonical())


def test_a_key_that_stands_twice_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "twice.odcs.yaml").write_text("id: a\nkind: DataContract\nid: b\n")
    with pytest.raises(ContractError, match=r"twice.odcs.yaml:3 is not YAML: id stands twice"):
        load_feeds(tmp_path, canonical())


@pytest.mark.parametrize("text", ["a: [", "- a\n- b\n", "", "\t- x"])
def test_a_file_that_is_no_contract_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.odcs.yaml").write_text(text)
    with pytest.raises(ContractError, match=r"broken.odcs.yaml"):
        load_feeds(tmp_path, canonical())


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.odcs.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(ContractError, match=r"broken.odcs.yaml is not YAML"):
        load_feeds(tmp_path, canonical())


def test_a_contract_may_be_stricter_than_its_entity(tmp_path: Path) -> None:
    (feed,) = load(tmp_path, with_property(name="comment", physicalName="note", required=True))
    assert next(item for item in feed.fields if item.column.name == "comment").required


def test_a_field_read_twice_is_one_source_field(tmp_path: Path) -> None:
    (feed,) = load(tmp_path, with_property(name="title", physicalName="note", transformLogic="{value} || {score}"))
    assert feed.source_fields == ("id", "order", "score", "note", "answered")


TEXT = """apiVersion: v3.1.0
kind: DataContract
id: survey
name: Survey
version: 1.0.0
status: active
dataProduct: desk
description: {purpose: Answers.}
servers:
  - {server: landing, type: local, path: "survey_{ds}.csv", format: csv}
schema:
  - name: survey
    customProperties:
      - {property: entity, value: survey_response}
    properties:
      - {name: response_id, physicalName: id}
      - {name: order_id, transformLogic: "'online'"}
      - name: comment
        physicalName: text
        description: What was said.
      - {name: answered_at, physicalName: at}
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        (
            "        description: What",
            "        descripton: What",
            20,
            "property comment: 'descripton' is not known; did",
        ),
        ("{name: answered_at, ", "{name: answerd_at, ", 21, "property answerd_at: 'answerd_at' is not known; did"),
        (
            "physicalName: at}",
            "physicalname: at}",
            21,
            "'physicalname' is not known; did you mean physicalName",
        ),
        ("value: survey_response", "value: survey_responses", 14, "entity: 'survey_responses' is not known; did you"),
        ("property: entity,", "property: entity, valeu: x,", 14, "'valeu' is not known; did you mean value?"),
        ("purpose: Answers.", "purpose: Answers., usge: x", 8, "description: 'usge' is not known; did you mean usage?"),
        ("name: Survey", "nmae: Survey", 4, "'nmae' is not known; did you mean name?"),
        ("format: csv", "format: cvs", 10, "servers[0]: format 'cvs' is not known"),
        ("physicalName: text", "physicalName: 5", 19, "property comment: physicalName is 5; ODCS v3.1 takes a text"),
        (
            "physicalName: at}",
            "physicalName: at, required: maybe}",
            21,
            "required is 'maybe'; ODCS v3.1 takes true",
        ),
        ("\"'online'\"", '"no_such(1)"', 17, "property order_id: transformLogic 'no_such(1)'"),
    ],
)
def test_a_mistake_names_its_line(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    assert TEXT.count(old) == 1
    file = tmp_path / "survey.odcs.yaml"
    file.write_text(TEXT.replace(old, new), encoding="utf-8")
    with pytest.raises(ContractError) as caught:
        load_feeds(tmp_path, canonical())
    assert str(caught.value).startswith(f"{file}:{line}{' ' if said == 'is not YAML' else ': '}")
    assert said in str(caught.value)


def test_the_text_of_the_mistakes_is_a_contract_without_them(tmp_path: Path) -> None:
    (tmp_path / "survey.odcs.yaml").write_text(TEXT, encoding="utf-8")
    (feed,) = load_feeds(tmp_path, canonical())
    assert [item.column.name for item in feed.fields if not item.is_filled] == [
        *("response_id", "order_id", "comment", "answered_at")
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "kind: DataContract",
            "kind: Datacontract",
            ":2: kind: 'Datacontract' is not known; did you mean DataContract?",
        ),
        ("apiVersion: v3.1.0", "apiVersion: v2.2.2", ":1: apiVersion: 'v2.2.2' is not known; use v3.1.0"),
        (
            "physicalName: at}",
            "physicalName: at, logicalType: nmber}",
            "logicalType: 'nmber' is not known; did you mean number?",
        ),
        ("physicalName: at}", 'physicalName: at, required: "no"}', "required is 'no'; ODCS v3.1 takes true or false"),
        (
            "value: survey_response}",
            "value: survey_response}\n      - {property: entity, value: customer}",
            "customProperties: entity stands twice",
        ),
        ("name: Survey", "name: 2026-02-31", "is not YAML"),
        ("name: Survey", "5: c", "5 is not known; keys are texts"),
    ],
)
def test_what_the_standard_does_not_know_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert TEXT.count(old) == 1
    (tmp_path / "survey.odcs.yaml").write_text(TEXT.replace(old, new), encoding="utf-8")
    with pytest.raises(ContractError) as caught:
        load_feeds(tmp_path, canonical())
    assert said in str(caught.value)


def test_a_folder_in_a_contracts_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "survey.odcs.yaml").mkdir()
    with pytest.raises(ContractError, match=r"survey.odcs.yaml cannot be read"):
        load_feeds(tmp_path, canonical())


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("type: text, minimum: 1", "minimum is for numbers and days, amount is text"),
        ("type: decimal, maximum: night", "maximum is a number, not 'night'"),
        ("type: decimal, minimum: few", "minimum is a number, not 'few'"),
    ],
)
def test_a_range_that_a_column_cannot_have_is_told(tmp_path: Path, limit: str, words: str) -> None:
    (tmp_path / "thing.yaml").write_text(
        "entity: thing\ntitle: Things\ngrain: one thing\nowner: me\nkey: [amount]\ncolumns:\n"
        f"  - {{name: amount, {limit}, classification: public, description: An amount.}}\n",
        encoding="utf-8",
    )
    with pytest.raises(ContractError, match=words):
        load_entities(tmp_path)


@pytest.mark.parametrize(
    ("entity", "name", "reason"),
    [
        ("sales_order", "order_id", "of the key of sales_order"),
        ("sales_order", "business_date", "required"),
        ("sales_order", "updated_at", "the version of sales_order"),
        ("sales_order", "total_amount", "an amount of sales_order that is reconciled"),
    ],
)
def test_void_is_refused_where_a_row_cannot_be_without_the_value(
    tmp_path: Path, entity: str, name: str, reason: str
) -> None:
    void = {"name": name, "physicalName": name, "customProperties": custom({"onInvalid": "void"})}
    text = mistake(tmp_path, contract(entity=entity, properties=[void]))
    assert f"property {name}: onInvalid: void is not for {name}, which is {reason}; use row" in text


def test_void_is_refused_for_a_column_that_the_contract_requires(tmp_path: Path) -> None:
    void = {"name": "comment", "physicalName": "note", "required": True}
    text = mistake(tmp_path, with_property(**void, customProperties=custom({"onInvalid": "void"})))
    assert "onInvalid: void is not for comment, which is required" in text


@pytest.mark.parametrize("choice", ["drop", None, True])
def test_an_unknown_cost_of_an_invalid_value_is_refused(tmp_path: Path, choice: Any) -> None:
    changed = with_property(name="comment", physicalName="note", customProperties=custom({"onInvalid": choice}))
    assert "onInvalid takes row or void" in mistake(tmp_path, changed)
