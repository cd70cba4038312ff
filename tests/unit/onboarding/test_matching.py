"""The matcher of `feed new`: entities by what distinguishes them, headers of many languages, and no guess without a
mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pytest
import yaml
from small_retailer import canonical, settings_in

from onedata.errors import OnedataError
from onedata.onboarding.match import Fit, rank
from onedata.onboarding.new_feed import Scaffold, scaffold
from onedata.onboarding.sample import Rows, SourceField
from onedata.onboarding.values import Habits, adapted, habits
from onedata.onboarding.words import header


def best(columns: Mapping[str, Sequence[str]], name: str = "export", records: str | None = None) -> Fit:
    rows = Rows(records, [SourceField(source, list(values)) for source, values in columns.items()])
    return rank([rows], canonical().values(), {}, name)[0]


def mapping(found: Fit) -> dict[str, str]:
    return {item.column.name: item.field.name for item in found.mapped}


def made(folder: Path, content: str, entity: str | None = None, name: str = "app_file") -> Scaffold:
    file = settings_in(folder).source / "app" / f"{name}_2026-01-05.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
    return scaffold(settings_in(folder), file, name, entity, None, None)


@pytest.mark.parametrize(
    ("text", "concepts"),
    [
        ("Bestellnummer", ["order", "id"]),
        ("Kundennr.", ["customer", "id"]),
        ("Zahlungsart", ["payment", "type"]),
        ("订单编号", ["order", "id"]),
        ("買上番号", ["買", "上", "id"]),
        ("InvoiceNo", ["invoice", "id"]),
        ("N° de commande", ["id", "order"]),
        ("address2", ["address2"]),
    ],
)
def test_headers_of_any_language_are_cut_into_known_words(text: str, concepts: list[str]) -> None:
    assert list(header(text).concepts) == concepts


def test_a_header_names_its_unit_and_its_currency() -> None:
    assert header("Gewicht (kg)").unit == "kg"
    assert header("Amount spent (EUR)").currency == "EUR"


@pytest.mark.parametrize(
    ("entity", "columns"),
    [
        (
            "order_line",
            {
                "Order": ["o1", "o2"],
                "Line": ["1", "2"],
                "SKU": ["a", "b"],
                "Qty": ["1", "2"],
                "Unit price": ["2.50", "9.99"],
            },
        ),
        (
            "stock_movement",
            {
                "Movement": ["m1", "m2"],
                "Movement type": ["receipt", "sale"],
                "SKU": ["a", "b"],
                "Warehouse": ["w", "w"],
                "Qty": ["5", "-1"],
                "Posted at": ["2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z"],
            },
        ),
        (
            "refund",
            {
                "Refund": ["r1", "r2"],
                "Line": ["1", "1"],
                "Order": ["o1", "o2"],
                "SKU": ["a", "b"],
                "Qty": ["1", "1"],
                "Refund amount": ["2.50", "9.99"],
                "Refunded at": ["2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z"],
            },
        ),
        (
            "web_event",
            {
                "visitor": ["v1", "v2"],
                "session": ["s1", "s2"],
                "event": ["page_view", "purchase"],
                "customer_id": ["c1", ""],
                "time": ["2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z"],
            },
        ),
        (
            "node",
            {
                "Store": ["s1", "s2"],
                "Name": ["Mitte", "Nord"],
                "Street": ["A 1", "B 2"],
                "City": ["Ulm", "Bonn"],
                "Phone": ["0731 1234567", "0228 1234567"],
            },
        ),
    ],
)
def test_an_entity_is_known_by_what_distinguishes_it(entity: str, columns: Mapping[str, Sequence[str]]) -> None:
    assert best(columns).entity.name == entity


def test_the_fit_says_why_and_is_unsure_where_headers_say_nothing() -> None:
    line = best({"Order": ["o1"], "Line": ["1"], "SKU": ["a"], "Qty": ["1"], "Unit price": ["2.50"]})
    assert line.is_sure
    assert any("unit_price" in reason for reason in line.because)
    assert not best({"name": ["x"], "value": ["y"], "id": ["1"]}).is_sure


def test_the_id_of_a_line_is_never_a_persons() -> None:
    columns = {
        "id": ["1", "2"],
        "order": ["o1", "o2"],
        "sku": ["a", "b"],
        "quantity": ["1", "2"],
        "unit_price": ["2.50", "9.99"],
        "currency": ["EUR", "EUR"],
    }
    assert "id" not in {mapping(best(columns)).get(name) for name in ("customer_id", "loyalty_id")}
    nested = {
        "id": ["o1"],
        "items[].id": ["1", "2"],
        "items[].sku": ["a", "b"],
        "items[].quantity": ["1", "2"],
        "items[].price": ["1.00", "2.00"],
    }
    found = best(nested, records="items")
    assert (found.entity.name, mapping(found)["line_id"], mapping(found).get("customer_id")) == (
        "order_line",
        "items[].id",
        None,
    )


def test_an_amount_of_the_whole_document_is_not_repeated_on_its_lines() -> None:
    found = best(
        {
            "id": ["o1"],
            "total_tax": ["3.00"],
            "items[].id": ["1", "2"],
            "items[].sku": ["a", "b"],
            "items[].quantity": ["1", "2"],
            "items[].price": ["1.00", "2.00"],
        },
        records="items",
    )
    assert "tax_amount" not in mapping(found)


def test_a_card_number_of_a_payment_is_no_loyalty_number() -> None:
    found = best({"Order ID": ["o1"], "Total": ["9.50"], "Order date": ["2026-01-05"], "Credit card number": ["4111"]})
    assert "Credit card number" not in mapping(found).values()


@pytest.mark.parametrize(
    ("values", "logic", "choices"),
    [
        (["13/01/2026", "02/01/2026"], "'%d/%m/%Y'", []),
        (["01/13/2026", "01/02/2026"], "'%m/%d/%Y'", []),
        (["01/02/2026", "03/04/2026"], None, ["day first", "month first"]),
        (["01.02.2026"], None, ["day first", "month first"]),
        (["13/01/99"], "'%d/%m/%y'", []),
        (["13/01/26"], None, ["day first", "year first"]),
        (["01/02/26"], None, ["day first", "month first", "year first"]),
    ],
)
def test_the_order_of_day_and_month_is_told_by_values_or_asked(
    values: list[str], logic: str | None, choices: list[str]
) -> None:
    reading = adapted(canonical()["order_line"].column("business_date"), values)
    assert reading.fits
    assert (logic or "") in (reading.logic or "")
    assert (reading.logic is None) == (logic is None)
    assert [name for name, _ in reading.choices] == choices


def test_other_days_of_the_file_settle_the_order() -> None:
    file = habits([["01/02/2026"], ["25/12/2025", "01/02/2026"]])
    assert file.orders == {"/": "day first"}
    reading = adapted(canonical()["order_line"].column("business_date"), ["01/02/2026"], file)
    assert "'%d/%m/%Y'" in (reading.logic or "")
    assert habits([["13/01/2026"], ["01/13/2026"]]).orders == {}


@pytest.mark.parametrize(
    ("values", "file", "value", "amount"),
    [
        (["1.234,50", "9,99"], Habits(), "1.234,50", "1234.50"),
        (["$1,204.50", "$9.99"], Habits(), "$1,204.50", "1204.50"),
        (["12,90 €"], Habits(), "12,90 €", "12.90"),
        (["1.234"], Habits(","), "1.234", "1234"),
        (["1,234"], Habits("."), "1,234", "1234"),
        (["0.850", "1.250"], Habits(), "1.250", "1.250"),
    ],
)
def test_numbers_are_read_by_their_decimal_sign(values: list[str], file: Habits, value: str, amount: str) -> None:
    reading = adapted(canonical()["order_line"].column("unit_price"), values, file)
    logic = (reading.logic or "{value}").replace("{value}", "$1")
    assert duckdb.execute(f"select ({logic})::decimal(18,4) = '{amount}'::decimal(18,4)", [value]).fetchone() == (True,)


def test_a_point_before_three_digits_is_asked() -> None:
    reading = adapted(canonical()["order_line"].column("unit_price"), ["1.234", "2.500"])
    assert (reading.logic, len(reading.choices)) == (None, 2)


@pytest.mark.parametrize("values", [["$1", "€2"], ["12 apples"], ["5%"]])
def test_numbers_of_two_currencies_or_with_words_are_none(values: list[str]) -> None:
    assert not adapted(canonical()["order_line"].column("unit_price"), values).fits


@pytest.mark.parametrize(
    ("entity", "column", "unit", "value", "landed"),
    [
        ("product", "weight_g", "kg", "0.85", "850"),
        ("product", "weight_g", "lb", "2", "907"),
        ("product", "weight_g", "g", "850", "850"),
        ("shipment", "distance_km", "miles", "62.5", "100.584"),
        ("shipment", "cost", "cents", "410", "4.10"),
    ],
)
def test_units_are_converted(entity: str, column: str, unit: str, value: str, landed: str) -> None:
    target = canonical()[entity].column(column)
    logic = (adapted(target, [value], None, unit).logic or "{value}").replace("{value}", "$1")
    query = f"select ({logic})::{target.sql_type} = '{landed}'::{target.sql_type}"
    assert duckdb.execute(query, [value]).fetchone() == (True,)


def test_a_value_that_is_no_number_fails_the_conversion_of_units() -> None:
    logic = adapted(canonical()["product"].column("weight_g"), ["0.85"], None, "kg").logic or ""
    with pytest.raises(duckdb.ConversionException):
        duckdb.execute(f"select {logic.replace('{value}', '$1')}", ["heavy"]).fetchall()


def test_a_weight_without_a_unit_is_marked() -> None:
    assert "unit is not told" in adapted(canonical()["product"].column("weight_g"), ["850"]).guess


@pytest.mark.parametrize(("value", "landed"), [("ja", "true"), ("nein", "false"), ("vielleicht", "vielleicht")])
def test_yes_and_no_of_other_languages_are_turned_and_others_left(value: str, landed: str) -> None:
    logic = adapted(canonical()["customer"].column("marketing_consent"), ["ja"]).logic or ""
    assert duckdb.execute(f"select {logic.replace('{value}', '$1')}", [value]).fetchone() == (landed,)


def test_every_question_and_guess_is_marked_in_the_contract(tmp_path: Path) -> None:
    content = "Order ID,Order Date,Order Status,Grand Total,Channel,Created\n"
    content += "1,01/02/2026,paid,9.50,online,2026-01-05 10:00:00\n"
    text = made(tmp_path, content, "sales_order").file.read_text(encoding="utf-8")
    assert "# ASK: business_date from Order Date: day first or month first?" in text
    assert text.count("# a guess: day first") == 1
    properties = yaml.safe_load(text)["schema"][0]["properties"]
    assert "business_date" not in {item["name"] for item in properties}
    (line,) = [line for line in text.splitlines() if "name: ordered_at" in line]
    assert "# a guess" in line
    assert "ASK: Created without an offset: UTC is a guess" in text


def test_an_unsure_entity_marks_every_mapping(tmp_path: Path) -> None:
    result = made(tmp_path, "id,name,value\n1,a,2\n2,b,3\n")
    assert not result.fit.is_sure
    text = result.file.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if "- {name: " in line and "physicalName" in line and "..." not in line]
    assert lines
    assert all("# a guess" in line for line in lines)
    assert "{property: entity, value: " in text and "# a guess, or " in text


def test_drafts_beside_it_neither_break_a_new_feed_nor_count(tmp_path: Path) -> None:
    first = made(tmp_path, "Order,SKU,Qty\no1,a,1\no2,b,2\n", "order_line", "draft")
    assert first.fit.needed
    second = made(tmp_path, "review_id,order_id,satisfaction\nr1,o1,5\n", None, "reviews")
    assert second.fit.entity.name == "survey_response"
    assert [name for name, _ in second.skipped] == ["draft.odcs.yaml"]
    (settings_in(tmp_path).contracts / "broken.odcs.yaml").write_text("not: [a contract", encoding="utf-8")
    assert made(tmp_path, "review_id,order_id\nr1,o1\n", None, "third").file.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"order_id,quantity\n", "has a header and no rows"),
        (b"%PDF-1.4\n\x01\x02\x03 stream\n", "is binary"),
        (bytes(range(256)), "zero bytes"),
    ],
)
def test_a_sample_with_nothing_in_it_is_told_in_a_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "sample.csv"
    file.write_bytes(content)
    with pytest.raises(OnedataError, match=message) as caught:
        scaffold(settings_in(tmp_path), file, "feed", None, None, None)
    assert (caught.value.exit_code, "\n" in str(caught.value)) == (2, False)
