"""Rows of an XML file for the other feeds of its contract, written while the first of them reads the file.

A till's log holds tickets, lines and tenders, which are three feeds. Parsing is a quarter of reading: so the file is
parsed once, and the feeds that land later take their rows from the private folder of a `Beside`. Whatever cannot be
kept there is read from the file again.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from lxml import etree

from onedata.contracts.model import Feed
from onedata.readers.base import SourceFile
from onedata.readers.xml_batches import FeedRows
from onedata.readers.xml_drift import kept_leaves
from onedata.readers.xml_paths import record_tags
from onedata.readers.xml_stream import Batch

PLACE = ("spool", "beside")
"""The folder, below the data home."""
LEAVES = b"leaves"
UNFINISHED = ".unfinished"
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


@dataclass(frozen=True)
class Beside:
    """The feeds that read the same records and land later, and the private folder for their rows."""

    folder: Path
    feeds: tuple[Feed, ...]

    def rows_of(self, feed: Feed, file: SourceFile) -> "KeptRows | None":
        """What was kept of the file for this feed."""
        path = self._path(feed, file)
        return KeptRows(path) if path.exists() else None

    def writers(self, file: SourceFile, leaves: Sequence[Sequence[str]]) -> "list[RowsWriter]":
        """One for each of `feeds`; `leaves` are those of the file, by feed."""
        return [RowsWriter(self._path(feed, file), feed, found) for feed, found in zip(self.feeds, leaves, strict=True)]

    def forget(self, feed: Feed) -> None:
        """Remove what was kept for this feed."""
        shutil.rmtree(self.folder / feed.name, ignore_errors=True)

    def _path(self, feed: Feed, file: SourceFile) -> Path:
        """Of the file's content and of all that the contract says of its records: nothing else decides the rows."""
        read = json.dumps([record_tags(feed), feed.where, feed.records, feed.source_fields, dict(feed.drift)])
        return self.folder / feed.name / f"{file.content_hash}-{hashlib.sha256(read.encode()).hexdigest()[:16]}.arrow"


class KeptRows:
    """A file's rows for one feed."""

    def __init__(self, path: Path) -> None:
        self._reader = pa.ipc.open_stream(pa.memory_map(str(path)))
        self.leaves: list[str] = json.loads(self._reader.schema.metadata[LEAVES])

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows, as `FeedRows` gives them."""
        for batch in self._reader:
            yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)


class RowsWriter:
    """Writes another feed's rows of a file. A file without rows, or with a problem, is left to that feed itself."""

    def __init__(self, path: Path, feed: Feed, leaves: Sequence[str]) -> None:
        self._rows = FeedRows(feed, kept_leaves(feed, leaves))
        self._path, self._part = path, path.with_name(path.name + UNFINISHED)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        schema = self._rows.schema.with_metadata({LEAVES: json.dumps(list(leaves))})
        self._writer: pa.RecordBatchWriter | None = pa.ipc.new_stream(str(self._part), schema, options=_OPTIONS)

    def write(self, batch: Batch) -> None:
        """Add the rows of the next batch."""
        if self._writer is None:
            return
        try:
            self._writer.write_batch(self._rows.take(batch))
        except etree.XSLTApplyError:
            self.drop()

    def keep(self) -> None:
        """End: the whole file was read well."""
        if self._writer is not None and self._rows.number:
            self._writer.close()
            self._part.replace(self._path)
        else:
            self.drop()

    def drop(self) -> None:
        """End without keeping anything."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._part.unlink(missing_ok=True)
