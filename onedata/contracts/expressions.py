"""What a contract says in SQL and regular expressions, checked when it is loaded: DuckDB parses it, nothing is run on data."""

from collections.abc import Iterable

import duckdb

from onedata.contracts.model import ContractError, Feed, placeholders


def check_expressions(feeds: Iterable[Feed]) -> None:
    """Parse every transformLogic, rule query and pattern.

    Raises:
        ContractError: one does not parse; the text names file, feed and property.
    """
    with duckdb.connect() as con:
        for feed in feeds:
            where = f"{feed.contract}: schema {feed.name}"
            for item in feed.fields:
                if item.logic is not None:
                    _parses(con, f"select {_filled(item.logic)}", f"{where}: property {item.column.name}: transformLogic {item.logic!r}")
                for rule in item.rules:
                    _matches(con, rule.arguments.get("pattern"), f"{where}: property {item.column.name}")
            for rule in feed.rules:
                if rule.metric == "sql":
                    _parses(con, _filled(str(rule.arguments["query"])), f"{where}: quality rule {rule.name}")


def _filled(text: str) -> str:
    """The text with a column in the place of every placeholder."""
    for name in placeholders(text):
        text = text.replace("{" + name + "}", "field")
    return text


def _parses(con: duckdb.DuckDBPyConnection, sql: str, where: str) -> None:
    row = con.execute(
        "select json_extract_string(parsed, ['$.error', '$.error_message']) from (select json_serialize_sql(?::varchar) as parsed)", [sql]
    ).fetchone()
    if row and row[0][0] == "true":
        raise ContractError(f"{where} is not SQL: {row[0][1]}")


def _matches(con: duckdb.DuckDBPyConnection, pattern: object, where: str) -> None:
    if pattern is None:
        return
    try:
        con.execute("select regexp_matches('', ?)", [str(pattern)])
    except duckdb.Error as error:
        raise ContractError(f"{where}: pattern {pattern!r} is not a regular expression: {error}") from None
