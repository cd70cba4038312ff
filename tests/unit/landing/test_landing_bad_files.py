"""Missing, empty, truncated or wrongly encoded files."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from formats import FORMATS, GOOD, encode, survey_contract
from small_retailer import HEADER, NEXT, NIGHT, SmallRetailer, contract

from onedata.home import private_umask
from onedata.sources import SourceMissing

Retail = Callable[..., SmallRetailer]


def test_a_missing_file_is_a_warning_that_names_night_and_place(survey: SmallRetailer) -> None:
    taken = survey.take()
    assert taken.closed == {}
    assert taken.warned == {
        "file_delivered": "no file for 2026-01-05 (there never was one), expected every 1 d at survey/{ds}.csv"
    }


def test_a_file_missing_after_others_names_the_last_one(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    assert survey.take(NIGHT).warned == {}
    assert "no file for 2026-01-06 (the last is for 2026-01-05)" in survey.take(NEXT).warned["file_delivered"]


def test_a_missing_source_folder_is_refused_with_the_way_out(survey: SmallRetailer) -> None:
    shutil.rmtree(survey.settings.source)
    with pytest.raises(
        SourceMissing, match=r"source folder .* does not exist. Set `source` in onedata.toml or give --source"
    ):
        survey.land()
    assert survey.files() == []


def test_a_file_for_a_later_night_waits(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,", night=NEXT)
    assert survey.take(NIGHT).landed.files == 0
    assert survey.take(NEXT).counts == (1, 1, 0, 0)


def test_a_late_file_lands_for_its_own_night(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    assert survey.take(NEXT).landed.nights == [NIGHT]


def test_a_name_that_is_no_day_is_not_the_feeds_file(survey: SmallRetailer) -> None:
    survey.put("survey/2026-99-xx.csv", HEADER + "\nA1,O1,5,fine,\n")
    assert survey.take().landed.files == 0


@pytest.mark.parametrize("kind", FORMATS)
def test_a_good_file_is_accepted_whole(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind))
    survey.put(f"survey/{NIGHT}.{kind}", encode(kind, GOOD))
    taken = survey.take()
    assert (taken.counts, taken.closed) == ((3, 3, 0, 0), {})
    assert survey.rows("response_id, satisfaction, comment, answered_at::varchar, _file, _row") == [
        ("A1", 5, "fine", "2026-01-05 10:00:00", f"survey/2026-01-05.{kind}", 1),
        ("A2", 1, "poor", "2026-01-05 11:00:00", f"survey/2026-01-05.{kind}", 2),
        ("A3", 3, None, "2026-01-05 12:00:00", f"survey/2026-01-05.{kind}", 3),
    ]


@pytest.mark.parametrize("kind", ["csv", "parquet", "xml"])
def test_an_empty_file_closes_the_gate_and_is_kept(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind))
    survey.put(f"survey/{NIGHT}.{kind}", b"")
    taken = survey.take()
    assert list(taken.closed) == ["readable_files"]
    assert f"survey/2026-01-05.{kind}: " in taken.closed["readable_files"]
    assert survey.files() == [(f"survey/2026-01-05.{kind}", "unreadable", 1, 0, 1, 0)]
    ((_, _, rule, _, raw),) = survey.quarantine()
    assert (rule, Path(raw.removeprefix("the file is kept at ")).read_bytes()) == ("unreadable_file", b"")


def test_an_unreadable_file_is_kept_for_its_owner_alone_whoever_may_read_the_delivered_one(
    survey: SmallRetailer,
) -> None:
    survey.put(f"survey/{NIGHT}.csv", b"").chmod(0o644)
    private_umask()
    survey.land()
    ((raw,),) = survey.quarantine("raw")
    kept = Path(raw.removeprefix("the file is kept at "))
    folders = [folder for folder in kept.parents if folder.is_relative_to(survey.settings.home / "quarantine")]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_an_empty_file_of_json_lines_is_a_day_without_rows(retail: Retail) -> None:
    survey = retail(survey_contract("jsonl"))
    survey.put(f"survey/{NIGHT}.jsonl", b"")
    taken = survey.take()
    assert (taken.counts, taken.closed) == ((0, 0, 0, 0), {})


def test_a_header_alone_is_a_day_without_rows(survey: SmallRetailer) -> None:
    survey.csv()
    taken = survey.take()
    assert (taken.counts, taken.closed, taken.landed.files) == ((0, 0, 0, 0), {}, 1)


@pytest.mark.parametrize("kind", ["parquet", "xml"])
def test_a_file_cut_short_is_refused_whole_and_taken_when_it_comes_whole(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind))
    whole = encode(kind, GOOD)
    survey.put(f"survey/{NIGHT}.{kind}", whole[:-20])
    assert "Ask for it again" in survey.take().closed["readable_files"]
    assert survey.rows() == []
    survey.put(f"survey/{NIGHT}.{kind}", whole)
    taken = survey.take()
    assert (taken.counts, taken.closed, survey.quarantine()) == ((3, 3, 0, 0), {}, [])


def test_a_csv_cut_in_a_row_quarantines_that_row(retail: Retail) -> None:
    survey = retail(survey_contract("csv", quarantineTolerance=0.4))
    survey.put(f"survey/{NIGHT}.csv", f"{HEADER}\nA1,O1,5,fine,\nA2,O2,1,poor,\nA3,O3")
    assert survey.take().counts == (3, 2, 1, 0)
    ((path, row, rule, reason, raw),) = survey.quarantine()
    assert (path, row, rule, raw) == ("survey/2026-01-05.csv", 4, "unreadable_record", "A3,O3")
    assert "missing columns" in reason


def test_a_csv_cut_in_quotes_quarantines_that_row(retail: Retail) -> None:
    survey = retail(survey_contract("csv", quarantineTolerance=0.5))
    survey.put(f"survey/{NIGHT}.csv", f'{HEADER}\nA1,O1,5,fine,\nA2,O2,1,"po')
    assert survey.take().counts == (2, 1, 1, 0)
    ((_, _, rule, _, raw),) = survey.quarantine()
    assert (rule, raw) == ("unreadable_record", 'A2,O2,1,"po')


def test_a_json_file_cut_in_a_line_quarantines_that_line(retail: Retail) -> None:
    survey = retail(survey_contract("jsonl", quarantineTolerance=0.4))
    survey.put(f"survey/{NIGHT}.jsonl", encode("jsonl", GOOD)[:-30])
    assert survey.take().counts == (3, 2, 1, 0)
    ((_, row, rule, reason, raw),) = survey.quarantine()
    assert (row, rule, reason) == (3, "unreadable_record", "the line is not valid JSON")
    assert raw.startswith('{"id": "A3"')


def test_a_json_line_that_is_no_object_is_quarantined(retail: Retail) -> None:
    survey = retail(survey_contract("jsonl", quarantineTolerance=1))
    survey.put(f"survey/{NIGHT}.jsonl", b'[1, 2]\n"text"\n7\nnull\nword\n')
    assert survey.take().counts == (5, 0, 5, 0)
    assert [row[4] for row in survey.quarantine()] == ["[1, 2]", '"text"', "7", "null", "word"]


def test_latin_1_bytes_in_utf_8_quarantine_their_line(retail: Retail) -> None:
    survey = retail(contract(quarantineTolerance=0.5))
    survey.put("survey/2026-01-05.csv", HEADER.encode() + b"\nA1,O1,5,fine,\nA2,O2,1,caf\xe9,\n")
    assert survey.take().counts == (2, 1, 1, 0)
    ((_, row, rule, reason, raw),) = survey.quarantine()
    assert (row, rule, raw) == (3, "unreadable_record", "A2,O2,1,caf\\xe9,")
    assert "invalid" in reason and "utf-8" in reason.lower()


def test_latin_1_lands_where_the_contract_says_so(retail: Retail) -> None:
    survey = retail(contract(options={"encoding": "latin-1"}))
    survey.put("survey/2026-01-05.csv", HEADER.encode() + b"\nA2,O2,1,caf\xe9,\n")
    assert survey.take().counts == (1, 1, 0, 0)
    assert survey.rows("comment") == [("café",)]


def test_utf_16_lands_where_the_contract_says_so(retail: Retail) -> None:
    survey = retail(contract(options={"encoding": "utf-16"}))
    survey.put("survey/2026-01-05.csv", f"{HEADER}\nA2,O2,1,café,\n".encode("utf-16"))
    assert survey.take().counts == (1, 1, 0, 0)
    assert survey.rows("response_id, comment") == [("A2", "café")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf_16_where_utf_8_is_agreed_is_refused(survey: SmallRetailer, encoding: str) -> None:
    survey.put("survey/2026-01-05.csv", f"{HEADER}\nA2,O2,1,fine,\n".encode(encoding))
    assert list(survey.take().closed) == ["readable_files"]
    assert survey.files() == [("survey/2026-01-05.csv", "unreadable", 1, 0, 1, 0)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_json_lines_in_utf_16_close_the_gate(retail: Retail, encoding: str) -> None:
    survey = retail(survey_contract("jsonl"))
    survey.put("survey/2026-01-05.jsonl", encode("jsonl", GOOD).decode().encode(encoding))
    taken = survey.take()
    assert taken.closed
    assert survey.rows() == []


def test_latin_1_bytes_in_json_lines_quarantine_their_line(retail: Retail) -> None:
    survey = retail(survey_contract("jsonl", quarantineTolerance=0.4))
    survey.put("survey/2026-01-05.jsonl", encode("jsonl", GOOD).replace(b"poor", b"caf\xe9"))
    assert survey.take().counts == (3, 2, 1, 0)
    assert "caf\\xe9" in survey.quarantine()[0][4]


def test_xml_that_lies_about_its_encoding_is_refused(retail: Retail) -> None:
    survey = retail(survey_contract("xml"))
    survey.put(
        "survey/2026-01-05.xml",
        b"<?xml version='1.0' encoding='utf-8'?>" + encode("xml", GOOD).replace(b"poor", b"caf\xe9"),
    )
    assert "not well-formed" in survey.take().closed["readable_files"]


def test_a_binary_file_named_csv_is_refused(survey: SmallRetailer) -> None:
    survey.put("survey/2026-01-05.csv", encode("parquet", GOOD))
    assert list(survey.take().closed) == ["readable_files"]


@pytest.mark.parametrize("kind", ["parquet", "xml"])
def test_another_format_under_the_name_is_refused(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind))
    survey.put(f"survey/2026-01-05.{kind}", encode("csv", GOOD))
    assert list(survey.take().closed) == ["readable_files"]


def test_a_bad_file_does_not_hold_its_neighbour_back_from_the_ledger(retail: Retail) -> None:
    survey = retail(contract(path="survey/{ds}_*.csv"))
    survey.put("survey/2026-01-05_1.csv", b"")
    survey.put("survey/2026-01-05_2.csv", f"{HEADER}\nA1,O1,5,fine,\n")
    assert list(survey.take().closed) == ["readable_files"]
    assert [row[1:] for row in survey.files()] == [("unreadable", 1, 0, 1, 0), ("landed", 1, 1, 0, 0)]
    survey.put("survey/2026-01-05_1.csv", f"{HEADER}\nA2,O2,4,fine,\n")
    assert survey.take().closed == {}
    assert survey.rows("response_id") == [("A2",), ("A1",)]


def broken_page() -> bytes:
    """A Parquet file whose footer is sound and whose first page's header is not."""
    content = bytearray(encode("parquet", GOOD))
    content[4:12] = bytes(8)
    return bytes(content)


def test_a_parquet_file_with_a_broken_page_does_not_stop_its_neighbour(retail: Retail) -> None:
    survey = retail(survey_contract("parquet", path="survey/{ds}_*.parquet"))
    survey.put("survey/2026-01-05_1.parquet", broken_page())
    survey.put("survey/2026-01-05_2.parquet", encode("parquet", GOOD))
    assert list(survey.take().closed) == ["readable_files"]
    assert [row[1:] for row in survey.files()] == [("unreadable", 1, 0, 1, 0), ("landed", 3, 3, 0, 0)]


@pytest.mark.parametrize(
    ("lines", "raw"),
    [
        pytest.param(
            b'A1,O1,5,"two\nlines \xff, and",\nA2,O2,1,fine,\n',
            'A1,O1,5,"two\nlines \\xff, and",',
            id="of several lines",
        ),
        pytest.param(
            b"A2,O2,1,fine,\n\n\nA1,O1,5,\xff\xc3(\xed\xa0\x80,\n",
            "A1,O1,5,\\xff\\xc3(\\xed\\xa0\\x80,",
            id="behind blank lines",
        ),
        pytest.param(b"A2,O2,1,fine,\r\n\r\nA1,O1,5,\xff,\r\n", "A1,O1,5,\\xff,", id="behind Windows' blank lines"),
        pytest.param(b"A2,O2,1,fine,\n\nA1,O1\n", "A1,O1", id="too short, behind a blank line"),
        pytest.param(b"A1,O1,5," + b"x" * 30_000 + b"\nA2,O2,1,fine,\n", "A1,O1,5," + "x" * 30_000, id="long"),
        pytest.param(
            b'A1,O1,5,"' + b"x\n" * 9_000 + b'"\nA2,O2,1,fine,\n',
            'A1,O1,5,"' + "x\n" * 9_000 + '"',
            id="long, of many lines",
        ),
        pytest.param(
            b"\n" * 30_000 + b'A1, so","so,1\nA3,"a ""word"\nA2,O2,1,fine,\n',
            'A1, so","so,1\nA3,"a ""word"',
            id="of an open quote, behind many blank lines",
        ),
        pytest.param(b"A2,O2,1,fine,\n" + b"\n" * 30_000 + b"A1,O1\n", "A1,O1", id="behind many blank lines"),
    ],
)
def test_a_broken_record_of_a_csv_is_kept_whole(retail: Retail, lines: bytes, raw: str) -> None:
    survey = retail(contract(quarantineTolerance=1))
    survey.put("survey/2026-01-05.csv", HEADER.encode() + (b"\r\n" if b"\r" in lines else b"\n") + lines)
    assert survey.take().counts == (2, 1, 1, 0)
    assert survey.quarantine("raw") == [(raw,)]


def test_a_record_that_duckdb_takes_for_two_is_kept_whole(retail: Retail) -> None:
    """Behind a quote that stays open it begins anew within the line."""
    survey, quotes = retail(contract(quarantineTolerance=1)), '"' * 300
    line = f'A1,O1,5,x\x0bA2,O2,{quotes}1,y,z\x0bA3,O3,3,{quotes}0.1{quotes}"so, so",2026\x0bA4,O4,5,y,z\x0bA5,O5,4,y,z'
    survey.put("survey/2026-01-05.csv", f"{HEADER}\n{line}\n")
    survey.take()
    raws = "".join(raw for (raw,) in survey.quarantine("raw"))
    assert all(name in raws for name in ("A1,", "A2,", "A3,", "A4,", "A5,"))


def test_a_record_that_duckdb_gives_the_place_of_another_for_is_kept_whole(retail: Retail) -> None:
    survey = retail(contract(quarantineTolerance=1, options={"escape": "\\"}))
    survey.put(
        "survey/2026-01-05.csv",
        f'{HEADER}\nA1,O1,1,fine,\nA2,O2,3,"a ""wor01,O1,3,"a ""wor01,O1,3,"a ""word""",\nA3,O3,5,fine,\n',
    )
    assert survey.take().counts == (3, 2, 1, 0)
    assert 'A2,O2,3,"a ""wor01,O1,3,"a ""wor01,O1,3,"a ""word""",' in survey.quarantine("raw")[0][0]


def test_many_undecodable_records_are_fetched_in_one_go(retail: Retail) -> None:
    """One statement a record would take minutes for this file, and hours for a large one."""
    survey = retail(contract(quarantineTolerance=1))
    survey.put(
        "survey/2026-01-05.csv",
        HEADER.encode() + b"\n" + b"".join(b"A%d,O1,5,caf\xe9,\n" % number for number in range(25_000)),
    )
    assert survey.take().counts == (25_000, 0, 25_000, 0)
    assert survey.con.execute(
        "select count(distinct raw) from ops.quarantine where raw like '%caf\\xe9,' escape '!'"
    ).fetchone() == (25_000,)


def test_a_record_that_is_cut_short_has_one_reason_which_counts_its_fields(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,", "A2,O2")
    survey.take()
    reason = survey.con.execute("select reason from ops.quarantine").fetchall()
    assert reason == [("missing columns: 2 fields where 5 are expected; is it cut off?",)]
