"""Files of the lake that are gone, cut or damaged: which feed's and night's, and how they come back.

Parquet as DuckDB writes it has no checksums of its values: a flipped bit is found here only where it breaks a page. A wrong value is found by the
hash that was taken when the file was written.
"""

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from onedata.landing.places import batch_of, partition_folder
from onedata.settings import Settings
from onedata.sql import quote_text

MAGIC = b"PAR1"
FRAME = 12
"""Bytes of an empty Parquet file: the magic at both ends, and the length of the footer."""
IN_LAKE = re.compile(r"[^\"'\[\],|]*?\.parquet")
PLACE = re.compile(r"/source=(?P<feed>[^/]+)/ds=(?P<night>\d{4}-\d{2}-\d{2})/")


class LakeDamaged(RuntimeError):
    """Files of accepted deliveries are gone or cut; the text names each with the two ways out."""


@dataclass(frozen=True)
class Loss:
    """A file of the lake (or the folder, where a delivery has none left), and what is wrong with it."""

    file: Path
    what: str
    feed: str
    night: str

    def __str__(self) -> str:
        return (
            f"the lake file {self.file} (feed {self.feed}, night {self.night}) {self.what}: bring it back with `onedata repair --from BACKUP`, or take its "
            f"night anew from the source with `onedata run --ds {self.night} --replace`"
        )


def check_lake(con: duckdb.DuckDBPyConnection, settings: Settings, again: Collection[date] = ()) -> None:
    """Refuse to go on where an accepted delivery's file is gone or cut short: what it held would be taken for rows that never came.

    Args:
        con: The warehouse.
        settings: Where the lake lies.
        again: Nights that are being taken anew, whose files need not be there.

    Raises:
        LakeDamaged: with every such file.
    """
    lost = list(_incomplete(con, settings, again))
    if lost:
        raise LakeDamaged("\n".join(map(str, lost)))


def all_losses(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[Loss]:
    """Every lake file of an accepted delivery that is gone or cannot be read to its end; reads the whole lake."""
    lost = list(_incomplete(con, settings))
    known = {loss.file for loss in lost}
    for file in sorted(settings.lake.rglob("*.parquet")):
        what = None if file in known or not PLACE.search(str(file)) else unreadable(file)
        if what:
            lost.append(_loss(file, what))
    return lost


def losses_named(settings: Settings, words: str) -> list[Loss]:
    """The lake files that an error names and that are indeed gone or damaged."""
    folder = str(settings.lake)
    starts = [match.start() for match in re.finditer(re.escape(folder), words)]
    files = {match[0] for start in starts if (match := IN_LAKE.match(words, start))}
    return [_loss(Path(file), what) for file in sorted(files) if PLACE.search(file) and "*" not in file and (what := unreadable(Path(file)))]


def unreadable(file: Path) -> str | None:
    """What is wrong with a Parquet file that is read to its end; None where nothing is to be seen."""
    try:
        framed = _framing(file)
    except OSError as error:
        return f"cannot be read ({os.strerror(error.errno or 0)})"
    if framed:
        return framed
    try:
        with duckdb.connect(config={"threads": 1, "memory_limit": "500MB"}) as con:
            con.execute(f"select max(hash(t)) from read_parquet({quote_text(_literal(file))}, hive_partitioning = false) t").fetchall()
    except duckdb.Error as error:
        return f"is damaged ({str(error).strip().splitlines()[0][:200]})"
    return None


def _incomplete(con: duckdb.DuckDBPyConnection, settings: Settings, again: Collection[date] = ()) -> Iterator[Loss]:
    """Accepted deliveries without a file, and their files that are cut; reads the last bytes of each."""
    expected = con.execute(
        "select batch_id, feed, entity, ds from ops.delivery where status in ('accepted', 'applied') and rows > 0 "
        "and ds not in (select unnest(?::date[])) order by ds, feed, batch_id",
        [list(again)],
    ).fetchall()
    listed: dict[Path, dict[str, list[Path]]] = {}
    for batch, feed, entity, ds in expected:
        folder = partition_folder(settings, entity, feed, ds)
        if folder not in listed:
            listed[folder] = {}
            for file in sorted(folder.glob("*.parquet")):
                listed[folder].setdefault(batch_of(file), []).append(file)
        files = listed[folder].get(batch, [])
        if not files:
            yield Loss(folder / f"{batch}-*.parquet", "is gone", feed, str(ds))
        for file in files:
            what = _framing(file)
            if what:
                yield Loss(file, what, feed, str(ds))


def _framing(file: Path) -> str | None:
    """Whether the file begins and ends as Parquet, with a footer that lies within it."""
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
    return Loss(file, what, found["feed"] if found else "not told", found["night"] if found else "NIGHT")


def _literal(file: Path) -> str:
    """The path as a DuckDB glob that matches itself alone."""
    return re.sub(r"([\[*?])", r"[\1]", str(file))
