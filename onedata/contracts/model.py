"""The content of a contract as typed values: entities, feeds, fields and rules.

Belongs here: the vocabulary that landing, gates and the Dagster graph share. Does not belong here: YAML, SQL, files.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Literal

from onedata.errors import OnedataError

ColumnType = Literal["text", "integer", "decimal", "rate", "double", "boolean", "date", "timestamp"]
Classification = Literal["public", "sensitive", "core"]
Severity = Literal["error", "warning"]
RepairKind = Literal["upper", "lower", "values", "unit", "round", "mojibake"]
OnInvalid = Literal["row", "void"]
DuplicateKeys = Literal["refuse", "first"]
Unsettled = Literal["hold", "leave_out"]
ClockChange = Literal["refuse", "earlier", "later"]
Profile = Literal[
    "given_name", "family_name", "full_name", "address", "postcode", "city", "birth_year", "birth_date", "gender"
]
Tie = Literal["lines", "payments", "net", "ledger"]
Metric = Literal["nullValues", "invalidValues", "duplicateValues", "rowCount", "sql"]

SQL_TYPES: Mapping[str, str] = {
    "text": "varchar",
    "integer": "bigint",
    "decimal": "decimal(18,4)",
    "rate": "decimal(18,8)",
    "double": "double",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}
DIGITS: Mapping[ColumnType, int] = {"decimal": 4, "rate": 8}
"""Digits behind the point of the types of exact numbers."""
NUMBERS: tuple[ColumnType, ...] = ("integer", *DIGITS, "double")

RESULT_OF = "result of "
"""Begins the placeholder of another column's result in a transformLogic: {result of quantity}."""

DOCUMENTS = ("sales_order", "order_line")
"""The entities whose rows are headers and lines of documents, which `order_id` names within a source system."""

PARTS_OF_DOCUMENTS = {
    "sales_order": "null",
    "order_line": "line_id",
    "payment": "payment_id",
    "refund": "refund_id",
    "shipment": "shipment_id",
}
"""The entities whose quarantined rows keep their document, and the column that names the part of it that a row is."""

TIES: Mapping[str, tuple[Tie, ...]] = {"sales_order": ("lines", "payments", "net"), "account_balance": ("ledger",)}
"""The comparisons of money that rows of an entity are held to."""

EARLIEST = "1990-01-01"
"""The earliest day that a retailer's feeds may speak of."""


class ContractError(OnedataError):
    """A contract or canonical entity has an unsupported value; the message names file and place."""


@dataclass(frozen=True)
class Identifier:
    """How a column identifies a person: its type, and whether values are unique in the system or across the
    retailer."""

    type: str
    scope: Literal["system", "retailer"]


@dataclass(frozen=True)
class Column:
    """One canonical column of an entity; `profile` is the personal attribute that it holds, used to distinguish persons
    with the same identifier."""

    name: str
    type: ColumnType
    description: str
    classification: Classification
    required: bool = False
    identifier: Identifier | None = None
    profile: Profile | None = None
    minimum: str | None = None
    maximum: str | None = None
    day_of: tuple[str, ...] = ()
    """Instants, the first that is known of which tells the local day where a source gives none."""
    added: bool = False
    """Whether a retailer added it to a shipped entity: ODS has it, no layer after ODS."""
    place: str = field(default="", compare=False, repr=False)  # position in the file, for error messages

    @property
    def sql_type(self) -> str:
        return SQL_TYPES[self.type]

    def limits(self, night: date) -> tuple[str | None, str | None]:
        """The least and the greatest value a row of this night may have: the column's own, else, of a day or an
        instant, `EARLIEST` to a year after the night. The word `night` stands for the night, or for its year."""
        if self.type in ("date", "timestamp"):
            latest = night.replace(year=night.year + 1, day=min(night.day, 28))
            return self.minimum or EARLIEST, self.maximum or latest.isoformat()
        return self.minimum, str(night.year) if self.maximum == "night" else self.maximum


@dataclass(frozen=True)
class Total:
    """An amount of money that is reconciled from file to ADS to the cent: `amount` is SQL over the entity's columns, in
    the row's currency."""

    name: str
    amount: str


@dataclass(frozen=True)
class Entity:
    """A canonical entity, which several feeds may fill. `key` is unique within one source system."""

    name: str
    title: str
    grain: str
    owner: str
    key: tuple[str, ...]
    version: str | None
    columns: tuple[Column, ...]
    totals: tuple[Total, ...] = ()
    document: tuple[str, ...] = ()
    """Columns of the key that name the document a row stands on; empty where a row is no part of one."""
    own: bool = False
    """Whether the whole entity is the retailer's."""

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def shipped(self) -> "Entity":
        """Without the columns that a retailer added."""
        return replace(self, columns=tuple(column for column in self.columns if not column.added))

    @property
    def own_columns(self) -> tuple[str, ...]:
        """The columns that the retailer defines: all of an entity of its own, else those that it added."""
        return tuple(column.name for column in self.columns if self.own or column.added)

    @property
    def identifiers(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.identifier)


@dataclass(frozen=True)
class Rule:
    """One neutral quality rule, of a contract or of a model's YAML (ODCS v3.1 vocabulary).

    `metric` is nullValues, invalidValues, duplicateValues, rowCount or sql; `columns` are the checked columns;
    `arguments` are validValues, pattern, minimum, maximum or query; the observed count of invalid rows (for rowCount:
    of rows) must be in [`at_least`, `at_most`].
    """

    name: str
    metric: Metric
    columns: tuple[str, ...] = ()
    arguments: Mapping[str, object] = field(default_factory=dict)
    at_least: int | None = None
    at_most: int | None = None
    severity: Severity = "error"
    description: str = ""
    place: str = field(default="", compare=False, repr=False)  # position in the file, for error messages


@dataclass(frozen=True)
class Repair:
    """One declared repair of a column's text, counted for each row that it changes.

    `kind` is upper, lower, values (`arguments`: wrong to right), unit (`arguments`: unit to factor), round
    (`arguments`: `digits` behind the point) or mojibake (UTF-8 that was decoded as Latin-1).
    """

    kind: RepairKind
    arguments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Field:
    """How one canonical column is derived from the source: a physical field, an SQL expression over fields, or both;
    neither where the column is the local day of an instant alone (`is_filled`)."""

    column: Column
    physical_name: str | None
    logic: str | None
    required: bool
    rules: tuple[Rule, ...] = ()
    repairs: tuple[Repair, ...] = ()
    on_invalid: OnInvalid = "row"
    """What a value costs that is not of the column's type or breaks a rule: the row goes to quarantine, or the value
    becomes empty (`void`), which is counted like a repair."""
    day_of: tuple[str, ...] = ()
    """Mapped instants; the local day of the first that is known, in the feed's zone, fills an empty value."""
    place: str = field(default="", compare=False, repr=False)  # position in the file, for error messages

    @property
    def is_filled(self) -> bool:
        """Whether no property of the contract maps the column: it is filled from other columns."""
        return self.physical_name is None and self.logic is None


@dataclass(frozen=True)
class ObjectStore:
    """An S3-compatible store; without an endpoint it is Amazon S3."""

    server: str
    endpoint: str | None


@dataclass(frozen=True)
class Database:
    """A PostgreSQL table, read from `watermark` on (None: whole every night), minus the `lookback`."""

    server: str
    host: str
    port: int
    database: str
    schema: str
    user: str | None
    table: str = ""
    watermark: str | None = None
    lookback: str | None = None
    timezone: str = "UTC"


@dataclass(frozen=True)
class OwnFile:
    """A file that the retailer keeps beside its settings, not in the source folder. The settings say where it is."""


@dataclass(frozen=True)
class Location:
    """Where a feed is and how to read it.

    `path` is relative to the source folder (`store` None), s3://bucket/key (ObjectStore), or, for display, the name of
    an OwnFile or postgres://host:port/database/schema.table. `columns` name the fields of a CSV without a header;
    `null_values` are texts that stand for NULL.
    """

    path: str
    format: Literal["csv", "json", "jsonl", "parquet", "xlsx", "xml"]
    options: Mapping[str, str]
    store: ObjectStore | Database | OwnFile | None = None
    columns: tuple[str, ...] = ()
    null_values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trends:
    """How a feed's nights are compared with previous nights: the effect of a deviation, and the factor that widens
    every band."""

    severity: Severity = "warning"
    tolerance: float = 1.0


@dataclass(frozen=True)
class Feed:
    """One schema object of one contract, which lands in one place of the lake."""

    name: str
    title: str
    description: str
    purpose: str
    limitations: str
    contract: Path
    version: str
    owner: str
    system: str
    entity: Entity
    location: Location
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    records: str | None
    where: str | None
    timezone: str
    clock: ClockChange
    empty_ok: bool
    """Whether a file or document may have no rows."""
    duplicate_keys: DuplicateKeys
    """What a key that stands twice in one JSON object does: the document's rows are quarantined, or the first holds."""
    complete: bool
    """Whether a delivery of a document has all its lines, so that a line which a newer one lacks is gone."""
    priority: int
    """Of the feeds of one entity and source system whose versions and nights tie, the one with the highest holds."""
    region: str | None
    content_key: bool
    tolerance: float
    every_days: int | None
    retention: str
    drift: Mapping[str, str]
    """What to do where a file's fields are not the contract's: `missing` empty or refuse, `added` keep, drop or refuse,
    `retyped` report or refuse."""
    known_fields: frozenset[str]
    """Every source field the contract speaks of: those any of its feeds reads, and those it leaves unmapped on
    purpose."""
    unsettled: Unsettled = "hold"
    """What counts of a document whose newest header or line is in quarantine: its last settled state, or nothing."""
    tie_tolerance: Mapping[Tie, float] = field(default_factory=dict)
    """By tie, the share of a day's (a ledger's: a month's) money up to which differences are no warning; 0 without."""
    trends: Trends | None = Trends()
    """None where the contract switches them off."""

    @property
    def condition(self) -> str | None:
        """`where` as an SQL expression over source fields; None for XML, where it is a path."""
        return None if self.location.format == "xml" else self.where

    @property
    def source_fields(self) -> tuple[str, ...]:
        """Physical fields that the feed reads, in the contract's order, each once."""
        names: dict[str, None] = {}
        for item in self.fields:
            for name in references(item):
                names.setdefault(name)
        for name in placeholders(self.condition or ""):
            names.setdefault(name)
        return tuple(names)


def references(item: Field) -> tuple[str, ...]:
    """The physical fields that `item` needs."""
    names = [item.physical_name] if item.physical_name else []
    if item.logic:
        names += [
            name
            for name in placeholders(item.logic)
            if name not in ("value", "row_identity") and not name.startswith(RESULT_OF)
        ]
    return tuple(dict.fromkeys(names))


def results(item: Field) -> tuple[str, ...]:
    """The canonical columns whose results `item` is computed from."""
    found = placeholders(item.logic or "")
    return tuple(dict.fromkeys(name.removeprefix(RESULT_OF) for name in found if name.startswith(RESULT_OF)))


def needed(item: Field) -> tuple[str, ...]:
    """The canonical columns that must be known before `item` can be."""
    return (*results(item), *item.day_of)


def placeholders(logic: str) -> list[str]:
    """The names in braces of a transformLogic, in order."""
    return re.findall(r"\{([^{}]+)\}", logic)
