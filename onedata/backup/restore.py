"""Restore a data home from a back-up: every content is verified, and the home is usable only once it is complete."""

import json
import os
import re
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from onedata.backup.contents import PERMISSIONS
from onedata.backup.copier import CopyError, copy_whole
from onedata.backup.store import Backup, BackupError, StoredFile, has_object, numbers, object_file, read_backup
from onedata.durable import PRIVATE_FOLDER, make_folders, sync_folder, write_durably
from onedata.landing.vault_files import block_key, fingerprint, key_file
from onedata.ledger.manifest import digest
from onedata.settings import Settings
from onedata.warehouse.open import RESTORING

HALF = re.compile(r"\..+\.\d+\.new")
"""Name of a file while an onedata process writes it."""

Say = Callable[[str], object]
SHOWN = 3


def restore(settings: Settings, store: Path, key: Path | None, number: int | None, say: Say) -> Backup:
    """Restore a back-up and the vault's key into a missing or empty home. Nothing is written before back-up and key are
    known to match.

    An interrupted restore leaves a marker, and no night runs while it exists; the same restore resumes.

    Args:
        settings: Location of the home; its source folder may already be in it.
        store: The folder of back-ups.
        key: File of the vault's key; required if the back-up has a vault.
        number: Number of the back-up; the newest if None.
        say: Called with what was done.

    Raises:
        BackupError: the back-up is damaged, the key does not match, there is too little space, or the home contains
            something else.
    """
    backup = read_backup(store, number)
    secret = _read_key(backup, key)
    begun = _begun(settings.home, store, backup)
    if not begun:
        _refuse_used(settings)
    held = {file.path for file in backup.files if begun and _is_there(settings.home, file)}
    _refuse_damaged(store, backup, held)
    _check_space(settings.home, sum(file.bytes for file in backup.files if file.path not in held))
    doing = "going on with" if begun else "restoring"
    say(
        f"{doing} back-up {backup.number} of {backup.at:%Y-%m-%d %H:%M} UTC: {len(backup.files):,} files, "
        f"{backup.bytes:,} bytes"
    )
    make_folders(settings.home)
    if not begun:
        write_durably(
            settings.home / RESTORING, json.dumps({"from": str(store.resolve()), "number": backup.number}) + "\n"
        )
    _write(settings, store, backup, held)
    if secret is not None:
        make_folders(settings.vault)
        write_durably(key_file(settings.vault), secret)
    (settings.home / RESTORING).unlink()
    sync_folder(settings.home)
    return backup


def _read_key(backup: Backup, key: Path | None) -> bytes | None:
    """The vault's key; None if the back-up has no vault."""
    if not backup.key:
        return None
    if key is None:
        raise BackupError("the back-up has a vault, and no back-up holds its key: give it with --key FILE")
    if not key.is_file():
        raise BackupError(
            f"there is no key {key}; give the file that `onedata backup --key-to` wrote, or a copy of vault/token.key"
        )
    secret = key.read_bytes()
    if fingerprint(block_key(secret)) != backup.key:
        raise BackupError(
            f"{key} is not the key of the vault in back-up {backup.number}: with it every customer would be parted. "
            "Find the key that is; nothing was written."
        )
    return secret


def _begun(home: Path, store: Path, backup: Backup) -> bool:
    """Whether this restore was started in the home and interrupted."""
    marker = home / RESTORING
    if not marker.exists():
        return False
    begun = json.loads(marker.read_text(encoding="utf-8"))
    if (begun["number"], begun["from"]) != (backup.number, str(store.resolve())):
        raise BackupError(
            f"{home} is half restored from back-up {begun['number']} of {begun['from']}; go "
            f"on with `--number {begun['number']}`, or empty {home} first"
        )
    return True


def _refuse_used(settings: Settings) -> None:
    home = settings.home
    own = (
        {settings.source.relative_to(home).parts[0]}
        if settings.source != home and settings.source.is_relative_to(home)
        else set()
    )
    own |= {PERMISSIONS}
    begun = f".{RESTORING}."  # prefix of our own marker's name while it is written
    strange = (
        sorted(path.name for path in home.iterdir() if path.name not in own and not path.name.startswith(begun))
        if home.exists()
        else []
    )
    if strange:
        raise BackupError(
            f"{home} holds {', '.join(strange[:SHOWN])}; a back-up is restored into an empty home: move what is there "
            "away first"
        )


def _is_there(home: Path, file: StoredFile) -> bool:
    path = home / file.path
    return (
        path.is_file() and not path.is_symlink() and path.stat().st_size == file.bytes and digest(path) == file.sha256
    )


def _check_space(home: Path, needed: int) -> None:
    standing = next(folder for folder in (home, *home.absolute().parents) if folder.exists())
    free = shutil.disk_usage(standing).free
    if needed > free:
        raise BackupError(
            f"the home needs {needed:,} bytes and {standing} has {free:,} free; make room. Nothing was written."
        )


def _write(settings: Settings, store: Path, backup: Backup, held: set[str]) -> None:
    home = settings.home
    for half in home.rglob(".*.new"):  # what a killed restore was writing
        if HALF.fullmatch(half.name) and not half.is_relative_to(settings.source):
            half.unlink()
    for folder in backup.folders:
        make_folders(home / folder.path, PRIVATE_FOLDER)
        (home / folder.path).chmod(PRIVATE_FOLDER)
    for file in backup.files:
        if file.path not in held:
            place_object(store, file, home / file.path, backup)
        (home / file.path).chmod(file.mode)
        os.utime(home / file.path, ns=(file.mtime_ns, file.mtime_ns))
    for link in backup.links:
        path = home / link.path
        path.unlink(missing_ok=True)
        path.symlink_to(link.target)
    # From the deepest on: a folder may be read-only.
    for folder in sorted(backup.folders, key=lambda folder: folder.path, reverse=True):
        sync_folder(home / folder.path)
        (home / folder.path).chmod(folder.mode)


def place_object(store: Path, file: StoredFile, target: Path, backup: Backup) -> None:
    """Copy a content from the back-up to its name, after verifying it.

    Raises:
        BackupError: the content differs from what was backed up, or cannot be copied.
    """
    fresh = target.with_name(f".{target.name}.{os.getpid()}.new")
    source = object_file(store, file.sha256)
    try:
        copied = copy_whole(source, fresh)
    except CopyError as error:
        raise BackupError(str(error)) from error
    if copied.sha256 != file.sha256:
        fresh.unlink()
        told = (
            f"{source}, the content of {file.path}, is not what was backed up (SHA-256): back-up {backup.number} "
            "is damaged"
        )
        raise BackupError(f"{told}. {_other(store, backup, [file.sha256])}")
    fresh.replace(target)


def _refuse_damaged(store: Path, backup: Backup, held: set[str]) -> None:
    """Read and verify every needed content before the first file is written."""
    needed = {file.sha256: file for file in backup.files if file.path not in held}
    damaged = {
        sha256: file
        for sha256, file in needed.items()
        if not has_object(store, sha256, file.bytes) or digest(object_file(store, sha256)) != sha256
    }
    if damaged:
        names = ", ".join(
            f"{object_file(store, sha256)}, the content of {file.path}"
            for sha256, file in list(damaged.items())[:SHOWN]
        )
        raise BackupError(
            f"{names}: gone, or not what was backed up (SHA-256); with {len(damaged):,} such contents back-up "
            f"{backup.number} is damaged. {_other(store, backup, damaged.keys())} Nothing was written."
        )


def _other(store: Path, backup: Backup, damaged: Collection[str]) -> str:
    """The fix for damaged contents: the newest earlier back-up without them, and how to repair the folder."""
    mended = (
        "Where the home still has that content, move the damaged file out of the folder, and the next "
        "`onedata backup` copies it again."
    )
    for number in sorted((number for number in numbers(store) if number < backup.number), reverse=True):
        with suppress(BackupError):
            if not {file.sha256 for file in read_backup(store, number).files} & set(damaged):
                return f"Restore an earlier one (`--number {number}`), or from another copy of the folder. {mended}"
    return f"Restore from another copy of the folder: no earlier back-up is without it. {mended}"
