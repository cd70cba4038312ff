"""The files shipped with onedata: contracts, dbt project, examples. An installed wheel has them below the package, a
checkout beside it."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def checkout() -> Path | None:
    """The checkout that this code runs from; None if it runs from an installed wheel."""
    return None if (PACKAGE / "dbt_project").is_dir() else PACKAGE.parent


def shipped(name: str) -> Path:
    """A shipped folder or file, for reading only."""
    return (checkout() or PACKAGE) / name
