"""State that the retailer carries from one night to the next: stock, prices, accounts, and events scheduled for later
nights."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from onedata.simulate.calendar import Night
from onedata.simulate.draws import Bools, Floats, Ints
from onedata.simulate.world import World

NEVER = 1 << 30
"""A night that does not come."""


class Agenda:
    """Rows scheduled for a night. Rows are removed when taken, so memory holds only the near future."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, int], list[pl.DataFrame]] = defaultdict(list)
        self._taken: dict[str, int] = {}
        self._nothing: dict[str, pl.DataFrame] = {}

    def put(self, kind: str, nights: Ints, rows: pl.DataFrame) -> None:
        """Schedule each row for its night; ``NEVER`` drops it, and so does a night before the first.

        Raises ValueError for a night whose rows were taken already.
        """
        self._nothing.setdefault(kind, rows.clear())
        due = np.unique(nights)
        if kind in self._taken and len(due) and due[0] <= self._taken[kind]:
            raise ValueError(f"{kind}: the rows of night {due[0]} were taken already")
        for night in due[(due >= 0) & (due < NEVER)]:
            self._waiting[kind, int(night)].append(rows.filter(pl.Series(nights == night)))

    def expect(self, kind: str, columns: dict[str, pl.DataType]) -> None:
        """Declare the columns of a kind of rows, for nights on which none is due."""
        self._nothing[kind] = pl.DataFrame(schema=columns)

    def take(self, kind: str, night: int) -> pl.DataFrame:
        """The rows due, in the order of `put`. Raises KeyError for a kind whose columns are unknown."""
        self._taken[kind] = night
        return pl.concat([self._nothing[kind], *self._waiting.pop((kind, night), [])])


@dataclass
class Stock:
    """Units by node and product, each an array [node_no, product_no]."""

    on_hand: npt.NDArray[np.int64]
    reserved: npt.NDArray[np.int64]
    incoming: npt.NDArray[np.int64]
    daily: Floats
    """Units wanted a day, smoothed: what replenishment reckons with."""

    @property
    def available(self) -> npt.NDArray[np.int64]:
        """Available to promise: on hand minus reserved."""
        return self.on_hand - self.reserved


def asked_before(cell: Ints, quantity: Ints) -> Ints:
    """For each row, the quantity that earlier rows requested of the same cell."""
    if not len(cell):
        return np.zeros(0, dtype=np.int64)
    order = np.argsort(cell, kind="stable")
    asked = np.cumsum(quantity[order]) - quantity[order]
    starts = np.flatnonzero(np.append(True, cell[order][1:] != cell[order][:-1]))
    before = np.empty(len(cell), dtype=np.int64)
    before[order] = asked - np.repeat(asked[starts], np.diff(np.append(starts, len(cell))))
    return before


@dataclass
class State:
    """The retailer at the start of a night."""

    world: World
    stock: Stock
    list_price: Ints
    """Cents (CNY) a product."""
    has_account: Bools
    has_card: Bools
    tier: Ints
    """Each person's place in the tiers of the loyalty programme, whether they have a card yet or not."""
    sharers: Ints
    """The persons who shared lately, newest last: who a referral comes from."""
    agenda: Agenda = field(default_factory=Agenda)
    counters: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    ledger: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """What the month has brought so far, in cents CNY by account."""

    def numbers(self, kind: str, count: int) -> Ints:
        """The next ``count`` numbers of a kind, from 1; each number is issued once."""
        first = self.counters[kind] + 1
        self.counters[kind] += count
        return np.arange(first, first + count)


@dataclass
class Movements:
    """Stock movements of one night, collected during the night."""

    night: Night
    parts: list[pl.DataFrame] = field(default_factory=list)

    def add(
        self, kind: str, node: Ints, product: Ints, quantity: Ints, moved_us: Ints, reference: pl.Series | None = None
    ) -> None:
        """Book signed quantities; rows of quantity 0 are skipped."""
        rows = pl.DataFrame(
            {"node_no": node, "product_no": product, "quantity": quantity, "moved_us": moved_us},
            schema_overrides=_WHOLE,
        )
        named = reference if reference is not None else pl.Series("reference", [None] * len(node), dtype=pl.String)
        self.parts.append(
            rows.with_columns(pl.lit(kind).alias("movement_type"), named.alias("reference")).filter(
                pl.col("quantity") != 0
            )
        )

    def all(self) -> pl.DataFrame:
        """The night's movements in time order."""
        empty = pl.DataFrame(schema={**_WHOLE, "movement_type": pl.String, "reference": pl.String})
        return pl.concat([empty, *self.parts]).sort(
            "moved_us", "node_no", "product_no", "movement_type", "quantity", maintain_order=True
        )


_WHOLE = {"node_no": pl.Int64, "product_no": pl.Int64, "quantity": pl.Int64, "moved_us": pl.Int64}
