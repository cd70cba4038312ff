"""The gates: blocking asset checks between the stages, one op per stage."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from onedata.contracts.model import Feed
from onedata.identity.household import MOST_MEMBERS
from onedata.masking import hides_values
from onedata.quality import CheckResult, record, summarise
from onedata.quality.gates import contract_gate, layer_gate, new_partitions
from onedata.quality.oneid_gate import oneid_gate
from onedata.quality.privacy import scan
from onedata.quality.trends import trend_lines
from onedata.retailer import Retailer
from onedata.warehouse.publish import candidate_path
from onedata_assets.costs import measured
from onedata_assets.dbt import Dbt
from onedata_assets.identity import HOUSEHOLD_KEY, ONEID_KEY, PERSON_KEY
from onedata_assets.ingest import landing_key
from onedata_assets.markdown import markdown
from onedata_assets.nights import night_of
from onedata_assets.publish import CANDIDATE_KEY
from onedata_assets.reconciliation import reconciliation_gates
from onedata_assets.resources import Warehouse
from onedata_assets.status import draw
from onedata_assets.warehouse import DBT_LAYERS, LayerTranslator

GATE = "gate"


def gate_checks(retailer: Retailer, dbt: Dbt, translator: LayerTranslator) -> list[dg.AssetChecksDefinition]:
    """Every gate of the graph."""
    return [
        _contract_gate(retailer),
        *[_layer_gate(dbt, translator, layer) for layer in DBT_LAYERS],
        _oneid_gate(retailer),
        _published_gate(retailer),
        *reconciliation_gates(retailer, dbt, translator),
    ]


def _spec(key: dg.AssetKey, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(GATE, asset=key, blocking=True, description=description)


def _contract_gate(retailer: Retailer) -> dg.AssetChecksDefinition:
    by_key = {landing_key(feed): feed for feed in retailer.feeds}

    @dg.multi_asset_check(
        name="gate_contract",
        specs=[
            _spec(
                key,
                "The contract's rules for landed rows: readable files, quarantine within tolerance, keys, volumes, "
                "trends.",
            )
            for key in by_key
        ],
        can_subset=True,
        required_resource_keys={"warehouse"},
        pool="warehouse",
    )
    @measured
    @hides_values
    def gate_contract(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        warehouse: Warehouse = context.resources.warehouse
        night = night_of(context, warehouse)
        for check in sorted(context.selected_asset_check_keys, key=lambda item: item.asset_key.path):
            feed = by_key[check.asset_key]
            results = contract_gate(warehouse.con, warehouse.gatekeeper, retailer.settings, feed, night)
            yield _outcome(context, warehouse, check.asset_key, results, _trends(warehouse, feed, night))
        draw(context, warehouse)

    return gate_contract


def _layer_gate(dbt: Dbt, translator: LayerTranslator, layer: str) -> dg.AssetChecksDefinition:
    nodes = [
        node for node in dbt.manifest["nodes"].values() if node["resource_type"] == "model" and node["schema"] == layer
    ]
    keys = {node["name"]: translator.get_asset_key(node) for node in nodes}

    @dg.multi_asset_check(
        name=f"gate_{layer}",
        specs=[
            _spec(key, "The rules in the YAML beside the model (`meta.quality`), validated by Great Expectations.")
            for key in keys.values()
        ],
        can_subset=True,
        required_resource_keys={"warehouse"},
        pool="warehouse",
    )
    @measured
    @hides_values
    def gate(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        warehouse: Warehouse = context.resources.warehouse
        selected = {check.asset_key for check in context.selected_asset_check_keys}
        names = [name for name, key in keys.items() if key in selected]
        by_model: dict[str, list[CheckResult]] = defaultdict(list)
        where = new_partitions(warehouse.con) if layer == "ods" else ""
        for result in layer_gate(warehouse.gatekeeper, warehouse.manifest, layer, names, where):
            by_model[result.subject].append(result)
        for name in sorted(names):
            yield _outcome(context, warehouse, keys[name], by_model[name])
        draw(context, warehouse)

    return gate


def _oneid_gate(retailer: Retailer) -> dg.AssetChecksDefinition:
    keys = {"oneid_map": ONEID_KEY, "person": PERSON_KEY, "household_map": HOUSEHOLD_KEY}

    @dg.multi_asset_check(
        name="gate_oneid",
        specs=[
            _spec(
                key,
                "One person per identifier, complete versions, no id issued twice, no oversized persons, stable ids.",
            )
            for key in keys.values()
        ],
        required_resource_keys={"warehouse"},
        pool="warehouse",
    )
    @measured
    @hides_values
    def gate_oneid(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        warehouse: Warehouse = context.resources.warehouse
        found = oneid_gate(warehouse.con, warehouse.gatekeeper, retailer.policy, retailer.settings.gates, MOST_MEMBERS)
        for table, results in found.items():
            yield _outcome(context, warehouse, keys[table], results)
        draw(context, warehouse)

    return gate_oneid


def _published_gate(retailer: Retailer) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name="gate_published",
        specs=[_spec(CANDIDATE_KEY, "No raw e-mail, phone, name or address, and no token of one, in any text column.")],
        required_resource_keys={"warehouse"},
        pool="warehouse",
    )
    @measured
    @hides_values
    def gate_published(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        warehouse: Warehouse = context.resources.warehouse
        results = scan(warehouse.con, candidate_path(retailer.settings), retailer.settings.vault)
        yield _outcome(context, warehouse, CANDIDATE_KEY, results)
        draw(context, warehouse)

    return gate_published


def _trends(warehouse: Warehouse, feed: Feed, night: date) -> dict[str, dg.MetadataValue[Any]]:
    """The night compared with previous nights, as a table with bars; empty if it was not compared."""
    lines = trend_lines(warehouse.con, feed.name, night)
    header = ["column", "trend", "observed", "expected", "holds", "28 days before, and the night"]
    return {"trends": dg.MetadataValue.md(markdown(header, list(lines)))} if lines else {}


def _outcome(
    context: dg.AssetCheckExecutionContext,
    warehouse: Warehouse,
    key: dg.AssetKey,
    results: Sequence[CheckResult],
    metadata: Mapping[str, dg.MetadataValue[Any]] | None = None,
) -> dg.AssetCheckResult:
    """Record the results and return them to Dagster: failed if a rule of severity error does not hold."""
    record(warehouse.con, context.run.run_id, night_of(context, warehouse), results)
    failed = [result for result in results if not result.passed]
    text = summarise(results)
    if text:
        context.log.warning(text)
    elif results:
        context.log.debug(f"{'/'.join(key.path)}: {len(results)} rules hold")
    blocked = any(result.blocks for result in results)
    rows: list[tuple[object, ...]] = [
        (r.rule, r.severity, "yes" if r.passed else "NO", r.observed, r.expected, r.message)
        for r in [*failed, *[r for r in results if r.passed]]
    ]
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=GATE,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if blocked or not failed else dg.AssetCheckSeverity.WARN,
        description=text or f"{len(results)} rules hold",
        metadata={
            "rules": dg.MetadataValue.md(markdown(["rule", "severity", "holds", "observed", "expected", "what"], rows)),
            **(metadata or {}),
        },
    )
