"""Check a contract's SQL and regular expressions on load: they are parsed, held to the boundary, and their columns
resolved; they never run on data."""

from collections.abc import Iterable, Mapping

import duckdb

from onedata.contracts.boundary import OBJECT, Boundary, fill
from onedata.contracts.derive import DS, lake_columns
from onedata.contracts.model import ContractError, Entity, Feed


def check_expressions(feeds: Iterable[Feed], entities: Mapping[str, Entity]) -> None:
    """Check every transformLogic, rule query and pattern.

    A rule query reads the feed's landed rows (`{object}`) and the ODS views of the canonical entities.

    Raises:
        ContractError: one does not parse, does something that is not allowed, or names an unknown column; the message
            names file, feed and property or rule.
    """
    written = [feed for feed in feeds if _has_sql(feed)]
    if not written:
        return
    with duckdb.connect() as con:
        boundary = Boundary(con)
        tables = frozenset(("ods", f"ods_{name}") for name in entities)
        for feed in written:
            if feed.condition:
                boundary.check_expression(feed.condition, f"{feed.contract}: {feed.name}: where {feed.condition!r}")
            for item in feed.fields:
                if item.logic is not None:
                    boundary.check_expression(item.logic, f"{item.place}: transformLogic {item.logic!r}")
                for rule in item.rules:
                    _matches(con, rule.arguments.get("pattern"), item.place)
            for rule in feed.rules:
                if rule.metric == "sql":
                    query, place = str(rule.arguments["query"]), f"{rule.place}: query"
                    boundary.check_query(query, place, tables)
                    _binds(con, query, feed.entity, entities, place)


def _has_sql(feed: Feed) -> bool:
    """Whether the contract contains SQL or a regular expression: opening DuckDB takes longer than loading one without
    either."""
    return (
        bool(feed.condition)
        or any(rule.metric == "sql" for rule in feed.rules)
        or any(
            item.logic is not None or any("pattern" in rule.arguments for rule in item.rules) for item in feed.fields
        )
    )


def _binds(
    con: duckdb.DuckDBPyConnection, query: str, entity: Entity, entities: Mapping[str, Entity], where: str
) -> None:
    """Bind the query against empty tables with the schemas that it will read."""
    con.execute("create schema if not exists ods")
    for name, kind in [
        (OBJECT, entity),
        *((f"ods.ods_{other.name}", other) for other in entities.values() if f"ods_{other.name}" in query.lower()),
    ]:
        columns = lake_columns(kind) | ({} if name == OBJECT else {"identity_key": "varchar", "ds": DS[0]})
        con.execute(
            f"create or replace table {name} "
            f"({', '.join(f'{column} {sql_type}' for column, sql_type in columns.items())})"
        )
    try:
        con.execute(f"describe {fill(query, {'object': OBJECT})}")
    except duckdb.Error as error:
        raise ContractError(
            f"{where} cannot be read: {str(error).splitlines()[0].replace(OBJECT, '{object}')}"
        ) from None


def _matches(con: duckdb.DuckDBPyConnection, pattern: object, where: str) -> None:
    if pattern is None:
        return
    try:
        con.execute("select regexp_matches('', ?)", [str(pattern)])
    except duckdb.Error as error:
        raise ContractError(f"{where}: pattern {pattern!r} is not a regular expression: {error}") from None
