"""Balances from the files to the lake: every file that arrived, and every lake partition with pending deliveries.

Rows are counted by the ledger and by the footers of the Parquet files, so no row is read; money is summed over the
pending deliveries only. Every query returns layer, model, subject, ds, path, measure, unit, total_in, total_out,
excluded.
"""

from collections.abc import Mapping, Sequence

import duckdb

from onedata.contracts.model import Entity, Feed
from onedata.contracts.totals import AMOUNT, sums_by_currency
from onedata.ledger.paths import partition_folder
from onedata.ledger.states import IN_LAKE, Status, sql_list
from onedata.settings import Settings
from onedata.sql import escape_glob, quote_text

PENDING = f"status = {quote_text(Status.ACCEPTED)}"
UNKNOWN_AT_SOURCE = "landed before control totals were kept"
# Deliveries since the last reconciliation, and those that an interrupted or refused run left pending.
ARRIVED = (
    "select * from ops.file where batch_id in (select batch_id from ops.delivery where status = 'accepted') "
    "or arrived_at > coalesce((select max(checked_at) from ops.reconciliation where layer = 'landing'), "
    "timestamp '1970-01-01')"
)

# Accepted rows by the delivery that brought them into the lake: a released row came with its release, not with its
# file's delivery.
ACCEPTED = (
    "select batch_id, accepted from ops.file union all select batch_id, 1 from ops.released where fate = 'accepted' "
    "union all "
    "select f.batch_id, -1 from ops.released r join ops.file f using (feed, path, content_hash) "
    "where r.fate = 'accepted'"
)


def lake_balances(
    con: duckdb.DuckDBPyConnection, settings: Settings, feeds: Sequence[Feed], entities: Mapping[str, Entity]
) -> list[str]:
    """The queries of every balance up to ODS."""
    models = (
        "(values "
        + ", ".join(f"({quote_text(feed.name)}, {quote_text(f'ods_{feed.entity.name}')})" for feed in feeds)
        + ") m(feed, model)"
    )
    monied = [feed.name for feed in feeds if feed.entity.totals]
    queries = [_files(models), _quarantine(models), _deliveries(models), _lake_rows(con, settings, models)]
    if monied:
        queries += [_file_money(models), _known_at_source(models, monied)]
    return queries + [
        _lake_money(con, entity) for entity in entities.values() if entity.totals and _pending(con, entity)
    ]


def excluded(*reasons: tuple[str, str]) -> str:
    """SQL of the map of exclusions: reason and SQL of its amount; amounts of 0 are omitted."""
    entries = ", ".join(f"{{'k': {quote_text(reason)}, 'v': ({amount})::{AMOUNT}}}" for reason, amount in reasons)
    return (
        f"map_from_entries(list_filter([{entries}], lambda x: x.v <> 0))"
        if reasons
        else f"map([]::varchar[], []::{AMOUNT}[])"
    )


def _files(models: str) -> str:
    """Received = accepted + quarantined + duplicate, per file."""
    reasons = excluded(("quarantined", "quarantined"), ("duplicate", "duplicate"))
    return (
        "select 'landing' as layer, m.model, feed as subject, ds, path, 'rows' as measure, 'rows' as unit, received as "
        f"total_in, accepted as total_out, {reasons} as excluded from ({ARRIVED}) join {models} using (feed)"
    )


def _quarantine(models: str) -> str:
    """A file's quarantined rows are in ops.quarantine, whole."""
    return (
        "select 'landing' as layer, m.model, feed as subject, f.ds, path, 'rows kept in quarantine' as measure, 'rows' "
        f"as unit, f.quarantined as total_in, coalesce(q.kept, 0) as total_out, {excluded()} as excluded "
        f"from ({ARRIVED}) f join {models} using (feed) "
        "left join (select feed, path, content_hash, count(*) as kept from ops.quarantine where raw is not null "
        "group by all) q using (feed, path, content_hash) where f.quarantined > 0 or q.kept > 0"
    )


def _deliveries(models: str) -> str:
    """The accepted rows of a night's files are the rows of its deliveries."""
    return (
        "select 'landing' as layer, any_value(m.model) as model, p.feed as subject, p.ds, null as path, 'rows in "
        "deliveries' as measure, 'rows' as unit, sum(coalesce(f.accepted, 0)) as total_in, sum(b.rows) as total_out, "
        f"{excluded()} as excluded from ops.pending_batch p "
        f"join ops.batch b using (batch_id) join {models} on m.feed = p.feed "
        f"left join (select batch_id, sum(accepted) as accepted from ({ACCEPTED}) group by all) f using (batch_id) "
        "group by p.feed, p.ds"
    )


def _lake_rows(con: duckdb.DuckDBPyConnection, settings: Settings, models: str) -> str:
    """The rows of a partition's deliveries equal the rows in its Parquet files, by their footers; a missing file has
    none, nor has a delivery of only duplicates."""
    pending = con.execute(f"select distinct entity, feed, ds from ops.delivery where {PENDING} order by all").fetchall()
    # The files that exist, whatever the ledger says about them.
    partitions = [partition_folder(settings, entity, feed, ds) for entity, feed, ds in pending]
    files = [file for partition in partitions for file in sorted(partition.glob("*.parquet"))]
    listed = ", ".join(quote_text(escape_glob(str(file))) for file in files)
    held = (
        "select parts[1] as feed, parts[2]::date as ds, sum(num_rows) as rows from (select num_rows, "
        "regexp_extract_all(file_name, '(?:source|ds)=([^/]+)/', 1)[-2:] as parts "
        f"from parquet_file_metadata([{listed}])) group by all"
        if files
        else "select null::varchar as feed, null::date as ds, 0 as rows where false"
    )
    return (
        "select 'ods' as layer, m.model, b.feed as subject, b.ds, null as path, 'rows' as measure, 'rows' as unit, "
        f"b.rows as total_in, coalesce(held.rows, 0) as total_out, {excluded()} as excluded from (select feed, ds, "
        f"sum(rows) as rows from ops.delivery where status in {sql_list(IN_LAKE)} and (feed, ds) in (select (feed, ds) "
        f"from ops.delivery where {PENDING}) group by all) b "
        f"join {models} on m.feed = b.feed left join ({held}) held on held.feed = b.feed and held.ds = b.ds"
    )


def _file_money(models: str) -> str:
    """The same as `_files`, in money."""
    reasons = excluded(("quarantined", "sum(c.quarantined)"), ("duplicate", "sum(c.duplicate)"))
    return (
        "select 'landing' as layer, any_value(m.model) as model, f.feed as subject, f.ds, f.path, c.total_name as "
        "measure, c.currency as unit, sum(c.received) as total_in, sum(c.accepted) as total_out, "
        f"{reasons} as excluded from ({ARRIVED}) f join {models} on m.feed = f.feed "
        "join ops.control_total c on c.feed = f.feed and c.path = f.path and c.content_hash = f.content_hash "
        "group by f.feed, f.ds, f.path, c.total_name, c.currency"
    )


def _known_at_source(models: str, monied: Sequence[str]) -> str:
    """Every file with money has control totals, except those that landed before control totals were kept."""
    feeds = ", ".join(quote_text(feed) for feed in monied)
    known = "(feed, path, content_hash) in (select (feed, path, content_hash) from ops.control_total)"
    since = f"(select min(arrived_at) from ops.file where {known})"
    before = excluded((UNKNOWN_AT_SOURCE, f"not known and coalesce(arrived_at < {since}, true)"))
    return (
        "select 'landing' as layer, m.model, feed as subject, ds, path, 'control totals' as measure, 'files' as unit, "
        f"1 as total_in, known::integer as total_out, {before} as excluded from (select *, {known} as known "
        f"from ({ARRIVED})) join {models} using (feed) "
        f"where feed in ({feeds}) and accepted + duplicate > 0"
    )


def _pending(con: duckdb.DuckDBPyConnection, entity: Entity) -> list[tuple[str, str]]:
    """Batch and night of the entity's pending deliveries that have control totals."""
    return con.execute(
        "select batch_id, ds::varchar from ops.pending_batch where entity = ? and batch_id in (select batch_id "
        "from ops.control_total) order by all",
        [entity.name],
    ).fetchall()


def _lake_money(con: duckdb.DuckDBPyConnection, entity: Entity) -> str:
    """The money of the files' accepted rows equals the money of their deliveries' rows in the lake."""
    pending = _pending(con, entity)
    batches = ", ".join(quote_text(batch) for batch, _ in pending)
    # `ds` prunes the lake's files, `_batch` is exact.
    nights = ", ".join(f"date '{ds}'" for ds in sorted({ds for _, ds in pending}))
    rows = f"(select * from ods.ods_{entity.name} where ds in ({nights}) and _batch in ({batches}))"
    return (
        f"select 'ods' as layer, 'ods_{entity.name}' as model, coalesce(c.feed, o._feed) as subject, coalesce(c.ds, "
        "o.ds) as ds, null as path, coalesce(c.measure, o.measure) as measure, coalesce(c.unit, o.unit) as unit, "
        f"coalesce(c.amount, 0) as total_in, coalesce(o.amount, 0) as total_out, {excluded()} as excluded "
        "from (select feed, ds, total_name as measure, currency as unit, "
        f"sum(accepted) as amount from ops.control_total where batch_id in ({batches}) group by all) c full outer join "
        f"({sums_by_currency(entity, rows, ['_feed', 'ds'])}) o on o._feed = c.feed and o.ds = c.ds and o.measure = "
        "c.measure and o.unit = c.unit"
    )
