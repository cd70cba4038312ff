"""Households: persons who live together, a level above the person.

Two of three must agree: an address, a family name, an identifier that few persons share. A household is named after its
oldest OneID, so its name depends only on its members: it is the same for any order of nights, and after a rebuild.
"""

from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.identity.cluster import Ints, limited_components
from onedata.identity.components import components
from onedata.landing.vault import token_sql
from onedata.normalise.identifiers import family_sql, name_sql

MOST_AT_ADDRESS = 8
"""Persons at one address; above, it is an office, a dormitory or a house of many flats."""
MOST_SHARING = 6
"""Persons who share an identifier as a household may; above, it is a shop's or a company's."""
MOST_MEMBERS = 10
RULES = ("address and name", "address and identifier", "identifier and name", "alone")
ALONE = len(RULES) - 1
CAP = f"case trait when 'address' then {MOST_AT_ADDRESS} else {MOST_SHARING} end"
OF_TODAY = "(from oneid.household_map where valid_to is null)"
TABLES = ("changed", "fresh", "key", "person", "holders", "pair", "label", "new")


def update_households(
    con: duckdb.DuckDBPyConnection, policy: IdentifierPolicy, night: date, run_id: int, has_vault: bool
) -> None:
    """Update `oneid.household_map` for the persons of the temp table `region`, and for those who share something with
    them.

    Args:
        con: The warehouse inside a run's transaction; the vault attached if `has_vault`, without which no family name
            is known.
        policy: Kinds, strongest first: if an identifier was on a row with that of another person, the weaker one is the
            shared one.
        night: The night from which the result holds.
        run_id: The run.
    """
    _mark_changed(con)
    _fresh_traits(con, policy, has_vault)
    _replace_traits(con)
    _mark_persons(con)
    _save_labels(con, night)
    _write_map(con, night, run_id)
    for name in TABLES:
        con.execute(f"drop table household_{name}")


def _mark_changed(con: duckdb.DuckDBPyConnection) -> None:
    """`household_changed`: persons of the region, and persons who no longer exist."""
    con.execute(
        f"""
        create or replace temp table household_changed as
        select distinct oneid from oneid.oneid_map semi join region using (id_int) where valid_to is null
        union
        select oneid from {OF_TODAY} anti join oneid.person using (oneid)
        """
    )


def _fresh_traits(con: duckdb.DuckDBPyConnection, policy: IdentifierPolicy, has_vault: bool) -> None:
    """`household_fresh`: the current traits of the changed persons."""
    con.execute("create or replace temp table household_fresh (oneid varchar, trait varchar, value varchar)")
    cases = " ".join(f"when '{name}' then {index}" for index, name in enumerate(policy.types))
    machines = (
        ", ".join(str(index) for index, kind in enumerate(policy.types.values()) if kind.links == "never") or "-1"
    )
    con.execute(
        f"""
        create or replace temp table household_end as
        select i.id_int, i.identity_key, case i.type {cases} end as kind, p.oneid from oneid.identifier i
        left join (select id_int, oneid from oneid.oneid_map where valid_to is null) p using (id_int)
        where i.status <> 'blocked';
        -- Step by step: of rows written in the same transaction DuckDB knows no numbers, and plans joins of everybody
        -- with everybody else.
        create or replace temp table household_said as
        select e.oneid, p.attribute, p.value, sum(p.n_obs) as n
        from (from oneid.identifier_profile where attribute in ('address', 'postcode', 'city', 'full_name',
            'family_name')) p
        join (select id_int, oneid from household_end semi join household_changed using (oneid)) e using (id_int)
            group by all;
        create or replace temp table household_side as
        with pair as (
            select a, b, max(last_seen) > min(first_seen) as came_back from oneid.identity_edge
            where a in (from region) or b in (from region) group by a, b
        )
        select a as id_int, b as other, came_back from pair union all select b, a, came_back from pair;
        create or replace temp table household_met as
        select side.*, x.identity_key, x.kind, x.oneid as owner from household_side side
            join household_end x using (id_int);
        -- An identifier on a row with that of another person: both use the weaker of the two. A device counts only if
        -- it was used on more than one night, as at home, but seldom at a kiosk or a friend's.
        insert into household_fresh
        with met as materialized (
            select m.*, y.kind as other_kind,
            y.oneid as user from household_met m join household_end y on y.id_int = m.other
        ), lent as (
            select identity_key, owner, user from met where user is not null and owner is distinct from user
            and (owner is null or (kind, id_int) > (other_kind, other)) and (came_back or kind not in ({machines}))
        )
        select distinct oneid, 'identifier', identity_key from (select user as oneid,
        identity_key from lent union all select owner, identity_key from lent)
        semi join household_changed using (oneid);
        insert into household_fresh
        with place as (
            select oneid, coalesce(arg_max(value, (n, value)) filter (attribute = 'postcode'), arg_max(value, (n,
            value)) filter (attribute = 'city')) as place
            from household_said where attribute in ('postcode', 'city') group by oneid
        )
        select oneid, 'address', value || coalesce('|' || lower(replace(place, ' ', '')), '')
        from household_said left join place using (oneid) where attribute = 'address';
        """
    )
    if has_vault:
        con.execute(
            f"""
            create or replace temp table household_name as
            select token, min(value) as value from vault.token
            where kind in ('full_name', 'family_name') and token in (select value from household_said) group by token;
            create or replace temp table household_family as select token, {family_sql(name_sql("value"))} as family
                from household_name;
            insert into household_fresh
            select oneid, 'family', {token_sql("'family|' || arg_max(family, (n, family))")} from (
                select s.oneid, f.family, sum(s.n) as n from household_said s join household_family f
                    on f.token = s.value
                where s.attribute in ('full_name', 'family_name') and f.family is not null group by all
            ) group by oneid;
            drop table household_name; drop table household_family;
            """
        )
    con.execute("drop table household_said; drop table household_side; drop table household_met")
    con.execute("drop table household_end")


def _replace_traits(con: duckdb.DuckDBPyConnection) -> None:
    """Store the traits, and the addresses and identifiers that the changed persons have or had, in `household_key`."""
    con.execute(
        f"""
        create or replace temp table household_key as
        with turn as (
            select trait, value, count(*) filter (was) as was, count(*) filter (not was) as now from (
                select trait, value, true as was from oneid.household_trait semi join household_changed using (oneid)
                union all select trait, value, false from household_fresh
            ) where trait <> 'family' group by all
        )
        select trait, value, was, now, {CAP} as cap from turn;
        delete from oneid.household_trait where oneid in (from household_changed);
        insert into oneid.household_trait select oneid, trait, value from household_fresh;
        """
    )


def _mark_persons(con: duckdb.DuckDBPyConnection) -> None:
    """`household_person`: persons whose household must be recomputed, including whoever shares something with one.

    An address or identifier that too many persons share before and after is ignored.
    """
    con.execute(
        f"""
        create or replace temp table household_person as
        with held as (
            select trait, value from household_key join oneid.household_trait using (trait, value)
            group by all having least(count(*), count(*) - any_value(now) + any_value(was)) <= any_value(cap)
        ), near as (
            select oneid from oneid.household_trait semi join held using (trait, value) union from household_changed
        ), whole as (
            select oneid from {OF_TODAY} where household_id in (select household_id from {OF_TODAY}
                semi join near using (oneid)) union from near
        )
        select (row_number() over (order by s.anchor_first_seen, s.anchor_key) - 1)::bigint as place, oneid
        from whole join oneid.issued s using (oneid) semi join oneid.person using (oneid)
        """
    )


def _save_labels(con: duckdb.DuckDBPyConnection, night: date) -> None:
    """`household_label`: for each person the position of the household's oldest person and the reason; links that a
    limit forbade go to the audit."""
    con.execute(
        f"""
        create or replace temp table household_holders as
        select trait, value, count(*) as holders, {CAP} as cap from oneid.household_trait t
        semi join (select trait, value from oneid.household_trait semi join household_person using (oneid)
            where trait <> 'family') using (trait, value)
        group by all having count(*) > 1;
        create or replace temp table household_pair as
        with holder as (
            select t.trait, t.value, p.place, f.value as family from oneid.household_trait t
            join household_holders h on h.trait = t.trait and h.value = t.value and h.holders <= h.cap
                join household_person p using (oneid)
            left join oneid.household_trait f on f.oneid = t.oneid and f.trait = 'family'
        ), pair as (
            select a.place as a, b.place as b, bool_or(a.trait = 'address') as address, bool_or(a.trait = 'identifier')
                as identifier,
                   any_value(coalesce(a.family = b.family, false)) as family
            from holder a join holder b on b.trait = a.trait and b.value = a.value and b.place > a.place
                group by a.place, b.place
        )
        select a, b, case when address and family then 0 when address and identifier then 1 else 2 end::bigint as rule
        from pair where address::int + identifier::int + family::int >= 2 order by a, b;
        """
    )
    pairs = con.execute("select a, b, rule from household_pair").fetchnumpy()
    row = con.execute("select count(*) from household_person").fetchone()
    assert row is not None
    size = int(row[0])
    a, b, rule = (np.asarray(pairs[name], dtype=np.int64) for name in ("a", "b", "rule"))
    labels, dropped = limited_components(size, a, b, rule, np.ones((size, 1), dtype=np.int8), [MOST_MEMBERS])
    held = np.ones(len(a), dtype=np.bool_)
    held[dropped] = False
    why = np.full(size, ALONE, dtype=np.int64)
    for end in (a, b):
        np.minimum.at(why, end[held], rule[held])
    table = {
        "place": np.arange(size),
        "oldest": _smallest(labels),
        "rule": pa.DictionaryArray.from_arrays(pa.array(why), pa.array(RULES)).cast(pa.string()),
    }
    con.register("household_labels", pa.table(table))
    con.execute("create or replace temp table household_label as from household_labels")
    con.unregister("household_labels")
    _audit(con, night, components(size, a, b))


def _smallest(labels: Ints) -> Ints:
    """For each node the first node of its label."""
    first = np.full(int(labels.max(initial=-1)) + 1, len(labels), dtype=np.int64)
    np.minimum.at(first, labels, np.arange(len(labels)))
    return np.asarray(first[labels], dtype=np.int64)


def _audit(con: duckdb.DuckDBPyConnection, night: date, unlimited: Ints) -> None:
    """Audit, once each, what too many persons of one name share, and households that would have been too large."""
    counts = np.bincount(unlimited, minlength=1)
    large = np.flatnonzero(counts > MOST_MEMBERS)
    oldest = np.asarray([int(np.argmax(unlimited == label)) for label in large], dtype=np.int64)
    con.register("household_large", pa.table({"place": oldest, "size": counts[large]}))
    con.execute(
        f"""
        insert into oneid.guard_audit
        with found as (
            select if(h.trait = 'address', 'address:', '') || h.value as identity_key, 'household_' || h.trait as rule,
                h.holders as observed, h.cap as allowed
            from household_holders h join household_key using (trait, value) where h.holders > h.cap and exists (
                select 1 from oneid.household_trait t join oneid.household_trait f on f.oneid = t.oneid
                    and f.trait = 'family'
                where t.trait = h.trait and t.value = h.value group by f.value having count(*) > 1
            )
            union all
            select 'person:' || p.oneid, 'household_size', l.size, {MOST_MEMBERS} from household_large l
                join household_person p using (place)
        )
        select ?, identity_key, rule, observed, allowed from found anti join oneid.guard_audit using (identity_key,
            rule)
        """,
        [night],
    )
    con.unregister("household_large")


def _write_map(con: duckdb.DuckDBPyConnection, night: date, run_id: int) -> None:
    """End the versions that no longer hold and begin the new ones; a version that would begin and end on one night is
    omitted."""
    con.execute(
        """
        create or replace temp table household_new as
        select p.oneid, 'H' || substr(o.oneid, 2) as household_id, l.rule from household_label l
        join household_person p using (place) join household_person o on o.place = l.oldest
        """
    )
    con.execute(
        f"""
        create or replace temp table household_ended as
        select h.oneid from {OF_TODAY} h semi join (from household_changed union select oneid
            from household_person) using (oneid)
        left join household_new n using (oneid) where n.household_id is distinct from h.household_id
        """
    )
    con.execute(
        "delete from oneid.household_map where valid_to is null and valid_from >= ? "
        "and oneid in (from household_ended)",
        [night],
    )
    con.execute(
        "update oneid.household_map set valid_to = ? where valid_to is null and oneid in (from household_ended)",
        [night],
    )
    con.execute("drop table household_ended")
    con.execute(
        "update oneid.household_map h set rule = n.rule from household_new n where n.oneid = h.oneid "
        "and h.valid_to is null and h.rule <> n.rule"
    )
    con.execute(
        "insert into oneid.household_map select n.oneid, n.household_id, n.rule, ?, null, ? from household_new n "
        f"anti join {OF_TODAY} h on h.oneid = n.oneid",
        [night, run_id],
    )


def household_totals(con: duckdb.DuckDBPyConnection) -> tuple[int, int, list[tuple[int, int]]]:
    """Current persons and households, and households by number of persons."""
    rows = con.execute(
        f"select n, count(*) from (select count(*) as n from {OF_TODAY} group by household_id) group by n order by n"
    ).fetchall()
    return sum(size * count for size, count in rows), sum(count for _, count in rows), rows
