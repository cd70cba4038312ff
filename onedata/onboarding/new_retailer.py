"""Create a retailer: a folder with settings, one contract and sample files, which runs without changes."""

import json
import shutil
from enum import StrEnum
from pathlib import Path

from onedata.contracts import load_entities
from onedata.contracts.odcs import contract_schema
from onedata.errors import OnedataError
from onedata.settings import Settings, settings_schema

TEMPLATE = Path(__file__).with_name("retailer")
MOST_NAME_BYTES = 255
IGNORED = "gitignore"  # shipped without its dot, so that it has no effect here


class Schema(StrEnum):
    """The files of a retailer that have a JSON schema."""

    settings = "settings"
    contract = "contract"


class FolderNotEmpty(OnedataError):
    """The folder of a new retailer is not empty."""


class FolderNotWritten(OnedataError):
    """The folder of a new retailer cannot be written."""


def new_retailer(folder: Path) -> list[Path]:
    """Write the folder of a new retailer and return its files, relative to it.

    Raises:
        FolderNotEmpty: the folder is not empty, or is a file; nothing was written.
    """
    if len(folder.name.encode()) > MOST_NAME_BYTES:
        raise FolderNotWritten(f"{folder.name[:20]}... is too long a name for a folder")
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise FolderNotEmpty(f"{folder} is no folder: give one that is new or empty")
    if folder.exists() and any(folder.iterdir()):
        raise FolderNotEmpty(f"{folder} exists and holds something: give a folder that is new or empty")
    try:
        return _written(folder)
    except OSError as error:
        raise FolderNotWritten(f"{folder} cannot be written: {error.strerror or error}") from None


def _written(folder: Path) -> list[Path]:
    shutil.copytree(TEMPLATE, folder, dirs_exist_ok=True)
    (folder / IGNORED).rename(folder / f".{IGNORED}")
    (folder / "schemas").mkdir()
    for what in Schema:
        (folder / "schemas" / f"{what}.json").write_text(schema_text(what), encoding="utf-8")
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def schema_text(what: Schema, own_entities: Path | None = None) -> str:
    """The JSON schema, for an editor that completes and checks the file; of a contract it names the entities, those in
    the retailer's own folder too.

    Raises:
        ContractError: a file of that folder is invalid.
    """
    if what is Schema.settings:
        found = settings_schema()
    else:
        found = contract_schema(load_entities(Settings().canonical, own_entities))
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"
