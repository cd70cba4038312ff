"""JSON documents: one per file, an array of them, or a nested array; each lands like a JSON line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_retailer import ANSWERS, SmallRetailer, contract

from onedata.readers import json as documents

Retail = Callable[..., SmallRetailer]
A1 = {"id": "A1", "order": "O1", "score": 5, "note": 'fine [} \\" {', "answered": "2026-01-05T10:00:00Z"}
A2 = {"id": "A2", "order": "O2", "score": 1, "note": "ü 中", "answered": "2026-01-05T11:00:00Z"}


def desk(retail: Retail, where: str | None = None, **feed: Any) -> SmallRetailer:
    return retail(
        contract(
            path="survey/{ds}.json",
            kind="json",
            options={"documents": where} if where else {},
            properties=ANSWERS,
            **feed,
        )
    )


@pytest.mark.parametrize(
    ("content", "where"),
    [
        pytest.param([A1, A2], None, id="array"),
        pytest.param({"answers": [A1, A2]}, "answers", id="array in a member"),
        pytest.param({"meta": {"answers": 1}, "answers": [A1, A2]}, "answers", id="the same name elsewhere"),
        pytest.param(
            {"data": {"answers": {"edges": [{"cursor": "x", "node": A1}, {"node": A2}]}}},
            "data.answers.edges[].node",
            id="GraphQL",
        ),
        pytest.param({"answers": [A1], "answer": A2}, "answers|answer", id="either name"),
        pytest.param({"pages": [{"answers": [A1]}, {"answers": [A2]}]}, "pages[].answers", id="pages"),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_documents_are_found_where_the_contract_says(
    retail: Retail, content: Any, where: str | None, indent: int | None
) -> None:
    survey = desk(retail, where)
    survey.put("survey/2026-01-05.json", json.dumps(content, indent=indent))
    assert survey.take().counts == (2, 2, 0, 0)
    assert survey.rows("response_id, comment") == [("A1", A1["note"]), ("A2", A2["note"])]


def test_one_document_is_one_row(retail: Retail) -> None:
    survey = desk(retail)
    survey.put("survey/2026-01-05.json", json.dumps(A1, indent=1))
    assert survey.take().counts == (1, 1, 0, 0)


def test_the_object_at_a_path_is_one_document(retail: Retail) -> None:
    survey = desk(retail, "answer")
    survey.put("survey/2026-01-05.json", json.dumps({"answer": A1}))
    assert survey.take().counts == (1, 1, 0, 0)


def test_members_of_a_document_become_rows(retail: Retail) -> None:
    properties = [{"name": item["name"], "physicalName": f"answers[].{item['physicalName']}"} for item in ANSWERS]
    survey = retail(
        contract(
            path="survey/{ds}.json",
            kind="json",
            options={"documents": "days"},
            properties=properties,
            records="answers",
        )
    )
    survey.put("survey/2026-01-05.json", json.dumps({"days": [{"answers": [A1, A2]}]}))
    assert survey.take().counts == (2, 2, 0, 0)


def test_an_empty_array_is_a_day_without_rows(retail: Retail) -> None:
    survey = desk(retail, "answers")
    survey.put("survey/2026-01-05.json", '{"answers": []}')
    assert survey.take().counts == (0, 0, 0, 0)
    assert survey.files("status") == [("landed",)]


def test_a_broken_document_among_good_ones_is_one_bad_row_kept_as_it_stood(retail: Retail) -> None:
    survey = desk(retail, quarantineTolerance=0.5)
    survey.put("survey/2026-01-05.json", f'[{json.dumps(A1)}, {{"id": A2}}, {json.dumps(A2)}]')
    assert survey.take().counts == (3, 2, 1, 0)
    assert survey.quarantine("row, rule, raw") == [(2, "unreadable_record", '{"id": A2}')]


def test_a_line_break_in_a_string_is_not_repaired(retail: Retail) -> None:
    survey = desk(retail, quarantineTolerance=0.5)
    survey.put("survey/2026-01-05.json", json.dumps([A1, A2]).replace("fine", "fi\nne"))
    assert survey.take().counts == (2, 1, 1, 0)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(json.dumps([A1, A2])[:-20], "breaks off at byte", id="truncated"),
        pytest.param("", "the file is empty: not even []", id="empty"),
        pytest.param(json.dumps([A1]).encode("utf-16"), "is not UTF-8", id="utf-16"),
        pytest.param("[1 2]", "'2' at byte 3", id="no comma"),
        pytest.param("]", "']' at byte 0", id="only an end"),
    ],
)
def test_a_file_that_is_no_json_to_its_end_is_quarantined_whole(
    retail: Retail, content: str | bytes, says: str
) -> None:
    survey = desk(retail)
    survey.put("survey/2026-01-05.json", content)
    assert survey.take().counts == (1, 0, 1, 0)
    assert says in survey.quarantine("reason")[0][0]


def test_documents_that_are_elsewhere_are_told_with_what_is_there(retail: Retail) -> None:
    survey = desk(retail, "orders")
    survey.put("survey/2026-01-05.json", '{"answers": [], "meta": {}}')
    survey.take()
    assert (
        "there is nothing at 'orders'; the file has 'answers', 'meta'. Check `documents`"
        in survey.quarantine("reason")[0][0]
    )


@pytest.mark.parametrize("block", [4, 5, 7, 64])
def test_blocks_may_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(documents, "BLOCK", block)
    content = [A1, A2, 1.5e3, None, 'a \\ " b', [], {}, [[A1]], True]
    (tmp_path / "a.json").write_text(
        "\ufeff" + json.dumps({"skip": {"x": ["]", "\\"]}, "all": content}, indent=1, ensure_ascii=False)
    )
    documents.to_lines(tmp_path / "a.json", tmp_path / "a.jsonl", "all")
    assert [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()] == content


def test_a_blank_that_json_does_not_have_is_a_broken_document_and_no_hang(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[1, \x0b]")
    documents.to_lines(tmp_path / "a.json", tmp_path / "a.jsonl", None)
    assert (tmp_path / "a.jsonl").read_text() == "1\n\x0b\n"
