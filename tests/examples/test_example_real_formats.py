"""Documents of real systems are read completely, by contracts only; Python's own readers give the expected counts."""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from lxml import etree
from support import REPOSITORY, shared_data

POSLOG = "{http://www.nrf-arts.org/IXRetail/namespace/}"


@pytest.fixture(scope="module")
def source() -> Path:
    for folder in ("shopify", "epcis", "poslog", "identity"):
        root = shared_data(folder).parent
    return root


@pytest.fixture(scope="module")
def landed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse after the README's command, typed as it stands there, in a copy of the example."""
    folder = tmp_path_factory.mktemp("real_formats")
    shutil.copytree(REPOSITORY / "examples" / "real_formats", folder / "examples" / "real_formats")
    readme = (folder / "examples" / "real_formats" / "README.md").read_text(encoding="utf-8")
    (command,) = [line.split() for line in readme.splitlines() if line.startswith("    onedata run")]
    command = [str(source) if word == "../shared/data" else word for word in command[1:]]
    program = str(Path(sys.executable).with_name("onedata"))
    ran = subprocess.run([program, *command], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    with duckdb.connect(str(folder / "data" / "real_formats" / "warehouse" / "onedata.duckdb"), read_only=True) as con:
        yield con


def documents(source: Path, pattern: str) -> Iterator[dict]:  # type: ignore[type-arg]
    """The documents of Shopify's files: the value of their one member, or its members."""
    for path in sorted((source / "shopify").glob(pattern)):
        (value,) = json.loads(path.read_text(encoding="utf-8")).values()
        yield from value if isinstance(value, list) else [value]


def expected(source: Path) -> dict[str, int]:
    """Rows of each feed, by other means."""
    till = etree.parse(str(source / "poslog" / "till_small.xml"))
    epcis = [json.loads(path.read_text(encoding="utf-8")) for path in (source / "epcis").glob("*.jsonld")]
    with (source / "identity" / "fake_1000.csv").open(encoding="utf-8", newline="") as stream:
        people = len(list(csv.DictReader(stream)))
    return {
        "shopify_orders": len(list(documents(source, "order*.json"))),
        "shopify_order_lines": sum(len(order.get("line_items", [])) for order in documents(source, "order*.json")),
        "shopify_refunds": sum(len(refund["refund_line_items"]) for refund in documents(source, "refund*.json")),
        "shopify_customers": len(list(documents(source, "customer*.json"))),
        "shopify_products": sum(len(product["variants"]) for product in documents(source, "product*.json")),
        "shopify_fulfillments": len(list(documents(source, "fulfillment*.json"))),
        "shopify_inventory": len(list(documents(source, "inventory_level*.json"))),
        "shopify_locations": len(list(documents(source, "locations*.json"))),
        "shopify_checkouts": len(list(documents(source, "checkouts*.json"))),
        "epcis_events": sum(len(document["epcisBody"]["eventList"]) for document in epcis),
        "poslog_tickets": len(till.findall(f".//{POSLOG}RetailTransaction")),
        "poslog_ticket_lines": len(till.findall(f".//{POSLOG}LineItem/{POSLOG}Sale"))
        + len(till.findall(f".//{POSLOG}LineItem/{POSLOG}Return")),
        # Rewards in money of which the log has the detail: an element more says the same as a summary.
        "poslog_ticket_rewards": len(
            till.xpath(
                "//*[local-name()='LoyaltyReward'][@*[local-name()='detailedData']='true']"
                "[*[local-name()='RewardCategory']='Monetary']"
            )
        ),
        "poslog_ticket_tenders": len(till.findall(f".//{POSLOG}LineItem/{POSLOG}Tender")),
        "identity_people": people,
    }


def test_every_row_is_accepted(landed: duckdb.DuckDBPyConnection, source: Path) -> None:
    counts = landed.execute("select feed, sum(accepted)::bigint from ops.file group by 1").fetchall()
    assert dict(counts) == expected(source)


def test_nothing_is_quarantined(landed: duckdb.DuckDBPyConnection) -> None:
    assert landed.execute("select path, reason from ops.quarantine").fetchall() == []


def test_a_file_with_columns_has_just_those_of_its_contract(landed: duckdb.DuckDBPyConnection) -> None:
    """Documents differ from one another in what they hold, and say so; a table does not."""
    assert landed.execute("select path, message from ops.drift where feed = 'identity_people'").fetchall() == []


def test_the_till_s_money_is_what_the_ticket_says(landed: duckdb.DuckDBPyConnection) -> None:
    """1.26 less a reward of 0.19: 1.07 was paid."""
    found = landed.execute(
        "select sum(net_amount), max(h.total_amount) from dwd.dwd_order_line l join dwd.dwd_order h using "
        "(source_system, order_id) where l.source_system = 'ncr'"
    ).fetchone()
    assert found == (Decimal("1.07"), Decimal("1.07"))


def test_the_till_s_tender_is_the_ticket_s_total(landed: duckdb.DuckDBPyConnection) -> None:
    found = landed.execute(
        "select paid_amount, lines_tie, payments_tie, net_tie from dws.dws_order_tie where source_system = 'ncr'"
    ).fetchall()
    assert found == [(Decimal("1.07"), "matched", "matched", "matched")]


def test_no_gate_warns_of_the_till(landed: duckdb.DuckDBPyConnection) -> None:
    rules = "('lines_tie_to_total', 'line_amount_as_priced')"
    assert landed.execute(
        f"select distinct rule, passed from ops.gate where rule in {rules} order by 1"
    ).fetchall() == [
        ("line_amount_as_priced", True),
        ("lines_tie_to_total", True),
    ]
