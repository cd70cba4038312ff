"""`onedata feed new`: a contract generated from a sample that loads and lands it; `feed check`: the dry run of a
file."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import openpyxl
import pytest
import yaml
from small_retailer import ANSWERS, HEADER, canonical, contract, custom, identifier_policy, settings_in, write_contracts

from onedata.contracts import ContractError, load_drafts, load_feeds
from onedata.errors import OnedataError
from onedata.onboarding.dry_run import Checked, CheckMisuse, check_file, feeds_for
from onedata.onboarding.match import fit
from onedata.onboarding.new_feed import Scaffold, ScaffoldError, scaffold
from onedata.onboarding.sample import Rows, SniffError, SourceField
from onedata.onboarding.scaffold import path_pattern, shown
from onedata.onboarding.sniff import sniff
from onedata.onboarding.values import adapted
from onedata.retailer import Retailer
from onedata.settings import Settings

REVIEWS = (
    "review_id,order_id,satisfaction,comment,answered_at,mood\n"
    "r1,o1,5,fine,2026-01-05T10:00:00Z,glad\nr2,o2,4,,2026-01-05T11:00:00Z,glad\n"
)


def sample(folder: Path, content: str | bytes, name: str = "reviews_2026-01-05.csv") -> Path:
    """A file in the source folder of the retailer in `folder`."""
    path = settings_in(folder).source / "app" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def made(
    folder: Path, file: Path, entity: str | None = None, name: str = "app_reviews", path: str | None = None
) -> Scaffold:
    return scaffold(settings_in(folder), file, name, entity, path, None)


def retailer(settings: Settings) -> Retailer:
    return Retailer(
        settings, canonical(), identifier_policy(), load_feeds(settings.contracts, canonical(), drafts=True)
    )


def checked(folder: Path, file: Path, name: str | None = None) -> Checked:
    world = retailer(settings_in(folder))
    (feed,) = feeds_for(world, file, name)
    return check_file(world, file, feed)


def mapping(made: Scaffold) -> dict[str, str]:
    return {item.column.name: item.field.name for item in made.fit.mapped}


def test_a_scaffold_of_a_csv_loads_and_lands_its_sample(tmp_path: Path) -> None:
    file = sample(tmp_path, REVIEWS)
    result = made(tmp_path, file)
    assert (result.fit.entity.name, result.path) == ("survey_response", "app/reviews_{ds}.csv")
    outcome = checked(tmp_path, file)
    assert outcome.clean
    assert (outcome.landed.received, outcome.landed.accepted) == (2, 2)
    assert [rule.message for rule in outcome.gate if not rule.passed] == []


@pytest.mark.parametrize(
    ("content", "options"),
    [
        pytest.param(REVIEWS.replace(",", ";"), {"delimiter": ";"}, id="semicolons"),
        pytest.param(REVIEWS.replace(",", "\t"), {"delimiter": "\t"}, id="tabs"),
        pytest.param(REVIEWS.replace("fine", "Grüße").encode("cp1252"), {"encoding": "cp1252"}, id="Windows"),
        pytest.param(REVIEWS.replace("fine", "很好").encode("gb18030"), {"encoding": "gb18030"}, id="Chinese"),
        pytest.param(REVIEWS.encode("utf-16"), {"encoding": "utf-16"}, id="utf-16"),
        pytest.param("\ufeff" + REVIEWS, {}, id="byte order mark"),
        pytest.param(REVIEWS.replace("fine", '"a, ""b""\nc"'), {}, id="quoted lines"),
    ],
)
def test_a_csvs_dialect_is_found_and_lands(tmp_path: Path, content: str | bytes, options: dict[str, str]) -> None:
    file = sample(tmp_path, content)
    made(tmp_path, file)
    outcome = checked(tmp_path, file)
    assert dict(outcome.feed.location.options) == options
    assert (outcome.landed.accepted, outcome.landed.quarantined) == (2, 0)


def test_what_fills_no_column_is_listed_as_unmapped_with_values(tmp_path: Path) -> None:
    text = made(tmp_path, sample(tmp_path, REVIEWS)).file.read_text()
    assert yaml.safe_load(text)["customProperties"] == [{"property": "unmapped", "value": ["mood"]}]
    assert "- mood   # xxxx" in text


def test_numbers_and_days_of_another_country_are_turned_and_land(tmp_path: Path) -> None:
    content = "Bon;order_id;line_id;line_type;channel;currency;product_id;quantity;unit_price;business_date;sold_at\n"
    content += (
        "1;o1;l1;sale;store;EUR;p1;1,0;1.234,50;05.01.2026;05.01.2026 "
        "10:30\n2;o2;l2;sale;store;EUR;p2;2,5;9,99;31.12.2025;31.12.2025 18:00\n"
    )
    file = sample(tmp_path, content, "till_2026-01-05.csv")
    made(tmp_path, file, "order_line")
    outcome = checked(tmp_path, file)
    assert (outcome.landed.accepted, outcome.landed.quarantined, [bad.sample for bad in outcome.bad]) == (2, 0, [])


def test_nested_documents_are_read_by_path_and_lines_by_their_array(tmp_path: Path) -> None:
    document = {
        "order_id": "o1",
        "updated_at": "2026-01-05T10:00:00Z",
        "customer": {"id": "c1", "email": "a@b.example"},
        "attributes": [{"name": "channel", "value": "online"}],
        "lines": [
            {
                "line_id": "1",
                "product_id": "p1",
                "quantity": 2,
                "unit_price": "9.90",
                "line_type": "sale",
                "currency": "EUR",
            },
            {
                "line_id": "2",
                "product_id": "p2",
                "quantity": 1,
                "unit_price": "5.00",
                "line_type": "sale",
                "currency": "EUR",
            },
        ],
        "sold_at": "2026-01-05T10:00:00Z",
    }
    later = document | {"order_id": "o2", "customer": None}
    file = sample(tmp_path, json.dumps(document) + "\n" + json.dumps(later) + "\n", "orders_2026-01-05.jsonl")
    result = made(tmp_path, file)
    assert (result.fit.entity.name, result.fit.rows.records, result.fit.needed) == ("order_line", "lines", [])
    found = mapping(result)
    assert (found["quantity"], found["customer_id"], found["channel"]) == (
        "lines[].quantity",
        "customer.id",
        "attributes[name=channel].value",
    )
    assert "customer" not in {item.name for item in result.fit.rows.fields}
    assert checked(tmp_path, file).landed.accepted == 4


@pytest.mark.parametrize(
    ("content", "documents"),
    [
        pytest.param(
            [{"response_id": "r1", "order_id": "o1"}, {"response_id": "r2", "order_id": "o2"}], None, id="array"
        ),
        pytest.param(
            {"reviews": [{"response_id": "r1", "order_id": "o1"}, {"response_id": "r2", "order_id": "o2"}]},
            "reviews",
            id="in an object",
        ),
        pytest.param(
            {
                "data": {
                    "reviews": {
                        "edges": [
                            {"node": {"response_id": "r1", "order_id": "o1"}},
                            {"node": {"response_id": "r2", "order_id": "o2"}},
                        ]
                    }
                }
            },
            "data.reviews.edges[].node",
            id="GraphQL",
        ),
    ],
)
def test_documents_of_a_json_file_are_found_where_they_are(
    tmp_path: Path, content: object, documents: str | None
) -> None:
    file = sample(tmp_path, json.dumps(content, indent=1), "reviews_2026-01-05.json")
    result = made(tmp_path, file)
    assert (result.fit.entity.name, result.fit.rows.documents) == ("survey_response", documents)
    assert checked(tmp_path, file).landed.accepted == 2


def test_a_packed_sample_is_opened_and_lands_packed(tmp_path: Path) -> None:
    file = sample(tmp_path, gzip.compress(REVIEWS.encode()), "reviews_2026-01-05.csv.gz")
    assert made(tmp_path, file).path == "app/reviews_{ds}.csv.gz"
    assert checked(tmp_path, file).landed.accepted == 2


def test_a_member_named_like_a_folder_of_ours_is_opened(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("unpacked", REVIEWS)
    file = sample(tmp_path, stream.getvalue(), "reviews_2026-01-05.zip")
    assert made(tmp_path, file).fit.entity.name == "survey_response"


def test_a_workbook_is_read_by_its_first_sheet(tmp_path: Path) -> None:
    file = sample(tmp_path, b"", "reviews_2026-01-05.xlsx")
    book = openpyxl.Workbook()
    for row in (["response_id", "order_id", "satisfaction"], ["r1", "o1", 5]):
        book.active.append(row)
    book.save(file)
    made(tmp_path, file)
    outcome = checked(tmp_path, file)
    assert (outcome.feed.location.format, outcome.landed.accepted) == ("xlsx", 1)


def test_xml_is_read_by_its_repeated_element(tmp_path: Path) -> None:
    body = "".join(
        f'<Review lang="de"><ReviewId>r{n}</ReviewId><OrderId>o{n}</OrderId><Satisfaction>{n}</Satisfaction></Review>'
        for n in (1, 2, 3)
    )
    file = sample(tmp_path, f'<v:Batch xmlns:v="urn:v"><Sender>app</Sender>{body}</v:Batch>', "reviews_2026-01-05.xml")
    result = made(tmp_path, file)
    assert mapping(result) == {"response_id": "ReviewId", "order_id": "OrderId", "satisfaction": "Satisfaction"}
    assert checked(tmp_path, file).landed.accepted == 3


def test_parquet_is_read_by_its_columns(tmp_path: Path) -> None:
    file = sample(tmp_path, "", "stock_2026-01-05.parquet")
    duckdb.execute(
        "copy (select date '2026-01-05' as snapshot_date, 'w1' as node_id, 'p1' as product_id, "
        f"5 as on_hand) to '{file}' (format parquet)"
    )
    result = made(tmp_path, file, name="stock")
    assert (result.fit.entity.name, result.fit.needed) == ("inventory_snapshot", [])
    assert checked(tmp_path, file).landed.accepted == 1


def test_a_needed_column_without_a_field_is_marked_and_named_by_the_loader(tmp_path: Path) -> None:
    file = sample(tmp_path, REVIEWS.replace("order_id", "basket"))
    result = made(tmp_path, file, "survey_response")
    assert "# NEEDED: order_id (text): Order the answer is about." in result.file.read_text()
    with pytest.raises(ContractError, match="survey_response requires order_id, and no property maps it"):
        raise ContractError(str(load_drafts(settings_in(tmp_path).contracts, canonical())["app_reviews.odcs.yaml"]))


def test_the_hints_beside_a_needed_key_make_a_contract_that_lands(tmp_path: Path) -> None:
    header = "order_id,line_type,channel,currency,product_id,quantity,unit_price,business_date\n"
    content = f"{header}o1,sale,store,EUR,p1,1,2.50,2026-01-05\n"
    file = sample(tmp_path, content + content.split("\n")[1] + "\n", "lines_2026-01-05.csv")
    written = made(tmp_path, file, "order_line").file
    text = written.read_text().replace("# - {name: line_id, transformLogic", "- {name: line_id, transformLogic")
    written.write_text(
        text.replace(
            "      - {property: entity, value: order_line}",
            "      - {property: entity, value: order_line}\n      - {property: rowKey, value: content}",
        )
    )
    assert checked(tmp_path, file).landed.accepted == 2


def test_an_existing_contract_is_never_overwritten(tmp_path: Path) -> None:
    file = sample(tmp_path, REVIEWS)
    written = made(tmp_path, file).file
    before = written.read_text()
    with pytest.raises(ScaffoldError, match="is there already and is never overwritten"):
        made(tmp_path, file, "customer")
    assert written.read_text() == before


@pytest.mark.parametrize(
    ("name", "entity", "message"),
    [
        ("App-Reviews", None, "is no name of a feed"),
        ("../evil", None, "is no name of a feed"),
        ("app", "survey", "there is no entity 'survey'"),
    ],
)
def test_a_wrong_name_or_entity_is_told(tmp_path: Path, name: str, entity: str | None, message: str) -> None:
    with pytest.raises(OnedataError, match=message):
        made(tmp_path, sample(tmp_path, REVIEWS), entity, name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x1f\x8b\x08", "is gzip; give an unpacked sample"),
        ("a,\x00,c\n1,2,3\n", "is no text (it holds zero bytes)"),
        ("a,b,a\n1,2,3\n", "'a' stands twice in the first line"),
        ("1,2026,3\n1,2,3\n", "is no header"),
        ('{"a": 1}\n{"a": \n{"a": 1}\n', "line 2 is no JSON document, as line 1 is"),
        ('{\n"a": 1', "is no JSON"),
        ("[1, 2]\n", "must be a JSON object"),
        ("[" * 100_000, "is no JSON"),
        ("<a><b></a>", "is not well-formed XML"),
    ],
)
def test_a_sample_that_no_reader_takes_is_told_what_it_is(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(SniffError) as caught:
        sniff(sample(tmp_path, content))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("relative", "pattern"),
    [
        ("a/b_2026-01-05.csv", "a/b_{ds}.csv"),
        ("2026-01-04/b_2026-01-05.csv", "2026-01-04/b_{ds}.csv"),
        ("2026-01-04/b.csv", "{ds}/b.csv"),
        ("a/b_20260105_1.csv", "a/b_*_1.csv"),
        ("a/b.csv", "a/b.csv"),
    ],
)
def test_the_day_in_a_path_becomes_ds(relative: str, pattern: str) -> None:
    assert path_pattern(relative)[0] == pattern


@pytest.mark.parametrize(
    ("values", "comment"),
    [
        (["a@b.example", "c@d.example"], "x@x.xxxxxxx"),
        (["+8613800000000"], "+9999999999999"),
        (["Anna Li"], "Xxxx Xx"),
        (["1.50", "22"], "1.50, 22"),
        (["2026-01-05"], "2026-01-05"),
        (["paid"] * 5 + ["open"], "paid, open"),
        (["multi\nline"], "xxxxx xxxx"),
        (["\x00\x1b[31m"], "[99x"),
        ([], "always empty in the sample"),
    ],
)
def test_values_that_may_name_a_person_are_shown_as_their_shape(values: Sequence[str], comment: str) -> None:
    assert shown(SourceField("f", values)) == f"   # {comment}"


@pytest.mark.parametrize(
    ("column", "values", "fits", "logic"),
    [
        ("satisfaction", ["5", "4"], True, None),
        ("satisfaction", ["five"], False, None),
        ("answered_at", ["2026-01-05 10:00:00 +0100"], True, None),
        ("answered_at", ["1767571200"], True, "make_timestamp({value}::bigint * 1000000)::varchar || 'Z'"),
        ("answered_at", ["25/12/2025 10:00"], True, "try_strptime({value}, '%d/%m/%Y %H:%M')"),
        ("answered_at", ["soon"], False, None),
    ],
)
def test_values_tell_whether_a_field_fits_and_how_it_is_turned(
    column: str, values: list[str], fits: bool, logic: str | None
) -> None:
    reading = adapted(canonical()["survey_response"].column(column), values)
    assert reading.fits == fits
    assert (logic or "") in (reading.logic or "")


def test_a_name_alone_does_not_fill_a_column_of_another_type() -> None:
    rows = Rows(None, [SourceField("response_id", ["r1"]), SourceField("satisfaction", ["very"])])
    assert [item.column.name for item in fit(canonical()["survey_response"], rows, {}).mapped] == ["response_id"]


def test_a_required_day_without_a_field_is_told_by_the_rows_time() -> None:
    rows = Rows(None, [SourceField("order_id", ["o1"]), SourceField("ordered_at", ["2026-01-05T10:00:00Z"])])
    found = {
        item.column.name: (item.field.name, item.logic or "")
        for item in fit(canonical()["sales_order"], rows, {}).mapped
    }
    name, logic = found["business_date"]
    assert (name, "then left({value}, 10) end" in logic) == ("ordered_at", True)


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """A retailer with the survey feed; its folder."""
    write_contracts(settings_in(tmp_path).contracts, contract(quarantineTolerance=0.5))
    return tmp_path


def delivered(folder: Path, *rows: str, header: str = HEADER, name: str = "2026-01-05.csv") -> Path:
    path = folder / "mail" / "survey" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


GOOD, BAD = "r1,o1,5,fine,2026-01-05T10:00:00", "r2,o2,eleven,bad,2026-01-05T10:00:00"


def test_a_check_tells_bad_rows_with_rule_row_reason_and_raw(survey: Path) -> None:
    outcome = checked(survey, delivered(survey, GOOD, BAD, GOOD))
    assert not outcome.clean
    landed = outcome.landed
    assert (landed.received, landed.accepted, landed.quarantined, landed.duplicate) == (3, 1, 1, 1)
    (bad,) = outcome.bad
    assert (bad.rule, bad.count) == ("satisfaction_type", 1)
    assert bad.sample[0][0] == 2
    assert '"eleven" is not a whole number' in bad.sample[0][1]
    assert '"order":"o2"' in bad.sample[0][2]
    assert not any(result.blocks for result in outcome.gate)


def test_a_check_counts_the_rows_that_were_repaired(tmp_path: Path) -> None:
    note = {"name": "comment", "physicalName": "note", "customProperties": custom({"repairs": ["upper"]})}
    write_contracts(
        settings_in(tmp_path).contracts,
        contract(properties=[*(item for item in ANSWERS if item["name"] != "comment"), note]),
    )
    assert checked(tmp_path, delivered(tmp_path, GOOD, GOOD.replace("fine", "BAD"))).repaired == [
        ("comment", "upper", 1)
    ]


def test_a_check_tells_that_the_gate_would_close(survey: Path) -> None:
    outcome = checked(survey, delivered(survey, BAD))
    assert [result.rule for result in outcome.gate if result.blocks] == ["quarantine_tolerance"]


def test_a_check_tells_columns_that_are_not_as_contracted(survey: Path) -> None:
    outcome = checked(survey, delivered(survey, f"{GOOD},x", header=f"{HEADER},extra"))
    assert outcome.clean
    assert "'extra' is not in the contract" in next(
        result.message for result in outcome.gate if result.rule == "columns_as_contracted"
    )


def test_a_check_leaves_nothing_behind(survey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = delivered(survey, GOOD)
    temporary = survey / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = sorted(survey.rglob("*"))
    assert checked(survey, file).clean
    assert sorted(survey.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "read_as"), [("2026-01-05.csv", "survey/2026-01-05.csv"), ("new export.csv", "survey/{today}.csv")]
)
def test_a_file_is_read_in_the_place_its_contract_names(survey: Path, name: str, read_as: str) -> None:
    assert checked(survey, delivered(survey, GOOD, name=name), "survey").read_as == read_as.format(
        today=settings_in(survey).today()
    )


@pytest.mark.parametrize(
    ("name", "feed", "message"),
    [
        ("other.csv", None, "is named like no feed's files; give --feed NAME. Known: survey/{ds}.csv"),
        ("2026-01-05.csv", "nobody", "there is no feed 'nobody'"),
        ("2026-02-31.csv", "survey", "2026-02-31 in the name of 2026-02-31.csv is no day"),
    ],
)
def test_a_check_of_nothing_known_is_told(survey: Path, name: str, feed: str | None, message: str) -> None:
    with pytest.raises(OnedataError) as caught:
        checked(survey, delivered(survey, GOOD, name=name), feed)
    assert message in str(caught.value)


def test_a_name_that_fits_two_contracts_asks_which(tmp_path: Path) -> None:
    write_contracts(
        settings_in(tmp_path).contracts, contract("one", path="a/{ds}.csv"), contract("two", path="b/{ds}.csv")
    )
    world = retailer(settings_in(tmp_path))
    (tmp_path / "b").mkdir()
    for name in ("2026-01-05.csv", "b/2026-01-05.csv"):
        (tmp_path / name).touch()
    with pytest.raises(CheckMisuse, match="may be of one or two; give --feed NAME"):
        feeds_for(world, tmp_path / "2026-01-05.csv", None)
    assert [feed.name for feed in feeds_for(world, tmp_path / "b" / "2026-01-05.csv", None)] == ["two"]


def test_a_file_of_an_object_store_is_checked_like_one_of_a_folder(tmp_path: Path) -> None:
    content = contract()
    server = {name: value for name, value in content["servers"][0].items() if name != "path"}
    content["servers"] = [server | {"type": "s3", "location": "s3://bucket/desk/survey/{ds}.csv"}]
    write_contracts(settings_in(tmp_path).contracts, content)
    outcome = checked(tmp_path, delivered(tmp_path, GOOD))
    assert (outcome.read_as, outcome.landed.accepted) == ("desk/survey/2026-01-05.csv", 1)


def test_a_feed_of_a_database_has_no_files_to_check(tmp_path: Path) -> None:
    server = {"server": "erp", "type": "postgres", "host": "h", "port": 5432, "database": "d", "schema": "public"}
    write_contracts(settings_in(tmp_path).contracts, contract() | {"servers": [server]})
    with pytest.raises(
        CheckMisuse, match=r"survey is read from the database postgres://h:5432/d/public.survey, not from files"
    ):
        checked(tmp_path, delivered(tmp_path, GOOD), "survey")


def test_a_file_that_is_not_there_is_told(survey: Path) -> None:
    with pytest.raises(CheckMisuse, match="no file"):
        checked(survey, survey / "survey" / "2026-01-05.csv")
    assert replace(settings_in(survey)).home.exists() is False


def test_delimiters_at_the_end_of_the_header_make_no_column(tmp_path: Path) -> None:
    content = "review_id;order_id;satisfaction;;\nr1;o1;5;;\nr2;o2;4;;\n"
    result = made(tmp_path, sample(tmp_path, content))
    assert [field.name for field in result.fit.rows.fields] == ["review_id", "order_id", "satisfaction"]
    filled = sample(tmp_path, content.replace("r2;o2;4;;", "r2;o2;4;x;"), "calls_2026-01-05.csv")
    with pytest.raises(SniffError, match="is no header"):
        made(tmp_path, filled, name="app_calls")
