"""A retailer without a feed of exchange rates keeps them in a file beside its settings: a day takes its own rate or the
last before it, the gate names what is missing, and a late, corrected or removed rate restates the days that take it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import Outcome, ask, run, run_well, share_key

from onedata.settings import Settings, load_settings
from onedata_assets.selection import select_nights

NIGHTS = [date(2026, 2, 10), date(2026, 2, 11)]
COLUMNS = {
    "order_id": "id",
    "product_id": "sku",
    "quantity": "qty",
    "unit_price": "price",
    "currency": "currency",
    "business_date": "date",
}
SALES = {
    NIGHTS[0]: "MP-77,2026-02-10,A,1,100.00,CNY\nMP-78,2026-02-10,A,1,100.00,USD\nMP-70,2026-02-06,A,1,100.00,USD\n",
    NIGHTS[1]: "MP-79,2026-02-11,A,3,100.00,USD\n",
}
HEADER = "# by hand\n\ndate,currency,reporting_currency,rate\n"
FIRST = (
    HEADER + "2026-02-05,USD,CNY,6.98000001\r\n2026-02-09,USD,CNY,7.00\n2026-02-08,USD,EUR,0.85\n2027-12-31,USD,CNY,9\n"
)
# The rate of the 6th comes late, the one of the 9th is corrected, the one of 2027 was a mistake and is gone.
SECOND = HEADER + "2026-02-05,USD,CNY,6.98000001\n2026-02-06,USD,CNY,6.90\n2026-02-09,USD,CNY,7.12345678\n"
NET = "select order_id, business_date, net_amount_base from dws.dws_order order by 1"
RATES = (
    "select currency, reporting_currency, valid_from, valid_to, rate from dim.dim_exchange_rate order by 2 desc, 1, 3"
)


@dataclass
class Told:
    """What the home held after each run, and how the first one, without rates, went."""

    without: Outcome
    due: list[list[date]]
    orders: list[list[tuple[Any, ...]]]
    rates: list[list[tuple[Any, ...]]]
    balances: list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    settings = _retailer(tmp_path_factory.mktemp("rates"))
    own = settings.exchange_rates
    assert own is not None
    without = run(settings, NIGHTS[:1])
    told = Told(without, [], [], [], [])
    for text, sales in ((FIRST, NIGHTS[:1]), (SECOND, []), (SECOND, NIGHTS[1:])):
        own.write_text(text, encoding="utf-8", newline="")
        _deliver(settings, *sales)
        told.due.append(select_nights(settings, None, None))
        run_well(settings, told.due[-1])
        told.orders.append(ask(settings.warehouse, NET))
        told.rates.append(ask(settings.warehouse, RATES))
    told.balances = ask(
        settings.warehouse,
        f"select max(abs(difference)), max(total_in) from ops.reconciliation where night = date '{NIGHTS[1]}' "
        "and subject = 'dws_order_movement -> dws_order' and measure = 'net_revenue_base'",
    )
    run_well(settings, NIGHTS[-1:], full_refresh=True)
    told.orders.append(ask(settings.warehouse, NET))
    told.rates.append(ask(settings.warehouse, RATES))
    return told


def _retailer(folder: Path) -> Settings:
    (folder / "onedata.toml").write_text(
        'source = "source"\ncontracts = "contracts"\nhome = "home"\nreporting_currency = "CNY"\n'
    )
    (folder / "exchange_rates.csv").write_text(HEADER)
    contract = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "mkt_orders",
        "version": "1.0.0",
        "status": "active",
        "dataProduct": "mkt",
        "description": {"purpose": "Orders of a marketplace, for a test."},
        "servers": [{"server": "landing", "type": "local", "path": "orders_{ds}.csv", "format": "csv"}],
        "schema": [
            {
                "name": "mkt_orders",
                "customProperties": [{"property": "entity", "value": "order_line"}],
                "properties": [{"name": name, "physicalName": field} for name, field in COLUMNS.items()]
                + [
                    {"name": name, "transformLogic": f"'{value}'"}
                    for name, value in (("line_id", "1"), ("line_type", "sale"), ("channel", "marketplace"))
                ],
            }
        ],
    }
    (folder / "contracts").mkdir()
    (folder / "contracts" / "mkt_orders.odcs.yaml").write_text(yaml.dump(contract, sort_keys=False))
    (folder / "source").mkdir()
    settings = load_settings(folder / "onedata.toml", {})
    share_key(settings)
    _deliver(settings, NIGHTS[0])
    return settings


def _deliver(settings: Settings, *nights: date) -> None:
    for night in nights:
        (settings.source / f"orders_{night}.csv").write_text(f"id,date,sku,qty,price,currency\n{SALES[night]}")


def test_without_a_rate_nothing_is_published_and_the_gate_names_currency_and_first_day(told: Told) -> None:
    assert not told.without.succeeded
    assert "USD" in told.without.said
    assert "2026-02-06" in told.without.said
    assert "exchange_rates.csv" in told.without.said


def test_each_day_takes_its_own_rate_or_the_last_before_it(told: Told) -> None:
    assert told.orders[0] == [
        ("MP-70", date(2026, 2, 6), Decimal("698.0000")),  # 6.98000001 x 100 = 698.000001
        ("MP-77", date(2026, 2, 10), Decimal(100)),
        ("MP-78", date(2026, 2, 10), Decimal(700)),
    ]


def test_a_late_and_a_corrected_rate_restate_the_days_that_take_them(told: Told) -> None:
    assert told.orders[1] == [
        ("MP-70", date(2026, 2, 6), Decimal(690)),
        ("MP-77", date(2026, 2, 10), Decimal(100)),
        ("MP-78", date(2026, 2, 10), Decimal("712.3457")),  # 7.12345678 x 100, to four decimals
    ]


def test_a_changed_file_alone_repeats_the_last_night_and_others_take_it_with_them(told: Told) -> None:
    assert told.due == [NIGHTS[:1], NIGHTS[:1], NIGHTS[1:]]


def test_a_rate_that_the_file_no_longer_has_no_longer_holds(told: Told) -> None:
    last = date(2026, 2, 9)
    before = [
        ("USD", "EUR", date(2026, 2, 8), None, Decimal("0.85")),
        ("USD", "CNY", date(2026, 2, 5), last, Decimal("6.98000001")),
        ("USD", "CNY", last, date(2027, 12, 31), Decimal(7)),
        ("USD", "CNY", date(2027, 12, 31), None, Decimal(9)),
    ]
    after = [
        ("USD", "CNY", date(2026, 2, 5), date(2026, 2, 6), Decimal("6.98000001")),
        ("USD", "CNY", date(2026, 2, 6), last, Decimal("6.9")),
        ("USD", "CNY", last, None, Decimal("7.12345678")),
    ]
    assert told.rates == [before, after, after, after]


def test_the_nights_equal_a_rebuild_and_balance(told: Told) -> None:
    assert told.orders[-1] == told.orders[-2] == [*told.orders[1], ("MP-79", NIGHTS[1], Decimal("2137.0370"))]
    assert told.balances == [(0, sum(amount for _, _, amount in told.orders[-1]))]
