"""Canonical entities from YAML (data_contracts/canonical/README.md); every mistake names file, line and fix."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from onedata.contracts.mistakes import Where, known, need, number
from onedata.contracts.model import SQL_TYPES, Classification, Column, ContractError, Entity, Identifier, Profile
from onedata.contracts.strict_yaml import read_mapping
from onedata.contracts.totals import parse_totals

_COLUMN_KEYS = (
    "name",
    "type",
    "description",
    "classification",
    "required",
    "identifier",
    "profile",
    "minimum",
    "maximum",
)


def load_entities(folder: Path) -> dict[str, Entity]:
    """The canonical entities of `folder`, by name.

    Raises:
        ContractError: a file is not YAML or contains something unknown.
    """
    entities = [_entity(read_mapping(file), file) for file in sorted(folder.glob("*.yaml"))]
    return {entity.name: entity for entity in entities}


def _entity(content: Mapping[str, Any], file: Path) -> Entity:
    for name in ("entity", "title", "grain", "owner", "key", "columns"):
        need(content, name, str(file))
    columns = tuple(_column(item, file) for item in content["columns"])
    known(
        [*content["key"], *([content["version"]] if content.get("version") else [])],
        [column.name for column in columns],
        f"{file}: key, version",
    )
    return Entity(
        name=content["entity"],
        title=content["title"],
        grain=content["grain"],
        owner=content["owner"],
        key=tuple(content["key"]),
        version=content.get("version"),
        columns=columns,
        totals=parse_totals(content.get("totals"), columns, file),
    )


def _column(item: Mapping[str, Any], file: Path) -> Column:
    where = Where(file).within(item, f"column {item.get('name')}")
    for name in ("name", "type", "description", "classification"):
        need(item, name, where)
    known([item["type"]], list(SQL_TYPES), where)
    known([item["classification"]], get_args(Classification), where)
    known(item, _COLUMN_KEYS, where)
    if item.get("profile"):
        known([item["profile"]], get_args(Profile), f"{where}: profile")
    identifier = item.get("identifier")
    if identifier:
        known(
            [need(identifier, "scope", f"{where}: identifier")], ("system", "retailer"), f"{where}: identifier: scope"
        )
        need(identifier, "type", f"{where}: identifier")
    for limit in ("minimum", "maximum"):
        if limit in item and not (item["type"] == "integer" and limit == "maximum" and item[limit] == "night"):
            if item["type"] not in ("integer", "decimal", "double"):
                raise ContractError(f"{where}: {limit} is for numbers, {item['name']} is {item['type']}")
            number(item[limit], f"{where}: {limit}")
    return Column(
        name=item["name"],
        type=item["type"],
        description=item["description"],
        classification=item["classification"],
        required=bool(item.get("required", False)),
        identifier=Identifier(identifier["type"], identifier["scope"]) if identifier else None,
        profile=item.get("profile"),
        **{limit: str(item[limit]) for limit in ("minimum", "maximum") if limit in item},
    )
