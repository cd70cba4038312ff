"""Publish: build the night's database aside, check it by its gate, then swap it in."""

import resource
import sys
from datetime import UTC, datetime

import dagster as dg

from onedata.masking import hides_values
from onedata.pages.data_docs import build_data_docs, docs_folder
from onedata.quality.gates import require_open
from onedata.retailer import Retailer
from onedata.warehouse.earlier import move_earlier
from onedata.warehouse.publications import QUALITY, candidate_folder
from onedata.warehouse.publish import Cost, build_candidate, publication_night, publish_candidate, published_tables
from onedata_assets.costs import measured
from onedata_assets.dbt import Dbt
from onedata_assets.markdown import markdown
from onedata_assets.nights import night_of
from onedata_assets.resources import Warehouse
from onedata_assets.status import draw
from onedata_assets.warehouse import LayerTranslator

CANDIDATE_KEY = dg.AssetKey(["published", "candidate"])
PUBLISHED_KEY = dg.AssetKey(["published", "onedata"])
GROUP = "h_published"


def publish_assets(retailer: Retailer, dbt: Dbt, translator: LayerTranslator) -> list[dg.AssetsDefinition]:
    """The candidate and the published database."""
    served = [
        node
        for node in dbt.manifest["nodes"].values()
        if node["resource_type"] == "model" and node["config"]["meta"].get("published")
    ]

    @dg.asset(
        key=CANDIDATE_KEY,
        deps=[translator.get_asset_key(node) for node in served],
        group_name=GROUP,
        owners=["team:data-platform"],
        kinds={"duckdb", "parquet"},
        pool="warehouse",
        required_resource_keys={"warehouse"},
        description="The night's database for analysts, built aside: the tables marked `published` without sensitive "
        "columns, each commented.",
    )
    @measured
    @hides_values
    def candidate(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        warehouse: Warehouse = context.resources.warehouse
        require_open(warehouse.con, "published")
        kept = retailer.settings.published_nights_kept
        move_earlier(
            warehouse.con,
            retailer.settings,
            lambda folder, until: build_data_docs(warehouse.con, folder, kept, until),
            context.log.warning,
        )
        night = publication_night(warehouse.con, night_of(context, warehouse))
        tables = published_tables(warehouse.manifest)
        counts = build_candidate(warehouse.con, retailer.settings, tables, night, context.run_id)
        context.log.info(f"{len(counts)} tables, {sum(counts.values())} rows")
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(counts.values()),
                "tables": dg.MetadataValue.md(markdown(["table", "rows"], list(counts.items()))),
            }
        )

    @dg.asset(
        key=PUBLISHED_KEY,
        deps=[CANDIDATE_KEY],
        group_name=GROUP,
        owners=["team:data-platform"],
        kinds={"duckdb"},
        pool="warehouse",
        required_resource_keys={"warehouse"},
        description="`published/current`: one complete night, never locked; swapped in by one rename after its gate.",
    )
    @measured
    @hides_values
    def onedata(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        warehouse: Warehouse = context.resources.warehouse
        settings = retailer.settings
        # The pages are written after the last gate and before the swap: they change with the database and the Parquet
        # files.
        pages, kept = candidate_folder(settings) / QUALITY, settings.published_nights_kept
        build_data_docs(warehouse.con, pages, kept, known=docs_folder(settings))
        published = publish_candidate(warehouse.con, settings, context.run_id, _cost(context), context.log.warning)
        draw(context, warehouse, "published")
        return dg.MaterializeResult(
            metadata={
                "night": str(published.night),
                "publication": published.number,
                "path": dg.MetadataValue.path(str(published.folder)),
                "data docs": dg.MetadataValue.path(str(published.folder / QUALITY / "index.html")),
                "size (MB)": sum(file.bytes for file in published.files.values()) / 1e6,
            }
        )

    return [candidate, onedata]


def _cost(context: dg.AssetExecutionContext) -> Cost:
    """Resources used by the run up to the swap."""
    seconds = context.instance.get_run_stats(context.run_id).start_time or 0
    started = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    megabytes = usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    return Cost(started, usage.ru_utime + usage.ru_stime, megabytes)
