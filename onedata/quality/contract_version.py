"""The gate's first question: is the contract still one that the rows there are can live with?"""

import duckdb

from onedata.contracts.history import contract_change
from onedata.contracts.model import Feed
from onedata.quality.results import CheckResult


def version_check(con: duckdb.DuckDBPyConnection, feed: Feed) -> CheckResult:
    """Severity error where the change is refused (landing took nothing then), a warning on the night of any other
    change."""
    change = contract_change(con, feed)
    message = change.message or f"contract {feed.version} is as it was"
    return CheckResult(
        "contract",
        feed.name,
        "contract_version",
        "error" if change.refused else "warning",
        not change.differences,
        str(len(change.differences)),
        message,
    )
