"""Values of JSON behind filters, indexes and sums: read as they are written, or their row is in quarantine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from small_retailer import NIGHT, SmallRetailer, contract

Retail = Callable[..., SmallRetailer]
TWICE = "a key stands twice in one object of the document; which value is meant cannot be told"


def survey_of(
    retail: Retail, path: str, *documents: str, own: str = "id", field: dict[str, Any] | None = None, **feed: Any
) -> SmallRetailer:
    """A feed of JSON lines, as they are written, whose comment is at the path."""
    properties = [
        {"name": "response_id", "physicalName": own},
        {"name": "order_id", "transformLogic": "'o'"},
        field or {"name": "comment", "physicalName": path},
    ]
    survey = retail(
        contract(path="survey/{ds}.jsonl", kind="jsonl", properties=properties, quarantineTolerance=1, **feed)
    )
    survey.put(f"survey/{NIGHT}.jsonl", "\n".join(documents) + "\n")
    return survey


@pytest.mark.parametrize("path", ["p[k=x].v", "p[k=x].more.v", "p[0].v", "sub.p[k=x].v"])
@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("12345678.0", "12345678"),
        ('"12345678.0"', "12345678.0"),
        ("9007199254740993", "9007199254740993"),
        ("9007199254740993.0", None),
        ("1e22", None),
        ("12.5", "12.5"),
    ],
)
def test_a_number_behind_a_filter_or_an_index_keeps_its_digits(
    retail: Retail, path: str, written: str, right: str | None
) -> None:
    entry = f'[{{"k":"x","v":{written},"more":{{"v":{written}}}}}]'
    survey = survey_of(retail, path, f'{{"id":"A1","p":{entry},"sub":{{"p":{entry}}}}}', '{"id":"A2","p":[]}')
    assert survey.take().counts == (2, 1 if right is None else 2, 1 if right is None else 0, 0)
    assert survey.rows("comment") == ([(None,)] if right is None else [(right,), (None,)])
    if right is None:
        ((rule, reason),) = survey.quarantine("rule, reason")
        assert rule == "unreadable_record"
        assert reason.startswith(f"{path}: is a number with more than 15 digits")
        assert reason.endswith("send it as a text")


def test_a_number_behind_a_filter_of_an_exploded_record_keeps_its_digits(retail: Retail) -> None:
    document = '{"rows":[{"id":"A1","p":[{"k":"x","v":7.0}]},{"id":"A2","p":[{"k":"x","v":9007199254740993.0}]}]}'
    survey = survey_of(retail, "rows[].p[k=x].v", document, own="rows[].id", records="rows")
    assert survey.take().counts == (2, 1, 1, 0)
    assert survey.rows("response_id, comment") == [("A1", "7")]


def test_the_first_of_two_filtered_numbers_that_is_there_is_given_as_digits(retail: Retail) -> None:
    field = {"name": "comment", "transformLogic": "coalesce({p[k=x].value.i}, {p[k=x].value.d})"}
    documents = [f'{{"id":"A{number}","p":[{{"k":"x","value":{{{value}}}}}]}}' for number, value in VALUES]
    survey = survey_of(retail, "", *documents, field=field)
    assert survey.take().counts == (2, 2, 0, 0)
    assert survey.rows("comment") == [("12345678",), ("12345678",)]


VALUES = ((1, '"i":12345678'), (2, '"d":12345678.0'))


@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("sum(p[].a)", '[{"a":1},{"a":3}]', '[{"a":1,"a":2},{"a":3}]'),
        ("sum(p[k=x].a)", '[{"a":1,"k":"x"}]', '[{"a":1,"k":"x","k":"y"}]'),
        ("sum(p[].q[].a)", '[{"q":[{"a":1}]}]', '[{"q":[{"a":1}]},{"q":[{"a":1,"a":2}]}]'),
        ("sum(p[].more.a)", '[{"more":{"a":1}}]', '[{"more":{"a":1,"a":2}}]'),
        ("p[k=x].v", '[{"k":"x","v":1}]', '[{"k":"y"},{"k":"x","v":1,"v":2}]'),
        ("p[k=x].more.v", '[{"k":"x","more":{"v":1}}]', '[{"k":"x","more":{"v":1,"v":2}}]'),
        ("p[k=x]", '[{"k":"x"}]', '[{"k":"x","k":"y"}]'),
        ("p[0].v", '[{"v":1},{"v":2,"v":3}]', '[{"v":1,"v":2}]'),
        ("p[1].v", '[{"v":1},{"v":2}]', '[{"v":1},{"v":2,"v":3}]'),
        ("p[0].q[k=x].v", '[{"q":[{"k":"x","v":1}]}]', '[{"q":[{"k":"x","v":1,"v":2}]}]'),
    ],
)
@pytest.mark.parametrize("records", [None, "rows"])
def test_a_key_that_stands_twice_below_a_list_quarantines_the_rows_of_its_document(
    retail: Retail, path: str, good: str, bad: str, records: str | None
) -> None:
    documents = [f'{{"id":"A{number}","p":{value}}}' for number, value in enumerate((good, bad, "null", "[]"))]
    feed: dict[str, Any] = {}
    if records:
        documents = [f'{{"rows":[{document}]}}' for document in documents]
        path = path.replace("sum(", "sum(rows[].") if path.startswith("sum(") else f"rows[].{path}"
        feed = {"records": records, "own": "rows[].id"}
    survey = survey_of(retail, path, *documents, **feed)
    assert survey.take().counts == (4, 3, 1, 0)
    assert survey.quarantine("row, rule, reason") == [(2, "unreadable_record", TWICE)]
    assert survey.rows("response_id") == [("A0",), ("A2",), ("A3",)]


def test_a_key_that_stands_twice_below_a_list_is_taken_first_where_the_contract_says_so(retail: Retail) -> None:
    survey = survey_of(retail, "sum(p[].a)", '{"id":"A1","p":[{"a":1,"a":2},{"a":3}]}', duplicateKeys="first")
    assert survey.take().counts == (1, 1, 0, 0)
    assert survey.rows("comment") == [("4",)]


@pytest.mark.parametrize(
    ("member", "right"),
    [
        ('"1_000"', None),
        ('"1,000"', None),
        ('"0x10"', None),
        ('"inf"', None),
        ("true", None),
        ('{"b":1}', None),
        ('"+2.50"', "2.5"),
        ('" 2.50 "', "2.5"),
        ('".5"', "0.5"),
        ('"5."', "5"),
        ("1e2", "100"),
        ("-2.50", "-2.5"),
    ],
)
def test_a_sum_adds_plain_numbers_and_nothing_else(retail: Retail, member: str, right: str | None) -> None:
    field = {"name": "comment", "transformLogic": "{sum(p[].a)}::decimal(18,4)"}
    survey = survey_of(retail, "", f'{{"id":"A1","p":[{{"a":{member}}}]}}', field=field)
    assert survey.take().counts == (1, int(right is not None), int(right is None), 0)
    assert survey.rows("comment::double") == ([] if right is None else [(float(right),)])
    if right is None:
        assert survey.quarantine("rule") == [("comment_logic",)]


LISTS = [
    ("sum(p[].a)", '"q":[{"a":1}]', "p"),
    ("sum(p[].a)", '"p":[{"b":1}]', "p[].a"),
    ("sum(p[k=x].a)", '"p":[{"a":1,"kind":"x"}]', "p[].k"),
    ("sum(p[].q[].a)", '"p":[{"q":[{"b":1}]}]', "p[].q[].a"),
    ("sum(m.p[].a)", '"m":{"q":[{"a":1}]}', "m.p"),
]


@pytest.mark.parametrize(("path", "members", "place"), LISTS)
@pytest.mark.parametrize("records", [None, "rows"])
def test_what_a_sum_adds_up_and_no_document_has_is_told(
    retail: Retail, path: str, members: str, place: str, records: str | None
) -> None:
    survey, path, place = sum_of(retail, path, f'{{"id":"A1",{members}}}', place, records)
    assert survey.take().counts == (1, 1, 0, 0)
    if "[]" not in place.removeprefix("rows[]."):
        # Senders leave out a list that has nothing in it.
        assert "missing" not in str(survey.drifts())
        return
    assert ("missing", path) in [row[1:3] for row in survey.drifts()]
    assert f"nothing stands at '{place}' in any document" in str(survey.drifts())


@pytest.mark.parametrize(("path", "members", "place"), LISTS)
def test_what_a_required_sum_adds_up_and_no_document_has_refuses_the_file(
    retail: Retail, path: str, members: str, place: str
) -> None:
    survey, path, place = sum_of(retail, path, f'{{"id":"A1",{members}}}', place, onDrift={"missing": "refuse"})
    survey.take()
    ((rule, reason),) = survey.quarantine("rule, reason")
    assert rule == "unreadable_file"
    assert reason.startswith(f"nothing stands at '{place}' in any document, and '{path}' adds it up; onDrift says")


def test_a_required_column_refuses_the_file_whose_documents_lack_what_its_sum_adds_up(retail: Retail) -> None:
    field = {"name": "comment", "physicalName": "sum(p[].a)", "required": True}
    survey = survey_of(retail, "", '{"id":"A1"}', field=field)
    survey.take()
    assert "'sum(p[].a)' adds it up; comment needs it. Was it renamed?" in str(survey.quarantine("reason"))
    expected = survey_of(retail, "", '{"id":"A1"}', field=field, emptyOk=True)
    assert expected.take().counts == (1, 1, 0, 0)


@pytest.mark.parametrize(
    ("path", "members"),
    [
        ("sum(p[].a)", '"p":[]'),
        ("sum(p[].a)", '"p":null'),
        ("sum(p[].a)", '"p":[{"a":null},{}]'),
        ("sum(p[k!=x].a)", '"p":[{"a":1}]'),
        ("sum(p[].q[].a)", '"p":[]'),
        ("sum(p[].q[].a)", '"p":[{"q":[]},{}]'),
        ("sum(p[].q[].a)", '"p":[{}]'),
    ],
)
@pytest.mark.parametrize("records", [None, "rows"])
def test_a_sum_of_nothing_is_no_missing_list(retail: Retail, path: str, members: str, records: str | None) -> None:
    survey, *_ = sum_of(retail, path, f'{{"id":"A1",{members}}}', "", records)
    assert survey.take().counts == (1, 1, 0, 0)
    assert survey.drifts() == []


@pytest.mark.parametrize(
    ("path", "bad", "place"),
    [
        ("sum(p[].a)", '{"a":1}', "p"),
        ("sum(p[].a)", '"1"', "p"),
        ("sum(p[].q[].a)", '{"q":[]}', "p"),
        ("sum(p[].q[].a)", '[{"q":[{"a":1}]},{"q":{"a":2}}]', "q"),
    ],
)
@pytest.mark.parametrize("records", [None, "rows"])
def test_a_sum_over_something_else_than_a_list_is_a_bad_row(
    retail: Retail, path: str, bad: str, place: str, records: str | None
) -> None:
    good = '{"id":"A1","p":[{"a":1,"q":[{"a":1}]}]}'
    survey, path, _ = sum_of(retail, path, good, "", records, f'{{"id":"A2","p":{bad}}}')
    assert survey.take().counts == (2, 1, 1, 0)
    assert survey.rows("comment") == [("1",)]
    reason = f"{path}: what stands at {place} is no array"
    assert survey.quarantine("rule, reason") == [("unreadable_record", reason)]


def sum_of(
    retail: Retail, path: str, document: str, place: str, records: str | None = None, *more: str, **feed: Any
) -> tuple[SmallRetailer, str, str]:
    """A feed of documents or of their rows, the sum's path and the place in it."""
    if records is None:
        return survey_of(retail, path, document, *more, **feed), path, place
    path, place = path.replace("sum(", "sum(rows[]."), f"rows[].{place}"
    documents = [f'{{"rows":[{text}]}}' for text in (document, *more)]
    return survey_of(retail, path, *documents, own="rows[].id", records=records, **feed), path, place
