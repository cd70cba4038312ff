"""The report of a verification, area by area."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

from onedata.contracts.model import Entity
from onedata.retailer import Retailer
from onedata.settings import Settings
from onedata.tables import aligned


@dataclass(frozen=True)
class Area:
    """One area: a text of what was compared, how long it took, and every difference, one sentence each."""

    name: str
    compared: str
    seconds: float
    differences: Sequence[str]


@dataclass
class Scope:
    """Inputs of a verification.

    `broken` are files of the lake (as text) that the first area found damaged, so that later ones do not read them.
    """

    con: duckdb.DuckDBPyConnection
    retailer: Retailer
    thorough: bool
    broken: set[str] = field(default_factory=set)

    @property
    def settings(self) -> Settings:
        return self.retailer.settings

    @property
    def entities(self) -> Mapping[str, Entity]:
        return self.retailer.entities


@dataclass(frozen=True)
class Finding:
    """What one area compared, and its differences."""

    compared: str
    differences: Sequence[str]


def told(areas: Sequence[Area]) -> str:
    """One line per area, followed by one line per difference."""
    lines = aligned([(area.name, area.compared, f"{area.seconds:6.1f} s", _state(area)) for area in areas])
    return "\n".join(
        text
        for line, area in zip(lines, areas, strict=True)
        for text in (line, *(f"    {difference}" for difference in area.differences))
    )


def _state(area: Area) -> str:
    return f"{len(area.differences):,} DIFFERENCES" if area.differences else "equal"
