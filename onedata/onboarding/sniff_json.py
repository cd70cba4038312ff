"""The fields of JSON samples, by their paths in a contract."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from onedata.onboarding.sample import MOST_BYTES, SAMPLE_ROWS, Rows, Sniffed, SniffError, SourceField

NOT_IN_A_NAME = frozenset(".[]=")
MOST_OF_AN_ENVELOPE = 2
"""An object around documents may have so many fields beside them, as a number of pages."""


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def sniff_json(file: Path, encoding: str) -> Sniffed:
    """A file with an array of documents, at the top level or nested, or with one document."""
    if file.stat().st_size > MOST_BYTES:
        raise SniffError(f"{file.name} has more than {MOST_BYTES >> 20} MB; give a smaller sample")
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig" if encoding == "utf-8" else encoding))
    except (ValueError, RecursionError) as error:
        raise SniffError(f"{file.name} is no JSON: {error}") from None
    places = dict(_documents(content, "")) if isinstance(content, dict) else {}
    found = [(None, content if isinstance(content, list) else [content]), *places.items()]
    if isinstance(content, dict) and len(content) == 1 and not places:  # {"order": {...}}
        found = [(name, [member]) for name, member in content.items() if isinstance(member, dict)] or found
    ways = [replace(way, documents=place) for place, members in found for way in _ways(file, members[:SAMPLE_ROWS])[0]]
    return Sniffed("json", {}, ways)


def _documents(value: Mapping[str, Any], path: str) -> Iterator[tuple[str, list[Any]]]:
    """Arrays of objects that are nested only in objects, by path; for a GraphQL connection, its nodes. The arrays of an
    object that has fields of its own are its parts, not the documents."""
    if sum(not isinstance(member, dict | list) for member in value.values()) > MOST_OF_AN_ENVELOPE:
        return
    for name, member in value.items():
        below = f"{path}.{name}" if path else name
        if NOT_IN_A_NAME & set(name):
            continue
        if isinstance(member, dict):
            yield from _documents(member, below)
        elif isinstance(member, list) and member and all(isinstance(item, dict) for item in member):
            nodes = [item["node"] for item in member if isinstance(item.get("node"), dict)]
            yield (f"{below}[].node", nodes) if len(nodes) == len(member) else (below, member)


def sniff_json_lines(file: Path, lines: Sequence[str]) -> Sniffed:
    documents = []
    for number, line in enumerate(lines[:SAMPLE_ROWS], 1):
        try:
            documents.append(json.loads(line)) if line.strip() else None
        except (ValueError, RecursionError):
            if number == len(lines) > 1:  # truncated at the end of the sample
                break
            raise SniffError(f"{file.name}: line {number} is no JSON document, as line 1 is") from None
    ways, notes = _ways(file, documents)
    return Sniffed("jsonl", {}, ways, notes)


def _ways(file: Path, documents: Sequence[Any]) -> tuple[list[Rows], list[str]]:
    """The ways to extract rows from documents, and notes on them."""
    if not documents or not all(isinstance(document, dict) for document in documents):
        raise SniffError(f"{file.name}: every document must be a JSON object, {{...}}")
    own: dict[str, list[str]] = {}
    arrays: dict[str, dict[str, list[str]]] = {}
    skipped: set[str] = set()
    for document in documents:
        _walk(document, "", own, arrays, skipped)
    outer = _scalars("", own)
    inner = {path: _scalars(f"{path}[].", members) for path, members in arrays.items()}
    notes = (
        [f"No contract can name these fields, for . [ ] or = in them: {', '.join(sorted(skipped))}"] if skipped else []
    )
    return [Rows(None, outer), *(Rows(path, [*outer, *fields]) for path, fields in inner.items())], notes


def _scalars(prefix: str, found: Mapping[str, Sequence[str]]) -> list[SourceField]:
    """The fields with scalar values; a field that is null in one document and an object in another is not one."""
    parents = {name[:end] for name in found for end in range(len(name)) if name[end] in ".["}
    return [SourceField(prefix + name, values) for name, values in found.items() if values or name not in parents]


def _walk(
    value: Any, path: str, own: dict[str, list[str]], arrays: dict[str, dict[str, list[str]]], skipped: set[str]
) -> None:
    """Collect a JSON value's scalars by their path in a contract; members of arrays of objects separately, by the
    array's path."""
    if isinstance(value, dict):
        for name, member in value.items():
            if NOT_IN_A_NAME & set(name):
                skipped.add(name)
            else:
                _walk(member, f"{path}.{name}" if path else name, own, arrays, skipped)
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        key = next((name for name in ("key", "name") if all(name in item and "value" in item for item in value)), None)
        if key:
            for item in value:
                _walk(
                    {name: member for name, member in item.items() if name != key},
                    f"{path}[{key}={item[key]}]",
                    own,
                    arrays,
                    skipped,
                )
        else:
            members = arrays.setdefault(path, {})
            for item in value:
                _walk(item, "", members, {}, skipped)
    elif isinstance(value, list):
        if value and not isinstance(value[0], list):
            _walk(value[0], f"{path}[0]", own, arrays, skipped)
    else:
        values = own.setdefault(path, [])
        if value not in (None, ""):
            values.append(json.dumps(value) if isinstance(value, bool | int | float) else str(value).strip())
