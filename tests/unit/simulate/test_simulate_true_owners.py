"""Every identifier in a feed is in the ground truth and belongs to, or is shared with, the person of its record."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import duckdb
import polars as pl
import pytest
from read_back import Record, delivered, number, rows

from onedata.simulate import SimulationSummary

Shown = Iterator[tuple[str, str | None]]


def _noted(order: Record, name: str) -> str | None:
    return next((note["value"] for note in order["note_attributes"] if note["name"] == name), None)


def _of_order(order: Record) -> Shown:
    if order.get("test", True):
        return
    customer = order["customer"] or {}
    yield "account", customer.get("id") and str(customer["id"])
    yield from (
        ("email", order["email"]),
        ("email", customer.get("email")),
        ("phone", order["phone"]),
        ("phone", customer.get("phone")),
    )
    yield from (("social", _noted(order, "union_id")), ("payment", _noted(order, "payment_token")))


def _of_customer(record: Record) -> Shown:
    yield from (
        ("account", record["id"]),
        ("email", record["email"]),
        ("phone", record["phone"]),
        ("social", record["union_id"]),
    )


def _of_member(record: Record) -> Shown:
    yield from (
        ("loyalty", record["member_id"]),
        ("email", record["email"].lower()),
        ("phone", record["phone"].replace(" ", "")),
        ("social", record["union_id"]),
    )


def _of_event(event: Record) -> Shown:
    yield from (("account", event.get("user_id")), ("cookie", event.get("user_pseudo_id")))


SHOWN: dict[str, Callable[[Record], Shown]] = {
    "shop_orders": _of_order,
    "shop_customers": _of_customer,
    "shop_events": _of_event,
    "pos_transactions": lambda record: iter([("loyalty", record["card"]), ("payment", record["token"])]),
    "pos_tickets_eu": lambda record: iter([("loyalty", record["LoyaltyNo"]), ("payment", record["CardToken"])]),
    "pos_ticket_lines_eu": lambda record: iter([("loyalty", record["LoyaltyNo"])]),
    "pos_members": _of_member,
    "customer_consents": lambda record: iter([("email", record["email"]), ("loyalty", record["member_id"])]),
    "social_engagements": lambda record: iter([("social", record.get("union_id"))]),
    "social_mentions": lambda record: iter([("social", record.get("author_id"))]),
}


@pytest.fixture(scope="module")
def shown(small: SimulationSummary, known_small: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The truth with the table ``shown``: one row an identifier in a record: ``feed, type, value, person_no``."""
    found = []
    for feed, identifiers in SHOWN.items():
        # What was broken on purpose may show no true identifier.
        owners = {
            (file, row): person
            for file, row, person in rows(
                known_small,
                f"select file, row, person_no from records where feed = '{feed}' and coalesce(defect, "
                "'') not in ('bad_encoding', 'impossible', 'broken_key')",
            )
        }
        for file, row, record in delivered(small.source, feed):
            if (file, row) in owners:
                found += [(feed, kind, value, owners[file, row]) for kind, value in identifiers(record) if value]
    table = pl.DataFrame(
        found, schema={"feed": pl.String, "type": pl.String, "value": pl.String, "person_no": pl.Int64}, orient="row"
    ).to_arrow()
    known_small.register("given", table)
    known_small.execute("create or replace table shown as select distinct * from given")
    return known_small


def test_all_kinds_of_identifiers_are_shown(shown: duckdb.DuckDBPyConnection) -> None:
    kinds = {kind for (kind,) in rows(shown, "select distinct type from shown")}
    assert kinds == {kind for (kind,) in rows(shown, "select distinct type from identifiers")}
    assert {feed for (feed,) in rows(shown, "select distinct feed from shown")} == SHOWN.keys()


def test_every_shown_identifier_is_known(shown: duckdb.DuckDBPyConnection) -> None:
    unknown = (
        "select distinct feed, type, value from shown anti join identifiers using (type, value) "
        "where value not like 'o6_stranger%'"
    )
    assert rows(shown, unknown) == []


def test_it_belongs_to_the_person_behind_the_record(shown: duckdb.DuckDBPyConnection) -> None:
    # A kiosk in a store is everybody's and has no owners of its own.
    private = "(select type, value from identifiers where sharing is distinct from 'kiosk')"
    others = (
        f"select * from shown join {private} using (type, value) anti join identifier_owners using (type, value, "
        "person_no)"
    )
    assert rows(shown, others) == []


def test_only_strangers_have_nobody_behind_them(shown: duckdb.DuckDBPyConnection) -> None:
    assert number(shown, "select count(*) from shown where (value like 'o6_stranger%') <> (person_no is null)") == 0
    assert number(shown, "select count(distinct value) from shown where value like 'o6_stranger%'") > 10


def test_owners_and_identifiers_tell_the_same(known_small: duckdb.DuckDBPyConnection) -> None:
    owned = (
        "select type, value, count(distinct person_no) as owners, any_value(person_no) as one "
        "from identifier_owners group by all"
    )
    both = f"identifiers full join ({owned}) using (type, value) where sharing is distinct from 'kiosk'"
    assert rows(known_small, f"select * from {both} and (owners is null or owner_count is null)") == []
    assert (
        rows(
            known_small,
            f"select * from identifiers join ({owned}) using (type, value) where sharing is null and (person_no <> one "
            "or owners <> 1)",
        )
        == []
    )
    assert (
        rows(
            known_small,
            f"select * from identifiers join ({owned}) using (type, value) where owners > 1 and sharing is null",
        )
        == []
    )
    assert rows(known_small, "select type, value from identifiers group by all having count(*) > 1") == []


def test_records_of_one_document_have_one_person(known_small: duckdb.DuckDBPyConnection) -> None:
    true = "select distinct source, document, person_no from lines where not is_test"
    told = (
        "select 'shop' as source, split_part(key, '/', 1) as document, person_no from records "
        "where feed = 'shop_orders' union "
        "select 'pos', key, person_no from records where feed in ('pos_transactions', 'pos_tickets_eu') union "
        "select 'logistics', split_part(key, '/', 1), person_no from records where feed = 'logistics_returns'"
    )
    assert (
        rows(
            known_small,
            f"select * from ({true}) t join ({told}) r using (source, document) where t.person_no is distinct "
            "from r.person_no",
        )
        == []
    )
    assert (
        rows(known_small, "select document from lines group by source, document having count(distinct person_no) > 1")
        == []
    )


def test_referral_codes_belong_to_people_who_shared(
    small: SimulationSummary, known_small: duckdb.DuckDBPyConnection
) -> None:
    codes, seen = {}, set()
    for _, _, order in delivered(small.source, "shop_orders"):
        code = _noted(order, "referrer_code")
        seen.add(str(order["id"]))
        if code and not order["test"]:
            codes[str(order["id"])] = int(code.removeprefix("REF-"))
    assert len(codes) > 20
    journeys = "lines join touches using (journey_no) where source = 'shop' and referrer >= 0"
    true = dict(rows(known_small, f"select lines.document, max(referrer) from {journeys} group by 1"))
    assert codes == {order: referrer for order, referrer in true.items() if order in seen}
    shared = {person for (person,) in rows(known_small, "select distinct person_no from persons where has_social")}
    assert set(codes.values()) <= shared
