"""The comment lines of a CSV file, and nothing else of it, are left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_retailer import HEADER, NIGHT, SmallRetailer, contract

from onedata.readers import csv_comments
from onedata.readers.csv_comments import mark_comments

Retail = Callable[..., SmallRetailer]


def desk(retail: Retail, **options: Any) -> SmallRetailer:
    return retail(contract(options=options, quarantineTolerance=0.5))


def comments(survey: SmallRetailer, content: bytes) -> list[str | None]:
    survey.put(f"survey/{NIGHT}.csv", content)
    survey.take()
    return [text for (text,) in survey.rows("comment")]


@pytest.mark.parametrize(
    ("comment", "note"),
    [
        ("#", "Tea #5"),
        ("#", "#5"),
        ("%", "50% off"),
        ("#", '"two\n# lines"'),
        ("#", '"two\n#, ""lines"""'),
        ("#", '5" # screen'),
        ("§", "Tea §5"),
    ],
)
@pytest.mark.parametrize("block", [1, 7, 1 << 20])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-8-sig"])
def test_only_lines_that_begin_with_the_character_are_comments(
    retail: Retail, monkeypatch: pytest.MonkeyPatch, encoding: str, block: int, comment: str, note: str
) -> None:
    monkeypatch.setattr(csv_comments, "BLOCK", block)
    survey = desk(retail, comment=comment, encoding=encoding.removesuffix("-sig"))
    text = (
        f'{comment} made by "till 7\n{HEADER}\nA1,O1,5,{note},\n{comment} it\'s "one,\nA2,O2,5,fine,{comment}\n'
        f"A3,O3,5,fine,\n{comment}"
    )
    value = note[1:-1].replace('""', '"') if note.startswith('"') else note
    assert comments(survey, text.encode(encoding)) == [value, "fine"]
    assert survey.quarantine("row, rule") == [(2, "answered_at_type")]


def test_a_bad_record_below_comments_has_the_number_of_its_line(retail: Retail) -> None:
    survey = desk(retail, comment="#")
    assert comments(survey, f"# top\n{HEADER}\n# mid\nA1,O1,5,fine,\nA2,O2,5,#2,x,y,z\n".encode()) == ["fine"]
    assert survey.quarantine("row, raw") == [(5, "A2,O2,5,#2,x,y,z")]


def test_a_file_with_the_character_that_marks_comments_is_refused(retail: Retail) -> None:
    survey = desk(retail, comment="#")
    assert comments(survey, f"{HEADER}\nA1,O1,5,Tea \x02 5,\n".encode()) == []
    assert "the file has the control character 0x02" in survey.quarantine("reason")[0][0]


@pytest.mark.parametrize("block", [1, 3, 1 << 20])
@pytest.mark.parametrize(
    ("options", "given", "marked"),
    [
        ({}, b"", b""),
        ({}, b"#", b"\x02"),
        ({}, b"a\r\n#b\r#c\n", b"a\r\n\x02b\r\x02c\n"),
        ({}, b'a,  "x\n#y"\n#z', b'a,  "x\n#y"\n\x02z'),
        ({}, b'"x\n#y', b'"x\n#y'),
        ({"delimiter": " "}, b'a "x\n#y"\n#z\n', b'a "x\n#y"\n\x02z\n'),
        ({"quote": "'"}, b"'x\n#y',\"\n#z\n", b"'x\n#y',\"\n\x02z\n"),
        ({"escape": "\\"}, b'"x\\"\n#y"\n#z\n', b'"x\\"\n#y"\n\x02z\n'),
        ({"delimiter": "§"}, 'a§"x\n#y"\n#z\n'.encode(), 'a§"x\n#y"\n\x02z\n'.encode()),
    ],
)
def test_comments_are_marked_outside_quotes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, str],
    given: bytes,
    marked: bytes,
    block: int,
) -> None:
    monkeypatch.setattr(csv_comments, "BLOCK", block)
    (tmp_path / "given").write_bytes(given)
    assert mark_comments(tmp_path / "given", tmp_path / "marked", {"comment": "#", **options}) is None
    assert (tmp_path / "marked").read_bytes() == marked
