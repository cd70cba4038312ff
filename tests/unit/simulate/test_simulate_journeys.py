"""See, decide, buy, share: the touches of journeys, their effect, and the consequences of a purchase."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest
from read_back import delivered, number, rows, tables

from onedata.simulate import DefectRates, SimulationSettings, SimulationSummary, simulate
from onedata.simulate.journeys import BASE_EFFECT, SEGMENTS, TOUCH_COUNTS, TOUCHES, conversion

DAY_US = 86_400_000_000
WITH_PERSON = "touches join persons using (person_no)"
MET = f"{WITH_PERSON} where kind <> 'base'"
"""Real touches: the wish there was before stands in every path as `base`."""


def test_touches_are_met_as_often_as_asked(known: duckdb.DuckDBPyConnection) -> None:
    for number_, segment in enumerate(SEGMENTS):
        for social in (False, True):
            weights = {kind.name: kind.weights[number_] for kind in TOUCHES if social or not kind.needs_social}
            asked = {name: weight / sum(weights.values()) for name, weight in weights.items() if weight}
            found = rows(
                known,
                f"select kind, count(*) / sum(count(*)) over (), sum(count(*)) over () from {MET} and segment = ? "
                "and has_social = ? group by 1",
                [segment, social],
            )
            # Touches of one person follow the same weights, so they are as good as independent.
            assert {kind: float(share) for kind, share, _ in found} == pytest.approx(
                asked, abs=2.5 / float(found[0][2]) ** 0.5
            )


def test_journeys_have_up_to_four_touches(known: duckdb.DuckDBPyConnection) -> None:
    lengths = (
        "(select segment, journey_no, count(*) - 1 as n, min(touch_no) as first, max(touch_no) as last "
        f"from {WITH_PERSON} group by all)"
    )
    assert number(known, f"select count(*) from {lengths} where n <> last or first <> 0 or n > 4") == 0
    assert number(known, "select count(*) from touches where (kind = 'base') <> (touch_no = 0)") == 0
    for position, segment in enumerate(SEGMENTS):
        found = dict(
            rows(
                known,
                f"select n, count(*) / sum(count(*)) over () from {lengths} where segment = '{segment}' group by 1",
            )
        )
        asked = {count: share for count, share in enumerate(TOUCH_COUNTS[position]) if share}
        assert {count: float(share) for count, share in found.items()} == pytest.approx(asked, abs=0.02)


def test_journeys_convert_as_their_touches_make_them(known: duckdb.DuckDBPyConnection) -> None:
    effect = " ".join(f"when '{kind.name}' then {1 - kind.effect}" for kind in TOUCHES)
    base = " ".join(f"when '{segment}' then {1 - share}" for segment, share in zip(SEGMENTS, BASE_EFFECT, strict=True))
    expected = f"1 - any_value(case segment {base} end) * product(case kind {effect} else 1 end)"
    each = (
        f"(select segment, journey_no, {expected} as expected, bool_or(converts) as converts from {WITH_PERSON} "
        "group by all)"
    )
    for segment, share, wanted, count in rows(
        known, f"select segment, avg(converts::int), avg(expected), count(*) from {each} group by 1"
    ):
        assert share == pytest.approx(wanted, abs=2 / count**0.5), segment
    assert 0.2 < conversion(0, has_social=False) < conversion(0, has_social=True) < 0.6


def test_causes_add_up_to_one_with_the_wish_there_was_before(known: duckdb.DuckDBPyConnection) -> None:
    each = (
        "(select journey_no, sum(weight) as w, count(*) filter (is_cause) as causes, bool_or(converts) as converts "
        "from touches group by 1)"
    )
    assert number(known, f"select count(*) from {each} where abs(w - 1) > 5e-6 or causes <> converts::int") == 0
    # A touch is the cause as often as its weight says: the weights of the converted are probabilities.
    for kind, caused, weight, count in rows(
        known, "select kind, avg(is_cause::int), avg(weight), count(*) from touches where converts group by 1"
    ):
        assert caused == pytest.approx(weight, abs=2.5 / count**0.5), kind


def test_buying_follows_seeing_after_a_while(known: duckdb.DuckDBPyConnection) -> None:
    first = "select journey_no, min(at_us) as bought from lines where journey_no is not null group by 1"
    delay = f"(select touches.*, bought, bought - at_us as waits from touches join ({first}) using (journey_no))"
    assert number(known, f"select count(*) from {delay} where waits < 0") == 0
    assert number(known, f"select max(waits) / {DAY_US} from {delay}") < 14
    assert 0.3 < number(known, f"select avg((waits < {DAY_US})::int) from {delay}") < 0.8
    order = "select at_us - lag(at_us) over (partition by journey_no order by touch_no) as gap from touches"
    assert number(known, f"select count(*) from ({order}) where gap < 0") == 0


def test_referrals_come_from_people_who_shared(known: duckdb.DuckDBPyConnection, retailer: SimulationSummary) -> None:
    named = "touches where referrer >= 0"
    assert number(known, f"select count(*) from {named}") > 1_000
    assert number(known, f"select count(*) from {named} and (kind <> 'referral' or referrer = person_no)") == 0
    # A sharer's engagement is of type share; who shared on an earlier night is told by its record.
    shared = (
        "select person_no, min(created_at::timestamptz) as at from records join "
        f"read_json('{retailer.source}/social/engagements/*.jsonl', ignore_errors = true, columns = "
        "{event_id: 'varchar', type: 'varchar', created_at: 'varchar'}) on key = event_id "
        "where feed = 'social_engagements' and type = 'share' and try_cast(created_at as timestamptz) is not null "
        "group by 1"
    )
    late = number(
        known, "select count(distinct key) from records where feed = 'social_engagements' and defect = 'bad_type'"
    )
    early = f"select count(distinct referrer) from {named} and referrer not in (select person_no from ({shared}))"
    assert number(known, early) <= late
    before = (
        f"select count(*) from touches join ({shared}) as s on s.person_no = referrer "
        "where make_timestamptz(at_us) < s.at"
    )
    assert number(known, before) <= late * 5


@pytest.fixture(scope="module")
def service(retailer: SimulationSummary) -> Iterator[duckdb.DuckDBPyConnection]:
    """Parcels that have come (``is_late``) and answers."""
    with duckdb.connect(config={"threads": 2}) as con:
        tables(con, retailer.source, "logistics_shipments", "service_surveys")
        con.execute(
            "create table parcels as select *, delivered_at::timestamptz > promised_at::timestamptz as is_late "
            "from logistics_shipments where status = 'delivered' and delivered_at not like '2026-02-30%'"
        )
        yield con


def test_promises_are_kept_worse_over_long_distances(service: duckdb.DuckDBPyConnection) -> None:
    late = "select avg(is_late::int) from parcels where distance_km::double "
    near, middle, far = (number(service, late + part) for part in ("between 0 and 60", "between 60 and 300", "> 1000"))
    assert near < 0.12
    assert middle < 0.12
    assert 0.1 < far < 0.5
    assert far > 2 * max(near, middle)
    assert dict(rows(service, "select service, avg(is_late::int) < 0.3 from parcels group by 1")) == dict.fromkeys(
        ("instant_1h", "three_hours", "same_day", "next_day", "two_day", "three_day"), True
    )


def test_nobody_rings_a_bell_at_night(service: duckdb.DuckDBPyConnection) -> None:
    # On the clock of the place, that of the text; who pays for a courier may want it at any hour.
    night = (
        "select count(*) from parcels where service not in ('instant_1h', 'three_hours') and substr(delivered_at, "
        "12, 2)::int not between 9 and 21"
    )
    assert number(service, night) == 0
    assert number(service, "select count(distinct right(delivered_at, 6)) from parcels") == 2


def test_answers_follow_the_service_given(service: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        service,
        "select avg(csat::int), avg(nps::int) filter (nps::int <= 10), avg(ces::int), count(*) "
        "from service_surveys join parcels using (order_id) group by is_late order by is_late desc",
    )
    (late_csat, late_nps, late_ces, many), (csat, nps, ces, _) = found
    assert many > 50
    assert csat - late_csat > 1
    assert nps - late_nps > 2
    assert late_ces - ces > 1
    assert number(service, "select count(distinct channel) from service_surveys") == 3
    assert number(service, "select count(*) from service_surveys where comment like '%' || chr(10) || '%'") > 50


def test_channels_cross(known: duckdb.DuckDBPyConnection, retailer: SimulationSummary) -> None:
    ways = (
        "select shipping_lines[1].code as way, source_name, count(distinct id) as n "
        f"from read_json('{retailer.source}/shop/orders/*.jsonl', "
        "ignore_errors = true) where not test group by all"
    )
    with duckdb.connect() as con:
        found = {(way, source): count for way, source, count in rows(con, ways)}
    assert found["PICKUP", "web"] > 100
    assert found["SHIP_FROM_STORE", "web"] > 100
    assert found["STANDARD", "pos"] > 50  # ordered in a store from the warehouse
    assert found["PICKUP", "social"] > 10
    returned = (
        "select count(distinct r.document) from lines as r join (select distinct document, source from lines "
        "where not is_return) as s "
    )
    assert (
        number(
            known, returned + "on r.original = s.document where r.is_return and r.source = 'pos' and s.source = 'shop'"
        )
        > 100
    )
    assert (
        number(
            known, returned + "on r.original = s.document where r.is_return and r.source = 'pos' and s.source = 'pos'"
        )
        > 100
    )
    assert (
        number(
            known,
            returned + "on r.original = s.document where r.is_return and r.source = 'logistics' and s.source = 'shop'",
        )
        > 100
    )


@pytest.mark.parametrize("start", [date(2026, 3, 26), date(2026, 10, 22)])
def test_stores_are_visited_while_open_when_the_clocks_have_changed_since_the_visit_was_planned(
    start: date, tmp_path: Path
) -> None:
    made = simulate(
        SimulationSettings(customers=1_500, days=6, start=start, defects=DefectRates.none()), tmp_path / "retailer"
    )
    sales = [ticket["Start"] for _, _, ticket in delivered(made.source, "pos_tickets_eu") if ticket["Status"] == "SALE"]
    hours = [int(moment[11:13]) for moment in sales]
    assert len(hours) > 150
    assert (min(hours), max(hours)) == (10, 19)
