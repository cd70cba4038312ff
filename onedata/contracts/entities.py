"""Canonical entities from YAML (data_contracts/canonical/README.md), the shipped ones and a retailer's own; every
mistake names file, line and fix."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import duckdb

from onedata.contracts.mistakes import Where, items, known, need, number
from onedata.contracts.model import (
    NUMBERS,
    SQL_TYPES,
    Classification,
    Column,
    ContractError,
    Entity,
    Identifier,
    Profile,
)
from onedata.contracts.strict_yaml import Written, read_mapping, written
from onedata.contracts.totals import parse_totals

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
OF_THE_LAKE = ("source", "ds", "source_system", "identity_key")
"""Columns of every ODS view; the other lineage columns begin with an underscore, which `NAME` excludes."""
_ENTITY_KEYS = ("entity", "title", "grain", "owner", "key", "version", "columns", "totals", "document")
_EXTENSION_KEYS = ("extends", "columns")
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
    "day_of",
)


def load_entities(folder: Path, own: Path | None = None) -> dict[str, Entity]:
    """The canonical entities of `folder`, by name, with those and with the columns that a retailer's own folder adds.
    A process checks files of the same content once.

    Raises:
        ContractError: a file is not YAML or contains something unknown; or one of `own` changes what is shipped.
    """
    if own and not own.is_dir():
        raise ContractError(f"{own} is no folder: create it, or correct the setting own_entities")
    files = [file for place in (folder, own) if place for file in sorted(place.glob("*.y*ml"))]
    return dict(_loaded(folder, own, written(*files)))


@lru_cache(maxsize=8)
def _loaded(folder: Path, own: Path | None, _: Written) -> dict[str, Entity]:
    shipped = [_entity(read_mapping(file), file) for file in sorted(folder.glob("*.yaml"))]
    entities = {entity.name: entity for entity in shipped}
    return _with_own(entities, own) if own else entities


def _with_own(shipped: Mapping[str, Entity], folder: Path) -> dict[str, Entity]:
    for stray in sorted(folder.glob("*.yml")):
        raise ContractError(f"{stray} is not read: files of entities are *.yaml; rename it")
    entities, places = dict(shipped), dict[str, Path]()
    reserved = _reserved_words()
    for file in sorted(folder.glob("*.yaml")):
        content = read_mapping(file)
        where = Where(file).at(content, "extends")
        _without_jinja(content, Where(file))
        if "extends" in content:
            known(content, _EXTENSION_KEYS, Where(file))
            known([need(content, "extends", where)], list(shipped), f"{where}: extends")
            entity = _extended(entities[content["extends"]], content, file)
        else:
            entity = replace(_entity(content, file), own=True)
            where = Where(file).at(content, "entity")
            if entity.name in shipped:
                raise ContractError(
                    f"{where}: entity {entity.name} is shipped with onedata; write `extends: {entity.name}` to add "
                    "columns to it, or choose another name"
                )
            if entity.name in places:
                raise ContractError(f"{where}: entity {entity.name} is in {places[entity.name]} already")
            places[entity.name] = file
        _check_names(entity, where, reserved)
        _same_handling(entity, shipped.values())
        entities[entity.name] = entity
    return entities


def _extended(entity: Entity, content: Mapping[str, Any], file: Path) -> Entity:
    """The entity with the columns that the file adds."""
    need(content, "columns", str(file))
    columns = list(entity.columns)
    for item in items(content, "columns", str(file)):
        column = replace(_column(item, file), added=True)
        for other in columns:
            if other.name == column.name:
                kind = "from another file" if other.added else "shipped with onedata, which a file cannot redefine"
                raise ContractError(
                    f"{column.place}: {entity.name} has this column already, {kind}; choose another name"
                )
            if other.profile and other.profile == column.profile:
                raise ContractError(f"{column.place}: profile: {other.name} is the {other.profile} of {entity.name}")
        if column.required:
            raise ContractError(
                f"{column.place}: a column added to {entity.name} cannot be required, since other feeds do not map "
                "it; say `required: true` in the contract of the feed that does"
            )
        columns.append(column)
    return replace(entity, columns=tuple(columns))


def _reserved_words() -> frozenset[str]:
    """Words that SQL does not take for the name of a column; ODS views name columns without quotes."""
    with duckdb.connect() as con:
        words = con.execute(
            "select keyword_name from duckdb_keywords() where keyword_category in ('reserved', 'type_function')"
        ).fetchall()
    return frozenset(word for (word,) in words)


def _check_names(entity: Entity, where: str, reserved: frozenset[str]) -> None:
    """Refuse names that the lake, ODS or its SQL cannot have."""
    if not NAME.fullmatch(entity.name):
        raise ContractError(f"{where}: {entity.name!r} is no name of an entity: lower-case letters, digits and _")
    for total in entity.totals:
        if not NAME.fullmatch(total.name) or total.name in reserved:
            raise ContractError(f"{where}: {total.name!r} is no name of a total: lower-case letters, digits and _")
    names = [column.name for column in entity.columns]
    for column in entity.columns:
        if not NAME.fullmatch(column.name):
            raise ContractError(f"{column.place}: the name of a column is lower-case letters, digits and _")
        if column.name in OF_THE_LAKE:
            raise ContractError(f"{column.place}: the lake has a column of this name; choose another")
        if column.name in reserved:
            raise ContractError(f"{column.place}: {column.name} is a word of SQL; choose another name")
        if names.count(column.name) > 1:
            raise ContractError(f"{column.place}: the column stands twice")


def _same_handling(entity: Entity, shipped: Iterable[Entity]) -> None:
    """Refuse a column that names or describes a person in another way than the shipped ones of its kind: a raw e-mail
    would equal no token of it."""
    theirs = [column for other in shipped for column in other.columns]
    for column in entity.columns:
        if column.classification == "core" and column.type != "text":
            raise ContractError(f"{column.place}: a core column is text, since it holds a keyed hash; say `type: text`")
        for other in theirs:
            same = column.identifier and other.identifier and column.identifier.type == other.identifier.type
            if same and column.identifier != other.identifier:
                scope = other.identifier.scope if other.identifier else ""
                raise ContractError(f"{column.place}: identifier: scope is {scope} for this type, as elsewhere")
            alike = same or (column.profile and column.profile == other.profile)
            if alike and (column.classification == "core") != (other.classification == "core"):
                raise ContractError(
                    f"{column.place}: classification is {other.classification} for such a value, as elsewhere"
                )


def _without_jinja(value: Any, where: Where) -> None:
    """Refuse texts that dbt would run as a template: the files are copied into its project."""
    if isinstance(value, dict):
        for key, part in value.items():
            _without_jinja(part, where.at(value, key))
    elif isinstance(value, list):
        for part in value:
            _without_jinja(part, where)
    elif isinstance(value, str) and re.search(r"\{[{%#]", value):
        raise ContractError(f"{where}: a text of an entity cannot contain {{{{, {{% or {{#")


def _texts(content: Mapping[str, Any], names: Iterable[str], where: Where) -> None:
    """The values of these keys are required, and texts."""
    for name in names:
        value = need(content, name, where)
        if not isinstance(value, str):
            raise ContractError(f"{where.at(content, name)}: {name} is a text, not {value!r}; write it in quotes")


def _entity(content: Mapping[str, Any], file: Path) -> Entity:
    where = Where(file)
    _texts(content, ("entity", "title", "grain", "owner"), where)
    for name in ("key", "columns"):
        need(content, name, str(file))
    known(content, _ENTITY_KEYS, where)
    columns = tuple(_column(item, file) for item in items(content, "columns", str(file)))
    key = content["key"] if isinstance(content["key"], list) else [content["key"]]
    known(
        [*key, *([content["version"]] if content.get("version") else [])],
        [column.name for column in columns],
        f"{file}: key, version",
    )
    for column in columns:
        instants = [other.name for other in columns if other.type == "timestamp"]
        known(column.day_of, instants, f"{column.place}: day_of")
    return Entity(
        name=content["entity"],
        title=content["title"],
        grain=content["grain"],
        owner=content["owner"],
        key=tuple(key),
        version=content.get("version"),
        columns=columns,
        totals=parse_totals(content.get("totals"), columns, file),
        document=_document(content, key, where),
    )


def _document(content: Mapping[str, Any], key: list[str], where: Where) -> tuple[str, ...]:
    written = content.get("document", [])
    names = written if isinstance(written, list) else [written]
    known(names, key, where.at(content, "document") if "document" in content else where)
    return tuple(names)


def _column(item: Mapping[str, Any], file: Path) -> Column:
    where = Where(file).within(item, f"column {item.get('name')}")
    _texts(item, ("name", "type", "description", "classification"), where)
    known([item["type"]], list(SQL_TYPES), where)
    known([item["classification"]], get_args(Classification), where)
    known(item, _COLUMN_KEYS, where)
    if item.get("profile"):
        known([item["profile"]], get_args(Profile), f"{where}: profile")
    identifier = item.get("identifier")
    if identifier:
        if not isinstance(identifier, dict):
            raise ContractError(f"{where}: identifier is {{type: ..., scope: ...}}, not {identifier!r}")
        known(
            [need(identifier, "scope", f"{where}: identifier")], ("system", "retailer"), f"{where}: identifier: scope"
        )
        need(identifier, "type", f"{where}: identifier")
    for limit in ("minimum", "maximum"):
        if limit in item and not (item["type"] == "integer" and limit == "maximum" and item[limit] == "night"):
            _check_limit(item, limit, where)
    day_of = item.get("day_of") or []
    if day_of and item["type"] != "date":
        raise ContractError(f"{where}: day_of is for days, {item['name']} is {item['type']}")
    return Column(
        name=item["name"],
        type=item["type"],
        description=item["description"],
        classification=item["classification"],
        required=bool(item.get("required", False)),
        identifier=Identifier(identifier["type"], identifier["scope"]) if identifier else None,
        profile=item.get("profile"),
        minimum=str(item["minimum"]) if "minimum" in item else None,
        maximum=str(item["maximum"]) if "maximum" in item else None,
        day_of=tuple(day_of) if isinstance(day_of, list) else (str(day_of),),
        place=where,
    )


def _check_limit(item: Mapping[str, Any], limit: str, where: Where) -> None:
    value = item[limit]
    if item["type"] in ("date", "timestamp"):
        if not (isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value)):
            raise ContractError(f"{where}: {limit} of a {item['type']} is a day in quotes, '2100-01-01', not {value!r}")
    elif item["type"] in NUMBERS:
        number(value, f"{where}: {limit}")
    else:
        raise ContractError(f"{where}: {limit} is for numbers and days, {item['name']} is {item['type']}")
