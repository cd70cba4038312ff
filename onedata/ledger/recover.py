"""Compare the lake with the ledger, and remove what a killed or refused night left unfinished.

If the lake has files of deliveries that the ledger has never known, the run stops and says so. Only files of deliveries
that the ledger knows as unfinished or replaced leave the lake. They are moved to `lake/.orphans` and kept for
`orphans_kept_days`.
"""

import json
import re
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from onedata.durable import move_aside, remove_listed, write_durably
from onedata.errors import OnedataError
from onedata.ledger.manifest import LakeFile, write_manifest
from onedata.ledger.moves import forget
from onedata.ledger.paths import MANIFESTS, batch_of, lake_folder, partition_folder
from onedata.ledger.states import IN_LAKE, UNFINISHED, Status, sql_list
from onedata.settings import Settings

SHOWN = 3
RUN_FOLDER = re.compile(r"\d{8}T\d{6}(-\d+)?")


class ForeignLedger(OnedataError):
    """The lake or its log has entries that the ledger has never known: the ledger is another one or an older copy;
    nothing was changed."""


class UnknownLakeFiles(ForeignLedger):
    """The lake holds files of deliveries that the ledger has never known; nothing was changed."""


class LakeDamaged(OnedataError):
    """A lake file that the ledger knows is missing or differs from what was written; nothing was changed."""


@dataclass(frozen=True)
class Loss:
    """A file of the lake, and what is wrong with it."""

    file: Path
    what: str
    feed: str
    night: str

    def __str__(self) -> str:
        return (
            f"the lake file {self.file} (feed {self.feed}, night {self.night}) {self.what}: bring it back with "
            "`onedata repair --from BACKUP`, or reload its night "
            f"from the source with `onedata run --ds {self.night} --replace`"
        )


@dataclass
class LakeState:
    """Differences between lake and ledger: files of unknown deliveries, of unfinished or replaced ones, damage of known
    ones, and deliveries without a manifest."""

    unknown: list[Path] = field(default_factory=list)
    orphans: list[Path] = field(default_factory=list)
    damaged: list[Loss] = field(default_factory=list)
    unwritten: list[str] = field(default_factory=list)


def check_lake(con: duckdb.DuckDBPyConnection, settings: Settings, again: Collection[date] = ()) -> list[str]:
    """Compare the whole lake with the ledger before a run, and move files of unfinished and replaced deliveries aside.

    Only names and sizes are compared; no content is read.

    Args:
        con: The warehouse.
        settings: Location of the lake.
        again: Nights that are being reloaded, whose files may be damaged or missing.

    Returns:
        What was moved aside, as sentences for a person.

    Raises:
        UnknownLakeFiles: the lake was written by another ledger, or this one is an older copy; the text names the fix.
        LakeDamaged: a known file is missing or truncated.
    """
    state = compare(con, settings)
    if state.unknown:
        raise UnknownLakeFiles(unknown_told(settings, state.unknown))
    lost = [loss for loss in state.damaged if loss.night not in {str(night) for night in again}]
    if lost:
        more = f"\nand {len(lost) - SHOWN:,} more" if len(lost) > SHOWN else ""
        raise LakeDamaged("\n".join(map(str, lost[:SHOWN])) + more)
    prune_orphans(settings, datetime.now(UTC))
    return [*move_orphans(settings, state.orphans), *(_rewrite(con, settings, batch) for batch in state.unwritten)]


def refuse_without_warehouse(settings: Settings) -> None:
    """Refuse a lake whose warehouse is missing, before a new warehouse is created in its place.

    Raises:
        UnknownLakeFiles: there are files in the lake, and neither warehouse nor write-ahead log.
    """
    if not settings.warehouse.exists() and not settings.warehouse.with_name(f"{settings.warehouse.name}.wal").exists():
        files = list(lake_contents(settings.lake))
        if files:
            raise UnknownLakeFiles(unknown_told(settings, files))


def unknown_told(settings: Settings, files: list[Path]) -> str:
    """That the ledger does not know files of the lake, with the way out."""
    names = ", ".join(str(path) for path in files[:SHOWN])
    what = "new, an older copy, or another one's" if settings.warehouse.exists() else "gone"
    return (
        f"the lake holds {len(files):,} files of deliveries that the ledger has never known: the warehouse "
        f"{settings.warehouse} is {what}. Put the right warehouse back, or rebuild it "
        f"from the lake: `onedata rebuild`. Nothing was changed. The files are {names}"
        f"{' and others' if len(files) > SHOWN else ''}."
    )


def _rewrite(con: duckdb.DuckDBPyConnection, settings: Settings, batch: str) -> str:
    """Write missing manifests again from the ledger, which has all their contents."""
    row = con.execute(
        "select entity, feed, ds, coalesce(accepted_at, landed_at) from ops.delivery where batch_id = ?", [batch]
    ).fetchone()
    assert row is not None
    entity, feed, ds, accepted_at = row
    files = con.execute(
        "select name, rows, bytes, sha256 from ops.lake_file where batch_id = ? order by name", [batch]
    ).fetchall()
    partition = partition_folder(settings, entity, feed, ds)
    write_manifest(con, partition, batch, accepted_at, [LakeFile(*file) for file in files])
    return f"the manifest of delivery {batch} was gone from {partition}, and was written again from the ledger"


def compare(con: duckdb.DuckDBPyConnection, settings: Settings) -> LakeState:
    """State of the lake, judged by names and sizes of its files."""
    status = dict(con.execute("select batch_id, status from ops.delivery").fetchall())
    rows = con.execute(
        "select l.entity, l.feed, l.ds::varchar, l.name, l.bytes from ops.lake_file l "
        f"join ops.delivery d using (batch_id) where d.status in {sql_list(IN_LAKE)}"
    ).fetchall()
    known = {f"{entity}/source={feed}/ds={ds}/{name}": (size, feed, ds) for entity, feed, ds, name, size in rows}
    state, recorded = LakeState(), set()
    base = settings.lake / "ods"
    for file in lake_contents(settings.lake):
        batch = batch_of(file)
        name = file.relative_to(base).as_posix()
        recorded |= {(batch, file.suffix)} if file.parent.name == MANIFESTS else set()
        if batch not in status or (status[batch] in IN_LAKE and file.parent.name != MANIFESTS and name not in known):
            state.unknown.append(file)
        elif status[batch] not in IN_LAKE:
            state.orphans.append(file)
        elif name in known:
            size, (expected, feed, ds) = file.stat().st_size, known.pop(name)
            if size != expected:
                state.damaged.append(Loss(file, f"has {size:,} bytes and had {expected:,}", feed, ds))
    state.damaged += [Loss(base / name, "is gone", feed, ds) for name, (_, feed, ds) in known.items()]
    state.unwritten = [
        batch
        for batch in sorted(status)
        if status[batch] in IN_LAKE and not {(batch, ".json"), (batch, ".record")} <= recorded
    ]
    return state


def lake_contents(lake: Path) -> Iterator[Path]:
    """Every data file, manifest and record of the lake, known to the ledger or not; without the empty schema files."""
    for partition in (lake / "ods").glob("*/source=*/ds=*"):
        if partition.parent.name != "source=_schema":
            # A killed process may leave a file whose name begins with a dot: no reader treats it as part of the lake.
            yield from sorted(path for path in partition.rglob("[!.]*.parquet*") if path.is_file())
            yield from sorted(
                path for path in (partition / MANIFESTS).glob("[!.]*") if path.suffix in (".json", ".record")
            )


def recover(con: duckdb.DuckDBPyConnection, settings: Settings, feed: str, entity: str) -> int:
    """Delete the feed's deliveries that were not accepted; the landing that follows loads their files again.

    Their files leave the lake first, so that the ledger knows every file in it at any moment.

    Returns:
        Number of deleted deliveries.
    """
    rows = con.execute("select batch_id, status from ops.delivery where feed = ?", [feed]).fetchall()
    unfinished = [batch for batch, status in rows if status in UNFINISHED]
    gone = {*unfinished, *(batch for batch, status in rows if status == Status.REPLACED)}
    leave_lake(settings, entity, feed, gone)
    # Only unfinished deliveries of this feed are staged: accepted ones have been moved into the lake.
    shutil.rmtree(settings.staged / feed, ignore_errors=True)
    forget(con, unfinished)
    return len(unfinished)


def leave_lake(settings: Settings, entity: str, feed: str, batches: Collection[str]) -> list[str]:
    """Move the files of some deliveries of a feed aside; returns a sentence about it."""
    folder = lake_folder(settings, entity, feed)
    files = [file for file in folder.rglob("*") if file.is_file() and batch_of(file) in batches]
    return move_orphans(settings, files)


def move_orphans(settings: Settings, files: list[Path]) -> list[str]:
    """Move files of the lake aside, with a list of them; returns a sentence about it."""
    if not files:
        return []
    # The manifest goes first: no reader may find one that names missing files.
    files = sorted(files, key=lambda file: (file.parent.name != MANIFESTS or file.suffix != ".json", file))
    folder = _run_folder(settings.lake / ".orphans")
    moved = move_aside(files, settings.lake, folder)
    listed = {"moved": [file.relative_to(folder).as_posix() for file in moved]}
    write_durably(folder / "moved.json", json.dumps(listed, indent=1) + "\n")
    deliveries = sorted({batch_of(file) for file in files})
    names = ", ".join(deliveries[:SHOWN]) + (", ..." if len(deliveries) > SHOWN else "")
    return [f"{len(files)} files of unfinished or replaced deliveries ({names}) were moved out of the lake to {folder}"]


def _run_folder(base: Path) -> Path:
    """A folder that is not there yet, named by the time (UTC)."""
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    name, number = now, 1
    while (base / name).exists():
        name, number = f"{now}-{number}", number + 1
    return base / name


def prune_orphans(settings: Settings, now: datetime) -> None:
    """Delete files that were moved aside more than `orphans_kept_days` ago, but only those in the run's own list."""
    oldest = now - timedelta(days=settings.orphans_kept_days)
    for listing in (settings.lake / ".orphans").glob("*/moved.json"):
        folder = listing.parent
        if (
            not RUN_FOLDER.fullmatch(folder.name)
            or datetime.strptime(folder.name[:15] + "+0000", "%Y%m%dT%H%M%S%z") >= oldest
        ):
            continue
        try:
            names = json.loads(listing.read_text(encoding="utf-8"))["moved"]
        except (ValueError, KeyError, TypeError):
            continue  # a list that is damaged names nothing: the files stay
        remove_listed(folder, names)
        listing.unlink()
        for empty in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
            if not any(empty.iterdir()):
                empty.rmdir()
        if not any(folder.iterdir()):
            folder.rmdir()
