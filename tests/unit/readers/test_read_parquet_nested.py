"""Nested Parquet: numbers and bytes at every depth are read as in flat Parquet, or their row is in quarantine."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_retailer import NIGHT, SmallRetailer, contract

Retail = Callable[..., SmallRetailer]
PLACES = ("plain", "box.v", "list[0].v", "list[k=x].v", "items[].v", "items[].sub.v", "items[].subs[k=x].v")
INEXACT = "is a number of which its type does not hold every digit; send it as a text"


def shop_of(retail: Retail, column: pa.Array, place: str, name: str = "product_name", **field: Any) -> SmallRetailer:
    """Two rows of the column's two values at every place; the contract reads one."""
    properties = [
        {"name": "order_id", "physicalName": "order"},
        {"name": "line_id", "physicalName": "items[].line"},
        {"name": "line_type", "transformLogic": "'sale'"},
        {"name": "channel", "transformLogic": "'online'"},
        {"name": "product_id", "transformLogic": "'p'"},
        {"name": "currency", "transformLogic": "'EUR'"},
        *({"name": other, "transformLogic": "1"} for other in ("quantity", "unit_price") if other != name),
        {"name": name, "physicalName": place, **field},
    ]
    shop = retail(
        contract(
            "lines",
            entity="order_line",
            path="lines/{ds}.parquet",
            kind="parquet",
            records="items",
            properties=properties,
            quarantineTolerance=1,
        )
    )
    kind, values = column.type, column.to_pylist()
    pair = pa.struct({"k": pa.string(), "v": kind})
    item = pa.struct({"line": pa.int32(), "v": kind, "sub": pa.struct({"v": kind}), "subs": pa.list_(pair)})
    pairs = [[{"k": "x", "v": value}] for value in values]
    items = [[{"line": 1, "v": value, "sub": {"v": value}, "subs": [{"k": "x", "v": value}]}] for value in values]
    table = {
        "order": pa.array([f"o{number}" for number in range(len(values))]),
        "plain": column,
        "box": pa.array([{"v": value} for value in values], pa.struct({"v": kind})),
        "list": pa.array(pairs, pa.list_(pair)),
        "items": pa.array(items, pa.list_(item)),
    }
    pq.write_table(pa.table(table), shop.put(f"lines/{NIGHT}.parquet", b""))
    return shop


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("column", "right"),
    [
        (pa.array([123.0, 0.1], pa.float64()), ["123", "0.1"]),
        (pa.array([123.0, 0.1], pa.float32()), ["123", "0.1"]),
        (pa.array([1e15, 9007199254740992.0], pa.float64()), ["1000000000000000", "9007199254740992"]),
        (pa.array([Decimal("123.00"), Decimal("19.99")], pa.decimal128(10, 2)), ["123", "19.99"]),
        (pa.array([Decimal("12345678901234.5678"), None], pa.decimal128(18, 4)), ["12345678901234.5678", None]),
        (pa.array(["茶".encode(), None], pa.binary()), ["茶", None]),
        (pa.array([9007199254740993, None], pa.int64()), ["9007199254740993", None]),
    ],
)
def test_a_value_of_a_nested_file_that_names_something_keeps_its_digits_and_letters(
    retail: Retail, place: str, column: pa.Array, right: list[str | None]
) -> None:
    shop = shop_of(retail, column, place)
    assert shop.take().counts == (2, 2, 0, 0)
    assert shop.rows("product_name") == [(value,) for value in right]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pa.array([1.0, 123456789012345680.0], pa.float64()), "{}: " + INEXACT),
        (pa.array([1.0, 123456789.0], pa.float32()), "{}: " + INEXACT),
        (pa.array([1.0, 0.1 + 0.2], pa.float64()), "{}: " + INEXACT),
        (pa.array([b"1", b"\xff\xfe"], pa.binary()), "the bytes of {} are not UTF-8 text"),
    ],
)
def test_a_value_of_a_nested_file_that_cannot_be_told_quarantines_its_row(
    retail: Retail, place: str, column: pa.Array, reason: str
) -> None:
    shop = shop_of(retail, column, place)
    assert shop.take().counts == (2, 1, 1, 0)
    assert shop.rows("product_name") == [("1",)]
    assert shop.quarantine("rule, reason") == [("unreadable_record", reason.format(place))]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("column", "right"),
    [
        (pa.array([0.1, 2.5], pa.float32()), ["0.1", "2.5"]),
        (pa.array([0.1, 20000000.0], pa.float32()), ["0.1", "20000000"]),
        (pa.array([19.99, 12345678901.1234], pa.float64()), ["19.99", "12345678901.1234"]),
        (pa.array([Decimal("12345678901.1234"), 1], pa.decimal128(18, 4)), ["12345678901.1234", "1"]),
    ],
)
def test_a_number_of_a_nested_file_lands_where_its_column_holds_it(
    retail: Retail, place: str, column: pa.Array, right: list[str]
) -> None:
    shop = shop_of(retail, column, place, "unit_price", logicalType="number")
    assert shop.take().counts == (2, 2, 0, 0)
    assert shop.rows("unit_price") == [(Decimal(value),) for value in right]


WIDE = pa.array([Decimal("19.99"), Decimal("1.5")], pa.decimal256(50, 4))


@pytest.mark.parametrize("place", PLACES)
def test_a_decimal_with_more_digits_than_can_be_read_refuses_the_file(retail: Retail, place: str) -> None:
    shop = shop_of(retail, WIDE, place, "unit_price")
    shop.take()
    ((rule, reason),) = shop.quarantine("rule, reason")
    name = place.replace("[0]", "[]").replace("[k=x]", "[]")
    assert rule == "unreadable_file"
    assert reason == (
        f"column '{name}' is DECIMAL(50,4), and a decimal of more than 38 digits cannot be read right. "
        "Ask for the column as DECIMAL(38,4) or as a text."
    )


def test_a_decimal_with_too_many_digits_that_nobody_reads_does_no_harm(retail: Retail) -> None:
    assert shop_of(retail, WIDE, "order").take().counts == (2, 2, 0, 0)


@pytest.mark.parametrize("is_read", [True, False])
def test_a_flat_file_is_refused_for_the_wide_decimals_that_are_read(retail: Retail, is_read: bool) -> None:
    properties = [
        {"name": "response_id", "physicalName": "id"},
        {"name": "order_id", "physicalName": "order"},
        *([{"name": "satisfaction", "physicalName": "wide"}] if is_read else []),
    ]
    survey = retail(contract(path="survey/{ds}.parquet", kind="parquet", properties=properties))
    table = pa.table({"id": ["A1", "A2"], "order": ["O1", "O2"], "wide": WIDE})
    pq.write_table(table, survey.put(f"survey/{NIGHT}.parquet", b""))
    taken = survey.take()
    if is_read:
        assert "column 'wide' is DECIMAL(50,4)" in str(survey.quarantine("reason"))
    else:
        assert taken.counts == (2, 2, 0, 0)


@pytest.mark.parametrize(
    ("path", "right", "is_told"),
    [
        ("sum(paid[].a)", "3.5", False),
        ("sum(paid[k=x].a)", "1", False),
        ("sum(paid[other!=x].a)", "3.5", False),
        ("sum(payments[].a)", "0", True),
        ("sum(paid[].amount)", "0", True),
        ("sum(paid[kind=x].a)", "0", True),
        ("sum(one[].a)", "0", True),
    ],
)
def test_what_a_sum_adds_up_and_a_nested_file_does_not_have_is_told(
    retail: Retail, path: str, right: str, is_told: bool
) -> None:
    properties = [
        {"name": "response_id", "physicalName": "id"},
        {"name": "order_id", "physicalName": "order"},
        {"name": "comment", "physicalName": path},
    ]
    survey = retail(contract(path="survey/{ds}.parquet", kind="parquet", properties=properties, quarantineTolerance=1))
    paid = pa.array([[{"a": 1.0, "k": "x"}, {"a": 2.5, "k": None}]])
    table = pa.table({"id": ["A1"], "order": ["O1"], "paid": paid, "one": pa.array([{"a": 1.0}])})
    pq.write_table(table, survey.put(f"survey/{NIGHT}.parquet", b""))
    accepted = int(path != "sum(one[].a)")
    assert survey.take().counts == (1, accepted, 1 - accepted, 0)
    assert survey.rows("comment") == [(right,)] * accepted
    assert (("missing", path) in [row[1:3] for row in survey.drifts()]) is is_told
