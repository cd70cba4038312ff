"""Compare the lake with the warehouse, and the warehouse's layers with one another: rows, keys and money."""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from onedata.contracts.derive import lake_columns
from onedata.contracts.model import Entity
from onedata.contracts.totals import sums_by_currency
from onedata.ledger.paths import partition_folder
from onedata.ledger.states import IN_LAKE, sql_list
from onedata.quality.reconcile import figure
from onedata.quality.reconcile_layers import layer_balances
from onedata.quality.reconcile_versions import LINEAGE, Latest, fresh_balances, superseded
from onedata.sql import escape_glob, quote_text
from onedata.verify.report import Finding, Scope

NOT_READ = "not compared: files of the lake are damaged"


@dataclass(frozen=True)
class _FromLake(Latest):
    """A model to compare with the lake's own files: the ODS views name files of the home they were created in."""

    @property
    def ods(self) -> str:
        return _view(self.entity.name)


def lake_against_ledger(scope: Scope) -> Finding:
    """Compare rows (by the footers of the Parquet files) and money (by currency, over all rows) with the ledger."""
    con, differences, files = scope.con, [], _lake_files(scope)
    held = {path: rows for batch in _batches(list(files)) for path, rows in _footers(con, batch)}
    differences += [
        f"{path} holds {held.get(path, 0):,} rows and the ledger says {rows:,}"
        for path, (_, _, rows) in files.items()
        if held.get(path, 0) != rows
    ]
    for batch, rows, kept in con.execute(
        "select d.batch_id, d.rows, coalesce(sum(l.rows), 0) from ops.delivery d "
        f"left join ops.lake_file l using (batch_id) where d.status in {sql_list(IN_LAKE)} group by all "
        "having d.rows <> coalesce(sum(l.rows), 0) order by 1"
    ).fetchall():
        differences.append(f"delivery {batch} has {rows:,} rows and its files {kept:,}")
    monied = 0
    for entity in scope.entities.values():
        if entity.totals and any(name == entity.name for name, _, _ in files.values()):
            if _is_broken(scope, entity):
                differences.append(f"money of {entity.name} {NOT_READ}")
                continue
            found, count = _money(scope, entity)
            differences += found
            monied += count
    return Finding(f"{len(files):,} files, {sum(held.values()):,} rows, {monied:,} sums of money", differences)


def lake_against_models(scope: Scope) -> Finding:
    """Check that every delivered key is in its model once, as its latest version, and that the money matches."""
    differences, keys, models = [], 0, list(_latest(scope))
    for model in models:
        if not _exists(scope.con, model.layer, model.name):
            differences.append(f"{model.relation} is gone; `onedata run --full-refresh` rebuilds it")
            continue
        if _is_broken(scope, model.entity):
            differences.append(f"{model.relation} {NOT_READ}")
            continue
        _make_view(scope, model.entity)
        differences += _unbalanced(scope.con, fresh_balances(model))
        differences += _versions(scope.con, model)
        keys += int(scope.con.execute(f"select count(*) from {model.relation}").fetchall()[0][0])
    return Finding(f"{len(models)} tables, {keys:,} keys", differences)


def summaries(scope: Scope) -> Finding:
    """Recompute a night's balances of DWS and ADS over the current tables."""
    currency, differences, drawn = scope.settings.reporting_currency, [], 0
    for layer in ("dws", "ads"):
        if scope.con.execute("select 1 from ops.reconciliation where layer = ? limit 1", [layer]).fetchone():
            for query in layer_balances(layer, currency):
                differences += _unbalanced(scope.con, query)
                drawn += 1
    return Finding(f"{drawn} balances", differences)


def _unbalanced(con: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    rows = con.execute(
        "select layer, subject, measure, unit, total_in, total_out, coalesce(list_sum(map_values(excluded)), "
        f"0) as left_out from ({query}) where total_in - total_out <> left_out order by all"
    ).fetchall()
    return [
        f"{subject}: {measure} ({unit}): {figure(entered)} in, {figure(came_out)} out, {figure(left_out)} excluded"
        for _, subject, measure, unit, entered, came_out, left_out in rows
    ]


def _versions(con: duckdb.DuckDBPyConnection, model: Latest) -> list[str]:
    """Check that the model's rows are the latest versions in the lake, by key and lineage."""
    names = {name for (name,) in con.execute(
        "select column_name from duckdb_columns() where schema_name = ? and table_name = ? "
        "and database_name = current_database()", [model.layer, model.name]
    ).fetchall()}  # fmt: skip
    compared = ", ".join(name for name in (*model.key, *LINEAGE) if name in names)
    # Counts, sums and xors of row hashes are additive: delivered rows minus superseded rows are the current rows.
    figures = f"select count(*), bit_xor(hash({compared})), sum(hash({compared})::hugeint)"
    (delivered, older, own) = (
        con.execute(f"{figures} from {rows}").fetchall()[0]
        for rows in (model.ods, f"({superseded(model)})", model.relation)
    )
    left = (delivered[0] - older[0], (delivered[1] or 0) ^ (older[1] or 0), (delivered[2] or 0) - (older[2] or 0))
    if left == (own[0], own[1] or 0, own[2] or 0):
        return []
    return [f"{model.relation} has {own[0]:,} keys and the lake {left[0]:,}; the rows by {compared} are not the same"]


def _money(scope: Scope, entity: Entity) -> tuple[list[str], int]:
    _make_view(scope, entity)
    kept = (
        "(select batch_id from ops.control_total join ops.delivery using (batch_id) "
        f"where status in {sql_list(IN_LAKE)})"
    )
    lake = sums_by_currency(entity, f"(select * from {_view(entity.name)} where _batch in {kept})", ["_feed"])
    feeds = f"(select feed from ops.delivery where entity = {quote_text(entity.name)})"
    ledger = (
        "select feed, total_name as measure, currency as unit, sum(accepted) as amount from ops.control_total "
        f"where batch_id in {kept} and feed in {feeds} group by all"
    )
    rows = scope.con.execute(
        "select coalesce(l.feed, o._feed), coalesce(l.measure, o.measure), coalesce(l.unit, o.unit), "
        "coalesce(l.amount, 0), coalesce(o.amount, 0) "
        f"from ({ledger}) l full outer join ({lake}) o on o._feed = l.feed and o.measure = l.measure "
        "and o.unit = l.unit order by 1, 2, 3"
    ).fetchall()
    wrong = [
        f"feed {feed}: {measure} ({unit}) of the accepted rows is {figure(lake_amount)} in the lake and "
        f"{figure(amount)} in the ledger"
        for feed, measure, unit, amount, lake_amount in rows
        if amount != lake_amount
    ]
    return wrong, len(rows)


def _latest(scope: Scope) -> Iterator[_FromLake]:
    """The models with the latest version per key of an entity, by their recorded balances."""
    rows = scope.con.execute(
        "select distinct layer, model, subject from ops.reconciliation where layer in ('dim', 'dwd') "
        "and starts_with(subject, 'ods_') order by 1, 2"
    ).fetchall()
    for layer, model, subject in rows:
        entity = scope.entities.get(subject.removeprefix("ods_").removesuffix(f" -> {model}"))
        if entity:
            yield _FromLake(entity, layer, model)


def _exists(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    query = (
        "select 1 from duckdb_tables() where schema_name = ? and table_name = ? and database_name = current_database()"
    )
    return bool(con.execute(query, [schema, table]).fetchone())


def _lake_files(scope: Scope) -> dict[str, tuple[str, str, int]]:
    """Path of every valid, undamaged file, to its entity, delivery and row count."""
    rows = scope.con.execute(
        "select l.entity, l.feed, l.ds, l.name, l.batch_id, l.rows from ops.lake_file l "
        f"join ops.delivery d using (batch_id) where d.status in {sql_list(IN_LAKE)}"
    ).fetchall()
    found = {
        str(partition_folder(scope.settings, entity, feed, ds) / name): (entity, batch, rows)
        for entity, feed, ds, name, batch, rows in rows
    }
    return {path: item for path, item in found.items() if path not in scope.broken}


def _is_broken(scope: Scope, entity: Entity) -> bool:
    folder = f"{scope.settings.lake / 'ods' / entity.name}/"
    return any(path.startswith(folder) and path.endswith(".parquet") for path in scope.broken)


def _footers(con: duckdb.DuckDBPyConnection, paths: list[str]) -> list[tuple[str, int]]:
    listed = ", ".join(quote_text(escape_glob(path)) for path in paths)
    return con.execute(f"select file_name, num_rows from parquet_file_metadata([{listed}])").fetchall()


def _batches(paths: list[str], size: int = 1000) -> Iterator[list[str]]:
    for start in range(0, len(paths), size):
        yield paths[start : start + size]


def _view(entity: str) -> str:
    return f"temp.main.lake_{entity}"


def _make_view(scope: Scope, entity: Entity) -> None:
    """The entity's rows in the lake, with the types of ODS, from the valid files."""
    files = [path for path, (name, _, _) in _lake_files(scope).items() if name == entity.name]
    kinds = {**lake_columns(entity), "ds": "date"}
    none = ", ".join(f"null::{kind} as {name}" for name, kind in kinds.items())
    rows = f"select {none} where false"
    if files:
        listed = ", ".join(quote_text(escape_glob(path)) for path in files)
        rows += (
            f" union all by name select * exclude (source) from read_parquet([{listed}], union_by_name = true, "
            "hive_partitioning = true, "
            "hive_types = {'source': varchar, 'ds': date})"
        )
    typed = ", ".join(f"cast({name} as {kind}) as {name}" for name, kind in kinds.items())
    scope.con.execute(f"create or replace temp view lake_{entity.name} as select {typed} from ({rows})")
