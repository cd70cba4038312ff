"""The log of a real NCR till (shared/data/poslog): control and retail transactions, vendor namespaces, totals of
several kinds."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest
from small_retailer import canonical
from support import REPOSITORY, shared_data
from xml_rows import Row, XmlFeed, xml_feed

from onedata.contracts import load_feeds
from onedata.readers import SourceFile
from onedata.readers.xml import read_xml

GRAND = "RetailTransaction/Total[@TotalType=TransactionGrandAmount]"


@pytest.fixture(scope="module")
def log() -> bytes:
    return (shared_data("poslog") / "till_small.xml").read_bytes()


def rows(feed: XmlFeed, log: bytes) -> list[dict[str, str | None]]:
    return [dict(zip(feed.feed.source_fields, values, strict=True)) for values in feed.values(log)]


def test_every_transaction_is_read_the_control_one_too(tmp_path: Path, log: bytes) -> None:
    feed = xml_feed(tmp_path, ["SequenceNumber", "EndDateTime", "ControlTransaction/ReasonCode", GRAND], "Transaction")
    assert [tuple(row.values()) for row in rows(feed, log)] == [
        ("160", "2017-10-01T02:01:31", "Valid SignOn", None),
        ("161", "2017-10-01T02:02:54", None, "1.07"),
    ]


def test_a_feed_of_retail_transactions_leaves_the_sign_on_out(tmp_path: Path, log: bytes) -> None:
    loyalty, tax = "RetailTransaction//LoyaltyID", "RetailTransaction/Total[@TotalType=TransactionTaxAmount]"
    feed = xml_feed(
        tmp_path,
        ["SequenceNumber", GRAND, tax, loyalty, "OperatorID/@OperatorName"],
        "Transaction",
        where="RetailTransaction",
    )
    assert rows(feed, log) == [
        {
            "SequenceNumber": "161",
            GRAND: "1.07",
            tax: "0.00",
            loyalty: "0000000000000040000066677",
            "OperatorID/@OperatorName": "FL 34",
        }
    ]


@pytest.mark.parametrize(
    ("records", "count"),
    [
        ("RetailTransaction/LineItem", 23),
        ("RetailTransaction/LineItem[Sale|Return]", 1),
        ("RetailTransaction/LineItem[Tender]", 1),
        ("RetailTransaction/LineItem[LoyaltyReward]", 6),
        ("RetailTransaction/LineItem[CRMCustomVariable]", 14),
        ("RetailTransaction/LineItem[LoyaltyMembership]", 1),
        ("RetailTransaction/LineItem[@EntryMethod=Keyed]", 1),
    ],
)
def test_every_line_is_read(tmp_path: Path, log: bytes, records: str, count: int) -> None:
    feed = xml_feed(
        tmp_path, ["SequenceNumber", "RetailTransaction/LineItem/SequenceNumber"], "Transaction", records=records
    )
    assert len(feed.values(log)) == count


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "pos_transactions",
            {"RetailStoreID": "9", "WorkstationID": "34", GRAND: "1.07", "CurrencyCode": "USD"},
        ),
        (
            "pos_transaction_lines",
            {
                "RetailTransaction/LineItem/Sale/ItemID": "00000000067591",
                "RetailTransaction/LineItem/Sale/Quantity": "0.42",
            },
        ),
    ],
)
def test_the_shipped_contract_reads_the_real_log(log: bytes, tmp_path: Path, name: str, wanted: dict[str, str]) -> None:
    (feed,) = [feed for feed in load_feeds(REPOSITORY / "data_contracts", canonical()) if feed.name == name]
    (tmp_path / "log.xml").write_bytes(log)
    with duckdb.connect() as con:
        reading = read_xml(
            con, feed, [SourceFile(1, tmp_path / "log.xml", "log.xml", date(2017, 9, 30), len(log), 0, "")]
        )
        found = con.execute(f"select * from ({reading.parts[0].query})")
        names = [column[0] for column in found.description or []]
        read: list[Row] = found.fetchall()
    assert [{key: dict(zip(names, row, strict=True))[key] for key in wanted} for row in read] == [wanted]
