"""OneID: one asset, the map from every usable identifier to its person."""

import dagster as dg

from assets.dbt import Dbt
from assets.ingest import markdown
from assets.nights import night_of
from assets.resources import Warehouse
from assets.warehouse import GROUPS, LayerTranslator
from onedata.contracts.derive import identity_keys
from onedata.identity import resolve
from onedata.quality.stages import require_open
from onedata.retailer import Retailer

ONEID_KEY = dg.AssetKey(["oneid", "oneid_map"])


def identity_asset(retailer: Retailer, dbt: Dbt, translator: LayerTranslator) -> dg.AssetsDefinition:
    """The OneID asset. It reads the ODS identifiers and waits for the DIM and DWD gates."""
    readers = {f"ods_{entity.name}" for entity in retailer.entities.values() if identity_keys(entity, retailer.policy)}
    nodes = [node for node in dbt.manifest["nodes"].values() if node["resource_type"] == "model"]
    deps = [translator.get_asset_key(node) for node in nodes if node["name"] in readers or node["schema"] in ("dim", "dwd")]

    @dg.asset(
        key=ONEID_KEY,
        deps=deps,
        group_name=GROUPS["oneid"],
        owners=["team:customer-data"],
        kinds={"duckdb", "scipy"},
        pool="warehouse",
        required_resource_keys={"warehouse"},
        description="The OneID of every usable identifier: one row an identifier. Records that share a strong identifier are one person, within the limits "
        "of `data_contracts/identifiers.yaml`; ids stay the same from night to night. What was not linked, and why: `oneid.guard_audit`.",
        metadata={"grain": "one identifier", "key": "identity_key"},
    )
    def oneid_map(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        warehouse: Warehouse = context.resources.warehouse
        require_open(warehouse.con, "oneid")
        found = resolve(warehouse.con, retailer.entities, retailer.policy, night_of(context, warehouse))
        context.log.info(f"{found.persons} persons behind {found.identifiers} identifiers: {found.minted} new, {found.merged} merged, {found.shared} shared")
        sizes = warehouse.con.execute(
            "select n as identifiers, count(*) as persons, repeat('█', greatest(1, (30 * count(*) / max(count(*)) over ())::int)) as bar "
            "from (select count(*) as n from oneid.oneid_map group by oneid) group by n order by n limit 20"
        ).fetchall()
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": found.identifiers - found.shared,
                "persons": found.persons,
                "shared identifiers": found.shared,
                "largest person": found.largest,
                "minted": found.minted,
                "merged": found.merged,
                "persons by number of identifiers": dg.MetadataValue.md(markdown(["identifiers", "persons", ""], sizes)),
            }
        )

    return oneid_map
