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


def test_a_cart_that_was_left_is_an_event_of_a_visit_and_no_order() -> None:
    cart = {
        "id": ["901", "902"],
        "cart_token": ["68778783", "0b3a11c2"],
        "email": ["ada@example.com", "ben@example.com"],
        "created_at": ["2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z"],
        "updated_at": ["2026-01-05T10:01:00Z", "2026-01-05T11:01:00Z"],
        "currency": ["EUR", "EUR"],
        "total_price": ["59.80", "9.90"],
        "shipping_address.city": ["Ulm", "Bonn"],
        "shipping_address.latitude": ["48.4", "50.7"],
        "shipping_address.longitude": ["9.9", "7.1"],
    }
    found = best(cart, "abandoned_checkouts")
    assert (found.entity.name, mapping(found)["visitor_id"]) == ("web_event", "cart_token")
    assert best(cart, "orders").entity.name == "sales_order"


def test_a_stock_list_that_describes_its_articles_is_no_list_of_articles() -> None:
    found = best(
        {
            "Artikelnummer": ["A-1", "A-2"],
            "Bezeichnung": ["Stuhl", "Tisch"],
            "Warengruppe": ["Möbel", "Möbel"],
            "Lieferant": ["Süd", "Süd"],
            "Gewicht (kg)": ["12.5", "31"],
            "Bestand": ["42", "8"],
            "Lagerort": ["Halle 1", "Halle 2"],
            "Datum": ["2026-01-15", "2026-01-15"],
        }
    )
    assert found.entity.name == "inventory_snapshot"


def order_line(**columns: Sequence[str]) -> dict[str, Sequence[str]]:
    return {"Order": ["o1", "o2"], "SKU": ["a", "b"], "Qty": ["1", "2"], "Unit price": ["2.50", "9.99"], **columns}


def test_an_orders_tax_is_no_sure_tax_of_its_line() -> None:
    def sure(name: str) -> set[str]:
        found = best(order_line(**{name: ["0.40", "1.20"]}))
        return {item.column.name for item in found.mapped if item.field.name == name and item.is_sure}

    assert sure("Line Tax") == {"tax_amount"}
    assert sure("Order Sales Tax") == set()


def test_a_buyers_name_is_not_their_id_and_a_till_is_no_line() -> None:
    found = mapping(best(order_line(**{"BuyerName": ["Ann Lee", "Bob Ray"], "POS": ["POS 1", "POS 2"]})))
    assert found.get("customer_id") is None
    assert found.get("line_id") is None
    assert mapping(best(order_line(Pos=["1", "2"])))["line_id"] == "Pos"


def test_a_fee_or_an_always_empty_field_is_not_the_payments_id() -> None:
    found = best(
        {
            "Transaction ID": ["1AB", "2AB"],
            "Receipt ID": [],
            "Order": ["o1", "o2"],
            "Fee": ["1.75", "0.20"],
            "Amount": ["49.99", "9.90"],
            "Payment method": ["visa", "paypal"],
            "Paid at": ["2026-01-05 10:00:00", "2026-01-05 11:00:00"],
        }
    )
    assert (found.entity.name, mapping(found)["payment_id"]) == ("payment", "Transaction ID")


def test_of_two_fields_with_one_name_the_rows_own_is_taken() -> None:
    found = best(
        {
            "id": ["o1"],
            "updated_at": ["2026-01-01T00:00:00Z"],
            "items[].id": ["1", "2"],
            "items[].sku": ["a", "b"],
            "items[].quantity": ["1", "2"],
            "items[].price": ["1.00", "2.00"],
            "items[].updated_at": ["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"],
        },
        records="items",
    )
    assert mapping(found)["updated_at"] == "items[].updated_at"


def test_what_a_fields_values_say_of_a_record_is_no_region_and_a_path_is_no_store() -> None:
    rows = Rows(None, [SourceField("state", ["enabled", "disabled"]), SourceField("customer_id", ["c1", "c2"])])
    fits = rank([rows], canonical().values(), {}, "customers")
    customer = next(one for one in fits if one.entity.name == "customer")
    assert "region" not in mapping(customer)
    assert "node_id" not in mapping(best(order_line(landing_site=["/a", "/b?c=1"])))


def test_a_column_date_with_times_tells_the_time_too_and_says_that_it_is_a_guess() -> None:
    found = best(order_line(Date=["2026-01-05 08:00:12", "2026-01-05 09:41:30"]))
    assert mapping(found)["sold_at"] == mapping(found)["business_date"] == "Date"
    assert not next(item for item in found.mapped if item.column.name == "sold_at").is_sure


def test_a_packed_time_is_read() -> None:
    reading = adapted(canonical()["order_line"].column("sold_at"), ["20260105103012"])
    (read,) = duckdb.sql(f"select {(reading.logic or '').replace('{value}', repr('20260105103012'))}").fetchone() or ()
    assert read == "2026-01-05 10:30:12"


@pytest.mark.parametrize(
    ("text", "concepts"),
    [("Committed (not editable)", ["reserved"]), ("On hand (current)", ["stock"]), ("Gewicht (kg)", ["weight"])],
)
def test_a_remark_in_parentheses_does_not_count(text: str, concepts: list[str]) -> None:
    assert list(header(text).concepts) == concepts


@pytest.mark.parametrize(
    ("values", "column"), [(["A-1", "A-2"], "product_id"), (["Stuhl rot", "Tisch"], "product_name")]
)
def test_what_is_called_a_product_alone_is_its_code_or_its_name_by_its_values(
    values: Sequence[str], column: str
) -> None:
    lines = {"Bestellnr": ["b1", "b1"], "Pos": ["1", "2"], "Menge": ["1", "2"], "Einzelpreis": ["2.50", "9.99"]}
    assert mapping(best(lines | {"Artikel": values}))[column] == "Artikel"
