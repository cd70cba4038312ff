"""Run dbt in this process: one parsed manifest, one invocation per layer, with results as Dagster events.

Method (docs/reference/stack_findings.md): the in-process runner with a shared manifest costs a tenth of one subprocess
per layer. It uses dagster-dbt's message class, so dagster-dbt is pinned.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator
from dagster_dbt.asset_utils import get_subset_selection_for_context
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import SeedNode
from dbt.parser.manifest import PARTIAL_PARSE_FILE_NAME
from google.protobuf.json_format import MessageToDict

from onedata.contracts.project import assembled
from onedata.retailer import Retailer
from onedata.settings import Settings
from onedata.shipped import shipped

# The events of which dagster-dbt makes outputs and check results.
RESULTS = ("LogModelResult", "LogSeedResult", "LogSnapshotResult", "LogTestResult")
# dbt repeats an error's message, with the values in it, on the terminal, in its log and in run_results.json; here only
# DbtFailed reports it.
SILENT = ("--quiet", "--log-level", "none", "--log-level-file", "none", "--no-write-json")
MODELS_AT_ONCE = 2
"""More would share DuckDB's memory. Where DuckDB has one thread, a second model waits for it and for Python's lock."""


class DbtFailed(RuntimeError):
    """dbt could not parse the project, or a model or test failed; the text names each with dbt's message."""


@dataclass(frozen=True)
class Dbt:
    """The parsed project: dbt's own manifest object for runs, and the same as plain data for Dagster."""

    parsed: Manifest
    manifest: Mapping[str, Any]
    settings: Settings


def parse_dbt(retailer: Retailer) -> Dbt:
    """Parse the dbt project (partially, if dbt has a previous parse), which is assembled first for a retailer with
    entities of its own. The process's environment must contain the settings.

    Raises:
        DbtFailed: the project does not parse.
    """
    settings = retailer.settings
    if not settings.own_entities:
        return _parse(settings)
    with assembled(shipped("dbt_project"), settings.dbt_project, retailer.entities, retailer.policy):
        return _parse(settings)


def _parse(settings: Settings) -> Dbt:
    manifest, is_as_written = _manifest(settings)
    has_moved = _seeds_moved(manifest, settings.dbt_project)
    return Dbt(manifest, _plain(settings, manifest, is_as_written and not has_moved), settings)


def _manifest(settings: Settings) -> tuple[Manifest, bool]:
    """The parse, and whether the JSON in the home is of it: dbt leaves its own file as it was if nothing changed since,
    and the JSON is written after it."""
    parse = settings.dbt_target / "target" / PARTIAL_PARSE_FILE_NAME
    before, written = _changed_at(parse), _changed_at(_written(settings))
    with _warehouse_without_folder(settings):
        outcome = dbtRunner().invoke(["--quiet", "parse", *_folders(settings), "--no-write-json"])
    if not outcome.success or not isinstance(outcome.result, Manifest):
        raise DbtFailed(f"dbt cannot parse {settings.dbt_project}: {outcome.exception}")
    return outcome.result, 0 < before < written and _changed_at(parse) == before


def _plain(settings: Settings, manifest: Manifest, is_as_written: bool) -> Mapping[str, Any]:
    """The manifest as dbt writes it in JSON, which takes longer than a parse that finds nothing changed."""
    file = _written(settings)
    if is_as_written:
        try:
            return dict(json.loads(file.read_text(encoding="utf-8")))
        except ValueError:
            pass  # damaged: it is written again
    new = file.with_suffix(".new")
    manifest.write(str(new))
    new.replace(file)
    return dict(json.loads(file.read_text(encoding="utf-8")))


def _written(settings: Settings) -> Path:
    return settings.dbt_target / "target" / "manifest.json"


def _changed_at(file: Path) -> int:
    """Nanoseconds; 0 if there is no such file."""
    return file.stat().st_mtime_ns if file.exists() else 0


@contextmanager
def _warehouse_without_folder(settings: Settings) -> Iterator[None]:
    """dbt keeps a parse only for one place of the warehouse, which it does not open to parse: without its folder, the
    parse of a home that was moved, copied or restored is still good, and saves all but half a second of four."""
    before = os.environ["ONEDATA_WAREHOUSE"]
    os.environ["ONEDATA_WAREHOUSE"] = settings.warehouse.name
    try:
        yield
    finally:
        os.environ["ONEDATA_WAREHOUSE"] = before


def _seeds_moved(manifest: Manifest, project: Path) -> bool:
    """Point the seeds, which dbt reads by their whole path, to this folder, and tell whether they were elsewhere: a
    partial parse keeps the path of the folder that was parsed before, as when the home has moved. Nothing else of a
    parse is told by a whole path, and what a file holds is compared by its hash."""
    moved = [
        node
        for node in manifest.nodes.values()
        if isinstance(node, SeedNode) and Path(node.root_path or "").resolve() != project.resolve()
    ]
    for node in moved:
        node.root_path = str(project)
    return bool(moved)


def _folders(settings: Settings) -> list[str]:
    return [
        "--project-dir",
        str(settings.dbt_project),
        "--profiles-dir",
        str(settings.dbt_project),
        "--target-path",
        str(settings.dbt_target / "target"),
    ]


def build(
    context: dg.AssetExecutionContext,
    dbt: Dbt,
    translator: DagsterDbtTranslator,
    select: str,
    full_refresh: bool,
    unchanged: Sequence[str] = (),
) -> Iterator[Any]:
    """Build the selected models but the unchanged ones, and test all of them; yields one output per built model and one
    check result per test.

    Raises:
        DbtFailed: a model or test failed; everything downstream was skipped.
    """
    selection, indirect = get_subset_selection_for_context(context, dbt.manifest, select, None, None, translator, None)
    events: list[dict[str, Any]] = []

    def keep(event: Any) -> None:
        if event.info.name in RESULTS:  # of a night's four thousand events, one for each model, seed and test
            events.append(MessageToDict(event, preserving_proto_field_name=True))

    arguments = [*SILENT, "build", *_folders(dbt.settings), *selection, "--exclude-resource-type", "unit_test"]
    arguments += ["--threads", str(min(dbt.settings.threads, MODELS_AT_ONCE))]
    arguments += ["--indirect-selection", indirect] if indirect else []
    arguments += ["--full-refresh"] if full_refresh else []
    if unchanged:  # the models alone: their tests are selected by their own names
        arguments += ["--exclude", *unchanged] + ([] if indirect else ["--indirect-selection", "empty"])
    runner = dbtRunner(manifest=dbt.parsed, callbacks=[keep])
    try:
        outcome = runner.invoke(arguments)
    finally:
        # Otherwise dbt's own connection would keep the warehouse locked after the run.
        DuckDBConnectionManager.close_all_connections()
    for event in events:
        message = DbtCoreCliEventMessage(raw_event=event, event_history_metadata={})
        yield from message.to_default_asset_events(
            dbt.manifest, translator, context, Path(dbt.settings.dbt_target / "target")
        )
    if not outcome.success:
        raise DbtFailed(_failures(outcome.result, outcome.exception))


def _failures(result: Any, exception: BaseException | None) -> str:
    failed = [item for item in getattr(result, "results", []) if str(item.status) in ("error", "fail", "runtime error")]
    lines = [f"{item.node.name} ({item.node.original_file_path}): {str(item.message).strip()}" for item in failed]
    return "\n".join(lines) or f"dbt failed: {exception}"
