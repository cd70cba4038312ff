"""Nights as Dagster partitions, and the night of a run."""

from datetime import date, timedelta

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from onedata.ledger.told import last_delivered
from onedata.settings import Settings
from onedata_assets.resources import Warehouse
from onedata_assets.tags import REPLACE_TAG

FULL_REFRESH_TAG = "onedata/full_refresh"
PROCESS_TAG = "onedata/process"


def nights(settings: Settings) -> dg.DailyPartitionsDefinition:
    """One partition per night, up to and including today, in the retailer's time zone."""
    return dg.DailyPartitionsDefinition(
        start_date=settings.first_night.isoformat(), timezone=settings.time_zone, end_offset=1
    )


def night_of(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.OpExecutionContext, warehouse: Warehouse
) -> date:
    """The night of the run (of a range, its last); if it has none, the last night in the ledger."""
    return night_of_run(context.run, warehouse)


def night_of_run(run: dg.DagsterRun, warehouse: Warehouse) -> date:
    """The same for a run, outside of its ops."""
    key = run.tags.get(PARTITION_NAME_TAG) or run.tags.get(ASSET_PARTITION_RANGE_END_TAG)
    if key:
        return date.fromisoformat(key)
    return last_delivered(warehouse.con) or warehouse.retailer.settings.first_night


def first_night_of(context: dg.AssetExecutionContext, warehouse: Warehouse) -> date:
    """The first night of the run's range; without a range, its one night."""
    key = context.run.tags.get(ASSET_PARTITION_RANGE_START_TAG)
    return date.fromisoformat(key) if key else night_of(context, warehouse)


def nights_again(context: dg.AssetExecutionContext, warehouse: Warehouse) -> list[date]:
    """The run's nights, if it is tagged to replace them."""
    if context.run.tags.get(REPLACE_TAG) != "true":
        return []
    first, last = first_night_of(context, warehouse), night_of(context, warehouse)
    return [first + timedelta(days=day) for day in range((last - first).days + 1)]


def range_tags(first: date, last: date) -> dict[str, str]:
    """Tags of one run over several nights."""
    return {ASSET_PARTITION_RANGE_START_TAG: first.isoformat(), ASSET_PARTITION_RANGE_END_TAG: last.isoformat()}
