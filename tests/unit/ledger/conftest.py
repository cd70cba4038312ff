"""An empty ledger."""

from collections.abc import Iterator

import duckdb
import pytest

from onedata.ledger import create_ledger


@pytest.fixture
def ledger() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        create_ledger(con)
        yield con
