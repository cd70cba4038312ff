"""Three feeds of one source system deliver the same customers, in any order: after each night, and after a rebuild, DIM
is what an oracle of a dozen lines says of the files."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml
from support import NIGHTS, ask, home_at, run, run_well

from onedata.settings import Settings

CUSTOMERS = 150
CONTRADICTION = {"crm": "customer_id,city,region,updated_at\nnew,,North,", "tiers": "customer_id,region\nnew,South"}
LAST = NIGHTS[-1] + timedelta(days=1)
TOLD = ("city", "region", "country", "member_tier")
FEEDS = {
    "address": (0, ("city", "country", "updated_at")),
    "crm": (2, ("city", "region", "updated_at")),
    "tiers": (1, ("region", "member_tier")),
}
"""Feed to its priority and the columns that it maps beside the key; the tiers have no version."""


@dataclass(frozen=True)
class Delivered:
    """One row of a file."""

    feed: str
    night: date
    row: int
    values: dict[str, str]

    @property
    def version(self) -> str:
        return self.values.get("updated_at", "")  # an empty text is least


@dataclass
class Told:
    """The home after its nights, and what was delivered until each."""

    settings: Settings
    rows: list[Delivered]
    after: dict[date, dict[str, tuple[str, ...]]]
    closed: str
    rebuilt: dict[str, tuple[str, ...]]


def expected(rows: list[Delivered]) -> dict[str, tuple[str, ...]]:
    """Customer to the values of TOLD: of each feed its latest row, of these the latest that has the column."""
    found = {}
    for customer in {row.values["customer_id"] for row in rows}:
        own = [row for row in rows if row.values["customer_id"] == customer]
        latest = [stands([row for row in own if row.feed == feed]) for feed in {row.feed for row in own}]
        latest.sort(key=lambda row: (row.version, row.night, FEEDS[row.feed][0]))
        found[customer] = tuple(
            next((row.values[column] for row in reversed(latest) if column in row.values), "") for column in TOLD
        )
    return found


def stands(rows: list[Delivered]) -> Delivered:
    """The latest row of one feed and customer, as of the night that it was first said."""
    *before, latest = sorted(rows, key=lambda row: (row.version, row.night, row.row))
    for row in reversed(before):
        if row.values != latest.values:
            break
        latest = row
    return latest


def deliver(draw: random.Random, source: Path, feed: str, night: date, customers: int) -> list[Delivered]:
    """A file of random rows: some customers twice, every second value empty or known from before."""
    columns = FEEDS[feed][1]
    rows = []
    for number in range(1, customers + 1):
        values = {"customer_id": str(draw.randrange(CUSTOMERS))}
        values |= {column: draw.choice(["", "", f"{column} {draw.randrange(4)}"]) for column in columns}
        if "updated_at" in columns:
            values["updated_at"] = draw.choice(["", f"2026-01-0{draw.randrange(1, 4)} 10:00:00"])
        rows.append(Delivered(feed, night, number, values))
    path = source / feed / f"{night}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["customer_id", *columns])
        writer.writeheader()
        writer.writerows(row.values for row in rows)
    return rows


def write_contract(folder: Path, feed: str, priority: int, columns: tuple[str, ...], version: str = "1.0.0") -> None:
    content = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": feed,
        "version": version,
        "status": "active",
        "dataProduct": "shop",
        "description": {"purpose": f"Customers by {feed}, for a test."},
        "servers": [{"server": "landing", "type": "local", "path": f"{feed}/{{ds}}.csv", "format": "csv"}],
        "schema": [
            {
                "name": feed,
                "customProperties": [
                    {"property": "entity", "value": "customer"},
                    {"property": "priority", "value": priority},
                ],
                "properties": [{"name": name, "physicalName": name} for name in ("customer_id", *columns)],
            }
        ],
    }
    folder.mkdir(exist_ok=True)
    (folder / f"{feed}.odcs.yaml").write_text(yaml.dump(content, sort_keys=False), encoding="utf-8")


def in_dim(settings: Settings) -> dict[str, tuple[str, ...]]:
    columns = ", ".join(f"coalesce({column}, '')" for column in TOLD)
    return {row[0]: row[1:] for row in ask(settings.warehouse, f"select customer_id, {columns} from dim.dim_customer")}


def contradict(settings: Settings, contracts: Path) -> tuple[str, dict[str, tuple[str, ...]]]:
    """A night in which two feeds of one priority contradict one another, and the night again, with everything built
    anew, once a priority says which holds: the message, and DIM in the end."""
    write_contract(contracts, "tiers", FEEDS["crm"][0], FEEDS["tiers"][1], "1.1.0")
    for feed, lines in CONTRADICTION.items():
        (settings.source / feed / f"{LAST}.csv").write_text(lines + "\n", encoding="utf-8")
    outcome = run(settings, [LAST])
    assert not outcome.succeeded
    write_contract(contracts, "tiers", FEEDS["crm"][0] + 1, FEEDS["tiers"][1], "1.2.0")
    run_well(settings, [LAST], replace_nights=True)
    return outcome.said, in_dim(settings)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder, draw = tmp_path_factory.mktemp("several_feeds"), random.Random(7)
    for feed, (priority, columns) in FEEDS.items():
        write_contract(folder / "contracts", feed, priority, columns)
    settings = home_at(folder, folder / "source", contracts=folder / "contracts")
    rows: list[Delivered] = []
    after = {}
    # One feed comes alone, then another joins it, then all of them come.
    for night, feeds in zip(NIGHTS, (["crm"], ["crm", "tiers"], list(FEEDS)), strict=True):
        rows += [row for feed in feeds for row in deliver(draw, settings.source, feed, night, 2 * CUSTOMERS // 3)]
        run_well(settings, [night])
        after[night] = in_dim(settings)
    yield Told(settings, rows, after, *contradict(settings, folder / "contracts"))


@pytest.mark.parametrize("night", NIGHTS)
def test_each_column_comes_from_the_newest_version_of_a_feed_that_maps_it(told: Told, night: date) -> None:
    assert told.after[night] == expected([row for row in told.rows if row.night <= night])


def test_the_files_put_the_question(told: Told) -> None:
    """Most customers come by several feeds, and taking the last row whole would be wrong for many."""
    right = expected(told.rows)
    last = {row.values["customer_id"]: row for row in sorted(told.rows, key=lambda row: (row.version, row.night))}
    wrong = [key for key, row in last.items() if right[key] != tuple(row.values.get(column, "") for column in TOLD)]
    assert len(wrong) > CUSTOMERS / 3


def test_feeds_that_contradict_one_another_without_a_priority_close_the_gate(told: Told) -> None:
    assert "GATE CLOSED after dim: dim_customer, rule feeds_agree" in told.closed
    assert "`select _tied, _feeds from dim.dim_customer where _tied is not null`" in told.closed


def test_after_a_rebuild_the_customers_are_the_same_and_the_priority_decides(told: Told) -> None:
    """A night that is replaced builds DIM and DWD anew from the lake."""
    assert told.rebuilt == expected(told.rows) | {"new": ("", "South", "", "")}
