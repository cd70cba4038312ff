"""Golden profiles: the attributes of each core, for scoring. Raw values are read temporarily from the vault; only
fingerprints and weights are stored.

A profile is one core of strong identifiers, numbered by the smallest of them. Survivorship: of several values the most
frequent one counts, then the latest; all e-mails and phones are kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from onedata.identity.decide import Decided
from onedata.identity.region import Region
from onedata.normalise.identifiers import family_sql, given_sql, name_sql

SINGLE = ("given_name", "family_name", "full_name", "address", "postcode", "city", "birth_date", "birth_year", "gender")
TYPED: Mapping[str, str] = {"birth_date": "date", "birth_year": "integer"}
LABELLED_AT_MOST = 200_000
"""Profiles of single accounts that a model learns from."""


@dataclass(frozen=True)
class Changed:
    """Number of changed profiles, and of scored pairs that are no longer valid."""

    profiles: int
    pairs: int


def save_members(con: duckdb.DuckDBPyConnection, region: Region, decided: Decided) -> Changed:
    """Write the profile of each strong identifier of the region, and list changed profiles in `changed_profile`."""
    nodes = np.flatnonzero((decided.cores >= 0) & region.inside)
    core = decided.cores[nodes]
    smallest = np.full(int(core.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(smallest, core, region.ids[nodes])
    con.register("region_core", pa.table({"id_int": region.ids[nodes], "profile_id": smallest[core]}))
    con.execute(
        "create or replace temp table gone_profile as select distinct profile_id from oneid.profile_member "
        "where id_int in (from region)"
    )
    con.execute("delete from oneid.profile_member where id_int in (from region)")
    con.execute("insert into oneid.profile_member select id_int, profile_id from region_core")
    con.unregister("region_core")
    _tokens(con, "select * from oneid.profile_member semi join region using (id_int)")
    con.execute(
        f"""
        create or replace temp table new_profile as
        select profile_id, md5(concat_ws('|', {", ".join(f"coalesce({name}, '-')" for name in SINGLE)},
            list_sort(emails), list_sort(phones))) as fingerprint
        from profile_token;
        create or replace temp table changed_profile as
        select n.profile_id from new_profile n anti join oneid.profile p on p.profile_id = n.profile_id
            and p.fingerprint = n.fingerprint;
        create or replace temp table stale_profile as
        from changed_profile union select profile_id from gone_profile anti join new_profile using (profile_id);
        """
    )
    stale = "profile_a in (from stale_profile) or profile_b in (from stale_profile)"
    row = con.execute(
        f"select (select count(*) from changed_profile), (select count(*) from oneid.prob_edge where {stale})"
    ).fetchone()
    assert row is not None
    con.execute(
        f"""
        delete from oneid.prob_edge where {stale};
        delete from oneid.profile where profile_id in (from gone_profile) or profile_id in (select profile_id
            from new_profile);
        insert into oneid.profile from new_profile;
        drop table gone_profile; drop table new_profile; drop table stale_profile; drop table profile_token;
        """
    )
    return Changed(*row)


def score_changed(con: duckdb.DuckDBPyConnection, run_id: int, retrain: bool) -> None:
    """Score the changed profiles against all, and store the pairs; the vault must be attached."""
    # Splink takes seconds to load, and most commands do not need it.
    from onedata.identity.scoring.model import MERGE_WEIGHT, Model
    from onedata.identity.scoring.score import score
    from onedata.identity.scoring.train import train

    raw_profiles(con, "from oneid.profile_member", "golden_profile")
    known = con.execute("select settings from oneid.model order by trained_run desc limit 1").fetchone()
    if known is None or retrain:
        _labelled(con)
        model = train(con, "single_profile", "single_label")
        con.execute("insert into oneid.model values (?, ?, ?)", [model.version, model.to_json(), run_id])
        con.execute("drop table single_profile; drop table single_label")
    else:
        model = Model.from_json(known[0])
    score(con, model, "golden_profile", "changed_profile")
    con.execute(
        "insert into oneid.prob_edge select profile_a, profile_b, weight, veto, "
        f"case when veto is not null then 'vetoed' when weight < {MERGE_WEIGHT} then 'review' else band end, ?, "
        "explanation from prob_edge",
        [model.version],
    )
    con.execute("drop table prob_edge; drop table golden_profile")


def raw_profiles(con: duckdb.DuckDBPyConnection, members: str, table: str) -> None:
    """The temp table `table`: one row per profile, with raw values of the attached vault.

    Args:
        members: A query with profile_id and id_int.
    """
    _tokens(con, members)
    con.execute(
        "create or replace temp table vault_value as select token, any_value(value) as value from vault.token "
        "group by token"
    )
    joins = " ".join(f"left join vault_value v_{name} on v_{name}.token = t.{name}" for name in SINGLE)
    raw = {name: f"coalesce(v_{name}.value, t.{name})" for name in SINGLE}
    whole = name_sql(raw["full_name"])
    columns = {
        name: f"try_cast({value} as {TYPED[name]})" if name in TYPED else value
        for name, value in raw.items()
        if name != "full_name"
    }
    columns["given_name"] = f"coalesce({raw['given_name']}, {given_sql(whole)})"
    columns["family_name"] = f"coalesce({raw['family_name']}, {family_sql(whole)})"
    con.execute(
        f"""
        create or replace temp table {table} as
        select t.profile_id::bigint as profile_id,
            {", ".join(f"{value} as {name}" for name, value in columns.items())}, e.emails, p.phones
        from profile_token t {joins}
        left join (select profile_id, list(value order by value) as emails from (select profile_id,
            unnest(emails) as token from profile_token)
                   join vault_value using (token) group by 1) e using (profile_id)
        left join (select profile_id, list(value order by value) as phones from (select profile_id,
            unnest(phones) as token from profile_token)
                   join vault_value using (token) group by 1) p using (profile_id);
        drop table vault_value; drop table profile_token;
        """
    )


def _tokens(con: duckdb.DuckDBPyConnection, members: str) -> None:
    """`profile_token`: one row per profile, with values as stored (core ones as tokens)."""
    pivoted = ", ".join(f"max(value) filter (where attribute = '{name}') as {name}" for name in SINGLE)
    con.execute(
        f"""
        create or replace temp table profile_token as
        with member as ({members}), said as (
            select profile_id, attribute, arg_max(value, (n_obs, last_seen, value)) as value
            from (select m.profile_id, p.attribute, p.value, sum(p.n_obs) as n_obs, max(p.last_seen) as last_seen
                  from member m join oneid.identifier_profile p using (id_int) group by all) group by profile_id,
                      attribute
        ), single as (
            select profile_id, {pivoted} from said group by profile_id
        ), phone as (
            select id_int, identity_key from oneid.identifier where type = 'phone' and status = 'ok'
        ), seen as (
            select m.profile_id, p.identity_key from member m join oneid.identity_edge e on e.a = m.id_int join phone p
                on p.id_int = e.b
            union
            select m.profile_id, p.identity_key from member m join oneid.identity_edge e on e.b = m.id_int join phone p
                on p.id_int = e.a
        )
        select profile_id, single.* exclude (profile_id), e.emails, s.phones from single
        left join (select m.profile_id, list(distinct split_part(i.identity_key, ':', 2)) as emails from member m
                   join oneid.identifier i on i.id_int = m.id_int and i.type = 'email' group by 1) e using (profile_id)
        left join (select profile_id, list(distinct split_part(identity_key, ':', 2)) as phones from seen
            group by 1) s using (profile_id)
        """
    )


def _labelled(con: duckdb.DuckDBPyConnection) -> None:
    """`single_profile` and `single_label`: profiles of single accounts, and the core of each. The model learns m from
    accounts of one core."""
    raw_profiles(
        con,
        "select m.id_int as profile_id, m.id_int from oneid.profile_member m join oneid.identifier i "
        "on i.id_int = m.id_int and i.type = 'account' "
        "where exists (select 1 from oneid.identifier_profile p where p.id_int = m.id_int) order by hash(m.id_int) "
        f"limit {LABELLED_AT_MOST}",
        "single_profile",
    )
    con.execute(
        "create or replace temp table single_label as select id_int::bigint as profile_id, "
        "profile_id::varchar as oneid from oneid.profile_member m "
        "semi join single_profile s on s.profile_id = m.id_int"
    )
