"""Late files and corrections, written into the source of a retailer with three published nights."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from support import NIGHTS

CORRECTED = NIGHTS[-1] + timedelta(days=3)
ORDERS = f"shop/orders/orders_{NIGHTS[0]}.jsonl"
LATE_ORDER = 5999999999
LATE_PRICE, OLD_PRICE, NEW_PRICE = "123.45", "1.11", "777.77"
EARLIER, LATER = "2026-01-01T00:00:00+08:00", "2026-01-09T12:00:00+08:00"
NEW_RATE = "7.12345678"
SPEND = "social/spend/page_{ds}_{page}.jsonl"


def correct_orders(source: Path) -> None:
    """The first night's file, sent again with three documents more: an order that came late, an older version of one
    order that is known, and a newer version of another one.
    """
    documents = [json.loads(line) for line in (source / ORDERS).read_text(encoding="utf-8").splitlines()]
    stale, fresh = two_orders(source)
    late = _priced(documents[0], LATE_PRICE) | {"id": LATE_ORDER, "cancelled_at": None, "test": False}
    for number, line in enumerate(late["line_items"]):
        line["id"] = LATE_ORDER * 10 + number
    more = [
        late,
        _priced(_document(documents, stale), OLD_PRICE) | {"updated_at": EARLIER},
        _priced(_document(documents, fresh), NEW_PRICE) | {"updated_at": LATER, "cancelled_at": None, "test": False},
    ]
    with (source / ORDERS).open("a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(document, ensure_ascii=False) + "\n" for document in more)


def two_orders(source: Path) -> tuple[int, int]:
    """Ids of two good orders of the first night, the one that gets an older version and the one that gets a newer
    one."""
    lines = (source / ORDERS).read_text(encoding="utf-8").splitlines()
    good = [document["id"] for line in lines if _is_sale(document := json.loads(line))]
    return good[1], good[2]


def _is_sale(document: dict[str, Any]) -> bool:
    return (
        document["cancelled_at"] is None
        and not document["test"]
        and len(document["line_items"]) == 1
        and document["line_items"][0]["quantity"] == 1
    )


def _document(documents: list[dict[str, Any]], number: int) -> dict[str, Any]:
    return next(document for document in documents if document["id"] == number)


def _priced(document: dict[str, Any], price: str) -> dict[str, Any]:
    """A copy whose first line costs `price`, without discount."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    copy["line_items"] = [copy["line_items"][0] | {"quantity": 1, "price": price, "total_discount": "0.00"}]
    return copy | {"total_price": price, "subtotal_price": price, "total_discounts": "0.00"}


def correct_spend(source: Path) -> None:
    """Spend names no version. A late page for the first night says another amount for a row of the second night; a page
    of the last night says another amount for a row of the first.
    """
    first, second = (
        json.loads((source / SPEND.format(ds=night, page=1)).read_text(encoding="utf-8").splitlines()[0])
        for night in NIGHTS[:2]
    )
    for night, row in ((NIGHTS[0], second | {"spend": OLD_PRICE}), (CORRECTED, first | {"spend": NEW_PRICE})):
        (source / SPEND.format(ds=night, page=9)).write_text(json.dumps(row) + "\n", encoding="utf-8")


def correct_rate(source: Path) -> None:
    """The euro's rate of the second night again, five days later."""
    text = (
        "currency,reporting_currency,rate_date,rate,updated_at\n"
        f"EUR,CNY,{NIGHTS[1]},{NEW_RATE},{CORRECTED}T09:15:00+08:00\n"
    )
    (source / f"finance/rates/rates_{CORRECTED}.csv").write_text(text, encoding="utf-8")


def withdraw_order(source: Path) -> None:
    """The first night's file without an order that no other night says anything of."""
    lines = (source / ORDERS).read_text(encoding="utf-8").splitlines(keepends=True)
    later = "".join((source / f"shop/orders/orders_{night}.jsonl").read_text(encoding="utf-8") for night in NIGHTS[1:])
    sales = [document["id"] for line in lines[:-3] if _is_sale(document := json.loads(line))]
    gone = next(number for number in sales if number not in two_orders(source) and str(number) not in later)
    (source / ORDERS).write_text("".join(line for line in lines if json.loads(line)["id"] != gone), encoding="utf-8")
