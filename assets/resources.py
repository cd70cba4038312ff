"""The resource of all ops of a run: the warehouse, open (and locked) from the first op to the last."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import duckdb

from onedata.home import private_umask, secure_home
from onedata.ledger.recover import refuse_without_warehouse
from onedata.quality.gx import Gatekeeper
from onedata.quality.vocabulary import vocabulary
from onedata.retailer import Retailer, prepare_warehouse
from onedata.warehouse import open_warehouse
from onedata_assets.dbt import Dbt
from onedata_assets.tags import CPU_TAG, replaced_nights


@dataclass(frozen=True)
class Warehouse:
    """The open warehouse with the retailer's contracts, the gatekeeper and dbt."""

    con: duckdb.DuckDBPyConnection
    retailer: Retailer
    gatekeeper: Gatekeeper
    dbt: Dbt
    start_cpu_seconds: float
    """What the run took before its first step: imports, contracts, the parse of the dbt project."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        return self.dbt.manifest


def warehouse_resource(retailer: Retailer, dbt: Dbt) -> dg.ResourceDefinition:
    """The run's `warehouse`. If it is locked, the run waits, then fails and names the writer; if lake files are
    missing, it fails and names them."""

    @dg.resource(description="The private DuckDB warehouse, one writer at a time.")
    def warehouse(init_context: dg.InitResourceContext) -> Iterator[Warehouse]:
        say = init_context.log.info if init_context.log else print
        private_umask()  # Dagster may have started this process
        for line in secure_home(retailer.settings):
            say(line)
        refuse_without_warehouse(retailer.settings)
        with open_warehouse(retailer.settings, say) as con:
            tags = init_context.dagster_run.tags if init_context.dagster_run else {}
            again = replaced_nights(tags)
            for text in prepare_warehouse(con, retailer, again):
                say(text)
            gatekeeper = Gatekeeper(con, vocabulary(retailer.feeds, dbt.manifest))
            before = float(tags.get(CPU_TAG, 0))
            yield Warehouse(con, retailer, gatekeeper, dbt, time.process_time() - before)
            if gatekeeper.spent.rules:
                say(str(gatekeeper.spent))

    return warehouse
