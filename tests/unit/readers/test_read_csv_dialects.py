"""CSV of other countries and older programs: encodings, dialects, no header, lines above it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from small_retailer import HEADER, SmallRetailer, contract

Retail = Callable[..., SmallRetailer]


def desk(retail: Retail, **options: Any) -> SmallRetailer:
    return retail(contract(options=options, quarantineTolerance=0.5))


def comments(survey: SmallRetailer, content: str | bytes) -> list[str | None]:
    survey.put("survey/2026-01-05.csv", content)
    survey.take()
    return [row[0] for row in survey.rows("comment")]


@pytest.mark.parametrize(
    ("encoding", "written", "note"),
    [
        ("gb18030", "gb18030", "很好 €𠀀"),
        ("gbk", "gbk", "很好"),
        ("big5", "big5", "很好"),
        ("shift_jis", "shift_jis", "表示 ソ"),  # second bytes that are a backslash
        ("euc_kr", "euc_kr", "좋아요"),
        ("cp1252", "cp1252", "café €"),
        ("latin-1", "latin-1", "café"),
        ("cp1251", "cp1251", "хорошо"),
        ("mac_roman", "mac_roman", "café"),
        ("utf-16", "utf-16", "café 中"),
        ("utf-16", "utf-16-le", "café 中"),
        ("utf-16", "utf-16-be", "café 中"),
        ("utf-16-le", "utf-16-le", "café 中"),
        ("utf-16-be", "utf-16-be", "café 中"),
        ("utf-32", "utf-32", "café 中"),
        ("UTF8", "utf-8", "café 中"),
        ("utf-8", "utf-8-sig", "café 中"),
    ],
)
def test_an_encoding_of_the_contract_lands_as_text(retail: Retail, encoding: str, written: str, note: str) -> None:
    survey = desk(retail, encoding=encoding)
    assert comments(survey, f"{HEADER}\nA1,O1,5,{note},\nA2,O2,1,x,\n".encode(written)) == [note, "x"]


@pytest.mark.parametrize(
    ("encoding", "broken", "shown"),
    [
        pytest.param("cp1252", b"caf\x81", "\\x81", id="a byte cp1252 does not have"),
        pytest.param("gb18030", b"\xff", "\\xff", id="a byte gb18030 does not have"),
        pytest.param("ascii", "é".encode(), "\\xc3", id="valid UTF-8 that is not ASCII"),
        pytest.param("shift_jis", b"\x81", "\\x81", id="half a character"),
    ],
)
def test_a_line_with_bytes_that_are_no_text_is_bad_and_shown(
    retail: Retail, encoding: str, broken: bytes, shown: str
) -> None:
    survey = desk(retail, encoding=encoding)
    assert comments(survey, f"{HEADER}\nA1,O1,5,".encode() + broken + b",\nA2,O2,1,x,\n") == ["x"]
    ((rule, reason, raw),) = survey.quarantine("rule, reason, raw")
    assert rule == "unreadable_record"
    assert "invalid encoding" in reason
    assert shown in raw


def test_a_text_larger_than_a_block_keeps_characters_on_the_border(
    retail: Retail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onedata.readers.encoding.BLOCK", 7)
    assert comments(desk(retail, encoding="gb18030"), f"{HEADER}\nA1,O1,5,很好很好很好很好,\n".encode("gb18030")) == [
        "很好很好很好很好"
    ]


def test_a_file_without_a_header_has_the_contracts_names(retail: Retail) -> None:
    survey = desk(retail, header=False, columns=HEADER.split(","))
    assert comments(survey, "A1,O1,5,fine,\nA2,O2,1,poor,\n") == ["fine", "poor"]
    assert survey.files("received") == [(2,)]


def test_lines_above_the_header_are_skipped(retail: Retail) -> None:
    assert comments(desk(retail, skip=2), f"Weekly report\n;;;\n{HEADER}\nA1,O1,5,fine,\n") == ["fine"]


def test_comment_lines_are_no_rows(retail: Retail) -> None:
    survey = desk(retail, comment="#")
    assert comments(survey, f"# made by till 7\n{HEADER}\nA1,O1,5,fine,\n# end\n") == ["fine"]
    assert survey.files("received") == [(1,)]


def test_a_quote_may_be_escaped_by_a_backslash(retail: Retail) -> None:
    assert comments(desk(retail, escape="\\"), f'{HEADER}\nA1,O1,5,"say \\"hi\\", please",\n') == ['say "hi", please']


def test_texts_of_the_contract_mean_nothing(retail: Retail) -> None:
    assert comments(desk(retail, nullValues=["NA", "-"]), f"{HEADER}\nA1,O1,5,NA,\nA2,O2,1,-,\nA3,O3,1,N/A,\n") == [
        None,
        None,
        "N/A",
    ]


@pytest.mark.parametrize("delimiter", [";", "\t", "|", "§"])
def test_any_character_separates(retail: Retail, delimiter: str) -> None:
    assert comments(desk(retail, delimiter=delimiter), f"{HEADER}\nA1,O1,5,fine,\n".replace(",", delimiter)) == ["fine"]


def test_an_undecodable_header_refuses_the_file_by_its_encoding(retail: Retail) -> None:
    survey = desk(retail, encoding="cp1252")
    survey.put("survey/2026-01-05.csv", b"\x81" + HEADER.encode())
    survey.take()
    assert "the header is not cp1252" in survey.quarantine("reason")[0][0]


def test_numbers_with_a_decimal_comma_are_numbers_by_the_reader_option(retail: Retail) -> None:
    properties = [
        {"name": "order_id", "physicalName": "order"},
        {"name": "payment_id", "physicalName": "no"},
        {"name": "amount", "physicalName": "amount"},
        {"name": "currency", "transformLogic": "'EUR'"},
    ]
    options = {"delimiter": ";", "decimal": ","}
    shop = retail(
        contract(
            "payments",
            entity="payment",
            path="pay/{ds}.csv",
            properties=properties,
            options=options,
            quarantineTolerance=1,
        )
    )
    amounts = ["1.234,50", "12,5", "-7", "1.000", "12.5", "x"]
    shop.put(
        "pay/2026-01-05.csv",
        "order;no;amount\n" + "".join(f"O1;{number};{amount}\n" for number, amount in enumerate(amounts)),
    )
    assert shop.take().counts == (6, 4, 2, 0)
    assert [float(amount) for (amount,) in shop.rows("amount")] == [1234.5, 12.5, -7, 1000]
    assert "the comma is decimal here" in shop.quarantine("reason")[0][0]


ENDS = {"crlf": b"\r\n", "lf": b"\n", "cr": b"\r"}
TOLD = {"crlf": "\\r\\n", "lf": "\\n", "cr": "\\r"}


@pytest.mark.parametrize("before", ENDS)
@pytest.mark.parametrize("after", ENDS)
@pytest.mark.parametrize("note", [b"fine", b'"a, b"', b'"two\nlines"', b'"two\r\nlines"', b'"two\rlines"'])
def test_lines_that_end_in_different_ways_are_read_right_or_told(
    retail: Retail, before: str, after: str, note: bytes
) -> None:
    """Two rows end as the header does, the third in its own way, the fourth as the header again."""
    one, other = ENDS[before], ENDS[after]
    rows = [b"A%d,O1,5,%b,2026-01-05T10:00:00Z" % (number, note) for number in range(1, 5)]
    content = one.join([HEADER.encode(), *rows[:2]]) + one + rows[2] + other + rows[3] + one
    survey = desk(retail)
    found = comments(survey, content)
    value = note.decode().strip('"')
    if before == after:
        assert found == [value] * 4
        return
    assert found == []
    # The header and two rows are before it; a value over two lines makes each row two.
    line = 4 if "\n" not in value and "\r" not in value else 7
    ((rule, reason),) = survey.quarantine("rule, reason")
    assert rule == "unreadable_file"
    assert reason == (
        f"the file cannot be read as csv: line {line} ends in {TOLD[after]} and those before it in {TOLD[before]}, so "
        "that rows could be taken for a part of others. Ask for one line end."
    )
