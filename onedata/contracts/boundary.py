"""Restrict the SQL of a contract to reading its own row or rows. Checked on DuckDB's own parse tree, before anything is
run (ADR 14).

Everything is an allow list: kinds of expression, of query and of source, and functions that compute only from their
arguments. Any other feature of DuckDB, present or future, is refused because it is not listed.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import duckdb

from onedata.contracts.model import ContractError

OBJECT = "onedata_object"
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
Tables = Collection[tuple[str, str]]

_SCALAR = frozenset(
    (
        "BETWEEN",
        "CASE",
        "CAST",
        "COLLATE",
        "COLUMN_REF",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "FUNCTION",
        "LAMBDA",
        "OPERATOR",
    )
)
_OF_QUERIES = _SCALAR | {"POSITIONAL_REFERENCE", "STAR", "SUBQUERY", "WINDOW"}
_NODES = """
    SELECT_NODE SET_OPERATION_NODE EMPTY BASE_TABLE JOIN SUBQUERY EXPRESSION_LIST TABLE_FUNCTION
    ORDER_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER DISTINCT_MODIFIER ORDER_DEFAULT ASCENDING DESCENDING
    UNBOUND_TYPE_INFO DECIMAL_TYPE_INFO LIST_TYPE_INFO STRUCT_TYPE_INFO ARRAY_TYPE_INFO STRING_TYPE_INFO
    GENERIC_TYPE_INFO
"""
_ROW_SOURCES = frozenset(("unnest", "range", "generate_series"))
# Scalar functions that are refused: they read settings, variables, sequences, other SQL or the session, wait, log, or
# stop the night with a value in the message.
_FORBIDDEN = """
    getvariable getenv current_setting current_database current_schema current_schemas current_catalog current_query
    current_role current_user session_user user version in_search_path txid_current get_block_size
    col_description obj_description shobj_description format_pg_type format_type map_to_pg_oid
    json_serialize_sql json_serialize_plan json_deserialize_sql json_execute_serialized_sql
    error write_log sleep_ms nextval currval setseed stats query query_table
"""
_FORBIDDEN_BEGINNINGS = ("__internal", "pg_", "has_", "inet_", "duckdb_", "pragma_", "read_", "parquet_")
_TAKE_LAMBDA = frozenset(
    f"{beginning}{name}" for beginning in ("", "list_", "array_") for name in ("transform", "apply", "filter", "reduce")
)
_ALONE = "functions that compute from their arguments alone"
_EXPRESSION = f"one expression over the feed's own {{fields}}, with {_ALONE}"
_AMOUNT = f"one expression over the entity's public columns, with {_ALONE}"
_QUERY = f"one SELECT from {{object}} and known tables, with {_ALONE}"


@dataclass(frozen=True)
class _Scope:
    """Names allowed at a place of the tree.

    In an expression: columns, those of them that an entity has (`own`), and macros; in a query (`columns` None):
    tables.
    """

    columns: frozenset[str] | None
    own: frozenset[str] = frozenset()
    tables: frozenset[tuple[str, str]] = frozenset()
    extra_functions: frozenset[str] = frozenset()

    @property
    def is_query(self) -> bool:
        return self.columns is None


class _Outside(Exception):
    """A construct that is not allowed; the message is the end of a sentence that begins with the SQL."""


@cache
def _allowed_functions() -> tuple[frozenset[str], frozenset[str]]:
    """DuckDB's own scalar functions and aggregates that a contract may call, listed once a process."""
    with duckdb.connect() as con:
        rows = con.execute(
            "select function_name, bool_or(function_type <> 'aggregate') from duckdb_functions() "
            "where function_type in ('scalar', 'macro', 'aggregate') and database_name = 'system' group by 1 "
            "having bool_and(coalesce(stability, '') <> 'VOLATILE')"
        ).fetchall()
    refused = set(_FORBIDDEN.split())
    allowed = [row for row in rows if row[0] not in refused and not row[0].startswith(_FORBIDDEN_BEGINNINGS)]
    return frozenset(name for name, scalar in allowed if scalar), frozenset(
        name for name, scalar in allowed if not scalar
    )


@dataclass
class Boundary:
    """Checks SQL of contracts on one connection, which is used only for parsing."""

    con: duckdb.DuckDBPyConnection
    _scalar: frozenset[str] = field(init=False)
    _aggregate: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self._scalar, self._aggregate = _allowed_functions()

    def check_expression(
        self, sql: str, where: str, columns: Collection[str] = (), functions: Collection[str] = ()
    ) -> None:
        """Refuse anything but one expression over `{placeholders}` and the named columns.

        Args:
            sql: As written in the YAML.
            where: File and place, for the error message.
            columns: Columns that may be named directly.
            functions: Platform macros that may also be called.

        Raises:
            ContractError: it is not SQL, or uses something outside the boundary; the message says what, and what is
                allowed.
        """
        filled, marks = _marked(sql, None)
        scope = _Scope(frozenset((*marks, *columns)), frozenset(columns), extra_functions=frozenset(functions))
        try:
            node = self._parsed(f"select {filled}")
            if (
                node["type"] != "SELECT_NODE"
                or len(node["select_list"]) != 1
                or node["select_list"][0]["alias"]
                or not _is_bare(node)
            ):
                raise _Outside("is more than one expression")
            used = set(self._walk(node["select_list"], scope))
            # Landing puts parentheses around it: a comment or parenthesis that leaves them does not parse both ways.
            inside = self._parsed(f"select try({filled})")["select_list"][0]
            if _plain(inside.get("children")) != _plain(node["select_list"]):
                raise _Outside("is more than one expression")
            for mark, name in marks.items():
                if mark not in used:
                    raise _Outside(
                        f"has {{{name}}} in quotes or in a comment; write it as a value, {{{name}}} || 'text'"
                    )
        except _Outside as error:
            allowed = _AMOUNT if columns else _EXPRESSION
            raise ContractError(f"{where} {error}. Allowed is {allowed} (docs/contracts.md).") from None

    def check_query(self, sql: str, where: str, tables: Tables = ()) -> None:
        """Refuse anything but one query of `{object}` and the `tables`, given as (schema, name).

        Raises:
            ContractError: as for expressions.
        """
        filled, marks = _marked(sql, "object")
        try:
            node = self._parsed(filled)
            used = set(self._walk(node, _Scope(None, tables=frozenset((*(("", mark) for mark in marks), *tables)))))
            inside = self._parsed(f"select count(*) from ({filled})")["from_table"]
            if _plain(inside.get("subquery", {}).get("node")) != _plain(node):
                raise _Outside("is more than one query")
            if not used >= marks.keys():
                raise _Outside("names {object} where no table stands; write from {object} as rows, and use rows")
        except _Outside as error:
            raise ContractError(f"{where} {error}. Allowed is {_QUERY} (docs/contracts.md).") from None

    def _parsed(self, sql: str) -> dict[str, Any]:
        """The parse tree of one SELECT."""
        row = self.con.execute("select json_serialize_sql(?::varchar)", [sql]).fetchone()
        tree = json.loads(row[0]) if row else {}
        if tree["error"]:
            changes = tree["error_type"] == "not implemented"
            raise _Outside("is no plain query" if changes else f"is not SQL: {tree['error_message']}")
        if len(tree["statements"]) != 1:
            raise _Outside("is more than one statement")
        node: dict[str, Any] = tree["statements"][0]["node"]
        if node["type"] not in ("SELECT_NODE", "SET_OPERATION_NODE"):
            raise _Outside("is no plain query (with recursive may never end)")
        return node

    def _walk(self, node: Any, scope: _Scope) -> Iterator[str]:
        """The columns of an expression, the tables of a query, each once per occurrence.

        Raises:
            _Outside: it contains something that is not allowed.
        """
        if isinstance(node, list):
            for item in node:
                yield from self._walk(item, scope)
        if not isinstance(node, dict):
            return
        if "class" in node:
            yield from self._expression(node, scope)
        elif node.get("sample"):
            raise _Outside("takes a sample, which is another one each night")
        elif "cte_map" in node:
            yield from self._query(node, scope)
        else:
            if isinstance(node.get("type"), str):
                yield from self._source(node, scope)
            for item in node.values():
                yield from self._walk(item, scope)

    def _expression(self, node: Mapping[str, Any], scope: _Scope) -> Iterator[str]:
        kind = node["class"]
        if kind not in (_OF_QUERIES if scope.is_query else _SCALAR):
            words = {
                "SUBQUERY": "a query in it",
                "WINDOW": "a window function",
                "STAR": "a *",
                "PARAMETER": "a parameter",
            }
            raise _Outside(f"has {words.get(kind, kind.lower().replace('_', ' '))}")
        if kind == "CONSTANT":
            return
        if kind == "COLUMN_REF":
            yield from _column(node["column_names"], scope)
            return
        if kind in ("FUNCTION", "WINDOW"):
            self._function(node, scope)
        takes_lambda = (
            kind == "FUNCTION" and str(node["function_name"]).lower() in _TAKE_LAMBDA and scope.columns is not None
        )
        for key, item in node.items():
            if takes_lambda and key == "children":
                for child in item:
                    yield from (
                        self._walk(child["expr"], _with_parameters(child, scope))
                        if child["class"] == "LAMBDA"
                        else self._walk(child, scope)
                    )
            else:
                yield from self._walk(item, scope)

    def _function(self, node: Mapping[str, Any], scope: _Scope) -> None:
        name = str(node["function_name"]).lower()
        if (
            name in scope.extra_functions
            or name in self._scalar
            or (scope.is_query and name in (*self._aggregate, "unnest"))
        ):
            return
        if name in self._aggregate or name == "unnest":
            raise _Outside(f"calls {name}, which is over many rows, not of one")
        raise _Outside(f"calls {name}(), which does more than compute from its arguments, or is not known")

    def _query(self, node: Mapping[str, Any], scope: _Scope) -> Iterator[str]:
        """A query with its CTEs (`with`): each may be read only after its definition."""
        if not scope.is_query:
            raise _Outside("has a query in it")
        if node["type"] not in ("SELECT_NODE", "SET_OPERATION_NODE"):
            raise _Outside("is no plain query (with recursive may never end)")
        tables = scope.tables
        for item in node["cte_map"]["map"]:
            yield from self._walk(item["value"], _Scope(None, tables=tables))
            tables |= {("", item["key"].lower())}
        for key, item in node.items():
            if key != "cte_map":
                yield from self._walk(item, _Scope(None, tables=tables))

    def _source(self, node: Mapping[str, Any], scope: _Scope) -> Iterator[str]:
        kind = node["type"]
        if kind not in _NODES.split():
            raise _Outside(f"has {kind.lower().replace('_', ' ')}, which is no plain query")
        if kind == "BASE_TABLE":
            schema, name = str(node["schema_name"]).lower(), str(node["table_name"]).lower()
            if node["catalog_name"] or (schema, name) not in scope.tables:
                raise _Outside(
                    f"reads {'.'.join(part for part in (node['catalog_name'], schema, name) if part)!r}, "
                    f"{_readable(scope)}"
                )
            yield name
        if kind == "TABLE_FUNCTION":
            name = str(node["function"].get("function_name")).lower()
            if name not in _ROW_SOURCES:
                raise _Outside(f"reads rows from {name}(), {_readable(scope)}")


def fill(sql: str, values: Mapping[str, str]) -> str:
    """Replace all placeholders of the SQL at once: a value that itself contains braces is unchanged."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), sql)


def _marked(sql: str, only: str | None) -> tuple[str, dict[str, str]]:
    """The SQL with a unique name for every placeholder (for those in `only`), and the placeholder of each name.

    In an expression the name is in parentheses, as landing's replacement is.
    """
    marks: dict[str, str] = {}

    def mark(found: re.Match[str]) -> str:
        if only is not None and found[1] != only:
            return found[0]
        name = f"{OBJECT}_{len(marks)}"
        marks[name] = found[1]
        return f"({name})" if only is None else name

    return PLACEHOLDER.sub(mark, sql), marks


def _column(names: list[str], scope: _Scope) -> Iterator[str]:
    if scope.columns is None:
        return
    if names[0] not in scope.columns:
        shown = ".".join(names)
        if scope.own:
            raise _Outside(f"is not SQL over the entity's public columns: {shown} is none of them")
        raise _Outside(f"names the column {shown}; write a field of the source as {{{shown}}}")
    yield names[0]


def _with_parameters(node: Mapping[str, Any], scope: _Scope) -> _Scope:
    """The scope of a lambda's body. (DuckDB also parses `json -> 'member'` as a lambda; there both sides are plain
    expressions.)"""
    assert scope.columns is not None
    return replace(scope, columns=scope.columns | set(_names(node["lhs"])))


def _names(node: Any) -> list[str]:
    """The columns named in a tree."""
    if isinstance(node, list):
        return [name for item in node for name in _names(item)]
    if not isinstance(node, dict):
        return []
    if node.get("class") == "COLUMN_REF":
        return [node["column_names"][0]]
    return [name for item in node.values() for name in _names(item)]


def _is_bare(node: Mapping[str, Any]) -> bool:
    """Whether the query is only a list of expressions."""
    nothing = all(
        not node.get(name)
        for name in ("modifiers", "where_clause", "group_expressions", "group_sets", "having", "sample", "qualify")
    )
    return nothing and node["from_table"]["type"] == "EMPTY" and not node["cte_map"]["map"]


def _plain(node: Any) -> Any:
    """The tree without positions in the text."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if isinstance(node, dict):
        return {name: _plain(item) for name, item in node.items() if name != "query_location"}
    return node


def _readable(scope: _Scope) -> str:
    known = sorted(f"{schema}.{name}" for schema, name in scope.tables if schema)
    return (
        "which is no table a rule may read; there are "
        f"{{object}}{', ' if known else ''}{', '.join(known[:6])}{' ...' if len(known) > 6 else ''}"
    )
