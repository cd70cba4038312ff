"""The warehouse layers: one @dbt_assets per layer, so that a closed gate stops the next."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets

from onedata.ledger import has_replaced
from onedata.ledger.promote import promote
from onedata.masking import hides_values
from onedata.quality.gates import require_open
from onedata.quality.model_rules import sensitive_columns
from onedata.retailer import Retailer
from onedata.warehouse.preview import columns_of, first_rows, rows_of
from onedata.warehouse.unchanged import forget, note_built, plan_layer, settings_seen
from onedata_assets.costs import measured
from onedata_assets.dbt import Dbt, build
from onedata_assets.ingest import landing_key
from onedata_assets.markdown import markdown
from onedata_assets.nights import FULL_REFRESH_TAG
from onedata_assets.resources import Warehouse

GROUPS = {"ods": "b_ods", "dim": "c_dim", "dwd": "d_dwd", "oneid": "e_oneid", "dws": "f_dws", "ads": "g_ads"}
DBT_LAYERS = ("ods", "dim", "dwd", "dws", "ads")
PREVIEW_ROWS = 10


class LayerTranslator(DagsterDbtTranslator):
    """dbt nodes as assets: key `<layer>/<table>`, grouped so that the graph reads left to right."""

    def __init__(self, retailer: Retailer) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_source_tests_as_checks=False))
        self._retailer = retailer

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        return GROUPS.get(dbt_resource_props["schema"], "c_dim")

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        props = self.get_resource_props(manifest, unique_id)
        meta = (props.get("config") or {}).get("meta") or {}
        deps = [dep for dep in spec.deps if dep.asset_key.path[0] != "ops"]
        if props["schema"] == "ods" and props["resource_type"] == "model":
            deps += [
                dg.AssetDep(landing_key(feed)) for feed in self._retailer.feeds_of(props["name"].removeprefix("ods_"))
            ]
        details = {name: str(meta[name]) for name in ("grain", "key") if name in meta}
        owners = [f"team:{meta['owner']}"] if "owner" in meta else ["team:data-platform"]
        return spec.replace_attributes(deps=deps, owners=owners, metadata={**spec.metadata, **details})


def layer_assets(dbt: Dbt, translator: LayerTranslator) -> list[dg.AssetsDefinition]:
    """The assets of every dbt layer."""
    return [_layer_asset(dbt, translator, layer) for layer in DBT_LAYERS]


def _layer_asset(dbt: Dbt, translator: LayerTranslator, layer: str) -> dg.AssetsDefinition:
    select = f"fqn:onedata.{layer}.*" + (" resource_type:seed" if layer == "dim" else "")

    @dbt_assets(
        manifest=dbt.manifest,
        select=select,
        name=f"{layer}_models",
        dagster_dbt_translator=translator,
        required_resource_keys={"warehouse"},
        pool="warehouse",
    )
    @measured
    @hides_values
    def models(context: dg.AssetExecutionContext) -> Iterator[Any]:
        warehouse: Warehouse = context.resources.warehouse
        require_open(warehouse.con, layer)
        if layer == "ods":
            accepted = promote(warehouse.con, warehouse.retailer.settings)
            context.log.info(f"{len(accepted)} deliveries passed their gate and entered the lake")
        asked = context.run.tags.get(FULL_REFRESH_TAG) == "true" or has_replaced(warehouse.con)
        settings = settings_seen(warehouse.retailer.settings.dbt_project, os.environ)
        plan = plan_layer(warehouse.con, warehouse.manifest, layer, settings, asked)
        if plan.outdated:
            context.log.info(
                f"built anew from the lake, since their columns or SQL changed: {', '.join(plan.outdated)}"
            )
        full_refresh = (asked and layer in ("dim", "dwd")) or bool(plan.outdated)
        nodes = warehouse.manifest["nodes"]
        left = [translator.get_asset_key(nodes[name]) for name in plan.left]
        for key in left:
            if key in context.selected_asset_keys:
                output = dg.Output(None, key.to_python_identifier(), metadata={"built": "no: nothing new since"})
                yield _with_contents(output, warehouse, layer, context)
        for name in plan.untested:
            model = translator.get_asset_key(nodes[nodes[name]["attached_node"]])
            key_of_test = dg.AssetCheckKey(model, nodes[name]["name"])
            if key_of_test in context.selected_asset_check_keys:
                told = {"run": "no: it passed, and nothing is new since"}
                yield dg.AssetCheckResult(passed=True, asset_key=model, check_name=key_of_test.name, metadata=told)
        forget(warehouse.con, plan)
        built, tested = [], []
        names = [nodes[name]["name"] for name in (*plan.left, *plan.untested)]
        for event in build(context, warehouse.dbt, translator, select, full_refresh, names) if plan.run else ():
            if isinstance(event, dg.Output):
                built.append(event.output_name)
            if isinstance(event, dg.AssetCheckResult) and event.passed:
                tested.append(str(event.check_name))
            yield _with_contents(event, warehouse, layer, context)
        note_built(warehouse.con, warehouse.manifest, layer, plan, {*built, *tested})
        kind = "views" if layer == "ods" else "tables"
        unchanged = [f"{len(some)} {what}" for some, what in ((left, kind), (plan.untested, "tests")) if some]
        context.log.info(
            f"{len(built)} {kind} built"
            + (f", {len(tested)} dbt tests passed" if tested else "")
            + (f"; nothing new for {' and '.join(unchanged)}" if unchanged else "")
        )

    return models


def _with_contents(event: Any, warehouse: Warehouse, layer: str, context: dg.AssetExecutionContext) -> Any:
    """Add the row count, and for published tables a preview, to a model's output."""
    if not isinstance(event, dg.Output) or layer == "ods":
        return event
    key = next(key for key in context.selected_asset_keys if key.to_python_identifier() == event.output_name)
    metadata: dict[str, Any] = {
        **event.metadata,
        "dagster/row_count": rows_of(warehouse.con, key.path),
        "dagster/column_schema": _columns(warehouse, key),
    }
    if layer in ("dws", "ads"):
        public = _public(warehouse, key)
        shown = [name for name, _ in columns_of(warehouse.con, key.path) if name in public]
        rows = first_rows(warehouse.con, key.path, shown, PREVIEW_ROWS)
        metadata["first rows"] = dg.MetadataValue.md(markdown(shown, rows))
    return event.with_metadata(metadata)


def _public(warehouse: Warehouse, key: dg.AssetKey) -> set[str]:
    """The columns that the YAML describes without a classification: only these may be previewed."""
    return set(_described(warehouse, key)) - sensitive_columns(warehouse.manifest, key.path[-1])


def _described(warehouse: Warehouse, key: dg.AssetKey) -> Mapping[str, Any]:
    nodes = (node for node in warehouse.manifest["nodes"].values() if [node["schema"], node["name"]] == list(key.path))
    return next((node["columns"] for node in nodes), {})


def _columns(warehouse: Warehouse, key: dg.AssetKey) -> dg.TableSchema:
    """The table's columns with their types in DuckDB and their descriptions in the YAML."""
    described = _described(warehouse, key)
    columns = columns_of(warehouse.con, key.path)
    return dg.TableSchema(
        [dg.TableColumn(name, kind, described.get(name, {}).get("description") or None) for name, kind in columns]
    )
