"""A retailer's own columns may have any name that is no word of SQL: a word that onedata's own SQL uses, too, changes
nothing of what lands."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
from small_retailer import NIGHT, SmallRetailer, contract, identifier_policy, settings_in, write_contracts
from support import REPOSITORY

from onedata.contracts import Column, Entity, load_feeds
from onedata.contracts.entities import OF_THE_LAKE, _reserved_words
from onedata.ledger import create_ledger
from onedata.quality.gx import Gatekeeper
from onedata.retailer import Retailer, prepare_warehouse
from onedata.warehouse import open_warehouse

# Key, every other column, a number. A row twice, a bad row; a change; a change back and a row of the night before.
NIGHTS = (
    (("a", "x", "1"), ("b", "x", "1"), ("b", "x", "1"), ("c", "y", "zz")),
    (("a", "y", "1"), ("b", "x", "1"), ("d", "q", "2")),
    (("a", "x", "1"), ("d", "q", "2"), ("d", "z", "2")),
)
COUNTS = [(4, 2, 1, 1), (3, 2, 0, 1), (3, 2, 0, 1)]
LANDED = [("a", "x", 1), ("b", "x", 1), ("a", "y", 1), ("d", "q", 2), ("a", "x", 1), ("d", "z", 2)]


def words_of_the_sql() -> list[str]:
    """Names that the SQL of landing, ledger and gates gives to columns and tables, and columns of the ledger."""
    found: set[str] = set()
    for package in ("landing", "ledger", "quality", "readers", "contracts"):
        for file in (REPOSITORY / "onedata" / package).glob("*.py"):
            found |= set(re.findall(r"\b(?:as|from|join|lambda) \(?([a-z][a-z0-9_]*)\b", file.read_text("utf-8")))
    with duckdb.connect() as con:
        create_ledger(con)
        columns = con.execute("select column_name from duckdb_columns() where schema_name = 'ops'").fetchall()
    return sorted((found | {name for (name,) in columns}) - _reserved_words() - set(OF_THE_LAKE) - {"kk", "vv"})


def test_names_of_our_own_sql_change_nothing(tmp_path: Path) -> None:
    names = words_of_the_sql()
    assert {"h", "n", "said", "before", "batch_id", "status"} <= set(names)
    columns = [Column("kk", "text", "Key.", "public", required=True)]
    columns += [Column(name, "text", "Any.", "public") for name in names]
    columns += [Column("vv", "integer", "Number.", "public")]
    entity = Entity("thing", "Things", "a thing", "me", ("kk",), None, tuple(columns), own=True)
    properties = [{"name": column.name, "physicalName": f"f{at}"} for at, column in enumerate(columns)]
    things: dict[str, Any] = contract(
        "things", entity="thing", path="t/{ds}.csv", properties=properties, quarantineTolerance=1
    )
    settings = settings_in(tmp_path)
    with open_warehouse(settings) as con:
        entities = {entity.name: entity}
        feeds = load_feeds(write_contracts(settings.contracts, things), entities)
        retailer = Retailer(settings, entities, identifier_policy(), feeds)
        prepare_warehouse(con, retailer)
        world = SmallRetailer(retailer, con, Gatekeeper(con))
        header = ",".join(f"f{at}" for at in range(len(columns)))
        counts = []
        for later, rows in enumerate(NIGHTS):
            night = NIGHT + timedelta(days=later)
            lines = [",".join([key, *[text] * len(names), value]) for key, text, value in rows]
            world.put(f"t/{night}.csv", "\n".join([header, *lines]) + "\n")
            counts.append(world.take(night).counts)
        assert counts == COUNTS
        of_names = ", ".join(names)
        found = world.rows(f"kk, list_distinct([{of_names}]), vv, len([{of_names}])")
        assert found == [(key, [text], value, len(names)) for key, text, value in LANDED]
        assert world.quarantine("row, rule") == [(4, "vv_type")]
