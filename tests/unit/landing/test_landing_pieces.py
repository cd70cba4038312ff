"""Large text files are read in pieces by several threads: which files are split, and that rows are not affected."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from small_retailer import HEADER, NIGHT, SmallRetailer, contract

from onedata.readers import pieces
from onedata.readers.pieces import spans

Retail = Callable[..., SmallRetailer]
ROWS = 120


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files as small as these are cut, and read in steps that end within a record."""
    monkeypatch.setattr(pieces, "LEAST_BYTES", 100)
    monkeypatch.setattr(pieces, "READ_AT_ONCE", 37)
    monkeypatch.setattr(pieces, "BLOCK", 64)


def line(number: int, note: str = "fine") -> str:
    return f"A{number},O{number},{number % 5 + 1},{note},2026-01-05T10:00:00Z"


def csv_text(notes: dict[int, str] | None = None, end: str = "\n", usual: str = "fine") -> str:
    """A survey of `ROWS` rows with the notes of some."""
    return end.join([HEADER, *(line(number, (notes or {}).get(number, usual)) for number in range(1, ROWS + 1))]) + end


def json_lines() -> list[str]:
    names = HEADER.split(",")
    return [
        json.dumps(dict(zip(names, line(number, "fine – öß €").split(","), strict=True)), ensure_ascii=False)
        for number in range(1, ROWS + 1)
    ]


def landed(retail: Retail, content: str, kind: str = "csv", **more: Any) -> tuple[SmallRetailer, bool]:
    """The survey with one file landed, and whether it was read in pieces."""
    survey = retail(contract(kind=kind, path=f"survey/{{ds}}.{kind}", quarantineTolerance=1, **more))
    survey.con.execute("set threads = 2")
    survey.put(f"survey/{NIGHT}.{kind}", content)
    survey.land()
    return survey, any("_" in file.name.rpartition("-")[2] for file in survey.settings.staged.rglob("*.parquet"))


def ids(survey: SmallRetailer) -> list[tuple[int, str]]:
    """Number and id of every row, good and bad."""
    return survey.con.execute(
        f"select _row, response_id from read_parquet('{survey.settings.staged}/*/*/*.parquet') order by 1"
    ).fetchall()


EVERY = [(number, f"A{number}") for number in range(1, ROWS + 1)]


@pytest.mark.parametrize(
    "content",
    [
        csv_text(),
        csv_text(end="\r\n"),
        csv_text().rstrip("\n"),
        csv_text(usual="fine – öß € 好好好"),
        csv_text(usual='"fine, with ""quotes"""'),
        csv_text(usual='5" or 3" pipe'),
    ],
    ids=["lines", "CRLF", "no final line end", "letters of several bytes", "quoted fields", "quotes that open nothing"],
)
def test_a_csv_file_is_read_in_pieces_and_every_row_keeps_its_number(retail: Retail, content: str) -> None:
    survey, cut = landed(retail, content)
    assert (ids(survey), cut) == (EVERY, True)


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_a_file_of_json_lines_is_read_in_pieces_and_every_row_keeps_its_number(retail: Retail, end: str) -> None:
    survey, cut = landed(retail, (end or "\n").join(json_lines()) + end, "jsonl")
    assert (ids(survey), cut) == (EVERY, True)


def test_a_header_below_other_lines_is_left_out_of_the_count(retail: Retail) -> None:
    survey, cut = landed(retail, f"exported\nby the desk\n{csv_text()}", options={"skip": "2"})
    assert (ids(survey), cut) == (EVERY, True)


def test_a_file_without_a_header_is_counted_from_its_first_line(retail: Retail) -> None:
    survey, cut = landed(
        retail, csv_text().split("\n", 1)[1], options={"header": "false", "columns": HEADER.split(",")}
    )
    assert (ids(survey), cut) == (EVERY, True)


@pytest.mark.parametrize(
    "content",
    [
        csv_text({70: '"two\nlines"'}),
        csv_text({3: '"two\nlines"'}),
        csv_text().replace("A60,", "\n\nA60,"),
        csv_text().replace("A60,", "# a remark\nA60,"),
    ],
    ids=["a quoted line end in the second half", "in the first half", "blank lines", "a comment"],
)
def test_where_a_record_is_not_a_line_the_file_is_read_whole(retail: Retail, content: str) -> None:
    survey, cut = landed(retail, content, options={"comment": "#"})
    assert (ids(survey), cut) == (EVERY, False)


def test_a_record_that_cannot_be_taken_apart_is_quarantined_from_the_whole_file(retail: Retail) -> None:
    survey, cut = landed(retail, csv_text({100: "fine,one,too,many"}))
    assert not cut
    assert survey.files("received, accepted, quarantined") == [(ROWS, ROWS - 1, 1)]
    assert survey.quarantine("rule, raw") == [("unreadable_record", line(100, "fine,one,too,many"))]


def test_a_bad_row_of_a_later_piece_has_its_number_and_raw_text(retail: Retail) -> None:
    survey, cut = landed(retail, csv_text().replace("A110,O110,1,", "A110,O110,nine,"))
    assert cut
    assert survey.quarantine("row, rule") == [(110, "satisfaction_type")]
    assert "nine" in survey.quarantine("raw")[0][0]


def test_a_broken_json_line_of_a_later_piece_has_its_number_and_raw_text(retail: Retail) -> None:
    lines = json_lines()
    lines[109] = '{"id": "A110", '
    survey, cut = landed(retail, "\n".join(lines) + "\n", "jsonl")
    assert cut
    assert survey.quarantine("row, rule, raw") == [(110, "unreadable_record", '{"id": "A110", ')]


def test_blank_lines_between_json_lines_are_no_rows(retail: Retail) -> None:
    survey, cut = landed(retail, "\n\n".join(json_lines()), "jsonl")
    assert (ids(survey), cut) == (EVERY, False)


def test_a_file_of_any_name_is_read_in_pieces(retail: Retail) -> None:
    survey = retail(contract(path="survey/*.csv"))
    survey.con.execute("set threads = 2")
    survey.put("survey/50% [a]? #1 ö's.csv", csv_text())
    survey.land()
    assert ids(survey) == EVERY


def test_as_many_threads_are_there_after_landing_as_before(retail: Retail) -> None:
    survey, _ = landed(retail, csv_text())
    assert survey.con.execute("select current_setting('threads')").fetchone() == (2,)


def test_the_parts_of_a_file_end_with_lines_and_are_together_the_file(tmp_path: Path) -> None:
    file = tmp_path / "lines.csv"
    file.write_bytes(csv_text(usual="ß" * 10).encode())
    found = spans(file, 3, '"')
    content = file.read_bytes()
    assert (len(found), found[0].start, found[-1].end) == (3, 0, len(content))
    assert all(
        before.end == after.start and content[before.end - 1 : before.end] == b"\n" for before, after in pairwise(found)
    )
    assert [span.lines for span in found] == [content[span.start : span.end].count(b"\n") for span in found]


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n" * 20,
        "x" * 500,
        "a,b\n" * 50 + 'c,"\n' + "a,b\n" * 50,
        "a,b\n" * 50 + "c\rd\n" * 50,
        "a,b\r\n" * 50 + "c\r",
    ],
    ids=["small", "one line", "a quote that stays open", "a carriage return alone", "one at the end"],
)
def test_a_file_that_is_small_or_may_have_records_of_several_lines_is_not_cut(tmp_path: Path, content: str) -> None:
    file = tmp_path / "file.csv"
    file.write_text(content, newline="")
    assert len(spans(file, 2, '"')) < 2
