"""A small data home after two nights: money and people in the lake, a vault, a table of DWD and of ADS, a log, and one
publication."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from small_retailer import (
    ANSWERS,
    NEXT,
    NIGHT,
    SmallRetailer,
    canonical,
    contract,
    identifier_policy,
    settings_in,
    small_retailer,
)
from support import REPOSITORY

from onedata.contracts import load_feeds
from onedata.durable import write_durably
from onedata.ledger import apply
from onedata.ledger.log import append
from onedata.ledger.seen import Archive, note_archive
from onedata.quality.gx import Gatekeeper
from onedata.retailer import Retailer
from onedata.settings import Settings
from onedata.verify import verify_home
from onedata.warehouse import open_warehouse
from onedata.warehouse.views import OPS_VIEWS

PAYMENT = tuple({"name": f"{name}_id", "physicalName": name} for name in ("order", "payment"))
CONTRACTS = (
    contract(
        "payments",
        entity="payment",
        path="payments/{ds}.csv",
        properties=(*PAYMENT, *({"name": name, "physicalName": name} for name in ("amount", "currency"))),
        quarantineTolerance=1,
    ),
    contract(
        "people",
        entity="customer",
        path="people/{ds}.csv",
        properties=tuple({"name": name, "physicalName": name} for name in ("customer_id", "email", "phone")),
    ),
    contract(properties=ANSWERS),
)
KEY = bytes(range(100, 132))
HIVE = "{'ds': date, 'source': varchar}"
SQL = """
create schema dwd; create schema ads;
create table dwd.dwd_payment as select source_system, order_id, payment_id, amount, currency, ds, _feed, _file, _row
    from read_parquet('{files}',
    hive_partitioning = true, hive_types = {types})
    qualify row_number() over (partition by source_system, order_id, payment_id order by ds desc, _feed desc,
        _file desc, _row desc) = 1;
create table ads.ads_payment_day as select ds, currency, sum(amount) as amount, count(*) as payments,
    avg(amount) as average from dwd.dwd_payment group by all;
"""


def build(folder: Path) -> Settings:
    """The home, made by landing, gates and ledger; DWD, ADS and publication by hand, as dbt and publishing would."""
    settings = settings_in(folder)
    settings.vault.mkdir(parents=True, mode=0o700)
    write_durably(settings.vault / "token.key", KEY)
    with open_warehouse(settings) as con:
        world = small_retailer(folder, con, Gatekeeper(con), *CONTRACTS)
        for night in (NIGHT, NEXT):
            amounts = ("10.10", "5") if night == NIGHT else ("7", "oops")
            world.put(
                f"payments/{night}.csv",
                f"order,payment,amount,currency\nO{night.day},P1,{amounts[0]},CNY\nO1,P2,{amounts[1]},EUR\n",
            )
            world.put(
                f"people/{night}.csv", f"customer_id,email,phone\nC{night.day},ann{night.day}@mail.cn,13800000001\n"
            )
            world.csv(f"A{night.day},O1,5,fine,", night=night)
            for name in ("payments", "people", "survey"):
                assert world.take(night, name).closed == {}
        note_archive(con, settings, Archive("survey", "survey/old.zip", 10, 20, 1))
        append(settings.lake, "touched", datetime(2026, 1, 6, 12), {"feed": "survey", "files": []})
        publish(world)
    return settings


def publish(world: SmallRetailer) -> None:
    con, settings = world.con, world.settings
    con.execute(
        SQL.format(files=settings.lake / "ods" / "payment" / "source=payments" / "ds=*" / "*.parquet", types=HIVE)
    )
    con.execute(
        "insert into ops.reconciliation values ('run', ?, 'dwd', 'dwd_payment', 'ods_payment -> dwd_payment', null, "
        "null, 'rows', 'rows', 3, 3, map([], []), 0, now())",
        [NEXT],
    )
    folder = settings.published / "publications" / "000001"
    (folder / "parquet").mkdir(parents=True)
    (folder / "quality").mkdir()
    (folder / "quality" / "index.html").write_text("<html>quality</html>", encoding="utf-8")
    apply(con)
    con.execute(
        "insert into ops.night values (?, 'run', now()::timestamp, now()::timestamp + interval 1 minute, 1, 1, 1)",
        [NEXT],
    )
    con.execute(f"attach '{folder / 'onedata.duckdb'}' as candidate")
    tables = {
        "ads_payment_day": "from ads.ads_payment_day",
        "ops_file": OPS_VIEWS["ops_file"][1],
        "published_night": f"select date '{NEXT}' as night",
    }
    for name, source in tables.items():
        con.execute(
            f"create table candidate.main.{name} as {source}; copy candidate.main.{name} to "
            f"'{folder}/parquet/{name}.parquet' (format parquet)"
        )
    con.execute("detach candidate")
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    content = {
        name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for name, path in files.items()
    }
    (folder / "manifest.json").write_text(
        json.dumps({"number": 1, "night": str(NEXT), "files": content}), encoding="utf-8"
    )
    for path in files.values():
        path.chmod(0o444)
    for name, target in {
        "current": "publications/000001",
        "onedata.duckdb": "current/onedata.duckdb",
        "parquet": "current/parquet",
    }.items():
        (settings.published / name).symlink_to(target)


def copied(template: Settings, folder: Path) -> Retailer:
    """A copy of the home for one test to damage, with the contracts and files it was made of."""
    shutil.copytree(template.home.parent, folder, symlinks=True, dirs_exist_ok=True)
    settings = settings_in(folder)
    return Retailer(settings, canonical(), identifier_policy(), load_feeds(settings.contracts, canonical()))


def differences(retailer: Retailer, thorough: bool = True) -> dict[str, list[str]]:
    """Area to its differences; areas without any are left out."""
    return {area.name: list(area.differences) for area in verify_home(retailer, thorough) if area.differences}


def change(settings: Settings, sql: str) -> None:
    """Alter the warehouse as no night would."""
    with duckdb.connect(str(settings.warehouse)) as con:
        assert con.execute(sql).fetchone() != (0,), "nothing was altered"


def tree(home: Path) -> dict[str, tuple[Any, ...]]:
    """Everything in the home that a back-up keeps: content, mode and time of files, targets of symlinks, modes of
    folders."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in sorted(home.rglob("*")):
        name, status = path.relative_to(home).as_posix(), path.lstat()
        if name.split("/")[0] in ("tmp", "staged", "spool", "dagster", "dbt"):
            continue
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_dir():
            found[name] = ("folder", oct(status.st_mode))
        else:
            found[name] = ("file", oct(status.st_mode), hashlib.sha256(path.read_bytes()).hexdigest())
    return found


def command(settings: Settings, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from onedata_assets.cli import main; main()", *arguments],
        **_process(settings, environment),
        check=False,
    )  # type: ignore[call-overload,no-any-return]


def killed_before_rename(settings: Settings, number: int, *arguments: str) -> bool:
    """The same, killed by SIGKILL just before its n-th rename; False where it ended before."""
    hook = (
        "import os, signal, sys; left = [int(sys.argv.pop(1))]\n"
        "def stop(event, args):\n"
        "    if event == 'os.rename':\n"
        "        left[0] -= 1\n"
        "        if left[0] == 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.addaudithook(stop)\n"
        "from onedata_assets.cli import main; main()"
    )
    command = [sys.executable, "-c", hook, str(number), *arguments]
    ended = subprocess.run(command, **_process(settings, {}), check=False)  # type: ignore[call-overload]
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
    return ended.returncode == -signal.SIGKILL


def _process(settings: Settings, environment: dict[str, str]) -> dict[str, Any]:
    found = dict(os.environ) | settings.environment() | {"PYTHONPATH": str(REPOSITORY)} | environment
    return {"env": found, "capture_output": True, "text": True, "cwd": settings.home.parent}
