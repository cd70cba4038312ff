"""What all feeds are made of: a frame of values, a way to write them as lines, and the file they go to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from onedata.simulate.calendar import Night
from onedata.simulate.defects import Feed
from onedata.simulate.text import csv_line, json_object

CSV, JSONL, POSLOG, PARQUET = "csv", "jsonl", "poslog", "parquet"


@dataclass(frozen=True)
class FeedFiles(Feed):
    """A feed as it is delivered.

    ``fields``: name in the file -> its value as the file writes it (for Parquet: as the column's type), from the
        columns of the feed's frame.
    ``inner``: the feed that reads the members of each document (order lines), whose number stands in the column
    ``_inner``. ``beside``: a feed that reads some documents as a row of its own, as the column ``_beside`` tells.
    ``path`` has ``{ds}``, and ``{part}`` where a night has several files.
    """

    path: str = ""
    format: str = CSV
    fields: Mapping[str, pl.Expr] = field(default_factory=dict)
    delimiter: str = ","
    inner: str = ""
    beside: str = ""
    file_of: str = ""
    """The column whose values are files of their own (a store's tills)."""
    paged: bool = False
    """The night is cut into pages, each of which begins with the end of the one before."""
    looked_up: tuple[str, ...] = ()
    """Columns of the people that are looked up by ``person_no`` only when a line is made: texts that would fill the
    memory on a large first night.

    Where the frame has a column of that name its values win: that is how a looked-up value is broken.
    """
    trial: pl.Expr | None = None
    """Which records are tests or training, no business."""
    at_once: int = 8_000
    """How many lines are made at once: about 6 MB of text. The allocator of Polars gives larger pieces back to the
    system each time (measured)."""
    nightly: bool = True
    """False: no file on a night without rows."""

    @property
    def file_damage(self) -> dict[str, tuple[str, str]]:
        """As for every feed, but POSLog has no columns that a file could lack or have too many."""
        damage = super().file_damage
        return {"truncated": damage["truncated"]} if self.format == POSLOG else damage

    def lines(self, without: str = "", extra: str = "") -> pl.Expr:
        """A record as one line with its line end; ``without`` a column, with one named ``extra`` that no contract
        knows."""
        fields = {name: value for name, value in self.fields.items() if name != without}
        if self.format == POSLOG:
            return pl.concat_str(*fields.values(), pl.lit("\n"))
        if self.format == JSONL:
            added = {extra: pl.lit('"2.4.1"')} if extra else {}
            return pl.concat_str(json_object(fields | added), pl.lit("\n"))
        added = {extra: pl.lit("2.4.1")} if extra else {}
        return pl.concat_str(csv_line(fields | added, self.delimiter), pl.lit("\n"))

    def head(self, without: str = "", extra: str = "") -> bytes:
        """What a file begins with."""
        if self.format == CSV:
            names = [name for name in self.fields if name != without] + ([extra] if extra else [])
            return (self.delimiter.join(names) + "\n").encode()
        return POSLOG_HEAD if self.format == POSLOG else b""

    @property
    def tail(self) -> bytes:
        """What a file ends with."""
        return b"</POSLog>\n" if self.format == POSLOG else b""


POSLOG_HEAD = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<POSLog xmlns="http://www.nrf-arts.org/IXRetail/namespace/" '
    b'xmlns:tv="http://till-vendor.example/poslog/1.0" MajorVersion="2">\n'
)


def owned(frame: pl.DataFrame, key: pl.Expr, person: str = "person_no") -> pl.DataFrame:
    """The frame with what every feed carries beside its values: ``_key``, ``_person`` and ``_file`` (the only one)."""
    who = pl.col(person) if person in frame.columns else pl.lit(None, dtype=pl.Int64)
    return frame.with_columns(
        key.cast(pl.String).alias("_key"), who.alias("_person"), pl.lit(0, dtype=pl.Int32).alias("_file")
    )


def to_break(*names: str) -> list[pl.Expr]:
    """Empty text columns for looked-up values that may be broken."""
    return [pl.lit(None, dtype=pl.String).alias(name) for name in names]


def offset(night: Night, market: str) -> pl.Expr:
    """The distance from UTC on each row's market's clock, microseconds."""
    return pl.col(market).replace_strict(night.offsets, return_dtype=pl.Int64)
