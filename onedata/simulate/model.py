"""Input and output of the simulator."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from onedata.simulate.shares import DefectRates, IdentityRates

LINES_PER_ORDER = 1.95
"""Mean number of lines on an order or ticket, as ``baskets.py`` draws them."""
MAX_CUSTOMERS = 5_000_000
MAX_DAYS = 1_000


@dataclass(frozen=True)
class Profile:
    """How a retailer's size depends on its customers, and their activity; rates are means per customer and day."""

    meaning: str
    orders: float
    sessions: float
    engagements: float
    products: int
    customers_per_product: int
    most_products: int
    stores: int
    customers_per_store: int
    most_stores: int


PROFILES = {
    "dense": Profile(
        "few customers who buy all the time: full feeds from a small retailer",
        orders=0.25, sessions=0.4, engagements=0.4,
        products=60, customers_per_product=100, most_products=2_000,
        stores=6, customers_per_store=2_500, most_stores=60,
    ),
    "retail": Profile(
        "a real retailer's frequencies, about eleven orders a customer and year",
        orders=0.03, sessions=0.06, engagements=0.04,
        products=200, customers_per_product=400, most_products=4_000,
        stores=6, customers_per_store=12_500, most_stores=400,
    ),
}  # fmt: skip

Progress = Callable[[int, int, int], None]
"""Told after each night: nights done, nights in all, rows so far."""


@dataclass(frozen=True)
class SimulationSettings:
    """Size, period, seed and defects of a simulated retailer; raises ValueError for invalid values.

    ``orders_per_customer_day`` replaces the profile's rate: the mean over all customers and ordinary days.
    """

    customers: int = 400
    days: int = 5
    seed: int = 7
    start: date = date(2026, 1, 5)
    profile: str = "dense"
    orders_per_customer_day: float | None = None
    defects: DefectRates = field(default_factory=DefectRates.light)
    identity: IdentityRates = field(default_factory=IdentityRates)

    def __post_init__(self) -> None:
        if not 1 <= self.customers <= MAX_CUSTOMERS:
            raise ValueError(f"customers must be between 1 and {MAX_CUSTOMERS:,}, got {self.customers}")
        if not 1 <= self.days <= MAX_DAYS:
            raise ValueError(f"days must be between 1 and {MAX_DAYS:,}, got {self.days}")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed must be between 0 and 2^63 - 1, got {self.seed}")
        if self.profile not in PROFILES:
            raise ValueError(f"scale profile must be one of {', '.join(PROFILES)}, got {self.profile!r}")
        if not (math.isfinite(self.rate) and 0 < self.rate <= 20):
            raise ValueError(
                f"orders_per_customer_day must be above 0 and at most 20, got {self.orders_per_customer_day}"
            )
        if not date(2000, 1, 1) <= self.start <= date(2100, 1, 1):
            raise ValueError(f"start must lie between 2000-01-01 and 2100-01-01, got {self.start}")

    @classmethod
    def for_order_lines(
        cls, order_lines: int, customers: int, days: int, seed: int = 7, start: date = date(2026, 1, 5)
    ) -> SimulationSettings:
        """Settings whose orders have about ``order_lines`` lines in total; raises ValueError if that is impossible."""
        if min(order_lines, customers, days) < 1:
            raise ValueError(
                f"order_lines, customers and days must be at least 1, got {order_lines}, {customers}, {days}"
            )
        rate = order_lines / LINES_PER_ORDER / customers / days
        return cls(customers=customers, days=days, seed=seed, start=start, orders_per_customer_day=rate)

    @property
    def rate(self) -> float:
        """Orders per customer and ordinary day, before losses to stock-outs."""
        return self.scale.orders if self.orders_per_customer_day is None else self.orders_per_customer_day

    @property
    def scale(self) -> Profile:
        """The profile by its name."""
        return PROFILES[self.profile]

    @property
    def nights(self) -> list[date]:
        """The nights of the simulation, in order."""
        return [self.start + timedelta(days=day) for day in range(self.days)]

    @property
    def products(self) -> int:
        """Number of SKUs the retailer sells."""
        return min(self.scale.products + self.customers // self.scale.customers_per_product, self.scale.most_products)

    @property
    def stores(self) -> int:
        """Number of stores; there are two warehouses in addition."""
        return min(self.scale.stores + self.customers // self.scale.customers_per_store, self.scale.most_stores)


@dataclass(frozen=True)
class SimulationSummary:
    """What was written: ``rows`` by feed as delivered (updates and duplicates included), ``defects`` by kind."""

    source: Path
    truth: Path
    rows: dict[str, int]
    defects: dict[str, int]
    size_bytes: int
