"""The restore drill: restore the newest back-up into a scratch folder and verify it there, to prove that it works."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onedata.backup.restore import restore
from onedata.backup.store import Backup, BackupError
from onedata.durable import make_folders, write_durably
from onedata.landing.vault_files import key_file
from onedata.retailer import Retailer
from onedata.settings import Settings
from onedata.verify import Area, verify_home

MARKER = "onedata-drill"
"""Marker in the scratch folder: the drill created it and may remove it."""


@dataclass(frozen=True)
class Drilled:
    """Result of a drill."""

    backup: Backup
    areas: Sequence[Area]


def scratch_folder(settings: Settings) -> Path:
    """The drill's scratch folder."""
    return settings.home / "tmp" / "drill"


def drill(retailer: Retailer, store: Path, say: Callable[[str], object]) -> Drilled:
    """Restore the newest back-up with the home's own key, verify the restored home, and remove it.

    Raises:
        BackupError: the back-up cannot be restored, or the scratch folder contains something else.
        WarehouseError: the restored home cannot be read.
    """
    scratch = scratch_folder(retailer.settings)
    _clear(scratch)
    make_folders(scratch)
    write_durably(scratch / MARKER, "made by the restore drill of onedata; removed after it\n")
    try:
        home = replace(retailer.settings, home=scratch / "home")
        backup = restore(home, store, key_file(retailer.settings.vault), None, say)
        return Drilled(backup, verify_home(replace(retailer, settings=home)))
    finally:
        _clear(scratch)


def _clear(scratch: Path) -> None:
    """Remove a scratch folder that a drill created."""
    if not scratch.exists():
        return
    if any(scratch.iterdir()) and not (scratch / MARKER).exists():
        raise BackupError(f"{scratch} is not of a drill: it has no {MARKER}; move it away")
    for folder in (path for path in scratch.rglob("*") if path.is_dir() and not path.is_symlink()):
        folder.chmod(0o700)
    shutil.rmtree(scratch)
