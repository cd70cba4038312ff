"""Load YAML into typed contracts; every mistake names file, place and fix.

Format: docs/contracts.md (ODCS v3.1) and data_contracts/canonical/README.md.
"""

import re
import zoneinfo
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from onedata.contracts.consistency import check_feed
from onedata.contracts.drafts import STATUSES, draft_files, is_draft
from onedata.contracts.expressions import check_expressions
from onedata.contracts.location import NESTED, location_of, read_location
from onedata.contracts.mistakes import Where
from onedata.contracts.mistakes import custom as _custom
from onedata.contracts.mistakes import items as _items
from onedata.contracts.mistakes import known as _known
from onedata.contracts.mistakes import need as _need
from onedata.contracts.mistakes import number as _number
from onedata.contracts.mistakes import pairs as _pairs
from onedata.contracts.model import (
    DOCUMENTS,
    TIES,
    ContractError,
    Entity,
    Feed,
    Field,
    Location,
    OwnFile,
    Rule,
    results,
)
from onedata.contracts.odcs import FeedProperties, check_odcs, feed_properties
from onedata.contracts.repairs import parse_drift, parse_on_invalid, parse_repairs
from onedata.contracts.rules import parse_rules, parse_trends
from onedata.contracts.strict_yaml import Written, read_mapping, written
from onedata.contracts.versions import SEMANTIC
from onedata.errors import did_you_mean
from onedata.normalise.phone import REGIONS

_CONTRACT_PROPERTIES = ("unmapped",)
_FIELD_KEYS = (
    "name",
    "physicalName",
    "transformLogic",
    "required",
    "logicalType",
    "logicalTypeOptions",
    "quality",
    "description",
    "customProperties",
)


def load_feeds(
    folder: Path, entities: Mapping[str, Entity], drafts: bool = False, own: Iterable[Path] = ()
) -> tuple[Feed, ...]:
    """Every feed of every contract in `folder` that is in effect, ordered by name. A process checks files of the same
    content once.

    Args:
        folder: The contracts.
        entities: The canonical entities.
        drafts: Whether to add the feeds of the drafts that load, each in place of one of its name. A night never does.
        own: Contracts whose feeds read the retailer's own files.

    Raises:
        ContractError: a contract in effect is invalid, two feeds share a name, or there is no feed.
    """
    of_retailer = tuple(own)
    content = written(*sorted(folder.glob("*.odcs.yaml")), *of_retailer)
    return _loaded(folder, tuple(entities.items()), drafts, of_retailer, content)


@lru_cache(maxsize=8)
def _loaded(
    folder: Path, named: tuple[tuple[str, Entity], ...], drafts: bool, own: tuple[Path, ...], _: Written
) -> tuple[Feed, ...]:
    entities = dict(named)
    files = [file for file in sorted(folder.glob("*.odcs.yaml")) if not is_draft(file)]
    feeds = [feed for file in files for feed in read_contract(file, entities)]
    if drafts:
        drafted = [
            feed for found in load_drafts(folder, entities).values() if not isinstance(found, str) for feed in found
        ]
        names = {feed.name for feed in drafted}
        feeds = [*(feed for feed in feeds if feed.name not in names), *drafted]
    if not feeds:
        waiting = [
            f"{name} ({found if isinstance(found, str) else 'it loads'})"
            for name, found in load_drafts(folder, entities).items()
        ]
        if waiting:
            raise ContractError(
                f"{folder} holds no contract in effect, only drafts: {'; '.join(waiting)}; `status: active` puts one "
                "into effect"
            )
        raise ContractError(f"{folder} holds no contract (*.odcs.yaml)")
    for file in own:
        feeds += [
            replace(feed, location=replace(feed.location, store=OwnFile())) for feed in read_contract(file, entities)
        ]
    by_name: dict[str, Feed] = {}
    for feed in feeds:
        if feed.name in by_name:
            raise ContractError(
                f"{feed.contract}: feed {feed.name} is already declared in {by_name[feed.name].contract}"
            )
        by_name[feed.name] = feed
    check_expressions(feeds, entities)
    return tuple(by_name[name] for name in sorted(by_name))


def load_drafts(folder: Path, entities: Mapping[str, Entity]) -> dict[str, list[Feed] | str]:
    """The drafts in `folder` by file name: their feeds, or the first mistake of one that does not load yet."""
    found: dict[str, list[Feed] | str] = {}
    for file in draft_files(folder):
        try:
            feeds = read_contract(file, entities)
            check_expressions(feeds, entities)
            found[file.name] = feeds
        except ContractError as error:
            found[file.name] = str(error)
    return found


def read_contract(file: Path, entities: Mapping[str, Entity]) -> list[Feed]:
    """The feeds of one contract file.

    Raises:
        ContractError: the contract is invalid.
    """
    content = read_mapping(file)
    for name in ("apiVersion", "kind", "id", "version", "status", "dataProduct", "servers", "schema"):
        _need(content, name, str(file))
    if content["status"] not in STATUSES:
        near = did_you_mean(str(content["status"]), STATUSES)
        raise ContractError(f"{file}: status {content['status']!r} is none of {', '.join(STATUSES)}{near}")
    if not SEMANTIC.fullmatch(str(content["version"])):
        raise ContractError(f"{file}: version {content['version']!r} is not MAJOR.MINOR.PATCH, for example 1.0.0")
    description = content.get("description")
    if not isinstance(description, dict) or not description.get("purpose"):
        raise ContractError(f"{file}: description: purpose is missing; say in a sentence what the rows are used for")
    servers = _items(content, "servers", str(file))
    if len(servers) != 1:
        raise ContractError(f"{file}: servers: exactly one is supported, {len(servers)} are given")
    check_odcs(content, file)
    location = read_location(servers[0], Where(file).within(servers[0], "servers[0]"))
    contract = _custom(content, str(file))
    _known(contract, _CONTRACT_PROPERTIES, Where(file).at(content, "customProperties") + ": customProperties")
    feeds = [_feed(content, item, location, entities, file) for item in _items(content, "schema", str(file))]
    known = frozenset(name for feed in feeds for name in feed.source_fields) | frozenset(
        map(str, contract.get("unmapped", []))
    )
    return [replace(feed, known_fields=known) for feed in feeds]


@cache
def _time_zones() -> frozenset[str]:
    """Names of all time zones; listing them walks the machine's folders of zones, which half of loading would go to."""
    return frozenset(zoneinfo.available_timezones())


def _feed(
    content: Mapping[str, Any], item: Mapping[str, Any], location: Location, entities: Mapping[str, Entity], file: Path
) -> Feed:
    where = Where(file).within(item, f"schema {_need(item, 'name', Where(file).within(item, 'schema'))}")
    custom = _custom(item, where)
    _known(custom, tuple(FeedProperties.model_fields), where)
    _need(custom, "entity", where)
    own = feed_properties(custom, lambda name: _of_property(where, item, name))
    _known([own.entity], list(entities), f"{_of_property(where, item, 'entity')}: entity")
    if own.timezone not in _time_zones():
        hint = did_you_mean(own.timezone, _time_zones())
        raise ContractError(
            f"{_of_property(where, item, 'timezone')}: timezone {own.timezone!r} is not an IANA time zone{hint}"
        )
    if own.region is not None and own.region not in REGIONS:
        raise ContractError(
            f"{_of_property(where, item, 'region')}: region {own.region!r} is not an ISO 3166 code of a country, for "
            "example DE"
        )
    if not re.fullmatch("[a-z][a-z0-9_]*", item["name"]):
        raise ContractError(f"{where}: a feed's name is lower-case letters, digits and _, starting with a letter")
    if "records" in custom and location.format not in NESTED:
        raise ContractError(f"{where}: records needs a format {' or '.join(NESTED)}, this is {location.format}")
    entity = entities[own.entity]
    if "unsettled" in custom and entity.name not in DOCUMENTS:
        raise ContractError(
            f"{_of_property(where, item, 'unsettled')}: unsettled is for {' and '.join(DOCUMENTS)}, not {entity.name}"
        )
    if unknown := [tie for tie in own.tieTolerance if tie not in TIES.get(entity.name, ())]:
        takes = " and ".join(f"{', '.join(ties)} for {name}" for name, ties in TIES.items())
        raise ContractError(
            f"{_of_property(where, item, 'tieTolerance')}: tieTolerance: {unknown[0]} is no tie of {entity.name}; ties "
            f"are {takes}"
        )
    sla = _pairs(content, "slaProperties", str(file))
    _known(sla, ("frequency", "retention"), f"{file}: slaProperties")
    frequency, retention = sla.get("frequency", {}), sla.get("retention", {})
    for name, units in (("frequency", ("d",)), ("retention", ("d", "m", "y"))):
        if name in sla:
            value = _number(sla[name]["value"], f"{file}: slaProperties: {name}")
            if value < 1 or value != int(value):
                raise ContractError(f"{file}: slaProperties: {name} is a whole number from 1, not {value:g}")
            _known([str(sla[name].get("unit"))], units, f"{file}: slaProperties: {name}: unit")
    feed = Feed(
        name=item["name"],
        title=str(item.get("businessName") or content.get("name") or item["name"]),
        description=str(item.get("description") or content["description"]["purpose"]).strip(),
        purpose=str(content["description"]["purpose"]).strip(),
        limitations=str(content["description"].get("limitations") or "").strip(),
        contract=file,
        version=str(content["version"]),
        owner=str((content.get("team") or {}).get("name") or entity.owner),
        system=str(content["dataProduct"]),
        entity=entity,
        location=location_of(location, item, own.model_dump(exclude_none=True), where),
        fields=_with_days([_field(entry, entity, where) for entry in _items(item, "properties", where)], entity),
        rules=parse_rules(_items(item, "quality", where), where),
        records=own.records,
        where=own.where,
        timezone=own.timezone,
        clock=own.clockChange,
        empty_ok=own.emptyOk,
        duplicate_keys=own.duplicateKeys,
        complete=_complete(own, entity, item, where),
        unsettled=own.unsettled,
        tie_tolerance=own.tieTolerance,
        priority=own.priority,
        region=own.region,
        content_key=own.rowKey == "content",
        tolerance=own.quarantineTolerance,
        every_days=int(frequency["value"]) if frequency else None,
        drift=parse_drift(own.onDrift, f"{where}: onDrift"),
        known_fields=frozenset(),
        trends=parse_trends(own.trends, f"{where}: trends"),
        retention=f"{retention['value']} {retention['unit']}" if retention else "",
    )
    check_feed(feed, where)
    return feed


def _complete(own: FeedProperties, entity: Entity, item: Mapping[str, Any], where: Where) -> bool:
    """Whether a delivery of a document has all its lines. Lines that stand within their document do, if a version says
    which delivery is the newest."""
    mapped = {entry.get("name") for entry in _items(item, "properties", where)}
    if own.documents is None:
        return bool(entity.document and own.records and entity.version in mapped)
    place = _of_property(where, item, "documents")
    if not entity.document:
        raise ContractError(f"{place}: documents: {entity.name} has no documents of several rows; leave it out")
    if own.documents == "complete" and entity.version not in mapped:
        raise ContractError(
            f"{place}: documents: complete needs {entity.version}, which says which delivery of a document is the "
            "newest: map it"
        )
    return own.documents == "complete"


def _field(item: Mapping[str, Any], entity: Entity, feed: Where) -> Field:
    name = _need(item, "name", feed)
    where = feed.within(item, f"property {name}")
    _known([name], [column.name for column in entity.columns], where)
    _known(item, _FIELD_KEYS, where)
    column = entity.column(name)
    if not item.get("physicalName") and not item.get("transformLogic"):
        raise ContractError(f"{where}: give physicalName, transformLogic or both")
    if item.get("required") is False and column.required:
        raise ContractError(f"{where}: {entity.name} requires {name}; a contract may be stricter, not looser")
    if "{value}" in str(item.get("transformLogic", "")) and not item.get("physicalName"):
        raise ContractError(f"{where}: {{value}} needs a physicalName")
    required, custom = bool(item.get("required", column.required)), _custom(item, where)
    return Field(
        column=column,
        physical_name=item.get("physicalName"),
        logic=str(item["transformLogic"]) if "transformLogic" in item else None,
        required=required,
        rules=_row_rules(item, name, where),
        repairs=parse_repairs(custom, column, where),
        on_invalid=parse_on_invalid(custom, column, entity, required, where),
        place=where,
    )


def _with_days(fields: list[Field], entity: Entity) -> tuple[Field, ...]:
    """The fields, with the local days that an instant tells where the source may give none."""
    mapped = {item.column.name: item for item in fields}
    told = {
        column.name: tuple(
            name for name in column.day_of if name in mapped and column.name not in results(mapped[name])
        )
        for column in entity.columns
    }
    given = [
        item if item.required and not item.column.required else replace(item, day_of=told[item.column.name])
        for item in fields
    ]
    filled = [
        Field(column, None, None, False, day_of=told[column.name], place=mapped[told[column.name][0]].place)
        for column in entity.columns
        if column.name not in mapped and told[column.name]
    ]
    return (*given, *filled)


def _of_property(where: Where, item: Mapping[str, Any], name: str) -> Where:
    """The place, at the line of a customProperty."""
    entries = [entry for entry in _items(item, "customProperties", where) if entry.get("property") == name]
    return where.at(entries[0], "property") if entries else where


def _row_rules(item: Mapping[str, Any], name: str, where: Where) -> tuple[Rule, ...]:
    """The rules for each row, from logicalTypeOptions and from the property's quality list."""
    written = item.get("logicalTypeOptions") or {}
    _known(written, ("minimum", "maximum", "pattern"), where.within(written, "logicalTypeOptions"))
    options = dict(written)
    if options and "logicalType" not in item:
        raise ContractError(
            f"{where}: ODCS wants logicalType beside logicalTypeOptions; write logicalType: number or string"
        )
    for limit in ("minimum", "maximum"):
        if limit in options:
            _number(options[limit], f"{where.at(written, limit)}: {limit}")
    rules = parse_rules(_items(item, "quality", where), where, name)
    for rule in rules:
        if rule.metric not in ("nullValues", "invalidValues") or rule.at_most != 0:
            raise ContractError(
                f"{where}: {rule.metric} is not a row rule; a property takes nullValues or invalidValues with mustBe: 0"
            )
    own = (Rule(f"{name}_in_range", "invalidValues", (name,), options, 0, 0),) if options else ()
    return own + rules
