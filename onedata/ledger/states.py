"""The states of a delivery and the moves between them."""

from collections.abc import Collection, Mapping
from enum import StrEnum

import duckdb


class Status(StrEnum):
    """State of a delivery."""

    STAGED = "staged"
    """Landed, and not judged yet."""
    PASSED = "passed"
    """The contract gate has passed; its files may be entering the lake."""
    REFUSED = "refused"
    """The contract gate has closed; the next run loads its files again."""
    ACCEPTED = "accepted"
    """In the lake, with its manifest, and not published yet."""
    APPLIED = "applied"
    """Published."""
    REPLACED = "replaced"
    """Replaced by a later delivery of its night; its files are moved out of the lake."""


MOVES: Mapping[Status, frozenset[Status]] = {
    Status.STAGED: frozenset({Status.PASSED, Status.REFUSED}),
    Status.PASSED: frozenset({Status.ACCEPTED}),
    Status.REFUSED: frozenset(),
    Status.ACCEPTED: frozenset({Status.APPLIED, Status.REPLACED}),
    Status.APPLIED: frozenset({Status.REPLACED}),
    Status.REPLACED: frozenset(),
}
"""Allowed moves: a state and the states that may follow it."""
UNFINISHED = frozenset({Status.STAGED, Status.PASSED, Status.REFUSED})
"""A delivery in one of these may be deleted: the next run loads its files again."""
IN_LAKE = frozenset({Status.ACCEPTED, Status.APPLIED})
"""The rows of a delivery in one of these count."""


class LedgerError(RuntimeError):
    """A move that the states do not allow, or an unknown delivery."""


def move(con: duckdb.DuckDBPyConnection, batches: Collection[str], to: Status) -> None:
    """Give the deliveries a new state.

    Raises:
        LedgerError: a delivery is unknown, or its state does not allow the move; none has moved.
    """
    known = statuses(con, batches)
    for batch in sorted(batches):
        if batch not in known:
            raise LedgerError(f"delivery {batch} is not in the ledger; it cannot become {to}")
        if to not in MOVES[known[batch]]:
            raise LedgerError(f"delivery {batch} is {known[batch]} and cannot become {to}")
    con.execute(
        "update ops.delivery set status = ? where batch_id in (select unnest(?::varchar[]))", [to, list(batches)]
    )


def statuses(con: duckdb.DuckDBPyConnection, batches: Collection[str]) -> dict[str, Status]:
    """State of each of the deliveries that the ledger knows."""
    rows = con.execute(
        "select batch_id, status from ops.delivery where batch_id in (select unnest(?::varchar[]))", [list(batches)]
    ).fetchall()
    return {batch: Status(status) for batch, status in rows}


def sql_list(states: Collection[Status]) -> str:
    """SQL of a list of states, in parentheses."""
    return "(" + ", ".join(f"'{status}'" for status in sorted(states)) + ")"
