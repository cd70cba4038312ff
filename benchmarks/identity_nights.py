"""OneID night by night on a simulated retailer: its files are landed as in production, pass their gates, and are
resolved."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
from identity_truth import Quality, compare, current_map
from measure import Cost, measured

from onedata.contracts.derive import derived_files, identity_keys
from onedata.identity import resolve
from onedata.landing import land
from onedata.ledger.promote import promote
from onedata.quality.gates import contract_gate
from onedata.quality.gx import Gatekeeper
from onedata.retailer import Retailer, load_retailer, prepare_warehouse
from onedata.settings import Settings
from onedata.simulate import IdentityRates, SimulationSettings, simulate
from onedata.sql import quote_text
from onedata.warehouse import open_warehouse


class GateClosed(RuntimeError):
    """A feed of the simulated retailer did not pass its contract gate: the measurement would be incomplete."""


def quality(
    folder: Path, customers: int, days: int, shared_phone: float, seed: int, profile: str, one_by_one: bool
) -> Quality:
    """Simulate a retailer below `folder` and measure OneID on it.

    Args:
        folder: Working folder; its new content is removed.
        customers: Number of people.
        days: Number of nights.
        shared_phone: Share of the people with a phone shared by many.
        seed: The same seed gives the same retailer.
        profile: Activity of the people.
        one_by_one: Land and resolve night by night, which measures the churn; otherwise all nights in one run.

    Raises:
        GateClosed: a feed was refused.
    """
    told = SimulationSettings(
        customers=customers, days=days, seed=seed, profile=profile, identity=IdentityRates(shared_phone=shared_phone)
    )
    # In the home, because the warehouse's connection opens no file outside of it.
    summary = simulate(told, folder / "home" / "retailer")
    settings = Settings(home=folder / "home", source=summary.source)
    retailer = load_retailer(settings)
    cost, churn = Cost(), []
    try:
        with open_warehouse(settings) as con:
            prepare_warehouse(con, retailer)
            create_ods_views(con, retailer)
            gatekeeper = Gatekeeper(con)
            for night in told.nights if one_by_one else told.nights[-1:]:
                land_night(con, retailer, gatekeeper, night)
                known = remember(con)
                with measured() as spent:
                    resolve(con, retailer.entities, retailer.policy, night, settings.vault)
                cost = Cost(cost.cpu_s + spent.cpu_s, cost.wall_s + spent.wall_s, max(cost.peak_mb, spent.peak_mb))
                churn += [changed(con)] if known else []
            with attached_vault(con, settings):
                return compare(con, retailer, summary.truth, cost, churn)
    finally:
        shutil.rmtree(folder / "home", ignore_errors=True)


def create_ods_views(con: duckdb.DuckDBPyConnection, retailer: Retailer) -> None:
    """The ODS views of the dbt project, as dbt would create them."""
    files = derived_files(retailer.entities, retailer.policy)
    for entity in retailer.entities.values():
        lake = (
            f"read_parquet({quote_text(str(retailer.settings.lake / 'ods' / entity.name))} || '/*/*/*.parquet', "
            "union_by_name = true, "
        )
        body = files[f"models/ods/ods_{entity.name}.sql"]
        body = body.replace(
            "{{ lake('" + entity.name + "') }}",
            lake + "hive_partitioning = true, hive_types = {'source': varchar, 'ds': date})",
        )
        keys = ", ".join(sql for _, sql in identity_keys(entity, retailer.policy))
        body = body.replace("{{ identity_key('" + entity.name + "') }}", f"coalesce({keys})")
        con.execute(f"create or replace view ods.ods_{entity.name} as {body}")


def land_night(con: duckdb.DuckDBPyConnection, retailer: Retailer, gatekeeper: Gatekeeper, night: date) -> None:
    """Land every feed with identifiers, up to and including `night`, through its gate into the lake."""
    for feed in retailer.feeds:
        if feed.entity.identifiers:
            land(con, retailer.settings, feed, retailer.policy, night)
            closed = [
                result.message
                for result in contract_gate(con, gatekeeper, retailer.settings, feed, night)
                if result.blocks
            ]
            if closed:
                raise GateClosed(f"{feed.name}, {night}: {'; '.join(closed)}")
    promote(con, retailer.settings)


def remember(con: duckdb.DuckDBPyConnection) -> bool:
    """Save the current map for `changed`; returns whether it has rows."""
    con.execute(f"create or replace temp table known_map as from {current_map()}")
    return bool(con.execute("select 1 from known_map limit 1").fetchall())


def changed(con: duckdb.DuckDBPyConnection) -> float:
    """Share of the identifiers saved by `remember` that have a different OneID now, or none."""
    query = (
        "select avg(case when k.oneid is distinct from m.oneid then 1.0 else 0 end) from known_map k "
        f"left join {current_map()} m using (identity_key)"
    )
    row = con.execute(query).fetchone()
    assert row is not None
    return float(row[0])


@contextmanager
def attached_vault(con: duckdb.DuckDBPyConnection, settings: Settings) -> Iterator[None]:
    """Attach the vault read-only as `vault`: its raw values identify the owner of each token."""
    con.execute(f"attach {quote_text(str(settings.vault / 'vault.duckdb'))} as vault (read_only)")
    try:
        yield
    finally:
        con.execute("detach vault")
