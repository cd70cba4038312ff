"""JSON lines: paths, members of arrays, members selected by key, exploded records."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from small_retailer import SmallRetailer, contract

Retail = Callable[..., SmallRetailer]


def answers(
    retail: Retail, documents: list[Any], *paths: str, records: str | None = None, **feed: Any
) -> SmallRetailer:
    """A feed that reads up to three paths: order_id, comment, title. Its id is `id` (or the member's)."""
    own = f"{records}[].id" if records else "id"
    properties = [{"name": "response_id", "physicalName": own}]
    properties += [
        {"name": name, "physicalName": path}
        for name, path in zip(("order_id", "comment", "title"), paths, strict=False)
    ]
    more = feed | ({"records": records} if records else {})
    survey = retail(
        contract(path="survey/{ds}.jsonl", kind="jsonl", properties=properties, quarantineTolerance=1, **more)
    )
    survey.put(
        "survey/2026-01-05.jsonl", "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents)
    )
    return survey


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("customer.name", "Ann"),
        ("tags[1]", "b"),
        ("tags[0]", "a"),
        ("items[1].sku", "S2"),
        ("with space.x-y", "1"),
        ("$dollar", "2"),
        ("number", "19.99"),
        ("big", "9007199254740993"),
        ("yes", "true"),
        ("none", None),
        ("nowhere.at.all", None),
        ("empty", None),
        ("customer", '{"name":"Ann"}'),
    ],
)
def test_a_path_finds_its_value_as_text(retail: Retail, path: str, value: str | None) -> None:
    line = (
        '{"id": "A1", "order": "O1", "customer": {"name": "Ann"}, "tags": ["a", "b"], "items": [{"sku": "S1"}, {"sku": '
        '"S2"}], '
        '"with space": {"x-y": 1}, "$dollar": 2, "number": 19.99, "big": 9007199254740993, "yes": true, "none": null, '
        '"empty": ""}\n'
    )
    survey = answers(retail, [], "order", path)
    survey.put("survey/2026-01-05.jsonl", line)
    assert survey.take().counts == (1, 1, 0, 0)
    assert survey.rows("comment") == [(value,)]


def test_a_member_is_chosen_by_its_key(retail: Retail) -> None:
    params = [
        {"key": "page", "value": {"string_value": "/a", "int_value": None}},
        {"key": "ga_session_id", "value": {"string_value": None, "int_value": 42}},
    ]
    paths = ("order", "event_params[key=ga_session_id].value.int_value", "event_params[key=page].value.string_value")
    survey = answers(
        retail,
        [
            {"id": "A1", "order": "O1", "event_params": params},
            {"id": "A2", "order": "O2", "event_params": []},
            {"id": "A3", "order": "O3"},
        ],
        *paths,
    )
    assert survey.take().counts == (3, 3, 0, 0)
    assert survey.rows("comment, title") == [("42", "/a"), (None, None), (None, None)]


def test_an_array_is_exploded_and_each_row_carries_its_document(retail: Retail) -> None:
    documents = [
        {"order": "O1", "lines": [{"id": "1", "note": {"text": "x"}}, {"id": "2"}]},
        {"order": "O2", "lines": []},
        {"order": "O3"},
        {"order": "O4", "lines": [{"id": "1"}]},
    ]
    survey = answers(retail, documents, "order", "lines[].note.text", records="lines", emptyOk=True)
    assert survey.take().counts == (3, 3, 0, 0)
    assert survey.rows("order_id, response_id, comment, _row") == [
        ("O1", "1", "x", 1),
        ("O1", "2", None, 2),
        ("O4", "1", None, 3),
    ]


def test_a_nested_array_is_exploded(retail: Retail) -> None:
    documents = [{"body": {"events": [{"id": "1"}, {"id": "2"}]}, "order": "O1"}]
    survey = answers(retail, documents, "order", records="body.events")
    assert survey.take().counts == (2, 2, 0, 0)


def test_a_member_is_chosen_by_key_inside_an_exploded_record(retail: Retail) -> None:
    documents = [
        {
            "order": "O1",
            "lines": [{"id": "1", "p": [{"key": "a", "v": "x"}]}, {"id": "2", "p": [{"key": "b", "v": "y"}]}],
        }
    ]
    survey = answers(retail, documents, "order", "lines[].p[key=a].v", records="lines")
    survey.take()
    assert survey.rows("comment") == [("x",), (None,)]


def test_a_broken_line_of_an_exploded_feed_is_one_row_in_quarantine(retail: Retail) -> None:
    survey = answers(retail, [], "order", records="lines")
    survey.put(
        "survey/2026-01-05.jsonl",
        '{"order": "O1", "lines": [{"id": "1"}, {"id": "2"}]}\n{"order": "O2", "lines": [{"id": \n',
    )
    assert survey.take().counts == (3, 2, 1, 0)
    assert survey.quarantine("row, rule, raw") == [(3, "unreadable_record", '{"order": "O2", "lines": [{"id": ')]


def test_a_bad_member_is_kept_with_its_document_and_without_its_neighbours(retail: Retail) -> None:
    survey = answers(retail, [{"order": "O1", "lines": [{"id": "1"}, {"no": "2"}]}], "order", records="lines")
    assert survey.take().counts == (2, 1, 1, 0)
    ((row, rule, raw),) = survey.quarantine("row, rule, raw")
    assert (row, rule) == (2, "response_id_required")
    assert json.loads(raw) == {"order": "O1", "lines": [{"no": "2"}]}


def test_blank_lines_are_no_rows(retail: Retail) -> None:
    survey = answers(retail, [], "order")
    survey.put("survey/2026-01-05.jsonl", '\n{"id": "A1", "order": "O1"}\n\n  \n{"id": "A2", "order": "O2"}\n\n')
    assert survey.take().counts == (2, 2, 0, 0)
    assert survey.rows("_row") == [(1,), (2,)]


def test_delimiters_quotes_and_line_ends_inside_values_stay(retail: Retail) -> None:
    text = "a,b;c\t\"d\" \\ 'e'\nf | {g} \u0001 emoji 🙂"
    survey = answers(retail, [{"id": "A1", "order": "O1", "note": text}], "order", "note")
    assert survey.take().counts == (1, 1, 0, 0)
    assert survey.rows("comment") == [(text,)]


def test_a_long_line_is_read_whole(retail: Retail) -> None:
    survey = answers(
        retail, [{"id": "A1", "order": "O1", "note": "x" * 3_000_000}, {"id": "A2", "order": "O2"}], "order", "note"
    )
    assert survey.land().accepted == 2


def test_keys_in_another_order_are_the_same_row(retail: Retail) -> None:
    survey = answers(retail, [{"id": "A1", "order": "O1"}, {"order": "O1", "id": "A1"}], "order")
    assert survey.take().counts == (2, 1, 0, 1)


def test_single_quotes_are_not_json(retail: Retail) -> None:
    survey = answers(retail, [], "order")
    survey.put("survey/2026-01-05.jsonl", "{'id': 'A2', 'order': 'O2'}\n")
    assert survey.take().counts == (1, 0, 1, 0)


def test_large_documents_are_read_member_by_member_in_little_memory(retail: Retail) -> None:
    # Copied for each of its members, as when nothing else is wanted of it, each of the 2,000 documents would take more
    # than a megabyte.
    members = [{"id": str(number), "note": "x" * 250} for number in range(60)]
    survey = answers(retail, [], "lines[].id", records="lines")
    survey.con.execute("set memory_limit = '1000MB'")
    survey.put("survey/2026-01-05.jsonl", (json.dumps({"lines": members}) + "\n") * 2_000)
    assert survey.land().received == 120_000


def test_keys_of_many_objects_are_read_in_little_memory(retail: Retail) -> None:
    # As the documents of EPCIS: 1,400 of 28 events, in each of which three objects are looked at.
    place = {"id": "P1", "name": "x" * 250}
    events = [{"id": str(number), "a": place, "b": place, "c": place} for number in range(28)]
    survey = answers(retail, [], "lines[].a.id", "lines[].b.id", "lines[].c.id", records="lines")
    survey.con.execute("set memory_limit = '800MB'")
    survey.put("survey/2026-01-05.jsonl", (json.dumps({"lines": events}) + "\n") * 1_400)
    landed = survey.land()
    assert (landed.received, landed.quarantined) == (39_200, 0)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        # 12.50 + 7.25 + 0.003 = 19.753.
        ("sum(paid[].amount)", "19.753"),
        ("sum(paid[kind=refund].amount)", "7.25"),
        ("sum(paid[kind=nothing].amount)", "0"),
        # Without the refund, and without the sale of 12.50 too: one that names no kind is no refund.
        ("sum(paid[kind!=refund].amount)", "12.503"),
        ("sum(paid[kind!=refund][amount!=12.50].amount)", "0.003"),
        ("sum(paid[kind=sale][amount=12.50].amount)", "12.5"),
        ("sum(paid[kind=sale][amount=7.25].amount)", "0"),
        ("sum(boxes[].items[].n)", "23.5"),
        ("sum(boxes[].items[kind=b].n)", "20"),
        ("sum(boxes[].more.items[].cuts[].c)", "7"),
        ("sum(paid[].more.deep)", "3"),
        ("sum(shop.parts[].n)", "30"),
        ("sum(nowhere[].amount)", "0"),
        ("sum(none[].amount)", "0"),
        ("sum(words[].w)", "NaN"),
    ],
)
def test_a_sum_adds_up_the_members_of_an_array(retail: Retail, path: str, value: str) -> None:
    document = {
        "id": "A1",
        "order": "O1",
        "paid": [
            {"kind": "sale", "amount": "12.50", "more": {"deep": 1}},
            {"kind": "refund", "amount": 7.25, "more": {"deep": "2"}},
            {"kind": None, "amount": "0.003"},
            {"kind": "void", "amount": None},
            {},
        ],
        "shop": {"parts": [{"n": 10}, {"n": 20}]},
        "boxes": [
            {"items": [{"n": 1}, {"n": "2.5", "kind": "a"}], "more": {"items": [{"cuts": [{"c": 3}]}, {"cuts": None}]}},
            {"items": None},
            {"items": []},
            {},
            {"items": [{"n": 20, "kind": "b"}, {"n": None}], "more": {"items": [{"cuts": [{"c": 4}, {}]}]}},
        ],
        "none": None,
        "words": [{"w": "1"}, {"w": "two"}],
    }
    survey = answers(retail, [document], "order", path)
    assert survey.take().counts == (1, 1, 0, 0)
    assert survey.rows("comment") == [(value,)]


def test_a_sum_stands_beside_single_members_of_its_array(retail: Retail) -> None:
    paid = [{"kind": "sale", "amount": "1.10"}, {"kind": "sale", "amount": "2.20"}]
    paths = ("paid[0].kind", "sum(paid[].amount)", "paid[1].amount")
    survey = answers(retail, [{"id": "A1", "paid": paid}], *paths)
    assert survey.take().counts == (1, 1, 0, 0)
    assert survey.rows("order_id, comment, title") == [("sale", "3.3", "2.20")]


def test_a_sum_over_lists_within_a_list_stands_beside_the_list_itself(retail: Retail) -> None:
    boxes = [{"items": [{"n": 1}, {"n": "2.5"}]}, {"items": [{"n": 4}]}]
    paths = ("boxes[0].items[1].n", "sum(boxes[].items[].n)", "boxes")
    survey = answers(retail, [{"id": "A1", "boxes": boxes}], *paths)
    assert survey.take().counts == (1, 1, 0, 0)
    assert [row[:2] for row in survey.rows("order_id, comment, title")] == [("2.5", "7.5")]


def test_a_sum_is_of_one_exploded_record_or_of_the_whole_document(retail: Retail) -> None:
    lines = [
        {"id": "L1", "off": [{"amount": "1.50"}, {"amount": "0.25"}]},
        {"id": "L2", "off": []},
        {"id": "L3"},
    ]
    paths = ("order", "sum(lines[].off[].amount)", "sum(paid[].amount)")
    survey = answers(retail, [{"order": "O1", "lines": lines, "paid": [{"amount": 4}]}], *paths, records="lines")
    assert survey.take().counts == (3, 3, 0, 0)
    assert survey.rows("response_id, comment, title") == [("L1", "1.75", "4"), ("L2", "0", "4"), ("L3", "0", "4")]


def test_the_members_that_a_sum_reads_are_known(retail: Retail) -> None:
    document = {"id": "A1", "order": "O1", "paid": [{"amount": 1}]}
    survey = answers(retail, [document], "order", "sum(paid[].amount)", onDrift={"added": "refuse"})
    assert survey.take().counts == (1, 1, 0, 0)
