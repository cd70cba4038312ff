"""One writer: a second process waits, then refuses with the holder's process id."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from small_retailer import settings_in

from onedata.warehouse import WarehouseBusy, WarehouseDamaged, open_warehouse

HOLD = """
import sys, duckdb
con = duckdb.connect(sys.argv[1])
con.execute("create table if not exists t as select 1 as a")
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes the warehouse until its stdin ends."""
    warehouse = settings_in(tmp_path).warehouse
    warehouse.parent.mkdir(parents=True)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_a_held_warehouse_is_refused_with_the_holder_and_the_way_out(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    said: list[str] = []
    with pytest.raises(WarehouseBusy) as caught, open_warehouse(settings_in(tmp_path), said.append):
        pass
    assert f"is being written by process {holder.pid}; waited 0 s" in str(caught.value)
    assert "then run again: nothing is lost" in str(caught.value)
    assert said == [f"the warehouse is being written by process {holder.pid}; waiting up to 0 s"]


def test_a_warehouse_that_is_let_go_is_opened(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    def let_go(_: str) -> None:
        assert holder.stdin is not None
        holder.stdin.write("\n")
        holder.stdin.close()
        holder.wait()

    with open_warehouse(replace(settings_in(tmp_path), lock_wait_seconds=30.0), let_go) as con:
        assert con.execute("from t").fetchall() == [(1,)]


def test_the_warehouse_is_unlocked_at_the_end_also_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="stop"), open_warehouse(settings_in(tmp_path)) as con:
        con.execute("create table t as select 1 as a")
        raise RuntimeError("stop")
    code = "import sys, duckdb; print(duckdb.connect(sys.argv[1]).execute('from t').fetchall())"
    done = subprocess.run(
        [sys.executable, "-c", code, str(settings_in(tmp_path).warehouse)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "[(1,)]\n"


def test_time_is_utc_and_the_limits_are_the_settings(tmp_path: Path) -> None:
    with open_warehouse(replace(settings_in(tmp_path), threads=1, memory_limit="512MB")) as con:
        row = con.execute(
            "select current_setting('TimeZone'), current_setting('threads'), current_setting('memory_limit')"
        ).fetchone()
    assert row == ("UTC", 1, "488.2 MiB")


def test_a_file_that_is_no_database_is_not_called_busy(tmp_path: Path) -> None:
    warehouse = settings_in(tmp_path).warehouse
    warehouse.parent.mkdir(parents=True)
    warehouse.write_bytes(b"not a database" * 1000)
    with pytest.raises(WarehouseDamaged, match="is no DuckDB database"), open_warehouse(settings_in(tmp_path)):
        pass
