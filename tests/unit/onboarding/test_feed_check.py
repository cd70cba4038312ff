"""`feed check`: the accepted rows as they would land, what it counts of them, and what is told of bad files."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from small_retailer import HEADER, canonical, contract, custom, identifier_policy, settings_in, write_contracts
from typer.testing import CliRunner

from onedata.contracts import load_feeds
from onedata.onboarding.dry_run import Checked, CheckMisuse, check_file
from onedata.retailer import Retailer
from onedata_assets.cli import main

CUSTOMER = [
    {"name": "customer_id", "physicalName": "id"},
    {"name": "email", "physicalName": "mail"},
    {"name": "phone", "physicalName": "tel"},
    {"name": "postcode", "physicalName": "plz"},
    {"name": "city", "physicalName": "city"},
]
ORDER = [
    {"name": "order_id", "physicalName": "id"},
    {"name": "channel", "transformLogic": "'online'"},
    {"name": "total_amount", "physicalName": "total"},
    {"name": "currency", "physicalName": "currency"},
    {"name": "business_date", "transformLogic": "left({placed.at}, 10)"},
    {"name": "ordered_at", "physicalName": "placed.at"},
]


def checked(folder: Path, content: dict[str, Any], name: str, text: str | bytes) -> Checked:
    write_contracts(settings_in(folder).contracts, content)
    entities = canonical()
    (feed,) = load_feeds(settings_in(folder).contracts, entities)
    file = folder / "mail" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return check_file(Retailer(settings_in(folder), entities, identifier_policy(), (feed,)), file, feed)


def people(folder: Path, *rows: str) -> Checked:
    content = contract(entity="customer", properties=CUSTOMER, region="DE", quarantineTolerance=0.5)
    return checked(folder, content, "2026-01-05.csv", "\n".join(["id,mail,tel,plz,city", *rows]) + "\n")


def test_columns_are_told_as_they_would_land(tmp_path: Path) -> None:
    rows = ["r1,o1,5,,2026-01-05T10:00:00+01:00", "r2,o1,2,,2026-01-05T11:00:00+01:00"]
    outcome = checked(tmp_path, contract(), "2026-01-05.csv", "\n".join([HEADER, *rows]) + "\n")
    assert outcome.preview is not None
    found = {column.name: column for column in outcome.preview.columns}
    score, order, note, time = (found[name] for name in ("satisfaction", "order_id", "comment", "answered_at"))
    assert (score.null_share, score.distinct, score.least, score.most, score.first) == (0.0, 2, "2", "5", ["5", "2"])
    assert (order.distinct, note.null_share, note.first) == (1, 1.0, ["-", "-"])
    assert time.first[0] == "2026-01-05 09:00:00"  # UTC


def test_no_raw_personal_value_is_shown_of_accepted_rows(tmp_path: Path) -> None:
    outcome = people(tmp_path, "C1,ada@mail.example,+4915112345678,34117,Kassel", "C2,,,10115,Berlin")
    assert outcome.preview is not None
    cells = [cell for column in outcome.preview.columns for cell in (*column.first, column.least, column.most)]
    shown = " ".join(cells)
    for raw in ("ada@mail", "15112345678", "34117", "10115"):
        assert raw not in shown
    found = {column.name: column for column in outcome.preview.columns}
    assert found["email"].first[0].startswith("hash ")
    assert found["postcode"].first == ["99999", "99999"]
    assert (found["phone"].least, found["phone"].distinct, found["phone"].null_share) == ("", 1, 0.5)


def test_identifiers_that_name_nobody_are_counted(tmp_path: Path) -> None:
    outcome = people(tmp_path, "C1,ada@mail.example,0000000000,1,a", "C2,n/a,+4915112345678,1,a", "C3,,00000,1,a")
    assert outcome.preview is not None
    assert dict(outcome.preview.blocked) == {"email": 1, "phone": 2}


def test_money_and_unread_fields_of_documents_are_told(tmp_path: Path) -> None:
    content = contract(entity="sales_order", kind="jsonl", path="shop/{ds}.jsonl", properties=ORDER)
    content["customProperties"] = custom({"unmapped": ["note"]})
    documents = [
        {
            "id": f"o{number}",
            "total": "9.50",
            "currency": "EUR",
            "placed": {"at": "2026-01-05T10:00:00Z", "by": "app"},
            "note": "x",
            "lines": [{"sku": "a"}],
        }
        for number in (1, 2)
    ]
    outcome = checked(tmp_path, content, "2026-01-05.jsonl", "\n".join(map(json.dumps, documents)) + "\n")
    assert outcome.preview is not None
    assert outcome.preview.unread == ["lines[].sku", "placed.by"]
    money = {item.total: item for item in outcome.preview.money}["total_amount"]
    assert (money.currency, money.received, money.accepted) == ("EUR", Decimal("19.00"), Decimal("19.00"))


def test_unread_fields_of_xml_are_told(tmp_path: Path) -> None:
    content = contract(kind="xml", path="desk/{ds}.xml", options={"recordTag": "Answer"})
    row = "<Answer lang='de'><id>r1</id><order>o1</order><score>5</score><note>x</note><mood>glad</mood></Answer>"
    outcome = checked(tmp_path, content, "2026-01-05.xml", f"<All>{row}</All>")
    assert outcome.preview is not None
    assert outcome.preview.unread == ["@lang", "mood"]


def test_a_file_that_starts_with_a_line_of_excel_says_how_it_is_read(tmp_path: Path) -> None:
    text = "sep=;\n" + HEADER.replace(",", ";") + "\nr1;o1;5;fine;2026-01-05T10:00:00\n"
    told = checked(tmp_path, contract(options={"delimiter": ";"}), "2026-01-05.csv", text)
    assert "Set skip: 1" in told.bad[0].sample[0][1]
    right = checked(tmp_path, contract(options={"delimiter": ";", "skip": "1"}), "2026-01-05.csv", text)
    assert (right.landed.accepted, right.clean) == (1, True)


def test_an_unreadable_file_is_not_said_to_be_kept_where_it_is_not(tmp_path: Path) -> None:
    outcome = checked(tmp_path, contract(), "2026-01-05.csv", "a,b\n1,2\n")
    (bad,) = outcome.bad
    assert "here nothing is kept" in bad.sample[0][2]
    assert "/tmp" not in bad.sample[0][2]


@pytest.mark.parametrize(
    ("kind", "name", "content", "message"),
    [
        ("csv", "2026-01-05.csv", b"", "is empty"),
        ("csv", "2026-01-05.csv", b" \n\n", "is empty"),
        ("csv", "2026-01-05.csv", HEADER.encode() + b"\n", "has no rows"),
        ("csv", "2026-01-05.csv", bytes(range(256)), "is binary"),
        ("parquet", "2026-01-05.parquet", b"id,order\n", "is no parquet file"),
        ("xlsx", "2026-01-05.xlsx", b"id,order\n", "is no xlsx file"),
    ],
)
def test_a_file_with_nothing_to_check_is_told_in_a_sentence(
    tmp_path: Path, kind: str, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(CheckMisuse, match=message) as caught:
        checked(tmp_path, contract(kind=kind, path=f"survey/{{ds}}.{kind}"), name, content)
    assert (caught.value.exit_code, "\n" in str(caught.value)) == (2, False)


def test_the_command_prints_the_rows_the_money_and_exits_with_2_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "onedata.toml").write_text('home = "home"\nsource = "source"\ncontracts = "contracts"\n')
    write_contracts(tmp_path / "contracts", contract())
    file = tmp_path / "survey" / "2026-01-05.csv"
    file.parent.mkdir()
    for content, code in ((f"{HEADER}\nr1,o1,5,fine,2026-01-05T10:00:00\n", 0), ("", 2)):
        file.write_text(content)
        outcome = CliRunner().invoke(main, ["feed", "check", str(file), "--settings", str(tmp_path / "onedata.toml")])
        assert outcome.exit_code == code, outcome.output
        if not code:
            assert "accepted rows, as they would land" in outcome.output
            (line,) = [line for line in outcome.output.splitlines() if line.strip().startswith("satisfaction")]
            assert line.split() == ["satisfaction", "0%", "1", "5", "5", "5"]
