"""Models and tests that a night need not run again: they would come to what they came to before.

Method (Mokhov, Mitchell, Peyton Jones: Build systems a la carte, 2018): each node of dbt is noted in `ops.built` with a
hash of its code, a hash of the versions of what it reads, and a version of its own, a new one whenever it is built. A
node is unchanged if both hashes are what was noted. A small table that is built anew with the same rows keeps its
version, so that what reads it is unchanged too.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import yaml

from onedata.sql import quote_name, quote_text, transaction

ODS = "ods"
READS_PENDING = "pending_only()"
"""A model with this macro adds rows of pending batches only (macros/latest_version.sql)."""
SETTING = re.compile(r"""\b(?:env_)?var\(\s*['"](\w+)""")
MATERIALIZATION = ".materialization_"
PLACES = ("ONEDATA_LAKE", "ONEDATA_IDENTIFIERS")
"""Settings that are paths; what lies there is known by other hashes."""
TELLS_READERS = ("docs", "group", "meta", "tags")
"""Configuration of a model that changes none of its rows."""
SMALL_ROWS = 100_000
"""A table of so many rows is compared with what it was; to read a larger one costs as much as what may be saved."""
Manifest = Mapping[str, Any]
Node = Mapping[str, Any]


@dataclass(frozen=True)
class Noted:
    """A row of `ops.built`."""

    code: str
    inputs: str
    version: str
    content: str | None


@dataclass(frozen=True)
class LayerPlan:
    """What the build of a layer leaves as it is and what it runs, by dbt's unique ids, in the order of the graph.

    Seeds count as models. `outdated` are the names of the incremental models whose tables have rows that other SQL or
    settings made, or other columns than the YAML describes: because of one, everything runs, from the whole lake.
    `code` is each node's hash, `versions` are those of all that the layer reads and leaves, and `before` is what was
    noted of the nodes that run.
    """

    left: Sequence[str]
    untested: Sequence[str]
    run: Sequence[str]
    outdated: Sequence[str]
    code: Mapping[str, str] = field(repr=False)
    versions: Mapping[str, str] = field(repr=False)
    before: Mapping[str, Noted] = field(repr=False)


def settings_seen(project: Path, environment: Mapping[str, str]) -> Mapping[str, str]:
    """The settings that SQL may read: the process's environment and the variables of the dbt project in this folder."""
    told = yaml.safe_load((project / "dbt_project.yml").read_text(encoding="utf-8"))
    return {**environment, **{name: str(value) for name, value in told.get("vars", {}).items()}}


def plan_layer(
    con: duckdb.DuckDBPyConnection, manifest: Manifest, layer: str, settings: Mapping[str, str], whole: bool = False
) -> LayerPlan:
    """What of `layer` is to be built and tested: everything if `whole`, as in a full refresh.

    A view of ODS reads its entity's files in the lake. An incremental model is unchanged if also no batch of an entity
    that it reads is pending; one that does not read pending batches never is. `settings` are those of `settings_seen`.
    """
    nodes = _nodes(manifest, layer)
    noted = {name: Noted(*row) for name, *row in con.execute("from ops.built").fetchall()}
    comments = _comments(con)
    pending = {entity for (entity,) in con.execute("select distinct entity from ops.pending_batch").fetchall()}
    code = {name: _code(manifest, node, settings) for name, node in nodes.items()}
    versions = {name: was.version for name, was in noted.items() if name not in nodes} | _outside(con, manifest, nodes)
    outdated = _outdated(con, nodes, noted, code)
    left: list[str] = []
    run: list[str] = []
    for name in _in_order(nodes):
        node, was = nodes[name], noted.get(name)
        if (
            was is not None
            and not whole
            and not outdated
            and was.code == code[name]
            and was.inputs == _inputs(node, versions)
            and (_is_test(node) or comments.get(_place(node)) == was.version)
            and not _waits(node, pending)
        ):
            left.append(name)
            versions[name] = was.version
        else:
            run.append(name)
    return LayerPlan(
        [name for name in left if not _is_test(nodes[name])],
        [name for name in left if _is_test(nodes[name])],
        run,
        outdated,
        code,
        versions,
        {name: noted[name] for name in run if name in noted},
    )


def forget(con: duckdb.DuckDBPyConnection, plan: LayerPlan) -> None:
    """Before a build: what it runs is as good as unknown until it has ended, also if the process is killed. The code
    stays: it tells which of the tables that are left from before was made by other SQL."""
    con.execute(
        "update ops.built set inputs = '', version = '', content = null where node in (select unnest($1::varchar[]))",
        [list(plan.run)],
    )


def note_built(
    con: duckdb.DuckDBPyConnection, manifest: Manifest, layer: str, plan: LayerPlan, ran: Collection[str]
) -> None:
    """After a build that succeeded: note what it ran, models as `schema__name` and tests by their name. The comment of
    a table or view holds its version too, so that it goes with them."""
    nodes = _nodes(manifest, layer)
    built = [name for name in plan.run if _told(nodes[name]) in ran]
    contents = _contents(con, [nodes[name] for name in built])
    versions = dict(plan.versions)
    with transaction(con):
        for name in built:
            node, before = nodes[name], plan.before.get(name)
            content = contents.get(node["name"]) if not _is_test(node) else None
            is_same = before is not None and (before.code, before.content) == (plan.code[name], content or "")
            versions[name] = before.version if before is not None and is_same else uuid4().hex
            con.execute(
                "insert or replace into ops.built values (?, ?, ?, ?, ?)",
                [name, plan.code[name], _inputs(node, versions), versions[name], content],
            )
            if not _is_test(node):
                kind = "view" if node["config"]["materialized"] == "view" else "table"
                con.execute(f"comment on {kind} {_relation(node)} is {quote_text(versions[name])}")


def _nodes(manifest: Manifest, layer: str) -> Mapping[str, Node]:
    """The models, tests and, with DIM, seeds of a layer."""
    return {
        name: node
        for name, node in manifest["nodes"].items()
        if (node["resource_type"] in ("model", "test") and node["fqn"][1] == layer)
        or (node["resource_type"] == "seed" and layer == "dim")
    }


def _outdated(
    con: duckdb.DuckDBPyConnection, nodes: Mapping[str, Node], noted: Mapping[str, Noted], code: Mapping[str, str]
) -> list[str]:
    """A table of which nothing is noted, as in a home of an earlier version, was made by nobody knows what; a model
    without a table is not outdated."""
    rows = con.execute(
        "select schema_name, table_name, list(column_name) from duckdb_columns() "
        "where database_name = current_database() group by 1, 2"
    ).fetchall()
    columns = {(schema, table): set(names) for schema, table, names in rows}
    return sorted(
        node["name"]
        for name, node in nodes.items()
        if node["config"].get("materialized") == "incremental"
        and _place(node) in columns
        and (name not in noted or noted[name].code != code[name] or columns[_place(node)] != set(node["columns"]))
    )


def _is_test(node: Node) -> bool:
    return bool(node["resource_type"] == "test")


def _told(node: Node) -> str:
    return str(node["name"]) if _is_test(node) else f"{node['schema']}__{node['name']}"


def _reads(node: Node) -> Sequence[str]:
    return list(node.get("depends_on", {}).get("nodes", []))


def _in_order(nodes: Mapping[str, Node]) -> list[str]:
    """What is read before what reads it."""
    graph = {name: sorted(set(_reads(node)).intersection(nodes)) for name, node in sorted(nodes.items())}
    return list(TopologicalSorter(graph).static_order())


def _comments(con: duckdb.DuckDBPyConnection) -> Mapping[tuple[str, str], str | None]:
    """The comments of tables and views, by schema and name."""
    rows = con.execute(
        "select schema_name, view_name, comment from duckdb_views() where database_name = current_database() union all "
        "select schema_name, table_name, comment from duckdb_tables() where database_name = current_database()"
    ).fetchall()
    return {(schema, name): comment for schema, name, comment in rows}


def _code(manifest: Manifest, node: Node, settings: Mapping[str, str]) -> str:
    """A hash of the node's SQL and configuration, of every macro of the project that it calls, and of the settings that
    these read.

    An incremental model keeps rows of earlier nights, so the views of ODS that it reads are its code too. Where the
    home lies changes none of its rows, and a new version of an engine or of dbt is no reason to make them anew.
    """
    nodes = [node]
    engines = [duckdb.__version__, manifest.get("metadata", {}).get("dbt_version", "")]
    if node["config"].get("materialized") == "incremental":
        parents = [manifest["nodes"][parent] for parent in _reads(node) if parent in manifest["nodes"]]
        nodes += [parent for parent in parents if parent["schema"] == ODS]
        settings = {name: str(bool(value)) if name in PLACES else value for name, value in settings.items()}
        engines = []
    sql = [text for each in nodes for text in [each["raw_code"], *_macros(manifest, each)]]
    names = sorted({name for text in sql for name in SETTING.findall(text)})
    values = [f"{name}={settings.get(name, '')}" for name in names]
    config = {name: value for name, value in node["config"].items() if name not in TELLS_READERS}
    given = json.dumps([node["checksum"], config, node.get("test_metadata")], sort_keys=True, default=str)
    return _hash([*engines, given, *sql, *values])


def _macros(manifest: Manifest, node: Node) -> Sequence[str]:
    """The project's macros that a node calls, those that these call, and those that build a table or view."""
    found: dict[str, str] = {}
    ahead = list(node.get("depends_on", {}).get("macros", []))
    if not _is_test(node):
        ahead += [name for name in manifest["macros"] if MATERIALIZATION in name]
    while ahead:
        macro = manifest["macros"][ahead.pop()]
        if macro["package_name"] == node["package_name"] and macro["unique_id"] not in found:
            found[macro["unique_id"]] = macro["macro_sql"]
            ahead += macro["depends_on"]["macros"]
    return [text for _, text in sorted(found.items())]


def _outside(con: duckdb.DuckDBPyConnection, manifest: Manifest, nodes: Mapping[str, Node]) -> dict[str, str]:
    """Versions of what dbt does not build: sources by their rows, and each entity's files in the lake."""
    read = sorted({parent for node in nodes.values() for parent in _reads(node) if parent in manifest["sources"]})
    sources = [manifest["sources"][name] for name in read]
    rows = [
        con.execute(f"select concat_ws('/', count(*), sum(hash(t))) from {_relation(source)} as t").fetchone()
        for source in sources
    ]
    files = con.execute(
        "select l.entity, md5(string_agg(concat_ws('/', l.feed, l.ds, l.name), ' ' order by l.feed, l.ds, l.name)) "
        "from ops.lake_file l join ops.batch b on l.batch_id = b.batch_id group by 1"
    ).fetchall()
    found = {name: row[0] for name, row in zip(read, rows, strict=True) if row}
    return found | {_files_of(f"{ODS}_{entity}"): made_of for entity, made_of in files}


def _files_of(view: str) -> str:
    return f"files of {view}"


def _inputs(node: Node, versions: Mapping[str, str]) -> str:
    """A hash of the versions of what a node reads; one that is not known, as it runs tonight, equals no other."""
    if node["schema"] == ODS:
        return versions.get(_files_of(node["name"]), "")
    return _hash([f"{name}={versions.get(name) or uuid4().hex}" for name in sorted(_reads(node))])


def _waits(node: Node, pending: Collection[str]) -> bool:
    """Whether an incremental model has rows to add, or may have."""
    if node["config"].get("materialized") != "incremental":
        return False
    entities = {name.rsplit(".", 1)[-1].removeprefix(f"{ODS}_") for name in _reads(node)}
    return READS_PENDING not in node["raw_code"] or not entities.isdisjoint(pending)


def _contents(con: duckdb.DuckDBPyConnection, nodes: Sequence[Node]) -> Mapping[str, str]:
    """Of each small table its columns with their types, row count, and sum of the hashes of its rows, which does not
    depend on their order. A hash of a row knows no names and no types."""
    tables = con.execute(
        "select c.schema_name, c.table_name, string_agg(c.column_name || ' ' || c.data_type, ', ' "
        "order by c.column_index) from duckdb_tables() as t "
        "join duckdb_columns() as c using (table_oid, database_name) "
        "where t.database_name = current_database() and t.estimated_size <= ? group by 1, 2",
        [SMALL_ROWS],
    ).fetchall()
    small = {(schema, name): columns for schema, name, columns in tables}
    queries = [
        f"select {quote_text(node['name'])}, concat_ws('/', {quote_text(small[_place(node)])}, count(*), sum(hash(t))) "
        f"from {_relation(node)} as t"
        for node in nodes
        if not _is_test(node) and _place(node) in small
    ]
    return dict(con.execute(" union all ".join(queries)).fetchall()) if queries else {}


def _place(node: Node) -> tuple[str, str]:
    return node["schema"], node["name"]


def _relation(node: Node) -> str:
    return f"{quote_name(node['schema'])}.{quote_name(node.get('identifier') or node['name'])}"


def _hash(texts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
