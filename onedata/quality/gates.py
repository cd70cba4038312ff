"""The gates between the stages, as plain functions: the checks of each, and the effect of a closed gate."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import duckdb

from onedata.contracts.model import Feed
from onedata.ledger import judge
from onedata.ledger.paths import staged_files
from onedata.quality.contract_rules import contract_rules, hidden_columns
from onedata.quality.contract_version import version_check
from onedata.quality.gx import Gatekeeper, Subject
from onedata.quality.model_rules import model_rules, sensitive_columns
from onedata.quality.profile import profile_delivery, staged_parts, staged_relation
from onedata.quality.results import CheckResult, GateClosed
from onedata.quality.trends import judge_trends
from onedata.settings import Settings

LAYERS = ("ods", "dim", "dwd", "oneid", "dws", "ads")
SAMPLE = 3


def contract_gate(
    con: duckdb.DuckDBPyConnection, gatekeeper: Gatekeeper, settings: Settings, feed: Feed, night: date
) -> list[CheckResult]:
    """Check the feed's staged deliveries and mark each passed or refused.

    Checks: the contract's change since rows last landed by it (if refused, the gate ends here, since nothing has
    landed), every file readable, quarantined rows within the tolerance, a file for the night if the contract expects
    one, values that were emptied, the contract's own rules on the staged rows, and the trends of each night with new
    rows. A refused delivery leaves no profile.
    """
    version = version_check(con, feed)
    if version.blocks:
        return [version]
    results = [version, _readable(con, feed), _within_tolerance(con, feed)]
    if feed.every_days and "{ds}" in feed.location.path:
        results.append(_delivered(con, feed, night))
    results += _drifts(con, feed) + _voided(con, feed)
    staged = con.execute(
        "select ds, batch_id from ops.delivery where feed = ? and status = 'staged' order by ds, batch_id", [feed.name]
    ).fetchall()
    # A delivery of only repeats and unreadable files has no rows to check.
    staged = [(ds, batch) for ds, batch in staged if staged_files(settings, feed.name, batch)]
    batches = [batch for _, batch in staged]
    if staged:
        rows: dict[date, int] = defaultdict(int)
        for ds, batch in staged:
            rows[ds] += profile_delivery(con, settings, feed, ds, batch)
        # The files themselves and not a view of them: DuckDB pushes fewer filters through a view.
        relation = staged_relation(con, settings, feed, batches)
        parts = staged_parts(con, settings, feed, batches)
        results += gatekeeper.check(
            "contract", feed.name, relation, contract_rules(feed), list(rows.values()), hidden_columns(feed), parts
        )
        results += judge_trends(con, feed, list(rows))
    judge(con, feed, passed=not any(result.blocks for result in results))
    return results


def _readable(con: duckdb.DuckDBPyConnection, feed: Feed) -> CheckResult:
    files = con.execute(
        "select path, message from ops.file where feed = ? and status = 'unreadable' order by path", [feed.name]
    ).fetchall()
    message = "; ".join(f"{path}: {text}" for path, text in files) or "every file was read"
    return CheckResult(
        "contract",
        feed.name,
        "readable_files",
        "error",
        not files,
        str(len(files)),
        message,
        "0",
        "files that cannot be read",
    )


def _within_tolerance(con: duckdb.DuckDBPyConnection, feed: Feed) -> CheckResult:
    worst = con.execute(
        "select ds, sum(quarantined)::bigint as bad, sum(received)::bigint as total from ops.file where feed = ? "
        "and status = 'landed' "
        "and batch_id in (select batch_id from ops.delivery where status = 'staged') group by ds "
        "having sum(received) > 0 order by bad / total desc, ds limit 1",
        [feed.name],
    ).fetchone()
    expected, description = f"at most {feed.tolerance:.1%}", "share of rows quarantined in the worst night"
    observed = f"{worst[1] / worst[2]:.1%}" if worst else "0.0%"
    if worst is None or worst[1] <= worst[2] * feed.tolerance:
        text = f"{worst[1]} of {worst[2]} rows quarantined, tolerance {feed.tolerance:.1%}" if worst else "nothing new"
        return CheckResult(
            "contract", feed.name, "quarantine_tolerance", "error", True, observed, text, expected, description
        )
    rows = con.execute(
        "select path, rule, count(*) as n, list('row ' || row || ': ' || reason order by row)[1:?] from ops.quarantine "
        "where feed = ? and ds = ? group by path, rule order by n desc, path limit 3",
        [SAMPLE, feed.name, worst[0]],
    ).fetchall()
    detail = "; ".join(f"{path}, rule {rule}: {n} rows ({' | '.join(sample)})" for path, rule, n, sample in rows)
    message = f"{worst[1]} of {worst[2]} rows for {worst[0]} quarantined, tolerance {feed.tolerance:.1%}: {detail}"
    return CheckResult(
        "contract", feed.name, "quarantine_tolerance", "error", False, observed, message, expected, description
    )


def _delivered(con: duckdb.DuckDBPyConnection, feed: Feed, night: date) -> CheckResult:
    row = con.execute("select max(ds) from ops.file where feed = ? and ds <= ?", [feed.name, night]).fetchone()
    last = row[0] if row else None
    late = last is None or (night - last).days >= (feed.every_days or 0)
    before = f"the last is for {last}" if last else "there never was one"
    message = (
        f"no file for {night} ({before}), expected every {feed.every_days} d at {feed.location.path}"
        if late
        else f"last file for {last}"
    )
    return CheckResult(
        "contract",
        feed.name,
        "file_delivered",
        "warning",
        not late,
        str(last or "never"),
        message,
        f"every {feed.every_days} d",
        "last night with a file",
    )


def _drifts(con: duckdb.DuckDBPyConnection, feed: Feed) -> list[CheckResult]:
    rows = con.execute(
        "select d.path, d.message from ops.drift d join ops.delivery b using (batch_id) where d.feed = ? "
        "and b.status = 'staged' order by 1, 2",
        [feed.name],
    ).fetchall()
    message = "; ".join(f"{path}: {text}" for path, text in rows[:SAMPLE]) or "columns as in the contract"
    return [
        CheckResult(
            "contract",
            feed.name,
            "columns_as_contracted",
            "warning",
            not rows,
            str(len(rows)),
            message,
            "0",
            "differences from the contract's columns",
        )
    ]


def _voided(con: duckdb.DuckDBPyConnection, feed: Feed) -> list[CheckResult]:
    """The values that `onInvalid: void` emptied in rows that wait for the gate; nothing for a feed that declares
    none."""
    if all(item.on_invalid == "row" for item in feed.fields):
        return []
    rows = con.execute(
        "select r.path, r.column_name, sum(r.rows)::bigint from ops.repair r join ops.delivery b using (batch_id) "
        "where r.feed = ? and r.repair = 'void' and b.status = 'staged' group by all order by 3 desc, 1, 2",
        [feed.name],
    ).fetchall()
    emptied = sum(row[2] for row in rows)
    detail = "; ".join(f"{path}: {count} of {column}" for path, column, count in rows[:SAMPLE])
    message = f"{emptied} invalid values were emptied (onInvalid: void): {detail}" if rows else "no value was emptied"
    description = "invalid values that were emptied (onInvalid: void)"
    return [
        CheckResult(
            "contract", feed.name, "values_voided", "warning", not rows, str(emptied), message, "0", description
        )
    ]


def layer_gate(
    gatekeeper: Gatekeeper,
    manifest: Mapping[str, Any],
    layer: str,
    models: Sequence[str] | None = None,
    where: str = "",
) -> list[CheckResult]:
    """Check the rules in the YAML of the layer's models (all of them, or those named), on the rows that `where`
    keeps."""
    subjects = [
        Subject(
            name,
            f"(select * from {relation} where {where})" if where else relation,
            rules,
            sensitive_columns(manifest, name),
        )
        for name, (relation, rules) in model_rules(manifest, layer).items()
        if models is None or name in models
    ]
    return gatekeeper.check_all(layer, subjects)


def new_partitions(con: duckdb.DuckDBPyConnection) -> str:
    """SQL that selects the ODS rows of nights with unpublished deliveries: earlier partitions passed, and files never
    change.

    The nights are literals in it, so that only their folders of the lake are read.
    """
    nights = con.execute("select distinct ds from ops.pending_batch order by ds").fetchall()
    return "ds in (" + ", ".join(f"date '{ds}'" for (ds,) in nights) + ")" if nights else "false"


def require_open(con: duckdb.DuckDBPyConnection, layer: str) -> None:
    """Refuse to build `layer` while a gate before it is closed, even if another run closed it.

    Raises:
        GateClosed: the last check of a stage before `layer` failed; the text says which, why, and the fix.
    """
    # DWD reads no table of DIM, so a run may build it first: DIM is then not yet checked again.
    reads = tuple(name for name in LAYERS if (name, layer) != ("dim", "dwd"))
    before = reads[: reads.index(layer)] if layer in reads else reads
    closed = con.execute(
        "select stage, subject, rule, message from (select *, max(checked_at) over (partition by stage, "
        "subject) as last_checked_at from ops.gate "
        "where stage in (select unnest(?::varchar[]))) where checked_at = last_checked_at and severity = 'error' and "
        "not passed",
        [list(before)],
    ).fetchall()
    if closed:
        text = "\n".join(f"gate {stage}: {subject}, rule {rule}: {message}" for stage, subject, rule, message in closed)
        raise GateClosed(
            f"{layer} is not built, because a gate before it is closed:\n{text}\nFix the cause, then run the night "
            "again."
        )
