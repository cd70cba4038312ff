"""The gate's first check: is the contract compatible with the existing rows?"""

import duckdb

from onedata.contracts.history import contract_change
from onedata.contracts.model import Feed
from onedata.quality.results import CheckResult


def version_check(con: duckdb.DuckDBPyConnection, feed: Feed) -> CheckResult:
    """Severity error if the change is refused (then nothing has landed), a warning on the night of any other change."""
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
