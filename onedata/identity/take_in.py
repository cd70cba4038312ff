"""Turn deliveries into evidence: identifiers, the pairs of them seen on one row, and the profile attributes of rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from onedata.contracts.derive import identity_keys
from onedata.contracts.identifiers import IdentifierPolicy
from onedata.contracts.model import Entity
from onedata.ledger.applied import forget_applied, move_applied, note_applied

STAGE = "oneid"
RESTORED = "oneid_restored"
"""Stage that marks deliveries which a restored state of OneID had processed: their evidence must be read again."""


@dataclass(frozen=True)
class Pending:
    """One accepted delivery that OneID has not processed."""

    batch: str
    ds: date
    entity: str


def pending(con: duckdb.DuckDBPyConnection, everything: bool = False) -> list[Pending]:
    """Deliveries to process: those that no run has processed yet, or all in the lake."""
    source = (
        "ops.delivery where status in ('accepted', 'applied')"
        if everything
        else "ops.pending_batch where batch_id not in (select batch_id from taken)"
    )
    rows = con.execute(
        f"with taken as (select batch_id from ops.applied where stage = ?) select batch_id, ds, entity from {source} "
        "order by batch_id",
        [STAGE],
    ).fetchall()
    return [Pending(*row) for row in rows]


def forget_evidence(con: duckdb.DuckDBPyConnection, scores: bool) -> None:
    """Delete the evidence, and the scores if requested, but not the dictionary and the ids: all rows will be read
    again."""
    tables = ("identity_edge", "identifier_profile", *(("profile", "profile_member", "prob_edge") if scores else ()))
    con.execute("; ".join(f"delete from oneid.{table}" for table in tables))
    forget_applied(con, STAGE)


def take_in(
    con: duckdb.DuckDBPyConnection,
    entities: Mapping[str, Entity],
    policy: IdentifierPolicy,
    deliveries: Sequence[Pending],
) -> None:
    """Add the deliveries' evidence, and list the numbers of the identifiers it touches in the temp table
    `touched(id_int)`."""
    _take_in(con, entities, policy, deliveries)
    note_applied(con, STAGE)


def take_in_restored(con: duckdb.DuckDBPyConnection, entities: Mapping[str, Entity], policy: IdentifierPolicy) -> bool:
    """Read again the evidence of deliveries that a restored state had processed; it touches nothing, since the state
    was decided on it.

    Returns:
        Whether a state was restored since the last run.
    """
    rows = con.execute(
        "select d.batch_id, d.ds, d.entity from ops.delivery d join ops.applied a using (batch_id) "
        "where a.stage = ? and d.status in ('accepted', 'applied') order by 1",
        [RESTORED],
    ).fetchall()
    if rows:
        _take_in(con, entities, policy, [Pending(*row) for row in rows])
    move_applied(con, RESTORED, STAGE)
    return bool(rows)


def _take_in(
    con: duckdb.DuckDBPyConnection,
    entities: Mapping[str, Entity],
    policy: IdentifierPolicy,
    deliveries: Sequence[Pending],
) -> None:
    con.execute("create or replace temp table touched (id_int integer)")
    _gather(con, entities, policy, deliveries)
    con.execute(
        "create or replace temp table delta_seen as select key, min(first_ds) as first_ds, max(last_ds) as last_ds "
        "from (select unnest(keys) as key, first_ds, last_ds from delta_row) group by key"
    )
    con.execute(
        "insert into oneid.identifier select (select coalesce(max(id_int), -1) from oneid.identifier) + row_number() "
        "over (order by first_ds, key), "
        "key, split_part(key, ':', 1), first_ds, last_ds, 'ok' from delta_seen anti join oneid.identifier i "
        "on i.identity_key = key"
    )
    con.execute(
        "create or replace temp table delta_id as select i.id_int, s.* from delta_seen s join oneid.identifier i "
        "on i.identity_key = s.key"
    )
    con.execute(
        "update oneid.identifier set first_seen = least(first_seen, s.first_ds), last_seen = greatest(last_seen, "
        "s.last_ds) from delta_id s where s.id_int = identifier.id_int and (s.first_ds < first_seen "
        "or s.last_ds > last_seen)"
    )
    con.execute("insert into touched select id_int from delta_id")
    _add_edges(con)
    _add_profile(con)
    for name in ("delta_row", "delta_profile", "delta_seen", "delta_id"):
        con.execute(f"drop table {name}")


def _gather(
    con: duckdb.DuckDBPyConnection,
    entities: Mapping[str, Entity],
    policy: IdentifierPolicy,
    deliveries: Sequence[Pending],
) -> None:
    """`delta_row`: one row for each distinct list of identifiers (strongest first) and feed; `delta_profile`: profile
    attributes of the strongest."""
    rows, said = [], []
    for entity in entities.values():
        keys = identity_keys(entity, policy)
        wanted = [delivery for delivery in deliveries if delivery.entity == entity.name]
        if not keys or not wanted:
            continue
        days = ", ".join(f"date '{day}'" for day in sorted({delivery.ds.isoformat() for delivery in wanted}))
        batches = ", ".join(f"'{delivery.batch}'" for delivery in wanted)
        # `ds` prunes the lake's files, `_batch` is exact.
        source = f"from ods.ods_{entity.name} where ds in ({days}) and _batch in ({batches})"
        strong = [sql for column, sql in keys if column.identifier and column.identifier.type in policy.strong]
        rows.append(
            f"select {_present([sql for _, sql in keys])} as keys, len({_present(strong)}) as strong, _feed as feed, "
            f"ds {source}"
            if strong
            else f"select {_present([sql for _, sql in keys])} as keys, 0 as strong, _feed as feed, ds {source}"
        )
        attributes = [(column.profile, column.name) for column in entity.columns if column.profile]
        if attributes:
            structs = ", ".join(
                f"{{'attribute': '{attribute}', 'value': {name}::varchar}}" for attribute, name in attributes
            )
            said.append(
                f"select {_present([sql for _, sql in keys])}[1] as key, unnest([{structs}], recursive := true), ds "
                f"{source}"
            )
    nothing = "select null::varchar[] as keys, 0::bigint as strong, null::varchar as feed, null::date as ds where false"
    con.execute(
        "create or replace temp table delta_row as select keys, max(strong) as strong, feed, min(ds) as first_ds, "
        "max(ds) as last_ds, count(*) as n "
        f"from ({' union all '.join(rows) or nothing}) where len(keys) > 0 group by keys, feed"
    )
    nothing = (
        "select null::varchar as key, null::varchar as attribute, null::varchar as value, null::date as ds where false"
    )
    con.execute(
        "create or replace temp table delta_profile as select key, attribute, value, count(*) as n, max(ds) as last_ds "
        f"from ({' union all '.join(said) or nothing}) where key is not null and value is not null group by all"
    )


def _present(keys: Sequence[str]) -> str:
    return f"list_filter([{', '.join(keys)}], lambda k: k is not null)"


def _add_edges(con: duckdb.DuckDBPyConnection) -> None:
    """Pairs of a row: strong identifiers with each other and with weak ones; weak ones with each other only if the row
    has no strong one."""
    row = con.execute("select max(greatest(strong, 1)) from delta_row").fetchone()
    most = (row[0] if row else None) or 0
    pairs = " union all ".join(
        f"select keys[{place}] as one, unnest(keys[{place + 1}:]) as other, feed, n, first_ds, last_ds from delta_row "
        f"where len(keys) > {place} and greatest(strong, 1) >= {place}"
        for place in range(1, most + 1)
    )
    if not pairs:
        return
    con.execute(
        "create or replace temp table delta_edge as select least(a.id_int, b.id_int) as a, greatest(a.id_int, "
        "b.id_int) as b, feed as source, sum(n)::bigint as n_obs, min(e.first_ds) as first_seen, "
        f"max(e.last_ds) as last_seen from (from ({pairs}) where one <> other) e "
        "join delta_id a on a.key = e.one join delta_id b on b.key = e.other group by all"
    )
    _count_on(
        con, "identity_edge", "delta_edge", ("a", "b", "source"), "first_seen = least(t.first_seen, d.first_seen), "
    )
    con.execute("drop table delta_edge")


def _add_profile(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create or replace temp table delta_said as select i.id_int, p.attribute, p.value, p.n as n_obs, "
        "p.last_ds as last_seen from delta_profile p join delta_id i using (key)"
    )
    _count_on(con, "identifier_profile", "delta_said", ("id_int", "attribute", "value"))
    con.execute("drop table delta_said")


def _count_on(con: duckdb.DuckDBPyConnection, table: str, delta: str, key: Sequence[str], more: str = "") -> None:
    """Add the delta's observations to those of the table. It has no index: a hash join over a night's delta is cheaper
    than keeping one."""
    same = " and ".join(f"t.{name} = d.{name}" for name in key)
    con.execute(
        f"create or replace temp table delta_new as select d.* from {delta} d anti join oneid.{table} t on {same}"
    )
    con.execute(
        f"update oneid.{table} t set n_obs = t.n_obs + d.n_obs, {more}last_seen = greatest(t.last_seen, d.last_seen) "
        f"from {delta} d where {same}"
    )
    con.execute(f"insert into oneid.{table} by name select * from delta_new; drop table delta_new")
