"""What a caller asks of the simulator and what it answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

LINES_PER_ORDER = 2.02
"""Mean number of lines on an order, as the line draw in ``trade.py`` gives it."""


@dataclass(frozen=True)
class SimulationSettings:
    """Size, period and seed of a simulated retailer; raises ValueError for values that make no sense.

    ``orders_per_customer_day`` is the mean over all customers and days; about two lines stand on an order.
    """

    customers: int = 400
    days: int = 5
    seed: int = 7
    start: date = date(2026, 1, 5)
    orders_per_customer_day: float = 0.25

    def __post_init__(self) -> None:
        if not 1 <= self.customers <= 10_000_000:
            raise ValueError(f"customers must be between 1 and 10,000,000, got {self.customers}")
        if not 1 <= self.days <= 1_000:
            raise ValueError(f"days must be between 1 and 1,000, got {self.days}")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed must be between 0 and 2^63 - 1, got {self.seed}")
        rate = self.orders_per_customer_day
        if not (math.isfinite(rate) and 0 < rate <= 20):
            raise ValueError(f"orders_per_customer_day must be above 0 and at most 20, got {rate}")
        if not date(2000, 1, 1) <= self.start <= date(2100, 1, 1):
            raise ValueError(f"start must lie between 2000-01-01 and 2100-01-01, got {self.start}")

    @classmethod
    def for_order_lines(cls, order_lines: int, customers: int, days: int, seed: int = 7, start: date = date(2026, 1, 5)) -> SimulationSettings:
        """Settings whose orders together have about ``order_lines`` lines; raises ValueError where none can."""
        if min(order_lines, customers, days) < 1:
            raise ValueError(f"order_lines, customers and days must be at least 1, got {order_lines}, {customers}, {days}")
        rate = order_lines / LINES_PER_ORDER / customers / days
        return cls(customers=customers, days=days, seed=seed, start=start, orders_per_customer_day=rate)

    @property
    def nights(self) -> list[date]:
        """The nights of the simulation, in order."""
        return [self.start + timedelta(days=day) for day in range(self.days)]

    @property
    def products(self) -> int:
        """Number of SKUs the retailer sells."""
        return min(60 + self.customers // 100, 2_000)

    @property
    def stores(self) -> int:
        """Number of stores; there is one warehouse beside them."""
        return min(5 + self.customers // 2_500, 60)


@dataclass(frozen=True)
class Defect:
    """One row broken on purpose: ``file`` lies below ``source``, ``row`` counts its records from 1, header apart."""

    feed: str
    file: str
    row: int
    key: str
    what: str
    expected: str
    channel: str | None = None
    net_revenue: str = "0.00"
    """What the row would have added to the channel's net revenue, CNY."""


@dataclass(frozen=True)
class SimulationSummary:
    """What was written: ``rows`` by feed as delivered (updates and repeated rows included)."""

    source: Path
    truth: Path
    rows: dict[str, int]
    defects: tuple[Defect, ...]
