"""What every op shares in a run: the warehouse, held open (and locked) from the first op to the last."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import duckdb

from assets.dbt import Dbt
from assets.tags import replaced_nights
from onedata.faults import check_lake
from onedata.quality.gx import Gatekeeper
from onedata.retailer import Retailer, prepare_warehouse
from onedata.warehouse import open_warehouse


@dataclass(frozen=True)
class Warehouse:
    """The open warehouse with the retailer's contracts, the gatekeeper and dbt."""

    con: duckdb.DuckDBPyConnection
    retailer: Retailer
    gatekeeper: Gatekeeper
    dbt: Dbt

    @property
    def manifest(self) -> Mapping[str, Any]:
        return self.dbt.manifest


def warehouse_resource(retailer: Retailer, dbt: Dbt) -> dg.ResourceDefinition:
    """The run's `warehouse`. A run that finds it locked waits, then fails saying who writes; one that finds files of the lake gone fails naming them."""

    @dg.resource(description="The private DuckDB warehouse, one writer at a time.")
    def warehouse(init_context: dg.InitResourceContext) -> Iterator[Warehouse]:
        say = init_context.log.info if init_context.log else print
        with open_warehouse(retailer.settings, say) as con:
            prepare_warehouse(con, retailer)
            check_lake(con, retailer.settings, replaced_nights(init_context.dagster_run.tags if init_context.dagster_run else {}))
            yield Warehouse(con, retailer, Gatekeeper(con), dbt)

    return warehouse
