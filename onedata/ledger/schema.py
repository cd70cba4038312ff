"""The tables of the schema `ops`: rows of deliveries (`belongings`), of sources, of runs, and of gates."""

import duckdb

from onedata.contracts.totals import AMOUNT, MACROS
from onedata.ledger.clock import CLOCK

FORMAT = 2
"""Format of the data home; format 1 had no manifests beside the lake's files."""
DELIVERIES = """
create schema if not exists ops;
create table if not exists ops.file (
    feed varchar not null, path varchar not null, content_hash varchar not null, ds date not null,
    batch_id varchar not null,
    status varchar not null, received bigint not null, accepted bigint not null, quarantined bigint not null,
    duplicate bigint not null, message varchar, columns varchar[], column_types map(varchar, varchar),
    size_bytes bigint not null, mtime_ns bigint not null, arrived_at timestamp not null
);
comment on table ops.file is
    'Every delivered file, one row per feed, path, content, delivery: received = accepted + quarantined + duplicate.';
comment on column ops.file.ds is 'The night the file is for.';
comment on column ops.file.status is 'landed, repeated (content known under another name) or unreadable.';
comment on column ops.file.received is 'Rows found in the file; an unreadable file counts as one.';
comment on column ops.file.duplicate is 'Rows that had been accepted before, from this file or another.';
comment on column ops.file.batch_id is 'Delivery of the file; a repeat has its own.';
comment on column ops.file.columns is
    'Fields of the file in file order; for documents, the members of the first ones.';
comment on column ops.file.column_types is 'Types of the fields, for typed formats.';
create table if not exists ops.delivery (
    batch_id varchar primary key, feed varchar not null, entity varchar not null, ds date not null,
    status varchar not null,
    rows bigint not null, landed_at timestamp not null, accepted_at timestamp, applied_at timestamp,
    replaces varchar[] not null
);
comment on table ops.delivery is 'The rows of one feed for one night that landed together, and their state.';
comment on column ops.delivery.status is
    'staged, passed or refused (by the contract gate), accepted (in the lake), applied (published), or replaced
    (by a later delivery
    of its night).';
comment on column ops.delivery.accepted_at is 'When its manifest was written (UTC); empty before.';
comment on column ops.delivery.replaces is
    'Deliveries of the same night that this one replaces when it is accepted.';
create table if not exists ops.repair (
    feed varchar not null, ds date not null, path varchar not null, column_name varchar not null,
    repair varchar not null,
    rows bigint not null, batch_id varchar not null
);
comment on table ops.repair is 'Accepted rows in which landing repaired a value, by file, column and repair.';
create table if not exists ops.quarantine (
    feed varchar not null, ds date not null, path varchar not null, row bigint not null, rule varchar not null,
    reason varchar not null, raw varchar, batch_id varchar not null, content_hash varchar not null,
    quarantined_at timestamp not null,
    totals map(varchar, decimal(38, 4)), currency varchar
);
alter table ops.quarantine add column if not exists document struct(
    source_system varchar, order_id varchar, line_id varchar, version timestamp, edition bigint, is_whole boolean,
    policy varchar);
comment on column ops.quarantine.document is
    'The document of an order''s header or line, where its id can be read: is_whole if its rows come together,
    policy hold or leave_out.';
comment on table ops.quarantine is 'Every row that was not accepted, whole and raw, with file, row, rule and reason.';
comment on column ops.quarantine.row is
    'Number of the record in the file, header and broken lines not counted; for a broken line, its line number.';
comment on column ops.quarantine.totals is
    'What ops.control_total counts for the row as quarantined, by total; subtracted when the row is released.';
create table if not exists ops.released (
    batch_id varchar not null, feed varchar not null, ds date not null, path varchar not null,
    content_hash varchar not null, row bigint not null,
    fate varchar not null, rule varchar not null, reason varchar not null, raw varchar, rule_now varchar,
    reason_now varchar, released_at timestamp not null
);
comment on table ops.released is
    'Quarantined rows that were revalidated: accepted, duplicate, or again in quarantine.';
create table if not exists ops.drift (
    feed varchar not null, ds date not null, path varchar not null, kind varchar not null, column_name varchar not null,
    message varchar not null, content_hash varchar not null, batch_id varchar not null
);
comment on table ops.drift is 'Differences between a file''s columns and its contract that did not stop the file.';
create table if not exists ops.night (
    night date not null, run_id varchar not null, started_at timestamp not null, finished_at timestamp not null,
    cpu_seconds double not null, peak_memory_mb double not null
);
comment on table ops.night is 'Nights that were published.';
alter table ops.night add column if not exists publication bigint;
comment on column ops.night.publication is 'Number of the publication; empty if publications had no numbers yet.';
create table if not exists ops.cost (
    run_id varchar not null, night date not null, step varchar not null, subject varchar not null,
    cpu_seconds double, wall_seconds double, rows_read bigint, rows_written bigint, noted_at timestamp not null
);
comment on table ops.cost is
    'What each step of a run took, in order: one row per step (`subject` is empty), then one per table that it made.';
comment on column ops.cost.step is
    'Op of the graph; `start` is all before the first one: imports, contracts, the parse of the dbt project.';
comment on column ops.cost.subject is 'Table that the step made; empty for the step as a whole.';
comment on column ops.cost.cpu_seconds is
    'CPU seconds of all threads of the process; empty for a table, since several are made at once.';
comment on column ops.cost.wall_seconds is 'Seconds by the clock.';
comment on column ops.cost.rows_read is 'Rows received; empty where a step reads no files.';
comment on column ops.cost.rows_written is
    'Rows accepted, or rows of the table afterwards; empty where a step writes none.';
create table if not exists ops.built (
    node varchar primary key, code varchar not null, inputs varchar not null, version varchar not null, content varchar
);
comment on table ops.built is
    'What each model, seed and test of dbt was last run with; one whose code and inputs are the same is not run again.';
comment on column ops.built.code is 'Hash of its SQL, the macros that it calls, its configuration and settings.';
comment on column ops.built.inputs is 'Hash of the versions of what it reads.';
comment on column ops.built.version is 'Changes when its table changes; the comment of the table holds it too.';
comment on column ops.built.content is 'Count and hash of a small table''s rows.';
create table if not exists ops.publishing (
    publication bigint not null, night date not null, run_id varchar not null, started_at timestamp,
    finished_at timestamp, cpu_seconds double, peak_memory_mb double
);
comment on table ops.publishing is
    'The publication that is being built or swapped in, at most one row; becomes a row of ops.night once it is served.';
create table if not exists ops.applied (batch_id varchar not null, stage varchar not null,
    primary key (batch_id, stage));
comment on table ops.applied is
    'Deliveries that a stage outside dbt has processed; commits with that stage''s own tables.';
create table if not exists ops.archive (
    feed varchar not null, path varchar not null, size_bytes bigint not null, mtime_ns bigint not null,
    members integer not null,
    primary key (feed, path)
);
comment on table ops.archive is
    'Unpacked archives and their number of files; the files are in ops.file as archive!member.';
create table if not exists ops.watermark (
    feed varchar not null, content_hash varchar not null, mark varchar, ds date not null, path varchar not null,
        extracted_at timestamp not null,
    primary key (feed, content_hash)
);
comment on table ops.watermark is
    'Extracts of database tables and their watermarks; a watermark takes effect once ops.file has its extract.';
"""

MONEY_AND_FILES = f"""
create table if not exists ops.control_total (
    feed varchar not null, path varchar not null, content_hash varchar not null, batch_id varchar not null,
    ds date not null,
    total_name varchar not null, currency varchar not null, received {AMOUNT} not null, accepted {AMOUNT} not null,
    quarantined {AMOUNT} not null, duplicate {AMOUNT} not null
);
comment on table ops.control_total is
    'Money of each file''s rows, by total and currency: received = accepted + quarantined + duplicate.';
comment on column ops.control_total.total_name is 'Total of the canonical entity (data_contracts/canonical, totals).';
comment on column ops.control_total.currency is 'ISO 4217 code; XXX if a row names none.';
comment on column ops.control_total.received is 'Of every row of the file that has the amount, whatever its outcome.';
comment on column ops.control_total.quarantined is 'Of quarantined rows that have the amount as a number.';
comment on column ops.control_total.duplicate is 'Of rows that had been accepted before.';
create table if not exists ops.key_range (
    batch_id varchar not null, feed varchar not null, column_name varchar not null, least varchar not null,
    greatest varchar not null
);
comment on table ops.key_range is
    'Least and greatest value of each public key column that is never empty, by delivery, where they are days or
    (running) numbers: a row can repeat one of a delivery only if its key lies between them.';
create table if not exists ops.lake_file (
    batch_id varchar not null, feed varchar not null, entity varchar not null, ds date not null, name varchar not null,
    rows bigint not null, bytes bigint not null, sha256 varchar not null
);
comment on table ops.lake_file is
    'The Parquet files of the lake, one row per file, as listed in their manifests.';
"""

CONTRACTS = """
create table if not exists ops.contract (
    feed varchar not null, version varchar not null, fingerprint varchar not null, shape json not null,
    first_used_at timestamp not null, last_used_at timestamp not null, primary key (feed, version, fingerprint)
);
comment on table ops.contract is
    'The contracts that rows have landed by; a change is compared with the feed''s last used one.';
comment on column ops.contract.shape is
    'The parts of the contract and its canonical entity that affect rows, as JSON.';
"""

GATES = """
create table if not exists ops.gate (
    run_id varchar not null, night date not null, stage varchar not null, subject varchar not null,
    rule varchar not null,
    severity varchar not null, passed boolean not null, observed varchar, message varchar not null,
    checked_at timestamp not null,
    expected varchar, description varchar
);
alter table ops.gate add column if not exists expected varchar;
alter table ops.gate add column if not exists description varchar;
comment on table ops.gate is
    'Every quality check of every night: stage, subject, rule, observed and expected value.';
comment on column ops.gate.observed is 'Number of rows that break the rule, or the judged value.';
comment on column ops.gate.expected is 'The bound on the observed value; empty if the check has none.';
comment on column ops.gate.message is 'What is wrong and where; may quote rows.';
comment on column ops.gate.description is 'The rule as text.';
create table if not exists ops.profile (
    feed varchar not null, ds date not null, batch_id varchar not null, column_name varchar not null,
    metric varchar not null,
    bucket varchar not null, value double not null
);
comment on table ops.profile is
    'Profile of each delivery, one row per metric; refused or deleted deliveries have none.';
comment on column ops.profile.column_name is 'Canonical column; empty for the delivery as a whole.';
comment on column ops.profile.metric is
    'received, rows, sample_rows; null_share, distinct_share, p05, p25, p50, p75, p95 and share (of `bucket`).';
comment on column ops.profile.bucket is
    'For share: the value of a text or boolean; for a number, the smallest of its size class.';
create table if not exists ops.trend (
    feed varchar not null, ds date not null, column_name varchar not null, metric varchar not null,
    value double not null,
    middle double not null, low double not null, high double not null, nights bigint not null, holds boolean not null
);
comment on table ops.trend is
    'Each night of a feed compared with the nights before it, as last judged, even if it was refused.';
comment on column ops.trend.column_name is 'Canonical column; empty for the night as a whole.';
comment on column ops.trend.metric is
    'received, rows, null_share, distinct_share or distribution (Jensen-Shannon distance from the nights before).';
comment on column ops.trend.middle is 'The median of the nights before.';
comment on column ops.trend.low is 'Lower bound of the expected values; `high` is the upper bound.';
comment on column ops.trend.nights is 'Number of nights before that were compared.';
"""

# A delivery of duplicates only adds no row and no file: it is not part of the data and does not move its latest night.
VIEWS = """
create or replace view ops.batch as
    select batch_id, feed, entity, ds, rows from ops.delivery
    where status in ('accepted', 'applied') and (rows > 0 or batch_id in (select batch_id from ops.lake_file));
create or replace view ops.unread_document as
    select
        q.document.source_system as source_system, q.document.order_id as order_id, q.document.line_id as line_id,
        d.entity, q.feed, q.ds, q.path, q.document.edition as edition, q.row, q.document.version as version,
        q.document.is_whole as is_whole, q.document.policy as policy, q.rule, q.totals['net_amount'] as net_amount,
        q.totals['amount'] as amount, q.currency
    from ops.quarantine q join ops.delivery d using (batch_id)
    where q.document is not null and d.status in ('accepted', 'applied');
create or replace view ops.pending_batch as
    select batch_id, feed, entity, ds from ops.delivery
    where status = 'accepted' and (rows > 0 or batch_id in (select batch_id from ops.lake_file));
"""


def create_ledger(con: duckdb.DuckDBPyConnection) -> None:
    """Create missing tables of the schema `ops`, and the macros that sum its money; a new ledger gets the current
    format."""
    is_new = not con.execute(
        "select 1 from duckdb_tables() where database_name = current_database() and schema_name = 'ops' "
        "and table_name = 'delivery'"
    ).fetchall()
    for statements in (DELIVERIES, MONEY_AND_FILES, CONTRACTS, GATES, VIEWS, CLOCK, MACROS):
        con.execute(statements)
    if is_new:
        note_format(con)


def note_format(con: duckdb.DuckDBPyConnection) -> None:
    """Mark the data home as being of the current format."""
    con.execute(
        "create table if not exists ops.format (format integer not null); "
        "comment on table ops.format is 'Format of the data home, one row.'; delete from ops.format"
    )
    con.execute("insert into ops.format values (?)", [FORMAT])
