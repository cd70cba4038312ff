"""Defects of deliveries: their groups, and the places of a feed where each can be injected.

``damage.py`` injects them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

FILE_KINDS = ("truncated", "unknown_column", "dropped_column")
TARGET_KINDS = ("correction", "clock_skew", "bad_type", "bad_encoding", "broken_key", "impossible")
"""Kinds that change a value and so need a `Target`."""

EXPECTED = ("accept", "quarantine", "duplicate", "superseded", "drift", "refuse_file", "not_a_sale", "accept_late")
"""What a pipeline should do with what is broken."""

SKEW = pl.col("_skew")
"""The error of a clock in microseconds, for the ``broken`` of a clock_skew target: 5 minutes to 3 hours, fast or
slow."""

LATE_WEIGHTS = [0.5, 0.25] + [0.25 / 19] * 19
"""Shares of the delays of 1 .. 21 nights: most miss one night, a till that was offline can take weeks."""

FLAGS = {
    "_defect": pl.String,
    "_what": pl.String,
    "_expected": pl.String,
    "_broken_feed": pl.String,
    "_column": pl.String,
    "_due_night": pl.Int64,
}
"""The columns `DefectMaker.apply` (``damage.py``) adds; a null ``_defect`` is a sound record."""


@dataclass(frozen=True, eq=False)
class Target:
    """One way to break a record of a feed: ``column`` gets the value ``broken`` in the chosen rows.

    ``broken`` and ``only`` see only the chosen rows, so they must work row by row (no window, no shift). A clock_skew
    target whose ``broken`` is the column itself is shifted by `SKEW`; bad_encoding does not use ``broken``. Raises
    ValueError for an unknown kind or expectation and for a correction without its version column.
    """

    kind: str
    """One of `TARGET_KINDS`."""
    column: str
    """The column that is changed; for bad_encoding the text column whose non-ASCII text is written in the other
    encoding."""
    broken: pl.Expr
    what: str
    """For people: 'quantity is the word "two"'."""
    expected: str
    """One of `EXPECTED`."""
    feed: str = ""
    """The feed that sees the damage, where one document carries two; '' is the feed itself."""
    only: pl.Expr = field(default_factory=lambda: pl.lit(True))
    """Rows that may be chosen."""
    version: str = ""
    """For a correction: the column with the version time, Int64 microseconds."""

    def __post_init__(self) -> None:
        if self.kind not in TARGET_KINDS:
            raise ValueError(f"kind of a target must be one of {', '.join(TARGET_KINDS)}, got {self.kind!r}")
        if self.expected not in EXPECTED:
            raise ValueError(f"expected must be one of {', '.join(EXPECTED)}, got {self.expected!r}")
        if self.kind == "correction" and not self.version:
            raise ValueError(f"a correction of {self.column} needs the column with the version time")

    @property
    def value(self) -> pl.Expr:
        """The broken value; for a clock that is off by `SKEW`, written out."""
        same = pl.col(self.column)
        return same + SKEW if self.kind == "clock_skew" and self.broken.meta.eq(same) else self.broken


@dataclass(frozen=True)
class Feed:
    """The parts of a feed that defects need; raises ValueError for an unknown expectation."""

    name: str
    targets: tuple[Target, ...] = ()
    late: bool = True
    """Single records may come nights later (late, out_of_order)."""
    resent: bool = True
    """Records may be repeated."""
    optional: str = ""
    """A column that may be dropped; '' is none."""
    truncated: str = "refuse_file"
    """What is expected of a cut file: XML and Parquet are refused whole, of JSON lines and CSV the last record is
    quarantined."""

    def __post_init__(self) -> None:
        if self.truncated not in EXPECTED:
            raise ValueError(f"truncated must be one of {', '.join(EXPECTED)}, got {self.truncated!r}")

    @property
    def file_damage(self) -> dict[str, tuple[str, str]]:
        """The defect of whole files and its expected outcome, for those `FILE_KINDS` that the feed's files can have."""
        damage = {
            "truncated": ("the file ends in its middle", self.truncated),
            "unknown_column": ("the file has a column that no contract knows", "drift"),
        }
        return damage | (
            {"dropped_column": (f"the file lacks the column {self.optional}", "drift")} if self.optional else {}
        )
