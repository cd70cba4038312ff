"""A file in another encoding than is said is refused; one in the encoding that is said is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from small_retailer import HEADER, NIGHT, SmallRetailer, contract
from xml_rows import XmlFeed, xml_feed

from onedata.readers.mistaken import is_chinese, misdeclared, mistaken

Retail = Callable[..., SmallRetailer]
SINGLE = ("cp1251", "koi8-r", "cp850", "cp437", "mac-roman", "cp1253", "cp866", "iso8859-5", "cp1252", "latin-1")
MULTIPLE = ("gb18030", "gbk", "gb2312", "big5", "shift_jis", "euc_jp", "euc_kr", "cp949")


@pytest.fixture
def written(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "some.csv"
        path.write_bytes(content)
        return path

    return write


def rows(*notes: str) -> str:
    return "\n".join([HEADER, *(f"A{number},O1,5,{note}," for number, note in enumerate(notes, 1))]) + "\n"


def found(survey: SmallRetailer, content: bytes, kind: str = "csv") -> tuple[list[str], list[str]]:
    """The comments that landed, and the reasons in quarantine."""
    survey.put(f"survey/{NIGHT}.{kind}", content)
    survey.take()
    return [text for (text,) in survey.rows("comment")], [reason for (reason,) in survey.quarantine("reason")]


@pytest.mark.parametrize("encoding", [*SINGLE, *MULTIPLE])
@pytest.mark.parametrize("note", ["Müller Käse", "Müller", "“Tea’s”", "чай с лимоном", "绿茶", "Ελλάδα"])
def test_utf_8_is_no_other_encoding(written: Callable[[bytes], Path], encoding: str, note: str) -> None:
    assert mistaken(written(rows(note).encode()), encoding) == (
        f"the file is UTF-8, the contract says {encoding}. Set encoding: utf-8 in the contract."
    )


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize(
    ("encoding", "note"),
    [
        ("gb18030", "鞋"),
        ("gb18030", "猫"),  # è, if read as UTF-8
        ("gb18030", "毛帽"),
        ("gb18030", "楼,鞋"),
        ("big5", "很好"),
        ("shift_jis", "ﾃｱ"),
        ("euc_kr", "좋아요"),
        ("cp1250", "żółć"),
        ("iso8859-2", "żółć"),
        ("cp1252", "ÄÖÜß"),
        ("cp1252", "————"),
        ("cp1252", "\xa0\xa0\xa0\xa0"),
        ("latin-1", "······"),
        ("iso8859-7", "ΑΒΓΔ"),
        ("cp1251", "чай"),
        ("koi8-r", "чай"),
    ],
)
def test_a_text_in_the_encoding_that_is_said_is_no_mistake(
    written: Callable[[bytes], Path], encoding: str, note: str, repeats: int
) -> None:
    assert mistaken(written(rows(*[note] * repeats).encode(encoding)), encoding) is None


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("note", ["绿茶", "中文名", "很好，下次再来。", "很好"])
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp1250", "cp1257"])
def test_chinese_text_is_no_european_encoding(
    written: Callable[[bytes], Path], encoding: str, note: str, repeats: int
) -> None:
    message = mistaken(written(rows(*[note] * repeats).encode("gb18030")), encoding)
    assert message is not None
    assert f"the file is no {encoding}: it has the bytes" in message
    assert message.endswith("Set encoding in the contract, for example gb18030.")


def test_one_word_in_gb18030_does_not_make_a_german_file_chinese(written: Callable[[bytes], Path]) -> None:
    assert mistaken(written(rows(*["Größe für Käufer"] * 9).encode("cp1252") + b"\xc2\xcc\xb2\xe8"), "cp1252") is None


@pytest.mark.parametrize(
    ("mark", "said", "told"),
    [("utf-16", "cp1252", "UTF-16"), ("utf-32", "utf-16", "UTF-32"), ("utf-8-sig", "gb18030", "UTF-8")],
)
def test_a_byte_order_mark_tells_the_encoding(
    written: Callable[[bytes], Path], mark: str, said: str, told: str
) -> None:
    assert mistaken(written(rows("fine").encode(mark)), said) == (
        f"the file is {told}, the contract says {said}. Set encoding: {told.lower()} in the contract."
    )


@pytest.mark.parametrize(("mark", "told"), [("utf-16", "UTF-16"), ("utf-32", "UTF-32")])
def test_wide_text_where_utf_8_is_agreed_is_told_once(retail: Retail, mark: str, told: str) -> None:
    survey = retail(contract())
    landed, (reason,) = found(survey, rows("fine", "fine").encode(mark))
    assert landed == []
    assert reason == (
        f"the file is {told}, the contract says utf-8. Set encoding: {told.lower()} in the contract, or ask for UTF-8."
    )


def documents(notes: Sequence[str]) -> str:
    lines = [
        json.dumps({"id": f"A{number}", "order": "O1", "score": 5, "note": note, "answered": None}, ensure_ascii=False)
        for number, note in enumerate(notes, 1)
    ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("mark", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_json_lines_are_told_once(retail: Retail, mark: str) -> None:
    survey = retail(contract(path="survey/{ds}.jsonl", kind="jsonl"))
    landed, (reason,) = found(survey, documents(["fine", "fine"]).encode(mark), "jsonl")
    assert landed == []
    assert "UTF-8, the one encoding of JSON" in reason


CHINESE = ("鞋", "楼", "绿茶", "很好", "中文名", "红茶")


def of_kind(retail: Retail, kind: str) -> SmallRetailer:
    return retail(contract(path=f"survey/{{ds}}.{kind}", kind=kind, quarantineTolerance=1))


def content_of(kind: str, notes: Sequence[str]) -> str:
    if kind == "json":
        return f"[{','.join(documents(notes).splitlines())}]"
    return documents(notes) if kind == "jsonl" else rows(*notes)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json"])
def test_gb18030_where_utf_8_is_agreed_is_refused_whole(retail: Retail, kind: str) -> None:
    """鞋 and 楼 are valid UTF-8 by chance, and would land as other characters."""
    survey = of_kind(retail, kind)
    landed, (reason,) = found(survey, content_of(kind, CHINESE).encode("gb18030"), kind)
    assert landed == []
    assert reason.startswith("the file is no UTF-8")
    assert "it reads as GB18030" in reason


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json"])
def test_a_chinese_file_in_utf_8_with_one_spoilt_line_is_read(retail: Retail, kind: str) -> None:
    survey = of_kind(retail, kind)
    content = content_of(kind, [*CHINESE, "SPOILT"]).encode().replace(b"SPOILT", "绿茶".encode("gb18030"))
    landed, reasons = found(survey, content, kind)
    assert landed == list(CHINESE)
    assert len(reasons) == 1


def test_gb18030_lines_that_cannot_land_wrong_are_quarantined_alone(retail: Retail) -> None:
    landed, reasons = found(of_kind(retail, "csv"), rows("fine", "绿茶", "poor").encode("gb18030"))
    assert landed == ["fine", "poor"]
    assert len(reasons) == 1


def test_files_beside_one_in_another_encoding_land(retail: Retail) -> None:
    survey = retail(contract(path="survey/{ds}_*.csv", quarantineTolerance=1))
    survey.put(f"survey/{NIGHT}_1.csv", rows(*CHINESE).encode("gb18030"))
    survey.put(f"survey/{NIGHT}_2.csv", rows("fine", "很好").replace("A", "B"))
    survey.take()
    assert survey.files("status, accepted, quarantined") == [("unreadable", 0, 1), ("landed", 2, 0)]


@pytest.mark.parametrize(
    ("encoding", "notes"),
    [
        ("latin-1", ["für", "café", "Käse"]),
        ("cp1251", ["чай", "хорошо"]),
        ("big5", ["很好", "下次再來", "謝謝你們"]),
        ("utf-8", CHINESE),
    ],
)
def test_other_text_is_not_taken_for_chinese(
    written: Callable[[bytes], Path], encoding: str, notes: Sequence[str]
) -> None:
    assert not is_chinese(written(rows(*notes).encode(encoding)))


@pytest.fixture
def feed(tmp_path: Path) -> XmlFeed:
    return xml_feed(tmp_path, ["Note"])


def document(declared: str, note: str) -> str:
    return f"<?xml version='1.0' encoding='{declared}'?><As><Answer><Note>{note}</Note></Answer></As>"


@pytest.mark.parametrize(
    ("declared", "written_in", "note", "words"),
    [
        ("ISO-8859-1", "utf-8", "Käse", "the file is UTF-8, and declares ISO-8859-1"),
        ("windows-1252", "utf-8", "Käse", "the file is UTF-8, and declares windows-1252"),
        ("windows-1251", "utf-8", "чай", "the file is UTF-8, and declares windows-1251"),
        ("GB18030", "utf-8", "Müller Käse", "the file is UTF-8, and declares GB18030"),
        ("GB18030", "utf-8", "绿茶", "the file is UTF-8, and declares GB18030"),
        ("ISO-8859-1", "gb18030", "绿茶", "the file is no ISO-8859-1: it has the bytes c2 cc b2 e8 in a row"),
        ("ISO-8859-1", "cp1252", "5 €", "the file is no ISO-8859-1: the byte 0x80 is no character there"),
    ],
)
def test_xml_in_another_encoding_than_it_declares_is_refused(
    feed: XmlFeed, declared: str, written_in: str, note: str, words: str
) -> None:
    message = feed.problem(document(declared, note).encode(written_in))
    assert message.startswith(words)
    assert message.endswith("Ask for the file with the right declaration, or in UTF-8.")


@pytest.mark.parametrize(
    ("declared", "note"),
    [("ISO-8859-1", "ÄÖÜß"), ("windows-1252", "5 €"), ("windows-1251", "чай"), ("GB18030", "鞋"), ("UTF-8", "绿茶")],
)
def test_xml_in_the_encoding_that_it_declares_is_read(feed: XmlFeed, declared: str, note: str) -> None:
    assert feed.values(document(declared, note).encode(declared)) == [(note,)]


def test_xml_with_a_byte_order_mark_is_read_by_that(feed: XmlFeed) -> None:
    assert feed.values(document("ISO-8859-1", "Käse").encode("utf-8-sig")) == [("Käse",)]


def test_an_encoding_that_python_does_not_know_is_left_to_the_parser(written: Callable[[bytes], Path]) -> None:
    assert misdeclared(written("Käse".encode()), "x-own") is None
