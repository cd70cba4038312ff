"""Count the rows that break each rule, in as few scans as possible.

Three ways, cheapest first. Storage statistics need no scan: DuckDB answers `count(column)`, `min` and `max` from the
metadata of Parquet files and tables, so a column without nulls or a number within its bounds is proven without reading
it. The other row rules are one query, each a filter over its own column; a SQL rule is a query of its own. Uniqueness
uses 64-bit hashes: as many distinct hashes as rows prove that no key occurs twice. Only if that fails (or two keys
share a hash) are the keys themselves grouped.
"""

from collections.abc import Sequence

import duckdb

from onedata.contracts.model import Rule
from onedata.errors import OnedataError
from onedata.landing.keys import FEW_ROWS, are_distinct
from onedata.landing.rows import violates

MOST_PARTS = 16  # of more files, which are small then, the values are read


class CheckError(OnedataError):
    """A check could not be evaluated: a wrong column or query, not bad data."""


def count_bad_rows(
    con: duckdb.DuckDBPyConnection, subject: str, relation: str, rules: Sequence[Rule], parts: Sequence[str] = ()
) -> list[int]:
    """For each rule the number of rows of `relation` that break it; for rowCount the number of rows, for
    duplicateValues the number of keys that occur more than once.

    Args:
        con: The connection that knows the relation.
        subject: The feed, entity or model, for the error text.
        relation: A table, view or query in parentheses.
        rules: What to count.
        parts: Relations that are the relation together, if it is of several files: DuckDB answers from metadata for one
            file only.

    Raises:
        CheckError: a rule names an unknown column, or its query is not SQL; the text names the rule.
    """
    try:
        return _count(con, relation, rules, parts)
    except duckdb.Error as error:
        for rule in rules:
            try:
                _count(con, relation, [rule])
            except duckdb.Error as own:
                raise CheckError(f"{subject}, rule {rule.name}: {own}") from None
        raise CheckError(f"{subject}: {error}") from None


def _count(
    con: duckdb.DuckDBPyConnection, relation: str, rules: Sequence[Rule], parts: Sequence[str] = ()
) -> list[int]:
    whole = parts if 0 < len(parts) <= MOST_PARTS else (relation,)
    rows, nulls, harmless = _by_statistics(con, whole, rules)
    counts: dict[int, int] = {}
    scanned: list[str] = []
    for number, rule in enumerate(rules):
        missing = [nulls[column] for column in rule.columns] if rule.metric == "nullValues" else []
        if rule.metric == "rowCount":
            counts[number] = rows
        elif number in harmless or (missing and not any(missing)):
            counts[number] = 0
        elif len(missing) == 1:
            counts[number] = missing[0]
        elif rule.metric == "duplicateValues":
            counts[number] = _duplicate_keys(con, relation, rule, rows, any(nulls[column] for column in rule.columns))
        elif rule.metric == "sql":
            counts[number] = _number_of(con, unexpected_rows(rule, relation))
        else:
            scanned.append(f"select {number}, count(*) from {relation} where {_predicate(rule)}")
    if scanned:
        # One filter per scan, over its own column only: DuckDB applies it to the dictionary of a Parquet file, and not
        # to each row.
        counts |= dict(con.execute(" union all ".join(scanned)).fetchall())
    return [counts[number] for number in range(len(rules))]


def _by_statistics(
    con: duckdb.DuckDBPyConnection, whole: Sequence[str], rules: Sequence[Rule]
) -> tuple[int, dict[str, int], set[int]]:
    """Row count, nulls by column of the null and key rules, and the numbers of the range rules that hold for the
    smallest and largest value."""
    required = list(
        dict.fromkeys(
            column for rule in rules if rule.metric in ("nullValues", "duplicateValues") for column in rule.columns
        )
    )
    ranges = {
        number: _outside(rule)
        for number, rule in enumerate(rules)
        if rule.metric == "invalidValues" and set(rule.arguments) <= {"minimum", "maximum"}
    }
    counted = ["count(*)", *[f"count({column})" for column in required]]
    asked = ", ".join([*counted, *ranges.values()])
    found = con.execute(" union all ".join(f"select {asked} from {relation}" for relation in whole)).fetchall()
    rows, *present = (sum(row[place] for row in found) for place in range(len(counted)))
    nulls = {column: rows - count for column, count in zip(required, present, strict=True)}
    broken = (any(row[place] for row in found) for place in range(len(counted), len(counted) + len(ranges)))
    return rows, nulls, {number for number, outside in zip(ranges, broken, strict=True) if not outside}


def _outside(rule: Rule) -> str:
    """SQL that is false if the column's smallest and largest value prove that every value is within the rule's
    bounds."""
    column = rule.columns[0]
    bounds = {
        "minimum": f"min({column}) < {rule.arguments.get('minimum')}",
        "maximum": f"max({column}) > {rule.arguments.get('maximum')}",
    }
    return f"coalesce({' or '.join(bounds[name] for name in rule.arguments) or 'false'}, false)"


def _duplicate_keys(con: duckdb.DuckDBPyConnection, relation: str, rule: Rule, rows: int, incomplete: bool) -> int:
    if rows > FEW_ROWS and _is_unique(con, relation, rule, rows, incomplete):
        return 0
    return _number_of(con, unexpected_rows(rule, relation))


def _number_of(con: duckdb.DuckDBPyConnection, query: str) -> int:
    row = con.execute(f"select count(*) from ({query})").fetchone()
    assert row is not None
    return int(row[0])


def _is_unique(con: duckdb.DuckDBPyConnection, relation: str, rule: Rule, rows: int, incomplete: bool) -> bool:
    """Whether hashes prove that no key occurs twice.

    `incomplete` keys, with a missing column, are not keys; excluding them reads all columns, so it is done only if
    there are some.
    """
    present = f"(from {relation} where {_present(rule)})" if incomplete else relation
    whole = _number_of(con, f"from {present}") if incomplete else rows
    return are_distinct(con, rule.columns, present, whole)


def _present(rule: Rule) -> str:
    return " and ".join(f"{column} is not null" for column in rule.columns)


def _predicate(rule: Rule) -> str:
    if rule.metric == "nullValues":
        return " or ".join(f"{column} is null" for column in rule.columns)
    return violates(rule, rule.columns[0])


def unexpected_rows(rule: Rule, relation: str) -> str:
    """A query that returns the rows of `relation` breaking `rule` (a group of equal keys is one row)."""
    columns = ", ".join(rule.columns)
    if rule.metric == "sql":
        return str(rule.arguments["query"]).replace("{object}", relation)
    if rule.metric == "duplicateValues":
        return (
            f"select {columns}, count(*) as copies from {relation} where {_present(rule)} group by {columns} "
            "having count(*) > 1"
        )
    return f"select {'*' if rule.metric == 'nullValues' else columns} from {relation} where {_predicate(rule)}"
