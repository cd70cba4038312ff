"""The whole pipeline on simulated retailers of other sizes: the smallest, and one of another profile with many defects.

The usual one, 200 customers and three nights, is in the other tests of this folder; larger ones are in benchmarks/.
"""

import json

import pytest
from support import (
    Simulated,
    Story,
    counted,
    expected,
    home_at,
    published_by_channel,
    published_money,
    run_well,
    story,
    true_money,
    unbalanced_files,
)

from onedata.simulate import DefectRates, SimulationSettings, simulate

# A file that ends in its middle closes the gate until it is sent again: that is a test of the gates.
HEAVY = DefectRates.named("heavy", {"truncated": 0})
SIZES = {
    "one customer, one night": SimulationSettings(customers=1, days=1),
    "1,000 customers of the retail profile, three nights, many defects": SimulationSettings(
        customers=1_000, days=3, profile="retail", defects=HEAVY
    ),
}


@pytest.fixture(scope="module", params=SIZES.values(), ids=SIZES.keys())
def sized(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Simulated, Story]:
    """A retailer of the size and its home after one backfill."""
    folder = tmp_path_factory.mktemp("sized")
    summary = simulate(request.param, folder / "retailer")
    truth = json.loads((summary.truth / "totals.json").read_text(encoding="utf-8"))
    settings = home_at(folder, summary.source, threads=2)
    return Simulated(summary.source, truth, summary.truth / "records"), story(
        settings, "sized", run_well(settings, request.param.nights, each_night=False)
    )


def test_every_row_is_received_quarantined_or_a_duplicate_as_the_truth_says(sized: tuple[Simulated, Story]) -> None:
    simulated, end = sized
    for column, name in (("received", "rows"), ("quarantined", "quarantined"), ("duplicate", "duplicates")):
        assert counted(end, column) == expected(simulated, name), column
    assert unbalanced_files(end.warehouse) == []


def test_what_is_published_is_what_was_sold(sized: tuple[Simulated, Story]) -> None:
    simulated, end = sized
    assert published_money(end) == true_money(simulated.truth)
    assert {channel: count for channel, count in published_by_channel(end, "order_count").items() if count} == {
        channel: count for channel, count in simulated.truth["orders_delivered"].items() if count
    }
