"""Even if SQL passes a contract's boundary, the warehouse's connections open only the retailer's own folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
from small_retailer import settings_in

from onedata.readers.pieces import PROTOCOL, PieceFiles
from onedata.settings import Settings
from onedata.warehouse import open_warehouse


@pytest.fixture
def retailer(tmp_path: Path) -> Settings:
    """A home and a source beside folders that are none of the retailer's business, one of them with a name that begins
    like the source's."""
    settings = settings_in(tmp_path)
    settings.source.mkdir()
    (settings.source / "orders.csv").write_text("id\n1\n")
    for name in ("other", "source-of-another"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "secret.csv").write_text("id\nsecret\n")
    return settings


@pytest.fixture
def con(retailer: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_warehouse(retailer) as opened:
        yield opened


def test_the_retailers_own_files_are_read_and_written(con: duckdb.DuckDBPyConnection, retailer: Settings) -> None:
    assert con.execute(f"from '{retailer.source}/orders.csv'").fetchall() == [(1,)]
    con.execute(
        f"copy (select 1 as a) to '{retailer.home}/a.parquet'; attach '{retailer.home}/other.duckdb' as other; detach "
        "other"
    )
    assert con.execute(f"select a from '{retailer.home}/a.parquet'").fetchall() == [(1,)]
    con.execute("set threads = 1; set memory_limit = '1GB'; set variable a = 1")


@pytest.mark.parametrize("kind", ["the connection", "a cursor of it", "another connection to the file"])
@pytest.mark.parametrize(
    "sql",
    [
        "from '{other}/secret.csv'",
        "from read_text('{other}/secret.csv')",
        "from read_blob('/etc/hostname')",
        "from glob('{other}/*')",
        "from '{source}/../other/secret.csv'",
        "from '{source}-of-another/secret.csv'",
        "copy (select 1) to '{other}/out.csv'",
        "attach '{other}/out.duckdb' as out",
        "export database '{other}/out'",
        "from 'https://example.com/orders.csv'",
        "install httpfs",
        "load '{other}/any.duckdb_extension'",
        "set log_query_path = '{other}/out.log'",
        "set enable_external_access = true",
        "set allowed_directories = ['/']",
        "set allow_community_extensions = true",
        "set allow_unredacted_secrets = true",
        "from a_variable_of_python",
    ],
)
def test_nothing_else_is_reached(con: duckdb.DuckDBPyConnection, retailer: Settings, sql: str, kind: str) -> None:
    a_variable_of_python = pl.DataFrame({"name": ["secret"]})
    assert a_variable_of_python.height == 1
    other = retailer.home.parent / "other"
    ways = {
        "the connection": lambda: con,
        "a cursor of it": con.cursor,
        "another connection to the file": lambda: duckdb.connect(str(retailer.warehouse)),
    }
    own = ways[kind]()
    with pytest.raises((duckdb.PermissionException, duckdb.InvalidInputException, duckdb.CatalogException)):
        own.execute(sql.format(other=other, source=retailer.source)).fetchall()
    assert sorted(path.name for path in other.iterdir()) == ["secret.csv"]


def test_what_is_raised_with_the_warehouse_open_repeats_no_value(retailer: Settings) -> None:
    with pytest.raises(duckdb.ConversionException) as caught, open_warehouse(retailer) as con:
        con.execute("select 'Ann Miller'::integer").fetchall()
    assert "Ann Miller" not in str(caught.value).split("LINE")[0]
    assert "Aaa Aaaaaa" in str(caught.value)


def test_pieces_of_a_large_file_are_read_by_several_connections(
    con: duckdb.DuckDBPyConnection, retailer: Settings
) -> None:
    """The landing's own file system is one of the places; its pieces are refused again once it is taken away."""
    file = retailer.source / "orders.csv"
    con.register_filesystem(PieceFiles())
    piece = f"from read_csv('{PROTOCOL}://3-5{file}', header = false)"
    assert con.cursor().execute(piece).fetchall() == [(1,)]
    con.unregister_filesystem(PROTOCOL)
    with pytest.raises(duckdb.PermissionException):
        con.execute(piece)
