"""The same three survey answers in every format, so that one test covers all formats."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from small_retailer import HEADER, contract

FORMATS = ("csv", "jsonl", "parquet", "xml")
Record = dict[str, str | None]
NAMES = tuple(HEADER.split(","))
GOOD: tuple[Record, ...] = (
    {"id": "A1", "order": "O1", "score": "5", "note": "fine", "answered": "2026-01-05T10:00:00Z"},
    {"id": "A2", "order": "O2", "score": "1", "note": "poor", "answered": "2026-01-05T11:00:00Z"},
    {"id": "A3", "order": "O3", "score": "3", "note": None, "answered": "2026-01-05T12:00:00Z"},
)


def survey_contract(kind: str, **more: Any) -> dict[str, Any]:
    """The survey's contract in a format; its files are `survey/{ds}.<kind>`."""
    options = {"recordTag": "Answer"} if kind == "xml" else {}
    return contract(kind=kind, options=options, **{"path": f"survey/{{ds}}.{kind}", **more})


def encode(kind: str, records: Sequence[Record], names: Sequence[str] = NAMES) -> bytes:
    """The records as a file; `names` are the columns and their order."""
    if kind == "csv":
        lines = [",".join(record.get(name) or "" for name in names) for record in records]
        return ("\n".join([",".join(names), *lines]) + "\n").encode()
    if kind == "jsonl":
        return "".join(json.dumps({name: record.get(name) for name in names}) + "\n" for record in records).encode()
    if kind == "parquet":
        stream = io.BytesIO()
        pq.write_table(
            pa.table({name: pa.array([record.get(name) for record in records], pa.string()) for name in names}), stream
        )
        return stream.getvalue()
    cells = ["".join(f"<{name}>{record[name]}</{name}>" for name in names if record.get(name)) for record in records]
    return ("<Answers>\n" + "".join(f"<Answer>{cell}</Answer>\n" for cell in cells) + "</Answers>\n").encode()
