"""Tables published besides the models: from the ledger and OneID. Each has a description, its SQL and column comments;
none has a raw identifier."""

from collections.abc import Mapping

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
            "quarantined": "Rows kept apart because they break a rule.",
            "duplicate": "Rows that had been accepted before.",
            "content_hash": "SHA-256 of the content.",
            "arrived_at": "When it landed (UTC).",
        },
    ),
    "ops_quarantine": (
        "Rows kept apart, counted by file and rule. The rows themselves stay in the private warehouse "
        "(ops.quarantine).",
        "select feed, path, ds, rule, count(*) as rows from ops.quarantine group by all",
        {
            "feed": "Feed of the contract.",
            "path": "File, below the source folder.",
            "ds": "Night the file is for.",
            "rule": "Rule the rows break.",
            "rows": "How many.",
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
            "message": "The difference in words.",
        },
    ),
    "ops_gate": (
        "Every quality check of every night. What quotes rows stays in the private warehouse (ops.gate).",
        "select run_id, night, stage, subject, rule, description, severity, passed, observed, expected, checked_at "
        "from ops.gate",
        {
            "run_id": "Dagster run that checked it.",
            "night": "Night that was checked.",
            "stage": "contract, ods, dim, dwd, oneid, dws, ads or published.",
            "subject": "Feed, entity or model.",
            "rule": "Rule checked.",
            "description": "The rule in words.",
            "severity": "error closes the gate, warning does not.",
            "passed": "True where the rule held.",
            "observed": "Rows (or keys) that break the rule, or the value that was judged.",
            "expected": "Bound on what is observed.",
            "checked_at": "When it was checked (UTC).",
        },
    ),
    "ops_reconciliation": (
        "Every balance from file to ADS, as last drawn each night: total_in = total_out + excluded + difference, "
        "and the difference is 0.",
        "select night, layer, model, subject, ds, path, measure, unit, total_in, total_out, excluded, difference "
        "from ops.reconciliation qualify checked_at = max(checked_at) over (partition by night, layer, subject, ds, "
        "path)",
        {
            "night": "Night of the run.",
            "layer": "landing (files and deliveries), ods (the lake), dim, dwd, dws or ads.",
            "model": "Table the rows and the money arrive in.",
            "subject": "Feed, or the tables the balance is drawn between.",
            "ds": "Night the rows are for; empty where the balance is over all nights.",
            "path": "File, below the source folder; empty where the balance is over more than one.",
            "measure": "What is counted or added up.",
            "unit": "rows, files or orders; for money the ISO 4217 code of its currency (XXX where a row names none).",
            "total_in": "What came in.",
            "total_out": "What came out.",
            "excluded": "What was left out on purpose, by reason.",
            "difference": "What is missing (or, negative, too much): total_in - total_out - excluded.",
        },
    ),
    "ops_profile": (
        "What each night of a feed looked like, one row a delivery, column and metric. Listed values stay in the "
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
        "Each night of a feed against the 28 days before it, one row a column and metric.",
        "select feed, ds, column_name, metric, value, middle, low, high, nights, holds from ops.trend",
        {
            "feed": "Feed of the contract.",
            "ds": "Night that was judged.",
            "column_name": "Canonical column; empty for the night as a whole.",
            "metric": "received, rows, null_share, distinct_share or distribution (Jensen-Shannon distance, 0 to 1).",
            "value": "What the night has.",
            "middle": "Median of the nights before.",
            "low": "The least that was expected.",
            "high": "The most that was expected.",
            "nights": "Nights compared with.",
            "holds": "False where the value lies outside.",
        },
    ),
}
ONEID_VIEWS: dict[str, View] = {
    "oneid_household": (
        "The household of every person and since when.",
        "select oneid, household_id, rule, valid_from, valid_to from oneid.household_map",
        {
            "oneid": "Person.",
            "household_id": "Household, called after its oldest OneID.",
            "rule": "What the person has in common with another of the household: address and name, address and "
            "identifier, identifier and name; or alone.",
            "valid_from": "Night from which it holds.",
            "valid_to": "Night from which it holds no more; empty today.",
        },
    ),
    "oneid_current": (
        "What a OneID that was merged away is called today. One that is not here is still its own.",
        "select old_oneid, oneid from oneid.oneid_current",
        {"old_oneid": "A OneID of former nights.", "oneid": "The OneID of today."},
    ),
    "oneid_event": (
        "What happened to OneIDs. The evidence stays in the private warehouse (oneid.oneid_event).",
        "select night, run_id, type, from_oneid, to_oneid, identifiers from oneid.oneid_event",
        {
            "night": "Night of the run.",
            "run_id": "Run of OneID, from 1 on.",
            "type": "mint (a new person), merge (from is now to), split (part of from is now to) or retire.",
            "from_oneid": "The OneID before; empty where there was none.",
            "to_oneid": "The OneID after; empty where there is none.",
            "identifiers": "Identifiers concerned.",
        },
    ),
    "oneid_guard": (
        "Links that were not made because a limit forbade them, counted. Which ones stays in the private warehouse "
        "(oneid.guard_audit).",
        "select night, rule, split_part(identity_key, ':', 1) as type, count(*) as links, max(observed) "
        "as most_observed, max(allowed) as allowed from oneid.guard_audit group by all",
        {
            "night": "Night it was first seen.",
            "rule": "Limit that forbade it.",
            "type": "Kind of identifier; address or person for households.",
            "links": "Identifiers that were not linked by.",
            "most_observed": "The most that was observed of any of them.",
            "allowed": "What is allowed.",
        },
    ),
}
