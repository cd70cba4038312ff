"""The tables of OneID, in the warehouse's schema `oneid`."""

import duckdb

from onedata.errors import OnedataError

DDL = """
create schema if not exists oneid;
create table if not exists oneid.run (
    run_id integer not null, night date not null, kind varchar not null, started_at timestamp not null,
    touched bigint not null, decided bigint not null
);
comment on table oneid.run is 'Every run that changed OneID: incremental, or full (all evidence read again).';
comment on column oneid.run.touched is 'Identifiers with new evidence.';
comment on column oneid.run.decided is
    'Identifiers decided again: those that evidence connects with the touched ones.';
create table if not exists oneid.run_metric (
    run_id integer not null, night date not null, metric varchar not null, type varchar not null,
    identifiers bigint not null, value double not null
);
comment on table oneid.run_metric is
    'Metrics of a run, for comparison with later nights; type is the kind of identifier, empty for all.';
create table if not exists oneid.identifier (
    id_int integer not null, identity_key varchar not null, type varchar not null, first_seen date not null,
    last_seen date not null, status varchar not null
);
comment on table oneid.identifier is 'The dictionary: every identifier seen, with a dense number that never changes.';
comment on column oneid.identifier.status is
    'ok, shared (belongs to no single person) or blocked (by an operator).';
create table if not exists oneid.identity_edge (
    a integer not null, b integer not null, source varchar not null, n_obs bigint not null, first_seen date not null,
        last_seen date not null
);
comment on table oneid.identity_edge is
    'Two identifiers seen on one row of a feed; a < b, one row per pair and feed.';
create table if not exists oneid.identifier_profile (
    id_int integer not null, attribute varchar not null, value varchar not null, n_obs bigint not null,
    last_seen date not null
);
comment on table oneid.identifier_profile is
    'Profile attributes on the rows of an identifier (name, address, birth year, ...); core values are tokens.';
create table if not exists oneid.component (id_int integer not null, component integer not null);
comment on table oneid.component is
    'Components of identifiers connected by any evidence, shared ones excluded: they must be decided together.';
create table if not exists oneid.profile_member (id_int integer not null, profile_id integer not null);
comment on table oneid.profile_member is
    'The core of each strong identifier; a core is a profile, numbered by its smallest identifier.';
create table if not exists oneid.profile (profile_id integer not null, fingerprint varchar not null);
comment on table oneid.profile is
    'Fingerprint of each profile when it was last scored: an unchanged profile is not scored again.';
create table if not exists oneid.prob_edge (
    profile_a integer not null, profile_b integer not null, weight double not null, veto varchar, band varchar not null,
    model_version varchar not null, explanation varchar
);
comment on table oneid.prob_edge is 'Two similar profiles with their score; band is link, review or vetoed.';
comment on column oneid.prob_edge.weight is 'Match weight: log2 of the odds that they are one person.';
create table if not exists oneid.model (version varchar not null, settings varchar not null,
    trained_run integer not null);
comment on table oneid.model is 'Trained scoring models; the newest is used.';
create table if not exists oneid.issued (
    oneid varchar not null, anchor_key varchar not null, anchor_first_seen date not null, issued_night date not null
);
comment on table oneid.issued is 'Every OneID ever issued; none is issued twice.';
create table if not exists oneid.oneid_map (
    identity_key varchar not null, id_int integer not null, oneid varchar not null, rule varchar not null,
    valid_from date not null, valid_to date, run_id integer not null
);
comment on table oneid.oneid_map is
    'The OneID of every usable identifier since when; valid_to is null for the current version. Shared ones have none.';
comment on column oneid.oneid_map.rule is
    'Why the identifier belongs to the person: core, bridge, score, operator, attach or orphan.';
create table if not exists oneid.person (
    oneid varchar not null, identifier_count integer not null, first_seen date not null, last_seen date not null
);
comment on table oneid.person is 'Every current OneID.';
create table if not exists oneid.household_trait (oneid varchar not null, trait varchar not null,
    value varchar not null);
comment on table oneid.household_trait is
    'Traits that connect a household: addresses and family name (tokens) of a person, shared identifiers.';
create table if not exists oneid.household_map (
    oneid varchar not null, household_id varchar not null, rule varchar not null, valid_from date not null,
    valid_to date, run_id integer not null
);
comment on table oneid.household_map is
    'The household of every person and since when; valid_to is null for the current version.';
comment on column oneid.household_map.household_id is 'Named after the oldest OneID of the household.';
comment on column oneid.household_map.rule is
    'Common with another: address and name, address and identifier, identifier and name; or alone.';
create table if not exists oneid.oneid_event (
    run_id integer not null, night date not null, type varchar not null, from_oneid varchar, to_oneid varchar,
        identifiers bigint not null, evidence varchar
);
comment on table oneid.oneid_event is
    'Changes of OneIDs: mint, merge (from is now to), split (part of from is now to), retire.';
create table if not exists oneid.guard_audit (
    night date not null, identity_key varchar not null, rule varchar not null, observed bigint not null,
    allowed bigint not null
);
comment on table oneid.guard_audit is 'Links that were not made, and the limit that forbade them.';
create table if not exists oneid.decision (
    decision_id integer not null, kind varchar not null, key_a varchar not null, key_b varchar, reason varchar not null,
    decided_by varchar not null, decided_at timestamp not null, reverted_at timestamp
);
comment on table oneid.decision is
    'Decisions of operators: merge, split or block. A decision holds until it is reverted, through every rebuild.';
create table if not exists oneid.decision_applied (decision_id integer not null, is_reverted boolean not null);
comment on table oneid.decision_applied is 'Decisions that a run has processed, in their state at that time.';
create or replace view oneid.oneid_current as
with recursive step as (
    select from_oneid as old_oneid, arg_max(to_oneid, run_id) as oneid from oneid.oneid_event
    where type = 'merge' and from_oneid not in (select oneid from oneid.person) group by from_oneid
), walk as (
    select old_oneid, oneid, 1 as hops from step
    union all
    select walk.old_oneid, step.oneid, walk.hops + 1 from walk join step on step.old_oneid = walk.oneid
        where walk.hops < 1000
)
select old_oneid, arg_max(oneid, hops) as oneid from walk group by old_oneid;
comment on view oneid.oneid_current is 'The current OneID of each OneID that was merged away.';
"""


class OldTablesError(OnedataError):
    """The warehouse is from before OneID kept versions."""


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create missing tables of the schema `oneid`.

    Raises:
        OldTablesError: its tables have the columns of an earlier onedata; the text names the fix.
    """
    tables = con.execute(
        "select 1 from duckdb_tables() where database_name = current_database() and schema_name = 'oneid' "
        "and table_name = 'oneid_map'"
    ).fetchall()
    # `duckdb_columns` binds every view of the warehouse.
    if tables and "valid_from" not in [name for name, *_ in con.execute("describe oneid.oneid_map").fetchall()]:
        raise OldTablesError(
            "this data home was made by an earlier onedata, whose OneID kept no versions and whose vault has tokens of "
            "other normalisers; rebuild it from its source: move the data home away, then `onedata run --backfill`"
        )
    con.execute(DDL)
