"""Many headers and lines of the simulated retailer cannot be read: no document counts in part, to the cent."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import yaml
from support import NIGHTS, Story, ask, home_at, published_by_channel, published_money, run_well, story, true_money

from onedata.settings import Settings
from onedata.shipped import shipped
from onedata.simulate.model import SimulationSettings
from onedata.simulate.run import simulate
from onedata.simulate.shares import DefectRates

DAYS = 3
RATES = DefectRates(bad_type=0.04, impossible=0.03, late=0.02, duplicate=0.01)


def write_contracts(settings: Settings) -> None:
    """The shipped contracts, which take a night of which most cannot be read."""
    settings.contracts.mkdir()
    for file in sorted(shipped("data_contracts").glob("*.odcs.yaml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        for feed in content["schema"]:
            kept = [item for item in feed["customProperties"] if item["property"] != "quarantineTolerance"]
            feed["customProperties"] = [*kept, {"property": "quarantineTolerance", "value": 0.9}]
        (settings.contracts / file.name).write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.fixture(scope="module")
def truth_and_story(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Story]:
    folder = tmp_path_factory.mktemp("half_read")
    simulate(SimulationSettings(customers=300, days=DAYS, start=NIGHTS[0], defects=RATES), folder / "out")
    truth = json.loads((folder / "out" / "truth" / "totals.json").read_text(encoding="utf-8"))
    settings = home_at(folder, folder / "out" / "source", contracts=folder / "contracts")
    write_contracts(settings)
    nights = [NIGHTS[0] + timedelta(days=day) for day in range(DAYS)]
    return truth, story(settings, "half_read", run_well(settings, nights, each_night=False))


def test_what_counts_by_channel_is_the_truth(truth_and_story: tuple[dict[str, Any], Story]) -> None:
    truth, nights = truth_and_story
    assert published_money(nights) == true_money(truth)
    assert published_by_channel(nights, "order_count") == truth["orders_delivered"]


def test_the_money_that_is_left_out_is_named_to_the_cent(truth_and_story: tuple[dict[str, Any], Story]) -> None:
    truth, nights = truth_and_story
    listed = ask(
        nights.published,
        "select currency, sum(delivered_amount) from ops_unsettled where not is_held group by 1 "
        "having sum(delivered_amount) <> 0 order by 1",
    )
    assert listed == [(currency, Decimal(amount)) for currency, amount in truth["net_unsettled"].items()]
    assert len(listed) == 2 and all(Decimal(amount) for _, amount in listed)


def test_headers_and_lines_are_hit_apart(truth_and_story: tuple[dict[str, Any], Story]) -> None:
    _, nights = truth_and_story
    hit = ask(nights.published, "select distinct unnest(string_split(feeds, ', ')) from ops_unsettled order by 1")
    assert {"pos_tickets_eu", "pos_ticket_lines_eu", "pos_transaction_lines", "shop_order_lines"} <= {
        feed for (feed,) in hit
    }


def test_the_days_say_how_many_are_left_out(truth_and_story: tuple[dict[str, Any], Story]) -> None:
    _, nights = truth_and_story
    told = ask(nights.published, "select sum(unsettled_count)::int from ads_channel_day")[0][0]
    listed = ask(
        nights.published,
        "select count(distinct (source_system, order_id)) from ops_unsettled where channel is not null",
    )[0][0]
    assert told == listed > 5


def test_no_parcel_is_late_that_came_in_time(truth_and_story: tuple[dict[str, Any], Story]) -> None:
    """What became of a parcel may be in quarantine: then it has no verdict."""
    _, nights = truth_and_story
    parcels = nights.settings.source.parent / "truth" / "parcels"
    verdicts = ask(
        nights.published,
        "select count(*) filter (where not is_on_time), count(*) filter (where is_on_time), count(*) filter (where "
        "is_on_time <> (delivered_us // 1000000 <= promised_us // 1000000)) from dws_order "
        f"join read_parquet('{parcels}/*.parquet') as parcel on dws_order.order_id = parcel.order_id::varchar "
        "where source_system = 'shop' and is_on_time is not null",
    )
    assert verdicts[0][1] > 20 and verdicts[0][2] == 0
    assert ask(nights.warehouse, "select count(*) > 0 from dwd.dwd_shipment_unread") == [(True,)]
