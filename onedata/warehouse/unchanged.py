"""Models that a night need not build: their table or view would come to what it is."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from onedata.sql import quote_name, quote_text

ODS = "ods"
READS_PENDING = "pending_only()"
"""A model with this macro adds rows of pending batches only (macros/latest_version.sql)."""


def unchanged_models(
    con: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any], layer: str, lake: Path
) -> list[Mapping[str, Any]]:
    """The dbt nodes of `layer` that have nothing to do tonight, by name.

    A view of ODS is unchanged if its model, the folder of the lake and the entity's files are those it was made of; an
    incremental model, if it exists and no batch of an entity that it reads is pending. A run that builds all anew
    (full refresh, a replaced night) must not ask.
    """
    there = _comments(con, layer)
    nodes = [node for node in _models(manifest, layer) if node["name"] in there]
    if layer == ODS:
        made_of = _made_of(con, manifest, nodes, lake)
        found = [node for node in nodes if there[node["name"]] == made_of[node["name"]]]
    else:
        pending = {entity for (entity,) in con.execute("select distinct entity from ops.pending_batch").fetchall()}
        found = [node for node in nodes if _reads_pending(node) and not pending.intersection(_entities(node))]
    return sorted(found, key=lambda node: str(node["name"]))


def note_views(con: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any], names: Iterable[str], lake: Path) -> None:
    """Note what these views of ODS, just built, are made of; as their comment, so that it goes with them."""
    built = set(names)
    nodes = [node for node in _models(manifest, ODS) if node["name"] in built]
    for name, made_of in _made_of(con, manifest, nodes, lake).items():
        con.execute(f"comment on view {ODS}.{quote_name(name)} is {quote_text(made_of)}")


def _models(manifest: Mapping[str, Any], layer: str) -> Sequence[Mapping[str, Any]]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model" and node["schema"] == layer]


def _comments(con: duckdb.DuckDBPyConnection, schema: str) -> Mapping[str, str | None]:
    """The comments of a schema's tables and views, by name."""
    rows = con.execute(
        "select view_name, comment from duckdb_views() where schema_name = $1 and database_name = current_database() "
        "union all select table_name, comment from duckdb_tables() where schema_name = $1 "
        "and database_name = current_database()",
        [schema],
    ).fetchall()
    return dict(rows)


def _made_of(
    con: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]], lake: Path
) -> Mapping[str, str]:
    """A hash of the model, the macros of the lake, its folder and the entity's files, by view."""
    files = dict(
        con.execute(
            "select l.entity, md5(string_agg(concat_ws('/', l.feed, l.ds, l.name), ' ' order by l.feed, l.ds, l.name)) "
            "from ops.lake_file l join ops.batch b on l.batch_id = b.batch_id group by 1"
        ).fetchall()
    )
    macros = [macro["macro_sql"] for name, macro in sorted(manifest["macros"].items()) if name.endswith("__lake")]
    parts = {
        node["name"]: [node["raw_code"], *macros, str(lake), *(files.get(entity, "") for entity in _entities(node))]
        for node in nodes
    }
    return {name: hashlib.sha256("\0".join(texts).encode()).hexdigest() for name, texts in parts.items()}


def _reads_pending(node: Mapping[str, Any]) -> bool:
    return node["config"]["materialized"] == "incremental" and READS_PENDING in node["raw_code"]


def _entities(node: Mapping[str, Any]) -> Sequence[str]:
    """The entities whose rows a model of ODS, or one that reads ODS alone, is made of."""
    read = [name.rsplit(".", 1)[-1] for name in node["depends_on"]["nodes"]]
    names = [node["name"]] if node["schema"] == ODS else read
    return [name.removeprefix(f"{ODS}_") for name in names]
