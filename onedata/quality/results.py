"""Results of checks, their history in the warehouse, and their texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from onedata.contracts.model import Severity
from onedata.errors import OnedataError
from onedata.ledger import tick
from onedata.masking import mask_error


class GateClosed(OnedataError):
    """A rule of severity error failed; nothing after it may run. The text names subject, rule and rows."""


@dataclass(frozen=True)
class CheckResult:
    """One rule on one subject (a feed, entity or model) in one stage.

    `observed` and `expected` are numbers or days as text, `description` describes the rule; none repeats a value of a
    row, so they may be published. `message` is for whoever fixes the problem and may quote rows, but no personal value:
    whatever looks like one is masked.
    """

    stage: str
    subject: str
    rule: str
    severity: Severity
    passed: bool
    observed: str
    message: str
    expected: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", mask_error(self.message))

    @property
    def blocks(self) -> bool:
        return not self.passed and self.severity == "error"


def record(con: duckdb.DuckDBPyConnection, run_id: str, night: date, results: Sequence[CheckResult]) -> None:
    """Append the results to ops.gate."""
    if not results:
        return
    now = tick(con)
    con.executemany(
        "insert into ops.gate values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            [
                run_id,
                night,
                r.stage,
                r.subject,
                r.rule,
                r.severity,
                r.passed,
                r.observed,
                r.message,
                now,
                r.expected,
                r.description,
            ]
            for r in results
        ],
    )


def summarise(results: Sequence[CheckResult]) -> str:
    """The failed results as readable lines; '' where all passed."""
    failed = [result for result in results if not result.passed]
    return "\n".join(
        f"{result.severity.upper()} {result.subject}, rule {result.rule}: {result.message}" for result in failed
    )
