"""Check a whole data home and make the repairs that are safe without a decision: files are moved aside, never
deleted."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from onedata import disk
from onedata.durable import move_aside
from onedata.faults.lake import all_losses
from onedata.faults.storage import BESIDE, damaged_storage
from onedata.identity.keep import lost_state, unknown_decisions
from onedata.landing.vault_files import (
    HOWTO,
    VaultBusy,
    VaultError,
    attach_vault,
    database_file,
    gone,
    is_there,
    key_fault,
)
from onedata.ledger.log import LogDamaged
from onedata.ledger.manifest import ManifestError, file_damage, in_force, read_manifests
from onedata.ledger.recover import compare, unknown_told
from onedata.settings import Settings
from onedata.sql import any_rows
from onedata.warehouse import WarehouseError, WarehouseMissing, last_night, read_warehouse
from onedata.warehouse.damage import WarehouseLost, examine, refusal


@dataclass(frozen=True)
class Step:
    """What was checked or done; `needs_person` if a decision by a person is still needed."""

    text: str
    needs_person: bool = False


def repair(settings: Settings, now: datetime) -> Iterator[Step]:
    """Yield each step once it is done; disk first, since nothing can be moved on a full or read-only one.

    Args:
        settings: Settings of the home.
        now: Names the folder below `<home>/aside` for the moved files.
    """
    found = disk.obstacle(settings.home)
    if found:
        yield Step(found, needs_person=True)
        return
    yield from _storage(settings, now)
    yield from _warehouse(settings)
    yield from _published(settings)


def seen_at_once(settings: Settings) -> list[str]:
    """What is lost or damaged as far as names and sizes of files tell, one sentence each; nothing is read whole. Of a
    warehouse that is damaged `status` tells itself."""
    found = [f"{item.file} was damaged ({item.what})" for item in damaged_storage(settings)]
    try:
        with read_warehouse(settings) as con:
            state = compare(con, settings)
            found += [str(loss) for loss in state.damaged]
            found += [unknown_told(settings, state.unknown)] if state.unknown else []
            found += [f"the manifest of {batch} is gone: the next run writes it again" for batch in state.unwritten]
            found += [text for tell in (unknown_decisions, lost_state) if (text := tell(con, settings.lake))]
            found += [step.text for step in _vault(con, settings) if step.needs_person]
    except (LogDamaged, WarehouseLost) as error:
        found.append(str(error))
    except (WarehouseError, duckdb.CatalogException):
        pass
    return found


def _storage(settings: Settings, now: datetime) -> Iterator[Step]:
    damaged = damaged_storage(settings)
    aside = settings.home / "aside" / f"{now:%Y%m%dT%H%M%S}"
    for item in damaged:
        files = [file for file in (item.file, *(Path(f"{item.file}{suffix}") for suffix in BESIDE)) if file.exists()]
        moved = move_aside(files, settings.home, aside)
        yield Step(
            f"Dagster: {item.file} was damaged ({item.what}); moved aside to {moved[0]}, the next run begins a new one"
        )
    if not damaged:
        yield Step(f"Dagster: every file below {settings.dagster_home} can be read")


def _warehouse(settings: Settings) -> Iterator[Step]:
    """Check the whole warehouse, and the lake against its ledger."""
    found = examine(settings.warehouse, deep=True)
    refused = refusal(found, settings.warehouse)
    if found.kind == "doubtful":
        yield Step(
            f"warehouse: {found.file} {found.what}, but every table can be read: the block is free, or of an index; "
            "`onedata rebuild` if a night fails on it"
        )
    elif refused:
        yield Step(f"warehouse: {refused}", needs_person=True)
        return
    try:
        with read_warehouse(settings) as con:
            if found.kind == "sound":
                yield Step(f"warehouse: every table of {settings.warehouse} can be read")
            yield from _lake(con, settings)
            yield from _vault(con, settings)
    except WarehouseMissing as error:
        yield Step(f"warehouse: {error}", needs_person=isinstance(error, WarehouseLost))
    except WarehouseError as error:
        yield Step(f"warehouse: {error}", needs_person=True)


def _lake(con: duckdb.DuckDBPyConnection, settings: Settings) -> Iterator[Step]:
    try:
        lost = all_losses(con, settings)
    except duckdb.CatalogException:
        yield Step("lake: the warehouse has no ledger yet")
        return
    for loss in lost:
        yield Step(f"lake: {loss}", needs_person=True)
    foreign = _foreign(con, settings)
    for text in foreign:
        yield Step(f"lake: {text}", needs_person=True)
    if not lost and not foreign:
        yield Step(f"lake: every file of {settings.lake} can be read, and every accepted delivery has one")


def _foreign(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    """What a run refuses, or a rebuild would miss: files and decisions that the ledger does not know, records and a
    state of OneID that are lost."""
    unknown = compare(con, settings).unknown
    told = [unknown_told(settings, unknown)] if unknown else []
    try:
        told += [
            f"{wrong}: bring it back with `onedata repair --from BACKUP`"
            for item in in_force(list(read_manifests(settings.lake)))
            if (wrong := file_damage(item.folder / item.record.name, item.record, thorough=True))
        ]
        told += [text for tell in (unknown_decisions, lost_state) if (text := tell(con, settings.lake))]
    except (ManifestError, LogDamaged) as error:
        told.append(str(error))
    return told


def _vault(con: duckdb.DuckDBPyConnection, settings: Settings) -> Iterator[Step]:
    """The vault opens with its key; if there is none, no token may be known."""
    if not is_there(database_file(settings.vault)):
        known = any_rows(con, "oneid", "identifier")
        yield Step(
            f"vault: {gone(database_file(settings.vault))}" if known else "vault: none, and no token is known",
            needs_person=known,
        )
        return
    try:
        attach_vault(con, settings.vault, "looked_vault", read_only=True)
        kept = con.execute("select fingerprint from looked_vault.key_fingerprint").fetchone()
        con.execute("detach looked_vault")
        wrong = key_fault(settings.vault, kept[0] if kept else "")
        yield Step(
            f"vault: {wrong or f'{database_file(settings.vault)} opens, and its key matches'}",
            needs_person=bool(wrong),
        )
    except duckdb.Error as error:
        yield Step(
            f"vault: {database_file(settings.vault)} is damaged ({str(error).splitlines()[0]}): restore the newest "
            f"copy. See {HOWTO}",
            True,
        )
    except VaultBusy as busy:
        yield Step(f"vault: {busy}")
    except VaultError as error:
        yield Step(f"vault: {error}", needs_person=True)


def _published(settings: Settings) -> Iterator[Step]:
    """Published tables are built from the warehouse, so no data is lost with them."""
    database = settings.published_database
    found = examine(database, deep=True)
    if found.kind == "sound":
        yield Step(f"published: every table of {database} can be read")
    elif found.kind == "missing" and not any(settings.published.glob("*")) and last_night(settings) is None:
        yield Step("published: nothing yet")
    elif found.kind != "held":
        what = {"missing": "is gone", "refused": disk.told(found.number, database) or "cannot be opened"}.get(
            found.kind, found.what
        )
        yield Step(
            f"published: {database} {what}: `onedata run --ds {last_night(settings) or 'NIGHT'}` of the last night "
            "publishes it again, `onedata serve NIGHT` points it to a kept night",
            needs_person=True,
        )
