"""Convert files into a format that DuckDB reads, before the readers open them."""

from collections.abc import Collection, Mapping
from pathlib import Path

from onedata.contracts.model import Location
from onedata.readers import encoding, excel, json
from onedata.readers.csv_comments import mark_comments
from onedata.readers.mistaken import mistaken


def needs_preparing(source: Path, location: Location) -> bool:
    """Whether the file must be converted before it is read."""
    if location.format == "jsonl":
        return encoding.has_mark(source)
    return location.format in ("json", "xlsx") or (
        location.format == "csv" and ("comment" in location.options or not _is_utf8(location.options))
    )


def prepare(source: Path, target: Path, location: Location, mapped: Collection[str]) -> str | None:
    """Convert the file to JSON lines, Parquet, or UTF-8 with marked comments.

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
        else:
            return _csv(source, target, options)
    except (json.NotDocuments, excel.NotASheet) as error:
        return str(error)
    return None


def _is_utf8(options: Mapping[str, str]) -> bool:
    return encoding.is_utf8(options.get("encoding", "utf-8"))


def _csv(source: Path, target: Path, options: Mapping[str, str]) -> str | None:
    """Convert to UTF-8, then mark the comment lines."""
    if _is_utf8(options):
        return mark_comments(source, target, options)
    if problem := mistaken(source, options["encoding"]):
        return problem
    if "comment" not in options:
        encoding.to_utf8(source, target, options["encoding"])
        return None
    text = target.with_name(f"{target.name}.utf8")
    encoding.to_utf8(source, text, options["encoding"])
    problem = mark_comments(text, target, options)
    text.unlink()
    return problem
