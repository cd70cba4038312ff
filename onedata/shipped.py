"""The files that come with onedata: contracts, dbt project, examples. An installed wheel holds them below the package,
a checkout beside it."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def checkout() -> Path | None:
    """The folder of the checkout that this code runs from; None where it runs from an installed wheel."""
    return None if (PACKAGE / "dbt_project").is_dir() else PACKAGE.parent


def shipped(name: str) -> Path:
    """A folder or file that comes with onedata, for reading only."""
    return (checkout() or PACKAGE) / name
