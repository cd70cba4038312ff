"""The tables of OneID, in the warehouse's schema `oneid`."""

import duckdb

DDL = """
create schema if not exists oneid;
create table if not exists oneid.identifier (
    id_int integer not null, identity_key varchar not null, type varchar not null, first_seen date not null,
    last_seen date not null, status varchar not null
);
comment on table oneid.identifier is 'Every strong identifier seen, with a dense number; status ok or shared.';
create table if not exists oneid.identity_edge (
    a integer not null, b integer not null, n_obs bigint not null, first_seen date not null, last_seen date not null, primary key (a, b)
);
comment on table oneid.identity_edge is 'Two identifiers that stood on one row; a < b.';
create table if not exists oneid.issued (
    oneid varchar not null, anchor_key varchar not null, anchor_first_seen date not null, issued_night date not null
);
comment on table oneid.issued is 'Every OneID ever issued; none is issued twice.';
create table if not exists oneid.oneid_map (identity_key varchar not null, id_int integer not null, oneid varchar not null);
comment on table oneid.oneid_map is 'The OneID of every usable identifier. Shared identifiers are absent.';
create table if not exists oneid.oneid_event (
    night date not null, type varchar not null, from_oneid varchar, to_oneid varchar, identifiers bigint not null
);
comment on table oneid.oneid_event is 'What happened to OneIDs: mint, merge (from is now to), split (part of from is now to), retire.';
create table if not exists oneid.guard_audit (
    night date not null, identity_key varchar not null, rule varchar not null, observed bigint not null, allowed bigint not null
);
comment on table oneid.guard_audit is 'Links that were not made, and the limit that forbade them.';
create or replace view oneid.oneid_current as
with recursive step as (
    select from_oneid as old_oneid, arg_max(to_oneid, night) as oneid from oneid.oneid_event where type = 'merge' group by from_oneid
), walk as (
    select old_oneid, oneid, 1 as hops from step
    union all
    select walk.old_oneid, step.oneid, walk.hops + 1 from walk join step on step.old_oneid = walk.oneid where walk.hops < 1000
)
select old_oneid, arg_max(oneid, hops) as oneid from walk group by old_oneid;
comment on view oneid.oneid_current is 'What a merged OneID is called today.';
"""


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create what is missing of the schema `oneid`."""
    con.execute(DDL)
