"""Models refer only to their own or earlier layers, and each has a description in the YAML beside it."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from support import REPOSITORY

from onedata.contracts import load_entities
from onedata.contracts.derive import derived_files
from onedata.retailer import Retailer

ORDER = {"ref": 0, "ops": 0, "ods": 1, "dim": 2, "dwd": 2, "oneid": 3, "dws": 4, "ads": 5}
MODELS = sorted((REPOSITORY / "dbt_project" / "models").glob("*/*.sql"))
MACROS = sorted((REPOSITORY / "dbt_project" / "macros").glob("*.sql"))
LONG_LIST = re.compile(r"\bin\s*\((?:\s*'[^']*'\s*,){4,}\s*'[^']*'\s*\)")
NO_SQL = re.compile(r"\{#.*?#\}|--[^\n]*|\{\{ config\(.*?\) \}\}", re.DOTALL)
READ = re.compile(r"\{\{ (?:ref|source)\(.*?\) \}\}")
# Tables named in with, and one select of their columns as they are, or under another name.
NO_COMPUTATION = re.compile(
    r"(?:with\s+)?(?:\w+ as \(\s*select \* from read\s*\),?\s*)*"
    r"select\s+[\w.]+(?: as \w+)?(?:,\s*[\w.]+(?: as \w+)?)*\s+from \w+"
)


def test_a_model_refers_only_to_its_own_or_earlier_layers(manifest: dict[str, Any]) -> None:
    schemas = {name: node["schema"] for part in ("nodes", "sources") for name, node in manifest[part].items()}
    backwards = [
        f"{node['name']} reads {parent}"
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        for parent in node["depends_on"]["nodes"]
        if ORDER[schemas[parent]] > ORDER[node["schema"]]
    ]
    assert backwards == []


def test_every_model_is_in_the_layer_of_its_folder_and_name(manifest: dict[str, Any]) -> None:
    wrong = [
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        and not (node["name"].startswith(node["schema"] + "_") and node["path"].startswith(node["schema"] + "/"))
    ]
    assert wrong == []


def test_every_model_is_described_in_a_file_of_its_name() -> None:
    entries = _entries()
    assert entries
    assert [name for name, entry in entries.items() if entry["name"] != name] == []
    assert [name for name, entry in entries.items() if not entry["description"].strip()] == []
    lacking = [
        f"{name} says no {part}"
        for name, entry in entries.items()
        for part in ("grain", "key", "owner")
        if not entry["config"]["meta"].get(part)
    ]
    assert lacking == []


def test_every_model_describes_every_column_it_names() -> None:
    entries = _entries()
    assert [name for name, entry in entries.items() if not entry["columns"]] == []
    bare = [
        f"{name}.{column['name']}"
        for name, entry in entries.items()
        for column in entry["columns"]
        if not str(column.get("description") or "").strip()
    ]
    assert bare == []


def test_the_key_of_every_model_is_among_its_columns() -> None:
    astray = [
        f"{name}.{part}"
        for name, entry in _entries().items()
        for part in entry["config"]["meta"]["key"]
        if part not in {column["name"] for column in entry["columns"]}
    ]
    assert astray == []


def test_a_model_that_computes_has_a_unit_test(manifest: dict[str, Any]) -> None:
    """ODS is derived, and the tests of what derives it hold its SQL."""
    tested = {test["model"] for test in manifest["unit_tests"].values()}
    computing = {model.stem for model in MODELS if model.parent.name != "ods" and _computes(model.read_text("utf-8"))}
    assert sorted(computing - tested) == []
    assert {"dim_date", "dwd_order_line", "dws_channel_day", "ads_kpi"} <= computing
    assert "dim_channel" not in computing


def test_it_is_told_whether_a_model_computes() -> None:
    plain = [
        "{{ config(x=1) }}\nwith a as (\n    select * from {{ ref('b') }}\n)\n\nselect x, a.y as z -- why\nfrom a\n",
        "select x from {{ ref('b') }}",
    ]
    computing = [
        "with a as (select * from {{ ref('b') }} where x > 1) select x from a",
        "select x + y as z from {{ ref('b') }}",
        "select lower(x) as x from {{ ref('b') }}",
        "select distinct x from {{ ref('b') }}",
        "select x from {{ ref('b') }} {{ latest_version('b', key) }}",
        "select a.x from {{ ref('a') }} as a inner join {{ ref('b') }} as b on a.x = b.x",
    ]
    assert [sql for sql in plain if _computes(sql)] == []
    assert [sql for sql in computing if not _computes(sql)] == []


INSTANT = re.compile(r"\b(?!day_at)\w+_at\b")
OTHER_DAYS = re.compile(r"_at\)*::date|date_trunc|(?:month_label|days_between)\([^()]*_at\b")


def test_no_model_after_ods_takes_the_utc_day_of_an_instant() -> None:
    """Landing tells the local day of an instant in the feed's zone, which no later layer knows."""
    macros = sorted((REPOSITORY / "dbt_project" / "macros").glob("*.sql"))
    read = {file.stem: NO_SQL.sub("", file.read_text("utf-8")) for file in (*MODELS, *macros)}
    assert [name for name, sql in read.items() if _takes_utc_days(sql)] == []
    wrong = ["cast(lines.sold_at as date)", "cast(coalesce(answered_at, asked_at) as date)", "x.paid_at::date"]
    assert [sql for sql in wrong if not _takes_utc_days(sql)] == []
    assert not _takes_utc_days("cast(business_date as date), cast(asked_at as timestamp)")


def _takes_utc_days(sql: str) -> bool:
    """Whether SQL casts to a date, truncates or formats what is made of a column in UTC."""
    return bool(OTHER_DAYS.search(sql)) or any(
        INSTANT.search(_before(sql, found.end() - 1)) for found in re.finditer(r"\bas date\s*\)", sql)
    )


def _before(sql: str, end: int) -> str:
    """What is in the parentheses that close at `end`."""
    depth, start = 1, end
    while depth and start:
        start -= 1
        depth += {")": 1, "(": -1}.get(sql[start], 0)
    return sql[start:end]


def test_the_derived_models_are_current(retailer: Retailer) -> None:
    folder = retailer.settings.dbt_project
    stale = [
        name
        for name, content in derived_files(retailer.entities, retailer.policy).items()
        if (folder / name).read_text(encoding="utf-8") != content
    ]
    assert stale == []


def test_every_feed_fills_an_entity_that_has_a_model(retailer: Retailer) -> None:
    names = {model.stem for model in MODELS}
    assert [feed.name for feed in retailer.feeds if f"ods_{feed.entity.name}" not in names] == []


def test_every_canonical_entity_is_described() -> None:
    entities = load_entities(REPOSITORY / "data_contracts" / "canonical")
    bare = [
        f"{entity.name}.{column.name}"
        for entity in entities.values()
        for column in entity.columns
        if not column.description.strip()
    ]
    assert bare == []
    assert [entity.name for entity in entities.values() if not (entity.grain and entity.owner and entity.key)] == []


@cache
def _entries() -> dict[str, dict[str, Any]]:
    """Model to what is said of it in the file beside it, which must tell of one model alone."""
    return {model.stem: _entry(model) for model in MODELS}


def _entry(model: Path) -> dict[str, Any]:
    entries = yaml.load(model.with_suffix(".yml").read_text(encoding="utf-8"), yaml.CSafeLoader)["models"]
    assert len(entries) == 1, model
    return dict(entries[0])


def _computes(sql: str) -> bool:
    """Whether a model does more than select columns of one table and name them."""
    return not NO_COMPUTATION.fullmatch(READ.sub("read", NO_SQL.sub("", sql)).strip())


def test_a_value_is_looked_up_in_a_list_of_five_or_more() -> None:
    """DuckDB makes a join of such an `in`, of each one anew (macros/is_one_of.sql)."""
    long = [file.name for file in (*MODELS, *MACROS) if LONG_LIST.search(file.read_text(encoding="utf-8"))]
    assert long == []
