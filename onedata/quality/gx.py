"""Great Expectations validates what DuckDB counted: rules -> counts (`measure`) -> a suite with a bound on each count
-> results.

A suite of column expectations would scan once for those that Great Expectations bundles and twice for each other one
(docs/adr/0008); one row of counts costs nothing to validate. SQLAlchemy gets a thin DB-API wrapper of the existing
connection, because Great Expectations' own duckdb URL opens a second one and loses its results
(docs/reference/stack_findings.md).
"""

import logging
import os
import time
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from html import escape
from typing import Any

import duckdb

from onedata.contracts.model import Rule
from onedata.contracts.words import expected, in_words
from onedata.masking import shown
from onedata.quality.deferred import deferred
from onedata.quality.measure import CheckError, count_bad_rows, unexpected_rows
from onedata.quality.results import CheckResult
from onedata.quality.vocabulary import Vocabulary

SAMPLE_ROWS = 5
SEVERITIES = {"error": "critical", "warning": "warning"}

__all__ = ["CheckError", "Gatekeeper", "Subject"]


class _Cursor:
    """A DB-API cursor that leaves transactions to the connection's owner."""

    def __init__(self, connection: "_Connection", cursor: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._cursor = cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


class _Connection:
    """A DB-API connection over the gatekeeper's open one: one cursor per statement, no transactions of its own, never
    closed."""

    def __init__(self, keeper: "Gatekeeper") -> None:
        self._keeper = keeper
        self.notices: list[str] = []  # the dialect's PostgreSQL base looks for it

    def cursor(self) -> _Cursor:
        return _Cursor(self, self._keeper.con.cursor())

    def begin(self) -> None:
        """Do nothing: the owner's transaction continues."""

    commit = rollback = close = begin

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keeper.con, name)


@dataclass
class Spent:
    """What Great Expectations cost this process so far, in CPU seconds: its import and set-up, and its validation."""

    import_s: float = 0.0
    validation_s: float = 0.0
    rules: int = 0

    def __str__(self) -> str:
        return (
            f"Great Expectations: {self.import_s:.1f} CPU s to import, {self.validation_s:.1f} CPU s to validate "
            f"{self.rules} rules"
        )


@dataclass(frozen=True)
class Subject:
    """A feed, entity or model with its relation (a table, view, or query in parentheses), its rules, and the columns
    whose values no message repeats."""

    name: str
    relation: str
    rules: Sequence[Rule]
    hidden: Collection[str] = ()


class Gatekeeper:
    """Evaluates rules with Great Expectations on one connection. Importing it takes seconds once per process, so it is
    created on first use; `spent` counts that apart from validation. `con` may be exchanged between two checks. Messages
    repeat the words of the `vocabulary`."""

    def __init__(self, con: duckdb.DuckDBPyConnection, vocabulary: Vocabulary | None = None) -> None:
        self.con = con
        self.vocabulary = vocabulary or Vocabulary()
        self.spent = Spent()

    @cached_property
    def _asset(self) -> Any:
        """The asset of the one row of counts. Only its query changes with each check, since adding and deleting an
        asset writes the whole context twice."""
        from sqlalchemy.pool import StaticPool

        gx = load()
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        source = context.data_sources.add_sql(
            "warehouse",
            connection_string="duckdb:///:memory:",
            kwargs={"creator": lambda: _Connection(self), "poolclass": StaticPool},
            create_temp_table=False,
        )
        return source.add_query_asset("counts", query="select 0 as r0")

    def check(
        self,
        stage: str,
        subject: str,
        relation: str,
        rules: Sequence[Rule],
        row_counts: Sequence[int] = (),
        hidden: Collection[str] = (),
        parts: Sequence[str] = (),
    ) -> list[CheckResult]:
        """Evaluate `rules` on `relation`.

        Args:
            stage: The stage before the gate.
            subject: The feed, entity or model.
            relation: A table, view, or query in parentheses.
            rules: The rules to evaluate.
            row_counts: Rows by night, if the relation has several: a rowCount rule must hold in each, and the worst is
                the observed value.
            hidden: Columns whose values no message repeats.
            parts: Relations that are the relation together (`count_bad_rows`).

        Raises:
            CheckError: a rule could not be evaluated.
        """
        if not rules:
            return []
        counts = count_bad_rows(self.con, subject, relation, rules, parts)
        if row_counts:
            counts = [
                _worst(rule, row_counts) if rule.metric == "rowCount" else count
                for rule, count in zip(rules, counts, strict=True)
            ]
        judged = self._judge(f"{stage}.{subject}", [f"{stage}.{subject}"] * len(rules), rules, counts)
        return [
            self._result(stage, subject, relation, rule, count, held, hidden)
            for rule, count, held in zip(rules, counts, judged, strict=True)
        ]

    def check_all(self, stage: str, subjects: Sequence[Subject]) -> list[CheckResult]:
        """The same for several subjects, in one validation of Great Expectations.

        Raises:
            CheckError: a rule could not be evaluated.
        """
        counted = [(subject, rule, count) for subject in subjects for rule, count in self._counted(subject)]
        if not counted:
            return []
        places = [f"{stage}.{subject.name}" for subject, _, _ in counted]
        judged = self._judge(stage, places, [rule for _, rule, _ in counted], [count for _, _, count in counted])
        return [
            self._result(stage, subject.name, subject.relation, rule, count, held, subject.hidden)
            for (subject, rule, count), held in zip(counted, judged, strict=True)
        ]

    def _counted(self, subject: Subject) -> Iterable[tuple[Rule, int]]:
        if not subject.rules:
            return ()
        counts = count_bad_rows(self.con, subject.name, subject.relation, subject.rules)
        return zip(subject.rules, counts, strict=True)

    def _judge(self, name: str, places: Sequence[str], rules: Sequence[Rule], counts: Sequence[int]) -> list[bool]:
        """Whether each count is within its rule's bounds; `places` tell the subject of each rule in errors.

        Raises:
            CheckError: Great Expectations could not evaluate a rule.
        """
        began = time.process_time()
        asset, gx = self._asset, load()
        ready = time.process_time()
        # Rules with equal counts and bounds have one answer: as a rule, most have no bad row and allow none. Great
        # Expectations takes as long for each expectation as DuckDB for all counts.
        asked = [(count, rule.at_least, rule.at_most) for count, rule in zip(counts, rules, strict=True)]
        first = {question: number for number, question in reversed([*enumerate(asked)])}
        columns = sorted(first.values())
        asset.query = f"select {', '.join(f'{counts[number]} as r{number}' for number in columns)}"
        batch = asset.get_batch(asset.build_batch_request())
        expectations = [
            gx.expectations.ExpectColumnMaxToBeBetween(
                column=f"r{number}",
                min_value=rules[number].at_least,
                max_value=rules[number].at_most,
                description=in_words(rules[number]),
                severity=SEVERITIES[rules[number].severity],
                meta={"rule": str(number)},
            )
            for number in columns
        ]
        outcome = batch.validate(
            gx.ExpectationSuite(name=name, expectations=expectations), result_format="BOOLEAN_ONLY"
        ).to_json_dict()["results"]
        by_rule = {item["expectation_config"]["meta"]["rule"]: item for item in outcome}
        self.spent.import_s += ready - began
        self.spent.validation_s += time.process_time() - ready
        self.spent.rules += len(rules)
        return [
            _held(place, rule, by_rule[str(first[question])])
            for place, rule, question in zip(places, rules, asked, strict=True)
        ]

    def _result(
        self, stage: str, subject: str, relation: str, rule: Rule, count: int, held: bool, hidden: Collection[str]
    ) -> CheckResult:
        text = in_words(rule)
        message = text if held else self._explain(relation, rule, count, hidden)
        return CheckResult(stage, subject, rule.name, rule.severity, held, str(count), message, expected(rule), text)

    def _explain(self, relation: str, rule: Rule, count: int, hidden: Collection[str]) -> str:
        """Count and sample of the rows that break `rule`; runs only on failure."""
        if rule.metric == "rowCount":
            return f"{count} rows; {expected(rule)} expected"
        cursor = self.con.execute(f"select * from ({unexpected_rows(rule, relation)}) limit {SAMPLE_ROWS}")
        names = [column[0] for column in cursor.description or []]
        sample = "; ".join(
            ", ".join(self._quoted(name, value, hidden) for name, value in zip(names, row, strict=True))
            for row in cursor.fetchall()
        )
        return f"{in_words(rule)}: {count} rows break it, first: {sample}"

    def _quoted(self, name: str, value: object, hidden: Collection[str]) -> str:
        """A value of a sampled row, as a message may show it."""
        if value is None or isinstance(value, bool | date):
            return f"{name}={value}"
        text = "(hidden)" if name in hidden else shown(str(value), self.vocabulary.known(name, str(value)))
        return f"{name}={text.strip(chr(34))}"


def render_results(results: Sequence[CheckResult]) -> str:
    """The results as HTML by Great Expectations' Data Docs renderer, one section per subject; without its page, which
    loads from other hosts."""
    load()
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer

    validations = [
        ExpectationValidationResult(
            success=result.passed,
            expectation_config=ExpectationConfiguration(
                type="expect_column_max_to_be_between",
                # The renderer treats all three texts as HTML.
                kwargs={"column": escape(result.subject)},
                description=escape(
                    f"{result.rule}: {result.description}" + ("" if result.severity == "error" else " (warning)")
                ),
                severity=SEVERITIES[result.severity],
            ),
            result={
                "observed_value": escape(
                    (result.observed or "-") + (f" (expected {result.expected})" if result.expected else "")
                )
            },
        )
        for result in results
    ]
    suite = ExpectationSuiteValidationResult(
        all(result.passed for result in results), validations, "gate", statistics={}
    )
    # The first section is an overview that links to pages that do not exist.
    sections = ValidationResultsPageRenderer().render(suite).to_json_dict()["sections"][1:]
    view = _section_view()
    return "".join(
        view.render({"section": section, "section_loop": {"index": number}})
        for number, section in enumerate(sections, 1)
    )


@cache
def load() -> Any:
    """Great Expectations, once per process; without what it imports only for the divergence of two distributions and
    for a Kolmogorov-Smirnov test, half of its import."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="great_expectations")
    warnings.filterwarnings("ignore", module="duckdb_engine")
    with deferred("altair", "scipy.stats"):
        import great_expectations as gx
        import great_expectations.expectations
    return gx


@cache
def _section_view() -> Any:
    """One for all pages: each view compiles its templates anew."""
    from great_expectations.render.view import DefaultJinjaSectionView

    return DefaultJinjaSectionView()


def _worst(rule: Rule, row_counts: Sequence[int]) -> int:
    """The night furthest outside the bounds; if all are inside, the smallest."""
    low, high = rule.at_least or 0, rule.at_most
    return max(sorted(row_counts), key=lambda rows: max(low - rows, rows - high if high is not None else low - rows, 0))


def _held(name: str, rule: Rule, item: Mapping[str, Any]) -> bool:
    exception = item.get("exception_info") or {}
    # Otherwise an error looks like a failed check: it must not be reported as bad data.
    raised = exception if "raised_exception" in exception else next(iter(exception.values()), {})
    if raised.get("raised_exception"):
        raise CheckError(f"{name}, rule {rule.name}: {raised.get('exception_message')}")
    return bool(item["success"])
