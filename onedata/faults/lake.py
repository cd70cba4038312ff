"""Missing, truncated or damaged lake files: their feed and night, and how to restore them.

DuckDB writes Parquet without checksums of values: a flipped bit that leaves the page valid is detected by the hash
taken when the file was written.
"""

import os
import re
from pathlib import Path
from textwrap import shorten

import duckdb

from onedata.ledger.manifest import digest
from onedata.ledger.paths import partition_folder
from onedata.ledger.recover import Loss, compare
from onedata.settings import Settings
from onedata.sql import quote_text

MAGIC = b"PAR1"
FRAME = 12
"""Bytes of an empty Parquet file: the magic at both ends, and the length of the footer."""
IN_LAKE = re.compile(r"[^\"'\[\],|]*?\.parquet")
PLACE = re.compile(r"/source=(?P<feed>[^/]+)/ds=(?P<night>\d{4}-\d{2}-\d{2})/")


def all_losses(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[Loss]:
    """Every lake file of an accepted delivery that is missing, truncated, or has changed since it was written; reads
    the whole lake."""
    lost = compare(con, settings).damaged
    known = {loss.file for loss in lost}
    rows = con.execute(
        "select l.entity, l.feed, l.ds, l.name, l.sha256 from ops.lake_file l join ops.batch b using (batch_id) "
        "order by all"
    ).fetchall()
    for entity, feed, ds, name, sha256 in rows:
        file = partition_folder(settings, entity, feed, ds) / name
        if file not in known and digest(file) != sha256:
            lost.append(Loss(file, "has other content than was written (SHA-256)", feed, str(ds)))
    return lost


def losses_named(settings: Settings, words: str) -> list[Loss]:
    """The lake files that an error names and that are in fact missing or damaged."""
    folder = str(settings.lake)
    starts = [match.start() for match in re.finditer(re.escape(folder), words)]
    files = {match[0] for start in starts if (match := IN_LAKE.match(words, start))}
    return [
        _loss(Path(file), what)
        for file in sorted(files)
        if PLACE.search(file) and "*" not in file and (what := unreadable(Path(file)))
    ]


def unreadable(file: Path) -> str | None:
    """The fault of a Parquet file that is read to its end; None if none is found."""
    try:
        framed = _framing(file)
    except OSError as error:
        return f"cannot be read ({os.strerror(error.errno or 0)})"
    if framed:
        return framed
    try:
        with duckdb.connect(config={"threads": 1, "memory_limit": "500MB"}) as con:
            con.execute(
                f"select max(hash(t)) from read_parquet({quote_text(_literal(file))}, hive_partitioning = false) t"
            ).fetchall()
    except duckdb.Error as error:
        return f"is damaged ({shorten(str(error).strip().splitlines()[0], 200, placeholder=' ...')})"
    return None


def _framing(file: Path) -> str | None:
    """Whether the file begins and ends as Parquet, with a footer that fits into it."""
    try:
        with file.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            begin = stream.read(len(MAGIC))
            stream.seek(max(0, size - 8))
            end = stream.read()
    except FileNotFoundError:
        return "is gone"
    if size < FRAME:
        return f"is cut short: it has {size} bytes"
    if end[4:] != MAGIC or int.from_bytes(end[:4], "little") > size - FRAME:
        return f"is cut short: it has {size:,} bytes, and does not end as Parquet does"
    return None if begin == MAGIC else "is damaged: it does not begin as Parquet does"


def _loss(file: Path, what: str) -> Loss:
    found = PLACE.search(str(file))
    return Loss(file, what, found["feed"] if found else "unknown", found["night"] if found else "NIGHT")


def _literal(file: Path) -> str:
    """The path as a DuckDB glob that matches only itself."""
    return re.sub(r"([\[*?])", r"[\1]", str(file))
