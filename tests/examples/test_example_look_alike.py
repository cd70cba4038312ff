"""A few small days in the format of Online Retail, so that its peculiarities are tested even without the real data."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from example_checks import delivered_again, home_of
from support import Story, ask, differences, run_well, story

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
DAYS = {
    date(2010, 12, 1): [
        "536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom",
        "536365,71053,WHITE METAL LANTERN,6,2010-12-01 08:26:00,3.39,17850.0,United Kingdom",
        # Two equal lines of one invoice: two sales.
        "536366,22633,HAND WARMER,1,2010-12-01 08:28:00,1.85,17850.0,United Kingdom",
        "536366,22633,HAND WARMER,1,2010-12-01 08:28:00,1.85,17850.0,United Kingdom",
        # A sale without a customer is still a sale.
        "536367,84879,ASSORTED BIRD,10,2010-12-01 08:34:00,1.69,,United Kingdom",
        "536368,22960,,-3,2010-12-01 09:00:00,0.0,,United Kingdom",
    ],
    date(2010, 12, 2): [
        "C536379,85123A,WHITE HANGING HEART,-2,2010-12-02 09:41:00,2.55,17850.0,United Kingdom",
        "536380,22961,JAM MAKING SET,24,2010-12-02 09:41:00,1.45,13047.0,France",
        "A536381,B,Adjust bad debt,1,2010-12-02 10:00:00,-5.00,,United Kingdom",
    ],
}
GROSS = (
    Decimal("15.30")
    + Decimal("20.34")
    + 2 * Decimal("1.85")
    + Decimal("16.90")
    - Decimal("5.10")
    + Decimal("34.80")
    - Decimal("5.00")
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("look_alike")
    settings = home_of("online_retail", _written(folder / "source"), folder)
    return story(settings, "whole", run_well(settings, list(DAYS), each_night=False))


@pytest.fixture(scope="module")
def again(whole: Story) -> Story:
    return delivered_again(whole.settings, min(DAYS), max(DAYS))


def test_every_line_is_kept(whole: Story) -> None:
    assert ask(whole.warehouse, "select count(*), count(distinct order_id) from dwd.dwd_order_line") == [(9, 7)]


def test_equal_lines_of_an_invoice_are_separate_sales(whole: Story) -> None:
    assert ask(
        whole.warehouse,
        "select count(*), count(distinct line_id), sum(gross_amount) from dwd.dwd_order_line where order_id = '536366'",
    ) == [(2, 2, Decimal("3.7"))]


def test_lines_without_a_customer_are_kept(whole: Story) -> None:
    assert ask(whole.warehouse, "select count(*) from dwd.dwd_order_line where identity_key is null") == [(3,)]


def test_the_invoice_tells_what_a_line_is(whole: Story) -> None:
    assert ask(whole.warehouse, "select line_type, count(*) from dwd.dwd_order_line group by 1 order by 1") == [
        ("adjustment", 2),
        ("return", 1),
        ("sale", 6),
    ]


def test_the_published_money_is_exact(whole: Story) -> None:
    assert ask(whole.published, "select sum(net_revenue_base)::decimal(18, 2) from ads_channel_day") == [(GROSS,)]


def test_each_customer_is_published_once(whole: Story) -> None:
    assert ask(whole.published, "select count(*) from ads_customer_360 where is_known") == [(2,)]


def test_times_of_the_shop_are_london_times(whole: Story) -> None:
    assert ask(
        whole.warehouse, "select distinct sold_at::varchar from dwd.dwd_order_line where order_id = '536365'"
    ) == [("2010-12-01 08:26:00",)]


def test_a_day_delivered_again_under_another_name_adds_nothing(whole: Story, again: Story) -> None:
    assert differences(whole.warehouse, again.warehouse) == {}


def test_a_day_delivered_again_is_counted_as_duplicates(again: Story) -> None:
    assert ask(again.warehouse, "select received, accepted, duplicate from ops.file where status = 'repeated'") == [
        (6, 0, 6)
    ]


def _written(source: Path) -> Path:
    (source / "by-day").mkdir(parents=True)
    for day, lines in DAYS.items():
        (source / "by-day" / f"{day}.csv").write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return source
