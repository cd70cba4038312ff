"""What a contract's path extracts from an XML record."""

from __future__ import annotations

from pathlib import Path

import pytest
from xml_rows import xml_feed

from onedata.contracts import ContractError

DOCUMENT = """<As xmlns="urn:a" xmlns:v="urn:v"><Answer id="A1" v:id="V1" empty="">
  <Order><No>O1</No><No>O2</No></Order><Order kind="gift"><No>O3</No><v:Weight unit="kg">3</v:Weight></Order>
  <Empty/><Note>a <b>bold</b> word</Note><v:Note>vendor</v:Note><Blank> </Blank><Nothing></Nothing>
  <Deep><Deeper><Code at="1">C1</Code></Deeper></Deep><Total type="tax">1</Total><Total type="grand">9</Total>
  <Part><Kind>x</Kind><Value>1</Value></Part><Part><Kind>it's</Kind><Value>2</Value></Part>
  <Seal v:id="V2"><No>7</No></Seal>
</Answer></As>"""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("@id", "A1"),
        ("@empty", ""),
        ("@nowhere", None),
        ("Order/No", "O1"),
        ("Order/@kind", "gift"),
        ("Order/Weight", "3"),
        ("Order/Weight/@unit", "kg"),
        ("Order/nowhere", None),
        ("Empty", ""),
        ("Nothing", ""),
        ("Blank", " "),
        ("Note", "a bold word"),
        ("Deep//Code", "C1"),
        ("//Code", "C1"),
        ("//Code/@at", "1"),
        ("Deep//@at", "1"),
        ("name()", "Answer"),
        ("Order/name()", "Order"),
        ("nowhere/name()", None),
        ("Deep/Deeper/.", "C1"),
        ("Total[@type=grand]", "9"),
        ("Total[@type=none]", None),
        ("Order[Weight]/No", "O3"),
        ("Order[nowhere|@kind]/No", "O3"),
        ("Part[Kind=x]/Value", "1"),
        ("Part[Kind=it's]/Value", "2"),
        ("Part[Kind=x][Value]/Value", "1"),
        ("Part[Kind=x][Value=2]/Value", None),
        ("Order[No=O3][@kind=gift]/Weight", "3"),
        ("Deep[Deeper/Code=C1]/Deeper/Code/@at", "1"),
        ("Deep[Deeper/Code/@at=1]//Code", "C1"),
        ("Deep[Deeper/Code/@at=2]//Code", None),
        ("Deep[Deeper/nowhere|Deeper/Code]//Code", "C1"),
        ("Order[Weight/@unit=kg]/No", "O3"),
        ("Seal[@id=V2]/No", "7"),
        ("Seal[@id]/No", "7"),
        ("Seal[@id=V3]/No", None),
        ("sum(Total)", "10"),
        ("sum(Total[@type=grand])", "9"),
        ("sum(Part/Value)", "3"),
        ("sum(Order/Weight)", "3"),
        ("sum(nowhere)", "0"),
        ("sum(Note)", "NaN"),
    ],
)
def test_a_path_takes_the_first_match(tmp_path: Path, path: str, value: str | None) -> None:
    feed = xml_feed(tmp_path, ["Note", "//No", path])
    found = dict(zip(feed.feed.source_fields, feed.values(DOCUMENT)[0], strict=True))
    assert found[path] == value


FLAGS = """<As><Answer><Line void="true"><No>1</No></Line><Line void="1"><No>2</No></Line><Line void="false"><No>4</No>
</Line><Line void="0"><No>8</No></Line><Line><No>16</No></Line><Line void="TRUE"><No>32</No></Line><Line><Void>1</Void>
<No>64</No></Line></Answer></As>"""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("sum(Line[@void=true]/No)", "3"),
        ("sum(Line[@void=false]/No)", "12"),
        # A digit in a contract is a digit, not a boolean.
        ("sum(Line[@void=1]/No)", "2"),
        ("sum(Line[@void=0]/No)", "8"),
        ("sum(Line[Void=true]/No)", "64"),
        ("sum(Line[@void=true][No=2]/No)", "2"),
    ],
)
def test_a_filter_finds_both_ways_in_which_xml_writes_a_boolean(tmp_path: Path, path: str, value: str) -> None:
    feed = xml_feed(tmp_path, ["@id", path])
    assert dict(zip(feed.feed.source_fields, feed.values(FLAGS)[0], strict=True))[path] == value


@pytest.mark.parametrize(
    "path",
    [
        "v:Note",
        "..",
        "../Order",
        "Order[",
        "Order[2]",
        "Order[No][2]",
        "Order[/No]",
        "Order[No/]",
        "Order[@kind/No]",
        "sum(Order",
        "sum()",
        "sum(sum(Order))",
        "count(Order)",
        "Order[x='a'\"]",
        "@id/No",
        "a//name()",
        "Order/",
        "a'b",
        "text()",
        "*",
    ],
)
def test_a_path_that_is_not_understood_is_a_mistake_in_the_contract(tmp_path: Path, path: str) -> None:
    feed = xml_feed(tmp_path, ["@id", path])
    with pytest.raises(ContractError, match=r"survey\.odcs\.yaml: survey: the XML path .* is not understood"):
        feed.read(DOCUMENT)


@pytest.mark.parametrize("tag", ["v:Answer", "//Answer", "Answer | Note"])
def test_a_record_tag_that_is_no_name_is_a_mistake_in_the_contract(tmp_path: Path, tag: str) -> None:
    with pytest.raises(ContractError, match=r"recordTag .* is not understood"):
        xml_feed(tmp_path, ["@id"], tag).read(DOCUMENT)


@pytest.mark.parametrize("records", ["//Order", "Order/@kind", "Order/name()"])
def test_members_are_named_by_a_plain_path(tmp_path: Path, records: str) -> None:
    with pytest.raises(ContractError, match="is not understood"):
        xml_feed(tmp_path, ["@id", "Order/No"], records=records).read(DOCUMENT)


def test_one_record_tag_may_begin_like_another(tmp_path: Path) -> None:
    document = (
        "<As><AnswerLink id='no'/><Answer id='A1'><AnswerLink id='no'>x</AnswerLink></Answer><Answers "
        "id='no'></Answers><Answer id='A2'/></As>"
    )
    assert xml_feed(tmp_path, ["@id"]).values(document) == [("A1",), ("A2",)]


def test_records_may_have_several_names_and_tell_their_own(tmp_path: Path) -> None:
    document = "<As><Sale id='1'/><Tender id='2'/><Return id='3'>x</Return><v:Sale xmlns:v='urn:v' id='4'/></As>"
    assert xml_feed(tmp_path, ["name()", "@id"], "Sale|Return").values(document) == [
        ("Sale", "1"),
        ("Return", "3"),
        ("Sale", "4"),
    ]


def test_a_record_in_a_record_is_a_part_of_it(tmp_path: Path) -> None:
    document = "<As><Answer id='A1'><Answer id='A2'><Note>in</Note></Answer></Answer><Answer id='A3'/></As>"
    assert xml_feed(tmp_path, ["@id", "//Note"]).values(document) == [("A1", "in"), ("A3", None)]


def test_a_document_may_be_one_record(tmp_path: Path) -> None:
    assert xml_feed(tmp_path, ["@id", "Note"]).values(
        "<?xml version='1.0'?><Answer id='A1'><Note>n</Note></Answer>"
    ) == [("A1", "n")]


def test_records_may_lie_at_several_depths(tmp_path: Path) -> None:
    document = (
        "<As><Store><Answer id='A1'/><Answer id='A2'></Answer></Store><Store><Day><Answer "
        "id='A3'></Answer></Day></Store><Answer id='A4'/><End/></As>"
    )
    assert xml_feed(tmp_path, ["@id"]).values(document) == [("A1",), ("A2",), ("A3",), ("A4",)]


def test_members_share_what_their_record_says(tmp_path: Path) -> None:
    feed = xml_feed(tmp_path, ["Item/Sku", "@id", "Item[@gift=true]/Sku", "Item/@gift"], records="Item")
    document = (
        "<As><Answer id='A1'><Item gift='true'><Sku>S1</Sku></Item><Item><Sku>S2</Sku></Item></Answer><Answer "
        "id='A2'/></As>"
    )
    named = dict(zip(feed.feed.source_fields, zip(*feed.values(document), strict=True), strict=True))
    assert named == {
        "Item/Sku": ("S1", "S2"),
        "@id": ("A1", "A1"),
        "Item[@gift=true]/Sku": ("S1", "S1"),
        "Item/@gift": ("true", None),
    }


def test_rows_are_numbered_within_each_file(tmp_path: Path) -> None:
    feed = xml_feed(tmp_path, ["Item/Sku"], records="Item[Sku]", where="Ok")
    item = "<Item><Sku>S</Sku></Item>"
    one = f"<As><Answer><Ok/>{item}<Item/>{item}</Answer><Answer>{item}</Answer><Answer><Ok/>{item}</Answer></As>"
    rows, problems = feed.read(one, "<As><Answer/></As>", one)
    assert ([row[:2] for row in rows], problems) == ([(1, 1), (1, 2), (1, 3), (3, 1), (3, 2), (3, 3)], [])


def test_a_sum_is_of_the_whole_record_and_exact_to_the_cent(tmp_path: Path) -> None:
    document = (
        "<As><Answer id='A1'><Line><No>1</No><Sum>0.10</Sum></Line><Line><No>2</No><Sum>0.20</Sum></Line>"
        "<Line><No>3</No><Sum>-0.30</Sum></Line><Line><No>4</No><Sum>1999999.99</Sum></Line></Answer></As>"
    )
    feed = xml_feed(tmp_path, ["@id", "Line/No", "sum(Line/Sum)"], records="Line")
    assert feed.values(document) == [("A1", str(number), "1999999.99") for number in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("amounts", "total"),
    [
        (["0.10", "0.20", "-0.30"], "0"),
        (["-0.10", "-0.20", "0.30"], "-0"),
        (["12345678901.12", "0.01"], "12345678901.13"),
        (["-3.5", " 1.25 "], "-2.25"),
        (["1,50", "1"], "NaN"),
        (["", "1"], "NaN"),
    ],
)
def test_a_sum_is_written_without_an_exponent(tmp_path: Path, amounts: list[str], total: str) -> None:
    lines = "".join(f"<Sum>{amount}</Sum>" for amount in amounts)
    assert xml_feed(tmp_path, ["@id", "sum(Sum)"]).values(f"<As><Answer id='A1'>{lines}</Answer></As>") == [
        ("A1", total)
    ]


def test_members_are_chosen_by_what_lies_deeper_and_by_several_filters(tmp_path: Path) -> None:
    document = """<As><Answer id="A1">
      <Line><No>1</No><Reward detailed="true"><Kind>Money</Kind></Reward></Line>
      <Line><No>2</No><Reward detailed="true"><Kind>Offer</Kind></Reward></Line>
      <Line><No>3</No><Reward><Kind>Money</Kind></Reward></Line>
    </Answer></As>"""
    feed = xml_feed(tmp_path, ["@id", "Line/No"], records="Line[Reward/@detailed=true][Reward/Kind=Money]")
    assert feed.values(document) == [("A1", "1")]
    assert [number for number, raw in feed.raw(document, 1) if "<No>1</No>" in raw] == [1]
