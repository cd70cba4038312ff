"""One night of OneID: take in the pending deliveries' identifiers, cluster, keep ids stable, log what changed. One transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from onedata.contracts.derive import identity_keys
from onedata.contracts.identifiers import IdentifierPolicy
from onedata.contracts.model import Entity
from onedata.identity.cluster import Graph, limited_components, shared_nodes
from onedata.identity.tables import create_tables
from onedata.sql import transaction

STAGE = "oneid"


@dataclass(frozen=True)
class Resolution:
    """Totals after the night, and what the night changed."""

    identifiers: int
    persons: int
    shared: int
    largest: int
    minted: int
    merged: int


def resolve(con: duckdb.DuckDBPyConnection, entities: Mapping[str, Entity], policy: IdentifierPolicy, night: date) -> Resolution:
    """Bring `oneid.oneid_map` up to the pending deliveries.

    Deliveries taken in are marked in ops.applied in the same transaction, so a night that is run again counts nothing twice. The
    same deliveries give the same ids in whatever order and grouping they arrive, as long as no limit takes a person apart.

    Args:
        con: The warehouse, with ODS views and ledger.
        entities: Canonical entities; those with strong identifiers are read.
        policy: Kinds, limits and blocked values.
        night: The logical night, written to events.
    """
    create_tables(con)
    before = _event_counts(con)
    with transaction(con):
        if _take_in(con, entities, policy):
            _rebuild(con, policy, night)
        con.execute(
            "insert into ops.applied select batch_id, ? from ops.pending_batch where batch_id not in (select batch_id from ops.applied where stage = ?)",
            [STAGE, STAGE],
        )
    return _totals(con, before)


def _take_in(con: duckdb.DuckDBPyConnection, entities: Mapping[str, Entity], policy: IdentifierPolicy) -> bool:
    """Add the new deliveries' identifiers and edges; False where there is nothing new."""
    pending = con.execute(
        "select batch_id, ds, entity from ops.pending_batch where batch_id not in (select batch_id from ops.applied where stage = ?)", [STAGE]
    ).fetchall()
    parts = []
    for entity in entities.values():
        keys = [sql for _, sql in identity_keys(entity, policy)]
        nights = sorted({row[1].isoformat() for row in pending if row[2] == entity.name})
        if keys and nights:
            batches = ", ".join(f"'{row[0]}'" for row in pending if row[2] == entity.name)
            days = ", ".join(f"date '{day}'" for day in nights)
            # `ds` prunes the lake's files, `_batch` is exact.
            parts.append(
                f"select list_filter([{', '.join(keys)}], lambda k: k is not null) as keys, ds from ods.ods_{entity.name} "
                f"where ds in ({days}) and _batch in ({batches})"
            )
    if not parts:
        return False
    rows = " union all ".join(parts)
    con.execute(
        f"create or replace temp table identity_row as select keys, min(ds) as first_ds, max(ds) as last_ds, count(*) as n from ({rows}) "
        "where len(keys) > 0 group by keys"
    )
    con.execute(
        "create or replace temp table identity_seen as select key, min(first_ds) as first_ds, max(last_ds) as last_ds "
        "from (select unnest(keys) as key, first_ds, last_ds from identity_row) group by key"
    )
    con.execute(
        "insert into oneid.identifier select (select coalesce(max(id_int), -1) from oneid.identifier) + row_number() over (order by first_ds, key), "
        "key, split_part(key, ':', 1), first_ds, last_ds, 'ok' from identity_seen where key not in (select identity_key from oneid.identifier)"
    )
    con.execute(
        "update oneid.identifier set first_seen = least(first_seen, s.first_ds), last_seen = greatest(last_seen, s.last_ds) "
        "from identity_seen s where s.key = identity_key and (s.first_ds < first_seen or s.last_ds > last_seen)"
    )
    con.execute(
        "insert into oneid.identity_edge select least(a.id_int, b.id_int), greatest(a.id_int, b.id_int), sum(n), min(first_ds), max(last_ds) from "
        "(select keys[1] as first_key, unnest(keys[2:]) as other_key, n, first_ds, last_ds from identity_row where len(keys) > 1) e "
        "join oneid.identifier a on a.identity_key = e.first_key and e.first_key <> e.other_key join oneid.identifier b on b.identity_key = e.other_key "
        "group by 1, 2 "
        "on conflict do update set n_obs = n_obs + excluded.n_obs, first_seen = least(first_seen, excluded.first_seen), "
        "last_seen = greatest(last_seen, excluded.last_seen)"
    )
    con.execute("drop table identity_row; drop table identity_seen")
    return True


def _rebuild(con: duckdb.DuckDBPyConnection, policy: IdentifierPolicy, night: date) -> None:
    """Cluster every identifier and give each cluster its OneID."""
    names = list(policy.types)
    cases = " ".join(f"when '{name}' then {index}" for index, name in enumerate(names))
    nodes = con.execute(f"select case type {cases} end as kind from oneid.identifier order by id_int").fetchnumpy()
    edges = con.execute("select a, b from oneid.identity_edge order by a, b").fetchnumpy()
    graph = Graph(nodes["kind"].astype(np.int64), edges["a"].astype(np.int64), edges["b"].astype(np.int64))
    shared = shared_nodes(graph, [policy.types[name].degree for name in names])
    usable = np.ones(graph.size, dtype=np.bool_)
    usable[[found.node for found in shared]] = False
    labels, dropped = limited_components(graph, usable, [policy.types[name].limit for name in names])
    audit = [(found.node, "degree", found.observed, found.allowed) for found in shared]
    limits = [policy.types[names[int(max(graph.kinds[graph.a[e]], graph.kinds[graph.b[e]]))]].limit for e in dropped]
    audit += [(int(graph.b[e]), "limit", limit + 1, limit) for e, limit in zip(dropped, limits, strict=True)]
    _write_audit(con, night, audit)
    con.register("identity_label", pa.table({"id_int": np.arange(graph.size), "label": labels, "usable": usable}))
    con.execute(
        "update oneid.identifier set status = case when l.usable then 'ok' else 'shared' end from identity_label l where l.id_int = identifier.id_int "
        "and status <> case when l.usable then 'ok' else 'shared' end"
    )
    _assign(con, night)
    con.unregister("identity_label")


def _write_audit(con: duckdb.DuckDBPyConnection, night: date, audit: list[tuple[int, str, int, int]]) -> None:
    """Log what was not linked, once for as long as it stays so."""
    if not audit:
        return
    columns = list(zip(*audit, strict=True))
    con.register("identity_audit", pa.table(dict(zip(("id_int", "rule", "observed", "allowed"), map(list, columns), strict=True))))
    con.execute(
        "insert into oneid.guard_audit select distinct ?, i.identity_key, a.rule, a.observed, a.allowed "
        "from identity_audit a join oneid.identifier i using (id_int) "
        "where not exists (select 1 from oneid.guard_audit g where g.identity_key = i.identity_key and g.rule = a.rule and g.observed = a.observed)",
        [night],
    )
    con.unregister("identity_audit")


def _assign(con: duckdb.DuckDBPyConnection, night: date) -> None:
    """Overlap survivor (shared/reference/identity.md).

    Each old OneID goes to the cluster that keeps most of its identifiers; a cluster keeps the oldest OneID it won; a cluster that
    won none gets a new one from its anchor, the identifier seen first.
    """
    con.execute(
        """
        create or replace temp table cluster_member as
        select l.label, i.id_int, i.identity_key, i.first_seen, m.oneid as old_oneid
        from identity_label l join oneid.identifier i using (id_int) left join oneid.oneid_map m using (id_int) where l.usable;
        create or replace temp table cluster_won as
        select label, arg_min(old_oneid, (anchor_first_seen, anchor_key)) as oneid from (
            select v.label, v.old_oneid, s.anchor_first_seen, s.anchor_key from (
                select label, old_oneid, row_number() over (partition by old_oneid order by count(*) desc, min(first_seen), min(identity_key)) as place
                from cluster_member where old_oneid is not null group by label, old_oneid
            ) v join oneid.issued s on s.oneid = v.old_oneid where v.place = 1
        ) group by label;
        create or replace temp table cluster_minted as
        select label, anchor.identity_key as anchor_key, anchor.first_seen as anchor_first_seen from (
            select label, arg_min({'identity_key': identity_key, 'first_seen': first_seen}, (first_seen, identity_key)) as anchor
            from cluster_member where label not in (select label from cluster_won) group by label
        );
        """
    )
    # A split can leave an anchor whose id lives on elsewhere: its new cluster's id is made from the night as well.
    first_try = _mint("anchor_key", "anchor_first_seen")
    second_try = _mint("anchor_key", "anchor_first_seen || '|' || ?::varchar")
    con.execute(
        f"""
        create or replace temp table cluster_oneid as
        select label, oneid, false as minted, null as anchor_key, null as anchor_first_seen from cluster_won
        union all
        select label, case when s.oneid is null then {first_try} else {second_try} end,
               true, c.anchor_key, c.anchor_first_seen
        from cluster_minted c left join (select oneid from oneid.issued) s on s.oneid = {first_try}
        """,
        [night],
    )
    con.execute("insert into oneid.issued select oneid, anchor_key, anchor_first_seen, ? from cluster_oneid where minted", [night])
    con.execute(
        """
        create or replace temp table cluster_change as
        select m.old_oneid, c.oneid, c.minted, count(*) as identifiers from cluster_member m join cluster_oneid c using (label) group by all
        """
    )
    con.execute(
        """
        insert into oneid.oneid_event
        select $night, 'mint', null, oneid, sum(identifiers) from cluster_change where minted and old_oneid is null group by oneid
        union all
        select $night, case when old_oneid in (select oneid from cluster_oneid) then 'split' else 'merge' end, old_oneid, oneid, identifiers
        from cluster_change where old_oneid <> oneid
        """,
        {"night": night},
    )
    con.execute(
        """
        insert into oneid.oneid_event select ?, 'retire', oneid, null, count(*) from oneid.oneid_map
        where oneid not in (select oneid from cluster_oneid) and oneid not in (select old_oneid from cluster_change where old_oneid is not null) group by oneid
        """,
        [night],
    )
    con.execute("create or replace temp table oneid_new as select m.identity_key, m.id_int, c.oneid from cluster_member m join cluster_oneid c using (label)")
    con.execute("delete from oneid.oneid_map where not exists (select 1 from oneid_new n where n.id_int = oneid_map.id_int and n.oneid = oneid_map.oneid)")
    con.execute("insert into oneid.oneid_map select * from oneid_new where id_int not in (select id_int from oneid.oneid_map)")
    for name in ("cluster_member", "cluster_won", "cluster_minted", "cluster_oneid", "cluster_change", "oneid_new"):
        con.execute(f"drop table {name}")


def _mint(anchor: str, seen: str) -> str:
    return f"'P' || upper(left(md5({anchor} || '|' || {seen}), 20))"


def _event_counts(con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """Mints and merges so far."""
    row = con.execute("select count(*) filter (where type = 'mint'), count(*) filter (where type = 'merge') from oneid.oneid_event").fetchone()
    assert row is not None
    return row[0], row[1]


def _totals(con: duckdb.DuckDBPyConnection, before: tuple[int, int]) -> Resolution:
    row = con.execute(
        """
        select (select count(*) from oneid.identifier), (select count(distinct oneid) from oneid.oneid_map),
               (select count(*) from oneid.identifier where status = 'shared'),
               (select coalesce(max(n), 0) from (select count(*) as n from oneid.oneid_map group by oneid))
        """
    ).fetchone()
    assert row is not None
    minted, merged = _event_counts(con)
    identifiers, persons, shared, largest = row
    return Resolution(identifiers, persons, shared, largest, minted - before[0], merged - before[1])
