"""The shape of a feed, that is, the parts of its contract that affect its rows or their readers; and the differences
between two shapes. Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, Literal

from onedata.contracts.model import Feed, Field, Rule

Kind = Literal["compatible", "notable", "breaking"]
Part = Literal["none", "patch", "minor", "major"]
Shape = Mapping[str, Any]
PARTS: Sequence[Part] = ("none", "patch", "minor", "major")
PART_OF: Mapping[Kind, Part] = {"compatible": "patch", "notable": "minor", "breaking": "major"}
WIDER: Mapping[str, tuple[str, ...]] = {
    "integer": ("decimal", "text"),
    "decimal": ("text",),
    "rate": ("text",),
    "double": ("text",),
    "boolean": ("text",),
    "date": ("timestamp", "text"),
    "timestamp": ("text",),
}
"""Types that hold every value of the old one."""
SECRECY = ("public", "sensitive", "core")
REBUILD = "run once with --full-refresh, so that DIM and DWD are built anew from the lake"
READ_WHOLE = (
    "the mark that was reached is the old one's: delete the feed's rows of ops.watermark, so that the table "
    "is read whole once"
)
LAND_AGAIN = "rows that landed before keep what they have; those files must be landed again to have the same"

SCALARS: Mapping[str, tuple[Kind, str, str]] = {
    "system": (
        "breaking",
        "source system (dataProduct)",
        "rows that landed before keep their source system, within which ids are unique",
    ),
    "entity": (
        "breaking",
        "entity",
        "rows that landed before stay with the old entity; land their files again to have them in the new one",
    ),
    "key": ("breaking", "key of the entity", REBUILD),
    "watermark": ("breaking", "version column of the entity", REBUILD),
    "row_key": ("breaking", "rowKey", LAND_AGAIN),
    "records": ("breaking", "records (what a row is)", LAND_AGAIN),
    "where": ("notable", "where", ""),
    "timezone": ("notable", "timezone", ""),
    "frequency": ("compatible", "frequency", ""),
    "retention": ("compatible", "retention", ""),
    "title": ("compatible", "name", ""),
    "description": ("compatible", "description", ""),
    "purpose": ("compatible", "purpose", ""),
    "limitations": ("compatible", "limitations", ""),
    "owner": ("compatible", "owner", ""),
}

TOLD_OF_FEED = frozenset(
    (
        *SCALARS,
        "name",
        "contract",
        "version",
        "location",
        "fields",
        "rules",
        "content_key",
        "tolerance",
        "every_days",
        "known_fields",
    )
)
TOLD_OF_FIELD = frozenset(("column", "physical_name", "logic", "required", "rules", "day_of", "place"))


@dataclass(frozen=True)
class Difference:
    """One difference. `after` says what happens to rows that have landed, if that is not obvious."""

    kind: Kind
    what: str
    old: str
    new: str
    after: str = ""
    needs: Part | None = None

    @property
    def part(self) -> Part:
        """The part of the version that must be incremented."""
        return self.needs or PART_OF[self.kind]

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}: {self.old} -> {self.new}"


def shape_of(feed: Feed) -> dict[str, Any]:
    """The parts of a feed that affect its rows or their readers, as JSON values."""
    return {
        "system": feed.system,
        "entity": feed.entity.name,
        "key": list(feed.entity.key),
        "watermark": feed.entity.version,
        "row_key": "content" if feed.content_key else None,
        "records": feed.records,
        "where": feed.where,
        "timezone": feed.timezone,
        "frequency": feed.every_days,
        "retention": feed.retention,
        "title": feed.title,
        "description": feed.description,
        "purpose": feed.purpose,
        "limitations": feed.limitations,
        "owner": feed.owner,
        "tolerance": feed.tolerance,
        "location": _plain(asdict(feed.location)),
        "more": _more(feed, TOLD_OF_FEED),
        "columns": {item.column.name: _column(item) for item in feed.fields if not item.is_filled},
        "rules": _rules(feed.rules),
    }


def _column(item: Field) -> dict[str, Any]:
    identifier = item.column.identifier
    source = " | ".join(part for part in (item.physical_name, item.logic) if part)
    return {
        "type": item.column.type,
        "classification": item.column.classification,
        "identifier": f"{identifier.type} in the {identifier.scope}" if identifier else None,
        "required": item.required,
        "source": source,
        "rules": _rules(item.rules),
        "more": _more(item, TOLD_OF_FIELD),
    }


def _more(item: Feed | Field, told: frozenset[str]) -> dict[str, Any]:
    """The rest of the contract, unchanged: any change of it is notable."""
    return {part.name: _plain(getattr(item, part.name)) for part in fields(item) if part.name not in told}


def _plain(value: Any) -> Any:
    """The value after a JSON round trip."""
    return json.loads(json.dumps(value, default=_as_json))


def _as_json(part: Any) -> Any:
    return asdict(part) if is_dataclass(part) and not isinstance(part, type) else str(part)


def _rules(rules: Sequence[Rule]) -> dict[str, Any]:
    """By name; duplicate names are numbered."""
    found: dict[str, Any] = {}
    for rule in rules:
        name = rule.name if rule.name not in found else f"{rule.name} ({len(found) + 1})"
        found[name] = {
            "metric": rule.metric,
            "columns": list(rule.columns),
            "at_least": rule.at_least,
            "at_most": rule.at_most,
        } | {
            "arguments": dict(rule.arguments),
            "severity": rule.severity,
        }
    plain: dict[str, Any] = _plain(found)
    return plain


def fingerprint(shape: Shape) -> str:
    """Equal for equal shapes, whatever the order of their columns."""
    return hashlib.sha256(json.dumps(shape, sort_keys=True, default=str).encode()).hexdigest()[:16]


def compare(old: Shape, new: Shape) -> tuple[Difference, ...]:
    """Every difference, the breaking ones first. Parts missing from a shape (an earlier onedata wrote it) are not
    differences."""
    found = [
        Difference(kind, words, _said(old[name]), _said(new[name]), after)
        for name, (kind, words, after) in SCALARS.items()
        if name in old and name in new and old[name] != new[name]
    ]
    if old["tolerance"] != new["tolerance"]:
        kind: Kind = "compatible" if new["tolerance"] > old["tolerance"] else "notable"
        found.append(Difference(kind, "quarantineTolerance", _said(old["tolerance"]), _said(new["tolerance"])))
    found += _location(old["location"], new["location"]) + _settings("", old["more"], new["more"], "notable")
    before, now = old["columns"], new["columns"]
    found += [_dropped(name, before[name]) for name in before if name not in now]
    found += [_added(name, now[name]) for name in now if name not in before]
    for name in before:
        if name in now:
            found += _column_differences(name, before[name], now[name])
    found += _rule_differences("", old["rules"], new["rules"])
    return tuple(sorted(found, key=lambda item: -PARTS.index(PART_OF[item.kind])))


def _dropped(name: str, column: Shape) -> Difference:
    return Difference(
        "breaking",
        f"column {name}",
        f"from {column['source']}",
        "dropped",
        "it is NULL in rows that land from now on; older rows keep theirs",
    )


def _added(name: str, column: Shape) -> Difference:
    if column["required"]:
        return Difference("notable", f"column {name}", "nothing", f"required, from {column['source']}")
    return Difference("compatible", f"column {name}", "nothing", f"from {column['source']}", needs="minor")


def _column_differences(name: str, old: Shape, new: Shape) -> list[Difference]:
    found: list[Difference] = []
    where = f"column {name}"
    if old["type"] != new["type"]:
        wider = new["type"] in WIDER.get(old["type"], ())
        after = (
            f"older rows are cast as they are read; {REBUILD}. Where a value does not cast the night stops and "
            "names it: land that file again"
        )
        found.append(
            Difference(
                "notable" if wider else "breaking", f"{where}: type", old["type"], new["type"], "" if wider else after
            )
        )
    if old["classification"] != new["classification"]:
        kind: Kind = (
            "compatible"
            if SECRECY.index(new["classification"]) > SECRECY.index(old["classification"])
            and new["classification"] != "core"
            else "breaking"
        )
        after = LAND_AGAIN if kind == "breaking" else ""
        found.append(Difference(kind, f"{where}: classification", old["classification"], new["classification"], after))
    if old["identifier"] != new["identifier"]:
        kind = "notable" if old["identifier"] is None else "breaking"
        after = f"links that were made stay; {REBUILD}" if kind == "breaking" else ""
        found.append(
            Difference(kind, f"{where}: identifier", _said(old["identifier"]), _said(new["identifier"]), after)
        )
    if old["required"] != new["required"]:
        words = ("optional", "required")
        found.append(
            Difference(
                "notable" if new["required"] else "compatible", where, words[old["required"]], words[new["required"]]
            )
        )
    if old["source"] != new["source"]:
        found.append(Difference("notable", f"{where}: source", old["source"], new["source"]))
    found += _settings(f"{where}: ", old["more"], new["more"], "notable")
    return found + _rule_differences(f"{where}: ", old["rules"], new["rules"])


def _location(old: Shape, new: Shape) -> list[Difference]:
    """A feed's location may change freely, except for a database's watermark: its position is a value of the old
    one."""
    before, now = old.get("store") or {}, new.get("store") or {}
    marks = [
        Difference("breaking", "watermark", _said(before.get("watermark")), _said(now.get("watermark")), READ_WHOLE)
    ]
    if not before or not now or before.get("watermark") == now.get("watermark"):
        marks = []
    return marks + _settings("", old, new, "compatible")


def _settings(where: str, old: Shape, new: Shape, kind: Kind) -> list[Difference]:
    return [
        Difference(kind, f"{where}{name}", _said(old[name]), _said(new[name]))
        for name in old
        if name in new and old[name] != new[name]
    ]


def _rule_differences(where: str, old: Shape, new: Shape) -> list[Difference]:
    found: list[Difference] = []
    for name in [*old, *(name for name in new if name not in old)]:
        before, now = old.get(name), new.get(name)
        if before != now:
            stricter = (
                now is not None
                and now["severity"] == "error"
                and not (before is not None and before["severity"] == "error" and _looser(before, now))
            )
            found.append(
                Difference("notable" if stricter else "compatible", f"{where}rule {name}", _rule(before), _rule(now))
            )
    return found


def _looser(old: Shape, new: Shape) -> bool:
    """Whether the new rule accepts everything that the old one did; if that cannot be determined, it counts as
    stricter."""
    if any(old[name] != new[name] for name in ("metric", "columns")):
        return False
    mine, theirs = new["arguments"], old["arguments"]
    if any(mine.get(name) != theirs.get(name) and mine.get(name) is not None for name in ("pattern", "query")) or (
        "query" in theirs
    ) != ("query" in mine):
        return False
    lower = [
        (_bound(new["at_least"], -1), _bound(old["at_least"], -1)),
        (_bound(mine.get("minimum"), -1), _bound(theirs.get("minimum"), -1)),
    ]
    upper = [
        (_bound(new["at_most"], 1), _bound(old["at_most"], 1)),
        (_bound(mine.get("maximum"), 1), _bound(theirs.get("maximum"), 1)),
    ]
    values = "validValues" not in mine or (
        "validValues" in theirs and set(map(str, mine["validValues"])) >= set(map(str, theirs["validValues"]))
    )
    return values and all(now <= before for now, before in lower) and all(now >= before for now, before in upper)


def _bound(value: Any, sign: int) -> float:
    """A limit as a number; no limit is infinity."""
    return sign * float("inf") if value is None else float(value)


def _rule(rule: Shape | None) -> str:
    if rule is None:
        return "nothing"
    limits = {name: rule[name] for name in ("at_least", "at_most") if rule[name] not in (None, 0)}
    parts = [f"{name} {_said(value)}" for name, value in (rule["arguments"] | limits).items()]
    return " ".join([rule["metric"], *parts, f"({rule['severity']})"])


def _said(value: Any) -> str:
    if value in (None, "", {}, []):
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
