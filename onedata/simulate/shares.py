"""Shares of defective records and of shared identifiers, as the settings of a simulation give them.

No import of a library: the command line tells the kinds in its help.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

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
MAX_RATE = 0.5


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


@dataclass(frozen=True)
class IdentityRates:
    """How often identifiers are shared, changed or wrong; shares in [0, 1], except ``cookies_mean``.

    Source of the defaults: the ground truth on which the identity design was measured. Raises ``ValueError`` naming the
    field.
    """

    shared_phone: float = 0.005  # of the people
    phone_change: float = 0.20  # of the people
    phone_recycled: float = 0.05  # of the old numbers: reassigned to another person
    household_tablet: float = 0.20  # of the households of two or more, as the next two
    household_card: float = 0.08
    household_email: float = 0.03
    mistyped_email: float = 0.01  # of the people
    movers: float = 0.08  # of the people
    cookies_mean: float = 1.5  # cookies of a person in addition to the first one, Poisson; at most 20

    def __post_init__(self) -> None:
        for field in fields(self):
            value, limit = getattr(self, field.name), 20 if field.name == "cookies_mean" else 1
            if not 0 <= value <= limit:
                raise ValueError(f"{field.name} must be from 0 to {limit}, not {value}")
