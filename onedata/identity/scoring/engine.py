"""The only module that imports Splink: settings, a silent linker, and tables that are temporary.

Imported by the stage that scores, not by the package: Splink takes half a second to load.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
from splink import DuckDBAPI, Linker

from onedata.identity.scoring.comparisons import COMPARISONS, Comparison, Level
from onedata.identity.scoring.model import Weights

WeightsOf = Callable[[Comparison, Level], Weights | None]


class _TemporaryTables(DuckDBAPI):
    """Splink's tables hold raw values: they must not reach the database the connection is open on."""

    def _setup_for_execute_sql(self, sql: str, physical_name: str) -> str:
        return super()._setup_for_execute_sql(sql, physical_name).replace("CREATE TABLE", "CREATE TEMP TABLE", 1)


@contextmanager
def linker(
    con: duckdb.DuckDBPyConnection, table: str, weights: WeightsOf, prior: float, explained: bool = False
) -> Iterator[Linker]:
    """A Splink linker on the prepared profiles in `table`; its tables are dropped at the end.

    Args:
        con: Connection with the prepared table.
        table: Name of the table.
        weights: m and u of a level; None for a level still to be trained.
        prior: Share of all pairs that belong to one person.
        explained: Add every comparison's level and weight, and the compared values, to the predictions.
    """
    logging.getLogger("splink").setLevel(logging.ERROR)
    settings: dict[str, Any] = {
        "link_type": "dedupe_only",
        "unique_id_column_name": "profile_id",
        "probability_two_random_records_match": prior,
        "comparisons": [_comparison(comparison, weights) for comparison in COMPARISONS],
        "blocking_rules_to_generate_predictions": [
            "l.profile_id = r.profile_id"
        ],  # never used: the pairs are found by `pairs`
        "retain_matching_columns": explained,  # the veto reads them
        "retain_intermediate_calculation_columns": explained,
    }
    api = _TemporaryTables(con)
    try:
        yield Linker(api.register(table), settings, log_level=None, validate_settings=False)
    finally:
        api.delete_tables_created_by_splink_from_db()  # type: ignore[no-untyped-call]


def _comparison(comparison: Comparison, weights: WeightsOf) -> dict[str, Any]:
    levels: list[dict[str, Any]] = [
        {"sql_condition": comparison.missing, "label_for_charts": "missing", "is_null_level": True}
    ]
    for level in comparison.levels:
        setting: dict[str, Any] = {
            "sql_condition": "ELSE" if level.sql == "else" else level.sql,
            "label_for_charts": level.label,
        }
        known = weights(comparison, level)
        if known:
            setting |= {"m_probability": known.m, "u_probability": known.u}
        if level.frequency_of:
            setting["tf_adjustment_column"] = level.frequency_of
        levels.append(setting)
    return {"output_column_name": comparison.name, "comparison_levels": levels}


def trained(of: Linker) -> dict[str, list[tuple[float | None, float | None]]]:
    """m and u of every level as Splink estimated them; None if the level was not seen."""
    found = {}
    for comparison in of.misc.save_model_to_json()["comparisons"]:
        levels = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        found[comparison["output_column_name"]] = [
            (level.get("m_probability"), level.get("u_probability")) for level in levels
        ]
    return found
