"""Differences between two versions of a contract, and which of them are allowed for landed rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_retailer import ANSWERS, canonical, contract, custom, write_contracts

from onedata.contracts import Entity, Feed, load_feeds
from onedata.contracts.shapes import compare, fingerprint, shape_of
from onedata.contracts.versions import Change, Used, grown_part, judge


def feed_of(folder: Path, content: dict[str, Any], version: str = "1.0.0", entity: Entity | None = None) -> Feed:
    entities = canonical() | ({entity.name: entity} if entity else {})
    (feed,) = load_feeds(write_contracts(folder, content | {"version": version}), entities)
    return feed


def used(feed: Feed) -> Used:
    return Used(feed.version, shape_of(feed))


def changed(folder: Path, old: dict[str, Any], new: dict[str, Any], version: str = "1.0.0") -> Change:
    """`new` under `version` after rows landed by `old` 1.0.0."""
    return judge([used(feed_of(folder / "old", old))], feed_of(folder / "new", new, version))


def with_property(**item: Any) -> dict[str, Any]:
    return contract(properties=[*(known for known in ANSWERS if known["name"] != item["name"]), item])


def with_column(name: str, **changes: Any) -> Entity:
    """The entity of the contracts here with another column `name`."""
    entity = canonical()["survey_response"]
    return replace(
        entity,
        columns=tuple(replace(column, **changes) if column.name == name else column for column in entity.columns),
    )


TITLE = {"name": "title", "physicalName": "headline"}
FEW = {"metric": "invalidValues", "arguments": {"validValues": ["a", "b"]}, "mustBe": 0}
MORE = {"metric": "invalidValues", "arguments": {"validValues": ["a", "b", "c"]}, "mustBe": 0}


def score(**limits: float) -> dict[str, Any]:
    return with_property(name="satisfaction", physicalName="score", logicalType="number", logicalTypeOptions=limits)


def note(*quality: dict[str, Any], **more: Any) -> dict[str, Any]:
    return with_property(name="comment", physicalName="note", quality=list(quality), **more)


@pytest.mark.parametrize(
    ("old", "new", "kind", "line"),
    [
        pytest.param(
            contract(),
            contract(properties=[*ANSWERS, TITLE]),
            "compatible",
            "column title: nothing -> from headline",
            id="new column",
        ),
        pytest.param(
            contract(),
            contract() | {"team": {"name": "desk"}},
            "compatible",
            "owner: customer-service -> desk",
            id="words",
        ),
        pytest.param(note(FEW), note(MORE), "compatible", 'validValues ["a", "b", "c"] (error)', id="more values"),
        pytest.param(note(FEW), note(), "compatible", "-> nothing", id="no rule any more"),
        pytest.param(
            note(), note(FEW | {"severity": "warning"}), "compatible", "nothing -> invalidValues", id="new warning"
        ),
        pytest.param(note(FEW), note(FEW | {"severity": "warning"}), "compatible", "(warning)", id="error to warning"),
        pytest.param(
            score(minimum=1, maximum=5),
            score(minimum=0, maximum=5),
            "compatible",
            "minimum 0 maximum 5",
            id="wider range",
        ),
        pytest.param(
            score(minimum=1, maximum=5), score(maximum=5), "compatible", "maximum 5 (error)", id="one limit less"
        ),
        pytest.param(
            contract(),
            contract(quarantineTolerance=0.5),
            "compatible",
            "quarantineTolerance: 0.05 -> 0.5",
            id="more tolerant",
        ),
        pytest.param(note(required=True), note(), "compatible", "column comment: required -> optional", id="optional"),
        pytest.param(contract(frequency=1), contract(frequency=2), "compatible", "frequency: 1 -> 2", id="frequency"),
        pytest.param(
            contract(),
            contract(path="desk/{ds}.csv"),
            "compatible",
            "path: survey/{ds}.csv -> desk/{ds}.csv",
            id="place",
        ),
        pytest.param(
            contract(),
            contract(options={"delimiter": ";"}),
            "compatible",
            'options: nothing -> {"delimiter": ";"}',
            id="reader options",
        ),
        pytest.param(
            note(),
            note(customProperties=custom({"repairs": ["upper"]})),
            "notable",
            "column comment: repairs: nothing ->",
            id="repair",
        ),
        pytest.param(
            contract(), contract(onDrift={"added": "refuse"}), "notable", '"added": "refuse"', id="drift policy"
        ),
        pytest.param(note(), note(FEW), "notable", "rule comment_invalidValues: nothing ->", id="new rule"),
        pytest.param(note(MORE), note(FEW), "notable", "rule comment_invalidValues", id="fewer values"),
        pytest.param(
            note(FEW | {"severity": "warning"}),
            note(FEW),
            "notable",
            "(warning) -> invalidValues",
            id="warning to error",
        ),
        pytest.param(
            score(minimum=0),
            score(minimum=1),
            "notable",
            "minimum 0 (error) -> invalidValues minimum 1",
            id="narrower range",
        ),
        pytest.param(score(minimum=0), score(minimum=0, maximum=5), "notable", "maximum 5", id="a limit more"),
        pytest.param(
            contract(quarantineTolerance=0.5),
            contract(),
            "notable",
            "quarantineTolerance: 0.5 -> 0.05",
            id="less tolerant",
        ),
        pytest.param(note(), note(required=True), "notable", "column comment: optional -> required", id="required"),
        pytest.param(
            contract(),
            contract(properties=[*ANSWERS, TITLE | {"required": True}]),
            "notable",
            "required, from headline",
            id="new required column",
        ),
        pytest.param(
            contract(),
            with_property(name="comment", physicalName="remark"),
            "notable",
            "source: note -> remark",
            id="renamed field",
        ),
        pytest.param(
            contract(), contract(timezone="Europe/Berlin"), "notable", "timezone: UTC -> Europe/Berlin", id="zone"
        ),
        pytest.param(
            contract(),
            contract(quality=[{"type": "sql", "query": "select 1 from {object}", "mustBe": 0, "name": "q"}]),
            "notable",
            "rule q: nothing -> sql query select 1 from {object} (error)",
            id="rule on the delivery",
        ),
        pytest.param(
            contract(),
            contract(properties=ANSWERS[:-1]),
            "breaking",
            "column answered_at: from answered -> dropped",
            id="dropped column",
        ),
        pytest.param(
            contract(),
            contract() | {"dataProduct": "shop"},
            "breaking",
            "source system (dataProduct): desk -> shop",
            id="system",
        ),
        pytest.param(
            contract(kind="jsonl", path="a.jsonl"),
            contract(kind="jsonl", path="a.jsonl", records="answers"),
            "breaking",
            "records",
            id="what a row is",
        ),
        pytest.param(
            contract(),
            contract(
                properties=[{"name": "response_id", "transformLogic": "{row_identity}"}, *ANSWERS[1:]], rowKey="content"
            ),
            "breaking",
            "rowKey: nothing -> content",
            id="row key",
        ),
    ],
)
def test_a_difference_is_told_with_old_and_new_and_has_its_kind(
    tmp_path: Path, old: dict[str, Any], new: dict[str, Any], kind: str, line: str
) -> None:
    change = changed(tmp_path, old, new)
    assert change.differences[0].kind == kind
    assert line in change.message
    assert change.refused == (kind == "breaking")


@pytest.mark.parametrize(
    ("column", "changes", "kind", "line"),
    [
        ("satisfaction", {"type": "decimal"}, "notable", "column satisfaction: type: integer -> decimal"),
        ("comment", {"type": "integer"}, "breaking", "column comment: type: text -> integer"),
        ("comment", {"classification": "public"}, "breaking", "column comment: classification: sensitive -> public"),
        (
            "satisfaction",
            {"classification": "sensitive"},
            "compatible",
            "column satisfaction: classification: public -> sensitive",
        ),
        ("comment", {"classification": "core"}, "breaking", "column comment: classification: sensitive -> core"),
    ],
)
def test_a_change_of_the_canonical_entity_is_a_change_of_its_feeds(
    tmp_path: Path, column: str, changes: dict[str, Any], kind: str, line: str
) -> None:
    before = feed_of(tmp_path, contract())
    change = judge([used(before)], feed_of(tmp_path, contract(), entity=with_column(column, **changes)))
    assert [item.kind for item in change.differences] == [kind]
    assert line in change.message


def test_another_key_or_watermark_of_the_entity_is_breaking_and_says_what_to_run(tmp_path: Path) -> None:
    entity = replace(canonical()["survey_response"], key=("response_id",), version="answered_at")
    change = judge([used(feed_of(tmp_path, contract()))], feed_of(tmp_path, contract(), "2.0.0", entity))
    assert not change.refused
    assert (
        'key of the entity: ["response_id", "order_id"] -> ["response_id"] (run once with --full-refresh'
        in change.message
    )
    assert "version column of the entity: nothing -> answered_at (run once with --full-refresh" in change.message


def test_an_identifier_that_is_none_any_more_is_breaking(tmp_path: Path) -> None:
    customers = contract(entity="customer", properties=[{"name": "customer_id", "physicalName": "id"}])
    entity = canonical()["customer"]
    plain = replace(entity, columns=tuple(replace(item, identifier=None) for item in entity.columns))
    change = judge([used(feed_of(tmp_path, customers))], feed_of(tmp_path, customers, entity=plain))
    assert change.refused
    assert "column customer_id: identifier: account in the system -> nothing" in change.message


def test_a_new_column_of_the_entity_that_no_feed_maps_changes_no_feed(tmp_path: Path) -> None:
    entity = canonical()["survey_response"]
    more = replace(entity, columns=(*entity.columns, replace(entity.columns[-1], name="closed_at")))
    assert judge([used(feed_of(tmp_path, contract()))], feed_of(tmp_path, contract(), entity=more)) == Change()


DROPPED = contract(properties=ANSWERS[:-1])


@pytest.mark.parametrize("version", ["1.0.0", "1.0.1", "1.1.0", "0.9.0"])
def test_a_breaking_change_without_a_new_major_version_is_refused_with_the_fix(tmp_path: Path, version: str) -> None:
    change = changed(tmp_path, contract(), DROPPED, version)
    assert change.refused
    assert "Give it version 2.0.0" in change.message


def test_a_breaking_change_with_a_new_major_version_is_taken_and_says_what_becomes_of_the_rows(tmp_path: Path) -> None:
    change = changed(tmp_path, contract(), DROPPED, "2.0.0")
    assert not change.refused
    assert "it is NULL in rows that land from now on; older rows keep theirs" in change.message


@pytest.mark.parametrize(
    ("new", "version", "advice"),
    [
        (contract(properties=[*ANSWERS, TITLE]), "1.0.0", "give it 1.1.0"),
        (contract(properties=[*ANSWERS, TITLE]), "1.0.1", "give it 1.1.0"),
        (contract(properties=[*ANSWERS, TITLE]), "1.1.0", None),
        (contract(properties=[*ANSWERS, TITLE]), "2.0.0", None),
        (contract() | {"team": {"name": "desk"}}, "1.0.0", "give it 1.0.1"),
        (contract() | {"team": {"name": "desk"}}, "1.0.1", None),
        (note(FEW), "1.0.1", "give it 1.1.0"),
    ],
)
def test_a_version_that_says_too_little_is_told_which_one_would_do(
    tmp_path: Path, new: dict[str, Any], version: str, advice: str | None
) -> None:
    change = changed(tmp_path, contract(), new, version)
    assert not change.refused
    assert change.differences
    assert (advice in change.message) if advice else ("give it" not in change.message)


def test_going_back_to_a_contract_that_was_used_is_taken_within_its_major_version(tmp_path: Path) -> None:
    old, new = feed_of(tmp_path / "a", DROPPED, "1.0.0"), feed_of(tmp_path / "b", contract(), "1.1.0")
    back = judge([used(new), used(old)], old)
    assert not back.refused
    assert "goes back to a contract that was used before" in back.message
    assert not judge([used(old), used(new)], new).refused


def test_going_back_over_a_major_version_is_refused_and_told_to_be_a_new_one(tmp_path: Path) -> None:
    old, new = (
        feed_of(tmp_path / "a", contract(), "1.0.0"),
        feed_of(tmp_path / "b", contract() | {"dataProduct": "shop"}, "2.0.0"),
    )
    back = judge([used(new), used(old)], old)
    assert back.refused
    assert "Give it version 3.0.0: rows of the newer version have landed" in back.message


def test_another_watermark_of_a_database_is_breaking(tmp_path: Path) -> None:
    server = {"server": "erp", "type": "postgres", "host": "h", "port": 5432, "database": "d", "schema": "public"}
    old, new = (contract(watermark=name) | {"servers": [server]} for name in ("changed_at", "id"))
    change = changed(tmp_path, old, new)
    assert change.refused
    assert "breaking: watermark: changed_at -> id (the mark that was reached is the old one's: delete" in change.message
    moved = contract(watermark="changed_at") | {"servers": [server | {"host": "other"}]}
    assert {item.kind for item in changed(tmp_path, old, moved).differences} == {"compatible"}


def test_whatever_else_a_contract_says_is_notable_when_it_changes(tmp_path: Path) -> None:
    shape = shape_of(feed_of(tmp_path, contract()))
    assert [
        str(item) for item in compare(shape | {"more": {"onDrift": "keep"}}, shape | {"more": {"onDrift": "refuse"}})
    ] == ["notable: onDrift: keep -> refuse"]


def test_what_an_older_onedata_did_not_write_down_is_no_difference(tmp_path: Path) -> None:
    shape = shape_of(feed_of(tmp_path, contract()))
    older = {name: value for name, value in shape.items() if name != "limitations"}
    assert compare(older, shape | {"more": {"onDrift": "refuse"}}) == ()


def test_a_contract_nobody_used_is_new_whatever_it_says(tmp_path: Path) -> None:
    assert judge([], feed_of(tmp_path, contract())) == Change()


def test_a_fingerprint_knows_no_order_of_columns(tmp_path: Path) -> None:
    there, back = feed_of(tmp_path / "a", contract()), feed_of(tmp_path / "b", contract(properties=ANSWERS[::-1]))
    assert fingerprint(shape_of(there)) == fingerprint(shape_of(back))
    assert compare(shape_of(there), shape_of(back)) == ()


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("1.0.0", "2.0.0", "major"),
        ("1.2.3", "1.3.0", "minor"),
        ("1.2.3", "1.2.4", "patch"),
        ("1.9.0", "1.10.0", "minor"),
        ("2.0.0", "1.9.9", "none"),
    ],
)
def test_the_part_of_a_version_that_grew(old: str, new: str, part: str) -> None:
    assert grown_part(old, new) == part
