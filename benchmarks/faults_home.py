"""The home of the trials: a retailer of four small feeds, with its home after the first night and, undisturbed, after
the second."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from checkout import REPOSITORY
from faults_calls import counting

from onedata.settings import Settings

FIRST, SECOND = date(2026, 1, 5), date(2026, 1, 6)
CALLS = "calls.txt"
ONEDATA = (sys.executable, "-c", "from onedata_assets.cli import main; main()")
PATIENCE_SECONDS = 900.0
LOCK_SECONDS = 60.0

# Feed: entity, path, and canonical column to the file's column, or to an expression in quotes.
FEEDS: dict[str, tuple[str, str, dict[str, str]]] = {
    "people": ("customer", "people/{ds}.csv", {"customer_id": "customer_id", "email": "email", "phone": "phone"}),
    "lines": (
        "order_line",
        "lines/{ds}.csv",
        {
            name: name
            for name in (
                "order_id",
                "line_id",
                "product_id",
                "quantity",
                "unit_price",
                "currency",
                "customer_id",
                "sold_at",
                "business_date",
            )
        }
        | {"line_type": "'sale'", "channel": "'online'"},
    ),
    "payments": (
        "payment",
        "payments/{ds}.csv",
        {name: name for name in ("order_id", "payment_id", "amount", "currency")},
    ),
    "survey": (
        "survey_response",
        "survey/{ds}.csv",
        {name: name for name in ("response_id", "order_id", "satisfaction", "answered_at")},
    ),
}
NUMBERS = ("quantity", "unit_price", "amount", "satisfaction")


@dataclass(frozen=True)
class Said:
    """Exit code and output of a command, both streams."""

    code: int
    text: str


@dataclass(frozen=True)
class World:
    """Starting point of every trial; everything is below one folder, and no trial changes it."""

    folder: Path

    @property
    def one(self) -> Path:
        """The home after the first night."""
        return self.folder / "one" / "home"

    @property
    def two(self) -> Path:
        """The same home after the second night, undisturbed."""
        return self.folder / "two" / "home"

    @property
    def backup(self) -> Path:
        return self.folder / "backup"

    @property
    def key(self) -> Path:
        return self.folder / "token.key"

    def settings(self, home: Path, **changes: Any) -> Settings:
        """Settings of a home of this retailer."""
        values: dict[str, Any] = {"lock_wait_seconds": LOCK_SECONDS, "reporting_currency": "EUR"} | changes
        return Settings(home=home, source=self.folder / "source", contracts=self.folder / "contracts", **values)

    def start(
        self,
        home: Path,
        *arguments: str,
        before: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        **changes: Any,
    ) -> "subprocess.Popen[bytes]":
        """Start a onedata command in its own session; `said` reads its output."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("ONEDATA_")}
        own |= self.settings(home, **changes).environment() | {"PYTHONPATH": str(REPOSITORY)} | dict(environment or {})
        with log_of(home).open("wb") as log:
            return subprocess.Popen(
                [*before, *ONEDATA, *arguments],
                env=own,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=home.parent,
            )

    def command(self, home: Path, *arguments: str, **more: Any) -> Said:
        """Run a command to its end; one that exceeds `PATIENCE_SECONDS` is terminated and has code 124."""
        process = self.start(home, *arguments, **more)
        try:
            code = process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = 124
        return Said(code, log_of(home).read_text(encoding="utf-8", errors="backslashreplace"))

    def run(self, home: Path, **more: Any) -> Said:
        """`onedata run`: every pending night."""
        return self.command(home, "run", **more)

    def calls(self) -> int:
        """Number of renames, links, unlinks and fsyncs of the undisturbed second night below its home; 0 if they could
        not be counted."""
        found = self.folder / CALLS
        return int(found.read_text(encoding="utf-8")) if found.exists() else 0


def log_of(home: Path) -> Path:
    """Output of the last command on this home."""
    return home.parent / "said.txt"


def copy_home(home: Path, folder: Path) -> Path:
    """Copy the home with links, times and modes below another folder."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", str(home), str(folder)], check=True)
    return folder / home.name


def prepared(folder: Path) -> World:
    """The world in this folder, created if missing; takes two nights and a back-up.

    Raises:
        RuntimeError: one of the nights failed.
    """
    world, whole = World(folder), folder / "whole"
    if whole.exists():
        return world
    (folder / "token.key").unlink(missing_ok=True)
    for name in ("one", "two", "backup", "source", "contracts"):
        shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    _write_contracts(folder / "contracts")
    _write_files(folder / "source")
    world.one.parent.mkdir()
    _well(world.command(world.one, "run", "--ds", str(FIRST)))
    _well(
        world.command(
            world.one,
            "identity",
            "merge",
            *(f"account:faults:C{n}" for n in (6, 7)),
            "--reason",
            "asked",
            "--by",
            "faults",
        )
    )
    _well(world.command(world.one, "backup", str(world.backup), "--key-to", str(world.key)))
    copy_home(world.one, folder / "two")
    _counted(world)
    whole.touch()
    return world


def _well(said: Said) -> None:
    if said.code:
        raise RuntimeError(f"the home could not be prepared:\n{said.text}")


def _counted(world: World) -> None:
    """Run the second night, undisturbed, and count its calls."""
    _well(world.run(world.two, environment=counting(world.folder, world.two, world.folder / CALLS)))


def _write_contracts(folder: Path) -> None:
    folder.mkdir()
    for feed, (entity, path, columns) in FEEDS.items():
        content = {
            "apiVersion": "v3.1.0",
            "kind": "DataContract",
            "id": feed,
            "version": "1.0.0",
            "status": "active",
            "dataProduct": "faults",
            "description": {"purpose": f"Rows of {feed} that the fault trials land."},
            "servers": [{"server": "landing", "type": "local", "path": path, "format": "csv"}],
            "schema": [
                {
                    "name": feed,
                    "customProperties": [
                        {"property": "entity", "value": entity},
                        {"property": "quarantineTolerance", "value": 1},
                    ],
                    "properties": [_column(name, of) for name, of in columns.items()],
                }
            ],
        }
        # JSON is YAML.
        (folder / f"{feed}.odcs.yaml").write_text(json.dumps(content, indent=1), encoding="utf-8")


def _column(name: str, of: str) -> dict[str, Any]:
    if of.startswith("'"):
        return {"name": name, "transformLogic": of}
    return {"name": name, "physicalName": of} | ({"logicalType": "number"} if name in NUMBERS else {})


def _write_files(source: Path) -> None:
    """Two nights of orders of a dozen people; each night has one amount that is not a number, and the second corrects
    an order of the first."""
    made = random.Random(1)
    for night in (FIRST, SECOND):
        day = night.day
        people = [f"C{n},person{n}@mail.example.cn,1380000{n:04}" for n in range((day - 5) * 6, (day - 5) * 6 + 8)]
        orders = [*range(day * 100, day * 100 + 20), *([500] if night == SECOND else [])]
        lines = [
            f"O{n},{line},P{made.randrange(9)},{made.randint(1, 5)},{made.randint(100, 9999) / 100},EUR,C{n % 8},"
            f"{night}T10:00:00Z,{night}"
            for n in orders
            for line in (1, 2)
        ]
        payments = [f"O{n},1,{made.randint(100, 9999) / 100},EUR" for n in orders] + [f"O{day},1,oops,EUR"]
        answers = [f"A{n},O{n},{made.randint(1, 5)},{night}T12:00:00Z" for n in orders[::4]]
        for feed, rows in {"people": people, "lines": lines, "payments": payments, "survey": answers}.items():
            header = ",".join(of for of in FEEDS[feed][2].values() if not of.startswith("'"))
            file = source / feed / f"{night}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
