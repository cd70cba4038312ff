"""Publish: the night's database built aside, checked by its gate, then swapped in."""

import resource
import sys
from datetime import UTC, datetime

import dagster as dg

from assets.dbt import Dbt
from assets.ingest import markdown
from assets.nights import night_of
from assets.resources import Warehouse
from assets.warehouse import LayerTranslator
from onedata.masking import hides_values
from onedata.quality.data_docs import build_data_docs
from onedata.quality.stages import require_open
from onedata.retailer import Retailer
from onedata.warehouse.publish import build_candidate, publication_night, published_tables, swap_in

CANDIDATE_KEY = dg.AssetKey(["published", "candidate"])
PUBLISHED_KEY = dg.AssetKey(["published", "onedata"])
GROUP = "h_published"


def publish_assets(retailer: Retailer, dbt: Dbt, translator: LayerTranslator) -> list[dg.AssetsDefinition]:
    """The candidate and the published database."""
    served = [node for node in dbt.manifest["nodes"].values() if node["resource_type"] == "model" and node["config"]["meta"].get("published")]

    @dg.asset(
        key=CANDIDATE_KEY,
        deps=[translator.get_asset_key(node) for node in served],
        group_name=GROUP,
        owners=["team:data-platform"],
        kinds={"duckdb", "parquet"},
        pool="warehouse",
        required_resource_keys={"warehouse"},
        description="The night's database for analysts, built aside: the tables marked `published` without sensitive columns, each commented.",
    )
    @hides_values
    def candidate(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        warehouse: Warehouse = context.resources.warehouse
        require_open(warehouse.con, "published")
        night = publication_night(warehouse.con, night_of(context, warehouse))
        counts = build_candidate(warehouse.con, retailer.settings, published_tables(warehouse.manifest), night)
        context.log.info(f"{len(counts)} tables, {sum(counts.values())} rows")
        return dg.MaterializeResult(
            metadata={"dagster/row_count": sum(counts.values()), "tables": dg.MetadataValue.md(markdown(["table", "rows"], list(counts.items())))}
        )

    @dg.asset(
        key=PUBLISHED_KEY,
        deps=[CANDIDATE_KEY],
        group_name=GROUP,
        owners=["team:data-platform"],
        kinds={"duckdb"},
        pool="warehouse",
        required_resource_keys={"warehouse"},
        description="`published/onedata.duckdb`: always one whole night, never locked by a running one. Swapped in by rename once its gate has passed.",
    )
    @hides_values
    def onedata(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        warehouse: Warehouse = context.resources.warehouse
        night = publication_night(warehouse.con, night_of(context, warehouse))
        own = swap_in(warehouse.con, retailer.settings, night)
        docs = build_data_docs(warehouse.con, retailer.settings, night_of(context, warehouse))
        started = datetime.fromtimestamp(context.instance.get_run_stats(context.run_id).start_time or 0, UTC).replace(tzinfo=None)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        megabytes = usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
        warehouse.con.execute(
            "insert into ops.night values (?, ?, ?, ?, ?, ?)",
            [night, context.run_id, started, datetime.now(UTC).replace(tzinfo=None), usage.ru_utime + usage.ru_stime, megabytes],
        )
        return dg.MaterializeResult(
            metadata={
                "night": str(night),
                "path": dg.MetadataValue.path(str(own)),
                "data docs": dg.MetadataValue.path(str(docs)),
                "size (MB)": own.stat().st_size / 1e6,
            }
        )

    return [candidate, onedata]
