"""Duplicate files, duplicate rows and new versions of rows."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta

import pytest
import yaml
from formats import FORMATS, GOOD, encode, survey_contract
from small_retailer import HEADER, NEXT, NIGHT, SmallRetailer, contract
from support import REPOSITORY

from onedata.ledger.lake import KeyRange, lake_files

Retail = Callable[..., SmallRetailer]
SALES = (
    {"name": "location_id", "transformLogic": "{row_identity}"},
    {"name": "postcode", "physicalName": "code"},
    {"name": "latitude", "physicalName": "lat"},
    {"name": "longitude", "physicalName": "lng"},
)


@pytest.fixture
def keyless(retail: Retail) -> SmallRetailer:
    """A feed that names no key: rowKey content."""
    return retail(
        contract("places", entity="postcode_location", path="places/{ds}_*.csv", properties=SALES, rowKey="content")
    )


def places(keyless: SmallRetailer, name: str, *rows: str) -> None:
    keyless.put(f"places/{name}.csv", "\n".join(["code,lat,lng", *rows]) + "\n")


def test_the_same_file_is_not_taken_again(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.take()
    assert survey.take(NEXT).landed.files == 0
    assert survey.files() == [("survey/2026-01-05.csv", "landed", 1, 1, 0, 0)]


def test_a_file_touched_but_not_changed_is_not_taken_again(survey: SmallRetailer) -> None:
    path = survey.csv("A1,O1,5,fine,")
    survey.take()
    os.utime(path, (1, 1))
    assert survey.take().landed.files == 0
    assert survey.files("mtime_ns") == [(1_000_000_000,)]


def test_days_with_equal_files_survive_a_copy_of_the_source_folder(survey: SmallRetailer) -> None:
    """Days without rows have equal files; a copied or restored folder has new times on all of them."""
    paths = [survey.csv(), survey.csv(night=NEXT)]
    survey.take(NEXT)
    booked = survey.files()
    for path in paths:
        os.utime(path, (1, 1))
    assert survey.take(NEXT).landed.files == 0
    assert survey.files() == booked


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_content_under_another_name_is_duplicate_to_the_row(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind))
    survey.put(f"survey/{NIGHT}.{kind}", encode(kind, GOOD))
    survey.take()
    survey.put(f"survey/{NEXT}.{kind}", encode(kind, GOOD))
    taken = survey.take(NEXT)
    assert (taken.counts, taken.closed) == ((3, 0, 0, 3), {})
    assert survey.files()[1] == (f"survey/2026-01-06.{kind}", "repeated", 3, 0, 0, 3)
    assert survey.files("message")[1] == (
        f"the same content as survey/2026-01-05.{kind}: every row counts as a duplicate",
    )
    assert len(survey.rows()) == 3


def test_the_same_content_under_another_name_is_counted_once(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.csv("A1,O1,5,fine,", night=NEXT)
    survey.take(NEXT)
    survey.take(NEXT)
    assert [row[1:] for row in survey.files()] == [("landed", 1, 1, 0, 0), ("repeated", 1, 0, 0, 1)]


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_rows_in_another_file_are_duplicates(retail: Retail, kind: str) -> None:
    survey = retail(survey_contract(kind))
    survey.put(f"survey/{NIGHT}.{kind}", encode(kind, GOOD[:2]))
    survey.take()
    survey.put(f"survey/{NEXT}.{kind}", encode(kind, GOOD))
    assert survey.take(NEXT).counts == (3, 1, 0, 2)
    assert sorted(survey.rows("response_id")) == [("A1",), ("A2",), ("A3",)]


def test_the_same_rows_in_two_files_of_one_landing_are_duplicates(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.csv("A1,O1,5,fine,", "A2,O2,4,,", night=NEXT)
    assert survey.take(NEXT).counts == (3, 2, 0, 1)
    assert [row[2:] for row in survey.files()] == [(1, 1, 0, 0), (2, 1, 0, 1)]


def test_a_row_twice_in_one_file_is_a_duplicate(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,", "A1,O1,5,fine,")
    assert survey.take().counts == (2, 1, 0, 1)


def test_an_updated_row_is_a_new_version(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.take()
    survey.csv("A1,O1,2,not so fine,", night=NEXT)
    assert survey.take(NEXT).counts == (1, 1, 0, 0)
    assert survey.rows("response_id, satisfaction") == [("A1", 5), ("A1", 2)]


def test_a_file_written_anew_lands_only_what_is_new(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.take()
    survey.csv("A1,O1,5,fine,", "A2,O2,4,,")
    assert survey.take().counts == (2, 1, 0, 1)
    assert survey.files("path, received, accepted, duplicate") == [
        ("survey/2026-01-05.csv", 1, 1, 0),
        ("survey/2026-01-05.csv", 2, 1, 1),
    ]


def test_rows_that_differ_only_in_a_column_left_out_on_purpose_are_the_same_row(retail: Retail) -> None:
    survey = retail(contract() | {"customProperties": [{"property": "unmapped", "value": ["mood"]}]})
    survey.csv("A1,O1,5,fine,,x", "A1,O1,5,fine,,y", header=HEADER + ",mood")
    assert survey.take().counts == (2, 1, 0, 1)


def test_rows_that_differ_in_a_column_the_contract_does_not_know_are_both_kept(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,,x", "A1,O1,5,fine,,y", header=HEADER + ",mood")
    assert survey.take().counts == (2, 2, 0, 0)
    assert survey.rows("_extra") == [('{"mood":"x"}',), ('{"mood":"y"}',)]


def test_the_same_value_written_otherwise_is_the_same_row(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,2026-01-05T10:00:00Z", "A1,O1, 5 ,fine,2026-01-05T11:00:00+01:00")
    assert survey.take().counts == (2, 1, 0, 1)


def test_an_empty_value_and_the_next_field_are_not_mixed_up(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,,5,", "A1,O1,5,,")
    assert survey.take().counts == (2, 2, 0, 0)


def test_a_quarantined_row_does_not_make_its_mended_version_a_duplicate(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,9,fine,", "A2,O2,4,,")
    assert survey.take().counts == (2, 1, 1, 0)
    survey.csv("A1,O1,5,fine,", night=NEXT)
    assert survey.take(NEXT).counts == (1, 1, 0, 0)


def test_equal_rows_of_one_delivery_are_separate_where_no_key_is_named(keyless: SmallRetailer) -> None:
    places(keyless, "2026-01-05_1", "90210,1,2", "90210,1,2", "10001,3,4")
    assert keyless.take().counts == (3, 3, 0, 0)
    assert len({row[0] for row in keyless.rows("location_id")}) == 3


def test_the_same_rows_delivered_again_are_duplicates_where_no_key_is_named(keyless: SmallRetailer) -> None:
    places(keyless, "2026-01-05_1", "90210,1,2", "90210,1,2")
    keyless.take()
    places(keyless, "2026-01-05_2", "90210,1,2", "90210,1,2", "10001,3,4")
    assert keyless.take().counts == (3, 1, 0, 2)


def test_one_more_equal_row_in_a_later_delivery_is_one_more_event(keyless: SmallRetailer) -> None:
    places(keyless, "2026-01-05_1", "90210,1,2")
    keyless.take()
    places(keyless, "2026-01-06_1", "90210,1,2", "90210,1,2")
    assert keyless.take(NEXT).counts == (2, 1, 0, 1)


def test_the_same_rows_in_two_files_of_one_night_are_duplicates_where_no_key_is_named(keyless: SmallRetailer) -> None:
    places(keyless, "2026-01-05_1", "90210,1,2", "90210,1,2")
    places(keyless, "2026-01-05_2", "90210,1,2", "90210,1,2", "x,1,2")
    assert keyless.take().counts == (5, 3, 0, 2)


def test_nights_one_by_one_and_together_land_the_same_rows(tmp_path_factory: pytest.TempPathFactory) -> None:
    from small_retailer import settings_in, small_retailer

    from onedata.quality.gx import Gatekeeper
    from onedata.warehouse import open_warehouse

    outcome = []
    for nights in ([NIGHT, NEXT], [NEXT]):
        folder = tmp_path_factory.mktemp("grouping")
        with open_warehouse(settings_in(folder)) as con:
            survey = small_retailer(folder, con, Gatekeeper(con), contract(quarantineTolerance=1))
            survey.csv("A1,O1,5,fine,", "A2,O2,x,,")
            survey.csv("A1,O1,5,fine,", "A3,O3,4,,", night=NEXT)
            for night in nights:
                survey.take(night)
            outcome.append((survey.rows("* exclude (_arrived_at)"), survey.files(), survey.quarantine()))
    assert outcome[0] == outcome[1]


def test_a_value_that_comes_back_is_a_new_version(survey: SmallRetailer) -> None:
    """5, then 2, then 5 again: the last night's row equals the first's, and says something new all the same."""
    for number, score in enumerate((5, 2, 5, 5)):
        night = NIGHT + timedelta(days=number)
        survey.csv(f"A1,O1,{score},fine,", "A2,O2,4,,", night=night)
        survey.take(night)
    assert survey.rows("response_id, satisfaction") == [("A1", 5), ("A2", 4), ("A1", 2), ("A1", 5)]
    assert [row[2:] for row in survey.files()] == [(2, 2, 0, 0), (2, 1, 0, 1), (2, 1, 0, 1), (2, 0, 0, 2)]


def test_a_value_that_comes_back_within_a_file_is_a_new_version(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,", "A1,O1,2,fine,", "A1,O1,5,fine,")
    assert survey.take().counts == (3, 3, 0, 0)


def test_a_late_file_says_nothing_new_of_what_a_later_night_said(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,", night=NEXT)
    survey.take(NEXT)
    survey.csv("A1,O1,5,fine,", "A2,O2,4,,")
    assert survey.take(NEXT).counts == (2, 1, 0, 1)


def test_a_file_of_another_content_corrects_the_one_of_its_name(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,", "A2,O2,4,,")
    survey.take()
    survey.csv("A1,O1,2,fine,", "A2,O2,4,,")
    assert survey.take(NEXT).counts == (2, 1, 0, 1)
    survey.csv("A1,O1,3,fine,", "A3,O3,4,,", night=NEXT)
    survey.take(NEXT)
    assert survey.rows("_file, _edition, response_id, satisfaction", order="_file, _edition, _row") == [
        ("survey/2026-01-05.csv", 1, "A1", 5),
        ("survey/2026-01-05.csv", 1, "A2", 4),
        ("survey/2026-01-05.csv", 2, "A1", 2),
        ("survey/2026-01-06.csv", 1, "A1", 3),
        ("survey/2026-01-06.csv", 1, "A3", 4),
    ]


def test_the_parts_of_a_row_that_say_where_it_came_from_are_kept(survey: SmallRetailer) -> None:
    survey.csv("A1,O1,5,fine,")
    survey.take()
    assert survey.rows("_mapped, _priority") == [("response_id,order_id,satisfaction,comment,answered_at", None)]


def test_a_file_whose_whole_content_comes_back_says_something_new(survey: SmallRetailer) -> None:
    for number, score in enumerate((5, 2, 5)):
        night = NIGHT + timedelta(days=number)
        survey.csv(f"A1,O1,{score},fine,", night=night)
        survey.take(night)
    assert survey.rows("satisfaction") == [(5,), (2,), (5,)]


def test_a_file_of_rows_with_versions_says_nothing_new_when_it_comes_back(retail: Retail) -> None:
    properties = [{"name": name, "physicalName": name} for name in ("customer_id", "city", "updated_at")]
    people = retail(contract("people", entity="customer", path="people/{ds}.csv", properties=properties))
    for number, city in enumerate(("Bonn", "Ulm", "Bonn")):
        day = number % 2 + 1
        row = f"customer_id,city,updated_at\n1,{city},2026-01-0{day} 10:00:00\n"
        people.put(f"people/{NIGHT + timedelta(days=number)}.csv", row)
        people.take(NIGHT + timedelta(days=number))
    assert [row[1] for row in people.files()] == ["landed", "landed", "repeated"]


def test_repeats_are_looked_for_in_the_nights_that_may_have_their_keys(survey: SmallRetailer) -> None:
    for number in range(4):
        night = NIGHT + timedelta(days=number)
        survey.csv(*(f"A{number}{row},O1,4,," for row in range(10)), night=night)
        survey.take(night)
    key = [KeyRange("response_id", "varchar", "A15", "A22"), KeyRange("order_id", "varchar", "O1", "O1")]
    files = lake_files(survey.con, survey.settings, "survey", keys=key)
    assert [file.parent.name for file in files] == ["ds=2026-01-06", "ds=2026-01-07"]
    assert len(lake_files(survey.con, survey.settings, "survey")) == 4
    last = NIGHT + timedelta(days=4)
    survey.csv("A15,O1,4,,", "A22,O1,4,,", "A40,O1,4,,", night=last)
    assert survey.take(last).counts == (3, 1, 0, 2)


def test_a_delivery_whose_keys_no_one_noted_is_looked_into(survey: SmallRetailer) -> None:
    """It landed by an earlier onedata."""
    survey.csv("A1,O1,5,fine,")
    survey.take()
    survey.con.execute("delete from ops.key_range")
    survey.csv("A1,O1,5,fine,", "A2,O2,4,,", night=NEXT)
    assert survey.take(NEXT).counts == (2, 1, 0, 1)


def test_a_key_that_sql_cannot_name_is_looked_for_everywhere(retail: Retail) -> None:
    survey = retail(survey_contract("jsonl"))
    odd = GOOD[0] | {"id": "A\0001"}
    survey.put(f"survey/{NIGHT}.jsonl", encode("jsonl", [GOOD[1], odd]))
    assert survey.take().counts == (2, 2, 0, 0)
    survey.put(f"survey/{NEXT}.jsonl", encode("jsonl", [odd, GOOD[2]]))
    assert survey.take(NEXT).counts == (2, 1, 0, 1)


@pytest.mark.parametrize("kinds", [1, 5], ids=["read alike", "each with a field of its own"])
def test_the_files_of_many_stores_land_a_few_at_a_time(
    retail: Retail, monkeypatch: pytest.MonkeyPatch, kinds: int
) -> None:
    monkeypatch.setattr("onedata.landing.delivery.FILES_AT_ONCE", 3)
    monkeypatch.setattr("onedata.landing.delivery.KINDS_AT_ONCE", 2)
    stores = retail(contract(path="survey/{ds}_*.csv", quarantineTolerance=1))
    for store in range(5):
        header, kind = f"{HEADER},more{store % kinds}", store % kinds
        stores.put(f"survey/{NIGHT}_{store}.csv", f"{header}\nA{store},O1,5,fine,,{kind}\nB{store},O1,9,bad,,\n")
    assert stores.take().counts == (10, 5, 5, 0)
    assert stores.rows("response_id, _extra, _file, _row") == [
        (f"A{store}", f'{{"more{store % kinds}":"{store % kinds}"}}', f"survey/{NIGHT}_{store}.csv", 1)
        for store in range(5)
    ]
    assert stores.quarantine("path, row, raw") == [
        (f"survey/{NIGHT}_{store}.csv", 2, stores_row(store, kinds)) for store in range(5)
    ]


def stores_row(store: int, kinds: int) -> str:
    """The raw row of quarantine."""
    names = [*HEADER.split(","), f"more{store % kinds}"]
    return json.dumps(dict(zip(names, (f"B{store}", "O1", "9", "bad", None, None), strict=True)), separators=(",", ":"))


def test_equal_rows_of_two_files_of_one_night_have_one_identity_each(keyless: SmallRetailer) -> None:
    places(keyless, f"{NIGHT}_1", "10115,52.53,13.38", "10115,52.53,13.38")
    places(keyless, f"{NIGHT}_2", "10115,52.53,13.38", "20095,53.55,10.00")
    assert keyless.take().counts == (4, 3, 0, 1)
    found = [identity.rpartition("-")[2] for (identity,) in keyless.rows("location_id")]
    assert found == ["1", "2", "1"]


@pytest.mark.parametrize("kinds", [1, 16], ids=["read alike", "each with a field of its own"])
def test_sixteen_files_of_a_long_contract_need_little_memory(retail: Retail, kinds: int) -> None:
    """With the SQL of the contract once a file, 1,400 MB were too little."""
    orders = yaml.safe_load((REPOSITORY / "examples/olist_sample/contracts/olist_orders.odcs.yaml").read_text("utf-8"))
    orders["servers"][0]["path"] = "orders/{ds}_*.csv"
    shop = retail(orders)
    shop.con.execute("set memory_limit = '800MB'")
    for number in range(16):
        shop.put(
            f"orders/{NIGHT}_{number:02}.csv",
            "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,"
            "order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date,"
            f"more{number % kinds}\nO{number:02},C1,delivered,2017-10-02 10:56:33,2017-10-02 11:07:15,"
            "2017-10-04 19:55:00,2017-10-10 21:25:13,2017-10-18 00:00:00,\n",
        )
    assert shop.land(name="olist_deliveries").accepted == 16
