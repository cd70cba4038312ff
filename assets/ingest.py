"""Landing: one asset per feed, generated from the contracts."""

import time

import dagster as dg

from onedata.contracts import Feed
from onedata.landing import land
from onedata.ledger.told import FILE_COLUMNS, QUARANTINE_COLUMNS, counted, files_of_nights, quarantine_of_nights
from onedata.masking import hides_values
from onedata.pages.feeds import facts
from onedata.retailer import Retailer
from onedata_assets.costs import READ, WRITTEN, measured
from onedata_assets.markdown import markdown
from onedata_assets.nights import first_night_of, night_of, nights, nights_again
from onedata_assets.progress import WAIT_SECONDS
from onedata_assets.resources import Warehouse

PREVIEW_FILES = 20
LANDING_GROUP = "a_landing"


def landing_key(feed: Feed) -> dg.AssetKey:
    return dg.AssetKey(["landing", feed.name])


def landing_assets(retailer: Retailer) -> list[dg.AssetsDefinition]:
    """The landing asset of every feed, partitioned by night; a backfill of many nights is one run."""
    return [_landing_asset(retailer, feed) for feed in retailer.feeds]


def _landing_asset(retailer: Retailer, feed: Feed) -> dg.AssetsDefinition:
    @dg.asset(
        key=landing_key(feed),
        group_name=LANDING_GROUP,
        description=_description(feed),
        owners=[f"team:{feed.owner}"],
        kinds={feed.location.format, "parquet"},
        partitions_def=nights(retailer.settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="warehouse",
        required_resource_keys={"warehouse"},
        metadata={
            "contract": dg.MetadataValue.path(str(feed.contract)),
            "contract version": feed.version,
            "purpose": feed.purpose,
            "limitations": feed.limitations or "none known",
            "location": feed.location.path,
            "source system": feed.system,
            "entity": feed.entity.name,
            "quarantine tolerance": feed.tolerance,
            **facts(feed),
            "dagster/column_schema": _columns(feed),
        },
    )
    @measured
    @hides_values
    def landing(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        warehouse: Warehouse = context.resources.warehouse
        night = night_of(context, warehouse)
        again, later = nights_again(context, warehouse), retailer.feeds_later(feed)
        began = time.monotonic()
        landed = land(warehouse.con, retailer.settings, feed, retailer.policy, night, again, later)
        took = time.monotonic() - began
        if landed.waiting:
            context.log.warning(f"not whole yet, taken by the next run: {', '.join(landed.waiting)}")
        if landed.files:
            context.log.info(
                f"{landed.received} rows in {landed.files} files = {landed.accepted} accepted + {landed.quarantined} "
                f"quarantined + {landed.duplicate} duplicate"
                + (f", {landed.received / took:,.0f} rows a second" if took > WAIT_SECONDS else "")
            )
        first = first_night_of(context, warehouse)
        rows = counted(warehouse.con, feed.name, first, night)
        shown = (warehouse.con, feed.name, first, night, PREVIEW_FILES)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": rows.accepted,
                "files": rows.files,
                "files new in this run": landed.files,
                READ: landed.received,
                WRITTEN: landed.accepted,
                "received": rows.received,
                "quarantined": rows.quarantined,
                "duplicate": rows.duplicate,
                "by file": dg.MetadataValue.md(markdown(FILE_COLUMNS, files_of_nights(*shown))),
                "quarantine": dg.MetadataValue.md(markdown(QUARANTINE_COLUMNS, quarantine_of_nights(*shown))),
            }
        )

    return landing


def _columns(feed: Feed) -> dg.TableSchema:
    """The columns that the feed fills, each with its classification and, for personal identifiers, its kind."""
    columns = []
    for item in feed.fields:
        column = item.column
        tags = {"classification": column.classification} | (
            {"identifier": column.identifier.type} if column.identifier else {}
        )
        constraints = dg.TableColumnConstraints(nullable=not item.required)
        columns.append(dg.TableColumn(column.name, column.type, column.description, constraints=constraints, tags=tags))
    return dg.TableSchema(columns)


def _description(feed: Feed) -> str:
    return (
        f"**{feed.title}** ({feed.system}). {feed.description}\n\nGrain: {feed.entity.grain}.\n\n"
        f"Files `{feed.location.path}` ({feed.location.format}) land here typed, counted and with raw identifiers "
        f"replaced by keyed hashes; invalid rows go to `ops.quarantine`. "
        f"Contract: `{feed.contract.name}` {feed.version}."
    )
