"""Take a back-up: copy contents that the folder does not have yet, each once, and write the index last.

A killed process leaves contents without an index: the next back-up reuses them.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from onedata.backup.contents import Contents, Found, contents
from onedata.backup.copier import Copied, Copier, CopyError
from onedata.backup.key import check_key_target, hold_vault, key_told, write_key
from onedata.backup.store import (
    Backup,
    BackupError,
    StoredFile,
    alone,
    has_object,
    incoming_folder,
    make_store,
    numbers,
    object_file,
    open_store,
    read_backup,
    write_backup,
)
from onedata.durable import make_folders, sync_folder
from onedata.identity.keep import lost_state, unknown_decisions
from onedata.landing.vault_files import key_file
from onedata.ledger.manifest import recorded_hash
from onedata.ledger.recover import SHOWN, compare, unknown_told
from onedata.ledger.states import IN_LAKE, sql_list
from onedata.settings import Settings
from onedata.warehouse import open_warehouse
from onedata.warehouse.open import refuse_half_restored

Say = Callable[[str], object]
DATABASES = ("warehouse/", "vault/")
"""Copied every time: their content changes without a change of size."""


@dataclass(frozen=True)
class Taken:
    """Result of a back-up: contents and bytes that were copied into the folder, out of all it contains."""

    backup: Backup
    copied: int
    copied_bytes: int


@dataclass
class _Plan:
    """Files whose content the folder has, and those that must be copied, with their SHA-256 if it is known."""

    held: list[StoredFile] = field(default_factory=list)
    to_copy: list[tuple[Found, str | None]] = field(default_factory=list)


def back_up(settings: Settings, to: Path, key_to: Path | None, say: Say) -> Taken:
    """Back up the home while no night runs: the warehouse is locked until the end.

    Args:
        settings: Location of the home.
        to: The folder for back-ups: empty, missing, or with back-ups of this home.
        key_to: Where to write the vault's key; it is not in the back-up.
        say: Called with what was done, and what the user must know.

    Raises:
        BackupError: the folder or the path of the key is refused, there is too little space, or a lake file is damaged.
        WarehouseBusy: a night, or another back-up, holds the warehouse, or the home is half restored.
    """
    refuse_half_restored(settings.home)
    _refuse_target(settings, to)
    if key_to:
        check_key_target(settings, to, key_to)
    if not settings.warehouse.exists():
        raise BackupError(
            f"there is no warehouse {settings.warehouse}, so there is nothing to back up: no night has run, or it is "
            "lost and `onedata rebuild` rebuilds it"
        )
    with open_warehouse(settings, say) as con:  # type: ignore[arg-type]
        taken = back_up_held(con, settings, to, say)
    if key_to:
        try:
            write_key(key_to, key_file(settings.vault).read_bytes())
        except OSError as error:
            text = (
                f"back-up {taken.backup.number} was written, its key was not: {key_to}: {error.strerror}. Run the "
                "same command again once that is fixed"
            )
            raise BackupError(text) from error
    if taken.backup.key:
        say(key_told(settings, key_to))
    return taken


def back_up_held(con: duckdb.DuckDBPyConnection, settings: Settings, to: Path, say: Say) -> Taken:
    """The same with an open warehouse, whose lock is still held afterwards; see `back_up`."""
    _refuse_damage(con, settings)
    make_store(to)
    with alone(to):
        con.execute("checkpoint")
        key = hold_vault(con, settings)
        try:
            return _write(con, settings, to, key, say)
        except CopyError as error:
            raise BackupError(
                f"{error}. No back-up was written; run the same command again once that is fixed, it resumes "
                "from there."
            ) from error
        finally:
            if key:
                con.execute("detach held_vault")


def _refuse_target(settings: Settings, to: Path) -> None:
    home, target = settings.home.resolve(), to.resolve()
    if target.is_relative_to(home) or home.is_relative_to(target):
        raise BackupError(f"{to} and the data home {settings.home} lie in one another; give a folder on another disk")


def _refuse_damage(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    try:
        state = compare(con, settings)
    except duckdb.CatalogException as error:
        raise BackupError(
            f"{settings.warehouse} is of another onedata: {str(error).splitlines()[0]} Run a night with this one first."
        ) from error
    told = [unknown_told(settings, state.unknown)] if state.unknown else []
    told += [text for tell in (unknown_decisions, lost_state) if (text := tell(con, settings.lake))]
    if told:
        raise BackupError(f"{' '.join(told)}. No back-up was written.".replace("..", "."))
    wrong = list(map(str, state.damaged))
    if wrong:
        raise BackupError(
            f"the lake is not as the ledger knows it: {'; '.join(wrong[:SHOWN])}. No back-up was written. "
            "`onedata verify` tells all; restore lost files "
            "from an earlier back-up with `onedata repair --from BACKUP`."
        )


def _write(con: duckdb.DuckDBPyConnection, settings: Settings, to: Path, key: str, say: Say) -> Taken:
    earlier = _earlier(to, key, say)
    shutil.rmtree(incoming_folder(to), ignore_errors=True)
    home = contents(settings.home)
    plan = _plan(to, home, _hashes(con), earlier)
    needed = sum(found.bytes for found, _ in plan.to_copy)
    _check_space(to, needed)
    make_folders(incoming_folder(to))
    copied, fresh = _copy(settings, to, plan)
    shutil.rmtree(incoming_folder(to))
    files = tuple(sorted([*plan.held, *copied], key=lambda file: file.path))
    backup = Backup(
        max(numbers(to), default=0) + 1,
        datetime.now(UTC),
        _night(con),
        key,
        files,
        tuple(home.folders),
        tuple(home.links),
    )
    write_backup(to, backup)
    if home.left_out:
        say(f"not in the back-up, as onedata does not know it: {', '.join(home.left_out)} in {settings.home}")
    return Taken(backup, len(fresh), sum(fresh.values()))


def _earlier(to: Path, key: str, say: Say) -> Mapping[str, StoredFile]:
    """The files of the newest readable back-up, by path.

    Raises:
        BackupError: it belongs to another home.
    """
    open_store(to)
    for number in reversed(numbers(to)):
        try:
            backup = read_backup(to, number)
        except BackupError as error:
            say(f"{error}; it is left as it is")
            continue
        if backup.key and backup.key != key:
            why = (
                "its vault has another key; give a folder of its own"
                if key
                else "it has a vault, and this home has none. Where it is lost, restore it first"
            )
            raise BackupError(f"{to} holds back-ups of another home: {why}")
        return {file.path: file for file in backup.files}
    return {}


def _hashes(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Path below the home to the SHA-256 in the ledger, for every Parquet file of the lake."""
    rows = con.execute(
        "select l.entity, l.feed, l.ds, l.name, l.sha256 from ops.lake_file l join ops.delivery d using (batch_id) "
        f"where d.status in {sql_list(IN_LAKE)}"
    ).fetchall()
    return {f"lake/ods/{entity}/source={feed}/ds={ds}/{name}": sha256 for entity, feed, ds, name, sha256 in rows}


def _plan(to: Path, home: Contents, hashes: Mapping[str, str], earlier: Mapping[str, StoredFile]) -> _Plan:
    plan = _Plan()
    for found in home.files:
        sha256, before = hashes.get(found.path), earlier.get(found.path)
        same = (
            before
            and (before.bytes, before.mtime_ns) == (found.bytes, found.mtime_ns)
            and not found.path.startswith(DATABASES)
        )
        known = sha256 or (before.sha256 if before and same else None)
        if known and has_object(to, known, found.bytes):
            plan.held.append(StoredFile(found.path, known, found.bytes, found.mode, found.mtime_ns))
        else:
            plan.to_copy.append((found, sha256))
    return plan


def _check_space(to: Path, needed: int) -> None:
    free = shutil.disk_usage(to).free
    if needed > free:
        raise BackupError(
            f"the back-up needs {needed:,} bytes and {to} has {free:,} free; make room or give a larger disk. Nothing "
            "was copied."
        )


def _copy(settings: Settings, to: Path, plan: _Plan) -> tuple[list[StoredFile], dict[str, int]]:
    """Copy what is missing. Returns the files, and the size of each content that is new in the folder."""
    stored, fresh = [], dict[str, int]()
    part, folders = incoming_folder(to) / "part", set[Path]()
    with Copier() as copier:
        for found, expected in plan.to_copy:
            copied = copier.copy(settings.home / found.path, part)
            expected = expected or recorded_hash(settings.home / found.path)
            if expected and copied.sha256 != expected:
                raise CopyError(
                    f"{settings.home / found.path} has other content than was written (SHA-256): restore it "
                    "from an earlier back-up with `onedata repair --from BACKUP`"
                )
            if not has_object(to, copied.sha256, copied.bytes):
                folders.add(_keep(to, part, copied))
                fresh[copied.sha256] = copied.bytes
            stored.append(StoredFile(found.path, copied.sha256, copied.bytes, found.mode, found.mtime_ns))
    for folder in folders:
        sync_folder(folder)
    return stored, fresh


def _keep(to: Path, part: Path, copied: Copied) -> Path:
    """Give the content its name. Returns its folder, which must be synced before the index is written."""
    target = object_file(to, copied.sha256)
    make_folders(target.parent)
    part.replace(target)
    return target.parent


def _night(con: duckdb.DuckDBPyConnection) -> str:
    row = con.execute("select max(night)::varchar from ops.night").fetchone()
    return str(row[0]) if row and row[0] else ""
