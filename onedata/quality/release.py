"""Revalidate quarantined rows with the current contract and release them through the contract gate into the lake, by
the same gate and promotion as a night."""

from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.contracts.model import Feed
from onedata.landing.release import Release, Selection, stage_release
from onedata.ledger.promote import promote
from onedata.quality.gates import contract_gate
from onedata.quality.gx import Gatekeeper
from onedata.quality.results import CheckResult, record
from onedata.quality.vocabulary import vocabulary
from onedata.settings import Settings


@dataclass(frozen=True)
class Outcome:
    """The revalidated rows and the gate's results; no results if nothing was staged."""

    found: Release
    results: tuple[CheckResult, ...] = ()

    @property
    def is_refused(self) -> bool:
        return any(result.blocks for result in self.results)


def release(
    con: duckdb.DuckDBPyConnection, settings: Settings, feed: Feed, policy: IdentifierPolicy, selection: Selection
) -> Outcome:
    """Release one feed's quarantined rows. If the gate refuses them, nothing is released.

    Args:
        con: The warehouse, prepared.
        settings: Location of the data home.
        feed: The feed, with its current contract.
        policy: Normalisers of identifiers.
        selection: The rows to revalidate.
    """
    found = stage_release(con, settings, feed, policy, selection)
    if not found.tried or not found.deliveries:
        return Outcome(found)
    night = con.execute("select max(ds) from ops.delivery where feed = ? and status = 'staged'", [feed.name]).fetchone()
    assert night is not None
    results = contract_gate(con, Gatekeeper(con, vocabulary([feed])), settings, feed, night[0])
    record(con, f"release {datetime.now(UTC):%Y-%m-%d %H:%M:%S}", night[0], results)
    outcome = Outcome(found, tuple(results))
    if not outcome.is_refused:
        promote(con, settings)
    return outcome
