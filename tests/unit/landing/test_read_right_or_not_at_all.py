"""Kinds of values that once landed wrong with every gate green: each is read right, or its row is in quarantine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_retailer import NIGHT, SmallRetailer, contract

Retail = Callable[..., SmallRetailer]
LINES: tuple[dict[str, Any], ...] = (
    {"name": "order_id", "physicalName": "order"},
    {"name": "line_id", "physicalName": "line"},
    {"name": "line_type", "transformLogic": "'sale'"},
    {"name": "channel", "transformLogic": "'online'"},
    {"name": "product_id", "physicalName": "gtin"},
    {"name": "product_name", "physicalName": "name"},
    {"name": "quantity", "physicalName": "qty"},
    {"name": "unit_price", "physicalName": "price"},
    {"name": "discount_amount", "physicalName": "disc", "transformLogic": "abs({value}::decimal(18,4))"},
    {"name": "currency", "transformLogic": "'EUR'"},
    {"name": "business_date", "physicalName": "day"},
    {"name": "sold_at", "physicalName": "at"},
)
GOOD: dict[str, Any] = {
    "order": "o1",
    "line": "1",
    "gtin": "00123",
    "name": "Tea",
    "qty": "1",
    "price": "2.50",
    "disc": "-0.50",
    "day": "2026-01-05",
    "at": "2026-01-05 10:00:00",
}


def lines(retail: Retail, kind: str = "csv", **feed: Any) -> SmallRetailer:
    return retail(
        contract(
            "lines",
            entity="order_line",
            path=f"lines/{{ds}}.{kind}",
            kind=kind,
            properties=LINES,
            quarantineTolerance=1,
            **feed,
        )
    )


def put_csv(retailer: SmallRetailer, *rows: dict[str, Any]) -> None:
    text = "\n".join([",".join(GOOD), *(",".join(str((GOOD | row)[name]) for name in GOOD) for row in rows)])
    retailer.put(f"lines/{NIGHT}.csv", text + "\n")


def refusal(shop: SmallRetailer) -> str:
    """Why the only file was refused."""
    shop.take()
    ((rule, reason),) = shop.quarantine("rule, reason")
    assert rule == "unreadable_file"
    return str(reason)


@pytest.mark.parametrize("discount", ['"-20,00"', "20 USD", "abc", "-"])
def test_an_expression_that_fails_is_a_bad_row(retail: Retail, discount: str) -> None:
    shop = lines(retail)
    put_csv(shop, {}, {"line": "2", "disc": discount}, {"line": "3", "disc": ""})
    assert shop.take().counts == (3, 2, 1, 0)
    assert shop.rows("line_id, discount_amount") == [("1", Decimal("0.5")), ("3", None)]
    ((row, rule, reason),) = shop.quarantine("row, rule, reason")
    assert (row, rule) == (2, "discount_amount_logic")
    assert reason.endswith(" cannot be worked out by abs({value}::decimal(18,4))")


def test_an_expression_that_fails_for_a_missing_value_is_a_bad_row_too(retail: Retail) -> None:
    properties = [
        *LINES[:9],
        {"name": "currency", "physicalName": "name", "transformLogic": "coalesce({value}, 'x')::int"},
    ]
    shop = retail(
        contract("lines", entity="order_line", path="lines/{ds}.csv", properties=properties, quarantineTolerance=1)
    )
    put_csv(shop, {"name": ""})
    assert shop.take().counts == (1, 0, 1, 0)
    assert shop.quarantine("rule") == [("currency_logic",)]


@pytest.mark.parametrize("policy", ["try_cast({value} as decimal(18,4))", "coalesce(try({value}::decimal(18,4)), 0)"])
def test_what_the_author_lets_pass_passes(retail: Retail, policy: str) -> None:
    properties = [item if item["name"] != "discount_amount" else item | {"transformLogic": policy} for item in LINES]
    shop = retail(
        contract("lines", entity="order_line", path="lines/{ds}.csv", properties=properties, quarantineTolerance=1)
    )
    put_csv(shop, {"disc": "none"})
    assert shop.take().counts == (1, 1, 0, 0)
    assert shop.rows("discount_amount") == [(None,) if "try_cast" in policy else (Decimal(0),)]


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("day", "2026-01-05 - 2026-01-09", "business_date_type"),
        ("day", "infinity", "business_date_range"),
        ("day", "0206-01-05", "business_date_range"),
        ("day", "2027-01-06", "business_date_range"),
        ("day", "1989-12-31", "business_date_range"),
        ("at", "0206-01-05 10:00:00", "sold_at_range"),
        ("at", "2026-01-05 10:00:00 CST", "sold_at_type"),
        ("at", "infinity", "sold_at_type"),
        ("qty", "1.00001", "quantity_type"),
        ("price", "NaN", "unit_price_type"),
    ],
)
def test_a_value_that_cannot_be_read_right_quarantines_its_row_for_one_reason(
    retail: Retail, column: str, value: str, rule: str
) -> None:
    shop = lines(retail)
    put_csv(shop, {}, {"line": "2", column: value})
    assert shop.take().counts == (2, 1, 1, 0)
    ((row, found, reason),) = shop.quarantine("row, rule, reason")
    assert (row, found) == (2, rule)
    assert ";" not in reason


@pytest.mark.parametrize(
    ("given", "column", "right"),
    [
        ({"day": "2027-01-05"}, "business_date", date(2027, 1, 5)),
        ({"day": "1990-01-01"}, "business_date", date(1990, 1, 1)),
        # No day: that of the instant, which is known.
        ({"day": "9999-12-31"}, "business_date", date(2026, 1, 5)),
        ({"day": "9999-12-31", "at": ""}, "business_date", None),
        ({"day": "2026-01-05 00:00:00.0"}, "business_date", date(2026, 1, 5)),
        ({"at": "9999-12-31 23:59:59"}, "sold_at", None),
        ({"qty": "1.0000000"}, "quantity", Decimal(1)),
    ],
)
def test_a_value_that_can_be_read_is_read(retail: Retail, given: dict[str, str], column: str, right: object) -> None:
    shop = lines(retail)
    put_csv(shop, given)
    assert shop.take().counts == (1, 1, 0, 0)
    assert shop.rows(column) == [(right,)]


def test_the_text_utc_is_not_local_time(retail: Retail) -> None:
    shop = lines(retail, timezone="America/New_York")
    texts = ["2026-01-05 10:00:00 UTC", "2026-01-05 10:00:00+00:00", "2026-01-05 10:00:00"]
    put_csv(shop, *[{"line": str(number), "at": text} for number, text in enumerate(texts)])
    assert shop.take().counts == (3, 3, 0, 0)
    assert shop.rows("sold_at::varchar") == [("2026-01-05 10:00:00",)] * 2 + [("2026-01-05 15:00:00",)]


@pytest.mark.parametrize(
    ("policy", "right", "repaired"),
    [
        (None, [], None),
        ("earlier", [("2025-11-02 05:30:00",)], "sold_at:clock"),
        ("later", [("2025-11-02 06:30:00",)], "sold_at:clock"),
    ],
)
def test_a_time_that_comes_twice_is_quarantined_or_read_as_declared_and_counted(
    retail: Retail, policy: str | None, right: list[tuple[str]], repaired: str | None
) -> None:
    shop = lines(retail, timezone="America/New_York", **({"clockChange": policy} if policy else {}))
    put_csv(shop, {"at": "2025-11-02 01:30:00"}, {"line": "2", "at": "2025-11-02 03:30:00"})
    shop.take()
    assert shop.rows("sold_at::varchar")[:-1] == right
    if repaired is None:
        ((rule, reason),) = shop.quarantine("rule, reason")
        assert rule == "sold_at_clock"
        assert "comes twice or never when the clocks of America/New_York change" in reason
    else:
        assert shop.rows("_repaired") == [(repaired,), (None,)]


def test_a_delimiter_at_the_end_of_each_line_is_no_fault(retail: Retail) -> None:
    shop = lines(retail)
    rows = [",".join([*GOOD, ""]), ",".join([*GOOD.values(), ""]), ",".join([*(GOOD | {"line": "2"}).values(), "x"])]
    shop.put(f"lines/{NIGHT}.csv", "\n".join(rows) + "\n")
    taken = shop.take()
    assert taken.counts == (2, 1, 1, 0)
    assert [row[3] for row in shop.drifts()] == [
        "column 10 has no name and is dropped; a row with a value behind the last named column is quarantined"
    ]
    ((row, rule, reason),) = shop.quarantine("row, rule, reason")
    assert (row, rule) == (2, "unreadable_record")
    assert "a delimiter in a field without quotes?" in reason


def put_parquet(shop: SmallRetailer, **columns: Any) -> None:
    path = shop.put(f"lines/{NIGHT}.parquet", b"")
    count = len(next(iter(columns.values())))
    table = {name: pa.array([value] * count) for name, value in GOOD.items()} | columns
    pq.write_table(pa.table(table), path)


def test_whole_numbers_in_a_double_column_are_digits_or_refused(retail: Retail) -> None:
    shop = lines(retail, "parquet")
    put_parquet(
        shop,
        order=pa.array([5678901234567.0, 1e15, 123456789012345680.0], pa.float64()),
        line=pa.array([1.0, 2.0, 3.0]),
    )
    assert shop.take().counts == (3, 2, 1, 0)
    assert shop.rows("order_id, line_id") == [("5678901234567", "1"), ("1000000000000000", "2")]
    ((rule, reason),) = shop.quarantine("rule, reason")
    assert rule == "order_id_type"
    assert "too large to hold every digit of a number that names something; send it as a text" in reason
    assert ";" not in reason.replace("something;", "")


def test_text_in_a_binary_column_is_text_or_refused(retail: Retail) -> None:
    shop = lines(retail, "parquet")
    put_parquet(shop, line=pa.array(["1", "2"]), name=pa.array(["茶".encode(), b"\xff\xfe"], pa.binary()))
    assert shop.take().counts == (2, 1, 1, 0)
    assert shop.rows("product_name") == [("茶",)]
    assert shop.quarantine("row, rule, reason") == [(2, "unreadable_record", "the bytes of name are not UTF-8 text")]


def test_a_timestamp_in_a_day_column_is_midnight_or_refused(retail: Retail) -> None:
    shop = lines(retail, "parquet")
    put_parquet(
        shop,
        line=pa.array(["1", "2"]),
        day=pa.array([datetime(2026, 1, 5), datetime(2026, 1, 5, 9)], pa.timestamp("us")),
    )
    assert shop.take().counts == (2, 1, 1, 0)
    assert shop.rows("line_id, business_date") == [("1", date(2026, 1, 5))]


def put_json(shop: SmallRetailer, *documents: str) -> None:
    """Documents of the good line with other members, as they are written."""
    text = []
    for document in documents:
        own = dict(part.split(":", 1) for part in document.split(";") if part)
        members = {name: own.pop(name, f'"{value}"') for name, value in GOOD.items()} | own
        text.append("{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}")
    shop.put(f"lines/{NIGHT}.jsonl", "\n".join(text) + "\n")


@pytest.mark.parametrize(
    ("document", "column", "right"),
    [
        ("gtin:12345678901234567890", "product_id", "12345678901234567890"),
        ("gtin:9007199254740993", "product_id", "9007199254740993"),
        ("gtin:1.0", "product_id", "1"),
        ("gtin:1e5", "product_id", "100000"),
        ('gtin:"1.0"', "product_id", "1.0"),
        ('gtin:"1e5"', "product_id", "1e5"),
        ("price:12345678901.1234", "unit_price", Decimal("12345678901.1234")),
        ("qty:12.0", "quantity", Decimal(12)),
    ],
)
def test_a_json_number_keeps_its_digits(retail: Retail, document: str, column: str, right: object) -> None:
    shop = lines(retail, "jsonl")
    put_json(shop, document)
    assert shop.take().counts == (1, 1, 0, 0)
    assert shop.rows(column) == [(right,)]


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        ("gtin:1e22", "unreadable_record"),
        ("gtin:9007199254740993.0", "unreadable_record"),
        ("price:12345678901234.5678", "unreadable_record"),
        ("price:0.30000000000000004", "unreadable_record"),
        ("qty:1.00001", "quantity_type"),
    ],
)
def test_a_json_number_that_loses_digits_is_quarantined(retail: Retail, document: str, rule: str) -> None:
    shop = lines(retail, "jsonl")
    put_json(shop, "", f"line:2;{document}")
    assert shop.take().counts == (2, 1, 1, 0)
    assert shop.quarantine("row, rule") == [(2, rule)]


def test_a_json_number_is_rounded_where_the_contract_says_so_and_counted(retail: Retail) -> None:
    rounded = {"name": "unit_price", "physicalName": "price"} | {
        "customProperties": [{"property": "repairs", "value": [{"round": 2}]}]
    }
    properties = [rounded if item["name"] == "unit_price" else item for item in LINES]
    shop = retail(contract("lines", entity="order_line", path="lines/{ds}.jsonl", kind="jsonl", properties=properties))
    put_json(shop, "price:0.30000000000000004", "line:2;price:2.50")
    assert shop.take().counts == (2, 2, 0, 0)
    assert shop.rows("unit_price, _repaired") == [(Decimal("0.3"), "unit_price:round"), (Decimal("2.5"), None)]


XML: tuple[dict[str, Any], ...] = (
    {"name": "order_id", "physicalName": "Hdr/No"},
    {"name": "line_id", "physicalName": "Line/Seq"},
    *LINES[2:4],
    {"name": "product_id", "physicalName": "Line/Item"},
    {"name": "quantity", "physicalName": "Line/Qty"},
    {"name": "unit_price", "physicalName": "Line/Price"},
    {"name": "currency", "transformLogic": "'EUR'"},
)
TICKET = "<Hdr><No>1</No></Hdr><Line><Seq>1</Seq><Item>7</Item><Qty>1</Qty><Price>2.50</Price>{more}</Line>"


def tickets(retail: Retail, text: str, **feed: Any) -> SmallRetailer:
    shop = retail(
        contract(
            "tickets",
            entity="order_line",
            path="tickets/{ds}.xml",
            kind="xml",
            options={"recordTag": "Ticket"},
            properties=XML,
            records="Line",
            **feed,
        )
    )
    shop.put(f"tickets/{NIGHT}.xml", f"<r>{text}</r>")
    return shop


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<Receipt>" + TICKET.format(more="") + "</Receipt>", "no element 'Ticket' (recordTag): was it renamed?"),
        ("<Ticket><Hdr><No>1</No></Hdr><Row><Seq>1</Seq></Row></Ticket>", "nothing at 'Line' (records) in any record"),
        ("", "no element 'Ticket' (recordTag)"),
    ],
)
def test_an_xml_file_without_a_record_is_refused_unless_the_contract_expects_it(
    retail: Retail, text: str, words: str
) -> None:
    shop = tickets(retail, text)
    message = refusal(shop)
    assert words in message
    assert "emptyOk: true" in message


def test_an_xml_file_without_a_record_is_empty_where_the_contract_expects_it(retail: Retail) -> None:
    taken = tickets(retail, "", emptyOk=True).take()
    assert (taken.counts, taken.closed) == ((0, 0, 0, 0), {})


def test_an_xml_field_that_the_contract_does_not_know_is_told_and_kept(retail: Retail) -> None:
    shop = tickets(retail, f"<Ticket>{TICKET.format(more='<Discount>1.00</Discount>')}</Ticket>")
    taken = shop.take()
    assert taken.counts == (1, 1, 0, 0)
    assert [row[1:3] for row in shop.drifts()] == [("added", "Line/Discount")]
    assert shop.rows("_extra") == [('{"Line/Discount":"1.00"}',)]


def test_an_xml_field_that_the_contract_does_not_know_refuses_the_file_if_it_says_so(retail: Retail) -> None:
    shop = tickets(
        retail, f"<Ticket>{TICKET.format(more='<Discount>1.00</Discount>')}</Ticket>", onDrift={"added": "refuse"}
    )
    message = refusal(shop)
    assert "member 'Line/Discount' is not in the contract" in message


def test_an_xml_field_that_no_record_has_any_more_is_told(retail: Retail) -> None:
    shop = tickets(retail, f"<Ticket>{TICKET.format(more='')}</Ticket>")
    shop.take()
    without = TICKET.format(more="").replace("<Price>2.50</Price>", "")
    shop.put("tickets/2026-01-06.xml", f"<r><Ticket>{without}</Ticket></r>")
    shop.take(date(2026, 1, 6))
    assert ("missing", "Line/Price") in [row[1:3] for row in shop.drifts()]


def test_a_document_of_another_kind_is_quarantined(retail: Retail) -> None:
    properties = [
        item | {"physicalName": f"items[].{item['physicalName']}"} if "physicalName" in item else item
        for item in LINES[:8]
    ]
    shop = retail(
        contract(
            "lines",
            entity="order_line",
            path="lines/{ds}.jsonl",
            kind="jsonl",
            records="items",
            properties=[*properties, LINES[9]],
            quarantineTolerance=1,
        )
    )
    good = '{"items":[{"order":"o","line":"1","gtin":"7","name":"Tea","qty":1,"price":2}]}'
    shop.put(f"lines/{NIGHT}.jsonl", "\n".join([good, '{"items":[]}', '{"items":null}', '{"query":{"rows":1}}']) + "\n")
    assert shop.take().counts == (2, 1, 1, 0)
    ((rule, reason),) = shop.quarantine("rule, reason")
    assert rule == "unreadable_record"
    assert "there is nothing at items: is it a document of another kind?" in reason


@pytest.mark.parametrize(
    ("said", "written", "text", "words"),
    [
        ("latin-1", "gb18030", "绿茶", "it has the bytes c2 cc b2 e8 in a row, as Chinese text in GB18030 has"),
        ("cp1252", "gb18030", "中文名", "as Chinese text in GB18030 has"),
        ("latin-1", "utf-8", "Tee für Käufer", "the file is UTF-8, the contract says latin-1"),
        ("gb18030", "utf-8", "绿茶", "the file is UTF-8, the contract says gb18030"),
        ("latin-1", "cp1252", "5 €", "the byte 0x80 is no character there"),
    ],
)
def test_text_in_another_encoding_than_the_contract_says_is_refused(
    retail: Retail, said: str, written: str, text: str, words: str
) -> None:
    shop = retail(
        contract("lines", entity="order_line", path="lines/{ds}.csv", properties=LINES, options={"encoding": said})
    )
    rows = "\n".join([",".join(GOOD), ",".join((GOOD | {"name": text}).values())]) + "\n"
    shop.put(f"lines/{NIGHT}.csv", rows.encode(written))
    message = refusal(shop)
    assert words in message


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("latin-1", "Tee für Käufer, Größe"), ("gb18030", "绿茶"), ("cp1252", "5 €"), ("cp1251", "чай")],
)
def test_text_in_the_encoding_of_the_contract_is_read(retail: Retail, encoding: str, text: str) -> None:
    shop = retail(
        contract("lines", entity="order_line", path="lines/{ds}.csv", properties=LINES, options={"encoding": encoding})
    )
    rows = "\n".join([",".join(GOOD), ",".join((GOOD | {"name": f'"{text}"'}).values())]) + "\n"
    shop.put(f"lines/{NIGHT}.csv", rows.encode(encoding))
    assert shop.take().counts == (1, 1, 0, 0)
    assert shop.rows("product_name") == [(text,)]


def test_chinese_bytes_under_a_contract_of_utf8_are_quarantined(retail: Retail) -> None:
    shop = lines(retail)
    rows = "\n".join(
        [",".join(GOOD), ",".join((GOOD | {"name": "绿茶"}).values()), ",".join((GOOD | {"line": "2"}).values())]
    )
    shop.put(f"lines/{NIGHT}.csv", (rows + "\n").encode("gb18030"))
    assert shop.take().counts == (2, 1, 1, 0)
    assert shop.rows("line_id") == [("2",)]


EVENTS: tuple[dict[str, Any], ...] = (
    {"name": "order_id", "physicalName": "params[key=order].value.text"},
    {"name": "line_id", "physicalName": "items[].line"},
    *LINES[2:4],
    {"name": "product_id", "physicalName": "items[].gtin"},
    {"name": "quantity", "physicalName": "items[].qty"},
    {"name": "unit_price", "physicalName": "items[].price"},
    {"name": "currency", "physicalName": "geo.currency"},
)


def events(retail: Retail, properties: Any = EVENTS, **feed: Any) -> SmallRetailer:
    shop = retail(
        contract(
            "events",
            entity="order_line",
            path="events/{ds}.parquet",
            kind="parquet",
            records="items",
            properties=properties,
            **feed,
        )
    )
    params = [
        [{"key": "page", "value": {"text": "p"}}, {"key": "order", "value": {"text": f"o{number}"}}]
        for number in (1, 2)
    ]
    items = [
        [{"line": 1, "gtin": 9007199254740993, "qty": 2.0, "price": Decimal("12345678901.1234")}],
        [{"line": line, "gtin": 5, "qty": 1.0, "price": Decimal("1.5")} for line in (1, 2)],
    ]
    table = pa.table(
        {
            "params": pa.array(params),
            "items": pa.array(items),
            "geo": pa.array([{"currency": "EUR"}, {"currency": "USD"}]),
            "day": pa.array(["2026-01-05"] * 2),
        }
    )
    pq.write_table(table, shop.put(f"events/{NIGHT}.parquet", b""))
    return shop


def test_nested_parquet_is_read_by_paths(retail: Retail) -> None:
    shop = events(retail)
    taken = shop.take()
    assert taken.counts == (3, 3, 0, 0)
    assert shop.rows("order_id, line_id, product_id, quantity, unit_price, currency") == [
        ("o1", "1", "9007199254740993", Decimal(2), Decimal("12345678901.1234"), "EUR"),
        ("o2", "1", "5", Decimal(1), Decimal("1.5"), "USD"),
        ("o2", "2", "5", Decimal(1), Decimal("1.5"), "USD"),
    ]
    assert [row[1:3] for row in shop.drifts()] == [("added", "day")]


@pytest.mark.parametrize("path", ["items[].barcode", "geo.valuta", "params[name=order].value.text"])
def test_a_path_that_a_nested_file_does_not_have_is_told(retail: Retail, path: str) -> None:
    shop = events(retail, [*EVENTS, {"name": "product_name", "physicalName": path}])
    taken = shop.take()
    assert taken.counts == (3, 3, 0, 0)
    assert ("missing", path) in [row[1:3] for row in shop.drifts()]


def test_a_required_path_that_a_nested_file_does_not_have_refuses_it(retail: Retail) -> None:
    properties = [item | {"physicalName": "items[].units"} if item["name"] == "quantity" else item for item in EVENTS]
    message = refusal(events(retail, properties))
    assert "column 'items[].units' is missing, and quantity needs it" in message


def test_where_takes_only_the_records_of_the_feed(retail: Retail) -> None:
    shop = lines(retail, where="{name} <> 'Coffee' and {qty}::integer > 0")
    put_csv(shop, {}, {"line": "2", "name": "Coffee"}, {"line": "3", "qty": "many"}, {"line": "4", "qty": "0"})
    assert shop.take().counts == (2, 1, 1, 0)
    assert shop.rows("line_id") == [("1",)]
    assert shop.quarantine("row, rule") == [(3, "where_logic")]


@pytest.mark.parametrize(
    ("document", "is_sound"),
    [
        ('{"id":"A1","who":{"mail":"a","phone":"b"},"lines":[{"n":1,"x":2},{"n":2}]}', True),
        ('{"id":"A1","id":"A2","lines":[{"n":1},{"n":2}]}', False),
        ('{"id":"A1","other":1,"other":1,"lines":[{"n":1},{"n":2}]}', False),
        ('{"id":"A1","who":{"mail":"a","mail":"b"},"lines":[{"n":1},{"n":2}]}', False),
        ('{"id":"A1","lines":[{"n":1},{"n":2,"n":3}]}', False),
    ],
)
def test_a_key_that_stands_twice_quarantines_the_rows_of_its_document(
    retail: Retail, document: str, is_sound: bool
) -> None:
    properties = [
        {"name": "response_id", "physicalName": "id"},
        {"name": "order_id", "physicalName": "lines[].n"},
        {"name": "comment", "physicalName": "who.mail"},
    ]
    shop = retail(
        contract(path="survey/{ds}.jsonl", kind="jsonl", records="lines", properties=properties, quarantineTolerance=1)
    )
    good = '{"id":"A0","who":{"mail":"a","phone":"b"},"lines":[{"n":1,"x":2},{"n":2}]}'
    shop.put(f"survey/{NIGHT}.jsonl", f"{good}\n{document}\n")
    assert shop.take().counts == ((4, 4, 0, 0) if is_sound else (4, 2, 2, 0))
    for rule, reason in shop.quarantine("rule, reason"):
        assert rule == "unreadable_record"
        assert reason == "a key stands twice in one object of the document; which value is meant cannot be told"


@pytest.mark.parametrize("kind", ["jsonl", "json"])
def test_of_a_key_that_stands_twice_the_first_value_holds_where_the_contract_says_so(retail: Retail, kind: str) -> None:
    properties = [
        {"name": "response_id", "physicalName": "id"},
        {"name": "order_id", "physicalName": "lines[].n"},
        {"name": "comment", "physicalName": "who.mail"},
    ]
    shop = retail(
        contract(path=f"survey/{{ds}}.{kind}", kind=kind, records="lines", properties=properties, duplicateKeys="first")
    )
    document = '{"id":"A1","id":"A2","who":{"mail":"a","mail":"b"},"lines":[{"n":1,"n":3},{"n":2}],"lines":[]}\n'
    shop.put(f"survey/{NIGHT}.{kind}", document)
    assert shop.take().counts == (2, 2, 0, 0)
    assert shop.rows("response_id, order_id, comment") == [("A1", "1", "a"), ("A1", "2", "a")]


COMPUTED: tuple[dict[str, Any], ...] = (
    *(item for item in LINES if item["name"] not in ("quantity", "discount_amount", "product_name")),
    {"name": "discount_amount", "transformLogic": "{result of quantity} * {result of unit_price} * 0.1"},
    {"name": "quantity", "physicalName": "qty"},
    {"name": "tax_amount", "transformLogic": "round({result of discount_amount} + {disc}::decimal(18,2), 2)"},
    {"name": "return_reason", "physicalName": "name", "transformLogic": "{value} || ' ' || {result of line_id}"},
)


def test_a_property_may_use_the_results_of_others_in_any_order(retail: Retail) -> None:
    shop = retail(
        contract("lines", entity="order_line", path="lines/{ds}.csv", properties=COMPUTED, quarantineTolerance=1)
    )
    put_csv(shop, {"qty": "3", "price": "2.50"}, {"line": "2", "disc": ""}, {"line": "3", "qty": "many"})
    assert shop.take().counts == (3, 2, 1, 0)
    # 3 x 2.50 x 0.1 = 0.75; 0.75 - 0.50 = 0.25. What is computed from nothing is nothing.
    assert shop.rows("line_id, quantity, discount_amount, tax_amount, return_reason") == [
        ("1", Decimal("3"), Decimal("0.75"), Decimal("0.25"), "Tea 1"),
        ("2", Decimal("1"), Decimal("0.25"), None, "Tea 2"),
    ]
    ((rule, reason),) = shop.quarantine("rule, reason")
    assert rule == "quantity_type"
    assert reason.count(";") == 0


def test_a_result_that_cannot_be_worked_out_quarantines_the_row(retail: Retail) -> None:
    properties = (
        *(item for item in LINES if item["name"] != "discount_amount"),
        {"name": "discount_amount", "transformLogic": "('no ' || {result of quantity})::decimal(18,4)"},
    )
    shop = retail(
        contract("lines", entity="order_line", path="lines/{ds}.csv", properties=properties, quarantineTolerance=1)
    )
    put_csv(shop, {"qty": "3"})
    assert shop.take().counts == (1, 0, 1, 0)
    ((rule, reason),) = shop.quarantine("rule, reason")
    assert (rule, "cannot be worked out by ('no ' || {result of quantity})::decimal(18,4)" in reason) == (
        "discount_amount_logic",
        True,
    )


@pytest.mark.parametrize(
    ("price", "right"),
    [
        ("1.234,50", Decimal("1234.5")),
        ("1.234", Decimal(1234)),
        ("0,500", Decimal("0.5")),
        ("0.500", None),
        ("0.123.456", None),
        ("10.50", None),
        ("-0.750", None),
    ],
)
def test_a_point_before_three_digits_behind_a_zero_separates_no_thousands(
    retail: Retail, price: str, right: Decimal | None
) -> None:
    shop = lines(retail, options={"decimal": ",", "delimiter": ";"})
    row = GOOD | {"price": price}
    shop.put(f"lines/{NIGHT}.csv", f"{';'.join(GOOD)}\n{';'.join(row.values())}\n".replace("-0.50;", "-0;"))
    shop.take()
    assert shop.rows("unit_price") == ([] if right is None else [(right,)])


@pytest.mark.parametrize(
    ("value", "right"),
    [(pa.array([123.0]), "123"), (pa.array([Decimal("123.00")]), "123"), (pa.array([2.0**53 + 2]), None),
     (pa.array([1.2345678901234568e17]), None), (pa.array([7], pa.int64()), "7")],
)  # fmt: skip
@pytest.mark.parametrize("by", ["upper", "values", "logic"])
def test_a_number_that_names_something_keeps_its_digits_through_repairs_and_logic(
    retail: Retail, by: str, value: pa.Array, right: str | None
) -> None:
    named: dict[str, dict[str, Any]] = {
        "upper": {"physicalName": "gtin", "customProperties": [{"property": "repairs", "value": ["upper"]}]},
        "values": {
            "physicalName": "gtin",
            "customProperties": [{"property": "repairs", "value": [{"values": {"x": "y"}}]}],
        },
        "logic": {"physicalName": "gtin", "transformLogic": "'P' || {value}"},
    }
    properties = [{"name": "product_id"} | named[by] if item["name"] == "product_id" else item for item in LINES]
    shop = retail(
        contract(
            "lines", entity="order_line", path="lines/{ds}.parquet", kind="parquet", properties=properties,
            quarantineTolerance=1,
        )
    )  # fmt: skip
    rows = {name: pa.array([text]) for name, text in GOOD.items()} | {"gtin": value}
    pq.write_table(pa.table(rows), shop.put(f"lines/{NIGHT}.parquet", b""))
    shop.take()
    mark = "P" if by == "logic" else ""
    assert shop.rows("product_id") == ([] if right is None else [(mark + right,)])
    assert len(shop.quarantine("rule")) == (right is None)


@pytest.mark.parametrize("value", ['{"id": 5}', '["A1"]', "[]", "{}"])
def test_an_object_in_the_place_of_an_id_is_no_id(retail: Retail, value: str) -> None:
    survey = retail(contract(kind="jsonl", path="survey/{ds}.jsonl", quarantineTolerance=1))
    row = '{"id": "%s", "order": %s, "score": 5, "note": %s, "answered": "2026-01-05T10:00:00"}\n'
    told = row % ("A1", value, '"x"') + row % ("A2", '"[O2"', '"[1] {a}"')
    survey.put(f"survey/{NIGHT}.jsonl", told)
    survey.take()
    assert survey.rows("response_id, order_id, comment") == [("A2", "[O2", "[1] {a}")]
    ((rule, reason),) = survey.quarantine("rule, reason")
    assert (rule, "is an object or a list where a text is expected" in reason) == ("order_id_type", True)
