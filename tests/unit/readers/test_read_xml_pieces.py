"""The rows are the same however a document is cut into pieces, and whether or not it can be cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from xml_rows import Row, XmlFeed, xml_feed

from onedata.readers import xml_stream

ROOT = '<As xmlns="urn:a" xmlns:v="urn:v">'


def answer(number: int, note: str = "n") -> str:
    return f"<Answer id='A{number}'><Order><No>O{number}</No></Order><Note>{note}</Note></Answer>\n"


def answers(count: int = 40, odd: dict[int, str] | None = None, start: str = ROOT, end: str = "</As>") -> str:
    """`count` records, some of them written otherwise."""
    return start + "".join((odd or {}).get(number, answer(number)) for number in range(1, count + 1)) + end


def expected(count: int = 40, odd: dict[int, str] | None = None) -> list[Row]:
    return [(f"A{number}", f"O{number}", (odd or {}).get(number, "n")) for number in range(1, count + 1)]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> XmlFeed:
    """A feed whose files are read 300 bytes at a time: three or four records."""
    monkeypatch.setattr(xml_stream, "BLOCK_BYTES", 300)
    monkeypatch.setattr(xml_stream, "_NEAR_BYTES", 100)
    return xml_feed(tmp_path, ["@id", "Order/No", "Note"])


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records did not come in pieces."""
    counts: list[int] = []
    taken: Callable[..., etree._Element | None] = xml_stream._taken

    def counting(done: list[etree._Element]) -> etree._Element | None:
        counts.append(len(done))
        return taken(done)

    monkeypatch.setattr(xml_stream, "_taken", counting)
    return counts


@pytest.mark.parametrize(
    "start",
    [
        ROOT,
        "<As>",
        "<?xml version='1.0' encoding='utf-8'?>\n<!-- of Monday -->\n" + ROOT + "\n",
        "\ufeff<?xml version='1.0'?>" + ROOT,
        "<v:As xmlns:v='urn:v' note='a &gt; b'><v:Body><v:List xmlns='urn:w'>",
        ROOT + "<Header><Id at='&lt;'>1</Id><Empty/></Header><v:List>",
    ],
)
def test_a_usual_document_is_read_in_pieces(small: XmlFeed, pushed: list[int], start: str) -> None:
    opened = [name for name in ("As", "v:As", "v:Body", "v:List") if f"<{name} " in start or f"<{name}>" in start]
    assert small.values(answers(start=start, end="".join(f"</{name}>" for name in reversed(opened)))) == expected()
    assert sum(pushed) == 0


@pytest.mark.parametrize(
    ("note", "value"),
    [
        ("<![CDATA[</Answer>]]>", "</Answer>"),
        ("<![CDATA[<Answer id='A0'></Answer>]]>", "<Answer id='A0'></Answer>"),
        ("<![CDATA[" + "</Answer>" * 60 + "]]>", "</Answer>" * 60),
        ("a<!-- </Answer> -->b", "ab"),
        ("a<!-- </Answer><Answer id='A0'> -->b", "ab"),
        ("a<?do </Answer> ?>b", "ab"),
        ("a &lt;/Answer&gt; b", "a </Answer> b"),
        ("<Answer id='A0'><Note>x</Note></Answer>", "x"),
        ("<v:b xmlns='urn:other'>x</v:b>", "x"),
        ("<b v:a='1' a='2'>x</b>", "x"),
        ("x" * 5000, "x" * 5000),
        ("café € 💶 &#233;", "café € 💶 é"),
        ("\ue000\ue001\ue002", "\ue000\ue001\ue002"),
        ("a&#13;&#10;b\r\nc", "a\r\nb\nc"),
    ],
)
@pytest.mark.parametrize("at", [1, 2, 20, 40])
def test_what_stands_in_a_record_does_not_tear_it(small: XmlFeed, at: int, note: str, value: str) -> None:
    assert small.values(answers(odd={at: answer(at, note)})) == expected(odd={at: value})


@pytest.mark.parametrize(
    "between",
    [
        "<!-- </Answer><Answer id='A0'></Answer> -->",
        "<![CDATA[</Answer><Answer id='A0'/>]]>",
        "<?do <Answer id='A0'></Answer> ?>",
        "</As2><As2>",
        "<Other><Note>no</Note></Other>" * 50,
        "<AnswerLink id='A0'></AnswerLink>",
    ],
)
def test_what_stands_between_records_is_no_record(small: XmlFeed, between: str) -> None:
    document = answers(
        odd={20: between + answer(20), 40: answer(40) + between}, start=ROOT + "<As2>", end="</As2></As>"
    )
    assert small.values(document) == expected()


def test_a_record_without_a_closing_tag_is_a_record(small: XmlFeed) -> None:
    odd = {number: f"<Answer id='A{number}'/>" for number in (1, 20, 40)}
    assert small.values(answers(odd=odd)) == [
        (f"A{n}", None, None) if n in odd else (f"A{n}", f"O{n}", "n") for n in range(1, 41)
    ]


def test_a_closing_tag_may_have_blanks_before_its_end(small: XmlFeed, pushed: list[int]) -> None:
    assert small.values(answers().replace("</Answer>", "</Answer\n \t>")) == expected()
    assert sum(pushed) == 0


def test_a_record_larger_than_a_block_is_a_piece(small: XmlFeed, pushed: list[int]) -> None:
    long = dict.fromkeys((1, 20, 40), "x" * 2000)
    assert small.values(answers(odd={number: answer(number, note) for number, note in long.items()})) == expected(
        odd=long
    )
    assert sum(pushed) == 0


def test_two_vendors_say_the_same_names(small: XmlFeed, pushed: list[int]) -> None:
    odd = {
        7: answer(7).replace("<Note>", "<v:Note>w</v:Note><Note>"),
        8: answer(8).replace("<Note>", "<w:Note>u</w:Note><Note>"),
    }
    start = '<As xmlns="urn:a" xmlns:v="urn:v" xmlns:w="urn:w">'
    assert small.values(answers(odd=odd, start=start)) == expected(odd={7: "w", 8: "u"})
    assert sum(pushed) == 0


def test_attributes_that_differ_by_namespace_alone_are_two(small: XmlFeed) -> None:
    start = '<As xmlns:v="urn:v" xmlns:w="urn:w">'
    odd = {20: answer(20).replace("<Order>", "<Order v:type='1' w:type='2'>")}
    assert small.values(answers(odd=odd, start=start)) == expected()


def test_namespaces_may_be_declared_anywhere(small: XmlFeed) -> None:
    odd = {
        20: "<q:Answer xmlns:q='urn:q' id='A20'><Order xmlns='urn:z'><q:No>O20</q:No></Order><Note "
        "xmlns=''>n</Note></q:Answer>"
    }
    assert small.values(answers(odd=odd)) == expected()


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "us-ascii", "ISO-8859-1", "ISO-8859-15", "windows-1252", "UTF-16", "GB18030"]
)
def test_every_encoding_gives_the_same_rows_cut_or_not(small: XmlFeed, pushed: list[int], encoding: str) -> None:
    note = "n" if encoding == "us-ascii" else "café"
    name = "utf-8" if encoding == "utf-8-sig" else encoding
    document = f"<?xml version='1.0' encoding='{name}'?>" + answers(odd={20: answer(20, note)})
    assert small.values(document.encode(encoding)) == expected(odd={20: note})
    assert (sum(pushed) > 0) == (encoding in ("UTF-16", "GB18030"))


def test_a_byte_order_mark_wins_over_what_is_declared(small: XmlFeed) -> None:
    document = "<?xml version='1.0' encoding='ISO-8859-1'?>" + answers(odd={20: answer(20, "café")})
    assert small.values(document.encode("utf-8-sig")) == expected(odd={20: "café"})


def test_a_document_type_without_entities_is_read(small: XmlFeed) -> None:
    assert small.values("<!DOCTYPE As SYSTEM 'as.dtd' [<!ELEMENT Note ANY>]>" + answers()) == expected()


def test_what_a_document_type_says_holds_for_every_record(small: XmlFeed) -> None:
    document = (
        "<!DOCTYPE As [<!ATTLIST Answer id NMTOKEN #IMPLIED>]>"
        + "<As>"
        + "<Answer id=' A1 '></Answer>\n" * 40
        + "</As>"
    )
    assert small.values(document) == [("A1", None, None)] * 40


def test_what_is_in_another_encoding_than_the_declared_one_is_refused(small: XmlFeed) -> None:
    document = "<?xml version='1.0' encoding='ISO-8859-1'?>" + answers(odd={20: answer(20, "café")})
    assert "the file is UTF-8" in small.problem(document.encode())
    assert small.values(document.encode("ISO-8859-1")) == expected(odd={20: "café"})


def test_several_lists_of_records_are_one_file(small: XmlFeed) -> None:
    odd = {20: answer(20) + "</List><Trailer>t</Trailer><List at='2'>"}
    assert small.values(answers(odd=odd, start=ROOT + "<List>", end="</List></As>")) == expected()


@pytest.mark.parametrize("where", ["start", "end"])
def test_a_megabyte_of_other_things_is_passed_over(tmp_path: Path, where: str) -> None:
    feed = xml_feed(tmp_path, ["@id", "Order/No", "Note"])
    other = "<Header><Line>x</Line></Header>" * 100_000
    document = answers(start=ROOT + other) if where == "start" else answers(end=other + "</As>")
    assert feed.values(document) == expected()


# ---- any document, any cut ----

TEXTS = st.sampled_from(
    [
        "",
        " ",
        "x",
        "é€",
        "a&amp;b",
        "&#x10FFFF;",
        "<![CDATA[</A><A i='0'>]]>",
        "<!-- <A></A> -->",
        "<?p </A>?>",
        "\ue000\ue001",
        "]]&gt;",
        "\r\n",
    ]
)
NAMED = st.sampled_from(["A", "B", "C", "AB", "v:A", "v:B", "w:C"])
DECLARED = st.sampled_from(["", "", "", " xmlns='urn:i'", " xmlns:v='urn:j'", " xmlns=''"])
ATTRIBUTES = st.sampled_from(["", "", " i='1'", ' i="&lt;&#9;>"', " v:i='2'", " v:i='1' w:i='2' i='3'"])


def _element(name: str, declared: str, attributes: str, content: list[str], blank: str) -> str:
    inner = "".join(content)
    return (
        f"<{name}{declared}{attributes}{blank}>{inner}</{name}{blank}>"
        if inner
        else f"<{name}{attributes}{declared}{blank}/>"
    )


ELEMENTS = st.recursive(
    TEXTS,
    lambda inner: st.builds(
        _element, NAMED, DECLARED, ATTRIBUTES, st.lists(inner, max_size=5), st.sampled_from(["", " ", "\n"])
    ),
    max_leaves=25,
)
STARTS = st.sampled_from(
    [
        "<R xmlns:v='urn:v' xmlns:w='urn:w'>",
        "<v:R xmlns='urn:d' xmlns:v='urn:v' xmlns:w='urn:d'><B i='9'>",
        "<A xmlns:v='urn:v' xmlns:w='urn:w'>",
    ]
)
ENCODINGS = st.sampled_from(["utf-8", "utf-8", "utf-16", "gb18030"])


@pytest.fixture(scope="module")
def any_feed(tmp_path_factory: pytest.TempPathFactory) -> XmlFeed:
    return xml_feed(tmp_path_factory.mktemp("any"), ["@i", "B", "name()", "C/B", "//B"], "A|AB", emptyOk=True)


@pytest.fixture(scope="module")
def any_members(tmp_path_factory: pytest.TempPathFactory) -> XmlFeed:
    paths = ["@i", "B/.", "B/C", "B//B", "C/B"]
    more = {"records": "B[C|B]", "where": "B", "emptyOk": True}
    return xml_feed(tmp_path_factory.mktemp("members"), paths, "A|AB", **more)


def outermost(element: etree._Element) -> list[etree._Element]:
    if etree.QName(element).localname in ("A", "AB"):
        return [element]
    return [record for child in element for record in outermost(child)]


def by_hand(document: bytes) -> list[Row]:
    """The rows of `any_feed`, by a walk over the whole tree."""
    root = etree.fromstring(document, etree.XMLParser(remove_comments=True, remove_pis=True))

    def text(found: list[etree._Element]) -> str | None:
        return "".join(found[0].itertext()) if found else None

    def children(element: etree._Element, name: str) -> list[etree._Element]:
        return [child for child in element if etree.QName(child).localname == name]

    return [
        (
            record.get("i"),
            text(children(record, "B")),
            etree.QName(record).localname,
            text([below for child in children(record, "C") for below in children(child, "B")]),
            text([below for below in record.iterdescendants() if etree.QName(below).localname == "B"]),
        )
        for record in outermost(root)
    ]


@given(
    start=STARTS,
    elements=st.lists(ELEMENTS, max_size=8),
    encoding=ENCODINGS,
    block=st.sampled_from([60, 100, 170, 1000]),
)
@settings(max_examples=40, deadline=None, database=None)
def test_any_cut_of_any_document_gives_the_same_rows(
    any_feed: XmlFeed, any_members: XmlFeed, start: str, elements: list[str], encoding: str, block: int
) -> None:
    name = start[1:].split()[0]
    document = (
        "<?xml version='1.0' "
        f"encoding='{encoding}'?>{start}{''.join(elements)}{'</B>' if '<B' in start else ''}</{name}>"
    ).encode(encoding)
    whole, whole_members = any_feed.values(document), any_members.values(document)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xml_stream, "BLOCK_BYTES", block)
        patch.setattr(xml_stream, "_NEAR_BYTES", 20)
        cut, cut_members = any_feed.values(document), any_members.values(document)
        patch.setattr(xml_stream, "_frame", lambda *_: None)
        pushed, pushed_members = any_feed.values(document), any_members.values(document)
    assert whole == by_hand(document)
    assert whole == cut == pushed
    assert whole_members == cut_members == pushed_members
    for feed, rows in ((any_feed, whole), (any_members, whole_members)):
        texts = [text for _, text in feed.raw(document, *range(1, len(rows) + 1))]
        assert feed.values(f"<any>{''.join(texts)}</any>") == rows
