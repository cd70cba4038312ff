"""Details of one person or identifier, for display. Read-only."""

from dataclasses import dataclass
from datetime import date

import duckdb

from onedata.identity import words
from onedata.identity.locate import Located


@dataclass(frozen=True)
class Held:
    """One identifier of a person: since when and why (`rule` of oneid.oneid_map), and when it was first and last
    seen."""

    key: str
    since: date
    rule: str
    first_seen: date
    last_seen: date


@dataclass(frozen=True)
class Shown:
    """A person; or, with `oneid` None, the reason why an identifier belongs to no person.

    `once` are OneIDs that were merged into this one, `events` the history of all of them, `versions` the earlier owners
    of the identifier.
    """

    oneid: str | None
    identifiers: tuple[Held, ...]
    once: tuple[str, ...]
    events: tuple[str, ...]
    versions: tuple[str, ...]
    notes: tuple[str, ...]


def show(con: duckdb.DuckDBPyConnection, of: Located) -> Shown:
    """The person of an identifier, or of the OneID that it represents."""
    once = tuple(
        old
        for (old,) in con.execute(
            "select old_oneid from oneid.oneid_current where oneid = ? order by old_oneid", [of.oneid]
        ).fetchall()
    )
    held = con.execute(
        "select m.identity_key, m.valid_from, m.rule, i.first_seen, i.last_seen from oneid.oneid_map m "
        "join oneid.identifier i using (id_int) where m.valid_to is null and m.oneid = ? order by m.valid_from, "
        "i.first_seen, m.identity_key",
        [of.oneid],
    ).fetchall()
    identifiers = tuple(Held(*row) for row in held)
    keys = [item.key for item in identifiers] or [of.key]
    versions = () if of.asked else _versions(con, of)
    return Shown(
        of.oneid,
        identifiers,
        once,
        _events(con, [of.oneid, *once]) if of.oneid else (),
        versions,
        (*_notes(con, of), *words.waiting(con, keys)),
    )


def _events(con: duckdb.DuckDBPyConnection, oneids: list[str]) -> tuple[str, ...]:
    rows = con.execute(
        "select night, type, from_oneid, to_oneid, identifiers, evidence from oneid.oneid_event "
        "where list_contains($ids, from_oneid) or list_contains($ids, to_oneid) order by run_id, type, from_oneid, "
        "to_oneid",
        {"ids": oneids},
    ).fetchall()
    return tuple(words.event(*row) for row in rows)


def _versions(con: duckdb.DuckDBPyConnection, of: Located) -> tuple[str, ...]:
    rows = con.execute(
        "select oneid, valid_from, valid_to from oneid.oneid_map where id_int = ? order by valid_from", [of.id_int]
    ).fetchall()
    return tuple(f"{oneid} from {first}" + (f" to {last}" if last else "") for oneid, first, last in rows)


def _notes(con: duckdb.DuckDBPyConnection, of: Located) -> list[str]:
    """Why the identifier belongs to no person, or which links it does not make."""
    if of.asked:
        return []
    stood = con.execute(
        "select count(distinct id_int) from (select unnest([a, b]) as id_int from oneid.identity_edge where a = $id "
        "or b = $id) where id_int <> $id",
        {"id": of.id_int},
    ).fetchone()
    assert stood is not None
    notes = [f"it was seen with {stood[0]:,} other identifiers", *words.blocked(con, of.key)]
    if of.status == "shared":
        notes += ["it is shared: it belongs to no person and unites nobody"]
    rules = [rule for rule in words.GUARDS if of.status != "ok" or rule not in ("degree", "attach")]
    return notes + words.guards(con, of.key, rules)
