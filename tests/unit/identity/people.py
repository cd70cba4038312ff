"""A warehouse whose ODS contains the people of a test: orders with identifiers, and profiles that also have names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
from small_retailer import canonical, identifier_policy

from onedata.contracts.derive import lake_columns
from onedata.contracts.identifiers import IdentifierPolicy, IdentifierType
from onedata.identity import Resolution, resolve
from onedata.identity.tables import create_tables
from onedata.landing.vault import open_vault
from onedata.landing.vault_files import create_vault
from onedata.ledger import create_ledger

DAY = date(2026, 1, 1)
ENTITIES = {name: canonical()[name] for name in ("sales_order", "customer")}
COLUMNS = ("customer_id", "loyalty_id", "social_union_id", "email", "phone")
Row = Sequence[str | None]


class People:
    """What OneID needs of a warehouse; `vault` is the folder of a vault, without which nobody's name is known."""

    def __init__(
        self, file: Path | str = ":memory:", policy: IdentifierPolicy | None = None, vault: Path | None = None
    ) -> None:
        self.con = duckdb.connect(str(file))
        self.policy = policy or identifier_policy()
        self.vault = vault
        if vault:
            create_vault(vault)
        create_ledger(self.con)
        create_tables(self.con)
        self.con.execute("create schema if not exists ods")
        for entity in ENTITIES.values():
            columns = ", ".join(f"{name} {kind}" for name, kind in lake_columns(entity).items())
            self.con.execute(f"create table if not exists ods.ods_{entity.name} ({columns}, ds date)")

    def deliver(
        self, day: int, *rows: Row, batch: str | None = None, feed: str = "orders", system: str = "shop"
    ) -> None:
        """A delivery of orders that waits to be taken in: (account, loyalty, social, e-mail token, phone token), as far
        as a row has them."""
        named = [dict(zip(COLUMNS, row, strict=False)) for row in rows]
        self._deliver("sales_order", day, named, batch or f"{feed}-{day}", feed, system)

    def profiles(
        self,
        day: int,
        *rows: Mapping[str, Any],
        batch: str | None = None,
        feed: str = "customers",
        system: str = "shop",
    ) -> None:
        """A delivery of customers by column; the token of a full_name is the name in brackets, and the vault knows the
        name."""
        if self.vault:
            names = [(f"<{row['full_name']}>", "full_name", row["full_name"]) for row in rows if "full_name" in row]
            with open_vault(self.con, self.vault):
                self.con.executemany("insert into vault.token values (?, ?, ?)", names)
        tokens = [{**row, "full_name": f"<{row['full_name']}>"} if "full_name" in row else row for row in rows]
        self._deliver("customer", day, tokens, batch or f"{feed}-{day}", feed, system)

    def _deliver(
        self, entity: str, day: int, rows: Sequence[Mapping[str, Any]], batch: str, feed: str, system: str
    ) -> None:
        night = DAY + timedelta(days=day)
        self.con.execute(
            "insert into ops.delivery (batch_id, feed, entity, ds, status, rows, landed_at, applied_at, replaces) "
            "values (?, ?, ?, ?, 'accepted', ?, now()::timestamp, null, [])",
            [batch, feed, entity, night, len(rows)],
        )
        for row in rows:
            values = {**row, "source_system": system, "_feed": feed, "_batch": batch, "ds": night}
            self.con.execute(
                f"insert into ods.ods_{entity} ({', '.join(values)}) values ({', '.join('?' * len(values))})",
                list(values.values()),
            )

    def resolve(self, day: int, full: bool = False) -> Resolution:
        return resolve(self.con, ENTITIES, self.policy, DAY + timedelta(days=day), self.vault, full)

    def map(self) -> dict[str, str]:
        """Identifier to OneID, as of today."""
        return dict(
            self.con.execute("select identity_key, oneid from oneid.oneid_map where valid_to is null").fetchall()
        )

    def persons(self) -> set[frozenset[str]]:
        groups: dict[str, set[str]] = {}
        for key, oneid in self.map().items():
            groups.setdefault(oneid, set()).add(key)
        return {frozenset(group) for group in groups.values()}

    def events(self, kind: str) -> list[tuple[Any, ...]]:
        return self.con.execute(
            "select night, from_oneid, to_oneid, identifiers from oneid.oneid_event where type = ? order by all", [kind]
        ).fetchall()

    def all(self, table: str) -> list[tuple[Any, ...]]:
        return self.con.execute(f"from oneid.{table} order by all").fetchall()


def policy_with(name: str, **changed: Any) -> IdentifierPolicy:
    """The shipped policy with one kind changed."""
    types: dict[str, IdentifierType] = dict(identifier_policy().types)
    types[name] = replace(types[name], **changed)
    return replace(identifier_policy(), types=types)
