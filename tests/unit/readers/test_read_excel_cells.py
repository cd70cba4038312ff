"""Excel cells whose text is not what the sheet shows: errors, number formats, long numbers, formulas without result."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest
from small_retailer import ANSWERS, HEADER, SmallRetailer, contract

from onedata.readers import excel
from onedata.readers.excel_formats import shown_by, text_shown_by

Retail = Callable[..., SmallRetailer]
NAMES = HEADER.split(",")


def sheet(*rows: str, formats: Sequence[str] = ()) -> bytes:
    """A workbook whose cells are the given XML, below the names of the feed; styles 1, 2 ... have the formats."""
    book, stream = openpyxl.Workbook(), io.BytesIO()
    page = book.active
    assert page is not None
    page.append(NAMES)
    page["A2"] = 1
    for number, shown_as in enumerate(formats, 1):
        page.cell(2, number).number_format = shown_as
    book.save(stream)
    return changed(
        stream.getvalue(), lambda part: re.sub('<row r="2".*</sheetData>', f"{''.join(rows)}</sheetData>", part)
    )


def changed(content: bytes, change: Callable[[str], str]) -> bytes:
    """The workbook with its sheet's XML changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(out, "w") as after:
        for name in before.namelist():
            part = before.read(name)
            after.writestr(name, change(part.decode()) if name == "xl/worksheets/sheet1.xml" else part)
    return out.getvalue()


def named(content: bytes, place: str, name: str) -> bytes:
    """The workbook with one more column name."""
    return changed(content, lambda part: part.replace("</row>", f"{text(place, name)}</row>", 1))


def line(number: int, *cells: str) -> str:
    return f'<row r="{number}">{"".join(cells)}</row>'


def text(place: str, value: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'


def answer(first: str, *more: str, number: int = 2) -> str:
    """A row with the cell as its response id, an order and a satisfaction of 5."""
    return line(number, first, text(f"B{number}", "O1"), f'<c r="C{number}"><v>5</v></c>', *more)


def landed(retail: Retail, content: bytes) -> SmallRetailer:
    survey = retail(contract(path="survey/{ds}.xlsx", kind="xlsx", properties=ANSWERS, quarantineTolerance=1))
    survey.put("survey/2026-01-05.xlsx", content)
    survey.take()
    return survey


ERRORS = ("#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!")


def test_an_error_in_a_mapped_column_quarantines_its_row(retail: Retail) -> None:
    rows = [
        answer(f'<c r="A{number}" t="e">{"<f>X!A1</f>" if number % 2 else ""}<v>{error}</v></c>', number=number)
        for number, error in enumerate(ERRORS, 2)
    ]
    survey = landed(retail, sheet(*rows, answer(text("A99", "A99"), number=99)))
    assert survey.rows("response_id") == [("A99",)]
    assert sorted(survey.quarantine("rule, reason")) == sorted(
        (
            "unreadable_record",
            f"id: cell A{number} holds Excel's error {error}; correct it and send the workbook again",
        )
        for number, error in enumerate(ERRORS, 2)
    )


def test_a_text_that_looks_like_an_error_is_a_text(retail: Retail) -> None:
    assert landed(retail, sheet(answer(text("A2", "#REF!")))).rows("response_id") == [("#REF!",)]


def test_an_error_in_a_column_that_no_property_reads_is_no_matter(retail: Retail) -> None:
    content = sheet(answer(text("A2", "A2"), '<c r="H2" t="e"><v>#REF!</v></c>'))
    content = named(content, "H1", "remark")
    assert landed(retail, content).rows("response_id") == [("A2",)]


def test_a_number_that_is_shown_as_a_day_and_is_none_is_told(retail: Retail) -> None:
    survey = landed(retail, sheet(answer('<c r="A2" s="1"><v>99999999</v></c>'), formats=["yyyy-mm-dd"]))
    assert "cell A2 holds a number that is shown as a day and is none" in survey.quarantine("reason")[0][0]


SHOWN = [
    (12, "00000;-00000", "00012"),
    (-12, "00000;-00000", "-00012"),
    (-12, "00000", "-00012"),
    (12, "00000_)", "00012"),
    (12, "[$-407]00000", "00012"),
    (12, "#0000", "0012"),
    (12, "0#", "12"),
    (5, "0#", "05"),
    (12, '"D-"00000', "D-00012"),
    (12, r"\D\-00000", "D-00012"),
    (12, '"D-"0', "D-12"),
    (12, '"00"0', "0012"),
    (12, '0" ml"', "12 ml"),
    (12, "[Red]00000000", "00000012"),
    (12345678, "00000-0000", "01234-5678"),
    (2065551234, "0000 0000000", "0206 5551234"),
    (12, "000-00-0000", "000-00-0012"),
    (0, "00000", "00000"),
    (12, "* 00000", "00012"),
    (1234, "[<=99999]00000;00000-0000", "01234"),
    (123456789, "[<=99999]00000;00000-0000", "12345-6789"),
    (12, "00000;-00000;0;@", "00012"),
    (12, "00000;@", "00012"),
    (12, 'General" pcs"', "12 pcs"),
    (12, "[$№]000", "№012"),
    (1234567, "00000", "1234567"),
]
PLAIN = [
    (12, "General"),
    (12, "@"),
    (12, "0"),
    (12, "0.00"),
    (12.5, "0.00"),
    (1234, "#,##0"),
    (1234.5, '#,##0.00 "EUR"'),
    (1234, '_-* #,##0.00 "€"_-;-* #,##0.00 "€"_-;_-* "-"?? "€"_-;_-@_-'),
    (0, '_-* #,##0.00 "€"_-;-* #,##0.00 "€"_-;_-* "-"?? "€"_-;_-@_-'),
    (-5, "#,##0_);[Red](#,##0)"),
    (0.5, "0%"),
    (123456789012, "0.00E+00"),
    (0.5, "# ?/?"),
    (2065551234, "[<=9999999]###-####;(###) ###-####"),
    (12, "G/通用格式"),
]
UNREAD = [
    (12.5, "00000"),
    (12, "0,000"),
    (12.5, "000.00"),
    (-12, "00000;[Red]00000"),
    (0, "0;-0;;@"),
    (1, '"yes";"no"'),
    (12, "[DBNum1]00000"),
    (12, "[>5]00000;[<2]0;000"),
]


@pytest.mark.parametrize(("value", "number_format", "shown"), SHOWN)
def test_a_code_is_read_as_its_format_shows_it(value: int, number_format: str, shown: str) -> None:
    assert shown_by(number_format, value, str(value)) == shown


@pytest.mark.parametrize(("value", "number_format"), PLAIN)
def test_a_format_of_an_amount_leaves_a_number_its_digits(value: float, number_format: str) -> None:
    assert shown_by(number_format, value, "its digits") == "its digits"


@pytest.mark.parametrize(("value", "number_format"), UNREAD)
def test_a_code_in_a_format_that_is_not_read_is_none(value: float, number_format: str) -> None:
    assert shown_by(number_format, value, "its digits") is None


@pytest.mark.parametrize(
    ("number_format", "shown"),
    [
        ("@", "A1"),
        ("General", "A1"),
        ('"D-"@', "D-A1"),
        ('0;-0;0;"D-"@', "D-A1"),
        ('"D-"00000', "A1"),
        ("_-* #,##0_-;_-@_-", "A1"),
        ('@*."x"', "A1x"),
        (";;;", "A1"),
    ],
)
def test_a_text_has_the_words_of_its_format(number_format: str, shown: str) -> None:
    assert text_shown_by(number_format, "A1") == shown


def codes(values: Sequence[tuple[float, str]], column: str) -> bytes:
    """A sheet with a row for each number and its format."""
    rows = []
    for number, (value, _) in enumerate(values, 2):
        own = f'<c r="{column}{number}" s="{number - 1}"><v>{value}</v></c>'
        if column == "A":
            rows.append(answer(own, number=number))
        else:
            rows.append(line(number, text(f"A{number}", f"A{number:02}"), text(f"B{number}", "O1"), own))
    distinct = [f"{number_format}{'_x' * number}" for number, (_, number_format) in enumerate(values)]
    return sheet(*rows, formats=distinct)


def test_a_text_column_has_the_code(retail: Retail) -> None:
    values = [(value, number_format) for value, number_format, _ in SHOWN]
    survey = landed(retail, codes(values, "A"))
    assert survey.quarantine("reason") == []
    assert sorted(survey.rows("response_id")) == sorted({(shown,) for *_, shown in SHOWN})


def test_a_text_column_has_the_words_around_a_text(retail: Retail) -> None:
    cell = '<c r="A2" s="1" t="str"><v>7</v></c>'
    assert landed(retail, sheet(answer(cell), formats=['"D-"@'])).rows("response_id") == [("D-7",)]


def test_words_with_a_raised_digit_are_shown(retail: Retail) -> None:
    cell = '<c r="A2" s="1"><v>7</v></c>'
    assert landed(retail, sheet(answer(cell), formats=['0"²"'])).rows("response_id") == [("7²",)]


def test_an_error_in_a_column_that_voids_costs_the_value(retail: Retail) -> None:
    void = [{"property": "onInvalid", "value": "void"}]
    properties = [item | ({"customProperties": void} if item["name"] == "satisfaction" else {}) for item in ANSWERS]
    survey = retail(contract(path="survey/{ds}.xlsx", kind="xlsx", properties=properties))
    row = line(2, text("A2", "A2"), text("B2", "O1"), '<c r="C2" t="e"><v>#N/A</v></c>')
    survey.put("survey/2026-01-05.xlsx", sheet(row))
    survey.take()
    assert survey.rows("response_id, satisfaction, _repaired") == [("A2", None, "satisfaction:void")]


def test_a_code_that_is_not_read_quarantines_its_row(retail: Retail) -> None:
    survey = landed(retail, sheet(answer('<c r="A2" s="1"><v>12</v></c>'), formats=["0,000"]))
    assert survey.rows("response_id") == []
    assert survey.quarantine("reason") == [
        ("id: cell A2 is shown by the number format 0,000, which is not read; send the column as text",)
    ]


def test_a_numeric_column_has_the_number(retail: Retail) -> None:
    formats = ['"D-"00000', "0,000", '0" points"', "00000-0000", '"yes";"no"', "00000"]
    survey = landed(retail, codes([(5, number_format) for number_format in formats], "C"))
    assert survey.quarantine("reason") == []
    assert [row[0] for row in survey.rows("satisfaction::int")] == [5] * 6


def test_a_number_too_long_for_excel_is_no_id(retail: Retail) -> None:
    values = ["12345678901234568", "9007199254740993", "12345678901234567890", "-12345678901234568"]
    values += ["1.2345678901234568E+16", "9007199254740994.0"]
    rows = [answer(f'<c r="A{n}"><v>{value}</v></c>', number=n) for n, value in enumerate(values, 2)]
    survey = landed(retail, sheet(*rows))
    assert survey.rows("response_id") == []
    found = survey.quarantine("rule, reason")
    assert [rule for rule, _ in found] == ["response_id_type"] * 6
    assert all("too large to hold every digit of a number that names something" in reason for _, reason in found)


def test_the_longest_number_that_excel_holds_is_an_id(retail: Retail) -> None:
    survey = landed(retail, sheet(answer('<c r="A2"><v>9007199254740992</v></c>')))
    assert survey.rows("response_id") == [("9007199254740992",)]


def test_an_endless_number_is_told(retail: Retail) -> None:
    survey = landed(retail, sheet(answer('<c r="A2"><v>1e999</v></c>')))
    assert "cell A2 holds a number too large for Excel" in survey.quarantine("reason")[0][0]


WITHOUT_RESULT = [
    '<c r="A2"><f>B1</f></c>',
    '<c r="A2"><f>B1</f><v></v></c>',
    '<c r="A2"><f>B1</f><v/></c>',
    '<c r="A2" t="str"><f>B1</f></c>',
    "<c r='A2'><f>B1</f></c>",
    "<c r='A2' t='str'><f>B1</f></c>",
    '<c\n r = "A2"><f>B1</f></c>',
    '<c r="A2"><f><![CDATA[B1&"<"]]></f></c>',
    '<c r="A2"><f>B1</f><!-- --><v/></c>',
    "<c><f>B1</f></c>",
    '<c r="A2" t="n"><f t="shared" si="0"/></c>',
    '<c r="A2" t="b"><f>B1</f></c>',
]


@pytest.mark.parametrize("cell", WITHOUT_RESULT)
def test_a_formula_without_a_saved_result_refuses_the_file(tmp_path: Path, cell: str) -> None:
    (tmp_path / "a.xlsx").write_bytes(sheet(answer(cell)))
    with pytest.raises(excel.NotASheet, match="cell A2 has a formula whose result is not saved in the file"):
        excel.to_parquet(tmp_path / "a.xlsx", tmp_path / "a.parquet", None, None, ["id"])


def test_a_formula_without_a_saved_result_is_told_of_its_file(retail: Retail) -> None:
    survey = landed(retail, sheet(answer(WITHOUT_RESULT[3]), answer(text("A3", "A3"), number=3)))
    assert survey.rows("response_id") == []
    assert "cell A2 has a formula whose result is not saved in the file" in survey.quarantine("reason")[0][0]


def test_a_formula_whose_result_is_an_empty_text_is_empty(retail: Retail) -> None:
    content = sheet(answer(text("A2", "A2"), '<c r="D2" t="str"><f>""</f><v></v></c>'))
    assert landed(retail, content).rows("response_id") == [("A2",)]


def test_a_formula_in_a_column_that_no_property_reads_is_no_matter(retail: Retail) -> None:
    content = named(sheet(answer(text("A2", "A2"), '<c r="H2"><f>1+1</f></c>')), "H1", "remark")
    assert landed(retail, content).rows("response_id") == [("A2",)]


def test_a_formula_in_the_header_is_told(tmp_path: Path) -> None:
    content = sheet(line(2, '<c r="A2"><f>1</f></c>'))
    (tmp_path / "a.xlsx").write_bytes(content)
    with pytest.raises(excel.NotASheet, match="cell A2 has a formula whose result is not saved"):
        excel.to_parquet(tmp_path / "a.xlsx", tmp_path / "a.parquet", None, "A2", ["id"])


def archive(**members: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000),
            "it is an old workbook (.xls), or one with a password. Ask",
        ),
        (b"id,order\n1,2\n", "it is no workbook. Ask for it saved as .xlsx, or change the format"),
        (b"", "it is no workbook"),
        (b"\xef\xbb\xbf\n<html><table>", "it is a web page or XML. Ask for it saved as .xlsx"),
        (archive(a="b"), "it is an archive of another kind. Ask for it saved as .xlsx"),
        (archive(**{"[Content_Types].xml": "", "xl/workbook.bin": ""}), "it is a binary workbook (.xlsb)"),
        (archive(**{"[Content_Types].xml": "<"}), "it is cut off or damaged. Ask for it again"),
        (sheet()[:-100], "it is cut off or damaged. Ask for it again"),
    ],
)
def test_a_file_that_is_no_workbook_is_told_in_our_words(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "a.xlsx").write_bytes(content)
    with pytest.raises(excel.NotASheet) as told:
        excel.to_parquet(tmp_path / "a.xlsx", tmp_path / "a.parquet", None, None)
    assert str(told.value).startswith(f"the file cannot be read as an Excel workbook (.xlsx): {says}")


def test_the_rows_of_a_sheet_are_those_of_its_range(tmp_path: Path) -> None:
    content = sheet(line(3, text("A3", "n")), line(5, text("A5", "1"), text("B5", "beside")))
    (tmp_path / "a.xlsx").write_bytes(content)
    excel.to_parquet(tmp_path / "a.xlsx", tmp_path / "a.parquet", None, "A3:A", ["n"])
    assert pq.read_table(tmp_path / "a.parquet", columns=["n"]).to_pylist() == [{"n": "1"}]
    with pytest.raises(excel.NotASheet, match="the sheet has no header"):
        excel.to_parquet(tmp_path / "a.xlsx", tmp_path / "a.parquet", None, "A4:A", ["n"])
