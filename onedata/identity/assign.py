"""Stable ids: every person of the decided region keeps, gets or loses a OneID, and changes are logged.

Method: overlap survivorship (docs/reference/identity.md). Each old OneID goes to the person that keeps most of its
weight; a person keeps the oldest OneID it won; a person that won none gets a new one from its anchor, the identifier
seen first.
"""

from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.identity.cluster import Ints
from onedata.identity.decide import BLOCKED, OK, RULES, SHARED, Decided
from onedata.identity.region import Region


def save_status(con: duckdb.DuckDBPyConnection, region: Region, decided: Decided) -> None:
    """Write which identifiers of the region are shared or blocked."""
    status = np.where(decided.shared, 1, 0)
    status[region.evidence.unusable] = 2  # those at the rim are left out with `inside`
    table = {"id_int": region.ids[region.inside], "status": _words(status[region.inside], (OK, SHARED, BLOCKED))}
    con.register("region_status", pa.table(table))
    con.execute(
        "update oneid.identifier i set status = s.status from region_status s where s.id_int = i.id_int "
        "and i.status <> s.status"
    )
    con.unregister("region_status")


def _words(numbers: Ints, words: tuple[str, ...]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int8)), pa.array(words)).cast(pa.string())


def save_decided(
    con: duckdb.DuckDBPyConnection, policy: IdentifierPolicy, region: Region, decided: Decided, night: date, run_id: int
) -> None:
    """Write the region's persons and audit, and log what happened to OneIDs."""
    weights = np.array([kind.weight for kind in policy.types.values()])
    inside = region.inside
    label = pa.table(
        {
            "id_int": region.ids[inside],
            "label": decided.person[inside],
            "rule": _words(decided.rule[inside], RULES),
            "weight": weights[region.evidence.kinds[inside]],
        }
    )
    con.register("region_label", label)
    _audit(con, region, decided, night)
    _members(con)
    _winners(con, night)
    con.execute(
        "insert into oneid.issued select oneid, anchor_key, anchor_first_seen, ? from region_oneid where minted",
        [night],
    )
    _log(con, night, run_id)
    _write_map(con, night, run_id)
    con.unregister("region_label")
    for name in ("region_member", "region_won", "region_minted", "region_oneid", "region_change", "region_new"):
        con.execute(f"drop table {name}")


def _audit(con: duckdb.DuckDBPyConnection, region: Region, decided: Decided, night: date) -> None:
    """Log links that were not made, once for as long as that does not change."""
    found = decided.guarded
    if not found.rules:
        return
    nodes = np.concatenate(found.nodes)
    table = {
        "id_int": region.ids[nodes],
        "rule": found.rules,
        "observed": np.concatenate(found.observed),
        "allowed": np.concatenate(found.allowed),
    }
    con.register("region_audit", pa.table(table))
    con.execute(
        "insert into oneid.guard_audit select ?, i.identity_key, a.rule, max(a.observed), max(a.allowed) "
        "from region_audit a join oneid.identifier i using (id_int) "
        "anti join oneid.guard_audit g on g.identity_key = i.identity_key and g.rule = a.rule "
        "and g.observed = a.observed group by i.identity_key, a.rule",
        [night],
    )
    con.unregister("region_audit")


def _members(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create or replace temp table region_member as select l.label, l.id_int, l.rule, l.weight, i.identity_key, "
        "i.type, i.first_seen, i.last_seen, m.oneid as old_oneid from region_label l "
        "join oneid.identifier i using (id_int) left join (select id_int, oneid from oneid.oneid_map "
        "where valid_to is null) m using (id_int)"
    )


def _winners(con: duckdb.DuckDBPyConnection, night: date) -> None:
    """`region_oneid`: the OneID of each person of the region."""
    con.execute(
        """
        create or replace temp table region_won as
        select label, arg_min(old_oneid, (-weight, anchor_first_seen, anchor_key)) as oneid from (
            select v.label, v.old_oneid, v.weight, s.anchor_first_seen, s.anchor_key from (
                select label, old_oneid, sum(weight) as weight,
                       row_number() over (partition by old_oneid order by sum(weight) desc, min(first_seen),
                           min(identity_key)) as place
                from region_member where old_oneid is not null and label >= 0 group by label, old_oneid
            ) v join oneid.issued s on s.oneid = v.old_oneid where v.place = 1
        ) group by label;
        create or replace temp table region_minted as
        select label, anchor.identity_key as anchor_key, anchor.first_seen as anchor_first_seen from (
            select label, arg_min({'identity_key': identity_key, 'first_seen': first_seen}, (first_seen, identity_key))
                as anchor
            from region_member m anti join region_won w using (label) where label >= 0 group by label
        );
        """
    )
    # The anchor's id is used elsewhere, after a split or a retirement: the new id also depends on the night.
    first_try = _mint("anchor_key", "anchor_first_seen")
    second_try = _mint(
        "anchor_key", "anchor_first_seen || '|' || ?::varchar || '|' || (select count(*) from oneid.issued)"
    )
    con.execute(
        f"""
        create or replace temp table region_oneid as
        select label, oneid, false as minted, null as anchor_key, null as anchor_first_seen from region_won
        union all
        select label, case when s.oneid is null then {first_try} else {second_try} end, true, c.anchor_key,
            c.anchor_first_seen
        from region_minted c left join (select oneid from oneid.issued) s on s.oneid = {first_try}
        """,
        [night],
    )


def _mint(anchor: str, seen: str) -> str:
    return f"'P' || upper(left(md5({anchor} || '|' || {seen}), 20))"


def _log(con: duckdb.DuckDBPyConnection, night: date, run_id: int) -> None:
    con.execute(
        """
        create or replace temp table region_change as
        select m.old_oneid, c.oneid, c.minted, count(*) as identifiers,
               arg_min(m.rule || ' ' || m.identity_key, (-m.weight, m.first_seen, m.identity_key)) as evidence
        from region_member m join region_oneid c using (label) group by m.old_oneid, c.oneid, c.minted
        """
    )
    con.execute(
        """
        insert into oneid.oneid_event
        select $run, $night, 'mint', null, oneid, sum(identifiers), min(evidence) from region_change where minted
            and old_oneid is null group by oneid
        union all
        select $run, $night, case when old_oneid in (select oneid from region_oneid) then 'split' else 'merge' end,
            old_oneid, oneid, identifiers, evidence
        from region_change where old_oneid <> oneid
        union all
        select $run, $night, 'retire', old_oneid, null, count(*), min(identity_key) from region_member
        where old_oneid is not null and old_oneid not in (select oneid from region_oneid)
          and old_oneid not in (select old_oneid from region_change where old_oneid is not null) group by old_oneid
        """,
        {"night": night, "run": run_id},
    )


def _write_map(con: duckdb.DuckDBPyConnection, night: date, run_id: int) -> None:
    """End the versions that no longer hold and begin the new ones; a version that would begin and end on one night is
    omitted."""
    con.execute(
        "create or replace temp table region_new as select m.identity_key, m.id_int, c.oneid, m.rule, m.old_oneid "
        "from region_member m join region_oneid c using (label)"
    )
    con.execute(
        "create or replace temp table region_old_oneid as select distinct old_oneid as oneid from region_member "
        "where old_oneid is not null"
    )
    con.execute(
        """
        create or replace temp table region_ended as
        select m.id_int from region_member m left join region_new n using (id_int) where m.old_oneid is not null
            and n.oneid is distinct from m.old_oneid
        """
    )
    con.execute(
        "delete from oneid.oneid_map where valid_to is null and valid_from >= ? and id_int in (from region_ended)",
        [night],
    )
    con.execute(
        "update oneid.oneid_map set valid_to = ? where valid_to is null and id_int in (from region_ended)", [night]
    )
    con.execute(
        "update oneid.oneid_map m set rule = n.rule from region_new n where m.id_int = n.id_int and m.valid_to is null "
        "and m.rule <> n.rule"
    )
    con.execute(
        "insert into oneid.oneid_map select identity_key, id_int, oneid, rule, ?, null, ? from region_new "
        "where old_oneid is distinct from oneid",
        [night, run_id],
    )
    con.execute("delete from oneid.person where oneid in (from region_old_oneid)")
    con.execute(
        "insert into oneid.person select c.oneid, count(*), min(m.first_seen), max(m.last_seen) "
        "from region_member m join region_oneid c using (label) group by c.oneid"
    )
    con.execute("drop table region_old_oneid; drop table region_ended")
