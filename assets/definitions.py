"""The graph: landing -> [gate] -> ODS -> [gate] -> DIM, DWD -> [gate] -> OneID -> [gate] -> DWS -> [gate] -> ADS ->
[gate] -> published."""

import os

import dagster as dg

from onedata.home import private_umask
from onedata.quality.model_rules import check_model_rules
from onedata.retailer import Retailer, load_retailer
from onedata.settings import load_settings
from onedata_assets.console import console_logger
from onedata_assets.dbt import parse_dbt
from onedata_assets.gates import gate_checks
from onedata_assets.identity import identity_assets
from onedata_assets.ingest import LANDING_GROUP, landing_assets
from onedata_assets.nights import nights
from onedata_assets.publish import publish_assets
from onedata_assets.resources import warehouse_resource
from onedata_assets.schedules import new_files_sensor, nightly_schedule, weekly_identity_check, weekly_verify
from onedata_assets.status import draw_failure
from onedata_assets.warehouse import LayerTranslator, layer_assets

NIGHTLY = "nightly"
REBUILD = "rebuild"


@dg.definitions
def defs() -> dg.Definitions:
    """Definitions for `dagster dev` and deployments: the retailer of ONEDATA_SETTINGS and the environment."""
    private_umask()
    return build_definitions(load_retailer(load_settings()))


def build_definitions(retailer: Retailer) -> dg.Definitions:
    """The complete graph of one retailer.

    Raises:
        DbtFailed: the dbt project does not parse.
        ContractError: a rule beside a model is not allowed.
    """
    os.environ.update(retailer.environment())  # dbt reads its paths from the environment
    dbt = parse_dbt(retailer)
    check_model_rules(dbt.manifest)
    translator = LayerTranslator(retailer)
    nightly = dg.define_asset_job(
        NIGHTLY,
        selection=dg.AssetSelection.all(),
        partitions_def=nights(retailer.settings),
        executor_def=dg.in_process_executor,
        hooks={draw_failure},
        description="One night: every stage and every gate, from new files to the published database.",
    )
    rebuild = dg.define_asset_job(
        REBUILD,
        selection=dg.AssetSelection.all() - dg.AssetSelection.groups(LANDING_GROUP),
        executor_def=dg.in_process_executor,
        description="Every stage after landing, from the rows in the lake; `onedata rebuild` runs it after it has "
        "rebuilt the ledger.",
    )
    weekly, weekly_schedule = weekly_identity_check(retailer)
    verification, verification_schedule = weekly_verify(retailer)
    return dg.Definitions(
        assets=[
            *landing_assets(retailer),
            *layer_assets(dbt, translator),
            *identity_assets(retailer, dbt, translator),
            *publish_assets(retailer, dbt, translator),
        ],
        asset_checks=gate_checks(retailer, dbt, translator),
        jobs=[nightly, rebuild, weekly, verification],
        schedules=[nightly_schedule(retailer.settings, nightly), weekly_schedule, verification_schedule],
        sensors=[new_files_sensor(retailer, nightly)],
        resources={"warehouse": warehouse_resource(retailer, dbt)},
        loggers={"console": console_logger},
        executor=dg.in_process_executor,
    )
