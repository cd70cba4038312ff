"""The ledger's quality tables: every check (ops.gate), every delivery's profile (ops.profile) and its comparison with the nights before
(ops.trend), kept for ever. `onedata.quality` fills them.
"""

import duckdb

DDL = """
create table if not exists ops.gate (
    run_id varchar not null, night date not null, stage varchar not null, subject varchar not null, rule varchar not null,
    severity varchar not null, passed boolean not null, observed varchar, message varchar not null, checked_at timestamp not null
);
alter table ops.gate add column if not exists expected varchar;
alter table ops.gate add column if not exists description varchar;
comment on table ops.gate is 'Every quality check of every night: stage, subject, rule, what was observed and what was expected.';
comment on column ops.gate.observed is 'What was observed: rows that break the rule, or the value that was judged.';
comment on column ops.gate.expected is 'The bound on it; empty where the check knows none.';
comment on column ops.gate.message is 'What is wrong and where; may quote rows.';
comment on column ops.gate.description is 'The rule in words.';
create table if not exists ops.profile (
    feed varchar not null, ds date not null, batch_id varchar not null, column_name varchar not null, metric varchar not null,
    bucket varchar not null, value double not null
);
comment on table ops.profile is 'What each delivery looked like, one row a metric; deliveries that were refused or forgotten leave none.';
comment on column ops.profile.column_name is 'Canonical column; empty for the delivery as a whole.';
comment on column ops.profile.metric is 'received, rows, sample_rows; null_share, distinct_share, p05, p25, p50, p75, p95 and share (of `bucket`).';
comment on column ops.profile.bucket is 'For share: the value of a text or boolean; for a number, the smallest of its size class.';
create table if not exists ops.trend (
    feed varchar not null, ds date not null, column_name varchar not null, metric varchar not null, value double not null,
    middle double not null, low double not null, high double not null, nights bigint not null, holds boolean not null
);
comment on table ops.trend is 'Each night of a feed against the nights before it, as it was judged last, also where it was refused.';
comment on column ops.trend.column_name is 'Canonical column; empty for the night as a whole.';
comment on column ops.trend.metric is 'received, rows, null_share, distinct_share or distribution (Jensen-Shannon distance from the nights before).';
comment on column ops.trend.middle is 'The median of the nights before.';
comment on column ops.trend.low is 'The least that was expected; the most is `high`.';
comment on column ops.trend.nights is 'How many nights were compared with.';
"""


def create_gate_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create what is missing of the tables in the schema `ops`; a warehouse of an older version gets the new columns."""
    con.execute(DDL)
