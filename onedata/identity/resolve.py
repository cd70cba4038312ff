"""One run of OneID: read new evidence, decide what it touches, keep ids stable, log changes. One transaction."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.contracts.model import Entity
from onedata.identity.assign import save_decided, save_status
from onedata.identity.decide import decide
from onedata.identity.decisions import mark_decisions, touch_decisions
from onedata.identity.household import update_households
from onedata.identity.keep import keep_state
from onedata.identity.metrics import note_metrics
from onedata.identity.profiles import save_members, score_changed
from onedata.identity.region import load_region, mark_region, save_components
from onedata.identity.tables import create_tables
from onedata.identity.take_in import STAGE, forget_evidence, pending, take_in, take_in_restored
from onedata.landing.vault import open_vault
from onedata.ledger import tick
from onedata.sql import transaction


@dataclass(frozen=True)
class Resolution:
    """Totals after the run, its changes, and the amount of evidence it read."""

    identifiers: int
    persons: int
    shared: int
    largest: int
    minted: int
    merged: int
    split: int
    touched: int
    decided: int


def resolve(
    con: duckdb.DuckDBPyConnection,
    entities: Mapping[str, Entity],
    policy: IdentifierPolicy,
    night: date,
    vault: Path | None = None,
    full: bool = False,
    rescore: bool = True,
    lake: Path | None = None,
) -> Resolution:
    """Update `oneid.oneid_map` with the pending deliveries and the operators' decisions.

    Processed deliveries are marked in ops.applied in the same transaction, so running a night again is idempotent. The
    same deliveries give the same persons in any order and grouping; the cost depends on new evidence and what is
    connected with it.

    Args:
        con: The warehouse, with ODS views and ledger.
        entities: Canonical entities; those with identifiers are read.
        policy: Kinds, limits and blocked values.
        night: The logical night, from which new ids hold.
        vault: Folder of the vault, for the names that bridges compare; without it no name is known.
        full: Read every delivery again and decide everything; ids stay.
        lake: The lake's folder, beside which the state is stored; without it no state is stored.
        rescore: If `full`, also train the scoring model again and score every profile; otherwise only changed profiles.
    """
    create_tables(con)
    with open_vault(con, vault) if vault else nullcontext(), transaction(con):
        run_id, since = _next_run(con, night)
        restored = take_in_restored(con, entities, policy)
        if full:
            forget_evidence(con, rescore)
        deliveries = pending(con, full)
        take_in(con, entities, policy, deliveries)
        # A rebuild gives the state as before: decisions that no run had applied wait for the next one.
        carries_out = bool(full or deliveries or not restored)
        if carries_out:
            touch_decisions(con)
        touched = _count(con, "select count(distinct id_int) from touched")
        decided = 0
        if touched or full:
            decided = _decide(con, policy, since, run_id, full, full and rescore, vault is not None)
            kind = "full" if full else "incremental"
            con.execute(
                "insert into oneid.run values (?, ?, ?, ?, ?, ?)", [run_id, night, kind, tick(con), touched, decided]
            )
            note_metrics(con, run_id)
        if carries_out:
            mark_decisions(con)
        if lake and (touched or full):
            keep_state(con, lake, STAGE)
        con.execute("drop table touched")
    return _totals(con, run_id, touched, decided)


def _next_run(con: duckdb.DuckDBPyConnection, night: date) -> tuple[int, date]:
    """The run's number, and the night its ids hold from: never before that of an earlier run."""
    row = con.execute("select coalesce(max(run_id), 0) + 1, greatest(max(night), ?) from oneid.run", [night]).fetchone()
    assert row is not None
    return row[0], row[1]


def _decide(
    con: duckdb.DuckDBPyConnection,
    policy: IdentifierPolicy,
    night: date,
    run_id: int,
    full: bool,
    retrain: bool,
    has_vault: bool,
) -> int:
    """Decide the region, score the profiles in it that changed, and decide again where a score may link it further."""
    mark_region(con, full)
    region = load_region(con, policy, full, has_vault)
    decided = decide(region.evidence, policy)
    save_status(con, region, decided)
    changed = save_members(con, region, decided)
    if changed.profiles and has_vault:
        score_changed(con, run_id, retrain)
    if changed.profiles or changed.pairs:
        save_components(con, region, decided)
        con.execute(
            "insert into touched select unnest([profile_a, profile_b]) from oneid.prob_edge where band = 'link' "
            "and profile_a in (from region)"
        )
        con.execute(
            "insert into touched select unnest([profile_a, profile_b]) from oneid.prob_edge where band = 'link' "
            "and profile_b in (from region)"
        )
        mark_region(con, full, wider=True)
        region = load_region(con, policy, full, has_vault)
        decided = decide(region.evidence, policy)
        save_status(con, region, decided)
    save_components(con, region, decided)
    save_decided(con, policy, region, decided, night, run_id)
    update_households(con, policy, night, run_id, has_vault)
    con.execute("drop table region; drop table changed_profile; drop table if exists region_name")
    return int(region.inside.sum())


def _count(con: duckdb.DuckDBPyConnection, query: str) -> int:
    row = con.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def _totals(con: duckdb.DuckDBPyConnection, run_id: int, touched: int, decided: int) -> Resolution:
    row = con.execute(
        """
        select (select count(*) from oneid.identifier), (select count(*) from oneid.person),
               (select count(*) from oneid.identifier where status = 'shared'), (select coalesce(max(identifier_count),
                   0) from oneid.person),
               count(*) filter (where type = 'mint'), count(*) filter (where type = 'merge'),
                   count(*) filter (where type = 'split'), ?, ?
        from oneid.oneid_event where run_id = ?
        """,
        [touched, decided, run_id],
    ).fetchone()
    assert row is not None
    return Resolution(*row)
