"""JSON lines read in one parse: it gives what the careful way gives, and leaves unusual lines to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from small_retailer import NIGHT, SmallRetailer, contract, custom

from onedata.landing import delivery
from onedata.readers import pieces
from onedata.readers.json_strict import StrictLines

Retail = Callable[..., SmallRetailer]
ROWS = 120
PROPERTIES = [
    {"name": "response_id", "physicalName": "id"},
    {"name": "order_id", "physicalName": "order"},
    {"name": "satisfaction", "physicalName": "rating.value", "logicalType": "integer"},
    {"name": "comment", "physicalName": "rating.words[0]"},
    {"name": "answered_at", "physicalName": "answered_at"},
]


def document(number: int, **more: Any) -> dict[str, Any]:
    rating = {"value": number % 5 + 1, "words": ["fine – öß €", "x"], "scale": "stars"}
    given = {"id": f"A{number}", "order": 180000000000000000 + number, "rating": rating, "unread": {"a": 1}}
    return given | {"answered_at": "2026-01-05T10:00:00Z"} | more


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each statement that wrote a piece was the strict one; pieces are small."""
    monkeypatch.setattr(pieces, "LEAST_BYTES", 100)
    strict: list[bool] = []
    run = delivery._written

    def noted(con: duckdb.DuckDBPyConnection, statement: str) -> int:
        rows = run(con, statement)
        strict.append("read_json(" in statement)
        return rows

    monkeypatch.setattr(delivery, "_written", noted)
    return strict


def feed(name: str, **more: Any) -> dict[str, Any]:
    given = contract(
        name, kind="jsonl", path=f"{name}/{{ds}}.jsonl", quarantineTolerance=1, properties=PROPERTIES, **more
    )
    return given | {"customProperties": custom({"unmapped": ["unread", "rating.scale"]})}


def landed(survey: SmallRetailer, name: str, lines: list[str]) -> dict[str, list[Any]]:
    """What a file of these lines gave: accepted rows, quarantine and counts."""
    survey.con.execute("set threads = 2")
    survey.put(f"{name}/{NIGHT}.jsonl", "\n".join(lines) + "\n")
    survey.land(name=name)
    columns = "_row, response_id, order_id, satisfaction, comment, answered_at, _repaired, _extra"
    rows = f"select {columns} from read_parquet('{survey.settings.staged}/{name}/*/*.parquet') order by 1"
    bad = f"select row, rule, reason, raw from ops.quarantine where feed = '{name}' order by all"
    counts = f"select received, accepted, quarantined, duplicate from ops.file where feed = '{name}'"
    queries = {"accepted": rows, "quarantine": bad, "counts": counts}
    return {title: survey.con.execute(query).fetchall() for title, query in queries.items()}


def both(
    retail: Retail, lines: list[str], written: list[bool], monkeypatch: pytest.MonkeyPatch, **more: Any
) -> list[bool]:
    """Land the lines, compare with what the careful way gives, and return which pieces were read in one parse."""
    survey = retail(feed("survey", **more), feed("careful", **more))
    # DuckDB reads two thousand lines at least, and these are the first.
    monkeypatch.setattr(StrictLines, "takes", lambda *_: True)
    found, strict = landed(survey, "survey", lines), list(written)
    monkeypatch.setattr(StrictLines, "takes", lambda *_: False)
    assert landed(survey, "careful", lines) == found
    ((received, *fates),) = found["counts"]
    assert received == sum(fates) == len([line for line in lines if line])
    return strict


def with_one(line: str) -> list[str]:
    """Lines of which the 110th, in the second piece, is `line`."""
    lines = [json.dumps(document(number), ensure_ascii=False) for number in range(1, ROWS + 1)]
    lines[109] = line
    return lines


ODD = document(110)
PLAIN = json.dumps(ODD)


@pytest.mark.parametrize(
    "line",
    [
        PLAIN,
        f"  {PLAIN} \r",
        json.dumps(ODD | {"rating": None, "answered_at": "2026-01-05 10:00:00.123456+08:00"}),
        json.dumps(ODD | {"rating": {"value": "nine", "words": []}}),
        json.dumps(ODD | {"rating": {"value": 4.0}, "order": "  O110 "}),
        json.dumps(ODD | {"answered_at": "20260105"}),
        json.dumps({"order": "no id"}),
        "{}",
        "null",
    ],
)
def test_usual_lines_are_read_in_one_parse(
    retail: Retail, written: list[bool], monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    assert both(retail, with_one(line), written, monkeypatch) == [True, True]


@pytest.mark.parametrize(
    "line",
    [
        PLAIN[:-1],
        "nothing",
        "7",
        f"[{PLAIN}]",
        f"{PLAIN} {PLAIN}",
        PLAIN.replace('"order"', '"id": "B1", "order"'),
        PLAIN.replace('"unread"', '"unread": 1, "unread"'),
        PLAIN.replace('"scale"', '"scale": "points", "scale"'),
        PLAIN.replace(str(ODD["order"]), "12.0"),
        PLAIN.replace(str(ODD["order"]), "123456789012345678901234567890"),
        PLAIN.replace(str(ODD["order"]), "0.12345678901234567"),
        json.dumps(ODD | {"rating": "good"}),
        json.dumps(ODD | {"rating": {"value": 1, "words": "good"}}),
        PLAIN.replace("fine", "fi\x01ne"),
    ],
)
def test_a_piece_with_an_unusual_line_is_read_carefully(
    retail: Retail, written: list[bool], monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    assert sorted(both(retail, with_one(line), written, monkeypatch)) == [False, True]


def test_where_a_line_is_blank_the_file_is_read_whole(
    retail: Retail, written: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert both(retail, with_one(""), written, monkeypatch) == [True, True]


def test_a_number_with_more_digits_than_a_double_holds_is_not_read_from_the_one_parse(
    retail: Retail, written: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = with_one(PLAIN.replace('"value": 1', '"value": 3.00000000000000004'))
    assert both(retail, lines, written, monkeypatch) == [True, True]


def test_keys_that_may_stand_twice_are_read_carefully(
    retail: Retail, written: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = with_one(PLAIN.replace('"order"', '"id": "B1", "order"'))
    assert both(retail, lines, written, monkeypatch, duplicateKeys="first") in ([True, False], [False, True])


def test_members_that_nobody_knows_are_kept_from_a_careful_reading(
    retail: Retail, written: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = with_one(json.dumps(ODD | {"gift": True}))
    assert both(retail, lines, written, monkeypatch) == [False, False]
    survey = retail(feed("survey"))
    assert "gift" in landed(survey, "survey", lines)["accepted"][109][-1]


def test_a_feed_whose_first_documents_are_unusual_is_not_tried(retail: Retail, written: list[bool]) -> None:
    lines = with_one(json.dumps(document(1, order=7.0)))
    assert landed(retail(feed("survey")), "survey", lines)["accepted"][109][2] == "7"
    assert written == [False, False]


def test_a_bad_row_of_the_one_parse_keeps_its_line(retail: Retail, written: list[bool]) -> None:
    line = json.dumps(ODD | {"rating": {"value": "neun – öß"}}, ensure_ascii=False)
    found = landed(retail(feed("survey")), "survey", with_one(line))
    assert written == [True, True]
    assert [(row, rule, raw) for row, rule, _, raw in found["quarantine"]] == [(110, "satisfaction_type", line)]
