"""Tables published besides the models: from the ledger and OneID. Each has a description, its SQL and column comments;
none has a raw identifier."""

from collections.abc import Mapping

from onedata.masking import mask_sql

View = tuple[str, str, Mapping[str, str]]
OPS_VIEWS: dict[str, View] = {
    "ops_file": (
        "Every delivered file: received = accepted + quarantined + duplicate, in rows.",
        "select feed, path, ds, status, received, accepted, quarantined, duplicate, content_hash, arrived_at "
        "from ops.file",
        {
            "feed": "Feed of the contract.",
            "path": "File, below the source folder.",
            "ds": "Night the file is for.",
            "status": "landed, repeated (content known under another name) or unreadable.",
            "received": "Rows found in the file.",
            "accepted": "Rows that entered the lake.",
            "quarantined": "Rows quarantined because they break a rule.",
            "duplicate": "Rows that had been accepted before.",
            "content_hash": "SHA-256 of the content.",
            "arrived_at": "When it landed (UTC).",
        },
    ),
    "ops_quarantine": (
        "Quarantined rows, counted by file and rule. The rows themselves stay in the private warehouse "
        "(ops.quarantine).",
        "select feed, path, ds, rule, count(*) as rows from ops.quarantine group by all",
        {
            "feed": "Feed of the contract.",
            "path": "File, below the source folder.",
            "ds": "Night the file is for.",
            "rule": "Rule the rows break.",
            "rows": "Number of rows.",
        },
    ),
    "ops_cost": (
        "What each step of earlier runs took, and the tables that it made. Of the run that built this publication the "
        "steps before it.",
        "select night, run_id, step, subject, cpu_seconds, wall_seconds, rows_read, rows_written, noted_at "
        "from ops.cost",
        {
            "night": "Night of the run.",
            "run_id": "The run, as in ops_gate.",
            "step": "Op of the graph; start is all before the first one: imports, contracts, dbt's parse.",
            "subject": "Table that the step made; empty for the step as a whole.",
            "cpu_seconds": "CPU seconds of all threads of the process; empty for a table.",
            "wall_seconds": "Seconds by the clock.",
            "rows_read": "Rows received from files; empty where a step reads none.",
            "rows_written": "Rows accepted, or rows of the table afterwards; empty where a step writes none.",
            "noted_at": "When it ended (UTC).",
        },
    ),
    "ops_unsettled": (
        "Orders, tickets and returns whose newest header or line is in quarantine, by currency. They count as they "
        "were last settled, or not at all, until the row is corrected or released. And refunds of which a row is in "
        "quarantine: they count for nothing until then.",
        f"select source_system, case when is_known then order_id else {mask_sql('order_id')} end as order_id, "
        "null::varchar as refund_id, currency, channel, business_date, unsettled_since, feeds, rules, unread_count, "
        "policy, is_held, delivered_amount, case when is_held then delivered_amount else 0 end as counted_amount, "
        "quarantined_amount from dwd.dwd_unsettled union all "
        f"select source_system, case when is_known then order_id else {mask_sql('order_id')} end, "
        f"case when is_known then refund_id else {mask_sql('refund_id')} end, coalesce(currency, 'XXX'), channel, "
        "business_date, unread_since, feeds, rules, unread_count, 'leave_out', false, -read_amount, 0, -unread_amount "
        "from dwd.dwd_refund_unread",
        {
            "source_system": "System of the document.",
            "order_id": "Its id; masked where nothing of it was accepted and the id looks like a person's.",
            "refund_id": "The refund on it that is half read; empty for a document.",
            "currency": "ISO 4217 code of the amounts; XXX if the rows name none.",
            "channel": "Its channel; empty where nothing of it was accepted.",
            "business_date": "Its local day; empty where nothing of it was accepted.",
            "unsettled_since": "Night of the first row that is in quarantine.",
            "feeds": "Feeds that delivered these rows.",
            "rules": "Rules that they break.",
            "unread_count": "Number of these rows.",
            "policy": "hold or leave_out, by the contract.",
            "is_held": "True if it counts at its last settled state, false if it is left out.",
            "delivered_amount": "Net amount of its accepted lines, without test lines; what a refund's say, negative.",
            "counted_amount": "The part of it that counts: all of it if the document is held, else 0.",
            "quarantined_amount": "Net amount of its lines in quarantine, as far as it can be read.",
        },
    ),
    "ops_drift": (
        "Differences between a file's columns and its contract that did not stop the file.",
        "select feed, path, ds, kind, column_name, message from ops.drift",
        {
            "feed": "Feed of the contract.",
            "path": "File, below the source folder.",
            "ds": "Night the file is for.",
            "kind": "added, missing or order.",
            "column_name": "Column concerned.",
            "message": "The difference as text.",
        },
    ),
    "ops_gate": (
        "Every quality check of every night. Messages that quote rows stay in the private warehouse (ops.gate).",
        "select run_id, night, stage, subject, rule, description, severity, passed, observed, expected, checked_at "
        "from ops.gate",
        {
            "run_id": "Dagster run that checked it.",
            "night": "Night that was checked.",
            "stage": "contract, ods, dim, dwd, oneid, dws, ads or published.",
            "subject": "Feed, entity or model.",
            "rule": "Rule checked.",
            "description": "The rule as text.",
            "severity": "error closes the gate, warning does not.",
            "passed": "True if the rule held.",
            "observed": "Number of rows (or keys) that break the rule, or the judged value.",
            "expected": "Bound on the observed value.",
            "checked_at": "When it was checked (UTC).",
        },
    ),
    "ops_reconciliation": (
        "Every balance from file to ADS, as last computed each night: total_in = total_out + excluded + difference, "
        "and the difference is 0.",
        "select night, layer, model, subject, ds, path, measure, unit, total_in, total_out, excluded, difference "
        "from ops.reconciliation qualify checked_at = max(checked_at) over (partition by night, layer, subject, ds, "
        "path)",
        {
            "night": "Night of the run.",
            "layer": "landing (files and deliveries), ods (the lake), dim, dwd, dws or ads.",
            "model": "Table the rows and the money arrive in.",
            "subject": "Feed, or the tables that the balance compares.",
            "ds": "Night the rows are for; empty if the balance covers all nights.",
            "path": "File, below the source folder; empty if the balance covers more than one.",
            "measure": "What is counted or summed.",
            "unit": "rows, files or orders; for money the ISO 4217 code of its currency (XXX if a row names none).",
            "total_in": "Total that entered.",
            "total_out": "Total that left.",
            "excluded": "Totals excluded on purpose, by reason.",
            "difference": "Missing (or, if negative, excess) total: total_in - total_out - excluded.",
        },
    ),
    "ops_profile": (
        "Profile of each night of a feed, one row per delivery, column and metric. Listed values stay in the "
        "private warehouse (ops.profile).",
        "select p.feed, p.ds, p.batch_id, p.column_name, p.metric, p.value from ops.profile p "
        "join ops.batch b using (batch_id) where p.metric <> 'share'",
        {
            "feed": "Feed of the contract.",
            "ds": "Night the delivery is for.",
            "batch_id": "Delivery; a night may have several.",
            "column_name": "Canonical column; empty for the delivery as a whole.",
            "metric": "received, rows, sample_rows; null_share, distinct_share (of a sample), p05 to p95 (dates and "
            "times in hours before the night's end).",
            "value": "The value: rows, a share from 0 to 1, or a quantile.",
        },
    ),
    "ops_trend": (
        "Each night of a feed compared with the 28 days before it, one row per column and metric.",
        "select feed, ds, column_name, metric, value, middle, low, high, nights, holds from ops.trend",
        {
            "feed": "Feed of the contract.",
            "ds": "Night that was judged.",
            "column_name": "Canonical column; empty for the night as a whole.",
            "metric": "received, rows, null_share, distinct_share or distribution (Jensen-Shannon distance, 0 to 1).",
            "value": "Value of the night.",
            "middle": "Median of the nights before.",
            "low": "Lower bound of the expected values.",
            "high": "Upper bound of the expected values.",
            "nights": "Number of nights before that were compared.",
            "holds": "False if the value is outside the bounds.",
        },
    ),
}
ONEID_VIEWS: dict[str, View] = {
    "oneid_household": (
        "The household of every person and since when.",
        "select oneid, household_id, rule, valid_from, valid_to from oneid.household_map",
        {
            "oneid": "Person.",
            "household_id": "Household, named after its oldest OneID.",
            "rule": "What the person shares with another of the household: address and name, address and "
            "identifier, identifier and name; or alone.",
            "valid_from": "Night from which it holds.",
            "valid_to": "Night from which it no longer holds; empty for the current version.",
        },
    ),
    "oneid_current": (
        "The current OneID of each OneID that was merged away. A OneID that is not in this table is current.",
        "select old_oneid, oneid from oneid.oneid_current",
        {"old_oneid": "A OneID of earlier nights.", "oneid": "The current OneID."},
    ),
    "oneid_event": (
        "Changes of OneIDs. The evidence stays in the private warehouse (oneid.oneid_event).",
        "select night, run_id, type, from_oneid, to_oneid, identifiers from oneid.oneid_event",
        {
            "night": "Night of the run.",
            "run_id": "Run of OneID, from 1 on.",
            "type": "mint (a new person), merge (from is now to), split (part of from is now to) or retire.",
            "from_oneid": "The OneID before; empty if there was none.",
            "to_oneid": "The OneID after; empty if there is none.",
            "identifiers": "Identifiers concerned.",
        },
    ),
    "oneid_guard": (
        "Number of links that a limit forbade. The links themselves stay in the private warehouse (oneid.guard_audit).",
        "select night, rule, split_part(identity_key, ':', 1) as type, count(*) as links, max(observed) "
        "as most_observed, max(allowed) as allowed from oneid.guard_audit group by all",
        {
            "night": "Night it was first seen.",
            "rule": "Limit that forbade it.",
            "type": "Kind of identifier; address or person for households.",
            "links": "Number of identifiers that made no link.",
            "most_observed": "Largest observed value of any of them.",
            "allowed": "Allowed value.",
        },
    ),
}
