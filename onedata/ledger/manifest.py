"""The manifest beside a delivery's files in the lake: its commit record, from which the ledger can be rebuilt.

`<partition>/_manifest/<batch>.json` lists the delivery's files with size and SHA-256. Beside it, `<batch>.record` is a
Parquet file with the delivery's rows of the ledger: the table's name is in `_table`, the acceptance time in
`_accepted_at`. Both are written before the ledger marks the delivery accepted. A file that no manifest names is
ignored, as is a delivery that another manifest names in `replaces`.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path

import duckdb

from onedata.durable import make_folders, replace_durably, sync_file, write_durably
from onedata.errors import OnedataError
from onedata.ledger.belongings import BELONGINGS
from onedata.ledger.paths import MANIFESTS, manifest_file, record_file
from onedata.sealed import seal, unseal
from onedata.sql import escape_glob, quote_text

FORMAT = 1
RECORDED = tuple(table for table in BELONGINGS if table != "lake_file")
"""The tables whose rows go into a delivery's record; the manifest itself lists the lake's files."""


class ManifestError(OnedataError):
    """A manifest, or a file that it names, differs from what was written; the text names the file and the fix."""


@dataclass(frozen=True)
class LakeFile:
    """One Parquet file of the lake."""

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class InLake:
    """The facts about a delivery in the lake that both manifest and ledger have. Times are UTC."""

    batch: str
    feed: str
    entity: str
    ds: date
    rows: int
    accepted_at: datetime
    replaces: tuple[str, ...]
    files: tuple[LakeFile, ...]


@dataclass(frozen=True)
class Manifest(InLake):
    """One accepted delivery; `record` is the Parquet file with its rows of the ledger."""

    record: LakeFile
    folder: Path

    @property
    def partition(self) -> Path:
        """Folder of the delivery's files."""
        return self.folder.parent


def digest(path: Path) -> str:
    """SHA-256 of a file; no connection of this process may have it open."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def lake_file(con: duckdb.DuckDBPyConnection, path: Path) -> LakeFile:
    """Rows, size and SHA-256 of a Parquet file."""
    row = con.execute("select num_rows from parquet_file_metadata(?)", [escape_glob(str(path))]).fetchone()
    assert row is not None
    return LakeFile(path.name, int(row[0]), path.stat().st_size, digest(path))


def write_manifest(
    con: duckdb.DuckDBPyConnection, partition: Path, batch: str, accepted_at: datetime, files: Sequence[LakeFile]
) -> None:
    """Write the delivery's record and then its manifest, both durably.

    Args:
        con: The warehouse, in which the delivery is recorded.
        partition: Folder of its files.
        batch: The delivery.
        accepted_at: Time of acceptance.
        files: Its files in the lake.
    """
    delivery = con.execute(
        "select feed, entity, ds, rows, replaces from ops.delivery where batch_id = ?", [batch]
    ).fetchone()
    assert delivery is not None
    feed, entity, ds, rows, replaces = delivery
    record = record_file(partition, batch)
    make_folders(record.parent)
    fresh = record.with_name(f".{record.name}.new")
    con.execute(f"copy ({_record_sql(batch, feed, ds, accepted_at)}) to {quote_text(str(fresh))} (format parquet)")
    sync_file(fresh)
    replace_durably(fresh, record)
    content = {
        "format": FORMAT,
        "onedata": version("onedata"),
        "batch_id": batch,
        "feed": feed,
        "entity": entity,
        "ds": ds.isoformat(),
        "rows": rows,
        "accepted_at": accepted_at.isoformat(),
        "replaces": list(replaces),
        "files": [asdict(file) for file in files],
        "record": asdict(lake_file(con, record)),
    }
    write_durably(manifest_file(partition, batch), seal(content))


def _record_sql(batch: str, feed: str, ds: date, at: datetime) -> str:
    """The delivery's rows of the ledger, in their state after acceptance."""
    own, name, night = quote_text(batch), quote_text(feed), f"date '{ds}'"
    accepted = f"timestamp '{at.isoformat(sep=' ')}'"
    head = f"{accepted} as _accepted_at, *"
    parts = [f"select '{table}' as _table, {head} from ops.{table} where batch_id = {own}" for table in RECORDED]
    hashes = f"(select content_hash from ops.file where batch_id = {own})"
    parts += [
        f"select 'delivery' as _table, {head} replace ('accepted' as status, {accepted} as accepted_at) "
        f"from ops.delivery where batch_id = {own}",
        f"select 'delivery' as _table, {head} replace ('replaced' as status, null::timestamp as applied_at) "
        "from ops.delivery "
        f"where feed = {name} and ds = {night} and (status = 'replaced' or batch_id in "
        f"(select unnest(replaces) from ops.delivery where batch_id = {own}))",
        f"select 'contract' as _table, {head} from (from ops.contract where feed = {name} order by last_used_at desc "
        "limit 1)",
        f"select 'watermark' as _table, {head} from ops.watermark where feed = {name} and content_hash in {hashes}",
        f"select 'trend' as _table, {head} from ops.trend where feed = {name} and ds = {night}",
    ]
    return " union all by name ".join(parts)


def read_manifests(lake: Path) -> Iterator[Manifest]:
    """Every manifest below the lake's `ods`, ordered by path.

    Raises:
        ManifestError: one is not a manifest, or is of a later onedata.
    """
    for file in sorted((lake / "ods").glob(f"*/source=*/ds=*/{MANIFESTS}/*.json")):
        yield read_manifest(file)


def read_manifest(file: Path) -> Manifest:
    """Read one manifest.

    Raises:
        ManifestError: it is not a manifest, or is of a later onedata.
    """
    try:
        content = unseal(file.read_text(encoding="utf-8"))
        if content["format"] > FORMAT:
            raise ManifestError(
                f"{file} is of a later onedata ({content['onedata']}); this one reads format {FORMAT}. Update onedata."
            )
        return Manifest(
            content["batch_id"],
            content["feed"],
            content["entity"],
            date.fromisoformat(content["ds"]),
            content["rows"],
            datetime.fromisoformat(content["accepted_at"]),
            tuple(content["replaces"]),
            tuple(LakeFile(**item) for item in content["files"]),
            LakeFile(**content["record"]),
            file.parent,
        )
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ManifestError(
            f"{file} is damaged ({type(error).__name__}: {error}); restore it "
            "from a back-up (`onedata repair --from BACKUP`)."
        ) from error


def recorded_hash(file: Path) -> str | None:
    """The SHA-256 that its manifest has of a delivery's record; None of any other file, and without a manifest.

    Raises:
        ManifestError: the manifest is damaged.
    """
    manifest = file.with_suffix(".json")
    return read_manifest(manifest).record.sha256 if file.suffix == ".record" and manifest.exists() else None


def in_force(manifests: Sequence[Manifest]) -> list[Manifest]:
    """The manifests that no other one replaces, in order of acceptance."""
    replaced = {batch for manifest in manifests for batch in manifest.replaces}
    return sorted(
        (item for item in manifests if item.batch not in replaced), key=lambda item: (item.accepted_at, item.batch)
    )


def damage(manifest: Manifest, thorough: bool = False) -> list[str]:
    """Damage of the files that a manifest names, one sentence each; empty if all are as written.

    Args:
        thorough: Read every file and compare its SHA-256; otherwise only its size.
    """
    named = [*((manifest.partition, item) for item in manifest.files), (manifest.folder, manifest.record)]
    return [wrong for folder, item in named if (wrong := file_damage(folder / item.name, item, thorough))]


def file_damage(path: Path, item: LakeFile, thorough: bool = False) -> str | None:
    """Damage of one file as a sentence; None if it is as written. See `damage`."""
    if not path.exists():
        return f"{path} is gone"
    size = path.stat().st_size
    if size != item.bytes:
        return f"{path} has {size:,} bytes and had {item.bytes:,}"
    return f"{path} has other content than was written (SHA-256)" if thorough and digest(path) != item.sha256 else None
