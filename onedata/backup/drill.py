"""The restore drill: the newest back-up, restored into a scratch folder and verified there, so that it is known to give
the home back."""

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
"""In the scratch folder: it is ours, and may be removed."""


@dataclass(frozen=True)
class Drilled:
    """What came of a drill."""

    backup: Backup
    areas: Sequence[Area]


def scratch_folder(settings: Settings) -> Path:
    """Where the drill restores to."""
    return settings.home / "tmp" / "drill"


def drill(retailer: Retailer, store: Path, say: Callable[[str], object]) -> Drilled:
    """Restore the newest back-up with the home's own key, verify what was restored, and remove it.

    Raises:
        BackupError: the back-up cannot be restored, or the scratch folder holds something else.
        WarehouseError: what was restored cannot be read.
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
    """Remove a scratch folder that a drill has made."""
    if not scratch.exists():
        return
    if any(scratch.iterdir()) and not (scratch / MARKER).exists():
        raise BackupError(f"{scratch} is not of a drill: it has no {MARKER}; move it away")
    for folder in (path for path in scratch.rglob("*") if path.is_dir() and not path.is_symlink()):
        folder.chmod(0o700)
    shutil.rmtree(scratch)
