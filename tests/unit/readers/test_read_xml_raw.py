"""Single records extracted from an XML file as a whole, so that a quarantined row can be read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree
from xml_rows import XmlFeed, xml_feed

from onedata.readers import xml_stream

NAMES = "xmlns='urn:a' xmlns:v='urn:v'"
LINES = f"""<POSLog {NAMES} xmlns:w='urn:unused'>
<Ticket no="1" v:till="7"><Control/></Ticket>
<Ticket no="2"><Card>M1</Card><Sales><Line><No>1</No><Sale><v:Sku>S1</v:Sku></Sale></Line>
  <Line><No>2</No><Tender>9</Tender></Line>
  <Line v:void="true"><No>3</No><Return><v:Sku>caf&#233; &amp; &lt;b&gt;</v:Sku></Return></Line></Sales></Ticket>
<Ticket no="3"><Sales><Line><No>1</No><Sale><v:Sku><![CDATA[</Ticket>]]></v:Sku></Sale></Line></Sales></Ticket>
</POSLog>"""


@pytest.fixture
def lines(tmp_path: Path) -> XmlFeed:
    return xml_feed(
        tmp_path,
        ["@no", "Sales/Line/No", "Sales/Line//Sku", "Card", "Sales/Line/Sale/name()"],
        "Ticket",
        records="Sales/Line[Sale|Return]",
    )


@pytest.fixture
def tickets(tmp_path: Path) -> XmlFeed:
    return xml_feed(tmp_path, ["@no", "//Sku", "Card"], "Ticket", where="Sales")


def test_a_record_is_told_whole_with_the_namespaces_it_needs(tickets: XmlFeed) -> None:
    ((number, text),) = tickets.raw(LINES, 2)
    assert number == 2
    (record,) = etree.fromstring(f"<any>{text}</any>")
    assert [etree.QName(element).namespace for element in record.iter("{*}Ticket", "{*}Sku")] == ["urn:a", "urn:v"]
    assert text.startswith("<Ticket ") and text.endswith("</Ticket>")


def test_of_exploded_members_one_is_left_beside_those_that_are_no_rows(lines: XmlFeed) -> None:
    (_, first), (_, second) = lines.raw(LINES, 1, 2)
    assert ["<No>1</No>" in first, "<Tender>9</Tender>" in first, "<No>3</No>" in first] == [True, True, False]
    assert ["<No>1</No>" in second, "<Tender>9</Tender>" in second, "<No>3</No>" in second] == [False, True, True]


@pytest.mark.parametrize("kind", ["lines", "tickets"])
@pytest.mark.parametrize("block", [50, 200, 1 << 20])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_raw_record_is_read_again_as_its_row(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str, block: int, encoding: str
) -> None:
    monkeypatch.setattr(xml_stream, "BLOCK_BYTES", block)
    feed: XmlFeed = request.getfixturevalue(kind)
    document = LINES.encode(encoding)
    rows = feed.values(document)
    raw = feed.raw(document, *range(1, len(rows) + 1))
    assert [number for number, _ in raw] == list(range(1, len(rows) + 1))
    assert [feed.values(f"<any>{text}</any>") for _, text in raw] == [[row] for row in rows]
    assert [feed.values(f"<x:any xmlns:x='urn:x' xmlns='urn:y'>{text}</x:any>") for _, text in raw] == [
        [row] for row in rows
    ]


def test_only_the_wanted_rows_are_told_in_the_files_order(lines: XmlFeed) -> None:
    assert [number for number, _ in lines.raw(LINES, 3, 1, 99)] == [1, 3]
    assert lines.raw(LINES) == []


def test_many_records_are_passed_by_to_the_wanted_one(tmp_path: Path) -> None:
    feed = xml_feed(tmp_path, ["@id"])
    document = "<As>" + "".join(f"<Answer id='{number}'/>" for number in range(1, 100_001)) + "</As>"
    assert feed.raw(document, 77_777) == [(77_777, '<Answer id="77777"/>')]
