"""The feeds' pages in docs/feeds, derived from contracts and canonical entities by `onedata derive`. Pure, but for
`write_pages`."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from onedata.contracts.derived import MARK, write_files
from onedata.contracts.model import Feed, Field, Repair, Rule

INDEX = "README.md"
HEADER = f"<!-- Derived from the contracts {MARK} -->"
UNITS = {"d": "day", "m": "month", "y": "year"}
ARGUMENTS = {"minimum": "at least", "maximum": "at most", "pattern": "matches", "validValues": "one of"}


def feed_pages(feeds: Iterable[Feed]) -> dict[str, str]:
    """File name (below docs/feeds) to content: a page a feed, and the index by source system."""
    known = sorted(feeds, key=lambda feed: (feed.system, feed.name))
    return {INDEX: _index(known)} | {f"{feed.name}.md": _page(feed, known) for feed in known}


def write_pages(folder: Path, feeds: Iterable[Feed]) -> list[Path]:
    """Write the pages and remove those of feeds that are no more; returns what changed.

    Raises:
        ContractError: a page that somebody else wrote lies in the place of one; nothing was changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return write_files({folder / name: content for name, content in feed_pages(feeds).items()}, folder.glob("*.md"))


def _index(feeds: Sequence[Feed]) -> str:
    parts = [
        "# Feeds",
        HEADER,
        f"{len(feeds)} feeds of {len({feed.system for feed in feeds})} source systems, each by one contract.",
    ]
    for system, members in groupby(feeds, key=lambda feed: feed.system):
        rows = [
            [
                f"[{feed.name}]({feed.name}.md)",
                feed.title,
                feed.entity.name,
                feed.location.format,
                _frequency(feed),
                feed.owner,
                feed.version,
            ]
            for feed in members
        ]
        parts += [f"## {system}", table(["feed", "what", "entity", "format", "comes", "owner", "version"], rows)]
    return "\n\n".join(parts) + "\n"


def _page(feed: Feed, feeds: Sequence[Feed]) -> str:
    parts = [f"# {feed.title}", HEADER, feed.description]
    if feed.purpose != feed.description:
        parts.append(f"Purpose: {feed.purpose}")
    if feed.limitations:
        parts.append(f"**Limitations.** {' '.join(feed.limitations.split())}")
    parts.append(table(["", ""], [list(row) for row in _facts(feed).items()]))
    parts += ["## Columns", _columns(feed)]
    if feed.rules:
        rows = [[f"`{rule.name}`", rule.severity, cell(said(rule))] for rule in feed.rules]
        parts += ["## Rules on a delivery", table(["rule", "severity", "holds where"], rows)]
    free = unmapped(feed, feeds)
    if free:
        parts += [
            "## Left in the file",
            "Fields that no column is filled from, on purpose: " + ", ".join(f"`{name}`" for name in free) + ".",
        ]
    return "\n\n".join(parts) + "\n"


def _facts(feed: Feed) -> dict[str, str]:
    entity, location = feed.entity, feed.location
    options = ", ".join(f"{name} `{cell(value)}`" for name, value in location.options.items())
    facts = {
        "feed": f"`{feed.name}` {feed.version}, by [{feed.contract.name}](../../data_contracts/{feed.contract.name})",
        "source system": feed.system,
        "owner": feed.owner,
        "entity": f"[{entity.name}](../../data_contracts/canonical/{entity.name}.yaml): {entity.grain}",
        "key": ", ".join(f"`{name}`" for name in entity.key)
        + (", told apart by the row's content" if feed.content_key else ""),
        "newest version": f"by `{entity.version}`, then by night" if entity.version else "by night",
        "files": f"`{location.path}` below the source folder, {_frequency(feed)}",
        "format": location.format + (f" ({options})" if options else ""),
        "a row is": f"each member of `{feed.records}`" if feed.records else "each record",
        "only records with": f"`{cell(feed.where)}`" if feed.where else "",
        "time zone": f"{feed.timezone}, where a time has no offset",
        "phones": f"of {feed.region}, where they have no country code" if feed.region else "",
        "kept for": _retention(feed),
        "where fields differ": ", ".join(f"{kind}: {choice}" for kind, choice in feed.drift.items()),
        "tolerance": f"{feed.tolerance:.1%} of a night's rows in quarantine",
    }
    return {name: text for name, text in facts.items() if text}


def _columns(feed: Feed) -> str:
    rows = []
    for item in feed.fields:
        column = item.column
        identifier = f"{column.identifier.type} ({column.identifier.scope})" if column.identifier else ""
        rules = "; ".join(_rule(rule) for rule in item.rules)
        required = "yes" if item.required else ""
        repairs = "; ".join(_repair(repair) for repair in item.repairs)
        rows.append(
            [
                f"`{column.name}`",
                column.type,
                _source(item),
                repairs,
                column.classification,
                identifier,
                required,
                rules,
                cell(column.description),
            ]
        )
    return table(
        ["column", "type", "from", "repairs", "classification", "identifier", "required", "rules", "meaning"], rows
    )


def _repair(repair: Repair) -> str:
    return cell(
        f"{repair.kind} {', '.join(f'{wrong} to {right}' for wrong, right in repair.arguments.items())}".strip()
    )


def _source(item: Field) -> str:
    field = f"`{cell(item.physical_name)}`" if item.physical_name else ""
    return f"{field} by `{cell(item.logic)}`".strip() if item.logic else field


def _rule(rule: Rule) -> str:
    return cell(said(rule)) + ("" if rule.severity == "error" else f" ({rule.severity})")


def said(rule: Rule) -> str:
    """A rule in words: its description where it has one."""
    if rule.description:
        return rule.description
    columns = ", ".join(rule.columns)
    if rule.metric == "rowCount":
        return " and ".join(
            part for part in (_limit("at least", rule.at_least), _limit("at most", rule.at_most)) if part
        )
    words = {
        "nullValues": "not empty",
        "duplicateValues": f"{columns} unique",
        "sql": f"no row of `{rule.arguments.get('query')}`",
    }
    bad = words.get(rule.metric) or ", ".join(
        f"{ARGUMENTS[name]} {_value(value)}" for name, value in rule.arguments.items()
    )
    return (
        bad
        if rule.at_most == 0
        else f"{bad}, but for {rule.at_least or 0} to {'any number of' if rule.at_most is None else rule.at_most} rows"
    )


def _limit(words: str, count: int | None) -> str:
    return f"{words} {count} {'row' if count == 1 else 'rows'}" if count is not None else ""


def _value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else f"`{value}`"


def unmapped(feed: Feed, feeds: Iterable[Feed]) -> list[str]:
    """Fields the contract knows and none of its feeds reads."""
    read = {name for other in feeds if other.contract == feed.contract for name in other.source_fields}
    return sorted(feed.known_fields - read)


def _frequency(feed: Feed) -> str:
    if feed.every_days is None:
        return "whenever it comes"
    return "every night" if feed.every_days == 1 else f"every {feed.every_days} days"


def _retention(feed: Feed) -> str:
    if not feed.retention:
        return "ever: the contract sets no end"
    count, unit = feed.retention.split()
    return f"{count} {UNITS[unit]}{'' if count == '1' else 's'}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a column that is empty in every row is left out."""
    lines = [list(row) for row in rows]
    kept = [index for index, name in enumerate(header) if not name or any(line[index] for line in lines)]
    cells = [[line[index] for index in kept] for line in ([*header], ["---"] * len(header), *lines)]
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


def cell(text: object) -> str:
    """Text that stays within its cell."""
    return " ".join(str(text).split()).replace("|", "\\|")


def facts(feed: Feed) -> Mapping[str, str]:
    """What the Dagster UI shows of a feed in the same words as its page."""
    return {"owner": feed.owner, "comes": _frequency(feed), "kept for": _retention(feed)}
