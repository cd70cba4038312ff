"""Excel sheets as users leave them: titles above the table, days, empty rows, formulas."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest
from small_retailer import ANSWERS, HEADER, NEXT, SmallRetailer, contract

from onedata.readers import excel

Retail = Callable[..., SmallRetailer]
NAMES = HEADER.split(",")
ROW = ["A1", "O1", 5, "fine", dt.datetime(2026, 1, 5, 10)]


def workbook(*rows: list[Any], sheet: str = "Survey", change: Callable[[Any], None] | None = None) -> bytes:
    book = openpyxl.Workbook()
    page = book.active
    page.title = sheet
    for row in rows:
        page.append(row)
    if change:
        change(page)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def desk(retail: Retail, **options: str) -> SmallRetailer:
    return retail(
        contract(path="survey/{ds}.xlsx", kind="xlsx", options=options, properties=ANSWERS, quarantineTolerance=0.5)
    )


def cells(
    tmp_path: Path, content: bytes, sheet: str | None = None, area: str | None = None
) -> list[dict[str, str | None]]:
    (tmp_path / "a.xlsx").write_bytes(content)
    excel.to_parquet(tmp_path / "a.xlsx", tmp_path / "a.parquet", sheet, area)
    return list(pq.read_table(tmp_path / "a.parquet").to_pylist())


def test_a_sheet_lands(retail: Retail) -> None:
    survey = desk(retail)
    survey.put("survey/2026-01-05.xlsx", workbook(NAMES, ROW, ["A2", "O2", 9, None, None]))
    assert survey.take().counts == (2, 1, 1, 0)
    assert survey.rows("response_id, satisfaction::int, answered_at::varchar") == [("A1", 5, "2026-01-05 10:00:00")]


def test_a_merged_title_above_the_table_is_left_out_by_the_range(retail: Retail) -> None:
    survey = desk(retail, sheet="Survey", range="A4:E")
    content = workbook(
        ["Weekly report"], [], ["as of", dt.date(2026, 1, 5)], NAMES, ROW, change=lambda page: page.merge_cells("A1:E1")
    )
    survey.put("survey/2026-01-05.xlsx", content)
    assert survey.take().counts == (1, 1, 0, 0)


def test_the_same_sheet_again_is_a_repeat(retail: Retail) -> None:
    survey = desk(retail)
    survey.put("survey/2026-01-05.xlsx", workbook(NAMES, ROW))
    survey.take()
    survey.put("survey/2026-01-06.xlsx", workbook(NAMES, ROW, ["A2", "O2", 4, None, None]))
    assert survey.take(NEXT).counts == (2, 1, 0, 1)


def test_empty_rows_are_no_rows(tmp_path: Path) -> None:
    assert [
        row["a"] for row in cells(tmp_path, workbook([], ["a", "b"], ["1", "2"], [], [None, None], ["3", None]))
    ] == ["1", "3"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (12.5, "12.5"),
        (0.1, "0.1"),
        (1e-07, "0.0000001"),
        (123456789012, "123456789012"),
        (dt.date(2026, 1, 5), "2026-01-05"),
        (dt.datetime(2026, 1, 5, 10, 30, 15), "2026-01-05 10:30:15"),
        (dt.time(10, 5), "10:05:00"),
        (True, "true"),
        ("00123", "00123"),
        ("two\nlines", "two\nlines"),
        ("=not a formula".replace("=", "\u200b="), "\u200b=not a formula"),
        ("#N/A", "#N/A"),
    ],
)
def test_a_cell_becomes_the_text_that_casts_back(tmp_path: Path, value: object, text: str) -> None:
    assert cells(tmp_path, workbook(["a"], [value])) == [{"a": text}]


def with_value(content: bytes, formula: str, value: str) -> bytes:
    """The workbook as Excel saves it: the formula's last value beside it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(stream, "w") as after:
        for name in before.namelist():
            part = before.read(name)
            if name == "xl/worksheets/sheet1.xml":
                part = part.replace(f"<f>{formula}</f><v></v>".encode(), f"<f>{formula}</f><v>{value}</v>".encode())
            after.writestr(name, part)
    return stream.getvalue()


def test_a_formula_is_the_value_it_had(tmp_path: Path) -> None:
    assert cells(tmp_path, with_value(workbook(["a", "b"], ["=20+22", "x"]), "20+22", "42")) == [{"a": "42", "b": "x"}]


def test_a_formula_that_calls_a_program_is_never_run(tmp_path: Path) -> None:
    with pytest.raises(excel.NotASheet, match="cell A2 has a formula whose result is not saved"):
        cells(tmp_path, workbook(["a", "b"], ["=cmd|' /C calc'!A0", "x"]))


def test_another_sheet_is_chosen_by_name(tmp_path: Path) -> None:
    content = workbook(["a"], ["1"], change=lambda page: page.parent.create_sheet("Other").append(["z"]))
    assert cells(tmp_path, content, "Survey") == [{"a": "1"}]
    with pytest.raises(excel.NotASheet, match="there is no sheet 'Nix'; the workbook has 'Survey', 'Other'"):
        cells(tmp_path, content, "Nix")


def test_a_cell_far_away_takes_no_memory(tmp_path: Path) -> None:
    content = workbook(["a"], ["1"], change=lambda page: page.cell(100_000, 1, "2"))
    assert [row["a"] for row in cells(tmp_path, content)] == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"no workbook", "cannot be read as an Excel workbook", id="no workbook"),
        pytest.param(workbook(NAMES, ROW)[:-200], "cannot be read as an Excel workbook", id="truncated"),
        pytest.param(workbook(), "the sheet has no header", id="empty"),
        pytest.param(workbook(["a", "a"], [1, 2]), "column 'a' stands twice in the header", id="twice"),
        pytest.param(
            workbook(["a", None], [1, "lost"]),
            'row 1 below the header has "aaaa" in a column without a name',
            id="no name",
        ),
        pytest.param(workbook(["id", "score"], ["A1", 5]), "column 'order' is missing", id="missing column"),
    ],
)
def test_a_sheet_that_cannot_be_read_is_quarantined_whole(retail: Retail, content: bytes, says: str) -> None:
    survey = desk(retail)
    survey.put("survey/2026-01-05.xlsx", content)
    assert survey.take().counts == (1, 0, 1, 0)
    assert says in survey.quarantine("reason")[0][0]


def test_a_workbook_that_is_a_bomb_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "RATIO_FROM_BYTES", 1 << 20)
    stream = io.BytesIO(workbook(["a"], ["1"]))
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/a.bin", b"0" * (32 << 20))
    with pytest.raises(excel.NotASheet, match="as a zip bomb does"):
        cells(tmp_path, stream.getvalue())


@pytest.mark.parametrize(
    ("value", "shown_as", "text"),
    [
        (123, "00000", "00123"),
        (1234567, "00000", "1234567"),
        (123, "0", "123"),
        (123, "0.00", "123"),
        (12.5, "00000", "12.5"),
        (-5, "00000", "-5"),
        (float(2**53), "General", "9007199254740992"),
    ],
)
def test_zeros_that_a_format_shows_are_part_of_a_number(tmp_path: Path, value: float, shown_as: str, text: str) -> None:
    def change(page: Any) -> None:
        page["A2"].number_format = shown_as

    assert cells(tmp_path, workbook(["a"], [value], change=change)) == [{"a": text}]


def test_an_id_that_excel_holds_no_more_is_quarantined(retail: Retail) -> None:
    survey = desk(retail)
    survey.put("survey/2026-01-05.xlsx", workbook(NAMES, ROW, [1.2e17, "O2", 5, None, None]))
    assert survey.take().counts == (2, 1, 1, 0)
    ((rule, reason),) = survey.quarantine("rule, reason")
    assert rule == "response_id_type"
    assert "too large to hold every digit of a number that names something; send it as a text" in reason


def test_a_formula_without_a_saved_result_is_told(tmp_path: Path) -> None:
    with pytest.raises(excel.NotASheet, match=r"cell B2 has a formula whose result is not saved in the file"):
        cells(tmp_path, workbook(["a", "b"], ["1", "=1+1"]))
