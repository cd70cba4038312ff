"""A retailer of one or two small feeds in a temporary folder, and the builders of its contracts and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from support import REPOSITORY

from onedata.contracts import Entity, Feed, load_entities, load_feeds
from onedata.contracts.derive import ensure_lake, schema_file
from onedata.contracts.identifiers import IdentifierPolicy, load_identifier_policy
from onedata.landing import Landed, land
from onedata.ledger.promote import promote
from onedata.quality.gates import contract_gate
from onedata.quality.gx import Gatekeeper
from onedata.quality.results import CheckResult
from onedata.retailer import Retailer, prepare_warehouse
from onedata.settings import Settings
from onedata.warehouse import open_warehouse

NIGHT = date(2026, 1, 5)
NEXT = date(2026, 1, 6)
YEAR = timedelta(days=365)
HEADER = "id,order,score,note,answered"
ANSWERS: tuple[dict[str, Any], ...] = (
    {"name": "response_id", "physicalName": "id"},
    {"name": "order_id", "physicalName": "order"},
    {
        "name": "satisfaction",
        "physicalName": "score",
        "logicalType": "number",
        "logicalTypeOptions": {"minimum": 1, "maximum": 5},
    },
    {"name": "comment", "physicalName": "note"},
    {"name": "answered_at", "physicalName": "answered"},
)


@cache
def canonical() -> dict[str, Entity]:
    """The shipped entities, read once a session."""
    return load_entities(Settings().canonical)


@cache
def reader() -> duckdb.DuckDBPyConnection:
    """A database for questions to files; a new one takes as long as ten questions."""
    return duckdb.connect()


@cache
def identifier_policy() -> IdentifierPolicy:
    return load_identifier_policy(REPOSITORY / "data_contracts" / "identifiers.yaml")


def custom(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"property": name, "value": value} for name, value in values.items()]


def contract(
    name: str = "survey",
    *,
    entity: str = "survey_response",
    path: str = "survey/{ds}.csv",
    kind: str = "csv",
    options: dict[str, Any] | None = None,
    properties: Sequence[dict[str, Any]] = ANSWERS,
    quality: Sequence[dict[str, Any]] = (),
    frequency: int | None = None,
    **feed: Any,
) -> dict[str, Any]:
    """A contract of one feed, as the YAML's content; `feed` are the schema object's customProperties."""
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": name,
        "version": "1.0.0",
        "status": "active",
        "dataProduct": "desk",
        "description": {"purpose": f"Rows of {name}, for a test."},
        "servers": [
            {
                "server": "landing",
                "type": "local",
                "path": path,
                "format": kind,
                "customProperties": custom(options or {}),
            }
        ],
        "schema": [
            {
                "name": name,
                "customProperties": custom({"entity": entity, **feed}),
                "properties": list(properties),
                "quality": list(quality),
            }
        ],
        "slaProperties": [{"property": "frequency", "value": frequency, "unit": "d"}] if frequency else [],
    }


def write_contracts(folder: Path, *contents: dict[str, Any]) -> Path:
    """One file a contract, named by its id."""
    folder.mkdir(parents=True, exist_ok=True)
    for content in contents:
        (folder / f"{content['id']}.odcs.yaml").write_text(
            yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False), encoding="utf-8"
        )
    return folder


@dataclass
class Machine:
    """The machine's clock, as the ledger reads it."""

    behind: timedelta = timedelta()

    def now(self, zone: Any) -> datetime:
        return datetime.now(zone) - self.behind

    def put_back(self, by: timedelta = YEAR) -> None:
        self.behind += by


@dataclass(frozen=True)
class Taken:
    """What one night made of one feed's files."""

    landed: Landed
    results: list[CheckResult]
    accepted: list[str]

    @property
    def closed(self) -> dict[str, str]:
        """Rules that closed the gate, with their message."""
        return {result.rule: result.message for result in self.results if result.blocks}

    @property
    def warned(self) -> dict[str, str]:
        return {result.rule: result.message for result in self.results if not result.passed and not result.blocks}

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Received, accepted, quarantined, duplicate."""
        return self.landed.received, self.landed.accepted, self.landed.quarantined, self.landed.duplicate


@dataclass(frozen=True)
class SmallRetailer:
    """The retailer with its warehouse open; `take` runs the first stages of a night."""

    retailer: Retailer
    con: duckdb.DuckDBPyConnection
    gatekeeper: Gatekeeper

    @property
    def settings(self) -> Settings:
        return self.retailer.settings

    def feed(self, name: str | None = None) -> Feed:
        return next(feed for feed in self.retailer.feeds if name in (None, feed.name))

    def put(self, relative: str, content: str | bytes) -> Path:
        """Deliver a file."""
        path = self.settings.source / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def csv(self, *rows: str, night: date = NIGHT, header: str = HEADER) -> Path:
        """Deliver the night's survey file."""
        return self.put(f"survey/{night}.csv", "\n".join([header, *rows]) + "\n")

    def land(self, night: date = NIGHT, name: str | None = None) -> Landed:
        feed = self.feed(name)
        return land(self.con, self.settings, feed, self.retailer.policy, night, later=self.retailer.feeds_later(feed))

    def take(self, night: date = NIGHT, name: str | None = None) -> Taken:
        """Land, gate and promote one feed; whatever was delivered, the ledger must balance and the quarantine be
        whole."""
        landed = self.land(night, name)
        results = contract_gate(self.con, self.gatekeeper, self.settings, self.feed(name), night)
        taken = Taken(landed, results, promote(self.con, self.settings))
        assert_balanced(self)
        return taken

    def rows(self, columns: str = "*", name: str | None = None, order: str = "_file, _row") -> list[tuple[Any, ...]]:
        """Rows of the feed in the lake."""
        tables = self._tables(name)
        if not tables:
            return []
        with reader().cursor() as cursor:
            # A file holds the columns that its feed maps, and the entity's empty file the others.
            empty = pq.ParquetFile(schema_file(self.settings.lake, self.feed(name).entity)).read()
            cursor.register("lake", pa.concat_tables([empty, *tables], promote_options="default"))
            return cursor.execute(f"select {columns} from lake order by {order}").fetchall()

    def count(self, name: str | None = None) -> int:
        """How many rows of the feed the lake has."""
        return sum(table.num_rows for table in self._tables(name))

    def _tables(self, name: str | None) -> list[pa.Table]:
        feed = self.feed(name)
        folder = self.settings.lake / "ods" / feed.entity.name / f"source={feed.name}"
        # DuckDB reads names as globs and Arrow does not, so that any folder can be looked into.
        return [pq.ParquetFile(file).read() for file in sorted(folder.rglob("*.parquet"))]

    def quarantine(self, columns: str = "path, row, rule, reason, raw") -> list[tuple[Any, ...]]:
        return self.con.execute(f"select {columns} from ops.quarantine order by path, row").fetchall()

    def files(self, columns: str = "path, status, received, accepted, quarantined, duplicate") -> list[tuple[Any, ...]]:
        return self.con.execute(f"select {columns} from ops.file order by path, arrived_at").fetchall()

    def drifts(self) -> list[tuple[Any, ...]]:
        return self.con.execute(
            "select path, kind, column_name, message from ops.drift order by path, kind, column_name"
        ).fetchall()


def small_retailer(
    folder: Path, con: duckdb.DuckDBPyConnection, gatekeeper: Gatekeeper, *contracts: dict[str, Any]
) -> SmallRetailer:
    """Write the contracts, load them and prepare the open warehouse."""
    retailer = retailer_of(folder, *contracts)
    prepare_warehouse(con, retailer)
    return SmallRetailer(retailer, con, gatekeeper)


def retailer_of(folder: Path, *contracts: dict[str, Any]) -> Retailer:
    """Write the contracts and load them."""
    feeds = load_feeds(write_contracts(folder / "contracts", *contracts), canonical())
    entities = {feed.entity.name: feed.entity for feed in feeds}
    retailer = Retailer(settings_in(folder), entities, identifier_policy(), feeds)
    retailer.settings.source.mkdir(parents=True, exist_ok=True)
    return retailer


def prepared(folder: Path) -> Settings:
    """A home as `prepare_warehouse` leaves it, but for the schema of the lake's entities: every retailer begins with
    its tables, vault and log, which takes a tenth of a second to make."""
    settings = settings_in(folder)
    with open_warehouse(settings) as con:
        prepare_warehouse(con, Retailer(settings, {}, identifier_policy(), ()))
    return settings


def begun(
    folder: Path, con: duckdb.DuckDBPyConnection, gatekeeper: Gatekeeper, *contracts: dict[str, Any]
) -> SmallRetailer:
    """The same as `small_retailer` in the open warehouse of a copy of the `prepared` home."""
    retailer = retailer_of(folder, *contracts)
    ensure_lake(con, retailer.settings.lake, retailer.entities)
    return SmallRetailer(retailer, con, gatekeeper)


def settings_in(folder: Path) -> Settings:
    return Settings(
        home=folder / "home", source=folder / "source", contracts=folder / "contracts", lock_wait_seconds=0.2, threads=1
    )


def assert_balanced(world: SmallRetailer) -> None:
    """Received = accepted + quarantined + duplicate for every file, and lake and quarantine hold just those rows."""
    unbalanced = world.con.execute(
        "select * from ops.file where received <> accepted + quarantined + duplicate"
    ).fetchall()
    assert unbalanced == []
    kept = world.con.execute(
        "select f.feed, f.path, content_hash, f.quarantined, count(q.path) from ops.file f "
        "left join ops.quarantine q using (feed, path, content_hash) group by all having f.quarantined <> count(q.path)"
    ).fetchall()
    assert kept == []
    incomplete = world.con.execute(
        "select * from ops.quarantine where raw is null or raw = '' or rule = '' or reason = '' or path = '' or row < 0"
    ).fetchall()
    assert incomplete == []
    for feed in world.retailer.feeds:
        accepted = world.con.execute(
            "select coalesce(sum(f.accepted), 0) from ops.file f join ops.delivery d using (batch_id) where f.feed = ? "
            "and d.status in ('accepted', 'applied')",
            [feed.name],
        ).fetchone()
        assert accepted == (world.count(feed.name),)
