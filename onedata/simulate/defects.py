"""Defects of deliveries: their kinds, their rates, and the places of a feed where each can be injected.

``damage.py`` injects them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl

MEANINGS: dict[str, str] = {
    "duplicate": "a record stands twice in one file",
    "overlap": "a page begins with the last records of the page before it",
    "late": "a record comes 1 to 21 nights after its own",
    "correction": "a record comes with a wrong value, and 1 to 3 nights later with the right one",
    "out_of_order": "an old version of a record comes after a newer one",
    "clock_skew": "a clock is wrong by 5 minutes to 3 hours",
    "bad_type": "a value is not of its type",
    "bad_encoding": "a record is not UTF-8 but GB18030 or Latin-1",
    "truncated": "a file ends in its middle",
    "unknown_column": "a file has a column that no contract knows",
    "dropped_column": "a file lacks an optional column",
    "broken_key": "a key is empty or refers to nothing",
    "test": "a record is a test, not business",
    "impossible": "a value is of its type but cannot be true",
}
"""What each kind of defect means, in one line."""

KINDS = tuple(MEANINGS)
FILE_KINDS = ("truncated", "unknown_column", "dropped_column")
TARGET_KINDS = ("correction", "clock_skew", "bad_type", "bad_encoding", "broken_key", "impossible")
"""Kinds that change a value and so need a `Target`."""

EXPECTED = ("accept", "quarantine", "duplicate", "superseded", "drift", "refuse_file", "not_a_sale", "accept_late")
"""What a pipeline should do with what is broken."""

MAX_RATE = 0.5
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


@dataclass(frozen=True)
class DefectRates:
    """Rate of each kind: a share of a feed's records per night, of its files for `FILE_KINDS`, of a page for overlap.

    Raises ValueError for a rate outside 0 .. 0.5.
    """

    duplicate: float = 0.0
    overlap: float = 0.0
    late: float = 0.0
    correction: float = 0.0
    out_of_order: float = 0.0
    clock_skew: float = 0.0
    bad_type: float = 0.0
    bad_encoding: float = 0.0
    truncated: float = 0.0
    unknown_column: float = 0.0
    dropped_column: float = 0.0
    broken_key: float = 0.0
    test: float = 0.0
    impossible: float = 0.0

    def __post_init__(self) -> None:
        for kind in KINDS:
            if not 0 <= self.of(kind) <= MAX_RATE:
                raise ValueError(f"{kind} must be between 0 and {MAX_RATE}, got {self.of(kind)}")

    def of(self, kind: str) -> float:
        """The rate of one of `KINDS`."""
        return float(getattr(self, kind))

    @classmethod
    def none(cls) -> DefectRates:
        """No defects."""
        return cls()

    @classmethod
    def light(cls) -> DefectRates:
        """A few defects of every kind that passes the gates."""
        return cls(
            duplicate=0.002,
            overlap=0.05,
            late=0.005,
            correction=0.003,
            out_of_order=0.003,
            clock_skew=0.001,
            bad_type=0.001,
            bad_encoding=0.0005,
            unknown_column=0.02,
            broken_key=0.0005,
            test=0.005,
            impossible=0.001,
        )

    @classmethod
    def heavy(cls) -> DefectRates:
        """Five times the rates of light, plus truncated files and missing columns; some nights stop at a gate."""
        light = cls.light()
        return cls(
            **{kind: round(5 * light.of(kind), 6) for kind in KINDS} | {"truncated": 0.02, "dropped_column": 0.02}
        )

    @classmethod
    def named(cls, name: str, changes: Mapping[str, float]) -> DefectRates:
        """The rates called ``none``, ``light`` or ``heavy``, with some replaced; raises ValueError for unknown
        names."""
        presets = {"none": cls.none, "light": cls.light, "heavy": cls.heavy}
        if name not in presets:
            raise ValueError(f"--defects must be one of {', '.join(presets)}, got {name!r}")
        unknown = sorted(kind for kind in changes if kind not in KINDS)
        if unknown:
            raise ValueError(f"kind of defect must be one of {', '.join(KINDS)}, got {', '.join(unknown)}")
        return replace(presets[name](), **changes)


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
