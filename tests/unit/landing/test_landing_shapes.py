"""CSV files and file names found in practice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from formats import FORMATS, GOOD, encode, survey_contract
from small_retailer import HEADER, NEXT, SmallRetailer, contract, settings_in, small_retailer

from onedata.quality.gx import Gatekeeper
from onedata.warehouse import open_warehouse

Retail = Callable[..., SmallRetailer]


def test_a_value_of_many_lines_is_one_value(survey: SmallRetailer) -> None:
    survey.csv('A1,O1,5,"first\nsecond, with ""quotes""\n\nlast",', "A2,O2,4,,")
    assert survey.take().counts == (2, 2, 0, 0)
    assert survey.rows("comment, _row") == [('first\nsecond, with "quotes"\n\nlast', 1), (None, 2)]


def test_windows_line_ends_are_not_part_of_a_value(survey: SmallRetailer) -> None:
    survey.put("survey/2026-01-05.csv", f"{HEADER}\r\nA1,O1,5,fine,2026-01-05T10:00:00Z\r\nA2,O2,4,poor,\r\n")
    assert survey.take().counts == (2, 2, 0, 0)
    assert survey.rows("comment, answered_at::varchar") == [("fine", "2026-01-05 10:00:00"), ("poor", None)]


def test_a_last_line_without_an_end_is_a_row(survey: SmallRetailer) -> None:
    survey.put("survey/2026-01-05.csv", f"{HEADER}\nA1,O1,5,fine,2026-01-05T10:00:00Z")
    assert survey.take().counts == (1, 1, 0, 0)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "xml"])
def test_a_byte_order_mark_is_not_part_of_the_data(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind))
    survey.put(f"survey/2026-01-05.{kind}", b"\xef\xbb\xbf" + encode(kind, GOOD))
    assert survey.take().counts == (3, 3, 0, 0)
    assert survey.rows("response_id") == [("A1",), ("A2",), ("A3",)]


def test_semicolons_and_single_quotes_by_contract(retail: Retail) -> None:
    survey = retail(contract(options={"delimiter": ";", "quote": "'"}))
    survey.put("survey/2026-01-05.csv", "id;order;score;note;answered\nA1;O1;5;'a; b, \"c\" it''s';\n")
    assert survey.take().counts == (1, 1, 0, 0)
    assert survey.rows("comment") == [('a; b, "c" it\'s',)]


def test_a_line_with_too_many_fields_is_quarantined_as_it_stands(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,", "A2,O2,4,well, not quoted,2026-01-05")
    assert survey.take().counts == (2, 1, 1, 0)
    ((_, row, rule, reason, raw),) = survey.quarantine()
    assert (row, rule, raw) == (3, "unreadable_record", "A2,O2,4,well, not quoted,2026-01-05")
    assert "too many columns" in reason


def test_a_wrong_delimiter_refuses_the_file(survey: SmallRetailer) -> None:
    survey.put("survey/2026-01-05.csv", "id;order;score;note;answered\nA1;O1;5;fine;\n")
    assert "column 'id' is missing" in survey.take().closed["readable_files"]


def test_the_raw_row_in_quarantine_names_its_columns(survey: SmallRetailer) -> None:
    survey.csv('A1,O1,x,"two\nlines",', "A2,O2,4,,")
    survey.take()
    assert survey.quarantine("raw") == [('{"id":"A1","order":"O1","score":"x","note":"two\\nlines","answered":null}',)]


@pytest.mark.parametrize("kind", FORMATS)
def test_file_names_are_taken_literally(retail: Retail, kind: str) -> None:
    names = ["a[1]", "it's", "50% off, #1", "münchen 东京", 'say "hi"', "what?", "x{y}", "back\\slash", "plain"]
    survey = retail(survey_contract(kind, path=f"survey/*_{{ds}}.{kind}"))
    paths = {f"survey/{name}_2026-01-05.{kind}": f"R{number}" for number, name in enumerate(names)}
    for path, answer in paths.items():
        survey.put(path, encode(kind, [GOOD[0] | {"id": answer}]))
    assert survey.take().counts == (len(names), len(names), 0, 0)
    assert dict(survey.rows("_file, response_id")) == paths


def test_glob_characters_in_a_name_do_not_read_its_neighbour(retail: Retail) -> None:
    survey = retail(contract(path="survey/*_{ds}.csv"))
    survey.put("survey/a[1]_2026-01-05.csv", f"{HEADER}\nA1,O1,5,,\n")
    survey.put("survey/a1_2026-01-06.csv", f"{HEADER}\nA2,O2,5,,\n")
    assert survey.take().counts == (1, 1, 0, 0)
    assert survey.take(NEXT).counts == (1, 1, 0, 0)
    assert survey.rows("response_id, _file", order="1") == [
        ("A1", "survey/a[1]_2026-01-05.csv"),
        ("A2", "survey/a1_2026-01-06.csv"),
    ]


@pytest.mark.parametrize("name", ["o'clock", "data [old]"])
def test_the_data_home_may_lie_below_any_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    with open_warehouse(settings_in(folder)) as con:
        survey = small_retailer(folder, con, Gatekeeper(con), contract(quarantineTolerance=0.5))
        survey.csv("A1,O1,5,fine,", "A2,O2,x,,")
        assert survey.take().counts == (2, 1, 1, 0)
        survey.csv("A1,O1,5,fine,", night=NEXT)
        assert survey.take(NEXT).counts == (1, 0, 0, 1)


def test_a_path_without_a_day_belongs_to_the_night_that_first_sees_the_file(retail: Retail) -> None:
    survey = retail(contract(path="survey/all.csv"))
    survey.put("survey/all.csv", f"{HEADER}\nA1,O1,5,,\n")
    assert survey.take(NEXT).landed.nights == [NEXT]


def test_a_star_matches_within_a_name_only(retail: Retail) -> None:
    survey = retail(contract(path="survey/*.csv"))
    survey.put("survey/deep/all.csv", f"{HEADER}\nA1,O1,5,,\n")
    assert survey.take().landed.files == 0


def test_a_folder_named_like_a_file_is_not_a_file(survey: SmallRetailer) -> None:
    (survey.settings.source / "survey" / "2026-01-05.csv").mkdir(parents=True)
    assert survey.take().landed.files == 0


@pytest.mark.parametrize("kind", FORMATS)
def test_a_folder_that_looks_like_a_partition_fills_no_column(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind, path=f"order=folder/{{ds}}.{kind}"))
    survey.put(f"order=folder/2026-01-05.{kind}", encode(kind, GOOD))
    survey.take()
    assert survey.rows("order_id") == [("O1",), ("O2",), ("O3",)]
