"""Files found by fuzzing that stopped a landing or silently lost rows: each is now read, or reported with the
reason."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_retailer import ANSWERS, HEADER, SmallRetailer, contract

Retail = Callable[..., SmallRetailer]
ROW = "A1,O1,5,fine,2026-01-05T10:00:00Z"
LINES = (
    {"name": "order_id", "physicalName": "id"},
    {"name": "line_id", "physicalName": "lines[].n"},
    {"name": "line_type", "transformLogic": "'sale'"},
    {"name": "channel", "transformLogic": "'online'"},
    {"name": "product_id", "physicalName": "lines[].n"},
    {"name": "quantity", "physicalName": "lines[].n"},
    {"name": "unit_price", "physicalName": "lines[].n"},
    {"name": "currency", "transformLogic": "'EUR'"},
)


@pytest.fixture
def documents(retail: Retail) -> SmallRetailer:
    return retail(contract(kind="jsonl", path="survey/{ds}.jsonl", quarantineTolerance=1))


@pytest.fixture
def orders(retail: Retail) -> SmallRetailer:
    return retail(
        contract(
            kind="jsonl",
            path="survey/{ds}.jsonl",
            entity="order_line",
            properties=LINES,
            records="lines",
            quarantineTolerance=1,
        )
    )


@pytest.mark.parametrize(
    "header",
    [
        '""' + HEADER,
        HEADER.replace("id", '"id"x', 1),
        HEADER.replace("answered", '"answered'),
        HEADER.replace("order", ' "order'),
    ],
)
def test_a_quote_astray_in_a_header_does_not_swallow_the_rows(survey: SmallRetailer, header: str) -> None:
    survey.put("survey/2026-01-05.csv", f"{header}\n{ROW}\n")
    assert survey.take().counts == (1, 0, 1, 0)
    assert "A quote in them would swallow rows" in survey.quarantine("reason")[0][0]


@pytest.mark.parametrize("title", ['"a report', '""a report', '"a" report'])
def test_a_quote_astray_in_a_skipped_line_does_not_swallow_the_rows(retail: Retail, title: str) -> None:
    survey = retail(contract(options={"skip": 1}))
    survey.put("survey/2026-01-05.csv", f"{title}\n{HEADER}\n{ROW}\n")
    assert survey.take().counts == (1, 0, 1, 0)
    assert "A quote in them would swallow rows" in survey.quarantine("reason")[0][0]


@pytest.mark.parametrize("title", ['a 12" report', "a report of 'it'", '"a report",,'])
def test_a_harmless_quote_in_a_skipped_line_does_no_harm(retail: Retail, title: str) -> None:
    survey = retail(contract(options={"skip": 1}))
    survey.put("survey/2026-01-05.csv", f"{title}\n{HEADER}\n{ROW}\n")
    assert survey.take().counts == (1, 1, 0, 0)


@pytest.mark.parametrize(("first", "second"), [("\r\n", "\n"), ("\n", "\r\n"), ("\r", "\n"), ("\n", "\r")])
def test_a_line_end_of_its_own_in_a_skipped_line_does_not_swallow_the_rows(
    retail: Retail, first: str, second: str
) -> None:
    survey = retail(contract(options={"skip": 1}))
    survey.put("survey/2026-01-05.csv", f"a report{first}{HEADER}{second}{ROW}{second}")
    assert survey.take().counts == (1, 0, 1, 0)
    assert "the first lines end in different ways" in survey.quarantine("reason")[0][0]


@pytest.mark.parametrize("title", ['"text" report', '"a ""b"" c"', '"a\\" report'])
def test_a_quote_astray_in_a_skipped_line_is_found_with_an_escape_of_its_own(retail: Retail, title: str) -> None:
    survey = retail(contract(options={"skip": 1, "escape": "\\"}))
    survey.put("survey/2026-01-05.csv", f"{title}\n{HEADER}\n{ROW}\n")
    assert survey.take().counts == (1, 0, 1, 0)
    assert "A quote in them would swallow rows" in survey.quarantine("reason")[0][0]


def test_blanks_around_quotes_in_a_header_do_no_harm(survey: SmallRetailer) -> None:
    survey.put("survey/2026-01-05.csv", f'"id" , "order","score"  ,note,answered\n{ROW}\n')
    assert survey.take().counts == (1, 1, 0, 0)


def test_a_night_with_nothing_but_a_file_that_cannot_be_read_is_booked(survey: SmallRetailer) -> None:
    survey.put("survey/2026-01-05.csv", f"{HEADER}\n{ROW}\r{ROW}\n")
    assert survey.take().counts == (1, 0, 1, 0)
    assert "cannot be read as csv" in survey.quarantine("reason")[0][0]


def test_a_header_of_very_many_columns_takes_no_time(survey: SmallRetailer) -> None:
    survey.put("survey/2026-01-05.csv", HEADER + "," * 200_000 + f"\n{ROW}\n")
    began = time.process_time()
    survey.take()
    assert time.process_time() - began < 10
    assert "the header has 200,000 columns without a name" in survey.quarantine("reason")[0][0]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_of_very_many_fields_does_not_take_all_memory(survey: SmallRetailer, end: str) -> None:
    survey.put("survey/2026-01-05.csv", f"{HEADER}{end}{ROW}{end}{'x,' * 100_000}{end}{ROW}{end}")
    began = time.process_time()
    assert survey.take().counts == (1, 0, 1, 0)
    assert time.process_time() - began < 10
    assert "has 100,001 fields and the header 5: were its line ends lost?" in survey.quarantine("reason")[0][0]


@pytest.mark.parametrize("end", ["\n", "\r"])
def test_long_lines_and_many_delimiters_in_quotes_are_read(survey: SmallRetailer, end: str) -> None:
    rows = [f'A{number},O1,5,"{"1,2," * 5_000}",' for number in range(3)]
    survey.put("survey/2026-01-05.csv", end.join([HEADER, *rows, ""]))
    assert survey.take().counts == (3, 3, 0, 0)


def test_a_field_name_longer_than_any_is_refused(survey: SmallRetailer) -> None:
    survey.put("survey/2026-01-05.csv", "x" * 200_000 + f",{HEADER}\n{ROW}\n")
    assert survey.take().counts == (1, 0, 1, 0)
    assert "field larger than field limit" in survey.quarantine("reason")[0][0]


@pytest.mark.parametrize(
    "name", ["", 'a"b', "a.b", "a[0]", "a[", "\\", "\x00", "x\x00y", "'", "$", "*", "~/", "'); drop table ops.file; --"]
)
def test_a_member_of_any_name_is_kept(documents: SmallRetailer, name: str) -> None:
    documents.put("survey/2026-01-05.jsonl", json.dumps({"id": "A1", "order": "O1", "score": 1, name: {"x": [1]}}))
    assert documents.take().counts == (1, 1, 0, 0)
    assert json.loads(documents.rows("_extra")[0][0]) == {name: {"x": [1]}}


def test_a_zero_byte_far_out_in_a_header_is_told(survey: SmallRetailer) -> None:
    survey.put("survey/2026-01-05.csv", f"{HEADER},{'é' * 5_000}\x00x\n{ROW}\n")
    assert survey.take().counts == (1, 0, 1, 0)
    assert "it holds zero bytes" in survey.quarantine("reason")[0][0]


def test_documents_with_names_for_values_are_refused(documents: SmallRetailer) -> None:
    documents.put("survey/2026-01-05.jsonl", json.dumps({f"A{number}": 1 for number in range(5_000)}))
    assert documents.take().counts == (1, 0, 1, 0)
    assert "5,000 members that are not in the contract ('A0', 'A1', ...)" in documents.quarantine("reason")[0][0]


@pytest.mark.parametrize("lines", [7, "x", True, {}, {"n": 1}])
def test_a_document_with_something_else_for_its_array_is_kept_whole(orders: SmallRetailer, lines: Any) -> None:
    document = json.dumps({"id": "A1", "lines": lines})
    orders.put("survey/2026-01-05.jsonl", document)
    assert orders.take().counts == (1, 0, 1, 0)
    assert orders.quarantine("rule, reason, raw") == [
        ("unreadable_record", "what stands at lines is no array", document)
    ]


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}")])
def test_a_document_nested_without_end_does_not_end_the_process(
    orders: SmallRetailer, opened: str, closed: str
) -> None:
    deep = opened * 1_000_000 + "1" + closed * 1_000_000
    orders.put(
        "survey/2026-01-05.jsonl",
        f'{{"id": "A1", "lines": [{{"n": 1}}]}}\n{{"id": "A2", "lines": [{{"n": "x", "deep": {deep}}}]}}\n',
    )
    assert orders.take().counts == (1, 0, 1, 0)
    assert "is nested 1,000,003 deep" in orders.quarantine("reason")[0][0]


def test_a_deep_document_is_read(orders: SmallRetailer) -> None:
    deep = "[" * 9_000 + "]" * 9_000
    orders.put(
        "survey/2026-01-05.jsonl",
        json.dumps({"id": "A1", "lines": [{"n": 1, "note": "[" * 100_000}]})[:-1] + f', "deep": {deep}}}\n',
    )
    assert orders.take().counts == (1, 1, 0, 0)


def test_a_file_of_one_byte_is_not_a_day_without_rows(documents: SmallRetailer) -> None:
    documents.put("survey/2026-01-05.jsonl", "{")
    assert documents.take().counts == (1, 0, 1, 0)
    assert "one byte long and no document" in documents.quarantine("reason")[0][0]


@pytest.mark.parametrize("line", ["7", '"text"', "[1, 2]", "null", "true"])
def test_a_line_that_is_no_object_is_kept_where_rows_are_members(orders: SmallRetailer, line: str) -> None:
    orders.put("survey/2026-01-05.jsonl", line + "\n")
    assert orders.take().counts == (1, 0, 1, 0)
    assert orders.quarantine("rule, raw") == [("unreadable_record", line)]


@pytest.mark.parametrize(
    ("odd", "shown"), [(b"\xed\xa0\x80", r"\xed\xa0\x80"), (b"\xff", r"\xff"), (b"\xc3(", r"\xc3(")]
)
def test_a_document_that_is_no_text_is_kept_whole_as_one_row(orders: SmallRetailer, odd: bytes, shown: str) -> None:
    orders.put(
        "survey/2026-01-05.jsonl",
        b'{"id": "A1%b", "lines": [{"n": 1}, {"n": 2}]}\n{"id": "A2", "lines": [{"n": 1}]}\n' % odd,
    )
    assert orders.take().counts == (2, 1, 1, 0)
    assert orders.quarantine("rule, raw") == [
        ("unreadable_record", f'{{"id": "A1{shown}", "lines": [{{"n": 1}}, {{"n": 2}}]}}')
    ]


@pytest.mark.parametrize("document", [{"id": "A1", "lines": None}, {"id": "A1", "lines": []}])
def test_a_document_without_members_has_no_rows(orders: SmallRetailer, document: dict[str, Any]) -> None:
    orders.put("survey/2026-01-05.jsonl", json.dumps(document))
    assert orders.take().counts == (0, 0, 0, 0)


def workbook() -> bytes:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    for row in (HEADER, ROW):
        book.active.append(row.split(","))
    book.save(stream)
    return stream.getvalue()


def damaged(content: bytes) -> bytes:
    """The packed bytes of the sheet are others."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        info = book.getinfo("xl/worksheets/sheet1.xml")
    at = info.header_offset + 30 + len(info.filename)
    return content[:at] + b"\xff" * 40 + content[at + 40 :]


def beheaded(content: bytes) -> bytes:
    """Its directory says that a part begins before the file does."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return content[book.getinfo("docProps/core.xml").header_offset + 4 :]


@pytest.mark.parametrize("broken", [damaged, beheaded])
def test_a_damaged_workbook_does_not_stop_its_neighbour(retail: Retail, broken: Callable[[bytes], bytes]) -> None:
    survey = retail(contract(kind="xlsx", path="survey/{ds}_*.xlsx", properties=ANSWERS))
    survey.put("survey/2026-01-05_1.xlsx", broken(workbook()))
    survey.put("survey/2026-01-05_2.xlsx", workbook())
    assert survey.take().counts == (2, 1, 1, 0)
    assert "cannot be read as an Excel workbook" in survey.quarantine("reason")[0][0]


def test_a_parquet_file_that_says_it_has_more_rows_is_refused(retail: Retail) -> None:
    survey, stream = retail(contract(kind="parquet", path="survey/{ds}.parquet")), io.BytesIO()
    names = HEADER.split(",")
    pq.write_table(pa.table({name: [value] * 3 for name, value in zip(names, ROW.split(","), strict=True)}), stream)
    # The footer's number of rows, an integer, stands before its list of row groups.
    lying = stream.getvalue().replace(b"\x16\x06\x19\x1c", b"\x16\x0a\x19\x1c")
    survey.put("survey/2026-01-05.parquet", lying)
    assert survey.take().counts == (1, 0, 1, 0)
    assert "says that it has 5 rows and there are 3 in it" in survey.quarantine("reason")[0][0]
