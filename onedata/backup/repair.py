"""Restore lost parts of the lake from a back-up: Parquet files, records, manifests, and entries of the log."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from onedata.backup.restore import place_object
from onedata.backup.store import Backup, BackupError, StoredFile, has_object, numbers, read_backup
from onedata.durable import make_folders, move_aside, sync_folder
from onedata.ledger.log import log_folder
from onedata.ledger.manifest import Manifest, ManifestError, digest, read_manifest
from onedata.ledger.paths import MANIFESTS, batch_of
from onedata.ledger.states import IN_LAKE, sql_list
from onedata.settings import Settings

DAMAGED = ".damaged"
"""Folder of the lake for damaged files that were replaced; kept for inspection."""


def restore_lake_files(settings: Settings, store: Path, con: duckdb.DuckDBPyConnection | None = None) -> list[str]:
    """Restore every lake file and log entry that is missing or damaged and that a back-up contains.

    A delivery that has been replaced since stays replaced. A damaged file is moved to `lake/.damaged`. Idempotent.

    Args:
        settings: Location of the lake; the caller makes sure that no night runs.
        store: The folder of back-ups.
        con: The warehouse, whose ledger says which deliveries count; None if it is lost or damaged: then the manifests
            of the lake decide.

    Returns:
        What was restored, and what is damaged and in no back-up, one sentence each.

    Raises:
        BackupError: the folder has no readable back-up, or a content in it is damaged.
    """
    return _Repair(settings, store, con).run()


class _Repair:
    """State of one repair: the back-ups, the newest first, and the messages."""

    def __init__(self, settings: Settings, store: Path, con: duckdb.DuckDBPyConnection | None) -> None:
        self._settings, self._store = settings, store
        self._live = _live(con) if con else None
        self._aside = settings.lake / DAMAGED / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
        self._backups = list(_readable(store))
        self._states = {folder.parent for folder in log_folder(settings.lake, "").glob("*/*/")}
        self._said: list[str] = []

    def run(self) -> list[str]:
        lake = self._settings.lake
        log = log_folder(lake, "").relative_to(self._settings.home).as_posix()
        known: dict[str, tuple[StoredFile, Backup]] = {}
        for backup in self._backups:
            for file in backup.files:
                known.setdefault(file.path, (file, backup))
        for path, (file, backup) in known.items():
            if path.startswith(f"{log}/") and self._belongs(path) and not self._same(path, file.bytes, file.sha256):
                self._place(file, backup)
        manifests = [
            (file, backup)
            for path, (file, backup) in known.items()
            if Path(path).parent.name == MANIFESTS and path.endswith(".json")
        ]
        replaced = self._replaced()
        for file, backup in manifests:
            manifest_file = self._settings.home / file.path
            if _readable_manifest(manifest_file) is None and self._counts(batch_of(manifest_file), replaced):
                self._place(file, backup)
        contents = {
            (file.sha256, file.bytes): (file, backup) for backup in reversed(self._backups) for file in backup.files
        }
        for manifest in self._manifests():
            if self._counts(manifest.batch, replaced):
                self._mend(manifest, contents)
        return self._said

    def _mend(self, manifest: Manifest, contents: Mapping[tuple[str, int], tuple[StoredFile, Backup]]) -> None:
        """Restore the delivery's files that do not match its manifest."""
        for folder, item in [
            *((manifest.partition, item) for item in manifest.files),
            (manifest.folder, manifest.record),
        ]:
            name = (folder / item.name).relative_to(self._settings.home).as_posix()
            if self._same(name, item.bytes, item.sha256):
                continue
            held = contents.get((item.sha256, item.bytes))
            if held:
                self._place(replace(held[0], path=name), held[1])
            else:
                self._said.append(f"{folder / item.name} is gone or damaged, and no back-up of {self._store} holds it")

    def _belongs(self, path: str) -> bool:
        """Whether a log entry is current: of kinds that store whole states, one folder each, older ones have been
        removed."""
        folder = (self._settings.home / path).parent
        return folder.parent not in self._states or folder.exists()

    def _place(self, file: StoredFile, backup: Backup) -> None:
        if not has_object(self._store, file.sha256, file.bytes):
            raise BackupError(
                f"{self._store} lacks the content of {file.path}; it is damaged. Repair "
                "from another copy of the folder."
            )
        path = self._settings.home / file.path
        make_folders(path.parent)
        moved = ""
        if path.exists():
            (aside,) = move_aside([path], self._settings.lake, self._aside)
            moved = f"; what was there lies at {aside} now"
        place_object(self._store, file, path, backup)
        path.chmod(file.mode)
        sync_folder(path.parent)
        self._said.append(f"{path} was put back from back-up {backup.number} of {backup.at:%Y-%m-%d %H:%M} UTC{moved}")

    def _same(self, name: str, size: int, sha256: str) -> bool:
        path = self._settings.home / name
        return path.is_file() and path.stat().st_size == size and digest(path) == sha256

    def _manifests(self) -> Iterator[Manifest]:
        for file in sorted((self._settings.lake / "ods").glob(f"*/source=*/ds=*/{MANIFESTS}/[!.]*.json")):
            manifest = _readable_manifest(file)
            if manifest is None:
                self._said.append(f"{file} is damaged, and no back-up of {self._store} holds it")
            else:
                yield manifest

    def _counts(self, batch: str, replaced: set[str]) -> bool:
        return batch in self._live if self._live is not None else batch not in replaced

    def _replaced(self) -> set[str]:
        """Replaced deliveries: a manifest says so, or their files were moved aside."""
        lake = self._settings.lake
        manifests = (
            _readable_manifest(file) for file in (lake / "ods").glob(f"*/source=*/ds=*/{MANIFESTS}/[!.]*.json")
        )
        named = {batch for manifest in manifests if manifest for batch in manifest.replaces}
        return named | {batch_of(file) for file in (lake / ".orphans").glob("*/ods/**/*") if file.is_file()}


def _live(con: duckdb.DuckDBPyConnection) -> set[str]:
    return {
        batch
        for (batch,) in con.execute(f"select batch_id from ops.delivery where status in {sql_list(IN_LAKE)}").fetchall()
    }


def _readable(store: Path) -> Iterator[Backup]:
    """The readable back-ups, the newest first.

    Raises:
        BackupError: there is none.
    """
    found, wrong = 0, None
    for number in reversed(numbers(store)):
        try:
            backup = read_backup(store, number)
        except BackupError as error:
            wrong = error
            continue
        found += 1
        yield backup
    if not found:
        if wrong:
            raise wrong
        read_backup(store)


def _readable_manifest(file: Path) -> Manifest | None:
    try:
        return read_manifest(file)
    except (ManifestError, FileNotFoundError):
        return None
