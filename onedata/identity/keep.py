"""OneID's state, kept beside the lake after every run that changed it: ids, events, decisions and scores cannot be
computed from the lake.

`lake/_log/oneid/<run>-<time>/` holds one Parquet file per table and a list of them with their SHA-256, written last.
Each state is complete, so the two newest are kept. Evidence from rows (`DERIVED`) is not stored: it is read again from
the lake.
"""

import json
from datetime import datetime
from pathlib import Path

import duckdb

from onedata.durable import make_folders, remove_listed, sync_file, sync_folder, write_durably
from onedata.ledger import tick
from onedata.ledger.applied import set_applied
from onedata.ledger.log import LogDamaged, append, entries, log_folder
from onedata.ledger.manifest import digest
from onedata.ledger.recover import ForeignLedger
from onedata.sql import any_rows, escape_glob, quote_text

KIND = "oneid"
DECISIONS = "decision"
KEPT = (
    "run", "run_metric", "identifier", "component", "profile_member", "profile", "prob_edge", "model", "issued",
    "oneid_map", "person",
    "household_trait", "household_map", "oneid_event", "guard_audit", "decision", "decision_applied",
)  # fmt: skip
DERIVED = ("identity_edge", "identifier_profile")
LISTING = "state.json"
STATES_KEPT = 2


def keep_state(con: duckdb.DuckDBPyConnection, lake: Path, stage: str) -> Path:
    """Write the state as this transaction sees it, before it commits: the log is never behind the warehouse.

    Args:
        con: The warehouse.
        lake: The lake's folder.
        stage: The stage whose deliveries in ops.applied are those that the state has processed.
    """
    row = con.execute("select coalesce(max(run_id), 0) from oneid.run").fetchone()
    assert row is not None
    folder = log_folder(lake, KIND) / f"{row[0]:06d}-{tick(con):%Y%m%dT%H%M%S.%f}"
    make_folders(folder)
    queries = {table: f"from oneid.{table}" for table in KEPT}
    queries["applied"] = f"select batch_id from ops.applied where stage = {quote_text(stage)}"
    listing = {}
    for table, query in queries.items():
        file = folder / f"{table}.parquet"
        con.execute(f"copy ({query}) to {quote_text(str(file))} (format parquet)")
        sync_file(file)
        listing[file.name] = digest(file)
    sync_folder(folder)
    write_durably(folder / LISTING, json.dumps(listing, indent=1) + "\n")
    for old in states(lake)[:-STATES_KEPT]:
        _forget(old)
    return folder


def keep_first_state(con: duckdb.DuckDBPyConnection, lake: Path, stage: str) -> None:
    """Write the state of a data home that has none: it is of an earlier onedata, or the log was lost."""
    row = con.execute("select count(*) from oneid.run").fetchone()
    if row and row[0] and not states(lake):
        keep_state(con, lake, stage)


def states(lake: Path) -> list[Path]:
    """Folders of the complete states, the newest last."""
    return sorted(file.parent for file in log_folder(lake, KIND).glob(f"*/{LISTING}"))


def _forget(folder: Path) -> None:
    """Remove a superseded state: the files that its own list names."""
    names = json.loads((folder / LISTING).read_text(encoding="utf-8"))
    (folder / LISTING).unlink()
    remove_listed(folder, names)
    if not any(folder.iterdir()):
        folder.rmdir()


def restore_state(con: duckdb.DuckDBPyConnection, lake: Path, stage: str) -> str:
    """Fill OneID's empty tables from the newest state and the decisions made since. The caller owns the transaction.

    Args:
        con: A warehouse whose schema `oneid` is empty.
        lake: The lake's folder.
        stage: Stage under which to mark the state's deliveries, whose evidence must be read again.

    Returns:
        A text of what was restored.

    Raises:
        LogDamaged: a file of the state is damaged.
    """
    found = states(lake)
    if not found:
        _restore_decisions(con, lake)
        return "no state of OneID is kept beside the lake: every id is new"
    folder = found[-1]
    listing = json.loads((folder / LISTING).read_text(encoding="utf-8"))
    for name, sha256 in listing.items():
        file = folder / name
        if not file.exists() or digest(file) != sha256:
            raise LogDamaged(
                f"{file} is gone or not what was written; restore it from a back-up (`onedata repair --from BACKUP`), "
                f"or move {folder} away to go on from the state before"
            )
    for table in KEPT:
        con.execute(
            f"insert into oneid.{table} by name from read_parquet(?)", [escape_glob(str(folder / f"{table}.parquet"))]
        )
    applied = con.execute(
        "select batch_id from read_parquet(?)", [escape_glob(str(folder / "applied.parquet"))]
    ).fetchall()
    set_applied(con, stage, [batch for (batch,) in applied])
    _restore_decisions(con, lake)
    return f"OneID as of its run {folder.name.split('-')[0].lstrip('0') or '0'}"


def log_decisions(con: duckdb.DuckDBPyConnection, lake: Path) -> None:
    """Append to the log the decisions made or reverted since it was last written.

    Raises:
        ForeignLedger: the log has decisions that the warehouse does not know; nothing was written.
    """
    told = unknown_decisions(con, lake)
    if told:
        raise ForeignLedger(told)
    logged = {(entry.content["decision_id"], entry.content["reverted_at"]) for entry in entries(lake, DECISIONS)}
    cursor = con.execute("select * from oneid.decision order by decision_id")
    names = [column[0] for column in cursor.description or []]
    for row in cursor.fetchall():
        decision = {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in zip(names, row, strict=True)
        }
        if (decision["decision_id"], decision["reverted_at"]) not in logged:
            append(lake, DECISIONS, tick(con), decision)


def unknown_decisions(con: duckdb.DuckDBPyConnection, lake: Path) -> str:
    """Decisions in the log that the warehouse does not know, as a sentence with the way out; '' if there are none."""
    logged = {entry.content["decision_id"] for entry in entries(lake, DECISIONS)}
    rows = (
        con.execute("select decision_id from oneid.decision").fetchall() if any_rows(con, "oneid", "decision") else []
    )
    lost = sorted(logged - {decision_id for (decision_id,) in rows})
    if not lost:
        return ""
    return (
        f"{log_folder(lake, DECISIONS)} holds {len(lost)} decisions of operators that the warehouse has never "
        "known (the first is decision "
        f"{lost[0]}): the warehouse is new, an older copy, or another one's. Nothing was changed. Put the right "
        "warehouse back, or rebuild it from the lake: `onedata rebuild`."
    )


def lost_state(con: duckdb.DuckDBPyConnection, lake: Path) -> str:
    """That the log has no state of OneID although there are persons, as a sentence; '' if all is well."""
    if states(lake) or not any_rows(con, "oneid", "person"):
        return ""
    return (
        f"{log_folder(lake, KIND)} holds no state of OneID, though there are persons: after the loss of the warehouse "
        "every id would be new. The next `onedata run` of a night writes it again"
    )


def missing_decisions(con: duckdb.DuckDBPyConnection, lake: Path) -> str:
    """Decisions missing in the log, found by gaps in their numbers; '' if there are none. Missing last ones leave no
    gap."""
    rows = con.execute(
        "select number from range(1, (select coalesce(max(decision_id), 0) + 1 from oneid.decision)) t(number) "
        "anti join oneid.decision d on d.decision_id = t.number order by number"
    ).fetchall()
    return (
        f"{log_folder(lake, DECISIONS)} lacks decisions {', '.join(str(number) for (number,) in rows)} of operators"
        if rows
        else ""
    )


def _restore_decisions(con: duckdb.DuckDBPyConnection, lake: Path) -> None:
    newest = {entry.content["decision_id"]: entry.content for entry in entries(lake, DECISIONS)}
    for decision_id, decision in sorted(newest.items()):
        names = ", ".join(decision)
        con.execute("delete from oneid.decision where decision_id = ?", [decision_id])
        marks = ", ".join("?" for _ in decision)
        con.execute(f"insert into oneid.decision ({names}) values ({marks})", list(decision.values()))
