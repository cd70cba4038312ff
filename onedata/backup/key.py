"""The vault's key, which no back-up contains: written elsewhere on request, and recognised by its fingerprint."""

from pathlib import Path

import duckdb

from onedata.backup.store import BackupError
from onedata.durable import PRIVATE_FILE, make_folders, write_durably
from onedata.landing.vault_files import VaultError, attach_vault, database_file, key_file
from onedata.settings import Settings


def hold_vault(con: duckdb.DuckDBPyConnection, settings: Settings) -> str:
    """Attach the vault, so that nobody writes it while it is copied, and checkpoint its log into its file.

    Returns:
        The fingerprint of the vault's key; empty if there is no vault yet.

    Raises:
        BackupError: it cannot be opened.
    """
    if not database_file(settings.vault).exists():
        return ""
    try:
        attach_vault(con, settings.vault, "held_vault")
        con.execute("checkpoint held_vault")
        row = con.execute("select fingerprint from held_vault.key_fingerprint").fetchone()
    except (VaultError, duckdb.Error) as error:
        raise BackupError(f"no back-up was written: {str(error).splitlines()[0]}") from error
    return str(row[0]) if row else ""


def check_key_target(settings: Settings, to: Path, target: Path) -> None:
    """Refuse a path for the key that would not keep it separate, before anything is written.

    Raises:
        BackupError: the path is in the back-up or the home, or contains something else; or the home has no key.
    """
    for folder, why in (
        (to, "a back-up together with its key protects nothing"),
        (settings.home, "it would be lost with the home"),
    ):
        if target.resolve().is_relative_to(folder.resolve()):
            raise BackupError(f"{target} lies in {folder}, and {why}; give a place on another disk")
    if not key_file(settings.vault).exists():
        raise BackupError(
            f"{key_file(settings.vault)} is missing, so it cannot be written to {target}; restore it from "
            "where you keep it"
        )
    if target.exists() and (target.is_dir() or target.read_bytes() != key_file(settings.vault).read_bytes()):
        raise BackupError(f"{target} holds something else than the key; give another name")
    try:
        make_folders(target.parent)
    except OSError as error:
        raise BackupError(
            f"the folder {target.parent} for the key cannot be made ({error.strerror}); no back-up was written"
        ) from error


def write_key(target: Path, key: bytes) -> None:
    """Write the key durably, readable only by its owner."""
    if target.exists() and target.read_bytes() == key:
        target.chmod(PRIVATE_FILE)
        return
    write_durably(target, key)


def key_told(settings: Settings, key_to: Path | None) -> str:
    """What the user must know about the key after a back-up."""
    if key_to:
        return f"the vault's key was written to {key_to}; keep it apart from the back-up"
    if not key_file(settings.vault).exists():
        return f"{key_file(settings.vault)} IS MISSING, and without it this back-up cannot be restored: find the key"
    return (
        f"the vault's key is not in the back-up: keep {key_file(settings.vault)} elsewhere (`--key-to FILE` writes "
        "it), without it nothing can be restored"
    )
