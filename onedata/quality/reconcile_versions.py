"""Balances from ODS to DIM and DWD: every delivered row is the latest version of its key or superseded by it.

Where several feeds of a source system deliver a key, the latest version has each column from the newest row of a feed
that maps it (dbt_project/macros/several_feeds.sql); what that changes in money is part of what was superseded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from onedata.contracts.model import Entity
from onedata.contracts.totals import AMOUNT, currency_code, exact, sums_by_currency
from onedata.quality.reconcile_lake import excluded
from onedata.sql import quote_text

LINEAGE = ("ds", "_feed", "_file", "_edition", "_row")


@dataclass(frozen=True)
class Latest:
    """A model that holds the latest version per key of one entity."""

    entity: Entity
    layer: str
    name: str

    @property
    def relation(self) -> str:
        return f"{self.layer}.{self.name}"

    @property
    def ods(self) -> str:
        return f"ods.ods_{self.entity.name}"

    @property
    def subject(self) -> str:
        return f"ods_{self.entity.name} -> {self.name}"

    @property
    def key(self) -> list[str]:
        return ["source_system", *self.entity.key]


def latest_models(entities: Mapping[str, Entity], manifest: Mapping[str, Any], layer: str) -> list[Latest]:
    """The models of `layer` whose unique key is that of the entity they read, by name."""
    found = []
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model" and node["schema"] == layer:
            for parent in node["depends_on"]["nodes"]:
                entity = entities.get(parent.rpartition(".ods_")[2])
                if entity and node["config"].get("unique_key") == ["source_system", *entity.key]:
                    found.append(Latest(entity, layer, node["name"]))
    return sorted(found, key=lambda model: model.name)


def version_balances(con: duckdb.DuckDBPyConnection, model: Latest) -> str:
    """The query of the model's balances: rows, and the entity's totals by currency; the last ones if nothing can have
    changed."""
    return _as_before(model) if _stands(con, model) else fresh_balances(model)


def fresh_balances(model: Latest) -> str:
    """The query of the model's balances, computed over all delivered rows."""
    zero = f"0::{AMOUNT}"
    delivered = f"select coalesce(sum(rows), 0) from ops.batch where entity = {quote_text(model.entity.name)}"
    parts = [
        f"select 'rows' as measure, 'rows' as unit, ({delivered})::{AMOUNT} as total_in, (select count(*) "
        f"from {model.relation})::{AMOUNT} as total_out, "
        f"(select count(*) from superseded)::{AMOUNT} as superseded"
    ]
    if model.entity.totals:
        parts += [
            f"select measure, unit, amount, {zero}, {zero} from ({sums_by_currency(model.entity, model.ods, [])})",
            f"select measure, unit, {zero}, amount, {zero} from ({_standing_money(model)})",
            f"select measure, unit, {zero}, {zero}, amount from ({sums_by_currency(model.entity, 'superseded', [])})",
            f"select measure, unit, {zero}, {zero}, amount from ({sums_by_currency(model.entity, 'newest', [])})",
            f"select measure, unit, {zero}, {zero}, -amount from ({sums_by_currency(model.entity, 'pieced', [])})",
        ]
    return (
        f"with repeated as materialized ({_repeated(model)}), superseded as ({_superseded(model, 'repeated')}), "
        f"crossed as materialized ({_crossed(model)}), newest as ({_newest(model)}), pieced as ({_pieced(model)}) "
        f"select {quote_text(model.layer)} as layer, "
        f"{quote_text(model.name)} as model, "
        f"{quote_text(model.subject)} as subject, null as ds, null as path, measure, unit, sum(total_in) as total_in, "
        "sum(total_out) as total_out, "
        f"{excluded(('superseded versions', 'sum(superseded)'))} as excluded from ({' union all '.join(parts)}) "
        "group by measure, unit"
    )


def superseded(model: Latest) -> str:
    """SQL: the delivered rows that a later version of their key supersedes, found without the SQL that dbt builds the
    model with."""
    return _superseded(model, f"({_repeated(model)})")


def _repeated(model: Latest) -> str:
    """SQL: the delivered rows of keys that may have more than one, and whether several feeds delivered the key.

    Most keys have one row; the others are found by a hash of the key, in one pass over the key's columns, and only
    their rows are sorted.
    """
    key = ", ".join(model.key)
    feeds = f"min(_feed) over (partition by {key}) <> max(_feed) over (partition by {key}) as _crossed"
    return (
        f"select *, {feeds} from {model.ods} where hash({key}) in (select hash({key}) from {model.ods} group by 1 "
        "having count(*) > 1)"
    )


def _superseded(model: Latest, repeated: str) -> str:
    return f"select * from {repeated} qualify {_number(model)} > 1"


def _crossed(model: Latest) -> str:
    """SQL: of keys that several feeds delivered, the latest row of each feed."""
    return f"select * from repeated where _crossed qualify {_number(model, ['_feed'])} = 1"


def _newest(model: Latest) -> str:
    """SQL: of keys that several feeds delivered, the row that does not count as superseded."""
    return f"select * from crossed qualify {_number(model)} = 1"


def _pieced(model: Latest) -> str:
    """SQL: one row per key of `crossed`, each column from the newest row whose feed maps it."""
    key = ", ".join(model.key)
    version = f"{model.entity.version} nulls first, " if model.entity.version else ""
    mapped = "list_contains(string_split(_mapped, ','), '{}')"
    columns = ", ".join(
        f"arg_max_null({name}, _age) filter ({name} is not null or {mapped.format(name)}) as {name}"
        for name in (column.name for column in model.entity.columns)
        if name not in model.key
    )
    return (
        f"select {key}, {columns} from (select *, row_number() over (partition by {key} order by {version}ds, "
        f"coalesce(_priority, 0), _feed desc) as _age from crossed) group by {key}"
    )


def _number(model: Latest, further: Sequence[str] = ()) -> str:
    """SQL: the row's number among those of its key (and of `further` columns), the latest first. Between feeds the
    priority decides before the place in the lake."""
    version = [f"{model.entity.version} desc nulls last"] if model.entity.version else []
    between = ["case when _crossed then coalesce(_priority, 0) end desc", "case when _crossed then _feed end"]
    order = [*version, "ds desc nulls last", *between, *(f"{column} desc nulls last" for column in LINEAGE[1:])]
    return f"row_number() over (partition by {', '.join([*model.key, *further])} order by {', '.join(order)})"


def _standing_money(model: Latest) -> str:
    """SQL: measure, unit, amount of the model's own columns."""
    sums = ", ".join(f"{exact(f'sum({total.name})')} as {total.name}" for total in model.entity.totals)
    each = " union all ".join(
        f"select {quote_text(total.name)} as measure, unit, {total.name} as amount from summed"
        for total in model.entity.totals
    )
    return (
        f"with summed as (select {currency_code('currency')} as unit, {sums} from {model.relation} group by all) {each}"
    )


def _last(model: Latest) -> str:
    """SQL: the model's last balances."""
    return (
        f"select * from ops.reconciliation where layer = {quote_text(model.layer)} "
        f"and subject = {quote_text(model.subject)} qualify checked_at = max(checked_at) over ()"
    )


def _stands(con: duckdb.DuckDBPyConnection, model: Latest) -> bool:
    """True if nothing arrived for the entity, its last balances closed, and the model is unchanged since then."""
    if con.execute("select 1 from ops.pending_batch where entity = ? limit 1", [model.entity.name]).fetchone():
        return False
    now = f"select 'rows' as measure, 'rows' as unit, count(*)::{AMOUNT} as amount from {model.relation}"
    if model.entity.totals:
        now += f" union all select * from ({_standing_money(model)})"
    changed = con.execute(
        f"with last as ({_last(model)}), before as (select measure, unit, total_out as amount from last), "
        f"now as ({now}) select (select count(*) from last) = 0 or exists (from last where difference <> 0) "
        "or exists (from before except from now) or exists (from now except from before)"
    ).fetchone()
    return changed == (False,)


def _as_before(model: Latest) -> str:
    columns = "layer, model, subject, ds, path, measure, unit, total_in, total_out, excluded"
    return f"select {columns} from ({_last(model)})"
