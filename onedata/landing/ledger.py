"""The ledger: what was received, and what became of it, to the row. It lives in the warehouse and commits with the batch.

A delivery (`ops.delivery`) is the rows of one feed for one night that landed together. Its way: staged -> passed or refused (contract
gate) -> accepted (in the lake) -> applied (published), and replaced where its night is taken anew. Whatever has not been accepted is
forgotten and taken anew by the next run.
"""

import duckdb

from onedata.contracts.history import create_history
from onedata.landing.gate_tables import create_gate_tables

DDL = """
create schema if not exists ops;
create table if not exists ops.file (
    feed varchar not null, path varchar not null, content_hash varchar not null, ds date not null, batch_id varchar,
    status varchar not null, received bigint not null, accepted bigint not null, quarantined bigint not null,
    duplicate bigint not null, message varchar, columns varchar[], column_types map(varchar, varchar),
    size_bytes bigint not null, mtime_ns bigint not null, arrived_at timestamp not null
);
comment on table ops.file is 'Every delivered file, one row a feed, path, content and delivery: received = accepted + quarantined + duplicate.';
comment on column ops.file.ds is 'The night the file is for.';
comment on column ops.file.status is 'landed, repeated (content known under another name) or unreadable.';
comment on column ops.file.received is 'Rows found in the file; a file that cannot be read at all counts as one.';
comment on column ops.file.duplicate is 'Rows that had been accepted before, from this file or another.';
comment on column ops.file.columns is 'Fields of the file in its own order; of documents, the members that its first ones have.';
comment on column ops.file.column_types is 'Types of the fields, for formats that have some.';
create table if not exists ops.delivery (
    batch_id varchar primary key, feed varchar not null, entity varchar not null, ds date not null, status varchar not null,
    rows bigint not null, landed_at timestamp not null, applied_at timestamp, replaces varchar[] not null
);
comment on table ops.delivery is 'The rows of one feed for one night that landed together, and how far they have come.';
comment on column ops.delivery.status is
    'staged, passed or refused (by the contract gate), accepted (in the lake), applied (published), or replaced (by a later delivery of its night).';
comment on column ops.delivery.replaces is 'Deliveries of the same night whose place this one takes when it is accepted.';
create table if not exists ops.repair (
    feed varchar not null, ds date not null, path varchar not null, column_name varchar not null, repair varchar not null,
    rows bigint not null, batch_id varchar not null
);
comment on table ops.repair is 'Accepted rows in which landing mended a value, by file, column and repair.';
create table if not exists ops.quarantine (
    feed varchar not null, ds date not null, path varchar not null, row bigint not null, rule varchar not null,
    reason varchar not null, raw varchar, batch_id varchar, content_hash varchar not null, quarantined_at timestamp not null,
    totals map(varchar, decimal(38, 4)), currency varchar
);
comment on table ops.quarantine is 'Every row that was not accepted, whole and raw, with file, row, rule and reason.';
comment on column ops.quarantine.row is 'Number of the record in the file, header and broken lines not counted; of a broken line, its line.';
comment on column ops.quarantine.totals is 'What ops.control_total counts for the row as quarantined, by total; taken back when the row is released.';
create table if not exists ops.released (
    batch_id varchar not null, feed varchar not null, ds date not null, path varchar not null, content_hash varchar not null, row bigint not null,
    fate varchar not null, rule varchar not null, reason varchar not null, raw varchar, rule_now varchar, reason_now varchar, released_at timestamp not null
);
comment on table ops.released is 'Quarantined rows that were read again by their contract: accepted, duplicate, or again in quarantine for another reason.';
create table if not exists ops.drift (
    feed varchar not null, ds date not null, path varchar not null, kind varchar not null, column_name varchar not null,
    message varchar not null, content_hash varchar not null
);
comment on table ops.drift is 'Differences between a file''s columns and its contract that did not stop the file.';
create table if not exists ops.night (
    night date not null, run_id varchar not null, started_at timestamp not null, finished_at timestamp not null,
    cpu_seconds double not null, peak_memory_mb double not null
);
comment on table ops.night is 'Nights that were published.';
alter table ops.night add column if not exists publication bigint;
comment on column ops.night.publication is 'Number of the publication; empty where publications had no numbers yet.';
create table if not exists ops.publishing (
    publication bigint not null, night date not null, run_id varchar not null, started_at timestamp,
    finished_at timestamp, cpu_seconds double, peak_memory_mb double
);
comment on table ops.publishing is
    'The publication that is being built or swapped in, at most one row; becomes a row of ops.night once it is served.';
create table if not exists ops.applied (batch_id varchar not null, stage varchar not null, primary key (batch_id, stage));
comment on table ops.applied is 'Deliveries that a stage outside dbt has taken in; commits with that stage''s own tables.';
create table if not exists ops.archive (
    feed varchar not null, path varchar not null, size_bytes bigint not null, mtime_ns bigint not null, members integer not null,
    primary key (feed, path)
);
comment on table ops.archive is 'Archives that were unpacked, and how many files came out of each; the files are in ops.file as archive!member.';
create table if not exists ops.watermark (
    feed varchar not null, content_hash varchar not null, mark varchar, ds date not null, path varchar not null, extracted_at timestamp not null,
    primary key (feed, content_hash)
);
comment on table ops.watermark is 'Extracts of database tables and the watermark each reached; a mark counts once ops.file knows its extract.';
create or replace view ops.batch as
    select batch_id, feed, entity, ds, rows from ops.delivery where status in ('accepted', 'applied');
create or replace view ops.pending_batch as
    select batch_id, feed, entity, ds from ops.delivery where status = 'accepted';
"""


def create_ledger(con: duckdb.DuckDBPyConnection) -> None:
    """Create what is missing of the schema `ops`."""
    con.execute(DDL)
    create_history(con)
    create_gate_tables(con)
