"""Control totals: the money of each file's rows, by outcome. Pure: contract in, SQL out."""

from collections.abc import Mapping, Sequence
from datetime import date

from onedata.contracts.model import Feed
from onedata.contracts.totals import AMOUNT, CURRENCY, currency_code, exact, sums_by_currency
from onedata.ledger.states import Status
from onedata.sql import quote_text

FATES = ("received", "accepted", "quarantined", "duplicate")


def control_totals_sql(feed: Feed, relations: Mapping[str, Sequence[str]], files: str = "landing_files") -> str | None:
    """SQL of one landing's control totals; None if the feed's entity has no money.

    Unparsed records have no amounts and are not counted. Batches of one file's rows may be written one after the other:
    rows add up.

    Args:
        feed: The feed of the rows.
        relations: Relations of typed rows with the columns of an ODS file, each with the outcomes it counts for. Each
            is read once. Received and accepted rows are separate relations wherever rows pass between them, so that a
            lost row shows as missing money.
        files: A relation path, content_hash, batch_id, ds.
    """
    if not feed.entity.totals:
        return None
    parts = [
        f"select {list(fates)!r} as fates, * from ({sums_by_currency(feed.entity, rows, ['_file'])})"
        for rows, fates in relations.items()
    ]
    sums = ", ".join(
        f"coalesce(sum(t.amount) filter (where list_contains(t.fates, '{fate}')), 0) as {fate}" for fate in FATES
    )
    return (
        f"select {quote_text(feed.name)} as feed, f.path, f.content_hash, f.batch_id, f.ds, t.measure as total_name, "
        f"t.unit as currency, {sums} "
        f"from ({' union all '.join(parts)}) t join {files} f on f.path = t._file group by all"
    )


def repeated_totals_sql(feed: Feed, path: str, ds: date, content_hash: str, known_as: str, batch: str) -> str:
    """SQL for a file whose content is known under another path: all its money is duplicate. If the same run reloads the
    night of that path, its earlier totals do not count.

    Args:
        feed: The feed of the file.
        path: The duplicate file, for the night `ds`.
        ds: The night the duplicate is for.
        content_hash: Content of both.
        known_as: The path the content landed under.
        batch: The duplicate's own delivery.
    """
    taken_anew = f"select unnest(replaces) from ops.delivery where status = '{Status.STAGED}'"
    return (
        f"select feed, {quote_text(path)} as path, content_hash, {quote_text(batch)} as batch_id, date '{ds}' as ds, "
        "total_name, currency, received, 0 as accepted, 0 as quarantined, received as duplicate "
        f"from ops.control_total where feed = {quote_text(feed.name)} and content_hash = {quote_text(content_hash)} "
        f"and path = {quote_text(known_as)} and batch_id not in ({taken_anew})"
    )


def released_totals_sql(feed: Feed, batch: str, ds: date, accepted: str, duplicate: str) -> str | None:
    """SQL of the money that a release moves: its rows' current amounts count as accepted or duplicate, and their
    quarantined amounts are subtracted. Rows of one file add up. None if the feed's entity has no money.

    Args:
        feed: The feed of the rows.
        batch: The release's delivery; ops.released has its rows.
        ds: Their night.
        accepted: Relation of the rows that are valid now.
        duplicate: Relation of the rows that had been accepted before.
    """
    if not feed.entity.totals:
        return None
    parts = [
        f"select '{fate}' as fate, _file, measure, unit, amount from ({sums_by_currency(feed.entity, rows, ['_file'])})"
        for fate, rows in (("accepted", accepted), ("duplicate", duplicate))
    ]
    own = f"r.batch_id = {quote_text(batch)} and r.fate <> 'again'"
    parts.append(
        "select 'taken back' as fate, q.path as _file, t.key as measure, q.currency as unit, t.value as amount "
        "from ops.quarantine q join ops.released r using (feed, path, content_hash, row, rule), "
        f"unnest(map_entries(q.totals)) as u(t) where {own}"
    )
    accepted_now, duplicate_now, before = (
        f"coalesce(sum(t.amount) filter (where t.fate = '{fate}'), 0)"
        for fate in ("accepted", "duplicate", "taken back")
    )
    files = f"(select distinct path, content_hash from ops.released r where {own})"
    return (
        f"select {quote_text(feed.name)} as feed, f.path, f.content_hash, {quote_text(batch)} as batch_id, date '{ds}' "
        f"as ds, t.measure as total_name, t.unit as currency, {accepted_now} + {duplicate_now} - {before} as received, "
        f"{accepted_now} as accepted, -{before} as quarantined, {duplicate_now} as duplicate "
        f"from ({' union all by name '.join(parts)}) t join {files} f on f.path = t._file group by all"
    )


def amounts_sql(feed: Feed) -> tuple[str, str]:
    """SQL over an invalid row of its amounts by total and their currency, which quarantine stores for a release."""
    if not feed.entity.totals:
        return f"map([]::varchar[], []::{AMOUNT}[])", "null::varchar"
    names = ", ".join(quote_text(total.name) for total in feed.entity.totals)
    amounts = ", ".join(exact(total.amount) for total in feed.entity.totals)
    return f"map([{names}], [{amounts}])", currency_code(CURRENCY)
