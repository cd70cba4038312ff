"""The report after a night: what was built, what was quarantined and why, the headline metrics, the next steps."""

from decimal import Decimal
from pathlib import Path

import duckdb

from onedata.contracts.drafts import draft_files
from onedata.masking import mask_error
from onedata.quality.reconcile_lake import UNKNOWN_AT_SOURCE
from onedata.settings import Settings
from onedata.shipped import checkout
from onedata.tables import text_table
from onedata.warehouse import (
    WarehouseBusy,
    WarehouseDamaged,
    WarehouseError,
    WarehouseMissing,
    last_night,
    read_warehouse,
)
from onedata.warehouse.damage import ENGINE_ERRORS, examine
from onedata.warehouse.open import HalfRestored
from onedata.warehouse.publications import current_link, current_publication, numbered_folders, publications

HEADLINES = (
    "net_revenue",
    "orders",
    "average_order_value",
    "cross_channel_order_share_by_value",
    "cross_channel_order_share_by_count",
    "repurchase_rate_90d",
    "on_time_delivery_rate",
    "stockout_rate",
    "return_rate",
    "customer_satisfaction",
)
MOST_RULES = 12
MOST_CHARACTERS = 200


def night_report(settings: Settings, options: str = "") -> str:
    """The report on the published database; says so if nothing is published.

    Args:
        settings: Settings of the data home.
        options: The retailer's command line options, for the next steps.
    """
    return "\n\n".join([*_published(settings)[0], _next_steps(settings, options)])


def status_report(settings: Settings, options: str = "") -> tuple[str, bool]:
    """The same with the state of the build: unpublished deliveries, warnings and closed gates of the last run, damage.

    Returns:
        The text, and whether all is well: no gate closed, nothing unpublished, and every file readable.
    """
    published, sound = _published(settings)
    state, well = _build_state(settings)
    return "\n\n".join([*published, *state, *_drafts(settings), _next_steps(settings, options)]), well and sound


def _drafts(settings: Settings) -> list[str]:
    """The contracts that nights skip."""
    names = [file.name for file in draft_files(settings.contracts)]
    return (
        ["DRAFTS, which nights skip; `onedata contracts` tells what each lacks\n  " + "\n  ".join(names)]
        if names
        else []
    )


def _published(settings: Settings) -> tuple[list[str], bool]:
    """What is published, and whether it can be read."""
    if not settings.published_database.exists():
        night = last_night(settings)
        if night or current_link(settings).is_symlink() or numbered_folders(settings):
            way = (
                f"`onedata run --ds {night}` publishes the last night again"
                if night
                else "`onedata repair` names the fix"
            )
            return [f"PUBLISHED DATABASE GONE\n  {settings.published_database}; {way}"], False
        return [f"nothing is published yet below {settings.published}; run `onedata run`"], True
    try:
        with duckdb.connect(str(settings.published_database), read_only=True) as con:
            return [
                _built(con) + newer_publication(settings),
                _received(con),
                *_reconciled(con),
                _quarantined(con),
                _metrics(con),
            ], True
    except ENGINE_ERRORS as error:
        found = examine(settings.published_database, deep=True)
        what = found.what or f"cannot be read ({str(error).strip().splitlines()[0]})"
        return [
            f"PUBLISHED DATABASE DAMAGED\n  {settings.published_database} {what}; `onedata repair` names the fix"
        ], False


def _build_state(settings: Settings) -> tuple[list[str], bool]:
    try:
        with read_warehouse(settings) as con:
            last = con.execute("select arg_max(run_id, checked_at) from ops.gate").fetchone()
            waiting = con.execute(
                "select ds, count(*) from ops.delivery where applied_at is null group by ds order by ds"
            ).fetchall()
            warnings = con.execute(
                "select subject, rule, message from ops.gate where run_id = ? and severity = 'warning' and not passed "
                "order by subject, rule",
                [last and last[0]],
            ).fetchall()
            gates = _closed(con, last[0]) if last and last[0] else ""
    except WarehouseMissing:
        return [], True
    except HalfRestored as error:
        return [f"HALF RESTORED\n  {error}"], False
    except WarehouseBusy as error:
        return [f"RUNNING\n  {error}\n  Follow it in the Dagster UI."], True
    except WarehouseDamaged as error:
        return [f"DAMAGED\n  {error}"], False
    except WarehouseError as error:
        return [f"UNREADABLE\n  {error}"], False
    parts = []
    if waiting:
        text = "not published yet, because a run was stopped or a gate is closed; `onedata run` continues from there"
        parts.append(f"WAITING: {text}\n" + text_table(["night", "deliveries"], waiting))
    if warnings:
        lines = [
            f"  {subject}, rule {rule}: {mask_error(message)[:MOST_CHARACTERS]}" for subject, rule, message in warnings
        ]
        parts.append("\n".join(["WARNINGS of the last run", *lines]))
    parts.append(gates or "GATES: all of the last run are open")
    return parts, not (waiting or gates)


def _built(con: duckdb.DuckDBPyConnection) -> str:
    night = con.execute("select night from published_night").fetchone()
    tables = con.execute(
        "select table_name, estimated_size from duckdb_tables() where table_name not like 'ops_%' "
        "and table_name <> 'published_night' order by 1"
    ).fetchall()
    return f"PUBLISHED night {night[0] if night else '?'}\n" + text_table(["table", "rows"], tables)


def newer_publication(settings: Settings) -> str:
    """A line if a newer publication than the served one exists, as after `onedata serve` of an older night."""
    served, kept = current_publication(settings), publications(settings)
    if served is None or kept[-1].number <= served.number:
        return ""
    return f"\n  a newer publication is kept, of night {kept[-1].night}: `onedata serve {kept[-1].night}` serves it"


def _received(con: duckdb.DuckDBPyConnection) -> str:
    rows = con.execute(
        "select feed, count(*), sum(received)::bigint, sum(accepted)::bigint, sum(quarantined)::bigint, "
        "sum(duplicate)::bigint from ops_file group by feed order by feed"
    ).fetchall()
    return "RECEIVED = accepted + quarantined + duplicate\n" + text_table(
        ["feed", "files", "received", "accepted", "quarantined", "duplicate"], rows
    )


def _reconciled(con: duckdb.DuckDBPyConnection) -> list[str]:
    """One line per layer of the last night; nothing if the night was published by a version without balances."""
    if not con.execute("select 1 from duckdb_tables() where table_name = 'ops_reconciliation'").fetchone():
        return []
    rows = con.execute(
        "select layer, count(*), count(*) filter (difference <> 0) from ops_reconciliation "
        "where night = (select max(night) from ops_reconciliation) "
        "group by layer order by list_position(['landing', 'ods', 'dim', 'dwd', 'dws', 'ads'], layer)"
    ).fetchall()
    unknown = con.execute(
        f"select count(distinct (subject, path)) from ops_reconciliation where excluded['{UNKNOWN_AT_SOURCE}'] > 0"
    ).fetchone()
    text = "RECONCILED from file to ADS, rows and money (ops_reconciliation)\n" + text_table(
        ["layer", "balances", "do not close"], rows
    )
    if unknown and unknown[0]:
        text += f"\n  {unknown[0]:,} files {UNKNOWN_AT_SOURCE}: their money is checked from ODS on only"
    return [text]


def _quarantined(con: duckdb.DuckDBPyConnection) -> str:
    rows = con.execute(
        "select feed, path, rule, rows from ops_quarantine order by rows desc, feed, path limit ?", [MOST_RULES]
    ).fetchall()
    return "QUARANTINED\n" + (text_table(["feed", "file", "rule", "rows"], rows) if rows else "  nothing")


def _metrics(con: duckdb.DuckDBPyConnection) -> str:
    rows = con.execute(
        "select kpi_id, value, unit, is_available, reason from ads_kpi "
        "where period = 'all' and kpi_id in (select unnest(?::varchar[])) order by list_position(?::varchar[], kpi_id)",
        [list(HEADLINES), list(HEADLINES)],
    ).fetchall()
    shown = [
        (kpi, _value(value, unit) if available else "not available", unit, reason or "")
        for kpi, value, unit, available, reason in rows
    ]
    return "METRICS (ads_kpi), all nights\n" + text_table(["metric", "value", "unit", ""], shown)


def _value(value: Decimal, unit: str) -> str:
    """Format a count as an integer, a ratio as a percentage, anything else with two decimals."""
    return {"count": f"{value:,.0f}", "ratio": f"{value:.1%}"}.get(unit, f"{value:,.2f}")


def _next_steps(settings: Settings, options: str) -> str:
    database = _short(settings.published_database)
    at_home = Path.cwd() == checkout()
    ui = "make dev" if at_home and not options else f"{'.venv/bin/' if at_home else ''}onedata dev{options}"
    python = ".venv/bin/python" if at_home else "python"
    return (
        "NEXT\n"
        f"  the Dagster UI on http://127.0.0.1:3000, the graph, the gates, backfills:\n    {ui}\n"
        "  query what is published:\n"
        f"    {python} -c \"import duckdb; print(duckdb.connect('{database}', "
        "read_only=True).sql('from ads_customer_360 limit 5'))\""
    )


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def closed_gates(settings: Settings, run_id: str) -> str:
    """The gates that closed in a run, in words; '' if none closed, if no night has run yet, or if another run holds the
    warehouse.

    Raises:
        WarehouseDamaged, WarehouseUnreadable: the gates cannot be read.
    """
    try:
        with read_warehouse(settings) as con:
            return _closed(con, run_id)
    except (WarehouseBusy, WarehouseMissing):
        return ""


def _closed(con: duckdb.DuckDBPyConnection, run_id: str) -> str:
    rows = con.execute(
        "select stage, subject, rule, message from ops.gate where run_id = ? and severity = 'error' and not passed "
        "order by checked_at, subject, rule",
        [run_id],
    ).fetchall()
    return "\n".join(
        f"GATE CLOSED after {stage}: {subject}, rule {rule}\n  {mask_error(message)}"
        for stage, subject, rule, message in rows
    )
