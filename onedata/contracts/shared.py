"""Feeds that deliver rows of one entity and source system. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from onedata.contracts.model import Feed


def undecided_feeds(feeds: Iterable[Feed]) -> list[tuple[str, str, list[str]]]:
    """Entity, source system and feeds that may contradict one another without a priority that says which holds: at
    least two of them have the same priority and map the same column, beside key and version."""
    shared: dict[tuple[str, str], list[Feed]] = defaultdict(list)
    for feed in feeds:
        shared[feed.entity.name, feed.system].append(feed)
    found = []
    for (entity, system), group in sorted(shared.items()):
        names = {
            feed.name
            for feed in group
            for other in group
            if feed is not other and feed.priority == other.priority and _facts(feed) & _facts(other)
        }
        if names:
            found.append((entity, system, sorted(names)))
    return found


def _facts(feed: Feed) -> set[str]:
    """The mapped columns that tell something of a row: those beside its key and version."""
    return {item.column.name for item in feed.fields} - {*feed.entity.key, feed.entity.version}
