"""Tables for a terminal and in Markdown."""

from __future__ import annotations

from datetime import date

from onedata.tables import aligned, markdown_table, text_table, without_empty


def test_texts_stand_left_and_numbers_right_with_thousands() -> None:
    assert text_table(["table", "rows"], [("a", 5), ("longer", 1234567)]).splitlines() == [
        "  table        rows",
        "  a               5",
        "  longer  1,234,567",
    ]


def test_a_table_without_rows_is_its_header() -> None:
    assert text_table(["feed", "rows"], []) == "  feed  rows"


def test_other_values_are_shown_as_they_are() -> None:
    assert text_table(["a", "b"], [(None, date(2026, 1, 5))]).splitlines()[1] == "  None  2026-01-05"


def test_columns_that_are_named_stand_right_too() -> None:
    assert text_table(["feed", "s", ""], [("a", "1.5", "x"), ("b", "10.25", "")], right=["s"]).splitlines() == [
        "  feed      s",
        "  a       1.5  x",
        "  b     10.25",
    ]


def test_without_a_header_columns_are_as_wide_as_their_widest_cell() -> None:
    assert aligned([("a", "1", "x"), ("long", "12", "")], right=[1]) == ["a      1  x", "long  12"]


def test_in_markdown_nothing_breaks_out_of_its_cell() -> None:
    assert markdown_table(["a|b", ""], [("x | y", None), (" two\n lines ", 1)]).splitlines() == [
        "| a\\|b |  |",
        "| --- | --- |",
        "| x \\| y |  |",
        "| two lines | 1 |",
    ]


def test_named_columns_that_are_empty_in_every_row_are_left_out() -> None:
    assert without_empty(["a", "b", "c", ""], [("1", "", "", ""), ("2", "", "3", "")]) == (
        ["a", "c", ""],
        [["1", "", ""], ["2", "3", ""]],
    )
