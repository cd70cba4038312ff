"""The region that a run must decide: the identifiers connected with what it touched, and their evidence as arrays."""

from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.identity.cluster import Bools, Floats, Ints
from onedata.identity.decide import Decided, evidence_components
from onedata.identity.evidence import Evidence
from onedata.identity.given_names import read_names


@dataclass(frozen=True)
class Region:
    """The evidence of the nodes, their identifiers in ascending order, and which of them must be decided (the others
    are hubs at the edge of the region)."""

    evidence: Evidence
    ids: Ints
    inside: Bools


def mark_region(con: duckdb.DuckDBPyConnection, everything: bool, wider: bool = False) -> int:
    """The temp table `region(id_int)`: the identifiers in `touched`, except known hubs, and everything connected with
    them by evidence.

    Args:
        wider: Keep the current region: identifiers that were found shared or blocked in it are no longer connected with
            anything, but must still be removed.

    Returns:
        Number of identifiers to decide.
    """
    if everything:
        con.execute("create or replace temp table region as select id_int from oneid.identifier")
    else:
        con.execute(
            """
            create or replace temp table region_wider as
            with fresh as (
                select t.id_int, c.component from (select distinct id_int from touched) t
                join oneid.identifier i using (id_int) left join oneid.component c using (id_int)
                where c.component is not null or i.status = 'ok'
            )
            select id_int from oneid.component where component in (select component from fresh)
            union all
            select id_int from fresh where component is null
            """
        )
        if wider:
            con.execute("insert into region_wider from region anti join region_wider using (id_int)")
        con.execute("create or replace temp table region as from region_wider; drop table region_wider")
    row = con.execute("select count(*) from region").fetchone()
    assert row is not None
    return int(row[0])


def load_region(con: duckdb.DuckDBPyConnection, policy: IdentifierPolicy, everything: bool, has_vault: bool) -> Region:
    """The evidence of `region`: its nodes, every pair with one of them, names (from the attached vault), scores and
    operators' decisions."""
    near = "" if everything else "where a in (from region) or b in (from region)"
    con.execute(
        "create or replace temp table region_edge as select a, b, sum(n_obs)::bigint as n "
        f"from oneid.identity_edge {near} group by a, b"
    )
    cases = " ".join(f"when '{name}' then {index}" for index, name in enumerate(policy.types))
    nodes = con.execute(
        f"""
        select i.id_int::bigint as id_int, (case i.type {cases} end)::bigint as kind, r.id_int is not null as inside,
               exists (select 1 from oneid.decision d where d.kind = 'block' and d.reverted_at is null
                   and d.key_a = i.identity_key) as blocked
        from oneid.identifier i left join region r using (id_int)
        where r.id_int is not null or i.id_int in (select a from region_edge union all select b from region_edge)
        order by i.id_int
        """
    ).fetchnumpy()
    edges = con.execute("select a::bigint as a, b::bigint as b, n from region_edge").fetchnumpy()
    ids, inside = nodes["id_int"], np.asarray(nodes["inside"], dtype=np.bool_)
    names, compare = read_names(con, ids, has_vault)
    evidence = Evidence(
        kinds=np.asarray(nodes["kind"], dtype=np.int64),
        unusable=np.asarray(nodes["blocked"], dtype=np.bool_) | ~inside,
        a=_places(ids, edges["a"]),
        b=_places(ids, edges["b"]),
        n=np.asarray(edges["n"], dtype=np.int64),
        names=names,
        compare=compare,
        scored=_scored(con, ids),
        merged=_decided(con, ids, "merge"),
        parted=_decided(con, ids, "split"),
    )
    con.execute("drop table region_edge")
    return Region(evidence, ids, inside)


def save_components(con: duckdb.DuckDBPyConnection, region: Region, decided: Decided) -> None:
    """Write the components of the region's identifiers; a component is numbered by its smallest identifier. Hubs have
    none."""
    labels = evidence_components(region.evidence, decided.hub)
    smallest = np.full(int(labels.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(smallest, labels, region.ids)
    linking = region.inside & ~region.evidence.unusable & ~decided.hub
    con.execute("delete from oneid.component where id_int in (from region)")
    con.register("region_component", pa.table({"id_int": region.ids[linking], "component": smallest[labels[linking]]}))
    con.execute("insert into oneid.component select id_int, component from region_component")
    con.unregister("region_component")


def _places(ids: Ints, wanted: Ints) -> Ints:
    """Position of each wanted identifier in `ids`."""
    if len(ids) and ids[-1] == len(ids) - 1:
        return np.asarray(wanted, dtype=np.int64)  # the whole dictionary: the number is the position
    return np.asarray(np.searchsorted(ids, wanted), dtype=np.int64)


def _scored(con: duckdb.DuckDBPyConnection, ids: Ints) -> tuple[Ints, Ints, Floats]:
    rows = con.execute(
        "select profile_a::bigint as a, profile_b::bigint as b, weight from oneid.prob_edge "
        "where band = 'link' and profile_a in (from region) and profile_b in (from region) order by a, b"
    ).fetchnumpy()
    return _places(ids, rows["a"]), _places(ids, rows["b"]), np.asarray(rows["weight"], dtype=np.float64)


def _decided(con: duckdb.DuckDBPyConnection, ids: Ints, kind: str) -> tuple[Ints, Ints]:
    rows = con.execute(
        "select a.id_int::bigint as a, b.id_int::bigint as b from oneid.decision d join oneid.identifier a "
        "on a.identity_key = d.key_a join oneid.identifier b on b.identity_key = d.key_b where d.kind = ? "
        "and d.reverted_at is null and a.id_int in (from region) and b.id_int in (from region) order by d.decision_id",
        [kind],
    ).fetchnumpy()
    return _places(ids, rows["a"]), _places(ids, rows["b"])
