"""Orders of a marketplace that the shop delivers too, without its id: what is found counts once, what is not sure waits
for review, and what a person decides in order_matches.csv wins, for as long as it stands there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import Outcome, ask, run, run_well, share_key

from onedata.settings import Settings, load_settings

NIGHT = date(2026, 2, 10)
HEAD = "id,at,card,sku,qty,price\n"
# Ann buys on the marketplace, and the shop has it half a minute later. Ben's two orders are ten minutes apart. Cleo and
# Dan buy the same at one moment. Equal ids of other things are nothing.
ORDERS = {
    "mkt": "M1,2026-02-10T10:00:00Z,LA1000001,A,2,10.00\nM2,2026-02-10T11:00:00Z,LB1000002,B,1,30.00\n"
    "M3,2026-02-10T12:00:00Z,LC1000003,A,1,7.00\n77,2026-02-10T13:00:00Z,LA1000001,A,1,5.00\n",
    "shop": "1001,2026-02-10T10:00:30Z,LA1000001,A,2,10.00\n1002,2026-02-10T11:10:00Z,LB1000002,B,1,30.00\n"
    "1003,2026-02-10T12:00:00Z,LD1000004,A,1,7.00\n77,2026-02-10T13:00:00Z,LA1000001,B,1,6.00\n",
}
APART = "mkt,M1,shop,1001,apart,she bought it twice\n"
SAME = 'shop,1002,mkt,M2,same,"late, but one"\n'
DECISIONS = "# by hand\norder_system,order_id,other_system,other_order_id,decision,note\n"


@dataclass
class Told:
    """What the home held after each run."""

    orders: list[dict[tuple[str, str], Decimal]] = field(default_factory=list)
    pairs: list[list[tuple[Any, ...]]] = field(default_factory=list)
    reasons: list[set[str]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("matches")
    own, told = folder / "order_matches.csv", Told()
    for text in (None, DECISIONS + APART + SAME, DECISIONS + SAME, DECISIONS, None):
        own.unlink(missing_ok=True)
        if text:
            own.write_text(text, encoding="utf-8")
        settings = _retailer(folder)
        told.outcomes.append(run(settings, [NIGHT]))
        _note(told, settings)
    run_well(settings, [NIGHT], full_refresh=True)
    _note(told, settings)
    return told


def _note(told: Told, settings: Settings) -> None:
    told.orders.append(
        {
            (system, order): amount
            for system, order, amount in ask(
                settings.published_database, "select source_system, order_id, net_revenue_base from dws_order"
            )
        }
    )
    told.pairs.append(
        ask(
            settings.published_database,
            "select document_system, document_id, source_system, order_id, state, confidence, note "
            "from dws_order_match order by document_id",
        )
    )
    told.reasons.append(
        {
            reason
            for (reason,) in ask(
                settings.published_database,
                "select unnest(map_keys(excluded)) from ops_reconciliation where layer = 'dws' and night = "
                f"date '{NIGHT}'",
            )
        }
    )


def _retailer(folder: Path) -> Settings:
    (folder / "onedata.toml").write_text(
        'source = "source"\ncontracts = "contracts"\nhome = "home"\nreporting_currency = "EUR"\ntime_zone = "UTC"\n'
    )
    (folder / "contracts").mkdir(exist_ok=True)
    (folder / "source").mkdir(exist_ok=True)
    for system, rows in ORDERS.items():
        (folder / "contracts" / f"{system}.odcs.yaml").write_text(yaml.dump(_contract(system), sort_keys=False))
        file = folder / "source" / f"{system}_{NIGHT}.csv"
        if not file.exists():
            file.write_text(HEAD + rows)
    settings = load_settings(folder / "onedata.toml", {})
    if not settings.vault.exists():
        share_key(settings)
    return settings


def _contract(system: str) -> dict[str, Any]:
    fields = {
        "order_id": "id",
        "sold_at": "at",
        "loyalty_id": "card",
        "product_id": "sku",
        "quantity": "qty",
        "unit_price": "price",
    }
    told = {
        "line_id": "1",
        "line_type": "sale",
        "channel": "marketplace" if system == "mkt" else "online",
        "currency": "EUR",
    }
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"{system}_orders",
        "version": "1.0.0",
        "status": "active",
        "dataProduct": system,
        "description": {"purpose": "Orders, for a test."},
        "servers": [{"server": "landing", "type": "local", "path": f"{system}_{{ds}}.csv", "format": "csv"}],
        "schema": [
            {
                "name": f"{system}_orders",
                "customProperties": [
                    {"property": "entity", "value": "order_line"},
                    {"property": "timezone", "value": "UTC"},
                ],
                "properties": [{"name": name, "physicalName": field} for name, field in fields.items()]
                + [{"name": name, "transformLogic": f"'{value}'"} for name, value in told.items()],
            }
        ],
    }


TWO_EACH = {
    ("mkt", "M3"): Decimal(7),
    ("shop", "1003"): Decimal(7),
    ("mkt", "77"): Decimal(5),
    ("shop", "77"): Decimal(6),
}
M1, M2, S1, S2 = ("mkt", "M1"), ("mkt", "M2"), ("shop", "1001"), ("shop", "1002")


def test_what_is_found_counts_once_and_what_is_not_sure_is_listed_and_counts_twice(told: Told) -> None:
    assert told.outcomes[0].succeeded, told.outcomes[0].said
    assert told.orders[0] == TWO_EACH | {M1: Decimal(20), M2: Decimal(30), S2: Decimal(30)}
    assert told.pairs[0] == [
        (*S1, *M1, "found", Decimal("1.00"), None),
        (*S2, *M2, "review", Decimal("0.94"), None),
    ]
    assert re.search(r"WARNING dws_order_match, rule pairs_to_review: .*: 1 rows break it", told.outcomes[0].said)
    assert "lines of orders found in another system too" in told.reasons[0]


def test_a_decision_wins_over_what_was_found(told: Told) -> None:
    assert told.outcomes[1].succeeded, told.outcomes[1].said
    assert told.orders[1] == TWO_EACH | {M1: Decimal(20), S1: Decimal(20), S2: Decimal(30)}
    assert told.pairs[1] == [
        (*S1, *M1, "apart", None, "she bought it twice"),
        (*M2, *S2, "same", None, "late, but one"),
    ]
    assert "lines of orders that are another system's by a decision" in told.reasons[1]


def test_a_decision_that_is_taken_out_no_longer_holds(told: Told) -> None:
    assert told.outcomes[2].succeeded, told.outcomes[2].said
    assert told.orders[2] == TWO_EACH | {M1: Decimal(20), S2: Decimal(30)}


def test_with_the_last_decision_taken_out_both_orders_are_back(told: Told) -> None:
    assert told.outcomes[3].succeeded, told.outcomes[3].said
    assert told.orders[3] == told.orders[0]


def test_without_the_file_it_is_the_same_and_a_rebuild_says_so_too(told: Told) -> None:
    assert told.outcomes[4].succeeded, told.outcomes[4].said
    assert told.orders[4] == told.orders[5] == told.orders[0]
    assert told.pairs[4] == told.pairs[5] == told.pairs[0]
