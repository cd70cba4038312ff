"""Readers: one module per format; they turn files into a DuckDB query.

A reader never judges values: it returns every source field as text. A record that cannot be parsed into fields becomes
a reject with its raw text; a file that cannot be read at all becomes a problem. Does not belong here: types, rules, the
lake.
"""

from collections.abc import Callable, Mapping, Sequence

import duckdb

from onedata.contracts.model import Feed
from onedata.readers.base import Drift, FileProblem, Reading, SourceFile
from onedata.readers.csv import read_csv
from onedata.readers.jsonl import read_jsonl
from onedata.readers.parquet import read_parquet
from onedata.readers.xml import read_xml

Reader = Callable[[duckdb.DuckDBPyConnection, Feed, Sequence[SourceFile]], Reading]

# JSON documents and workbooks reach their readers as JSON lines and Parquet (see `prepare`).
READERS: Mapping[str, Reader] = {
    "csv": read_csv,
    "json": read_jsonl,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "xlsx": read_parquet,
    "xml": read_xml,
}

__all__ = ["READERS", "Drift", "FileProblem", "Reader", "Reading", "SourceFile"]
