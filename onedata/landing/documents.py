"""The document of a quarantined header, line, payment, refund or parcel, by which DWD knows that it is unsettled, or a
refund or parcel not read, and DWS that a payment is not read. Pure: contract in, SQL out."""

from collections.abc import Sequence
from datetime import date

from onedata.contracts.model import PARTS_OF_DOCUMENTS, Feed
from onedata.ledger.states import Status
from onedata.sql import quote_text

TYPE = (
    "struct(source_system varchar, order_id varchar, line_id varchar, version timestamp, edition bigint, "
    "is_whole boolean, policy varchar)"
)


def document_sql(feed: Feed, night: date) -> str:
    """SQL of ops.quarantine.document over the typed columns of an invalid row; NULL for a feed of other entities, and
    where the row's id cannot be read.

    A version outside its range is none: it would be newer than every later one.
    """
    if feed.entity.name not in PARTS_OF_DOCUMENTS:
        return f"null::{TYPE}"
    system = quote_text(feed.system)
    if any(item.column.name == "order_system" for item in feed.fields):
        system = f"coalesce(order_system, {system})"
    version, kept = feed.entity.version, "null"
    if version:
        low, high = feed.entity.column(version).limits(night)
        within = [f"{version} {sign} timestamp '{limit}'" for sign, limit in ((">=", low), ("<=", high)) if limit]
        kept = f"case when {' and '.join(within) or 'true'} then {version} end"
    parts = (
        f"source_system := {system}, order_id := order_id, line_id := {PARTS_OF_DOCUMENTS[feed.entity.name]}, "
        f"version := {kept}, "
        f"edition := coalesce(_edition, 1), is_whole := {'true' if feed.records else 'false'}, "
        f"policy := {quote_text(feed.unsettled)}"
    )
    return f"case when order_id is not null then struct_pack({parts})::{TYPE} end"


def repeats_nothing_unread(feed: Feed, night: date, replaced: Sequence[str]) -> str:
    """A further condition (`and ...`) of a duplicate: since the last accepted row of its key, of night `_last`, no
    earlier night than `night` brought one that went to quarantine. A row that repeats an older one settles that, but
    not of a parcel: what became of it is told by a newer version only."""
    if feed.entity.name not in PARTS_OF_DOCUMENTS or feed.entity.name == "shipment":
        return ""
    part = PARTS_OF_DOCUMENTS[feed.entity.name]
    line = "" if part == "null" else f" and q.document.line_id = {part}"
    gone = f"('{Status.REFUSED}', '{Status.REPLACED}')"
    order = " and q.document.order_id = order_id" if "order_id" in feed.entity.key else ""
    others = "".join(f" and q.batch_id <> {quote_text(batch)}" for batch in replaced)
    return (
        " and not exists (select 1 from ops.quarantine q join ops.delivery d using (batch_id) "
        f"where q.feed = {quote_text(feed.name)}{order}{line} and q.ds >= _last "
        f"and q.ds < date '{night}' and d.status not in {gone}{others})"
    )
