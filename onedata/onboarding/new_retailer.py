"""A new retailer: a folder with settings, one contract and a sample of its files, which runs as it is."""

import shutil
from pathlib import Path

from onedata.errors import OnedataError

TEMPLATE = Path(__file__).with_name("retailer")
IGNORED = "gitignore"  # shipped without its dot, so that it holds for nothing here


class FolderNotEmpty(OnedataError):
    """The folder of a new retailer holds something already."""


def new_retailer(folder: Path) -> list[Path]:
    """Write the folder of a new retailer; returns its files, relative to it.

    Raises:
        FolderNotEmpty: the folder holds something, or is a file; nothing was written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderNotEmpty(f"{folder} is there already and holds something: give a folder that is new or empty")
    shutil.copytree(TEMPLATE, folder, dirs_exist_ok=True)
    (folder / IGNORED).rename(folder / f".{IGNORED}")
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
