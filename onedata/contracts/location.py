"""`servers[]` of a contract: the location of its feeds and how their files are read."""

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from onedata.contracts.mistakes import custom, known, need
from onedata.contracts.model import ContractError, Database, Location, ObjectStore

PACKED = ("members", "unpackLimit")
FORMATS: Mapping[str, tuple[str, ...]] = {
    "csv": (
        "delimiter",
        "quote",
        "escape",
        "encoding",
        "header",
        "columns",
        "skip",
        "comment",
        "decimal",
        "nullValues",
        *PACKED,
    ),
    "json": ("documents", *PACKED),
    "jsonl": PACKED,
    "parquet": PACKED,
    "xlsx": ("sheet", "range", *PACKED),
    "xml": ("recordTag", *PACKED),
}
NESTED = ("json", "jsonl", "parquet", "xml")
_SERVER = ("server", "type", "description", "environment", "roles", "customProperties")
_BRACES = re.compile(r"\{[^{}]*\}?|\}")
_RANGE = re.compile(r"[A-Z]{1,3}[1-9]\d{0,6}(:[A-Z]{1,3}([1-9]\d{0,6})?)?")
_LOOKBACK = re.compile(r"\d+( (second|minute|hour|day)s?)?")


def read_location(server: Mapping[str, Any], where: str) -> Location:
    """The location that one server of a contract describes.

    Raises:
        ContractError: the server has an unsupported value.
    """
    kind = str(need(server, "type", where))
    known([kind], list(_KINDS), f"{where}: type")
    return _KINDS[kind](server, where)


def location_of(location: Location, item: Mapping[str, Any], properties: Mapping[str, Any], where: str) -> Location:
    """The location of one schema object: for a database, its table (physicalName, else its name) and watermark.

    Raises:
        ContractError: a watermark without a database, or a lookback that is not a time span.
    """
    if not isinstance(location.store, Database):
        for name in ("watermark", "lookback"):
            if name in properties:
                raise ContractError(
                    f"{where}: {name} belongs to a server of type postgres; files are known by their content"
                )
        return location
    table, lookback = str(item.get("physicalName") or item["name"]), properties.get("lookback")
    if lookback is not None and ("watermark" not in properties or not _LOOKBACK.fullmatch(str(lookback))):
        raise ContractError(
            f"{where}: lookback {lookback!r} goes with a watermark and is a span like 2 hours, or a number for a "
            "watermark of numbers"
        )
    store = replace(
        location.store,
        table=table,
        watermark=str(properties["watermark"]) if "watermark" in properties else None,
        lookback=None if lookback is None else str(lookback),
        timezone=str(properties.get("timezone", "UTC")),
    )
    return replace(location, path=f"{location.path}.{table}", store=store)


def _local(server: Mapping[str, Any], where: str) -> Location:
    known(server, (*_SERVER, "path", "format"), where)
    path = str(need(server, "path", where))
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ContractError(f"{where}: path {path!r} must stay below the source folder")
    return _files(server, path, None, where)


def _s3(server: Mapping[str, Any], where: str) -> Location:
    known(server, (*_SERVER, "location", "endpointUrl", "format"), where)
    path, endpoint = str(need(server, "location", where)), server.get("endpointUrl")
    if not re.fullmatch(r"s3://[^/{*]+/[^/].*", path, re.DOTALL):
        raise ContractError(f"{where}: location {path!r} is not s3://bucket/key, with {{ds}} and * in the key")
    if endpoint is not None and (
        urlsplit(str(endpoint)).scheme not in ("http", "https") or not urlsplit(str(endpoint)).hostname
    ):
        raise ContractError(f"{where}: endpointUrl {endpoint!r} is not a URL like https://minio.example.com:9000")
    return _files(
        server,
        path,
        ObjectStore(str(need(server, "server", where)), None if endpoint is None else str(endpoint)),
        where,
    )


def _postgres(server: Mapping[str, Any], where: str) -> Location:
    known(server, (*_SERVER, "host", "port", "database", "schema"), where)
    host, port, database, schema = (need(server, name, where) for name in ("host", "port", "database", "schema"))
    options = custom(server, where)
    known(options, ("user",), where)
    if isinstance(port, bool) or not isinstance(port, int):
        raise ContractError(f"{where}: port is a whole number, not {port!r}")
    user = str(options["user"]) if "user" in options else None
    store = Database(str(need(server, "server", where)), str(host), port, str(database), str(schema), user)
    return Location(f"postgres://{host}:{port}/{database}/{schema}", "parquet", {}, store)


_KINDS: Mapping[str, Callable[[Mapping[str, Any], str], Location]] = {
    "local": _local,
    "s3": _s3,
    "postgres": _postgres,
    "postgresql": _postgres,
}


def _files(server: Mapping[str, Any], path: str, store: ObjectStore | None, where: str) -> Location:
    """Options that local files and objects share: a path by night, a format and its options."""
    kind = need(server, "format", where)
    if kind not in FORMATS:
        raise ContractError(f"{where}: format {kind!r} is not known; use one of {', '.join(FORMATS)}")
    unknown = [part for part in _BRACES.findall(path) if part != "{ds}"]
    if unknown:
        raise ContractError(
            f"{where}: path {path!r} has {unknown[0]}, which stands for nothing; {{ds}} is the night, * is any text"
        )
    if path.count("{ds}") > 1:
        raise ContractError(f"{where}: path {path!r} names {{ds}} more than once")
    given = custom(server, where)
    known(given, FORMATS[kind], where)
    if kind == "xml":
        need(given, "recordTag", where)
    columns, null_values = _texts(given, "columns", where), _texts(given, "nullValues", where)
    options = {name: _text(value) for name, value in given.items() if name not in ("columns", "nullValues")}
    _check_options(options, where)
    if (options.get("header") == "false") != bool(columns):
        raise ContractError(f"{where}: header: false and columns (the names, in the file's order) belong together")
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise ContractError(f"{where}: columns names {twice[0]!r} twice")
    return Location(path, kind, options, store, columns, null_values)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _texts(options: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    listed = options.get(name, [])
    if not isinstance(listed, list) or not all(isinstance(text, str | int | float) for text in listed):
        raise ContractError(f"{where}: {name} is a list of texts, not {listed!r}")
    return tuple(_text(text) for text in listed)


def _check_options(options: Mapping[str, str], where: str) -> None:
    for name in ("delimiter", "quote", "escape", "comment"):
        if name in options and len(options[name]) != 1:
            raise ContractError(f"{where}: {name} is one character, not {options[name]!r}")
    allowed = {"header": ("true", "false"), "decimal": (".", ",")}
    for name, values in allowed.items():
        if name in options and options[name] not in values:
            raise ContractError(f"{where}: {name} is {' or '.join(values)}, not {options[name]!r}")
    for name in ("skip", "unpackLimit"):
        if name in options and not re.fullmatch(r"\d{1,9}", options[name]):
            raise ContractError(f"{where}: {name} is a whole number, not {options[name]!r}")
    if "range" in options and not _RANGE.fullmatch(options["range"]):
        raise ContractError(
            f"{where}: range {options['range']!r} is not A3, A3:J or A3:J500; its first row holds the names"
        )
    encoding = options.get("encoding", "utf-8")
    if not _is_text_encoding(encoding):
        raise ContractError(
            f"{where}: encoding {encoding!r} is not known; use a name like utf-8, utf-16, cp1252, shift_jis or gb18030"
        )


def _is_text_encoding(name: str) -> bool:
    """Whether Python has it as a text encoding (rot13 and base64 are not) that can be decoded incrementally."""
    try:
        codecs.getincrementaldecoder(name)().decode(b"", True)
        return isinstance("a".encode(name), bytes)
    except (LookupError, TypeError, AttributeError, ValueError):
        return False
