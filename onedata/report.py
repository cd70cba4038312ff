"""What a person reads after a night: what was built, what was quarantined and why, the headline metrics, what to do next."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from onedata.settings import REPOSITORY, Settings

HEADLINES = (
    "net_revenue",
    "orders",
    "average_order_value",
    "cross_channel_order_share",
    "repurchase_rate_90d",
    "on_time_delivery_rate",
    "stockout_rate",
    "customer_satisfaction",
)
MOST_RULES = 12


def night_report(settings: Settings) -> str:
    """The report on the published database and on the ledger; says so where nothing is published."""
    if not settings.published_database.exists():
        return f"nothing is published yet below {settings.published}; run `onedata run`"
    with duckdb.connect(str(settings.published_database), read_only=True) as con:
        parts = [_built(con), _received(con), _quarantined(con), _metrics(con)]
    return "\n\n".join(part for part in parts if part) + "\n\n" + _next_steps(settings)


def _built(con: duckdb.DuckDBPyConnection) -> str:
    night = con.execute("select night from published_night").fetchone()
    tables = con.execute(
        "select table_name, estimated_size from duckdb_tables() where table_name not like 'ops_%' and table_name <> 'published_night' order by 1"
    ).fetchall()
    return f"PUBLISHED night {night[0] if night else '?'}\n" + table(["table", "rows"], tables)


def _received(con: duckdb.DuckDBPyConnection) -> str:
    rows = con.execute(
        "select feed, count(*), sum(received)::bigint, sum(accepted)::bigint, sum(quarantined)::bigint, sum(duplicate)::bigint "
        "from ops_file group by feed order by feed"
    ).fetchall()
    return "RECEIVED = accepted + quarantined + duplicate\n" + table(["feed", "files", "received", "accepted", "quarantined", "duplicate"], rows)


def _quarantined(con: duckdb.DuckDBPyConnection) -> str:
    rows = con.execute("select feed, path, rule, rows from ops_quarantine order by rows desc, feed, path limit ?", [MOST_RULES]).fetchall()
    return "QUARANTINED\n" + (table(["feed", "file", "rule", "rows"], rows) if rows else "  nothing")


def _metrics(con: duckdb.DuckDBPyConnection) -> str:
    rows = con.execute(
        "select kpi_id, case when is_available then format('{:,.4f}', value) else 'not available: ' || reason end, unit from ads_kpi "
        "where period = 'all' and kpi_id in (select unnest(?::varchar[])) order by list_position(?::varchar[], kpi_id)",
        [list(HEADLINES), list(HEADLINES)],
    ).fetchall()
    return "METRICS, all nights\n" + table(["metric", "value", "unit"], rows)


def _next_steps(settings: Settings) -> str:
    database = _short(settings.published_database)
    return (
        "NEXT\n"
        "  make dev                      the Dagster UI on http://127.0.0.1:3000: the graph, the gates, backfills\n"
        f"  .venv/bin/python -c \"import duckdb; print(duckdb.connect('{database}', read_only=True).sql('from ads_customer_360 limit 5'))\""
    )


def _short(path: Path) -> str:
    return str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) and Path.cwd() == REPOSITORY else str(path)


def status_report(settings: Settings) -> str:
    """What is published, and which gates the last run left closed (unknown while a night holds the warehouse)."""
    report = night_report(settings)
    if not settings.warehouse.exists():
        return report
    try:
        with duckdb.connect(str(settings.warehouse), read_only=True) as con:
            last = con.execute("select arg_max(run_id, checked_at) from ops.gate").fetchone()
    except duckdb.IOException:
        return report + "\n\nA night is running: its gates are seen in the Dagster UI."
    gates = closed_gates(settings, last[0]) if last and last[0] else ""
    return report + ("\n\n" + gates if gates else "\n\nAll gates of the last run are open.")


def closed_gates(settings: Settings, run_id: str) -> str:
    """The gates that closed in a run, in words; '' where none did, or where another run holds the warehouse."""
    try:
        with duckdb.connect(str(settings.warehouse), read_only=True) as con:
            rows = con.execute(
                "select stage, subject, rule, message from ops.gate where run_id = ? and severity = 'error' and not passed order by checked_at, subject, rule",
                [run_id],
            ).fetchall()
    except duckdb.IOException:
        return ""
    return "\n".join(f"GATE CLOSED after {stage}: {subject}, rule {rule}\n  {message}" for stage, subject, rule, message in rows)


def table(header: Sequence[str], rows: Sequence[tuple[object, ...]]) -> str:
    """Columns of text, numbers to the right."""
    cells = [list(header), *[[f"{value:,}" if isinstance(value, int) else str(value) for value in row] for row in rows]]
    widths = [max(len(line[index]) for line in cells) for index in range(len(header))]
    right = [bool(rows) and isinstance(rows[0][index], int) for index in range(len(header))]
    lines = [
        "  " + "  ".join(text.rjust(width) if numeric else text.ljust(width) for text, width, numeric in zip(line, widths, right, strict=True))
        for line in cells
    ]
    return "\n".join(line.rstrip() for line in lines)
