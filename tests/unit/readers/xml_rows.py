"""Shared by the tests of the XML reader: a feed of a few paths, and the reader's rows of a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from small_retailer import NIGHT, canonical, contract, write_contracts

from onedata.contracts import Feed, load_feeds
from onedata.readers import SourceFile
from onedata.readers.xml import raw_records, read_xml
from onedata.sql import quote_name

Row = tuple[Any, ...]
NAMES = ("response_id", "order_id", "comment", "title", "channel")


@dataclass(frozen=True)
class XmlFeed:
    """A feed and a folder for its documents."""

    feed: Feed
    folder: Path

    def file(self, document: str | bytes, number: int = 1) -> SourceFile:
        path = self.folder / f"{number}.xml"
        path.write_bytes(document.encode() if isinstance(document, str) else document)
        return SourceFile(number, path, path.name, NIGHT, path.stat().st_size, 0, "")

    def read(self, *documents: str | bytes) -> tuple[list[Row], list[str]]:
        """Rows as (file number, row number, values in the order of the paths), as they come, and the files'
        problems."""
        fields = ", ".join(quote_name(name) for name in self.feed.source_fields)
        with duckdb.connect() as con:
            reading = read_xml(
                con, self.feed, [self.file(document, number) for number, document in enumerate(documents, 1)]
            )
            rows = [
                row
                for part in reading.parts
                for row in con.execute(f"select {part.file.number}, _row, {fields} from ({part.query})").fetchall()
            ]
        return rows, [problem.message for problem in reading.problems]

    def values(self, document: str | bytes) -> list[Row]:
        """The values alone, of a document without problems, whose rows are numbered from 1."""
        rows, problems = self.read(document)
        assert problems == []
        assert [row[:2] for row in rows] == [(1, number) for number in range(1, len(rows) + 1)]
        return [row[2:] for row in rows]

    def problem(self, document: str | bytes) -> str:
        """What is wrong with a document."""
        _, problems = self.read(document)
        assert len(problems) == 1
        return problems[0]

    def raw(self, document: str | bytes, *rows: int) -> list[tuple[int, str]]:
        return list(raw_records(self.feed, self.file(document), rows))


def xml_feed(folder: Path, paths: Sequence[str], tag: str = "Answer", **more: Any) -> XmlFeed:
    """A feed that reads the paths, up to as many as NAMES."""
    properties: list[dict[str, Any]] = [
        {"name": name, "physicalName": path} for name, path in zip(NAMES, paths, strict=False)
    ]
    if len(paths) == 1:
        properties.append({"name": "order_id", "transformLogic": "'O1'"})
    written = contract(path="survey/{ds}.xml", kind="xml", options={"recordTag": tag}, properties=properties, **more)
    (feed,) = load_feeds(write_contracts(folder / "contracts", written), canonical())
    return XmlFeed(feed, folder)
