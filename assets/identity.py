"""OneID: resolved identities (identifiers, persons, households), and the review queue of pairs for manual decision."""

from collections.abc import Iterator
from dataclasses import asdict

import dagster as dg

from onedata.contracts.derive import identity_keys
from onedata.identity import resolve
from onedata.identity.household import household_totals
from onedata.identity.review import (
    largest_persons,
    queue,
    save_queue,
    score_distribution,
    shared_by_kind,
    size_distribution,
)
from onedata.ledger import has_replaced
from onedata.ledger.moves import pending_night
from onedata.masking import hides_values
from onedata.pages.pictures import as_markdown, stacked_columns
from onedata.quality.gates import require_open
from onedata.retailer import Retailer
from onedata_assets.costs import measured
from onedata_assets.dbt import Dbt
from onedata_assets.markdown import markdown
from onedata_assets.nights import FULL_REFRESH_TAG, night_of
from onedata_assets.resources import Warehouse
from onedata_assets.warehouse import GROUPS, LayerTranslator

ONEID_KEY = dg.AssetKey(["oneid", "oneid_map"])
PERSON_KEY = dg.AssetKey(["oneid", "person"])
HOUSEHOLD_KEY = dg.AssetKey(["oneid", "household_map"])
REVIEW_KEY = dg.AssetKey(["oneid", "review_queue"])
OWNERS = ["team:customer-data"]
SHOWN = 20


def identity_assets(retailer: Retailer, dbt: Dbt, translator: LayerTranslator) -> list[dg.AssetsDefinition]:
    """OneID's tables and the review queue. OneID reads the ODS identifiers and waits for the DIM and DWD gates."""
    readers = {f"ods_{entity.name}" for entity in retailer.entities.values() if identity_keys(entity, retailer.policy)}
    nodes = [node for node in dbt.manifest["nodes"].values() if node["resource_type"] == "model"]
    deps = [
        translator.get_asset_key(node) for node in nodes if node["name"] in readers or node["schema"] in ("dim", "dwd")
    ]
    return [_resolved(retailer, deps), _review_queue()]


def _spec(key: dg.AssetKey, deps: list[dg.AssetKey], grain: str, own_key: str, description: str) -> dg.AssetSpec:
    metadata = {"grain": grain, "key": own_key}
    return dg.AssetSpec(
        key,
        deps=deps,
        group_name=GROUPS["oneid"],
        owners=OWNERS,
        kinds={"duckdb", "numpy"},
        description=description,
        metadata=metadata,
    )


def _resolved(retailer: Retailer, deps: list[dg.AssetKey]) -> dg.AssetsDefinition:
    map_text = (
        "The OneID of every usable identifier and its validity: one row per identifier and version. Strong identifiers "
        "on one row belong to one person; weak ones link if given names agree, similar profiles by their score, within "
        "the limits of `data_contracts/identifiers.yaml`. OneIDs are stable from night to night. `oneid.guard_audit` "
        "lists links that were refused, with the reason."
    )
    specs = [
        _spec(ONEID_KEY, deps, "one version of one identifier", "identity_key, valid_from", map_text),
        _spec(
            PERSON_KEY,
            deps,
            "one person",
            "oneid",
            "Every current OneID, with its number of identifiers and the date it was first seen.",
        ),
        _spec(
            HOUSEHOLD_KEY,
            deps,
            "one version of one person",
            "oneid, valid_from",
            "The household of every person and its validity.",
        ),
    ]

    @dg.multi_asset(name="oneid", specs=specs, pool="warehouse", required_resource_keys={"warehouse"})
    @measured
    @hides_values
    def oneid(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        warehouse: Warehouse = context.resources.warehouse
        require_open(warehouse.con, "oneid")
        full = context.run.tags.get(FULL_REFRESH_TAG) == "true" or has_replaced(warehouse.con)
        # An earlier night may be rerun while a later night's rows, accepted by a killed run, are pending: their people
        # belong to the later night.
        night, settings = pending_night(warehouse.con, night_of(context, warehouse)), retailer.settings
        found = resolve(
            warehouse.con, retailer.entities, retailer.policy, night, settings.vault, full, lake=settings.lake
        )
        context.log.info(
            f"{found.persons} persons behind {found.identifiers} identifiers: {found.minted} new, {found.merged} "
            f"merged, {found.split} split, {found.shared} identifiers shared; {found.decided} decided anew, as "
            f"{found.touched} have new evidence"
        )
        yield dg.MaterializeResult(
            asset_key=ONEID_KEY,
            metadata={"dagster/row_count": found.identifiers - found.shared, "full": full, **asdict(found)},
        )
        sizes = dg.MetadataValue.md(
            as_markdown("persons by number of identifiers", stacked_columns(*size_distribution(warehouse.con)))
        )
        yield dg.MaterializeResult(
            asset_key=PERSON_KEY,
            metadata={"dagster/row_count": found.persons, "persons by number of identifiers": sizes},
        )
        persons, households, by_size = household_totals(warehouse.con)
        table = dg.MetadataValue.md(markdown(["persons", "households"], by_size))
        yield dg.MaterializeResult(
            asset_key=HOUSEHOLD_KEY,
            metadata={"dagster/row_count": persons, "households": households, "households by number of persons": table},
        )

    return oneid


def _review_queue() -> dg.AssetsDefinition:
    @dg.asset(
        key=REVIEW_KEY,
        deps=[ONEID_KEY],
        group_name=GROUPS["oneid"],
        owners=OWNERS,
        kinds={"duckdb"},
        pool="warehouse",
        required_resource_keys={"warehouse"},
        description="Pairs that score too low to be linked and too high to be dismissed (`oneid.review`). "
        "`onedata identity review` shows them with the evidence for and against, `onedata identity merge` or `split` "
        "decides; decided pairs do not return.",
        metadata={"grain": "one pair of profiles of two persons", "key": "key_a, key_b"},
    )
    @measured
    @hides_values
    def review_queue(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        con = context.resources.warehouse.con
        waiting = save_queue(con)
        context.log.info(f"{waiting} pairs wait for a decision")
        pairs = [
            (pair.key_a, pair.oneid_a, pair.key_b, pair.oneid_b, f"{pair.weight:.1f}") for pair in queue(con, SHOWN)[0]
        ]
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": waiting,
                "likeliest": dg.MetadataValue.md(markdown(["A", "person", "B", "person", "weight"], pairs)),
                "scored pairs by weight": dg.MetadataValue.md(
                    as_markdown("scored pairs by weight", stacked_columns(*score_distribution(con)))
                ),
                "persons by number of identifiers": dg.MetadataValue.md(
                    as_markdown("persons by number of identifiers", stacked_columns(*size_distribution(con)))
                ),
                "largest persons": dg.MetadataValue.md(
                    markdown(["person", "identifiers", "of which"], largest_persons(con))
                ),
                "shared identifiers": dg.MetadataValue.md(
                    markdown(["kind", "identifiers", "shared", "in %"], shared_by_kind(con))
                ),
            }
        )

    return review_queue
