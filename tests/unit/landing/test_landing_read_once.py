"""An XML file that several feeds read is parsed once: the feeds that land later take the rows which the first one kept
for them, and these are those of a pass of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from formats import survey_contract
from small_retailer import ANSWERS, NIGHT, SmallRetailer

from onedata.readers import xml as reader
from onedata.readers.xml_stream import Batch
from onedata.retailer import Retailer, prepare_warehouse

Retail = Callable[..., SmallRetailer]
# Two parts in one answer; a score that is no number; a field that no contract knows.
DOCUMENT = """<Answers>
<Answer><id>A1</id><order>O1</order><score>5</score><note>fine</note><part><id>P1</id></part><part><id>P2</id></part>
</Answer>
<Answer><id>A2</id><order>O2</order><score>five</score><note>poor</note><part><id>P3</id></part></Answer>
<Answer><id>A3</id><order>O3</order><score>3</score><mood>glad</mood><part><id>P4</id></part></Answer>
</Answers>
"""
PARTS = ({"name": "response_id", "physicalName": "part/id"}, *ANSWERS[1:])
ROWS = {
    "answers": [("A1", "O1", 5, 1), ("A3", "O3", 3, 3)],
    "parts": [("P1", "O1", 5, 1), ("P2", "O1", 5, 2), ("P4", "O3", 3, 4)],
}


@pytest.fixture
def desk(retail: Retail) -> SmallRetailer:
    """Two feeds of one file: its answers, and their parts."""
    more = {"quarantineTolerance": 1, "path": "survey/{ds}.xml"}
    return retail(
        survey_contract("xml", name="answers", **more),
        survey_contract("xml", name="parts", records="part", properties=PARTS, **more),
    )


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of the file of each whole pass."""
    made: list[str] = []
    real = reader.record_batches

    def counted(path: Path, tags: Sequence[str]) -> Iterator[Batch]:
        made.append(path.name)
        return real(path, tags)

    monkeypatch.setattr(reader, "record_batches", counted)
    return made


def kept(desk: SmallRetailer) -> list[str]:
    """The files that are kept for feeds to come."""
    return [path.name for path in (desk.settings.home / "spool").rglob("*") if path.is_file()]


@pytest.mark.parametrize("is_alone", [False, True], ids=["beside", "alone"])
def test_both_feeds_have_their_rows_from_one_pass_as_from_one_each(
    desk: SmallRetailer, passes: list[str], monkeypatch: pytest.MonkeyPatch, is_alone: bool
) -> None:
    if is_alone:
        monkeypatch.setattr(Retailer, "feeds_later", lambda *_: [])
    desk.put(f"survey/{NIGHT}.xml", DOCUMENT)
    assert (desk.take(name="answers").counts, desk.take(name="parts").counts) == ((3, 2, 1, 0), (4, 3, 1, 0))
    assert {name: desk.rows("response_id, order_id, satisfaction, _row", name) for name in ROWS} == ROWS
    assert passes == [f"{NIGHT}.xml"] * (2 if is_alone else 1)
    moods = {name: [json.loads(extra)["mood"] for (extra,) in desk.rows("_extra", name)] for name in ROWS}
    assert moods == {"answers": [None, "glad"], "parts": [None, None, "glad"]}
    assert [(rule, "<score>five</score>" in raw, "P3" in raw) for rule, raw in desk.quarantine("rule, raw")] == [
        ("satisfaction_type", True, True)
    ] * 2
    assert kept(desk) == []


def test_what_is_kept_for_a_feed_is_its_owners_alone_and_goes_when_it_has_landed(desk: SmallRetailer) -> None:
    desk.put(f"survey/{NIGHT}.xml", DOCUMENT)
    desk.land(name="answers")
    (path,) = (path for path in (desk.settings.home / "spool").rglob("*") if path.is_file())
    assert path.parent.name == "parts"
    assert path.parent.stat().st_mode & 0o077 == 0
    desk.land(name="parts")
    assert kept(desk) == []


def test_of_a_file_that_is_cut_nothing_is_kept_and_both_feeds_refuse_it(desk: SmallRetailer) -> None:
    desk.put(f"survey/{NIGHT}.xml", DOCUMENT[:-20])
    for name in ROWS:
        assert "is not well-formed XML" in desk.take(name=name).closed["readable_files"]
        assert kept(desk) == []


def test_a_feed_that_no_record_has_rows_for_reads_the_file_itself(desk: SmallRetailer, passes: list[str]) -> None:
    desk.put(f"survey/{NIGHT}.xml", "<Answers><Answer><id>A1</id><order>O1</order><score>5</score></Answer></Answers>")
    assert desk.take(name="answers").counts == (1, 1, 0, 0)
    assert kept(desk) == []
    assert "there is nothing at 'part'" in desk.take(name="parts").closed["readable_files"]
    assert len(passes) == 2


def test_a_file_that_changes_between_two_feeds_is_read_again(desk: SmallRetailer, passes: list[str]) -> None:
    path = desk.put(f"survey/{NIGHT}.xml", DOCUMENT)
    desk.take(name="answers")
    path.write_text(DOCUMENT.replace("P4", "P5"))
    desk.take(name="parts")
    assert [key for (key,) in desk.rows("response_id", "parts")] == ["P1", "P2", "P5"]
    assert len(passes) == 2
    assert kept(desk) == []


def test_of_a_file_that_changes_while_it_is_read_nothing_is_kept(
    desk: SmallRetailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hash may be of the one content, and the rows of the other."""
    path = desk.put(f"survey/{NIGHT}.xml", DOCUMENT)
    real = reader.record_batches

    def changing(file: Path, tags: Sequence[str]) -> Iterator[Batch]:
        yield from real(file, tags)
        path.write_text(DOCUMENT.replace("P4", "P5"))

    monkeypatch.setattr(reader, "record_batches", changing)
    assert desk.land(name="answers").waiting == [f"survey/{NIGHT}.xml"]
    assert kept(desk) == []
    monkeypatch.undo()
    desk.take(name="parts")
    assert [key for (key,) in desk.rows("response_id", "parts")] == ["P1", "P2", "P5"]


def test_what_a_killed_landing_left_unfinished_is_not_taken(desk: SmallRetailer, passes: list[str]) -> None:
    desk.put(f"survey/{NIGHT}.xml", DOCUMENT)
    desk.land(name="answers")
    (path,) = (path for path in (desk.settings.home / "spool").rglob("*") if path.is_file())
    path.replace(f"{path}.unfinished")
    assert desk.take(name="parts").counts == (4, 3, 1, 0)
    assert len(passes) == 2
    assert kept(desk) == []


def test_what_was_kept_for_a_feed_that_did_not_land_goes_with_the_next_run(
    desk: SmallRetailer, passes: list[str]
) -> None:
    desk.put(f"survey/{NIGHT}.xml", DOCUMENT)
    desk.land(name="answers")
    assert len(kept(desk)) == 1
    prepare_warehouse(desk.con, desk.retailer)
    assert kept(desk) == []
    assert desk.take(name="parts").counts == (4, 3, 1, 0)
    assert len(passes) == 2
