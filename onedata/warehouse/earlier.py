"""Migrate `published/` of an onedata without numbered publications: each kept night becomes a publication.

The earlier layout kept `nights/onedata-<night>.duckdb` and `nights/parquet-<night>*/`, served one of them as a hard
link and a symlink, and had one folder of quality pages for all nights. The served night stays served throughout;
unrecognised files stay in place and are reported.
"""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from onedata.durable import make_folders
from onedata.ledger.manifest import digest
from onedata.settings import Settings
from onedata.warehouse.publications import (
    DATABASE,
    PARQUET,
    QUALITY,
    READABLE_FOLDER,
    Say,
    alone,
    current_link,
    link_names,
    next_number,
    place,
    point,
    point_current,
    publications,
    publications_folder,
    seal,
)
from onedata.warehouse.publish import attached, count_rows, write_parquet

DATABASES = r"onedata-(\d{4}-\d{2}-\d{2})\.duckdb"
PAGES = r"index\.html|\d{4}-\d{2}-\d{2}/[a-z]+\.html"

WritePages = Callable[[Path, date], object]


@dataclass(frozen=True)
class _Night:
    """A database of the earlier layout, its night and its hash."""

    file: Path
    night: date
    sha256: str


def move_earlier(con: duckdb.DuckDBPyConnection, settings: Settings, write_pages: WritePages, say: Say) -> None:
    """Move the nights of the earlier layout into publications, oldest first.

    A second call, also after a kill, continues where the first ended.

    Args:
        con: The warehouse, which knows the nights' runs.
        settings: Location of `published/`.
        write_pages: Writes the quality pages as of a night into a folder.
        say: Called with what was moved, and what was not recognised.
    """
    nights, name = settings.published / "nights", settings.published_database
    single = name.is_file() and not name.is_symlink()
    if not nights.is_dir() and not single:
        return
    files = sorted(nights.glob("onedata-*.duckdb")) if nights.is_dir() else []
    read = [_recognised(con, file) for file in [*files, *([name] if single else [])]]
    found = sorted((night for night in read if night), key=lambda night: (night.night, night.file.stat().st_mtime_ns))
    for night in found:
        if _number_of(settings, night.sha256) is None:
            number = _publish(con, settings, night, write_pages)
            say(f"night {night.night} of {night.file} is publication {number} now")
    with alone(settings):
        _serve(settings, next((night.sha256 for night in found if night.file == name), None), say)
    _clear(settings, nights, found, say)


def _recognised(con: duckdb.DuckDBPyConnection, file: Path) -> _Night | None:
    """The night in a file, if it is a database that onedata published (and for the night in its name)."""
    try:
        with attached(con, file, "earlier", read_only=True):
            rows = con.execute("select night from earlier.main.published_night").fetchall()
    except duckdb.Error:
        return None
    named = re.fullmatch(DATABASES, file.name)
    known = len(rows) == 1 and isinstance(rows[0][0], date) and named is not None and named[1] == str(rows[0][0])
    return _Night(file, rows[0][0], digest(file)) if known or (len(rows) == 1 and file.name == DATABASE) else None


def _number_of(settings: Settings, digest: str | None) -> int | None:
    numbers = [found.number for found in publications(settings) if digest and digest == found.files[DATABASE].sha256]
    return numbers[-1] if numbers else None


def _publish(con: duckdb.DuckDBPyConnection, settings: Settings, night: _Night, write_pages: WritePages) -> int:
    """Create a publication of one night: its database under a second name, Parquet written from it, and pages."""
    make_folders(publications_folder(settings), READABLE_FOLDER)
    folder = publications_folder(settings) / ".moving"
    if folder.exists():
        shutil.rmtree(folder)
    make_folders(folder)
    (folder / DATABASE).hardlink_to(night.file)
    with attached(con, night.file, "earlier", read_only=True):
        write_parquet(con, "earlier", folder / PARQUET)
        counts = count_rows(con, "earlier")
    write_pages(folder / QUALITY, night.night)
    runs = "coalesce(arg_max(run_id, finished_at) filter (night = ?), '')"
    known, run_id = con.execute(
        f"select coalesce(max(publication), 0), {runs} from ops.night",
        [night.night],
    ).fetchall()[0]
    number = next_number(settings, int(known))
    built_at = datetime.fromtimestamp(night.file.stat().st_mtime, UTC)
    place(settings, seal(folder, number, night.night, run_id, built_at, counts).folder, number)
    con.execute(
        "update ops.night set publication = ? where night = ? and run_id = ? and publication is null",
        [number, night.night, run_id],
    )
    return number


def _serve(settings: Settings, served: str | None, say: Say) -> None:
    """Point `current` to the served night, or else to the last one; then the constant names lead through it."""
    kept = publications(settings)
    if not current_link(settings).exists() and kept:
        last = max(kept, key=lambda found: (found.night, found.number))
        # The constant names follow below, one by one: until then the old ones stand, for the same night.
        point_current(settings, _number_of(settings, served) or last.number)
    if not current_link(settings).exists():
        return
    if _number_of(settings, served) is not None:
        point(settings.published_database, f"current/{DATABASE}")
    parquet = settings.published / PARQUET
    if parquet.is_symlink() and str(parquet.readlink()).startswith("nights/parquet-"):
        point(parquet, f"current/{PARQUET}")
    pages = settings.published / QUALITY
    if pages.is_dir() and not pages.is_symlink():
        _remove(pages, PAGES)
    link_names(settings, say)


def _clear(settings: Settings, nights: Path, found: list[_Night], say: Say) -> None:
    """Remove files that are now in a publication."""
    served = current_link(settings).exists()
    for night in found:
        if served and night.file.parent == nights and _number_of(settings, night.sha256) is not None:
            for folder in nights.glob(f"parquet-{night.night}*"):
                _remove(folder, r"[a-z0-9_]+\.parquet")
            # The database goes last: it is what the Parquet files are recognised by.
            night.file.unlink()
    if nights.is_dir():
        left = sorted(nights.iterdir())
        for path in left:
            say(f"{path} stays where it is: it is no night that onedata published; move it away")
        if not left:
            nights.rmdir()


def _remove(folder: Path, known: str) -> None:
    """Remove the files whose path in the folder is known, and the folders that are empty then."""
    paths = sorted(folder.rglob("*"), reverse=True)
    for path in paths:
        if path.is_file() and re.fullmatch(known, path.relative_to(folder).as_posix()):
            path.unlink()
    for path in [*(path for path in paths if path.is_dir()), folder]:
        if not any(path.iterdir()):
            path.rmdir()
