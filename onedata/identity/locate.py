"""Resolve user input, an identifier or a OneID, to an identifier that OneID knows."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.contracts.model import Entity
from onedata.errors import OnedataError
from onedata.landing.vault import open_vault, token_sql
from onedata.landing.vault_files import VaultBusy
from onedata.normalise.identifiers import normalised_sql

ONEID = re.compile("P[0-9A-F]{20}")


class LocateError(OnedataError):
    """The input matches nothing; the text says what is accepted."""


@dataclass(frozen=True)
class Located:
    """One identifier: its number, key and status (ok, shared or blocked), and its current OneID (None: no person).

    `asked` is the OneID that was typed, if any; the identifier then represents it.
    """

    id_int: int
    key: str
    status: str
    oneid: str | None
    asked: str | None = None


@dataclass(frozen=True)
class Directory:
    """Resources of the look-up: the warehouse, the kinds, which of them are stored as tokens, and the vault.

    `regions` are the possible countries of phones without a country code. Without a `vault`, only tokens can be looked
    up, not raw values.
    """

    con: duckdb.DuckDBPyConnection
    policy: IdentifierPolicy
    core: Sequence[str]
    vault: Path | None = None
    regions: Sequence[str] = ("CN",)

    def identifier(self, typed: str) -> Located:
        """The identifier of a key (`loyalty:M1`, `account:shop:C1`, `email:<token>`) or of a raw value (`ann@shop.cn`,
        `phone:138 0013 8000`).

        Raises:
            LocateError: no row ever carried it.
        """
        keys = [typed, *self._tokens(typed)]
        row = self.con.execute(
            f"{_IDENTIFIER} where list_contains(?, i.identity_key) order by list_position(?, i.identity_key) limit 1",
            [keys, keys],
        ).fetchone()
        if row is None:
            raise LocateError(f"no identifier {typed}{self._near(typed)}; {self._how()}")
        return Located(*row)

    def find(self, typed: str, strong: bool = False) -> Located:
        """The same, or the identifier that represents a OneID: the one it was made from if the person still has it,
        else the strongest.

        Args:
            strong: Use a strong identifier if the person has one.

        Raises:
            LocateError: there is no such identifier or OneID.
        """
        asked = typed.strip()
        if not ONEID.fullmatch(asked):
            return self.identifier(asked)
        issued = self.con.execute("select anchor_key from oneid.issued where oneid = ?", [asked]).fetchone()
        if issued is None:
            raise LocateError(f"no OneID {asked} was ever issued; {self._how()}")
        oneid = current_oneid(self.con, asked)
        kinds = list(self.policy.types)
        row = self.con.execute(
            f"{_IDENTIFIER} where m.oneid = $oneid order by $strong and list_contains($strongs, i.type) desc, "
            "i.identity_key = $anchor desc, list_position($kinds, i.type), i.first_seen, i.identity_key limit 1",
            {
                "oneid": oneid,
                "strong": strong,
                "strongs": list(self.policy.strong),
                "anchor": issued[0],
                "kinds": kinds,
            },
        ).fetchone()
        if row is None:
            raise LocateError(
                f"OneID {asked} belongs to no person today: the identifier it was made from belongs "
                f"to no single person. See onedata identity show {issued[0]}"
            )
        return replace(Located(*row), asked=asked)

    def _tokens(self, typed: str) -> list[str]:
        """Keys of the text as a value of each kind that is stored as a token."""
        kind, _, value = typed.partition(":")
        values = (
            {kind: value} if kind in self.core else {} if kind in self.policy.types else dict.fromkeys(self.core, typed)
        )
        if self.vault is None or not values:
            return []
        # A connection of its own: the warehouse may be open for reading only, and the vault's key must not stay with
        # it.
        try:
            with duckdb.connect() as own, open_vault(own, self.vault):
                found = [
                    _token(own, kind, self.policy.types[kind].normalise, text, region)
                    for kind, text in values.items()
                    for region in self.regions
                ]
        except VaultBusy as error:
            raise LocateError(str(error)) from None
        return [key for key in found if key]

    def _near(self, typed: str) -> str:
        """Suggestions for an id that was typed without its source system."""
        kind, _, value = typed.partition(":")
        rows = self.con.execute(
            "select identity_key from oneid.identifier where type = ? and ends_with(identity_key, ':' || ?) "
            "order by first_seen, identity_key limit 3",
            [kind, value or typed],
        ).fetchall()
        return f"; did you mean {' or '.join(key for (key,) in rows)}?" if rows else ""

    def _how(self) -> str:
        kinds, core = ", ".join(self.policy.types), " and ".join(self.core)
        return (
            f"an identifier is written type:value or account:system:value, its type one of {kinds}; {core} as "
            "anybody would type them"
        )


def _token(con: duckdb.DuckDBPyConnection, kind: str, normaliser: str, text: str, region: str) -> str | None:
    """The key of a raw value; None if the value is invalid for the kind."""
    row = con.execute(
        f"select $kind || ':' || {token_sql(normalised_sql(normaliser, '$text::varchar', region))}",
        {"kind": kind, "text": text},
    ).fetchone()
    assert row is not None
    key: str | None = row[0]
    return key


def core_kinds(entities: Mapping[str, Entity]) -> tuple[str, ...]:
    """Kinds of identifier that are stored as tokens."""
    columns = [
        column for entity in entities.values() for column in entity.identifiers if column.classification == "core"
    ]
    return tuple(sorted({column.identifier.type for column in columns if column.identifier}))


def current_oneid(con: duckdb.DuckDBPyConnection, oneid: str) -> str:
    """The current OneID of a OneID; itself if it was not merged away."""
    row = con.execute("select oneid from oneid.oneid_current where old_oneid = ?", [oneid]).fetchone()
    return str(row[0]) if row else oneid


_IDENTIFIER = (
    "select i.id_int, i.identity_key, i.status, m.oneid from oneid.identifier i "
    "left join (select id_int, oneid from oneid.oneid_map where valid_to is null) m using (id_int)"
)
