"""Convert files into a format that DuckDB reads, before the readers open them."""

from collections.abc import Collection
from pathlib import Path

from onedata.contracts.model import Location
from onedata.readers import encoding, excel, json


def needs_preparing(source: Path, location: Location) -> bool:
    """Whether the file must be converted before it is read."""
    if location.format == "jsonl":
        return encoding.has_mark(source)
    return location.format in ("json", "xlsx") or (
        location.format == "csv" and not encoding.is_utf8(location.options.get("encoding", "utf-8"))
    )


def prepare(source: Path, target: Path, location: Location, mapped: Collection[str]) -> str | None:
    """Convert the file to JSON lines, Parquet or UTF-8.

    Args:
        source: The file as delivered.
        target: The file to write.
        location: Its format and options.
        mapped: The source fields that the contract reads.

    Returns:
        The reason for a failure; None on success.
    """
    options = location.options
    try:
        if location.format == "jsonl":
            encoding.without_mark(source, target)
        elif location.format == "json":
            json.to_lines(source, target, options.get("documents"))
        elif location.format == "xlsx":
            excel.to_parquet(source, target, options.get("sheet"), options.get("range"), mapped)
        elif problem := encoding.mistaken(source, options["encoding"]):
            return problem
        else:
            encoding.to_utf8(source, target, options["encoding"])
    except (json.NotDocuments, excel.NotASheet) as error:
        return str(error)
    return None
