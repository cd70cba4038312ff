"""Validate a contract against its standard, ODCS v3.1, with the official models; and the JSON schema of a contract.

The official models accept and drop unknown keys, except at the top level: a misspelt key would have no effect, so it is
refused here.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import open_data_contract_standard
from open_data_contract_standard.model import OpenDataContractStandard
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from onedata.contracts.location import FORMATS
from onedata.contracts.mistakes import Where
from onedata.contracts.model import ContractError, OnInvalid, Tie
from onedata.contracts.repairs import DRIFT
from onedata.contracts.strict_yaml import line_of
from onedata.errors import did_you_mean

KINDS = ("DataContract",)
VERSIONS = ("v3.1.0",)
LOGICAL_TYPES = ("string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean")
_TAKES = {
    "string_type": "a text; write it in quotes",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list (- ...)",
    "dict_type": "a mapping (name: value)",
    "model_type": "a mapping (name: value)",
    "model_attributes_type": "a mapping (name: value)",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "too_short": "a list of two",
    "too_long": "a list of two",
}


def _property(description: str, takes: str, **limits: Any) -> Any:
    """What a customProperty means, its accepted values in words, and its limits."""
    return Field(description=description, json_schema_extra={"takes": takes}, **limits)


class FeedProperties(BaseModel):
    """The customProperties of one object under `schema`: what onedata needs to know of a feed beyond ODCS."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    entity: Annotated[str, _property("Canonical entity the rows fill.", "the name of an entity")]
    records: Annotated[str | None, _property("Path of the list whose items are the rows.", "a path")] = None
    where: Annotated[str | None, _property("SQL predicate of the records that are this feed's.", "a predicate")] = None
    timezone: Annotated[str, _property("IANA time zone of times without an offset.", "an IANA time zone")] = "UTC"
    clockChange: Annotated[
        Literal["refuse", "earlier", "later"],
        _property(
            "How a local time is read that comes twice, or never, when the clocks change.", "refuse, earlier or later"
        ),
    ] = "refuse"
    emptyOk: Annotated[
        bool,
        _property("Whether a file without records, or a document without members, is a good one.", "true or false"),
    ] = False
    duplicateKeys: Annotated[
        Literal["refuse", "first"],
        _property("What a key that stands twice in one JSON object does.", "refuse or first"),
    ] = "refuse"
    documents: Annotated[
        Literal["complete", "partial"] | None,
        _property(
            "Whether a delivery of a document has all its lines: a line that a newer version lacks is then gone.",
            "complete or partial",
        ),
    ] = None
    priority: Annotated[
        int,
        _property(
            "Which feed of one entity and source system holds where version and night tie: the higher number.",
            "a whole number",
        ),
    ] = 0
    unsettled: Annotated[
        Literal["hold", "leave_out"],
        _property(
            "What counts of a document whose newest header or line is in quarantine: its last state, or nothing.",
            "hold or leave_out",
        ),
    ] = "hold"
    rowKey: Annotated[Literal["content"] | None, _property("The row itself is its key.", "content, or is left out")] = (
        None
    )
    quarantineTolerance: Annotated[
        float,
        _property("Share of rows that may be quarantined before the gate closes.", "a share from 0 to 1", ge=0, le=1),
    ] = 0.05
    tieTolerance: Annotated[
        dict[Tie, Annotated[float, Field(ge=0, le=1)]],
        _property(
            "Share of a day's money up to which documents may differ, by tie, before the gate warns.",
            "shares from 0 to 1 by tie (lines, payments, net; ledger)",
        ),
    ] = Field(default_factory=dict)
    onDrift: Annotated[Any, _property("What drift of the source's fields does.", "a mapping")] = None
    watermark: Annotated[str | None, _property("Column that tells what is new in a database table.", "a column")] = None
    lookback: Annotated[
        str | int | float | None, _property("How far below the watermark to read again.", "a span or a number")
    ] = None
    trends: Annotated[Any, _property("The comparison with the nights before.", "off, or {severity, tolerance}")] = (
        Field(default_factory=dict)
    )
    region: Annotated[
        str | None, _property("ISO 3166 code of phone numbers without a country code.", "the code of a country")
    ] = None


def feed_properties(custom: Mapping[str, Any], place: Callable[[str], Where]) -> FeedProperties:
    """The typed customProperties of a feed.

    Args:
        custom: Property to value, as written; every property is known.
        place: Where a property is written.

    Raises:
        ContractError: a value is of another type, or outside its limits.
    """
    try:
        return FeedProperties.model_validate(custom)
    except ValidationError as error:
        mistake = error.errors()[0]
        name = str(mistake["loc"][0])
        extra = FeedProperties.model_fields[name].json_schema_extra
        takes = extra["takes"] if isinstance(extra, dict) else ""
        raise ContractError(f"{place(name)}: {name} is {custom[name]!r}; it takes {takes}") from None


def check_odcs(content: Mapping[str, Any], file: Path) -> None:
    """Validate a contract against ODCS v3.1.

    Raises:
        ContractError: a value has the wrong type, or a key is not in the standard.
    """
    try:
        parsed = OpenDataContractStandard.model_validate(content, strict=True)
    except ValidationError as error:
        raise ContractError(_in_words(error, content, file)) from None
    _refuse_unknown(content, parsed, content, (), file)
    _require(content, ("kind",), KINDS, file)
    _require(content, ("apiVersion",), VERSIONS, file)
    for number, item in enumerate(content.get("schema") or []):
        for place, field in enumerate(item.get("properties") or []):
            if "logicalType" in field:
                _require(content, ("schema", number, "properties", place, "logicalType"), LOGICAL_TYPES, file)


def _require(content: Mapping[str, Any], path: Sequence[Any], allowed: Sequence[str], file: Path) -> None:
    value: Any = content
    for part in path:
        value = value[part]
    if value not in allowed:
        hint = did_you_mean(str(value), allowed) or f"; use {' or '.join(allowed)}"
        raise ContractError(f"{_place(content, path, file)}: {value!r} is not known{hint}")


def contract_schema(entities: Iterable[str]) -> dict[str, Any]:
    """The JSON schema of a contract, for editors: that of ODCS v3.1, restricted to what onedata reads."""
    official: dict[str, Any] = json.loads(
        files(open_data_contract_standard).joinpath("schema.json").read_text(encoding="utf-8")
    )
    feed = FeedProperties.model_json_schema()["properties"]
    feed["entity"]["enum"] = sorted(entities)
    feed["onDrift"] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {kind: {"enum": list(choices)} for kind, choices in DRIFT.items()},
    }
    own = {
        "servers": _each({"type": {"enum": ["local", "s3", "postgres", "postgresql"]}, "format": {"enum": [*FORMATS]}}),
        "customProperties": _properties({"unmapped": {"type": "array", "items": {"type": "string"}}}),
        "schema": _each(
            {
                "customProperties": _properties(feed),
                "properties": _each(
                    {
                        "customProperties": _properties(
                            {
                                "repairs": TypeAdapter(list[Any]).json_schema(),
                                "onInvalid": TypeAdapter(OnInvalid).json_schema(),
                            }
                        )
                    }
                ),
            }
        ),
    }
    return {**official, "allOf": [*official.get("allOf", []), {"properties": own}]}


def _each(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"items": {"properties": properties}}


def _properties(values: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a list of {property, value} with these names."""
    return {
        "items": {
            "properties": {"property": {"enum": sorted(values)}},
            "allOf": [
                {
                    "if": {"properties": {"property": {"const": name}}, "required": ["property"]},
                    "then": {"properties": {"value": value}},
                }
                for name, value in values.items()
            ],
        }
    }


def _in_words(error: ValidationError, content: Mapping[str, Any], file: Path) -> str:
    """The first mistake, with file, line and place. For a value of several possible models the last one reports it,
    without model names, which are not part of the contract."""
    mistake = error.errors()[0]
    path = [part for part in mistake["loc"] if _is_of(content, part)]
    if mistake["type"] == "invalid_key":
        where = Where(file, "", line_of(content, [mistake["input"]]))
        return f"{where}: {mistake['input']!r} is not known; keys are texts"
    if mistake["type"] == "extra_forbidden":
        return _unknown(str(path[-1]), OpenDataContractStandard, content, path, file)
    takes = _TAKES.get(mistake["type"], mistake["msg"])
    return f"{_place(content, path, file)} is {mistake['input']!r}; ODCS v3.1 takes {takes}"


def _is_of(content: Any, part: Any) -> bool:
    """Whether a key or index occurs anywhere in the content."""
    if isinstance(content, dict):
        return part in content or any(_is_of(item, part) for item in content.values())
    return isinstance(content, list) and (isinstance(part, int) or any(_is_of(item, part) for item in content))


def _refuse_unknown(given: Any, parsed: Any, content: Mapping[str, Any], path: tuple[Any, ...], file: Path) -> None:
    if isinstance(parsed, list) and isinstance(given, list):
        for number, (item, model) in enumerate(zip(given, parsed, strict=True)):
            _refuse_unknown(item, model, content, (*path, number), file)
    if not isinstance(parsed, BaseModel):
        return
    names = {field.alias or name: name for name, field in type(parsed).model_fields.items()}
    for key, value in given.items():
        if key not in names:
            raise ContractError(_unknown(str(key), type(parsed), content, (*path, key), file))
        _refuse_unknown(value, getattr(parsed, names[key]), content, (*path, key), file)


def _unknown(key: str, model: type[BaseModel], content: Mapping[str, Any], path: Sequence[Any], file: Path) -> str:
    known = [field.alias or name for name, field in model.model_fields.items()]
    hint = did_you_mean(key, known) or "; ODCS v3.1 has no such key here"
    return f"{_place(content, path, file, len(path) - 1)}: {key!r} is not known{hint}"


def _place(content: Mapping[str, Any], path: Sequence[Any], file: Path, told: int | None = None) -> str:
    """`file:line: schema orders: property order_id: required`, with the line of the whole path and its first `told`
    parts in words."""
    words: list[str] = []
    found: Any = content
    for part in path[:told]:
        held = isinstance(found, dict) and part in found
        found = found[part] if held or (isinstance(found, list) and isinstance(part, int)) else None
        if isinstance(part, int):
            words[-1] = _item(words[-1], part, found)
        else:
            words.append(str(part))
    return str(Where(file, ": ".join(words), line_of(content, path)))


def _item(of: str, number: int, item: Any) -> str:
    """An item of a list as other mistakes name it: by its name, else by its index."""
    named = item if isinstance(item, dict) else {}
    if of in ("schema", "properties") and named.get("name"):
        return f"{'property' if of == 'properties' else of} {named['name']}"
    return f"quality rule {number + 1}" if of == "quality" else f"{of} {named.get('property') or number + 1}"
