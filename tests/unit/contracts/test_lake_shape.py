"""The empty file that gives an entity's view its columns: it contains no data, and any fault of it is repaired by
writing it again."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from small_retailer import canonical

from onedata.contracts.derive import ensure_lake, schema_file

ENTITY = "inventory_snapshot"


@pytest.fixture
def shape(tmp_path: Path) -> Path:
    with duckdb.connect() as con:
        return again(con, tmp_path)


def again(con: duckdb.DuckDBPyConnection, lake: Path) -> Path:
    entity = canonical()[ENTITY]
    ensure_lake(con, lake, {ENTITY: entity})
    return schema_file(lake, entity)


def test_no_flipped_bit_of_it_stops_a_run(shape: Path, tmp_path: Path) -> None:
    """Arrow still reads some of them, and DuckDB does not."""
    whole = shape.read_bytes()
    with duckdb.connect() as con, duckdb.connect() as run:
        told = con.execute(f"describe from '{shape}'").fetchall()
        for place in range(0, len(whole), 7):
            spoilt = bytearray(whole)
            spoilt[place] ^= 1 << place % 8
            shape.write_bytes(spoilt)
            assert again(run, tmp_path) == shape
            assert con.execute(f"describe from '{shape}'").fetchall() == told, place
            assert con.execute(f"select count(*) from '{shape}'").fetchall() == [(0,)], place


def test_a_file_that_may_not_be_read_is_not_taken_for_damaged(shape: Path, tmp_path: Path) -> None:
    shape.unlink()
    shape.mkdir()
    with pytest.raises(OSError, match="directory"), duckdb.connect() as con:
        again(con, tmp_path)
