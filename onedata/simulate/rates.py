"""Exchange rates of the simulated world: a walk of small steps that depends on the day alone. Banks set rates from
Monday to Friday; on Saturday and Sunday that of the Friday holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from math import sin

REPORTING = "CNY"
EURO = "EUR"
HISTORY_DAYS = 31
"""Days before the first night whose rates its file has too."""

# Currency: usual rate into CNY and its decimals. Two for the euro, in which tills take money: cents times such a rate
# are exact in the four decimals that amounts have, so that no total depends on where it is rounded.
_USUAL = {EURO: (7.8, 2), "USD": (7.1, 4), "GBP": (9.2, 4), "HKD": (0.91, 8)}
CURRENCIES = tuple(_USUAL)


def rate_of(currency: str, day: date) -> Decimal:
    """CNY for one unit of the currency on a day."""
    usual, digits = _USUAL[currency]
    number = bank_day(day).toordinal()
    wave = 0.025 * sin(number / 61 + usual) + 0.012 * sin(number / 9 + 2 * usual) + 0.003 * sin(number * 2.3)
    return Decimal(f"{usual * (1 + wave):.{digits}f}")


def bank_day(day: date) -> date:
    """The day itself, or the Friday before a Saturday or Sunday."""
    return day - timedelta(days=max(0, day.weekday() - 4))


def set_between(first: date, last: date) -> Iterator[tuple[str, date, Decimal]]:
    """The rates that banks set from ``first`` to ``last``: currency, day, rate."""
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        if bank_day(day) == day:
            for currency in CURRENCIES:
                yield currency, day, rate_of(currency, day)
