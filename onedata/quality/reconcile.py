"""Reconciliation: every row and cent that enters a stage leaves it or is excluded with a named reason.

A balance is one equation: total_in = total_out + excluded, by reason. `reconcile_lake` (files to ODS),
`reconcile_versions` (ODS to DIM and DWD) and `reconcile_layers` (DWD to ADS) compute balances in SQL; this module
records them in ops.reconciliation and judges them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb

from onedata.contracts.model import Entity, Feed
from onedata.contracts.totals import AMOUNT
from onedata.ledger import tick
from onedata.quality.balances import declared_balances
from onedata.quality.reconcile_lake import lake_balances
from onedata.quality.reconcile_layers import layer_balances
from onedata.quality.reconcile_versions import latest_models, version_balances
from onedata.quality.results import CheckResult
from onedata.settings import Settings
from onedata.sql import transaction

DDL = f"""
create schema if not exists ops;
create table if not exists ops.reconciliation (
    run_id varchar not null, night date not null, layer varchar not null, model varchar not null,
    subject varchar not null, ds date, path varchar,
    measure varchar not null, unit varchar not null, total_in {AMOUNT} not null, total_out {AMOUNT} not null,
    excluded map(varchar, {AMOUNT}) not null, difference {AMOUNT} not null, checked_at timestamp not null
);
comment on table ops.reconciliation is
    'Every balance of every run: total_in = total_out + excluded by reason + difference, and the difference must be 0.';
"""
LAYERS = ("ods", "dim", "dwd", "dws", "ads")
MOST_TOLD, MOST_SHOWN = 3, 40


@dataclass(frozen=True)
class Scope:
    """Inputs of the balances: the retailer's settings, feeds and entities, and dbt's manifest."""

    settings: Settings
    feeds: Sequence[Feed]
    entities: Mapping[str, Entity]
    manifest: Mapping[str, Any]


def create_reconciliation(con: duckdb.DuckDBPyConnection) -> None:
    """Create missing tables."""
    con.execute(DDL)


def reconciled_models(scope: Scope, layer: str) -> list[str]:
    """The models of `layer` that have balances."""
    if layer == "ods":
        return sorted({f"ods_{feed.entity.name}" for feed in scope.feeds})
    if layer in ("dim", "dwd"):
        return [model.name for model in latest_models(scope.entities, scope.manifest, layer)]
    return sorted({balance.model for balance in declared_balances(layer)})


def reconcile(
    con: duckdb.DuckDBPyConnection, scope: Scope, layer: str, night: date, run_id: str
) -> dict[str, list[CheckResult]]:
    """Compute and record the balances of one layer; those of `ods` begin with the files that landed.

    Args:
        con: The warehouse, with ledger, lake views and the layer's tables.
        scope: Inputs of the balances.
        layer: ods, dim, dwd, dws or ads.
        night: The run's night.
        run_id: The run.

    Returns:
        Model to its results, one per subject and kind (rows, money); an error if a difference is not 0.
    """
    checked_at = tick(con)
    with transaction(con):
        for query in _balances(con, scope, layer):
            con.execute(
                "insert into ops.reconciliation select ?, ?, layer, model, subject, ds, path, measure, unit, total_in, "
                "total_out, excluded, total_in - total_out - coalesce(list_sum(map_values(excluded)), 0), ? "
                f"from ({query})",
                [run_id, night, checked_at],
            )
    return _judge(con, layer, checked_at)


def drawn(con: duckdb.DuckDBPyConnection, model: str, run_id: str) -> list[tuple[object, ...]]:
    """A run's balances of one model for display: subject, night, file, measure, unit, in, out, excluded, difference;
    those that do not close come first."""
    rows = con.execute(
        "select subject, ds, path, measure, unit, total_in, total_out, excluded, difference from ops.reconciliation "
        "where model = ? and run_id = ? order by abs(difference) desc, subject, ds desc, path, unit, measure limit ?",
        [model, run_id, MOST_SHOWN],
    ).fetchall()
    return [(*row[:5], figure(row[5]), figure(row[6]), _reasons(row[7]), figure(row[8])) for row in rows]


def _balances(con: duckdb.DuckDBPyConnection, scope: Scope, layer: str) -> list[str]:
    if layer == "ods":
        return lake_balances(con, scope.settings, scope.feeds, scope.entities)
    if layer in ("dim", "dwd"):
        return [version_balances(con, model) for model in latest_models(scope.entities, scope.manifest, layer)]
    return layer_balances(layer, scope.settings.reporting_currency)


def _judge(con: duckdb.DuckDBPyConnection, layer: str, checked_at: datetime) -> dict[str, list[CheckResult]]:
    rows = con.execute(
        "select model, subject, is_money, count(*), count(*) filter (difference <> 0), "
        "list({'text': concat_ws(' ', measure, case when is_money then unit end, 'in ' || path, 'for ' || ds), "
        "'night': night, "
        "'total_in': total_in, 'total_out': total_out, 'excluded': excluded, 'difference': difference} "
        "order by abs(difference) desc) "
        "filter (difference <> 0) as wrong from (select *, regexp_full_match(unit, '[A-Z]{3}') as is_money "
        "from ops.reconciliation where checked_at = ?) "
        "group by all order by all",
        [checked_at],
    ).fetchall()
    found: dict[str, list[CheckResult]] = {}
    for model, subject, is_money, count, wrong_count, wrong in rows:
        told = [_told(item) for item in (wrong or [])[:MOST_TOLD]]
        message = f"layer {layer}, {'; '.join(told)}" if told else f"{count} balances close"
        rule = "money_reconciled" if is_money else "rows_reconciled"
        observed = figure(wrong[0]["difference"]) if wrong else ""
        found.setdefault(model, []).append(
            CheckResult(layer, subject, rule, "error", not wrong_count, observed, message)
        )
    return found


def _told(item: Mapping[str, Any]) -> str:
    return (
        f"night {item['night']}: {item['text']}: {figure(item['total_in'])} in, {figure(item['total_out'])} out, "
        f"{_reasons(item['excluded'])} excluded: "
        f"difference {figure(item['difference'])}"
    )


def _reasons(excluded: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{figure(amount)} {reason}" for reason, amount in excluded.items()) or "nothing"


def figure(amount: Decimal) -> str:
    """Format a count without decimals, and money with two decimals, or with four if it has them."""
    return f"{amount:,.4f}".removesuffix("00").removesuffix(".00")
