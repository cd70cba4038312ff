"""XML that breaks off or means harm: refused whole, in bounded memory, and nothing fetched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from xml_rows import XmlFeed, xml_feed

from onedata.readers import xml_paths, xml_stream

LAUGHS = "<!ENTITY l0 'ha'>" + "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 12))
DOCUMENT = (
    "<?xml version='1.0' encoding='utf-8'?><!-- c --><As xmlns:v='urn:v'>\n<Head at='1'>h</Head>"
    "<Answer id='A1'><Note><![CDATA[x < y]]></Note></Answer><Answer id='A2'><v:Note>caf\u00e9 &amp; "
    "&#233;</v:Note></Answer><?p q?></As>\n"
)


@pytest.fixture
def feed(tmp_path: Path) -> XmlFeed:
    return xml_feed(tmp_path, ["@id", "Note"])


def document(declared: str, note: str, root: str = "As") -> str:
    return f"<?xml version='1.0'?><!DOCTYPE As {declared}><{root}><Answer id='A1'><Note>{note}</Note></Answer></As>"


@pytest.mark.parametrize(
    "text",
    [
        document(f"[{LAUGHS}]", "&l11;"),
        document(f"[{LAUGHS}]", "n", "As at='&l11;'"),
        document("[<!ENTITY x 'y'>]", "unused"),
        document("[<!ENTITY x SYSTEM 'file:///etc/hostname'>]", "&x;"),
        document("[<!ENTITY % x SYSTEM 'file:///etc/hostname'> %x;]", "n"),
        f"<!DOCTYPE As [{LAUGHS}]><As/>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_that_declares_entities_is_refused(feed: XmlFeed, text: str, encoding: str) -> None:
    assert feed.read(text.encode(encoding))[0] == []
    assert "entit" in feed.problem(text.encode(encoding)).lower()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("block", [100, 1 << 20])
def test_bytes_of_no_character_are_refused_and_not_replaced(
    feed: XmlFeed, monkeypatch: pytest.MonkeyPatch, encoding: str, block: int
) -> None:
    monkeypatch.setattr(xml_stream, "BLOCK_BYTES", block)
    text = "<As><Answer id='A1'><Note>日本語</Note></Answer></As>"
    mark, sound = "".encode(encoding), text.encode(encoding)
    assert feed.values(sound) == [("A1", "日本語")]
    name = encoding if encoding.endswith("e") else f"{encoding}-le"
    wrong = "日".encode(name)
    lone = b"\x00\xd8" if encoding == "utf-16" else b"\xff" * len(wrong)
    broken = sound[: len(mark)] + sound[len(mark) :].replace(wrong, lone)
    assert broken != sound
    assert feed.read(broken)[0] == []
    assert "bytes" in feed.problem(broken)


@pytest.mark.parametrize("note", ["a&x;b", "<b at='a&x;b'/>"])
def test_an_entity_of_a_document_type_elsewhere_is_not_left_out_in_silence(
    feed: XmlFeed, tmp_path: Path, note: str
) -> None:
    (tmp_path / "a.dtd").write_text("<!ENTITY x 'top secret'>")
    assert "never fetched" in feed.problem(document(f"SYSTEM '{(tmp_path / 'a.dtd').as_uri()}'", note))


def test_an_entity_nobody_declared_is_refused(feed: XmlFeed) -> None:
    assert "Entity 'x' not defined" in feed.problem("<As><Answer id='A1'><Note>a&x;b</Note></Answer></As>")


def test_what_follows_an_error_is_no_new_document(feed: XmlFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    start = "<As><Answer id='A1'><Note>a&x;b</Note></Answer>"
    monkeypatch.setattr(xml_stream, "BLOCK_BYTES", len(start))
    assert "Entity 'x' not defined" in feed.problem(start + "<Answer id='A2'/>")


@pytest.mark.parametrize("block", [100, 1 << 20])
def test_a_document_cut_off_anywhere_is_refused(feed: XmlFeed, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(xml_stream, "BLOCK_BYTES", block)
    whole = DOCUMENT.rstrip().encode()
    assert len(feed.values(whole)) == 2
    cut = [whole[:end] for end in range(0, len(whole), 7)] + [whole[:-1]]
    _, problems = feed.read(*cut)
    assert [problem for problem in problems if "the file is not well-formed XML (truncated?)" not in problem] == []
    assert len(problems) == len(cut)


@pytest.mark.parametrize(
    "text",
    [
        DOCUMENT + "x",
        DOCUMENT + "<As/>",
        DOCUMENT.replace("</Answer><Answer", "</Answer></As><As><Answer"),
        DOCUMENT.replace("</v:Note>", "</v:Nota>"),
        DOCUMENT.replace("v:Note", "w:Note"),
        DOCUMENT.replace("h</Head>", "]]></Head>"),
        DOCUMENT.replace("at='1'", "at='1' at='2'"),
        DOCUMENT.replace("id='A2'", "id='A2' id='A2'"),
        DOCUMENT.replace("&#233;", "&#1;"),
        DOCUMENT.replace("x < y", "x \x1f y"),
        DOCUMENT.replace("x < y", "x \x00 y"),
        DOCUMENT.replace("utf-8", "no-such-code"),
        DOCUMENT.encode().replace(b"caf\xc3", b"caf\xff"),
        "",
        " ",
        "no XML",
        b"\x00\x01\x02\x03",
        "<a>" * 300 + "<Answer/>" + "</a>" * 300,
    ],
)
@pytest.mark.parametrize("block", [100, 1 << 20])
def test_a_document_that_is_not_well_formed_is_refused(
    feed: XmlFeed, monkeypatch: pytest.MonkeyPatch, block: int, text: str | bytes
) -> None:
    monkeypatch.setattr(xml_stream, "BLOCK_BYTES", block)
    assert "the file is not well-formed XML" in feed.problem(text)


def test_files_beside_a_broken_one_are_read(feed: XmlFeed) -> None:
    rows, problems = feed.read(DOCUMENT, DOCUMENT[:-9], DOCUMENT)
    assert [row[0] for row in rows if row[0] != 2] == [1, 1, 3, 3]
    assert len(problems) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_record_larger_than_is_kept_in_memory_is_refused(
    feed: XmlFeed, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setattr(xml_stream, "BLOCK_BYTES", 10_000)
    monkeypatch.setattr(xml_stream, "MAX_RECORD_BYTES", 1 << 20)
    record = "<Answer id='A1'>" + "<Note>n</Note>" * 100_000 + "</Answer>"
    assert "one Answer element is larger than 1 MB" in feed.problem(f"<As>{record}</As>".encode(encoding))


def test_a_record_of_many_blocks_is_read(feed: XmlFeed) -> None:
    record = "<Answer id='A1'><Note>" + "<b>n</b>" * 300_000 + "</Note></Answer>"
    assert [(name, len(note)) for name, note in feed.values(f"<As>{record}{record}</As>")] == [("A1", 300_000)] * 2


def test_a_small_record_does_not_become_a_flood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_paths, "MAX_ROWS_BYTES", 1 << 20)
    feed = xml_feed(tmp_path, ["Note", "Item/@sku"], records="Item")
    assert "would flood the lake" in feed.problem(
        f"<As><Answer><Note>{'n' * 10_000}</Note>{'<Item/>' * 200}</Answer></As>"
    )
    assert len(feed.values(f"<As><Answer><Note>{'n' * 10_000}</Note>{'<Item/>' * 100}</Answer></As>")) == 100


PEAKS = """
import gc, resource, sys
from pathlib import Path
from onedata.readers import xml_stream

path, start, record, end, encoding = Path(sys.argv[1]), *sys.argv[2:]
xml_stream.MAX_RECORD_BYTES = 2 << 20

def peak(megabytes):
    texts = (start, record * (1_000_000 // len(record)), end)
    first, block, last = (text.encode(encoding).removeprefix(b"\\xff\\xfe") for text in texts)
    with path.open("wb") as stream:
        stream.write("\\ufeff".encode("utf-16-le") * (encoding == "utf-16") + first)
        for _ in range(megabytes):
            stream.write(block)
        stream.write(last)
    try:
        for batch in xml_stream.record_batches(path, ["Answer"]):
            del batch
    except xml_stream.Unreadable:
        pass
    gc.collect()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

print(peak(4), peak(24))
"""
# A process begins with the peak of the one that started it: one small one stands between this and what is measured.
START = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', *sys.argv[1:]]).returncode)"


@pytest.mark.parametrize(
    ("start", "record", "end", "encoding"),
    [
        ("<As>", "<Answer id='A1'><Note>n</Note></Answer>\n", "</As>", "utf-8"),
        ("<As>", "<Answer id='A1'><Note>n</Note></Answer>\n", "</As>", "utf-16"),
        ("<As>", "<Other><Note>n</Note></Other>\n", "</As>", "utf-8"),
        ("<As><Answer/>", "<Other><Note>n</Note></Other>\n", "</As>", "utf-8"),
        ("<As><Answer>", "<Note>n</Note>\n", "</Answer></As>", "utf-8"),
    ],
    ids=["in pieces", "pushed", "no records", "other things behind a record", "one endless record"],
)
def test_memory_does_not_grow_with_the_file(tmp_path: Path, start: str, record: str, end: str, encoding: str) -> None:
    arguments = [sys.executable, "-c", START, PEAKS, str(tmp_path / "big.xml"), start, record, end, encoding]
    few, many = (
        int(part) for part in subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.split()
    )
    assert many < few * 1.25
