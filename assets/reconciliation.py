"""Reconciliation gates: rows and money of a layer must balance, after it is built and before anything reads it."""

from collections.abc import Iterator, Sequence
from datetime import date

import dagster as dg

from onedata.masking import hides_values
from onedata.quality import CheckResult, record, summarise
from onedata.quality.reconcile import LAYERS, Scope, drawn, reconcile, reconciled_models
from onedata.retailer import Retailer
from onedata_assets.costs import measured
from onedata_assets.dbt import Dbt
from onedata_assets.markdown import markdown
from onedata_assets.nights import night_of
from onedata_assets.resources import Warehouse
from onedata_assets.status import draw
from onedata_assets.warehouse import LayerTranslator

RECONCILIATION = "reconciliation"
COLUMNS = ["subject", "for", "file", "measure", "unit", "in", "out", "excluded", "difference"]


def reconciliation_gates(retailer: Retailer, dbt: Dbt, translator: LayerTranslator) -> list[dg.AssetChecksDefinition]:
    """One op per layer, one blocking check per reconciled table."""
    scope = Scope(retailer.settings, retailer.feeds, retailer.entities, dbt.manifest)
    return [_gate(scope, dbt, translator, layer) for layer in LAYERS]


def _gate(scope: Scope, dbt: Dbt, translator: LayerTranslator, layer: str) -> dg.AssetChecksDefinition:
    nodes = {node["name"]: node for node in dbt.manifest["nodes"].values() if node["resource_type"] == "model"}
    keys = {translator.get_asset_key(nodes[model]): model for model in reconciled_models(scope, layer)}
    description = "Every row and cent that enters leaves or is excluded with a reason (docs/reconciliation.md)."

    @dg.multi_asset_check(
        name=f"reconcile_{layer}",
        specs=[dg.AssetCheckSpec(RECONCILIATION, asset=key, blocking=True, description=description) for key in keys],
        can_subset=True,
        required_resource_keys={"warehouse"},
        pool="warehouse",
    )
    @measured
    @hides_values
    def gate(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        warehouse: Warehouse = context.resources.warehouse
        night = night_of(context, warehouse)
        by_model = reconcile(warehouse.con, scope, layer, night, context.run.run_id)
        record(
            warehouse.con, context.run.run_id, night, [result for results in by_model.values() for result in results]
        )
        for check in sorted(context.selected_asset_check_keys, key=lambda item: item.asset_key.path):
            yield _outcome(
                context,
                warehouse,
                check.asset_key,
                keys[check.asset_key],
                night,
                by_model.get(keys[check.asset_key], []),
            )
        draw(context, warehouse)

    return gate


def _outcome(
    context: dg.AssetCheckExecutionContext,
    warehouse: Warehouse,
    key: dg.AssetKey,
    model: str,
    night: date,
    results: Sequence[CheckResult],
) -> dg.AssetCheckResult:
    """Return the result to Dagster, with a table of balances in which the open ones come first."""
    text = summarise(results)
    if text:
        context.log.warning(text)
    balances = drawn(warehouse.con, model, context.run.run_id)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=RECONCILIATION,
        passed=not text,
        description=text or ("every balance closes" if results else "nothing arrived"),
        metadata={"night": str(night), "balances": dg.MetadataValue.md(markdown(COLUMNS, balances))},
    )
