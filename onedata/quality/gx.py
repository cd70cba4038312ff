"""Run neutral rules as a Great Expectations suite over a relation of the open DuckDB connection.

Method (shared/reference/stack_findings.md): SQLAlchemy gets a thin DB-API face of the connection in hand, because Great Expectations'
own duckdb URL opens a second one and loses its results; uniqueness and SQL go by UnexpectedRows, which scans once.
"""

import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import duckdb

from onedata.contracts.model import Rule
from onedata.landing.rows import describe, violates
from onedata.quality.results import CheckResult

SAMPLE_ROWS = 5


class CheckError(RuntimeError):
    """A check could not be evaluated: a wrong column or query, not bad data."""


class _Cursor:
    """A DB-API cursor that leaves transactions to the connection's owner."""

    def __init__(self, connection: "_Connection", cursor: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._cursor = cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


class _Connection:
    """A DB-API connection over one that is open already: a cursor a statement, no transactions of its own, never closed."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self.notices: list[str] = []  # the dialect's PostgreSQL base looks for it

    def cursor(self) -> _Cursor:
        return _Cursor(self, self._con.cursor())

    def begin(self) -> None:
        """The owner's transaction goes on."""

    commit = rollback = close = begin

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)


class Gatekeeper:
    """Evaluates rules with Great Expectations on one connection. Importing it costs seconds once a process, so it is made on first use."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con

    @cached_property
    def _source(self) -> Any:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        logging.getLogger("great_expectations").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module="great_expectations")
        warnings.filterwarnings("ignore", module="duckdb_engine")
        import great_expectations as gx
        from sqlalchemy.pool import StaticPool

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        return context.data_sources.add_sql(
            "warehouse",
            connection_string="duckdb:///:memory:",
            kwargs={"creator": lambda: _Connection(self._con), "poolclass": StaticPool},
            create_temp_table=False,
        )

    def check(self, stage: str, subject: str, relation: str, rules: Sequence[Rule]) -> list[CheckResult]:
        """Evaluate `rules` on `relation` (`schema.table` of a table or view).

        Raises:
            CheckError: a rule could not be evaluated.
        """
        if not rules:
            return []
        import great_expectations as gx

        source = self._source
        name = f"{stage}.{relation}"
        # A query asset: Great Expectations drops the schema of a table asset for dialects it does not know.
        asset = source.add_query_asset(name, query=f"select * from {relation}")
        try:
            batch = asset.add_batch_definition_whole_table("all").get_batch()
            suite = gx.ExpectationSuite(name=name, expectations=[_expectation(rule, number, relation) for number, rule in enumerate(rules)])
            outcome = batch.validate(suite, result_format="BOOLEAN_ONLY").to_json_dict()["results"]
        finally:
            source.delete_asset(name)
        by_rule = {item["expectation_config"]["meta"]["rule"]: item for item in outcome}
        return [self._result(stage, subject, relation, rule, by_rule[str(number)]) for number, rule in enumerate(rules)]

    def _result(self, stage: str, subject: str, relation: str, rule: Rule, item: Mapping[str, Any]) -> CheckResult:
        exception = item.get("exception_info") or {}
        raised = exception if "raised_exception" in exception else next(iter(exception.values()), {})
        if raised.get("raised_exception"):
            raise CheckError(f"{subject}, rule {rule.name}: {raised.get('exception_message')}")
        if item["success"]:
            return CheckResult(stage, subject, rule.name, rule.severity, True, "", rule.description or describe(rule))
        observed, message = self._explain(relation, rule)
        return CheckResult(stage, subject, rule.name, rule.severity, False, observed, message)

    def _explain(self, relation: str, rule: Rule) -> tuple[str, str]:
        """Count and sample of the rows that break `rule`; only run on failure."""
        if rule.metric == "rowCount":
            row = self._con.execute(f"select count(*) from {relation}").fetchone()
            assert row is not None
            return str(row[0]), f"{row[0]} rows; {_bound(rule)}"
        query = unexpected_rows(rule, relation)
        cursor = self._con.execute(f"select *, count(*) over () from ({query}) limit {SAMPLE_ROWS}")
        names = [column[0] for column in cursor.description or []][:-1]
        rows = cursor.fetchall()
        count = rows[0][-1] if rows else 0
        sample = "; ".join(", ".join(f"{name}={value}" for name, value in zip(names, row, strict=False)) for row in rows)
        text = rule.description or f"{', '.join(rule.columns)} {rule.metric} ({describe(rule)})"
        return str(count), f"{text}: {count} rows break it, first: {sample}"


def _bound(rule: Rule) -> str:
    return f"at least {rule.at_least} expected" if rule.at_most is None else f"between {rule.at_least} and {rule.at_most} expected"


def unexpected_rows(rule: Rule, relation: str) -> str:
    """A query that returns the rows of `relation` breaking `rule` (a group of equal keys is one row)."""
    columns = ", ".join(rule.columns)
    if rule.metric == "sql":
        return str(rule.arguments["query"]).replace("{object}", relation)
    if rule.metric == "duplicateValues":
        present = " and ".join(f"{column} is not null" for column in rule.columns)
        return f"select {columns}, count(*) as copies from {relation} where {present} group by {columns} having count(*) > 1"
    if rule.metric == "nullValues":
        return f"select * from {relation} where {' or '.join(f'{column} is null' for column in rule.columns)}"
    return f"select {columns} from {relation} where {violates(rule, rule.columns[0])}"


def _expectation(rule: Rule, number: int, relation: str) -> Any:
    """The fastest expectation that says what `rule` says."""
    from great_expectations import expectations as gxe

    values = rule.arguments.get("validValues")
    meta = {"rule": str(number)}
    if rule.metric == "rowCount":
        return gxe.ExpectTableRowCountToBeBetween(min_value=rule.at_least, max_value=rule.at_most, meta=meta)
    if (rule.at_least, rule.at_most) != (0, 0):
        return gxe.UnexpectedRowsExpectation(unexpected_rows_query=_escaped(_out_of_bounds(rule, relation)), meta=meta)
    if rule.metric == "nullValues" and len(rule.columns) == 1:
        return gxe.ExpectColumnValuesToNotBeNull(column=rule.columns[0], meta=meta)
    if rule.metric == "invalidValues" and set(rule.arguments) == {"validValues"} and isinstance(values, list):
        return gxe.ExpectColumnValuesToBeInSet(column=rule.columns[0], value_set=values, meta=meta)
    if rule.metric == "invalidValues" and set(rule.arguments) <= {"minimum", "maximum"}:
        return gxe.ExpectColumnValuesToBeBetween(
            column=rule.columns[0], min_value=rule.arguments.get("minimum"), max_value=rule.arguments.get("maximum"), meta=meta
        )
    return gxe.UnexpectedRowsExpectation(unexpected_rows_query=_escaped(unexpected_rows(rule, relation)), meta=meta)


def _escaped(query: str) -> str:
    """The query names the relation itself, so that it may give it an alias; Great Expectations still wants to see its placeholder, and every
    other brace doubled.
    """
    return query.replace("{", "{{").replace("}", "}}") + " /* {batch} */"


def _out_of_bounds(rule: Rule, relation: str) -> str:
    """One row where the number of rows breaking `rule` lies outside its bounds."""
    above = f"n > {rule.at_most}" if rule.at_most is not None else "false"
    return f"select n from (select count(*) as n from ({unexpected_rows(rule, relation)})) where n < {rule.at_least or 0} or {above}"
